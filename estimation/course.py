"""The own course of a municipality: how it departs from its rate and the country's level, for two years and for one.

    y_it ~ Poisson(lam_i g_ib h_ik b_t s_it),   g ~ Gamma(1/v_b, mean 1) per block of two years b,
                                                h ~ Gamma(1/v_k, mean 1) per year k

A tree of rates: what an area does over all years, over two of them, over one (docs/decisions, 129). Given what was
counted there, the product tells of what was not. Both variances come from their marginal likelihood (`spread`), the
rates, factors and levels from Gibbs sampling of conjugate gammas (`sample`). Sources: random effects in a Poisson-gamma
model, Clayton & Kaldor (1987); the sampler, Gelfand & Smith (1990) JASA 85, 398-409, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

from estimation.arrays import Bools, Floats, Rng

# float32: a draw has digits to spare, and in half the memory it takes two thirds of the time.
Singles = npt.NDArray[np.floating[Any]]
BLOCK, YEAR = 4, 2
SWEEPS = 3
SDS: Floats = np.array([0.01, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4])  # of a factor; prior half-normal(0.3)
STEP, STEPS = 0.04, 50  # log grid on which rates are summed out: +- 2 around where each area lies


def blocks(halves: int, length: int = BLOCK) -> Floats:
    """Which half-years make a block of `length` of them, counted from the last one (T x B)."""
    number = np.arange(halves)[::-1] // length
    return np.asarray(number[:, None] == np.arange(int(number.max()) + 1), np.float64)


def _within(halves: int) -> Floats:
    """Which years lie in which block (K x B)."""
    return np.asarray(blocks(halves, YEAR).T @ blocks(halves) > 0, np.float64)


def spread(rng: Rng, y: Floats, exposure: Floats, prior: tuple[Floats, float], count: int) -> Floats:
    """Draws (count x 2) of the variances of the factors per block and per year, from their posterior on a grid.

    `y` and `exposure` are M x T (0 where a cell does not inform), `prior` the mean of the rate per area and its shape.
    Given a rate and a block factor the counts of a year are negative binomial; both are summed out on a log grid, up
    the tree: years make a block, blocks an area. Half-normal(0.3) priors on the standard deviations.
    """
    member, within = blocks(y.shape[1], YEAR), _within(y.shape[1])
    counts, e = y @ member, exposure @ member
    some = e.sum(axis=1) > 0
    counts, e, means, shape = counts[some], e[some], prior[0][some], prior[1]
    centre = np.log((counts.sum(axis=1) + shape) / (e.sum(axis=1) + shape / means))
    grid = STEP * np.arange(-STEPS, STEPS + 1)
    rate = np.exp(centre[:, None] + grid)
    before = shape * (np.log(rate / means[:, None]) - rate / means[:, None])
    before -= logsumexp(before, axis=1)[:, None]
    logs = np.zeros((len(SDS), len(SDS)))
    for j, year in enumerate(SDS):
        leaf = np.einsum("mkx,kb->mbx", _leaves(counts, e, rate, year), within)
        top = leaf.max(axis=2, keepdims=True)
        likely = np.exp(leaf - top)
        for i, block in enumerate(SDS):
            inside = np.log(np.maximum(likely @ _kernel(block), 1e-300)) + top
            logs[i, j] = logsumexp(before + inside.sum(axis=1), axis=1).sum()
    prior_ = np.log(SDS * np.gradient(SDS)) - 0.5 * (SDS / 0.3) ** 2
    logs += prior_[:, None] + prior_
    drawn = rng.choice(logs.size, count, p=np.exp(logs - logsumexp(logs)).ravel())
    return np.column_stack([SDS[drawn // len(SDS)], SDS[drawn % len(SDS)]]) ** 2


def _leaves(counts: Floats, e: Floats, rate: Floats, sd: float) -> Floats:
    """Log chance of the counts of a year at each rate (M x K x X): negative binomial."""
    shape = 1 / sd**2
    y, mean = counts[:, :, None], rate[:, None, :] * e[:, :, None]
    made = gammaln(y + shape) - gammaln(shape) - (y + shape) * np.log1p(mean / shape)
    return np.asarray(made + y * np.log(np.maximum(mean, 1e-300) / shape) * (y > 0), np.float64)


def _kernel(sd: float) -> Floats:
    """Chance to go from the rate of an area to that of a block, on the grid: (to X) x (from X), columns add up to 1."""
    steps = STEP * np.arange(-2 * STEPS, 2 * STEPS + 1)
    law = np.exp((steps - np.exp(steps) + 1) / sd**2)  # log gamma with mean 1 and variance sd^2
    at = np.arange(2 * STEPS + 1)
    found = law[at[:, None] - at[None, :] + 2 * STEPS]
    return np.asarray(found / found.sum(axis=0), np.float64)


def _single(values: Floats) -> Singles:
    return np.asarray(values, np.float32)


def _gamma(rng: Rng, shape: Singles) -> Singles:
    return np.asarray(rng.standard_gamma(shape, dtype=np.float32), np.float32)


@dataclass(frozen=True)
class Known:
    """What `sample` is given."""

    y: Floats  # R x M x T, counts
    informs: Bools  # M x T
    time: Floats  # R x M x T, chance to be seen, times what else is known of a cell beforehand
    means: Floats  # R x M, prior of the rates
    shapes: Floats  # R
    spread: Floats  # R x 2, variances of the factors
    levels: Floats  # T, of the half-years, to begin with

    def sample(self, rng: Rng, sweeps: int = SWEEPS) -> tuple[Floats, Floats, Floats]:
        """Draws of area rates (R x M), half-year levels (R x T) and own factors (R x M x T) given the counts.

        Replicates are chains of their own. Each begins near where it should be: rates and block factors from their
        conditional law with counts weighed by how far the factors below them spread them.
        """
        years, within = _single(blocks(self.y.shape[2], YEAR)), _single(_within(self.y.shape[2]))
        of_block, of_year = within.argmax(axis=1), years.argmax(axis=1)
        counts, time = _single(self.y * self.informs), _single(self.time * self.informs)
        by_year, by_half, a = counts @ years, counts.sum(axis=1), _single(self.shapes[:, None])
        block, year = (_single(1 / self.spread[:, i, None, None]) for i in (0, 1))
        means, levels = _single(self.means), _single(self.levels)
        e = (time * levels) @ years
        rate = self._first(rng, by_year, e, within)
        g = _near(rng, by_year, rate[:, :, None] * e, within, (block, year))
        for _ in range(sweeps):
            h = _gamma(rng, year + by_year) / (year + rate[:, :, None] * g[:, :, of_block] * e)
            g = _gamma(rng, block + by_year @ within) / (block + rate[:, :, None] * ((h * e) @ within))
            own = g[:, :, of_block] * h
            rate = _gamma(rng, a + by_year.sum(axis=2)) / (a / means + (own * e).sum(axis=2))
            seen = np.einsum("rmt,rmt->rt", (rate[:, :, None] * own)[:, :, of_year], time)
            level = np.where(seen > 0, _gamma(rng, by_half + 0.5) / np.maximum(seen, 1e-9), levels)
            e = (time * level[:, None, :]) @ years
        return rate.astype(np.float64), level.astype(np.float64), own[:, :, of_year].astype(np.float64)

    def _first(self, rng: Rng, y: Singles, e: Singles, within: Singles) -> Singles:
        """Rates (R x M) with counts weighed by the spread of the factors, taken as if each had the mean of its area."""
        total, square, blocks_ = e.sum(axis=2), (e**2).sum(axis=2), ((e @ within) ** 2).sum(axis=2)
        guess = (self.shapes[:, None] + y.sum(axis=2)) / (self.shapes[:, None] / self.means + total)
        more = self.spread[:, :1] * blocks_ + self.spread[:, 1:] * square
        wide = 1 + guess * more / np.maximum(total, 1e-9)
        a, b = self.shapes[:, None] + y.sum(axis=2) / wide, self.shapes[:, None] / self.means + total / wide
        return np.asarray(rng.gamma(a) / b, np.float32)


def _near(rng: Rng, y: Singles, mean: Singles, within: Singles, shape: tuple[Singles, Singles]) -> Singles:
    """Block factors (R x M x B) with the counts of each year weighed by the spread of its own factor."""
    block, year = shape
    less = 1 / (1 + mean / year)
    return _gamma(rng, block + (y * less) @ within) / (block + (mean * less) @ within)
