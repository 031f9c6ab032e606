"""The search for patterns: every offset, every pattern, the same answer compiled or not."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudonymize import fast, needles_kernel, needles_match
from pseudonymize.needles import Sign
from pseudonymize.needles_match import Matcher

PATTERNS = st.lists(st.binary(min_size=4, max_size=20), min_size=1, max_size=30, unique=True)


def matcher(patterns: list[bytes]) -> Matcher:
    return Matcher({pattern: Sign("number", f"form {place}") for place, pattern in enumerate(patterns)})


def plainly(patterns: list[bytes], data: bytes) -> set[str]:
    """What a reader would do: look for each pattern by itself."""
    return {f"form {place}" for place, pattern in enumerate(patterns) if pattern in data}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The compiled pass from the first byte on."""
    monkeypatch.setattr(needles_match, "WORTH", 0)
    yield


@given(PATTERNS, st.binary(max_size=300), st.data())
@pytest.mark.parametrize("worth", [0, 1 << 40], ids=["compiled", "reference"])
def test_every_pattern_is_found_wherever_it_stands(
    worth: int, patterns: list[bytes], noise: bytes, data: st.DataObject
) -> None:
    planted = data.draw(st.lists(st.sampled_from(patterns), max_size=3))
    text = noise + b"".join(planted) + noise[: data.draw(st.integers(0, 9))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(needles_match, "WORTH", worth)
        assert {sign.form for sign in matcher(patterns).find(text)} == plainly(patterns, text)


@given(st.binary(min_size=4, max_size=2000), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_the_compiled_pass_finds_the_places_that_the_reference_finds(data: bytes, seed: int, share: float) -> None:
    table = np.packbits(np.random.default_rng(seed).random(1 << needles_match._BITS) < share, bitorder="little")
    found = needles_match._compiled(needles_kernel, np.frombuffer(data, np.uint8), table)
    assert found.tolist() == needles_match.places(np.frombuffer(data, np.uint8), table).tolist()


def test_room_for_hits_grows_until_all_fit() -> None:
    table = np.full(1 << needles_match._BITS - 3, 255, np.uint8)  # everything hits
    data = np.zeros(50_000, np.uint8)
    assert needles_match._compiled(needles_kernel, data, table).tolist() == list(range(49_997))


def test_a_compiled_pass_that_differs_is_not_used(compiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def hits(*_: Any) -> int:
        return 0

    monkeypatch.setattr(fast, "compiled", lambda _: types.SimpleNamespace(hits=hits))
    found = matcher([b"needle"])
    assert found.find(b"a needle in the first piece")
    assert found.find(b"and a needle in the second")


def test_switched_off_or_not_installed_the_reference_does_the_work(
    compiled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOPPEL_FAST", "off")
    assert fast.compiled("needles_kernel") is None
    assert matcher([b"needle"]).find(b"a needle")
    monkeypatch.delenv("KOPPEL_FAST")
    assert fast.compiled("no_such_module") is None
