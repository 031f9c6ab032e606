"""A register declared once; everything else (read schema, checks, DDL, codebook) is derived from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from schemas.checks import Check
from schemas.column import Column, Role


@dataclass(frozen=True)
class OutOfScope:
    """Rows we count and set aside without keeping them: `column` holds one of `values`."""

    code: str
    column: str
    values: tuple[str, ...]
    zin: str


@dataclass(frozen=True)
class Register:
    """One register as its holder delivers it.

    `unique` must identify a row within one delivery. `date_column` and `kind_column` are the columns by
    which out-of-scope rows are counted (year, kind). Proves itself at import: a wrong name is a ValueError.
    """

    name: str
    title: str
    holder: str
    legal_basis: str
    grain: str
    source: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    rules: tuple[Check, ...] = ()
    out_of_scope: tuple[OutOfScope, ...] = ()
    date_column: str | None = None
    kind_column: str | None = None
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for column in self.columns:
            if column.name in self.by_name:
                raise ValueError(f"register {self.name}: column {column.name} declared twice")
            self.by_name[column.name] = column
        mentioned = (*self.unique, *(rule.column for rule in self.out_of_scope))
        extra = [name for name in (self.date_column, self.kind_column) if name]
        for name in (*mentioned, *extra):
            if name not in self.by_name:
                raise ValueError(f"register {self.name}: {name} is not a column")
        if not any(column.role is Role.IDENTIFIER for column in self.columns):
            raise ValueError(f"register {self.name} has no identifier column")

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Names of the identifier columns (bsn, skn), in declared order."""
        return tuple(column.name for column in self.columns if column.role is Role.IDENTIFIER)

    @property
    def payload_columns(self) -> tuple[Column, ...]:
        """Columns that may enter a payload: everything but identifiers."""
        away = {Role.IDENTIFIER, Role.IDENTIFIER_KIND}
        return tuple(column for column in self.columns if column.role not in away)

    def read_schema(self) -> pa.Schema:
        """Schema of an extract after reading: every declared column, typed."""
        return pa.schema([pa.field(c.name, c.kind.arrow) for c in self.columns])


@dataclass(frozen=True)
class OutColumn:
    """A column of one of our own tables: Arrow type, Dutch description, how it identifies."""

    name: str
    type: pa.DataType
    role: Role
    omschrijving: str
    nullable: bool = False
    codes: str | None = None


@dataclass(frozen=True)
class OutTable:
    """One of our own outputs, declared like a register. `key` identifies a row; `sort` fixes the order."""

    name: str
    title: str
    grain: str
    columns: tuple[OutColumn, ...]
    key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name}: a column is declared twice")
        if unknown := set(self.key) - set(names):
            raise ValueError(f"table {self.name}: key names unknown columns {sorted(unknown)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in declared order."""
        return tuple(column.name for column in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """The exact schema the Parquet file has."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])
