"""A pseudonym column says which domain it is of; without that nothing is converted."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pseudonymize import domain
from pseudonymize.domain import Domain
from schemas.errors import ConfigError

LINK = Domain("v1", "demo", "link", "epoch-1")


def test_a_label_survives_the_field() -> None:
    schema = pa.schema([LINK.field("bsn", 32), pa.field("n", pa.int64())])
    assert domain.of_field(schema, "bsn") == LINK
    assert Domain.parse(LINK.label) == LINK
    assert domain.link_column(schema) == "bsn"


def test_a_label_may_stand_in_the_file_because_duckdb_drops_it_from_the_field() -> None:
    schema = pa.schema([pa.field("link", pa.binary())], metadata={b"koppel.domain.link": LINK.label.encode()})
    assert domain.of_field(schema, "link") == LINK
    assert domain.link_column(schema) == "link"


def test_no_label_wrong_label_or_two_are_refused() -> None:
    bare = pa.schema([pa.field("bsn", pa.binary(32))])
    strange = pa.schema([pa.field("bsn", pa.binary(32), metadata={domain.KEY: b"v2/demo/link/epoch-1"})])
    two = pa.schema([LINK.field("bsn", 32), LINK.field("skn", 32)])
    for schema in (bare, strange):
        with pytest.raises(ConfigError, match="wrong_domain"):
            domain.of_field(schema, "bsn")
    for schema in (bare, two):
        with pytest.raises(ConfigError, match="wrong_domain"):
            domain.link_column(schema)


@pytest.mark.parametrize("other", ["v1/demo/pre/epoch-1", "v1/demo/link/epoch-2", "v1/demo2/link/epoch-1"])
def test_another_domain_is_never_the_same(other: str) -> None:
    schema = pa.schema([Domain.parse(other).field("bsn", 32)])
    with pytest.raises(ConfigError, match="wrong_domain"):
        domain.require(schema, "bsn", LINK)
    domain.require(schema, "bsn", Domain.parse(other))


def test_a_domain_of_impossible_names_cannot_be_made() -> None:
    for parts in (("v2", "demo", "link", "e"), ("v1", "De mo", "link", "e"), ("v1", "demo", "research", "e")):
        with pytest.raises(ConfigError, match="bad_label"):
            Domain(*parts)
