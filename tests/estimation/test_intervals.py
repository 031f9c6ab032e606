"""Intervals of whole numbers: on a lattice they cover what they say, where quantiles cover more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from estimation.arrays import Floats
from estimation.intervals import around, interval


def exact(mean: float, level: float) -> float:
    """Coverage of the interval of a Poisson law, by its own probabilities: draws in exact proportion."""
    values = np.arange(200)
    many = np.diff(np.round(stats.poisson.cdf(np.append(-1, values), mean) * 100_000)).astype(int)
    (low,), (high,) = interval(np.repeat(values, many)[None].astype(np.float64), level)
    return float(stats.poisson.cdf(high, mean) - stats.poisson.cdf(low - 1, mean))


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_over_many_counts_they_cover_what_they_say_and_quantiles_do_not(level: float) -> None:
    """Unseen use has means of some persons: there the lattice is coarse."""
    means = np.linspace(2, 12, 201)
    covered = np.mean([exact(mean, level) for mean in means])
    low, high = stats.poisson.ppf((1 - level) / 2, means), stats.poisson.ppf((1 + level) / 2, means)
    quantiles = np.mean(stats.poisson.cdf(high, means) - stats.poisson.cdf(low - 1, means))
    assert covered == pytest.approx(level, abs=0.015)
    assert quantiles > level + 0.03


def test_small_counts_are_never_covered_less_than_asked() -> None:
    """Estimation asks for 87 percent in every class; a single mean may be at an edge of its lattice."""
    found = [exact(mean, 0.9) for mean in np.linspace(0.01, 5, 500)]
    assert min(found) > 0.84 and np.mean(found) > 0.9


def test_a_wide_law_has_its_quantiles() -> None:
    draws = np.arange(1, 1001, dtype=np.float64)[None]
    assert [float(bound[0]) for bound in interval(draws, 0.9)] == [51, 950]


def test_a_law_of_one_value_is_that_value() -> None:
    assert [float(bound[0]) for bound in interval(np.full((1, 100), 7.0), 0.9)] == [7, 7]


@given(st.lists(st.integers(0, 6), min_size=20, max_size=200), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_a_value_is_inside_when_its_middle_is_between_the_tails(draws: list[int], level: float) -> None:
    """The definition, value by value; and no interval is empty."""
    ordered = np.sort(np.array(draws, np.float64))[None]
    (low,), (high,) = interval(ordered, level)
    assert low <= high
    for value in range(-1, 9):
        middle = (sum(d < value for d in draws) + sum(d <= value for d in draws)) / 2 / len(draws)
        if value in draws:
            assert (low <= value <= high) == ((1 - level) / 2 <= middle <= (1 + level) / 2)


def test_draws_of_any_shape() -> None:
    draws: Floats = np.random.default_rng(1).poisson(5, (500, 3, 4)).astype(np.float64)
    low, high = around(draws, 0.8)
    (one,), (other,) = interval(np.sort(draws[:, 2, 1])[None], 0.8)
    assert low.shape == high.shape == (3, 4)
    assert (low[2, 1], high[2, 1]) == (one, other)
