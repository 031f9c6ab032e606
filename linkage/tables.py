"""Write a table of ours as Parquet: declared schema, sorted by all columns, the same bytes for the same content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from linkage.database import Connection
from schemas.ddl import sql_type
from schemas.pseudonym import Domain, mirrored
from schemas.register import OutTable

ROW_GROUP = 122_880


def write(con: Connection, table: OutTable, out: Path) -> int:
    """Write `out/<name>.parquet` from the table of that name in the database; returns its rows."""
    cells = ", ".join(f"{c.name}::{sql_type(c.type)} as {c.name}" for c in table.columns)
    query = f"select {cells} from {table.name} order by {', '.join(table.names)}"  # noqa: S608
    return write_query(con, query, table.arrow_schema(), out / f"{table.name}.parquet")


def write_query(con: Connection, query: str, schema: pa.Schema, path: Path) -> int:
    """Write the rows of a query in its order. Row groups are fixed and whole, so bytes follow from content alone."""
    rows = 0
    part = path.with_suffix(".part")
    with pq.ParquetWriter(part, mirrored(schema), compression="zstd", store_schema=True) as writer:
        for group in _groups(con, query, schema):
            writer.write_table(group, row_group_size=ROW_GROUP)
            rows += group.num_rows
    part.replace(path)
    return rows


def _groups(con: Connection, query: str, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    held = 0
    reader = con.sql(query).to_arrow_reader(ROW_GROUP)
    for batch in reader:
        waiting.append(pa.Table.from_batches([batch]))
        held += batch.num_rows
        while held >= ROW_GROUP:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, ROW_GROUP).cast(schema).combine_chunks()
            waiting = [joined.slice(ROW_GROUP)]
            held -= ROW_GROUP
    if held:
        yield pa.concat_tables(waiting).cast(schema).combine_chunks()


def write_person_link(con: Connection, domain: Domain | None, out: Path) -> int:
    """Write `person_link.parquet`: linkable persons and their lowest pseudonym, typed with its domain.

    Without a domain (no delivery at all) the column is plain bytes, which no conversion accepts.
    """
    link = pa.field("link", pa.binary(32)) if domain is None else domain.field("link")
    schema = pa.schema([pa.field("person_id", pa.int64(), nullable=False), link])
    query = "select person_id::bigint as person_id, link from person_root order by person_id"
    return write_query(con, query, schema, out / "person_link.parquet")
