"""What is a usable identifier, and why the others are not."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymize import bsn, canary
from pseudonymize.columns import canonical_bsn, canonical_opaque, pseudonyms
from pseudonymize.identify import Rules, emptied, identifiers
from pseudonymize.prf import Prf
from pseudonymize.secret import Secret

LOW = "000000012"  # passes the 11-proef and lies below every number ever issued
MADE = "700000003"  # remainder 5: can never be a BSN
TEST = "999990019"  # RvIG test range


@pytest.mark.parametrize(
    ("text", "real", "synthetic"),
    [
        # usable forms
        (LOW, None, "BSN_NIET_SYNTHETISCH"),
        (LOW[1:], None, "BSN_NIET_SYNTHETISCH"),
        (f" {LOW}\t", None, "BSN_NIET_SYNTHETISCH"),
        (MADE, "BSN_SYNTHETISCH", None),
        (TEST, "BSN_TESTREEKS", None),
        # empty
        (None, "BSN_LEEG", "BSN_LEEG"),
        ("", "BSN_LEEG", "BSN_LEEG"),
        (" \t ", "BSN_LEEG", "BSN_LEEG"),
        # damaged
        ("7000000.0", "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        ("7,00E+08", "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        ("7000.00.009", "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        ("700 000 009", "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        ("\u00a0" + MADE, "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        (MADE + "\n", "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        ("-00000009", "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),
        ("\u0667" * 9, "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),  # Arabic digits: isdigit() says yes
        ("\u00b2" * 9, "BSN_NIET_NUMERIEK", "BSN_NIET_NUMERIEK"),  # superscript digits: isdigit() says yes
        ("7000000", "BSN_LENGTE", "BSN_LENGTE"),
        ("7000000030", "BSN_LENGTE", "BSN_LENGTE"),
        ("700000000", "BSN_ELFPROEF", "BSN_ELFPROEF"),
    ],
)
def test_each_form_is_usable_or_has_one_reason(text: str | None, real: str | None, synthetic: str | None) -> None:
    for reason, mode in ((real, False), (synthetic, True)):
        found, told = bsn.canonical(text, synthetic=mode)
        assert told == reason
        assert (found is None) == (reason is not None)
        column = canonical_bsn(pa.array([text], pa.string()), synthetic=mode)
        assert column.reasons.to_pylist() == [reason]
        assert column.values.to_pylist() == [None if found is None else found.digits]


@pytest.mark.parametrize("synthetic", [False, True])
def test_placeholders_that_pass_the_eleven_test_are_refused_in_every_mode(synthetic: bool) -> None:
    assert len(bsn.DENIED) == 11 + len(canary.numbers())
    assert {bsn.remainder(number) for number in bsn.DENIED - canary.numbers()} == {0}
    reasons = {bsn.canonical(number, synthetic=synthetic)[1] for number in bsn.DENIED}
    assert reasons == {"BSN_PLAATSHOUDER"}
    column = canonical_bsn(pa.array(sorted(bsn.DENIED)), synthetic=synthetic)
    assert set(column.reasons.to_pylist()) == {"BSN_PLAATSHOUDER"}


def test_the_test_range_holds_as_many_numbers_as_the_norm_says() -> None:
    column = canonical_bsn(pa.array([f"9999{n:05d}" for n in range(100_000)]), synthetic=False)
    reasons = column.reasons.value_counts().to_pylist()
    counted = {row["values"]: row["counts"] for row in reasons}
    passing = sum(bsn.remainder(number) == 0 for number in canary.numbers())  # the others leave remainder 5
    placeholders = counted["BSN_PLAATSHOUDER"] - (len(canary.numbers()) - passing)
    assert counted["BSN_TESTREEKS"] + placeholders == 9_091


def _texts(seed: int) -> list[str | None]:
    """Numbers and near-numbers; a failing test prints the seed, never a number."""
    draw = np.random.default_rng(seed)
    plain = [f"{n:0{draw.integers(7, 11)}d}" for n in draw.integers(0, 10**9, 60)]
    odd = [f"{' ' * draw.integers(0, 2)}{n}\t" for n in plain[:10]]
    return [
        *plain,
        *odd,
        *(f"9999{n:05d}" for n in draw.integers(0, 10**5, 20)),
        None,
        "",
        "x1",
        *sorted(bsn.DENIED),
    ]


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_vectorised_form_equals_the_scalar_one(seed: int, synthetic: bool) -> None:
    texts = _texts(seed)
    column = canonical_bsn(pa.array(texts, pa.string()), synthetic=synthetic)
    expected = [bsn.canonical(text, synthetic=synthetic) for text in texts]
    assert column.values.to_pylist() == [found and found.digits for found, _ in expected]
    assert column.reasons.to_pylist() == [reason for _, reason in expected]


@given(st.text(max_size=12), st.booleans())
def test_canonical_is_total_and_idempotent(text: str, synthetic: bool) -> None:
    found, reason = bsn.canonical(text, synthetic=synthetic)
    assert (found is None) != (reason is None)
    if found is not None:
        assert bsn.canonical(found.digits.decode(), synthetic=synthetic)[0] == found


@given(st.integers(0, 2**32), st.integers(1, 90))
@settings(max_examples=30, deadline=None)
def test_chunks_and_slices_do_not_change_the_outcome(seed: int, cut: int) -> None:
    whole = pa.array(_texts(seed), pa.string())
    chunked = pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])
    once, parts = canonical_bsn(whole, synthetic=True), canonical_bsn(chunked, synthetic=True)
    assert once.values.equals(parts.values)
    assert once.reasons.equals(parts.reasons)
    tail = canonical_bsn(whole.slice(cut), synthetic=True)
    assert tail.values.equals(once.values.slice(cut))


def test_an_empty_column_is_no_special_case() -> None:
    column = canonical_bsn(pa.chunked_array([], pa.string()), synthetic=True)
    assert len(column.values) == len(column.reasons) == 0


def test_a_number_shows_itself_masked_and_is_not_copied() -> None:
    found, _ = bsn.canonical(MADE, synthetic=True)
    assert found is not None
    assert MADE not in repr(found) + str(found) + f"{found}"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(found)


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        (" S0000001\t", b"S0000001", None),
        ("S 1", b"S 1", None),
        ("x" * 32, b"x" * 32, None),
        ("x" * 33, None, "SKN_LENGTE"),
        ("\u00e9123", None, "SKN_TEKENS"),
        ("S1\u00a0", None, "SKN_TEKENS"),
        ("S1\n", None, "SKN_TEKENS"),
        ("", None, "SKN_LEEG"),
        ("  ", None, "SKN_LEEG"),
        (None, None, "SKN_LEEG"),
    ],
)
def test_an_skn_is_opaque_ascii_of_at_most_32(text: str | None, value: bytes | None, reason: str | None) -> None:
    column = canonical_opaque(pa.array([text], pa.string()), "SKN")
    assert (column.values.to_pylist(), column.reasons.to_pylist()) == ([value], [reason])


BSN_ALONE = Rules(synthetic=True, types=frozenset({bsn.SYNTHETIC}))


@pytest.mark.parametrize(
    ("skn", "blank", "reasons"),
    [
        ([None, None], True, ["SKN_LEEG", "SKN_LEEG"]),
        ([None, "A1"], False, ["SKN_LEEG", "SKN_NIET_OVEREENGEKOMEN"]),
        (["", " "], False, ["SKN_LEEG", "SKN_LEEG"]),
    ],
)
def test_a_type_that_is_not_agreed_is_refused_where_it_was_delivered(
    skn: list[str | None], blank: bool, reasons: list[str]
) -> None:
    """A column that is empty as a whole is not looked at cell by cell, and tells the same."""
    table = pa.table({"bsn": [MADE, MADE], "skn": pa.array(skn, pa.string())})
    found = identifiers(BSN_ALONE, table)["skn"]
    assert (found.blank, found.reasons.to_pylist()) == (blank, reasons)
    assert found.values.null_count == 2
    assert emptied("skn", found).to_pylist() == [one.endswith("OVEREENGEKOMEN") for one in reasons]


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("rows", [0, 3])
def test_a_column_without_identifiers_has_no_pseudonyms(size: int, rows: int) -> None:
    made = pseudonyms(Prf(Secret(bytes(32))), pa.nulls(rows, pa.binary()), size)
    assert made.type == pa.binary(size)
    assert made.to_pylist() == [None] * rows
