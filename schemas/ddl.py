"""DuckDB DDL from the declarations: table and column names in SQL come from here and nowhere else."""

from __future__ import annotations

import pyarrow as pa

from schemas.column import Role
from schemas.common import FALLBACK_KEYS
from schemas.pseudonym import RECORD_KEY, SCHEME, Domain, PseudonymType
from schemas.register import OutTable, Register

_SQL: dict[pa.DataType, str] = {
    pa.string(): "varchar",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.date32(): "date",
    pa.bool_(): "boolean",
    pa.float64(): "double",
    pa.binary(16): "blob",
    pa.binary(32): "blob",
}

PERSON_COLUMNS = ("bsn", "skn", "vip")
_ANY = Domain(SCHEME, "project", "link", "epoch")  # for shapes and SQL types, where the domain does not matter


def sql_type(kind: pa.DataType) -> str:
    """DuckDB type of an Arrow type; KeyError for a type no declaration uses (never hugeint: it loses digits)."""
    return _SQL[kind.storage_type if isinstance(kind, PseudonymType) else kind]


def payload_schema(
    register: Register, kept: tuple[str, ...] | None = None, project: str = "project", epoch: str = "epoch"
) -> pa.Schema:
    """Schema of a payload: row_id, then the kept columns; record keys are 16-byte pseudonyms made at the source.

    `kept` are the columns the agreement keeps or pseudonymises; None means all payload columns.
    """
    fields = [pa.field("row_id", pa.binary(16), nullable=False)]
    for column in register.payload_columns:
        if kept is None or column.name in kept:
            kind = column.kind.arrow
            if column.role is Role.RECORD_KEY:
                kind = Domain(SCHEME, project, f"record:{register.name}.{column.name}", epoch).type(RECORD_KEY)
            fields.append(pa.field(column.name, kind, nullable=column.nullable or column.optional))
    return pa.schema(fields)


def identity_schema(domain: Domain = _ANY, *, fallback: bool = False) -> pa.Schema:
    """Schema of an identity or link file: row_id and one 32-byte pseudonym per identifier type, nullable."""
    more = FALLBACK_KEYS if fallback else ()
    fields = [pa.field("row_id", pa.binary(16), nullable=False)]
    fields += [domain.field(name) for name in (*PERSON_COLUMNS, *more)]
    return pa.schema(fields)


def create_payload(register: Register, kept: tuple[str, ...] | None = None) -> str:
    """CREATE TABLE statement for the staged payload of a register."""
    schema = payload_schema(register, kept)
    return _create(f"payload_{register.name}", [(f.name, sql_type(f.type), f.nullable) for f in schema])


def create_out(table: OutTable) -> str:
    """CREATE TABLE statement for one of our own tables."""
    return _create(table.name, [(c.name, sql_type(c.type), c.nullable) for c in table.columns])


def _create(name: str, columns: list[tuple[str, str, bool]]) -> str:
    body = ",\n".join(f"  {column} {kind}{'' if null else ' not null'}" for column, kind, null in columns)
    return f"create table {name} (\n{body}\n)"


def comments(table: OutTable) -> list[str]:
    """COMMENT ON statements for a view or table of ours, in Dutch."""
    lines = [f"comment on view {table.name} is '{_quote(table.title)}'"]
    return lines + [f"comment on column {table.name}.{c.name} is '{_quote(c.omschrijving)}'" for c in table.columns]


def _quote(text: str) -> str:
    return text.replace("'", "''")
