"""No join before every pseudonym column is known to be of one domain: an error that names both, never an empty join.

The Arrow type says it first (schemas/pseudonym.py). DuckDB drops types, so the labels are read a second time as
DuckDB reads the files, from their key-value metadata; every pseudonym enters a query through `in_domain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from linkage import queries
from linkage.database import Connection, quoted
from linkage.delivery import Delivery
from schemas import pseudonym
from schemas.column import Role
from schemas.errors import ConfigError, DeliveryError
from schemas.pseudonym import Domain
from schemas.registers import REGISTERS

LINK, RECORD = "link", "record"
Line = tuple[str, int, str, str]  # what must be equal, number of the delivery, column, label


def link_domain(deliveries: Sequence[Delivery]) -> Domain | None:
    """The domain of every person pseudonym of these deliveries; None without any.

    DeliveryError mixed_domains, naming two that differ; a column without a label, or with one of another stage,
    is mixed_domains too. Record keys of one register's column must be of one domain as well.
    """
    found: dict[str, Domain] = {}
    for group, domain in _told(deliveries):
        if found.setdefault(group, domain) != domain:
            raise DeliveryError("mixed_domains", expected=found[group].told, found=domain.told)
    return found.get(LINK)


def _told(deliveries: Sequence[Delivery]) -> Iterator[tuple[str, Domain]]:
    for delivery in deliveries:
        schema = pq.read_schema(delivery.link)
        for name in delivery.person_columns:
            yield LINK, _domain(delivery, schema, name, LINK)
        schema = pq.read_schema(delivery.payload) if delivery.has_payload else pa.schema([])
        for name in _record_keys(delivery, schema):
            stage = f"{RECORD}:{delivery.register}.{name}"
            yield stage, _domain(delivery, schema, name, stage)


def _record_keys(delivery: Delivery, schema: pa.Schema) -> list[str]:
    declared = REGISTERS[delivery.register].payload_columns
    return [c.name for c in declared if c.role is Role.RECORD_KEY and c.name in schema.names]


def _domain(delivery: Delivery, schema: pa.Schema, column: str, stage: str) -> Domain:
    try:
        found = pseudonym.of_field(schema, column)
    except ConfigError as error:
        raise DeliveryError("mixed_domains", register=delivery.register, column=column, **error.facts) from None
    if found.name != stage:
        raise DeliveryError("mixed_domains", register=delivery.register, expected=stage, found=found.told)
    return found


def mirror(con: Connection, deliveries: Sequence[Delivery], domain: Domain | None) -> None:
    """`domains` in the database, as DuckDB itself reads it from the files, and the macro `in_domain`.

    DeliveryError mixed_domains, naming both, when what DuckDB reads is not `domain` for every person column.
    """
    queries.run(con, "in_domain", {})
    parts = [_read(d) for d in deliveries] or ["select null::varchar, null::integer, null::varchar, null::varchar"]
    body = "\nunion all\n".join(parts)
    con.execute(
        f"create table domains as select * from ({body}) as t(register, sequence, column_name, label)"  # noqa: S608
    )
    for register, column, label in con.execute(queries.text("list_wrong_domains"), {"label": told(domain)}).fetchall():
        found = "none" if label is None else Domain.parse(label).told
        raise DeliveryError("mixed_domains", register=register, column=column, expected=told(domain), found=found)


def told(domain: Domain | None) -> str:
    """The label, or `none`."""
    return "none" if domain is None else domain.label


def _read(delivery: Delivery) -> str:
    """One line per person column with the label that DuckDB finds for it in the file; null without one."""
    columns = ", ".join(f"({quoted(name)})" for name in delivery.person_columns)
    return (
        f"select {quoted(delivery.register)}, {delivery.sequence:d}, c.name, decode(k.value)\n"
        f"from (values {columns}) as c(name)\n"
        f"left join parquet_kv_metadata({quoted(delivery.link)}) as k\n"
        f"  on decode(k.key) = '{pseudonym.KEY.decode()}.' || c.name"
    )
