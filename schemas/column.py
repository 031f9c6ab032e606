"""A column of a register, and what it means for a person's privacy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

from schemas.checks import Check


class Role(StrEnum):
    """What a column can tell about a person; decides where it may travel."""

    IDENTIFIER = "identifier"  # BSN, SKN, VIP: consumed by pseudonymize, never in a payload
    IDENTIFIER_KIND = "identifier_kind"  # says which kind of identifier a row carries; consumed with it
    RECORD_KEY = "record_key"  # key of the source system: pseudonymised or dropped at the source
    QUASI = "quasi"  # indirect identifier: dates, birth year, municipality
    ATTRIBUTE = "attribute"  # sensitive content: health, criminal law
    MEASURE = "measure"  # counts and administrative facts without a person in them


class Kind(StrEnum):
    """How a cell is read from text; `arrow` gives the type it gets."""

    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"
    BOOLEAN = "boolean"
    CODE = "code"
    GEMEENTE = "gemeente"

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type a cell of this kind has once read."""
        return _ARROW[self]


_ARROW: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int32(),
    Kind.DATE: pa.date32(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.CODE: pa.string(),
    Kind.GEMEENTE: pa.string(),
}


@dataclass(frozen=True)
class Column:
    """One column as its holder delivers it.

    `codes` names a code list of schemas/codes (kind CODE); `optional` columns may be absent from the
    extract; `nullable` cells may be empty. `sentinel_null` are texts that mean "empty" in this column,
    such as 9999-12-31 for an unknown end. `omschrijving` is Dutch: it goes into the codebook.
    """

    name: str
    kind: Kind
    role: Role
    omschrijving: str
    nullable: bool = False
    optional: bool = False
    codes: str | None = None
    sentinel_null: tuple[str, ...] = ()
    checks: tuple[Check, ...] = field(default=())

    def __post_init__(self) -> None:
        if (self.kind is Kind.CODE) != (self.codes is not None):
            raise ValueError(f"column {self.name}: a CODE column names its code list, others do not")

    @property
    def identifying(self) -> bool:
        """True for columns that may never reach linkage or release as delivered."""
        return self.role in {Role.IDENTIFIER, Role.IDENTIFIER_KIND, Role.RECORD_KEY}
