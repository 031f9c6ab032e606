"""The machinery of the simulation study: its verdicts on cells whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench import verdicts

COUNTRIES, EACH = 120, 40
COUNTRY = np.repeat(np.arange(COUNTRIES), EACH)
LARGE = verdicts.Stratum("gemeente", ">= 20", 20.0, np.inf, True, 2.0)
SMALL = verdicts.Stratum("gemeente", "< 1", 0.0, 1.0, False, 1.1)


def shared(strength: float, seed: int = 1) -> np.ndarray:
    """Uniform values whose country has a common part: what cells look like that share corrections."""
    from scipy.special import ndtr

    rng = np.random.default_rng(seed)
    own, common = rng.standard_normal(COUNTRIES * EACH), rng.standard_normal(COUNTRIES)[COUNTRY]
    return np.asarray(ndtr(np.sqrt(1 - strength) * own + np.sqrt(strength) * common))


def test_the_error_of_a_mean_is_that_of_countries_not_of_cells() -> None:
    values = np.random.default_rng(0).standard_normal(COUNTRIES)[COUNTRY]  # one number per country
    found, error = verdicts.mean(values, COUNTRY)
    assert found == pytest.approx(values.mean())
    assert error == pytest.approx(values[::EACH].std(ddof=1) / np.sqrt(COUNTRIES), rel=1e-6)


def test_one_country_has_no_error() -> None:
    assert np.isnan(verdicts.mean(np.ones(4), np.zeros(4, np.int64))[1])


def test_uniform_values_pass_also_when_the_cells_of_a_country_hang_together() -> None:
    """40 worlds with strongly dependent cells: rejected at 5 percent about as often as that, not nearly always."""
    refused = [verdicts.uniform(shared(0.3, seed), COUNTRY) < 0.05 for seed in range(40)]
    assert sum(refused) <= 7


def test_values_that_are_not_uniform_are_refused() -> None:
    assert verdicts.uniform(shared(0.1) ** 1.3, COUNTRY) < 1e-3


def test_the_distance_is_what_a_quantile_is_off_by_and_does_not_grow_with_the_countries() -> None:
    """The distribution of u**1.3 is u**(1/1.3): at most 0.09 off, however many cells there are; u itself is not."""
    grid = (np.arange(10_000) + 0.5) / 10_000
    levels = np.linspace(0, 1, 1001)
    known = np.abs(levels ** (1 / 1.3) - levels).max()
    for cells in (grid, np.tile(grid, 20)):
        country = np.arange(len(cells)) % COUNTRIES
        assert verdicts.distance(cells, country)[0] < 0.001
        assert verdicts.distance(cells**1.3, country)[0] == pytest.approx(known, abs=0.001)


def test_the_error_of_the_distance_knows_that_cells_of_a_country_hang_together() -> None:
    apart, together = (verdicts.distance(shared(strength), COUNTRY)[1] for strength in (0.0, 0.3))
    assert apart == pytest.approx(0.5 / np.sqrt(COUNTRIES * EACH), rel=0.3)
    assert together > 2 * apart


@pytest.mark.parametrize("cover", [0.86, 0.94])
def test_an_interval_that_covers_more_than_three_points_off_is_seen_where_one_tail_is_to_blame(cover: float) -> None:
    """All of the excess, or lack, of a 90 percent interval in its upper tail: the distribution is off by as much."""
    rng = np.random.default_rng(2)
    inside, below = rng.uniform(0.05, 0.95, int(100_000 * cover)), rng.uniform(0, 0.05, 5_000)
    above = rng.uniform(0.95, 1, 100_000 - len(inside) - len(below))
    pit = rng.permutation(np.concatenate([inside, below, above]))
    apart, error = verdicts.distance(pit, np.arange(len(pit)) % COUNTRIES)
    assert apart - 2 * error > verdicts.MOST_APART


def test_too_few_countries_say_nothing() -> None:
    few = COUNTRY < 10
    assert np.isnan(verdicts.uniform(shared(0.0)[few], COUNTRY[few]))
    assert verdicts.held(LARGE, (0.5, 0.01), [(9.0, 0.1)], 10) == (None, None)


def test_large_counts_must_not_cover_too_much_either() -> None:
    better = [(2.5, 0.1)]
    assert verdicts.held(LARGE, (0.90, 0.005), better, 200) == (True, True)
    assert verdicts.held(LARGE, (0.96, 0.005), better, 200) == (False, True)
    assert verdicts.held(SMALL, (0.96, 0.005), better, 200) == (True, True)
    assert verdicts.held(SMALL, (0.85, 0.005), [(1.0, 0.01)], 200) == (False, False)


def test_the_calibration_curve_of_uniform_values_is_the_diagonal() -> None:
    levels = np.array([0.2, 0.5, 0.9])
    assert verdicts.calibration(shared(0.0), levels) == pytest.approx(levels, abs=0.03)
