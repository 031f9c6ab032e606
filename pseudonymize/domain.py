"""The domain a pseudonym belongs to, carried as a label in the metadata of its Arrow or Parquet field.

A label reads `v1/project/stage/epoch`, the stage being pre, link, record or recipient:NAME; in
blind mode (modes.py) it begins with v1-blind or v1-hybrid. DuckDB reads the column as a BLOB; because DuckDB
drops field metadata, a file may also carry the label of a column as the file-level key `koppel.domain.COLUMN`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from schemas.errors import ConfigError

KEY = b"koppel.domain"
_TEXT = re.compile(
    r"(?P<scheme>v1(?:-blind|-hybrid)?)/(?P<project>[a-z0-9-]{1,64})/(?P<name>pre|link|record|recipient:[a-z0-9-]{1,64})/(?P<epoch>[a-z0-9-]{1,64})"
)


@dataclass(frozen=True)
class Domain:
    """Scheme, project, domain name and epoch; two pseudonyms are comparable only when all four are equal."""

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

    @classmethod
    def parse(cls, text: str) -> Domain:
        """The domain of a label. ConfigError wrong_domain when it is not a label of ours."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ConfigError("wrong_domain")
        return cls(**found.groupdict())

    def field(self, column: str, size: int) -> pa.Field:
        """An Arrow field of `size` bytes that carries this domain."""
        return pa.field(column, pa.binary(size), metadata={KEY: self.label.encode("ascii")})


def of_field(schema: pa.Schema, column: str) -> Domain:
    """The domain of a column, from its field or the file. ConfigError wrong_domain when it has none."""
    own = schema.field(column).metadata or {}
    shared = schema.metadata or {}
    text = own.get(KEY) or shared.get(_shared(column))
    if text is None:
        raise ConfigError("wrong_domain", found="none")
    return Domain.parse(text.decode("utf-8", errors="replace"))


def link_column(schema: pa.Schema) -> str:
    """The one column that carries a link domain. ConfigError wrong_domain when there is none, or more than one."""
    labelled = [name for name in schema.names if _labelled(schema, name)]
    found = [name for name in labelled if of_field(schema, name).name == "link"]
    if len(found) != 1:
        raise ConfigError("wrong_domain", found=f"{len(found)} link columns")
    return str(found[0])


def _labelled(schema: pa.Schema, column: str) -> bool:
    return KEY in (schema.field(column).metadata or {}) or _shared(column) in (schema.metadata or {})


def _shared(column: str) -> bytes:
    return KEY + b"." + column.encode("utf-8")


def require(schema: pa.Schema, column: str, expected: Domain) -> None:
    """ConfigError wrong_domain unless the column carries exactly the expected domain."""
    if of_field(schema, column) != expected:
        raise ConfigError("wrong_domain", expected=expected.label)
