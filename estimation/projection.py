"""The next four half-years, and the same method tried on the last four.

Leavers per half-year times the cumulative incidence of use is, in this model, the half-year level b_t times the area
rate. Log b_t is a random walk plus noise around its recent mean; its step size is estimated from the levels and never
taken below that of counting alone. What the trend by size has added to a rate by now, stays. Each municipality also
goes its own way: one gamma factor per area for the period ahead, whose spread is learned from how two years of an area
differed from what its rate foretold. A prediction is a Poisson draw given a drawn level, area rate and factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, logsumexp

from estimation import course, trend, use
from estimation.arrays import Floats, Ints, Rng
from estimation.use import Common, Counted, Use

AHEAD, RECENT = course.BLOCK, 4
CVS: Floats = np.linspace(0.01, 0.8, 80)
LEAST_STEP = 0.03  # log points per half-year: policy changes happen even where ten half-years show none


@dataclass(frozen=True)
class Prediction:
    """Predictive draws (R x M x AHEAD)."""

    draws: Floats


@dataclass(frozen=True)
class Tried(Prediction):
    """A back-test: also what was counted (M x AHEAD), and 1 where it could be counted."""

    counted: Ints
    informs: Floats


def ahead(rng: Rng, found: Use, data: Counted) -> Prediction:
    """Use in the four half-years after the period."""
    level = walk(rng, found.levels, AHEAD)
    rates = found.rates * gain(found) * own_way(rng, found, data)
    return Prediction(scatter(rng, rates[:, :, None] * level[:, None, :], found.dispersion))


def gain(found: Use) -> Floats:
    """What the trend has added to the rate of each area (R x M) by the recent half-years, whose level goes on too."""
    recent = trend.times(found.levels.shape[1])[-RECENT:].mean()
    return np.asarray(np.exp(found.gained * recent), np.float64)


def own_way(rng: Rng, found: Use, data: Counted) -> Floats:
    """Factor of each area in the period ahead (R x M), mean 1.

    Counts of an area in blocks of four half-years are negative binomial around rate x levels x chance to be seen; the
    spread (cv) of the factor is drawn from its posterior on a grid, prior half-normal(0.3).
    """
    inform = data.informs.astype(np.float64)
    tilt = np.exp(found.gained.mean(axis=0)[:, None] * trend.times(data.y.shape[1]))
    expected = found.rates.mean(axis=0)[:, None] * tilt * found.levels.mean(axis=0) * found.seen * inform
    member = course.blocks(data.y.shape[1])
    e, y = (expected @ member).ravel(), ((data.y * inform) @ member).ravel()
    e, y = e[e > 0], y[e > 0]
    shape = (1 / CVS**2)[:, None]
    terms = gammaln(y + shape) - gammaln(shape) - shape * np.log1p(e / shape) - y * np.log(e + shape)
    logs = terms.sum(axis=1) - 0.5 * (CVS / 0.3) ** 2
    drawn = rng.choice(len(CVS), len(found.rates), p=np.exp(logs - logsumexp(logs)))
    k = (1 / CVS[drawn] ** 2)[:, None]
    return np.asarray(rng.gamma(k, size=found.rates.shape) / k, np.float64)


def backtest(rng: Rng, data: Counted, common: Common, follow: Floats) -> Tried | None:
    """Fit on all but the last four half-years and predict what was then counted; None when too little is left.

    Compared are counts, not estimates: what the register showed, with the delivery it had and its own follow-up.
    """
    halves = data.y.shape[1]
    if halves < 2 * AHEAD:
        return None
    early = np.arange(halves) < halves - AHEAD
    past = replace(data, y=data.y[:, early], informs=data.informs[:, early], delivery=data.delivery[:, early])
    known = None if data.leavers is None else data.leavers[:, early]
    past = replace(past, hints=data.hints and data.hints.first(halves - AHEAD), leavers=known)
    if int(past.y[past.informs].sum()) < 3:
        return None
    part = Common(
        common.known[:, early],
        common.missing_ends[:, early],
        common.sensitivity,
        common.precision,
        common.moves[:, early],
        common.placed,
    )
    fitted = use.draw(rng, past, part, np.ones((len(follow), int(early.sum()))))
    level = walk(rng, fitted.levels, AHEAD)
    seen = (common.known * follow)[:, ~early] * common.sensitivity[:, None]
    rates = fitted.rates * gain(fitted) * own_way(rng, fitted, past)
    draws = scatter(rng, rates[:, :, None] * (level * seen)[:, None, :], fitted.dispersion)
    return Tried(draws, data.y[:, ~early], data.informs[:, ~early].astype(np.float64))


def walk(rng: Rng, levels: Floats, steps: int) -> Floats:
    """Continue log levels (R x T) by `steps`: mean of the recent ones plus a random walk (R x steps)."""
    logs = np.log(np.maximum(levels, 1e-9))
    count, halves = logs.shape
    change = np.diff(logs.mean(axis=0))
    freedom = max(len(change), 1)
    scale = np.sqrt(((change**2).sum() + LEAST_STEP**2) / (freedom + 1) / 2)  # half of a change is noise of the level
    size = np.maximum(scale * np.sqrt(freedom / rng.chisquare(freedom, size=count)), LEAST_STEP)[:, None]
    start = logs[:, -min(RECENT, halves) :].mean(axis=1)[:, None]
    noise = rng.standard_normal((count, steps)) * size
    return np.asarray(np.exp(start + np.cumsum(rng.standard_normal((count, steps)) * size, axis=1) + noise), np.float64)


def scatter(rng: Rng, expected: Floats, dispersion: float) -> Floats:
    """Whole numbers around expected values, with the dispersion of the fit."""
    return use.scatter(rng, expected, dispersion)
