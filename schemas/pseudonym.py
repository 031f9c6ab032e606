"""The domain of a pseudonym as a type: scheme, project, stage and epoch travel with the column. No key in here.

A label reads `v1/project/stage/epoch`; the stage is pre, link, record:REGISTER.COLUMN or recipient:NAME. In Arrow
and in Parquet (ARROW:schema) it is an extension type, so two domains are two types: concatenating, casting or
joining them is a type error. Where the type is not registered the field metadata still carries it. DuckDB drops
both, so a Parquet file repeats it as key-value metadata `koppel.domain.COLUMN` (linkage/domains.py reads that).
Source: pseudonymisation.md section 6, rules 4 and 5.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from schemas.errors import ConfigError

NAME = "koppelpunt.pseudonym"
KEY = b"koppel.domain"
SCHEME = "v1"
PSEUDONYM, RECORD_KEY = 32, 16  # bytes
_STAGE = r"pre|link|record(?::[a-z0-9_]{1,64}\.[a-z0-9_]{1,64})?|recipient:[a-z0-9-]{1,64}"
_TEXT = re.compile(rf"(?P<scheme>v1)/(?P<project>[a-z0-9-]{{1,64}})/(?P<name>{_STAGE})/(?P<epoch>[a-z0-9-]{{1,64}})")
_LONG = re.compile(r"\d{8,}")
_EXT_NAME, _EXT_LABEL = b"ARROW:extension:name", b"ARROW:extension:metadata"


@dataclass(frozen=True)
class Domain:
    """Scheme, project, stage and epoch; two pseudonyms are comparable only when all four are equal."""

    scheme: str
    project: str
    name: str
    epoch: str

    def __post_init__(self) -> None:
        if not _TEXT.fullmatch(self.label):
            raise ConfigError("bad_label")

    @property
    def label(self) -> str:
        """The domain as text."""
        return f"{self.scheme}/{self.project}/{self.name}/{self.epoch}"

    @property
    def told(self) -> str:
        """The label as an error may tell it: an epoch such as 20260101 must not look like a number of a person."""
        return _LONG.sub("+", self.label)[:160]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The domain of a label. ConfigError wrong_domain when it is not a label of ours."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ConfigError("wrong_domain", found="no label of ours")
        return cls(**found.groupdict())

    def type(self, size: int = PSEUDONYM) -> PseudonymType:
        """The Arrow type of a column of this domain, `size` bytes a value."""
        return PseudonymType(self, size)

    def field(self, column: str, size: int = PSEUDONYM) -> pa.Field:
        """An Arrow field of this domain."""
        return pa.field(column, self.type(size))


class PseudonymType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """fixed_size_binary(16 or 32) of one domain. Arrow asks `__eq__` whether two columns may be put together."""

    def __init__(self, domain: Domain, size: int = PSEUDONYM) -> None:
        self.domain = domain
        super().__init__(pa.binary(size), NAME)

    def __arrow_ext_serialize__(self) -> bytes:
        return self.domain.label.encode("ascii")

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, text: bytes) -> Self:
        return cls(Domain.parse(text.decode("utf-8", errors="replace")), storage.byte_width)

    def __eq__(self, other: object) -> bool:
        # Without this pyarrow compares name and storage only, and puts two domains in one column in silence.
        if not isinstance(other, PseudonymType):
            return False
        return self.domain == other.domain and bool(self.storage_type == other.storage_type)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.domain, self.storage_type.byte_width))


with contextlib.suppress(pa.ArrowKeyError):  # a second copy of this module, as test runners make, changes nothing
    pa.register_extension_type(Domain(SCHEME, "project", "link", "epoch").type())


def of_field(schema: pa.Schema, column: str) -> Domain:
    """The domain of a column. ConfigError wrong_domain when it has none, or carries two (both named)."""
    found = labels(schema, column)
    if not found:
        raise ConfigError("wrong_domain", found="none")
    require_same(found)
    return found[0]


def labels(schema: pa.Schema, column: str) -> list[Domain]:
    """Every domain a column is said to have: by its type, its field metadata, and the key of its file."""
    field = schema.field(column)
    if isinstance(field.type, PseudonymType):
        found = [field.type.domain]
    else:
        own = field.metadata or {}
        found = [_parse(own[_EXT_LABEL])] if own.get(_EXT_NAME) == NAME.encode() and _EXT_LABEL in own else []
    shared = (schema.metadata or {}).get(file_key(column))
    return found if shared is None else [*found, _parse(shared)]


def _parse(text: bytes) -> Domain:
    return Domain.parse(text.decode("utf-8", errors="replace"))


def file_key(column: str) -> bytes:
    """The Parquet key that repeats the label of a column for readers that drop types, such as DuckDB."""
    return KEY + b"." + column.encode("utf-8")


def mirrored(schema: pa.Schema) -> pa.Schema:
    """The schema with the label of every pseudonym column repeated as metadata of the file."""
    told = {file_key(name): of_field(schema, name).label.encode("ascii") for name in labelled(schema)}
    return schema.with_metadata({**(schema.metadata or {}), **told}) if told else schema


def labelled(schema: pa.Schema) -> list[str]:
    """Names of the columns that carry a label."""
    return [name for name in schema.names if labels(schema, name)]


def link_column(schema: pa.Schema) -> str:
    """The one column that carries a link domain. ConfigError wrong_domain when there is none, or more than one."""
    found = [name for name in labelled(schema) if of_field(schema, name).name == "link"]
    if len(found) != 1:
        raise ConfigError("wrong_domain", found=f"{len(found)} link columns")
    return str(found[0])


def require(schema: pa.Schema, column: str, expected: Domain) -> None:
    """ConfigError wrong_domain, naming both domains, unless the column carries exactly the expected one."""
    found = of_field(schema, column)
    if found != expected:
        raise ConfigError("wrong_domain", expected=expected.told, found=found.told)


def require_same(domains: Iterable[Domain]) -> None:
    """ConfigError wrong_domain, naming two that differ, unless all are equal: to call before a join or a union."""
    first: Domain | None = None
    for domain in domains:
        first = first or domain
        if domain != first:
            raise ConfigError("wrong_domain", expected=first.told, found=domain.told)


def storage(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The plain bytes of a pseudonym column: the one way out of the type, so every use can be found."""
    if isinstance(values.type, PseudonymType):
        return values.cast(values.type.storage_type) if isinstance(values, pa.ChunkedArray) else values.storage
    return values
