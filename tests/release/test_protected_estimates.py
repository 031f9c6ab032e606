"""Estimates that leave: rounded outward, and never a small count in disguise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release.protect.estimates import Estimate, outward, refused

from schemas.errors import DisclosureRefused

AMOUNT = st.floats(0, 5000, allow_nan=False)


@given(st.tuples(AMOUNT, AMOUNT, AMOUNT).map(sorted))
def test_the_shown_interval_holds_the_models(three: list[float]) -> None:
    low, point, high = three
    shown = outward(point, low, high)
    assert shown.low <= low and shown.high >= high
    assert shown.low >= low - 5 and shown.high <= high + 5 and abs(shown.point - point) <= 5


@pytest.mark.parametrize("values", [(11, 5, 20), (10, 15, 20), (-5, -5, 0), (10, 5, 18)])
def test_an_estimate_holds_multiples_of_five_in_order(values: tuple[int, int, int]) -> None:
    with pytest.raises(DisclosureRefused, match="unrounded_estimate"):
        Estimate(*values)


@pytest.mark.parametrize("values", [(float("nan"), 1, 2), (3, 4, 5), (3, 1, float("inf"))])
def test_what_is_no_interval_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(DisclosureRefused, match="unrounded_estimate"):
        outward(*values)


def test_a_small_count_that_hardly_shrinks_is_refused() -> None:
    counts, weight = np.array([8.0, 8, 80, 0]), np.array([0.95, 0.4, 0.99, 0.99])
    assert refused(counts, weight).tolist() == [True, False, False, False]
    with pytest.raises(DisclosureRefused, match="unrounded_estimate"):
        refused(counts, weight + 1)
