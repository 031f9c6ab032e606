"""The researchers' export: linked tables under a pseudonym of its own, as coarse as agreed, explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from linkage.database import quoted
from release import research_anonymity, research_coarsen, research_text
from release.files import write_parquet
from release.research_text import EXAMPLES, kept, readme, source, views
from schemas.errors import DisclosureRefused
from schemas.linked import LINKED_TABLES
from schemas.pseudonym import KEY, labels
from schemas.research import YEAR_OF, ResearchOutput

__all__ = ["EXAMPLES", "readme", "views", "write_research"]

Connection = duckdb.DuckDBPyConnection


def write_research(
    linked: Path, pseudonyms: Path, out: Path, provenance: dict[str, str], output: ResearchOutput
) -> list[Path]:
    """Write every agreed table with `pseudonym` in place of `person_id`, and the files that explain them.

    `pseudonyms`: Parquet person_id, link (already converted to this recipient's domain; null for persons
    without a usable number). DisclosureRefused identifier_in_release when a person_id would be left,
    k_anonymity when the agreement refuses what is too fine.
    """
    read = pq.read_table(pseudonyms)
    label = _label(read.schema)
    names = read.rename_columns(["person_id", "pseudonym"]).cast(
        pa.schema([("person_id", pa.int64()), pa.field("pseudonym", pa.binary(), metadata=label)])
    )
    _require_all_named(linked, names)
    told = {**provenance, "afspraak": output.output}
    with duckdb.connect() as con:
        con.register("names", names)
        con.register("places_in", research_coarsen.places())
        con.execute("create table places as from places_in")
        for macro in research_coarsen.macros():
            con.execute(macro)
        job = _Job(linked, out, told, output, names.schema.field("pseudonym"))
        made = [path for table in output.tables for path in _table(con, table, job)]
    return [*made, *_texts(out, told, output)]


def _label(schema: pa.Schema) -> dict[bytes, bytes] | None:
    """Whose domain the pseudonyms are of, as field metadata: plain bytes for readers without our Arrow type.

    None without a label: the gate then stops the release.
    """
    found = labels(schema, schema.names[1])
    return {KEY: found[0].label.encode("ascii")} if found else None


def _require_all_named(linked: Path, names: pa.Table) -> None:
    """Every linkable person has a pseudonym and nobody else: DisclosureRefused pseudonym_missing otherwise."""
    persons = pq.read_table(linked / "persons.parquet", columns=["person_id", "linkable"])
    linkable = persons.filter(persons["linkable"])["person_id"].combine_chunks().sort()
    if not linkable.equals(names["person_id"].combine_chunks().sort()) or names["pseudonym"].null_count:
        raise DisclosureRefused("pseudonym_missing", linkable=len(linkable), named=names.num_rows)


@dataclass(frozen=True)
class _Job:
    """What every table of one export shares; `pseudonym` is the column with the label of its domain."""

    linked: Path
    out: Path
    provenance: dict[str, str]
    output: ResearchOutput
    pseudonym: pa.Field


def _table(con: Connection, table: str, job: _Job) -> list[Path]:
    """One table: coarsened, sorted by what is left, one file per year."""
    path, output = job.linked / f"{table}.parquet", job.output
    con.register("source", pq.read_table(path))
    columns, actions = kept(output, table), output.columns[table]
    cells = [f"{research_coarsen.expression(c, actions[c.name], output.birth_years)} as {c.name}" for c in columns]
    first = f"year(coalesce({', '.join(YEAR_OF[table])}))" if table in YEAR_OF else "0"
    # The year is that of the coarsened day: a week that began in December lies in that December's folder.
    query = (
        f"select {first} as jaar, * from (select names.pseudonym, {', '.join(cells)} "  # noqa: S608 - declared names
        f"from source left join names using (person_id)) order by all"
    )
    found: pa.Table = con.sql(query).to_arrow_table()
    con.unregister("source")
    # DuckDB drops field metadata, so the label of the pseudonym's domain is put back.
    wanted = pa.schema([pa.field("jaar", pa.int64()), job.pseudonym, *(pa.field(c.name, c.type) for c in columns)])
    if found.column_names != wanted.names or found.num_rows != pq.read_metadata(path).num_rows:
        raise DisclosureRefused("identifier_in_release", table=table)
    return _write(found.cast(wanted), table, job.out, {"title": LINKED_TABLES[table].title, **job.provenance})


def _write(found: pa.Table, table: str, out: Path, metadata: dict[str, str]) -> list[Path]:
    rows = found.drop_columns(["jaar"])
    if table not in YEAR_OF:
        return [write_parquet(rows, out / f"{table}.parquet", metadata)]
    made, start = [], 0
    for line in pc.value_counts(found["jaar"]).to_pylist():  # in order of appearance: the rows are sorted by year
        folder = out / f"{table}.parquet" / f"jaar={line['values']}"
        folder.mkdir(parents=True)
        part = rows.slice(start, line["counts"])
        made.append(write_parquet(part, folder / "deel-0.parquet", metadata))
        start += line["counts"]
    return made or [_nothing(rows, out / f"{table}.parquet", metadata)]


def _nothing(rows: pa.Table, folder: Path, metadata: dict[str, str]) -> Path:
    """A table without rows keeps one file without rows, so that its view has columns to show."""
    (folder / "jaar=1900").mkdir(parents=True)
    return write_parquet(rows, folder / "jaar=1900" / "deel-0.parquet", metadata)


@contextmanager
def delivered(out: Path, output: ResearchOutput) -> Iterator[Connection]:
    """The views of a folder, over the files that stand there; nothing else can be read."""
    with duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}) as con:
        con.execute(f"set allowed_directories = [{quoted(out.resolve())}]")
        con.execute("set enable_external_access = false")
        for table in output.tables:
            here = source(table).replace(f"'{table}", quoted(out.resolve() / table)[:-1], 1)
            con.execute(f"create view {table} as select * from {here}")  # noqa: S608 - declared names
        yield con


def _texts(out: Path, provenance: dict[str, str], output: ResearchOutput) -> list[Path]:
    with delivered(out, output) as con:
        measured = research_anonymity.measure(con, output)
        research_anonymity.require(measured, output)
        lines = research_text.codebook(con, output)
    texts = {
        "views.sql": views(output),
        "codebook.md": research_text.codebook_markdown(output),
        "codebook.html": research_text.codebook_html(lines, output),
        "codebook.csv": research_text.codebook_csv(lines),
        "README.md": readme(provenance),
        "start.py": research_text.notebook(provenance),
        "release.json": _facts(provenance, output),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [*(out / name for name in texts), *research_anonymity.write(measured, output, out)]


def _facts(provenance: dict[str, str], output: ResearchOutput) -> str:
    agreed = {name: getattr(output, name) for name in ("output", "recipient", "purpose", "sha256")}
    return json.dumps({**provenance, "agreement": agreed, "columns": output.columns}, indent=1, sort_keys=True) + "\n"
