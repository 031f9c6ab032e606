"""Write a table of ours as Parquet: declared schema, sorted by all columns, the same bytes for the same content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from linkage.database import Connection
from linkage.delivery import Delivery
from schemas import ddl
from schemas.ddl import sql_type
from schemas.errors import DeliveryError
from schemas.register import OutTable

ROW_GROUP = 122_880
DOMAIN_KEY = b"koppel.domain"  # of a pseudonym column: pseudonymisation.md section 3


def write(con: Connection, table: OutTable, out: Path) -> int:
    """Write `out/<name>.parquet` from the table of that name in the database; returns its rows."""
    cells = ", ".join(f"{c.name}::{sql_type(c.type)} as {c.name}" for c in table.columns)
    query = f"select {cells} from {table.name} order by {', '.join(table.names)}"  # noqa: S608
    return write_query(con, query, table.arrow_schema(), out / f"{table.name}.parquet")


def write_query(con: Connection, query: str, schema: pa.Schema, path: Path) -> int:
    """Write the rows of a query in its order. Row groups are fixed and whole, so bytes follow from content alone."""
    rows = 0
    part = path.with_suffix(".part")
    with pq.ParquetWriter(part, schema, compression="zstd", store_schema=True) as writer:
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


def write_person_link(con: Connection, deliveries: Sequence[Delivery], out: Path) -> int:
    """Write `person_link.parquet`: linkable persons and their lowest pseudonym, labelled with its domain."""
    domain = link_domain(deliveries)
    schema = pa.schema(
        [pa.field("person_id", pa.int64(), nullable=False), pa.field("link", pa.binary(32), metadata=domain)]
    )
    query = "select person_id::bigint as person_id, link from person_root order by person_id"
    return write_query(con, query, schema, out / "person_link.parquet")


def link_domain(deliveries: Sequence[Delivery]) -> dict[bytes, bytes] | None:
    """The pseudonymisation domain label that all link files share. DeliveryError mixed_domains when they differ."""
    found = set()
    for delivery in deliveries:
        schema = pq.read_schema(delivery.link)
        names = ddl.identity_schema(fallback=delivery.has_fallback).names[1:]
        found |= {tuple(sorted((schema.field(name).metadata or {}).items())) for name in names}
    labels = {tuple(item for item in label if item[0] == DOMAIN_KEY) for label in found}
    if len(labels) > 1:
        raise DeliveryError("mixed_domains", domains=len(labels))
    return dict(labels.pop()) or None if labels else None
