"""The own course of municipalities: what of it is found, and what a count then tells of what was not counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import gamma, nbinom

from estimation import course
from estimation.arrays import Floats, streams

R = 4000


def world(block: float, year: float, size: float = 30.0, seed: int = 5) -> tuple[Floats, Floats]:
    """(counts, exposure) of 200 municipalities and ten half-years; variances of their factors as given."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(20, 1 / 20, (200, 1))
    two = rng.gamma(1 / block, block, (200, 3)) if block else np.ones((200, 3))
    one = rng.gamma(1 / year, year, (200, 5)) if year else np.ones((200, 5))
    mean = size * rate * (two @ course.blocks(10).T) * (one @ course.blocks(10, course.YEAR).T)
    return rng.poisson(mean).astype(np.float64), np.full(mean.shape, size)


def found(y: Floats, exposure: Floats) -> Floats:
    """Posterior means of the two variances."""
    return np.asarray(course.spread(streams(1), y, exposure, (np.ones(len(y)), 20.0), 500).mean(axis=0))


def test_blocks_of_two_years_and_years_are_counted_from_the_last_half_year() -> None:
    assert course.blocks(10).argmax(axis=1).tolist() == [2, 2, 1, 1, 1, 1, 0, 0, 0, 0]
    assert course.blocks(5, course.YEAR).argmax(axis=1).tolist() == [2, 1, 1, 0, 0]
    assert (course.blocks(7).sum(axis=1) == 1).all()


@pytest.mark.parametrize(("block", "year"), [(0.04, 0.0), (0.0, 0.04), (0.03, 0.03)])
def test_the_variance_of_either_factor_is_found_and_not_taken_for_the_other(block: float, year: float) -> None:
    assert found(*world(block, year)) == pytest.approx([block, year], abs=0.011)


def test_poisson_counts_have_no_course_of_their_own() -> None:
    """The prior keeps the standard deviations from exactly zero, no more: under 5 percent."""
    assert (np.sqrt(found(*world(0.0, 0.0))) < 0.05).all()


def test_what_cannot_be_known_stays_uncertain() -> None:
    """A hundredth of the size: counts say next to nothing, and the standard deviations are spread as in the prior."""
    shown = np.sqrt(course.spread(streams(1), *world(0.03, 0.03, size=0.3), (np.ones(200), 20.0), 4000))
    weight = course.SDS * np.gradient(course.SDS) * np.exp(-0.5 * (course.SDS / 0.3) ** 2)
    prior = float(np.sqrt(np.cov(course.SDS, aweights=weight, ddof=0)))
    assert (shown.std(axis=0) > 0.6 * prior).all()


def test_the_likelihood_on_the_grid_is_that_of_the_tree() -> None:
    """One municipality, one year: rate and block factor summed out on the grid, and by adaptive quadrature."""
    count, e, shape, sd = 12.0, 9.0, 5.0, 0.25
    centre = np.log((count + shape) / (e + shape))
    rate = np.exp(centre + course.STEP * np.arange(-course.STEPS, course.STEPS + 1))
    leaf = course._leaves(np.array([[count]]), np.array([[e]]), rate[None], 0.2)[0, 0]
    inside = np.log(np.exp(leaf) @ course._kernel(sd))
    prior = shape * (np.log(rate) - rate)
    grid = logsumexp(prior - logsumexp(prior) + inside)

    def given_rate(x: float) -> float:
        def each(z: float) -> float:
            mean, n = x * z * e, 1 / 0.2**2
            return float(nbinom.pmf(count, n, n / (n + mean)) * gamma.pdf(z, 1 / sd**2, scale=sd**2))

        return quad(each, 0.1, 3.0)[0]

    exact = quad(lambda x: given_rate(x) * gamma.pdf(x, shape, scale=1 / shape), 0.05, 6.0)[0]
    factorial = np.log(np.arange(1, count + 1)).sum()  # holds no parameter: the grid leaves it out
    assert grid - factorial == pytest.approx(np.log(exact), abs=0.01)


def drawn(y: list[float], exposure: float, block: float, year: float, sweeps: int = 8) -> tuple[Floats, Floats]:
    """(rates R x M, factors R x M x T) of municipalities whose rate is known to be 1, in two half-years of one year;
    the country's level is held by a thousand others."""
    others = np.full((1000, 2), exposure)
    counts = np.vstack([np.column_stack([y, y]), others])
    known = course.Known(
        np.broadcast_to(counts, (R // 4, *counts.shape)), np.ones(counts.shape, bool),
        np.full((R // 4, *counts.shape), exposure), np.ones((R // 4, len(counts))), np.full(R // 4, 1e6),
        np.tile([block, year], (R // 4, 1)), np.ones(2),
    )  # fmt: skip
    rates, _, own = known.sample(streams(3), sweeps)
    return rates[:, : len(y)], own[:, : len(y)]


def test_a_cell_with_more_than_foretold_has_more_unseen_too_as_far_as_cells_go_their_own_way() -> None:
    """A year factor with variance 1/20 and a count of 20 foretold: half of what a count is above it is its own."""
    _, own = drawn([15, 5], 10.0, 1e-6, 1 / 20)
    assert own[:, :, 0].mean(axis=0) == pytest.approx([50 / 40, 30 / 40], rel=0.02)
    assert own[:, :, 0].var(axis=0) == pytest.approx([50 / 1600, 30 / 1600], rel=0.15)
    assert (own[:, :, 0] == own[:, :, 1]).all(), "the same all year"


def test_two_factors_share_what_a_count_tells() -> None:
    """Both with variance 1/40: the product does what one of 1/20 would do, nearly."""
    _, own = drawn([15, 5], 10.0, 1 / 40, 1 / 40)
    assert own[:, :, 0].mean(axis=0) == pytest.approx([50 / 40, 30 / 40], rel=0.03)


def test_without_a_course_of_its_own_a_count_tells_nothing() -> None:
    _, own = drawn([15, 5], 10.0, 1e-8, 1e-8)
    assert own.mean(axis=0) == pytest.approx(1.0, abs=0.001)


def test_draws_start_near_their_law() -> None:
    """Three sweeps, as the estimator does, give the mean and spread that thirty give."""
    few, many = (drawn([30, 10], 10.0, 0.03, 0.03, sweeps)[1][:, :, 0] for sweeps in (course.SWEEPS, 30))
    assert few.mean(axis=0) == pytest.approx(many.mean(axis=0), rel=0.02)
    assert few.std(axis=0) == pytest.approx(many.std(axis=0), rel=0.1)


def test_cells_that_do_not_inform_follow_their_block_and_draw_their_year_from_the_prior() -> None:
    counts = np.zeros((R, 50, 4))
    counts[:, :, :2] = 40.0
    informs = np.tile([True, True, False, False], (50, 1))
    time = np.full((R // 10, 50, 4), 20.0)
    known = course.Known(
        counts[: R // 10], informs, time, np.ones((R // 10, 50)), np.full(R // 10, 1e6),
        np.tile([0.05, 0.02], (R // 10, 1)), np.full(4, 1.0),
    )  # fmt: skip
    _, level, own = known.sample(streams(4))
    assert (level[:, 2:] == 1.0).all(), "no level is learned where nothing informs"
    assert own[:, :, 2].var() > own[:, :, 0].var()
    assert np.corrcoef(own[:, 0, 0], own[:, 0, 2])[0, 1] > 0.2


@given(st.lists(st.integers(0, 60), min_size=6, max_size=6), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_factors_are_positive_and_rates_finite_whatever_was_counted(y: list[int], block: float, year: float) -> None:
    counts = np.array(y, np.float64).reshape(2, 3)
    known = course.Known(
        np.tile(counts, (20, 1, 1)), counts < 40, np.full((20, 2, 3), 5.0), np.ones((20, 2)), np.full(20, 3.0),
        np.tile([block, year], (20, 1)), np.ones(3),
    )  # fmt: skip
    for part in known.sample(streams(6)):
        assert np.isfinite(part).all()
        assert (part > 0).all()
