"""The HMAC of protocol v1: published answers, and properties of the encoding."""

from __future__ import annotations

import copy
import hashlib
import hmac
import itertools
import json
import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymize import prf
from pseudonymize.columns import pseudonyms
from pseudonymize.secret import Secret
from schemas.errors import ConfigError

VECTORS = Path(__file__).parents[1] / "vectors"
PROTOCOL = json.loads((VECTORS / "protocol_v1.json").read_text())
RFC4231 = json.loads((VECTORS / "rfc4231.json").read_text())["cases"]
KEY = Secret(bytes(range(32)))


def test_protocol_v1_gives_the_known_answers() -> None:
    keys = {name: Secret(bytes.fromhex(text)) for name, text in PROTOCOL["keys"].items()}
    project, epoch = PROTOCOL["project"], PROTOCOL["epoch"]
    stage = prf.pre(keys["pre"], project, PROTOCOL["pre_epoch"], PROTOCOL["identifier_type"])
    pre = stage.one(PROTOCOL["identifier"].encode())
    link = prf.link(keys["link"], project, epoch).one(pre)
    recipient = prf.recipient(keys["recipient"], project, PROTOCOL["recipient"], epoch).one(link)
    assert pre.hex() == PROTOCOL["pre"]
    assert link.hex() == PROTOCOL["link"]
    assert recipient.hex() == PROTOCOL["recipient_pseudonym"]


def test_the_column_form_gives_the_known_answers_too() -> None:
    keys = {name: Secret(bytes.fromhex(text)) for name, text in PROTOCOL["keys"].items()}
    stage = prf.pre(keys["pre"], "demo", "run-1", "NL:BSN")
    column = pa.array([None, b"123456782", b"123456782"], pa.binary(9))
    pre = pseudonyms(stage, column)
    link = pseudonyms(prf.link(keys["link"], "demo", "epoch-1"), pre)
    assert [v and v.hex() for v in pre.to_pylist()] == [None, PROTOCOL["pre"], PROTOCOL["pre"]]
    assert [v and v.hex() for v in link.to_pylist()] == [None, PROTOCOL["link"], PROTOCOL["link"]]


@pytest.mark.parametrize("case", RFC4231, ids=lambda case: f"case {case['case']}")
def test_hmac_passes_rfc_4231(case: dict[str, str]) -> None:
    key, data, tag = (bytes.fromhex(case[name]) for name in ("key", "data", "tag"))
    assert prf.Prf(Secret(key)).raw(data)[: len(tag)] == tag


FIELDS = st.lists(st.binary(max_size=8), max_size=4)


@given(FIELDS, FIELDS)
def test_the_encoding_is_injective(one: list[bytes], other: list[bytes]) -> None:
    assert (prf.encode(*one) == prf.encode(*other)) == (one == other)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.binary(min_size=1, max_size=70))
def test_a_batch_equals_the_plain_definition(values: list[bytes], prefix: bytes) -> None:
    def plain(value: bytes) -> bytes:
        return hmac.digest(KEY.reveal(), prefix + len(value).to_bytes(4, "big") + value, hashlib.sha256)

    stage = prf.Prf(KEY, prefix)
    assert pseudonyms(stage, pa.array(values, pa.binary())).to_pylist() == [plain(v) for v in values]
    assert [stage.one(value) for value in values] == [plain(v) for v in values]


@given(st.lists(st.one_of(st.none(), st.text(max_size=10)), max_size=30), st.integers(0, 30), st.randoms())
@settings(deadline=None)
def test_order_and_chunks_do_not_change_a_pseudonym(values: list[str | None], cut: int, draw: object) -> None:
    stage = prf.record(KEY, "demo", "run-1", "injus.detentie_id")
    whole = pseudonyms(stage, pa.array(values, pa.string()), 16).to_pylist()
    parts = pa.chunked_array([pa.array(values[:cut], pa.string()), pa.array(values[cut:], pa.string())])
    assert pseudonyms(stage, parts, 16).to_pylist() == whole
    order = list(range(len(values)))
    draw.shuffle(order)  # type: ignore[attr-defined]
    shuffled = pseudonyms(stage, pa.array([values[i] for i in order], pa.string()), 16).to_pylist()
    assert shuffled == [whole[i] for i in order]


def test_every_part_of_a_domain_changes_the_pseudonym() -> None:
    value = bytes(32)
    stages = {
        "pre": prf.pre(KEY, "demo", "run-1", "NL:BSN"),
        "pre type": prf.pre(KEY, "demo", "run-1", "NL:BSN-SYN"),
        "pre project": prf.pre(KEY, "demo2", "run-1", "NL:BSN"),
        "pre epoch": prf.pre(KEY, "demo", "run-2", "NL:BSN"),
        "link": prf.link(KEY, "demo", "run-1"),
        "link epoch": prf.link(KEY, "demo", "run-2"),
        "recipient": prf.recipient(KEY, "demo", "gemeente", "run-1"),
        "recipient name": prf.recipient(KEY, "demo", "onderzoek", "run-1"),
        "recipient swapped": prf.recipient(KEY, "gemeente", "demo", "run-1"),
        "record": prf.record(KEY, "demo", "run-1", "injus.detentie_id"),
        "record column": prf.record(KEY, "demo", "run-1", "injus_tbs.tbs_id"),
        "other key": prf.link(Secret(bytes(32)), "demo", "run-1"),
    }
    made = {name: stage.one(value) for name, stage in stages.items()}
    assert all(made[a] != made[b] for a, b in itertools.combinations(made, 2))


@pytest.mark.parametrize("name", ["", "Demo", "a_b", "a/b", "x" * 65, "d\u00e9mo", "a\n"])
def test_labels_are_short_lower_case_names(name: str) -> None:
    with pytest.raises(ConfigError, match="bad_label"):
        prf.link(KEY, name, "run-1")
    with pytest.raises(ConfigError, match="bad_label"):
        prf.record(KEY, "demo", "run-1", name)


def test_a_key_cannot_be_shown_copied_or_pickled() -> None:
    assert KEY.reveal().hex() not in repr(KEY) + str(KEY)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(KEY)
    with pytest.raises(TypeError):
        hash(KEY)
    assert Secret(bytes(range(32))) == KEY
    assert Secret(bytes(32)) != KEY
    assert bytes(range(32)) != KEY


def test_the_check_tag_tells_keys_apart_and_holds_the_kind() -> None:
    tag = prf.check_tag(KEY, "link", "demo", "run-1", "converter")
    assert len(tag) == 16
    assert tag == prf.check_tag(KEY, "link", "demo", "run-1", "converter")
    assert tag != prf.check_tag(KEY, "pre", "demo", "run-1", "converter")
    assert tag != prf.check_tag(Secret(bytes(32)), "link", "demo", "run-1", "converter")


TAGGED = ("link", "demo", "run-1", "converter")


def test_the_check_tag_is_a_value_of_the_function_under_a_label_of_its_own() -> None:
    """By the plain definition: eight bytes of the HMAC over label, kind, project, epoch and owner, length-prefixed."""
    fields = [b"ttp/check/v1", *(text.encode() for text in TAGGED)]
    message = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    assert prf.check_tag(KEY, *TAGGED) == hmac.digest(KEY.reveal(), message, "sha256")[:8].hex()


@pytest.mark.parametrize("place", range(len(TAGGED)))
def test_every_part_of_what_a_key_is_for_changes_its_check_tag(place: int) -> None:
    other = [*TAGGED[:place], "other", *TAGGED[place + 1 :]]
    assert prf.check_tag(KEY, *other) != prf.check_tag(KEY, *TAGGED)


def test_a_record_key_is_a_value_of_the_function_under_a_label_of_its_own() -> None:
    """By the plain definition: the HMAC over label, project, epoch, register.column and the value, length-prefixed."""
    fields = [b"ttp/record/v1", b"demo", b"run-1", b"injus.detentie_id", b"D1"]
    message = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    made = prf.record(KEY, "demo", "run-1", "injus.detentie_id").one(b"D1")
    assert made == hmac.digest(KEY.reveal(), message, "sha256")


def test_a_refused_label_has_the_code_that_has_advice() -> None:
    for refused in (lambda: prf.link(KEY, "A", "run-1"), lambda: prf.record(KEY, "demo", "run-1", "A")):
        with pytest.raises(ConfigError) as told:
            refused()
        assert told.value.code == "bad_label"
