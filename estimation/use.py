"""Use of Wmo support per municipality and half-year: what is counted plus a modelled estimate of what is not.

For group g and window h, cell (i, t):   y_it ~ Poisson(m_it s_it)  with s_it the chance that use is seen there, and,
independent of y given m, unseen use ~ Poisson(m_it (1 - s_it)).   m_it = lam_i b_t f_it e^(theta z_i tau_t):  lam_i is
Poisson-gamma (estimation/smallarea.py) with covariates, b_t the national half-year level, f_it the own course
(estimation/course.py), theta the trend by size (estimation/trend.py). The estimate of a cell is the counted part,
thinned by link precision and in its right place, plus a draw of the unseen part after raking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimation import corrections, course, found, full_bayes, leavers, smallarea, trend
from estimation.arrays import Bools, Floats, Ints, Rng
from estimation.corrections import ONE_PERCENT, Sample
from estimation.found import Hints
from estimation.raking import Margin, rake
from estimation.smallarea import Fit
from estimation.tables import Linked
from estimation.trend import Trend
from schemas.estimates import MAANDEN

SWEEPS = 3


@dataclass(frozen=True)
class Common:
    """Draws that every measure of one run shares, so that windows and groups hang together."""

    known: Floats  # R x T, share of title ends that are known, provisional ends included
    missing_ends: Ints  # R x T
    sensitivity: Floats  # R
    precision: Floats  # R
    moves: Floats  # R x T, provisional ends
    placed: Floats  # R, chance that a counted person is counted in the right municipality

    @classmethod
    def draw(cls, rng: Rng, linked: Linked, sample: Sample, count: int) -> Common:
        """One draw of each correction per replicate."""
        known, missing = corrections.known_ends(rng, linked, sample, count)
        moves = corrections.provisional(rng, linked.units, len(linked.halves), sample, count)
        seen = corrections.sensitivity(rng, linked.units, sample, count)
        right, placed = (rng.beta(*sample.posterior(kind, ONE_PERCENT), size=count) for kind in ("precisie", "plaats"))
        return cls(known, missing, seen, right, moves, placed)


@dataclass(frozen=True)
class Counted:
    """One measure as counted: y (M x T), cells that inform the model, delivery class, covariates.

    `hints`: what Wmo data say of where those of y live; None: nothing.
    `leavers` (M x T): title ends that a detention placed, whatever followed; None: nothing is known of them.
    """

    y: Ints
    informs: Bools
    delivery: Ints
    x: Floats
    fixed: int
    district: Ints
    hints: Hints | None = None
    leavers: Ints | None = None


@dataclass(frozen=True)
class Use:
    """Draws of true use (R x M x T), the area rates (R x M), half-year levels (R x T), and how they came about."""

    draws: Floats
    rates: Floats
    levels: Floats
    seen: Floats  # M x T, mean chance that use is seen
    fit: Fit
    dispersion: float
    exposure: Floats  # M, as fitted: with the leavers
    leavers: Floats  # M, mean of leavers over foretold ones
    gained: Floats  # R x M, log rate gained over the period by its trend
    own: Floats  # R x 2, sd of the own course per two years and per year
    worth: float | None = None  # full Bayes: share of its proposals that its draws are worth; None: not asked


def covariates(linked: Linked) -> tuple[Floats, int]:
    """Design (M x P): intercept, log detention outflow and its square, centrumgemeente, then region effects.

    Detention outflow is what Injus knows of every municipality, delivered or not: the nearest thing to a size class.
    """
    flow = np.log1p(linked.outflow.sum(axis=1))
    scaled = (flow - flow.mean()) / max(float(flow.std()), 1e-9)
    fixed = np.column_stack([np.ones(len(flow)), scaled, scaled**2 - 1, linked.places.centre])
    return smallarea.design(fixed, linked.places.region)


def counted(linked: Linked, group: str, months: int) -> Counted:
    """Tabulate one measure; a person counts once per half-year, where the place is known."""
    units, shape = linked.units, (len(linked.places), len(linked.halves))
    mine = units.use[group, months] & (units.place >= 0)
    y = np.zeros(shape, np.int64)
    np.add.at(y, (units.place[mine], units.half[mine]), 1)
    delivery = corrections.delivery_class(linked, MAANDEN[months])
    informs = (delivery == 2) & ~corrections.artefact(linked)
    x, fixed = covariates(linked)
    apart = mine & (units.named >= 0) & (units.named != units.place)
    elsewhere = np.column_stack([units.place, units.half, units.named])[apart]
    leaving = np.zeros(shape, np.int64)
    placed = units.detention & (units.place >= 0)
    np.add.at(leaving, (units.place[placed], units.half[placed]), 1)
    sheltered = np.zeros(shape, np.int64)
    np.add.at(sheltered, (units.place[mine & units.sheltered], units.half[mine & units.sheltered]), 1)
    hints = Hints(elsewhere, sheltered, linked.places.region, linked.places.centre > 0)
    return Counted(y, informs, delivery, x, fixed, linked.places.district, hints, leaving)


def estimate(rng: Rng, linked: Linked, group: str, months: int, common: Common, *, full: bool = False) -> Use | None:
    """Fit, correct, rake and draw one measure; None when nothing informs a model (fewer than three users counted)."""
    data = counted(linked, group, months)
    if int(data.y[data.informs].sum()) < 3:
        return None
    share = corrections.followed(rng, linked, linked.units.use[group, months], MAANDEN[months], len(common.sensitivity))
    return draw(rng, data, common, share, full=full)


def draw(rng: Rng, data: Counted, common: Common, follow: Floats, *, full: bool = False) -> Use:
    """The model itself, on counts alone: everything the simulations of the test suite need. `full`: full Bayes.

    Who was counted where is settled first: what is not counted is modelled from counts in their right places.
    """
    time = common.known * common.moves * follow * common.sensitivity[:, None]  # R x T, chance seen where delivered
    leaving = _leaving(rng, data, len(time))
    part = leaving.mean(axis=0)
    raw = _fit(data, data.y.astype(np.float64), time.mean(axis=0), part)
    hints, right = data.hints or Hints.none(data.y), (common.precision, common.placed)
    kept = found.found(rng, data.y, hints, np.tile(raw.rates, (len(time), 1)), right)
    y = kept.mean(axis=0)
    fitted = _fit(data, y, time.mean(axis=0), part)
    means, shapes, worth = _priors(rng, data, (fitted, y), len(time), full=full)
    gained = fitted.trend.draw(rng, len(time))
    tilt = np.exp(gained[:, :, None] * trend.times(y.shape[1]))
    prior = (fitted.fit.mean(data.x) * part, fitted.fit.shape)
    own = course.spread(rng, y * data.informs, fitted.cells, prior, len(time))
    known = course.Known(kept, data.informs, time[:, None, :] * tilt, means * leaving, shapes, own, fitted.levels)
    rates, level, factor = known.sample(rng)
    use = rates[:, :, None] * level[:, None, :] * factor * tilt
    seen = np.clip(time[:, None, :] * _visible(rng, (data, y), use, time), 0.0, 1.0)
    expected = _benchmark(rng, (data, y), use * (1 - seen), use * seen)
    unseen = _unseen(rng, expected, (use.sum(axis=1), common))
    told = (seen.mean(axis=0), fitted.fit, _dispersion(data, raw), fitted.exposure, part, gained, np.sqrt(own), worth)
    return Use(kept + unseen, rates, level, *told)


def _priors(
    rng: Rng, data: Counted, fit: tuple[_Fitted, Floats], count: int, *, full: bool
) -> tuple[Floats, Floats, float | None]:
    """(prior means of the rates R x M, shapes R, worth of full Bayes), hyperparameters drawn."""
    fitted, y = fit
    means, shapes = fitted.fit.draw(rng, data.x, count)
    if not full:
        return means, shapes, None
    total = (y * data.informs).sum(axis=1)
    posterior = full_bayes.sample(rng, total, fitted.exposure, data.x, data.fixed, count=count)
    return *(posterior.draw(data.x) if posterior.believed else (means, shapes)), posterior.worth


def _leaving(rng: Rng, data: Counted, count: int) -> Floats:
    """Leavers over foretold ones (R x M)."""
    if data.leavers is None:
        return np.ones((count, len(data.y)))
    silent = np.asarray(~data.informs.any(axis=1), np.bool_)
    return leavers.relative(rng, data.leavers.sum(axis=1), (data.x, data.fixed), silent, count)


@dataclass(frozen=True)
class _Fitted:
    """Hyperparameters, half-year levels (T), trend by size, exposure (M), posterior mean of the rates (M), and what a
    rate is multiplied by in every cell that informs (M x T; else 0)."""

    fit: Fit
    levels: Floats
    trend: Trend
    exposure: Floats
    rates: Floats
    cells: Floats


def _fit(data: Counted, y: Floats, time: Floats, part: Floats) -> _Fitted:
    """Alternate between half-year levels (mean 1 over seen cells), area rates and the trend; `y` is M x T."""
    inform, halves = data.informs.astype(np.float64), y.shape[1]
    y = y * inform
    levels, tilt = np.ones(halves), Trend.none(data.x[:, 1] if data.fixed > 1 else np.zeros(len(y)))
    for _ in range(SWEEPS):
        cells = inform * tilt.factor(halves) * levels * time
        fitted = smallarea.fit(y.sum(axis=1), cells.sum(axis=1) * part, data.x, data.fixed)
        a, b = smallarea.posterior(y.sum(axis=1), cells.sum(axis=1) * part, fitted.mean(data.x), fitted.shape)
        rates = part * a / b
        expected = rates[:, None] * cells
        ratio = (y.sum(axis=0) + 0.5) / np.maximum(expected.sum(axis=0), 1e-9)
        levels = np.where(inform.any(axis=0), levels * ratio, 1.0)
        tilt = tilt.better(y, expected * ratio)
    cells = inform * tilt.factor(halves) * levels * time
    return _Fitted(fitted, levels, tilt, cells.sum(axis=1) * part, rates, cells)


def _dispersion(data: Counted, fitted: _Fitted) -> float:
    """Pearson chi-square per degree of freedom of the cells; 1 unless it is clearly larger (two standard errors)."""
    expected = fitted.rates[:, None] * fitted.cells
    used = data.informs & (expected > 0)
    freedom = int(used.sum()) - int(used.any(axis=1).sum()) - int(used.any(axis=0).sum())
    if freedom < 30:
        return 1.0
    square = float((((data.y - expected) ** 2)[used] / expected[used]).sum() / freedom)
    return square if square > 1 + 2 * np.sqrt(2 / freedom) else 1.0


def _unseen(rng: Rng, expected: Floats, of: tuple[Floats, Common]) -> Floats:
    """Whole numbers of unseen users (R x M x T): first the country's per half-year, then where they live.

    Users among the `missing_ends` persons are a share of so many, so binomial and not Poisson: the country would be
    too uncertain by a fifth. What else is unseen is Poisson. Given the total, places are multinomial (given Poisson
    cells that is no other law). `of`: total use (R x T).
    """
    use, common = of
    total = expected.sum(axis=1)
    among = np.minimum(use * (1 - common.known), total)
    people = common.missing_ends
    drawn = rng.binomial(people, np.clip(among / np.maximum(people, 1), 0.0, 1.0)) + rng.poisson(total - among)
    cells = np.maximum(np.moveaxis(expected, 1, 2), 1e-12)
    made = rng.multinomial(drawn, cells / cells.sum(axis=2, keepdims=True))
    return np.ascontiguousarray(np.moveaxis(made, 2, 1), np.float64)


def _visible(rng: Rng, counts: tuple[Counted, Floats], use: Floats, time: Floats) -> Floats:
    """Share of use that is still seen where the municipality itself delivered in part or nothing (R x M x T).

    Another municipality (the centrumgemeente) may have delivered it. Learned from the cells of each class: counted
    over expected, a gamma ratio; contract rounds are no evidence about delivery, their use is taken as seen.
    """
    data, y = counts
    visible = np.ones(use.shape)
    for kind in (0, 1):
        cells = data.delivery == kind
        if not cells.any():
            continue
        expected = np.einsum("rmt,rt,mt->r", use, time, cells.astype(np.float64), optimize=True)
        ratio = rng.gamma(float(y[cells].sum()) + 0.5, size=len(use)) / (expected + 0.5)
        visible[:, cells] = np.minimum(ratio, 1.0)[:, None]
    return visible


def _benchmark(rng: Rng, counts: tuple[Counted, Floats], unseen: Floats, seen: Floats) -> Floats:
    """Rake the expected unseen use to direct totals: per 3RO district, and per half-year for the country.

    The direct total of an area is its counted use times unseen/seen of the model; counted use carries its own Poisson
    uncertainty (gamma), so the totals differ per draw. Areas where little is seen keep what the model gives them.
    Factors belong to district x half-year, so the sums of those are raked and the cells follow: the same solution.
    """
    data, y = counts
    draws, _, halves = unseen.shape
    districts = int(data.district.max()) + 1
    member = (data.district[:, None] == np.arange(districts)).astype(np.float64)
    open_, model = (np.einsum("rmt,md->rdt", table, member, optimize=True) for table in (unseen, seen))
    y = member.T @ y
    margins = []
    for axis, label in ((2, np.repeat(np.arange(districts), halves)), (1, np.tile(np.arange(halves), districts))):
        m, o, n = model.sum(axis=axis), open_.sum(axis=axis), y.sum(axis=axis - 1).astype(np.float64)
        ratio = np.divide(rng.gamma(n + 0.5, size=m.shape), m, out=np.ones_like(m), where=m > 0)
        margins.append(Margin(label, o * ratio, (m > o / 3) & (n >= 10)))
    scale = margins[1].totals.sum(axis=1) / np.maximum(margins[0].totals.sum(axis=1), 1e-12)
    margins[0] = Margin(margins[0].group, margins[0].totals * scale[:, None], margins[0].bound)
    raked = rake(open_.reshape(draws, -1), margins).reshape(open_.shape)
    factor = np.divide(raked, open_, out=np.ones_like(raked), where=open_ > 0)
    return np.asarray(unseen * factor[:, data.district, :], np.float64)


def scatter(rng: Rng, expected: Floats, dispersion: float) -> Floats:
    """Whole numbers around expected values: Poisson, or negative binomial with variance dispersion x mean."""
    if dispersion > 1.0:
        spread = dispersion - 1.0
        expected = rng.gamma(np.maximum(expected, 1e-12) / spread) * spread
    return rng.poisson(expected).astype(np.float64)
