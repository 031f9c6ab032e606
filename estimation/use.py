"""Use of Wmo support per municipality and half-year: what is counted plus a modelled estimate of what is not.

For group g and window h, cell (i, t):   y_it ~ Poisson(lam_i b_t s_it)  with s_it the chance that use is seen there,
and, independent of y given lam and b, unseen use ~ Poisson(lam_i b_t (1 - s_it)). lam_i is Poisson-gamma
(estimation/smallarea.py) with covariates; b_t is the national half-year level. The estimate of a cell is the counted
part, thinned by link precision, plus a draw of the unseen part after raking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from estimation import corrections, course, found, full_bayes, leavers, smallarea
from estimation.arrays import Bools, Floats, Ints, Rng
from estimation.corrections import ONE_PERCENT, Sample
from estimation.raking import Margin, rake
from estimation.smallarea import Fit
from estimation.tables import Linked
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

    `elsewhere` (K x 3): those of y who have support at home from another municipality: counted in, half-year, where.
    `leavers` (M x T): title ends that a detention placed, whatever followed; None: nothing is known of them.
    """

    y: Ints
    informs: Bools
    delivery: Ints
    x: Floats
    fixed: int
    district: Ints
    elsewhere: Ints = field(default_factory=lambda: np.zeros((0, 3), np.int64))
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
    return Counted(y, informs, delivery, x, fixed, linked.places.district, elsewhere, leaving)


def estimate(rng: Rng, linked: Linked, group: str, months: int, common: Common, *, full: bool = False) -> Use | None:
    """Fit, correct, rake and draw one measure; None when nothing informs a model (fewer than three users counted)."""
    data = counted(linked, group, months)
    if int(data.y[data.informs].sum()) < 3:
        return None
    share = corrections.followed(rng, linked, linked.units.use[group, months], MAANDEN[months], len(common.sensitivity))
    return draw(rng, data, common, share, full=full)


def draw(rng: Rng, data: Counted, common: Common, follow: Floats, *, full: bool = False) -> Use:
    """The model itself, on counts alone: everything the simulations of the test suite need. `full`: full Bayes."""
    time = common.known * common.moves * follow * common.sensitivity[:, None]  # R x T, chance seen where delivered
    inform = data.informs.astype(np.float64)
    leaving = _leaving(rng, data, len(time))
    part = leaving.mean(axis=0)
    fitted, levels, exposure = _fit(data, time.mean(axis=0), part)
    foretold, freedom = _foretold(data, (fitted, part), levels, time.mean(axis=0))
    dispersion = _dispersion(data, foretold, freedom)
    y = (data.y * inform).sum(axis=1)
    means, shapes = fitted.draw(rng, data.x, len(time))
    worth = None
    if full:
        posterior = full_bayes.sample(rng, y, exposure, data.x, data.fixed, count=len(time))
        worth = posterior.worth
        means, shapes = posterior.draw(data.x) if posterior.believed else (means, shapes)
    a, b = smallarea.posterior(y, (time * levels) @ inform.T, means * leaving, shapes[:, None], dispersion)
    rates = rng.gamma(a) / b
    total = (data.y * inform).sum(axis=0) + 0.5
    level = rng.gamma(total, size=time.shape) / np.maximum((rates @ inform) * time, 1e-9)
    level = np.where(inform.any(axis=0), level, levels)
    visible = _visible(rng, data, rates, level * time)
    seen = np.clip(time[:, None, :] * visible, 0.0, 1.0)
    expected = rates[:, :, None] * level[:, None, :] * (1 - seen)
    expected = _benchmark(rng, data, expected, rates[:, :, None] * level[:, None, :] * seen)
    own = course.variance(data.y, data.informs, foretold)
    if own > 0.0:
        mean = rates[:, :, None] * level[:, None, :] * seen
        expected = expected * course.factor(rng, data.y, data.informs, mean, own)
    unseen = _unseen(rng, expected, (rates.sum(axis=1)[:, None] * level, common))
    kept = found.found(rng, data.y, data.elsewhere, rates, (common.precision, common.placed))
    return Use(kept + unseen, rates, level, seen.mean(axis=0), fitted, dispersion, exposure, part, worth)


def _leaving(rng: Rng, data: Counted, count: int) -> Floats:
    """Leavers over foretold ones (R x M)."""
    if data.leavers is None:
        return np.ones((count, len(data.y)))
    silent = np.asarray(~data.informs.any(axis=1), np.bool_)
    return leavers.relative(rng, data.leavers.sum(axis=1), (data.x, data.fixed), silent, count)


def _fit(data: Counted, time: Floats, part: Floats) -> tuple[Fit, Floats, Floats]:
    """Alternate between half-year levels and area rates; (fit, levels T with mean 1 over seen cells, exposure M)."""
    inform = data.informs.astype(np.float64)
    y = data.y * inform
    levels = np.ones(y.shape[1])
    for _ in range(SWEEPS):
        exposure = inform @ (levels * time) * part
        fitted = smallarea.fit(y.sum(axis=1), exposure, data.x, data.fixed)
        a, b = smallarea.posterior(y.sum(axis=1), exposure, fitted.mean(data.x), fitted.shape)
        expected = ((part * a / b) @ inform) * time
        levels = np.where(expected > 0, (y.sum(axis=0) + 0.5) / np.maximum(expected, 1e-9), 1.0)
    return fitted, levels, inform @ (levels * time) * part


def _foretold(data: Counted, model: tuple[Fit, Floats], levels: Floats, time: Floats) -> tuple[Floats, int]:
    """(mean count of every cell by area rate and level M x T, degrees of freedom of the cells that inform)."""
    fitted, part = model
    inform = data.informs.astype(np.float64)
    a, b = smallarea.posterior(
        (data.y * inform).sum(axis=1), inform @ (levels * time) * part, fitted.mean(data.x), fitted.shape
    )
    expected = (part * a / b)[:, None] * levels * time
    return expected, course.freedom(data.informs & (expected > 0))


def _dispersion(data: Counted, expected: Floats, freedom: int) -> float:
    """Pearson chi-square per degree of freedom of the cells; 1 unless it is clearly larger (two standard errors)."""
    if freedom < 30:
        return 1.0
    used = data.informs & (expected > 0)
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


def _visible(rng: Rng, data: Counted, rates: Floats, level: Floats) -> Floats:
    """Share of use that is still seen where the municipality itself delivered in part or nothing (R x M x T).

    Another municipality (the centrumgemeente) may have delivered it. Learned from the cells of each class: counted
    over expected, a gamma ratio; contract rounds are no evidence about delivery, their use is taken as seen.
    """
    visible = np.ones((len(rates), *data.y.shape))
    for kind in (0, 1):
        cells = data.delivery == kind
        if not cells.any():
            continue
        expected = np.einsum("rm,rt,mt->r", rates, level, cells.astype(np.float64), optimize=True)
        ratio = rng.gamma(float(data.y[cells].sum()) + 0.5, size=len(rates)) / (expected + 0.5)
        visible[:, cells] = np.minimum(ratio, 1.0)[:, None]
    return visible


def _benchmark(rng: Rng, data: Counted, unseen: Floats, seen: Floats) -> Floats:
    """Rake the expected unseen use to direct totals: per 3RO district, and per half-year for the country.

    The direct total of an area is its counted use times unseen/seen of the model; counted use carries its own Poisson
    uncertainty (gamma), so the totals differ per draw. Areas where little is seen keep what the model gives them.
    Factors belong to district x half-year, so the sums of those are raked and the cells follow: the same solution.
    """
    draws, _, halves = unseen.shape
    districts = int(data.district.max()) + 1
    member = (data.district[:, None] == np.arange(districts)).astype(np.float64)
    open_, model = (np.einsum("rmt,md->rdt", table, member, optimize=True) for table in (unseen, seen))
    y = member.T @ data.y
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
