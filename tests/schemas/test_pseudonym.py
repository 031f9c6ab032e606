"""A pseudonym column is typed with its domain: another domain is another type, in memory, in a file, and by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import pseudonym
from schemas.errors import ConfigError
from schemas.pseudonym import Domain

LINK = Domain("v1", "demo", "link", "epoch-1")
OTHERS = ["v1/demo/pre/epoch-1", "v1/demo/link/epoch-2", "v1/demo2/link/epoch-1", "v1/demo/recipient:a/epoch-1"]
NAMES = st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True)
STAGES = st.sampled_from(["pre", "link", "record", "record:injus.detentie_id", "recipient:onderzoek"])


def table(domain: Domain, size: int = 32) -> pa.Table:
    return pa.table([pa.array([bytes(size), None], pa.binary(size))], schema=pa.schema([domain.field("p", size)]))


@given(NAMES, STAGES, NAMES)
def test_a_label_is_read_back_as_it_was_written(project: str, stage: str, epoch: str) -> None:
    domain = Domain("v1", project, stage, epoch)
    assert Domain.parse(domain.label) == domain
    assert pa.schema([domain.field("p")]).field("p").type.domain == domain


@pytest.mark.parametrize(
    "parts",
    [
        ("v2", "demo", "link", "e"),
        ("v1", "De mo", "link", "e"),
        ("v1", "demo", "research", "e"),
        ("v1", "demo", "link", ""),
        ("v1", "demo", "record:injus", "e"),
        ("v1", "demo/x", "link", "e"),
    ],
)
def test_a_domain_of_impossible_names_cannot_be_made(parts: tuple[str, str, str, str]) -> None:
    with pytest.raises(ConfigError, match="bad_label"):
        Domain(*parts)
    with pytest.raises(ConfigError, match="wrong_domain"):
        Domain.parse("/".join(parts))


@pytest.mark.parametrize("other", OTHERS)
def test_arrow_refuses_to_put_two_domains_together(other: str) -> None:
    """Without PseudonymType.__eq__ every one of these succeeds, and the second domain gets the first one's label."""
    one, two = table(LINK), table(Domain.parse(other))
    for attempt in (
        lambda: pa.concat_tables([one, two]),
        lambda: pa.concat_tables([one, two], promote_options="permissive"),
        lambda: pa.chunked_array([one["p"].chunk(0), two["p"].chunk(0)]),
        lambda: one.join(two, "p"),
        lambda: one.cast(two.schema),
        lambda: pa.table([one["p"]], schema=two.schema),
    ):
        with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
            attempt()
    assert not one.schema.equals(two.schema)
    assert one.schema.field("p").type != two.schema.field("p").type
    assert one.schema.field("p").type != pa.binary(32)
    assert len({LINK.type(), LINK.type(), Domain.parse(other).type(), LINK.type(16)}) == 3


@pytest.mark.parametrize("other", OTHERS)
def test_our_own_check_names_both(other: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pseudonym.require(table(Domain.parse(other)).schema, "p", LINK)
    assert caught.value.facts == {"expected": LINK.label, "found": other}
    with pytest.raises(ConfigError) as caught:
        pseudonym.require_same([LINK, LINK, Domain.parse(other)])
    assert caught.value.facts == {"expected": LINK.label, "found": other}
    pseudonym.require_same([])
    pseudonym.require(table(LINK).schema, "p", LINK)


def test_the_type_survives_parquet_and_the_stream(tmp_path: Path) -> None:
    for size in (32, 16):
        one = table(LINK, size)
        path = tmp_path / f"{size}.parquet"
        pq.write_table(one, path)
        assert pq.read_table(path).schema.equals(one.schema)
        assert pseudonym.of_field(pq.read_schema(path), "p") == LINK
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, one.schema) as writer:
            writer.write_table(one)
        assert pa.ipc.open_stream(sink.getvalue()).read_all().equals(one)


def test_where_the_type_is_not_known_the_label_is_still_there(tmp_path: Path) -> None:
    """A reader without this project: the bytes, and the label as metadata of the field."""
    path = tmp_path / "p.parquet"
    pq.write_table(table(LINK), path)
    code = (
        "import sys, pyarrow as pa, pyarrow.parquet as pq\n"
        "schema = pq.read_schema(sys.argv[1])\n"
        "assert schema.field('p').type == pa.binary(32)\n"
        "assert pq.read_table(sys.argv[1])['p'].to_pylist() == [bytes(32), None]\n"
        "sys.stdout.buffer.write(schema.field('p').metadata[b'ARROW:extension:metadata'])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True)
    assert done.stdout.decode() == LINK.label
    unknown = pa.field("p", pa.binary(32), metadata={b"ARROW:extension:name": b"koppelpunt.pseudonym"})
    assert pseudonym.labels(pa.schema([unknown]), "p") == []
    told = {b"ARROW:extension:name": b"koppelpunt.pseudonym", b"ARROW:extension:metadata": LINK.label.encode()}
    assert pseudonym.of_field(pa.schema([unknown.with_metadata(told)]), "p") == LINK


def test_a_file_repeats_its_labels_for_readers_that_drop_types() -> None:
    schema = pa.schema([pa.field("n", pa.int64()), LINK.field("p")], metadata={b"k": b"v"})
    made = pseudonym.mirrored(schema)
    assert made.metadata == {b"k": b"v", b"koppel.domain.p": LINK.label.encode()}
    assert pseudonym.mirrored(made).equals(made, check_metadata=True)
    bare = pa.schema([pa.field("n", pa.int64())])
    assert pseudonym.mirrored(bare) is bare
    plain = pa.schema([pa.field("p", pa.binary())], metadata=made.metadata)
    assert pseudonym.of_field(plain, "p") == LINK
    assert pseudonym.link_column(plain) == "p"


def test_no_label_a_foreign_one_or_two_that_differ_are_refused() -> None:
    bare = pa.schema([pa.field("p", pa.binary(32))])
    strange = pa.schema([pa.field("p", pa.binary(32))], metadata={b"koppel.domain.p": b"v2/demo/link/epoch-1"})
    with pytest.raises(ConfigError, match="found=none"):
        pseudonym.of_field(bare, "p")
    with pytest.raises(ConfigError, match="wrong_domain"):
        pseudonym.of_field(strange, "p")
    two = pa.schema([LINK.field("p")], metadata={b"koppel.domain.p": OTHERS[1].encode()})
    with pytest.raises(ConfigError) as caught:
        pseudonym.of_field(two, "p")
    assert caught.value.facts == {"expected": LINK.label, "found": OTHERS[1]}


def test_a_damaged_label_in_a_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    told = {b"ARROW:extension:name": b"koppelpunt.pseudonym", b"ARROW:extension:metadata": b"999990019"}
    field = pa.field("p", pa.binary(32), metadata=told)
    pq.write_table(pa.table([pa.array([bytes(32)], pa.binary(32))], schema=pa.schema([field])), tmp_path / "p.parquet")
    with pytest.raises(ConfigError) as caught:
        pq.read_schema(tmp_path / "p.parquet")
    assert "99999" not in str(caught.value)


def test_one_link_column_is_found_and_two_are_not() -> None:
    one = pa.schema([LINK.field("p"), Domain.parse(OTHERS[0]).field("q"), pa.field("n", pa.int64())])
    assert pseudonym.link_column(one) == "p"
    for wrong in (pa.schema([LINK.field("p"), LINK.field("q")]), pa.schema([pa.field("p", pa.binary(32))])):
        with pytest.raises(ConfigError, match="link columns"):
            pseudonym.link_column(wrong)


def test_an_epoch_that_is_a_date_can_be_told_in_an_error() -> None:
    dated = Domain("v1", "demo", "link", "20260101")
    assert dated.told == "v1/demo/link/+"
    with pytest.raises(ConfigError, match="wrong_domain"):
        pseudonym.require_same([LINK, dated])


def test_the_plain_bytes_come_out_by_one_door() -> None:
    column = table(LINK)["p"]
    assert pseudonym.storage(column).type == pa.binary(32)
    assert pseudonym.storage(column.chunk(0)).to_pylist() == column.to_pylist()
    plain = pa.array([b"x"])
    assert pseudonym.storage(plain) is plain
