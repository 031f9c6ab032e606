"""One slope for size and time: found where large municipalities lose what small ones gain, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from estimation import trend
from estimation.arrays import Floats, streams
from estimation.trend import Trend

SIZE = np.linspace(-2, 2, 60)


def fitted(theta: float, rounds: int = 8, scale: float = 40.0, seed: int = 1) -> Trend:
    """A trend fitted to Poisson counts with this slope, rates and levels fitted beside it as the estimator does."""
    rng = np.random.default_rng(seed)
    planted = Trend(theta, 0.0, SIZE).factor(10) * rng.uniform(0.8, 1.2, 10)
    y = rng.poisson(scale * np.exp(SIZE)[:, None] * planted).astype(np.float64)
    found, levels = Trend.none(SIZE), np.ones(10)
    for _ in range(rounds):
        cells = found.factor(10) * levels
        expected = (y.sum(axis=1) / cells.sum(axis=1))[:, None] * cells
        ratio = y.sum(axis=0) / expected.sum(axis=0)
        levels, found = levels * ratio, found.better(y, expected * ratio)
    return found


def test_time_runs_from_minus_a_half_to_a_half() -> None:
    assert trend.times(5).tolist() == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert trend.times(1).tolist() == [0.0]


@pytest.mark.parametrize("theta", [-0.2, 0.0, 0.3])
def test_a_planted_slope_is_found_within_its_error(theta: float) -> None:
    found = fitted(theta)
    assert abs(found.theta - theta) < 3 * found.error
    assert 0 < found.error < 0.03


def test_the_error_is_the_spread_over_worlds() -> None:
    many = [fitted(0.1, seed=seed) for seed in range(60)]
    assert np.std([one.theta for one in many]) == pytest.approx(many[0].error, rel=0.3)
    assert np.mean([one.theta for one in many]) == pytest.approx(0.1, abs=0.01)


def test_three_rounds_are_enough() -> None:
    assert fitted(0.2, rounds=3).theta == pytest.approx(fitted(0.2, rounds=20).theta, abs=0.1 * fitted(0.2).error)


def test_without_counts_the_slope_is_that_of_the_prior() -> None:
    found = Trend.none(SIZE).better(np.zeros((60, 10)), np.zeros((60, 10)))
    assert (found.theta, found.error) == (0.0, pytest.approx(trend.PRIOR))


def test_all_of_one_size_have_no_slope() -> None:
    """What all do together is the level of the half-year."""
    y = np.outer(np.ones(20), np.arange(1.0, 11.0))
    flat = Trend.none(np.full(20, 1.5)).better(y, np.full((20, 10), 5.5))
    assert flat.theta == pytest.approx(0.0)
    assert flat.error == pytest.approx(trend.PRIOR)


def test_draws_are_the_slope_of_each_size_with_its_error() -> None:
    drawn: Floats = Trend(0.2, 0.05, np.array([-1.0, 0.0, 2.0])).draw(streams(1), 4000)
    assert drawn.mean(axis=0) == pytest.approx([-0.2, 0.0, 0.4], abs=0.01)
    assert drawn.std(axis=0) == pytest.approx([0.05, 0.0, 0.1], abs=0.005)
