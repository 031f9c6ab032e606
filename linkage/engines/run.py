"""Trajectories and events on an engine: the tables that DuckDB staged go there, the tables that follow come back.

Persons stay here. The engine gets rows with the numbers of this run: no pseudonym of a person leaves the linking
machine, and record keys go as ranks, which are equal and ordered as the keys are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linkage import queries
from linkage.components import components
from linkage.database import Connection, connect, quoted
from linkage.engines.session import Engine, Session, session
from linkage.engines.translate import Schema, macros, reads, translate
from linkage.plan import Parameter

NEVER = {("person_root", "link")}  # columns that no engine gets


@dataclass(frozen=True)
class Statements:
    """What is run, by name: `first`, then the components of CBS's rule, then `then`; `helpers` are the macros."""

    first: tuple[str, ...]
    then: tuple[str, ...]
    helpers: tuple[str, ...]
    values: Mapping[str, Parameter]


def compute(con: Connection, engine: Engine, work: Path, run: Statements, *, wanted: Callable[[str], bool]) -> None:
    """Run the statements on an engine; of the tables they make, those that are `wanted` come into `con`.

    What a table would have been in DuckDB, down to its column types, it becomes in `con`. ConfigError
    untranslatable (before any row moves) or engine_unavailable.
    """
    inputs = _inputs((*run.first, *run.then))
    types = _types(con, work, inputs, run)
    known = macros(run.helpers)
    planned = [translate(name, run.values, types, known) for name in (*run.first, *run.then)]
    with session(engine, work) as there:
        for name in inputs:
            _send(con, there, name)
        for table, query in planned[: len(run.first)]:
            there.make(table, query)
        _components(there)
        for table, query in planned[len(run.first) :]:
            there.make(table, query)
        for table, _ in planned:
            if wanted(table):
                _fetch(con, there, table, types[table])


def _inputs(names: Iterable[str]) -> list[str]:
    """Tables that the statements read and do not make."""
    made, read = {"rule_components"}, set()
    for name in names:
        table, sources = reads(name)
        made.add(table)
        read |= sources
    return sorted(read - made)


def _types(con: Connection, work: Path, inputs: Iterable[str], run: Statements) -> Schema:
    """Column types of every table, as DuckDB itself gives them: the statements run on empty tables first."""
    with connect(work=work / "types", folders=[], memory_limit="256MB", threads=1) as empty:
        for name in inputs:
            cells = ", ".join(f"{column} {kind}" for column, kind in _columns(con, name))
            empty.execute(f"create table {name} ({cells})")
        empty.execute("create table rule_components (variant integer, component integer)")
        for name in (*run.helpers, *run.first, *run.then):
            queries.run(empty, name, run.values)
        tables = [row[0] for row in empty.execute("select table_name from duckdb_tables()").fetchall()]
        return {table: dict(_columns(empty, table)) for table in tables}


def _columns(con: Connection, table: str) -> list[tuple[str, str]]:
    """Column and the type an engine gets it as: a record key is a rank."""
    found = con.execute(f"describe {table}").fetchall()
    kept = [(row[0], row[1]) for row in found if (table, row[0]) not in NEVER]
    return [(name, "BIGINT" if kind == "UUID" else kind) for name, kind in kept]


def _send(con: Connection, there: Session, table: str) -> None:
    folder = there.folder / table
    folder.mkdir()
    kinds = {row[0]: row[1] for row in con.execute(f"describe {table}").fetchall()}
    cells = ", ".join(_cell(name, kinds[name]) for name, _ in _columns(con, table))
    query = f"select {cells} from {table}"  # noqa: S608 - names from the database's own catalogue
    reader = con.sql(query).to_arrow_reader(122_880)
    with pq.ParquetWriter(folder / "part-0.parquet", reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
    there.open(table)


def _cell(name: str, kind: str) -> str:
    if kind == "UUID":
        return f"case when {name} is not null then dense_rank() over (order by {name} nulls last) end as {name}"
    return f"{name}::{'BIGINT' if kind == 'HUGEINT' else kind} as {name}"


def _components(there: Session) -> None:
    """`rule_components`, as match.rule_components makes it: from the pairs that CBS's rule joins."""
    variants = there.arrow("select count(*) as n from rule_variants").column("n")[0].as_py()
    pairs = there.arrow("select a, b from rule_pairs")
    ends = [pairs.column(name).to_numpy().astype(np.int32) for name in ("a", "b")]
    root = components(variants, *ends)
    (there.folder / "rule_components").mkdir()
    table = pa.table({"variant": np.arange(variants, dtype=np.int32), "component": root})
    pq.write_table(table, there.folder / "rule_components" / "part-0.parquet")
    there.open("rule_components")


def _fetch(con: Connection, there: Session, table: str, kinds: Mapping[str, object]) -> None:
    files = sorted((there.folder / table).glob("*.parquet"))
    if not files:
        con.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
        return
    cells = ", ".join(f"{name}::{kind} as {name}" for name, kind in kinds.items())
    found = ", ".join(quoted(file) for file in files)
    con.execute(f"create table {table} as select {cells} from read_parquet([{found}])")  # noqa: S608 - names of ours
