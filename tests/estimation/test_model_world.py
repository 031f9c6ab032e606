"""A world drawn from the model's own assumptions, with planted misses and non-delivery: do intervals hold there?

Cheap (no registers, no linkage), so it runs with every test. The whole pipeline is `make bench-estimate`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from estimation import projection, use
from estimation.arrays import Bools, Floats, Ints, streams
from estimation.use import Common, Counted, Use
from tests.estimation import scoring

M, T, R = 150, 8, 300


def world(
    seed: int, size: float = 1.0, *, own: float = 0.0, slope: float = 0.0
) -> tuple[Counted, Common, Floats, Ints]:
    """(what is counted, corrections as the estimator may know them, follow-up, planted true use M x T).

    `own`: variance of a factor of every municipality and year; `slope`: what large ones gain over the period.
    """
    rng = np.random.default_rng(seed)
    region, district = rng.integers(0, 12, M), rng.integers(0, 6, M)
    covariate = rng.normal(size=M)
    fixed = np.column_stack([np.ones(M), covariate])
    x = np.hstack([fixed, (region[:, None] == np.arange(12)).astype(float)])
    rates = size * np.exp(1.0 + 0.9 * covariate + rng.normal(0, 0.3, 12)[region]) * rng.gamma(6, 1 / 6, M)
    mean = rates[:, None] * rng.uniform(0.85, 1.15, T) * np.exp(slope * covariate[:, None] * np.linspace(-0.5, 0.5, T))
    if own:
        mean = mean * np.repeat(rng.gamma(1 / own, own, (M, T // 2)), 2, axis=1)
    true = rng.poisson(mean)
    known, linked_share = rng.beta(830, 170, T), 0.96
    delivered: Bools = rng.random((M, 1)) > 0.1
    seen = rng.binomial(true, known * linked_share) * delivered
    informs: Bools = np.broadcast_to(delivered, (M, T)).copy()
    counted = Counted(seen, informs, 2 * informs.astype(np.int64), x, 2, district)
    common = Common(
        # use of this world is Poisson: so many title ends that nobody can know a share of them
        rng.beta(known * 900, (1 - known) * 900, (R, T)), np.full((R, T), 10**7), rng.beta(288, 12, R),
        np.ones(R), np.ones((R, T)), np.ones(R),
    )  # fmt: skip
    return counted, common, np.ones((R, T)), true


def inside(found: Use, true: Ints, level: float) -> Bools:
    low, high = np.quantile(found.draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (low <= true) & (true <= high)


@pytest.fixture(scope="module")
def worlds() -> list[tuple[Counted, Use, Ints]]:
    made = []
    for seed in range(4):
        counted, common, follow, true = world(seed)
        made.append((counted, use.draw(streams(seed, 9), counted, common, follow), true))
    return made


def test_intervals_cover_the_planted_truth_delivered_or_not(worlds: list[tuple[Counted, Use, Ints]]) -> None:
    """4800 cells, most of them small whole numbers, which cover more than nominal; large ones are near it."""
    for level, least in ((0.9, 0.88), (0.8, 0.78)):
        cells = [inside(found, true, level) for _, found, true in worlds]
        large = [found.draws.mean(axis=0) > 15 for _, found, _ in worlds]
        kept = np.concatenate([c[at] for c, at in zip(cells, large, strict=True)])
        assert np.mean(cells) >= least
        assert level - 0.06 <= kept.mean() <= level + 0.06
    unseen = [inside(found, true, 0.9)[~counted.informs].mean() for counted, found, true in worlds]
    assert np.mean(unseen) > 0.87


def test_the_randomised_pit_is_uniform(worlds: list[tuple[Counted, Use, Ints]]) -> None:
    """Kolmogorov-Smirnov by size class in one world: far from what would reject uniformity grossly."""
    _, found, true = worlds[3]
    draws, truth = found.draws.reshape(R, -1), true.ravel()
    values = scoring.pit(draws, truth, np.random.default_rng(1))
    for small in (True, False):
        cells = (draws.mean(axis=0) < 3) == small
        assert kstest(values[cells], "uniform").statistic < 0.08


def test_no_bias_and_closer_than_every_naive_baseline(worlds: list[tuple[Counted, Use, Ints]]) -> None:
    """CRPS against what was counted, and against a national rate times the covariate: 1.5 and 2 times better."""
    total = sum(int(true.sum()) for _, _, true in worlds)
    estimated = sum(found.draws.sum(axis=(1, 2)).mean() for _, found, _ in worlds)
    assert estimated == pytest.approx(total, rel=0.02)
    assert sum(int(data.y.sum()) for data, _, _ in worlds) < 0.8 * total
    for data, found, true in worlds:
        score = scoring.crps(found.draws.reshape(R, -1), true.ravel()).mean()
        size = np.exp(data.x[:, 1])
        rate = size[:, None] * true.sum() / size.sum() / T
        assert 1.5 * score < np.abs(data.y - true).mean()
        assert 2.0 * score < np.abs(rate - true).mean()


def test_what_was_counted_is_never_estimated_away(worlds: list[tuple[Counted, Use, Ints]]) -> None:
    for data, found, _ in worlds:
        assert (found.draws.min(axis=0) >= data.y).all(), "with perfect precision a counted user stays counted"


def test_shrinkage_is_strongest_where_least_is_counted(worlds: list[tuple[Counted, Use, Ints]]) -> None:
    """The funnel: relative spread of an area's rate falls with its exposure times mean."""
    data, found, _ = worlds[0]
    spread = found.rates.std(axis=0) / found.rates.mean(axis=0)
    expected = found.exposure * found.fit.mean(data.x)
    seen = expected > 0
    assert np.corrcoef(np.log(expected[seen]), np.log(spread[seen]))[0, 1] < -0.8


def test_a_larger_country_has_narrower_relative_intervals() -> None:
    widths = []
    for size in (1.0, 9.0):
        counted, common, follow, _ = world(21, size)
        found = use.draw(streams(1, 9), counted, common, follow)
        widths.append(float(np.median(found.rates.std(axis=0) / found.rates.mean(axis=0))))
    assert 1.8 < widths[0] / widths[1] < 3.3, "nine times the data, three times as narrow where data rule"


def test_the_same_seed_gives_the_same_draws() -> None:
    counted, common, follow, _ = world(3)
    one, other = (use.draw(streams(5, 1), counted, common, follow).draws for _ in range(2))
    assert (one == other).all()


def test_overdispersion_is_noticed_and_widens_the_interval() -> None:
    counted, common, follow, _ = world(4)
    rng = np.random.default_rng(0)
    wild = Counted(
        rng.poisson(counted.y * rng.gamma(1.2, 1 / 1.2, counted.y.shape)) * counted.informs,
        counted.informs, counted.delivery, counted.x, counted.fixed, counted.district,
    )  # fmt: skip
    calm = use.draw(streams(5, 1), counted, common, follow)
    found = use.draw(streams(5, 1), wild, common, follow)
    assert calm.dispersion < 1.15
    assert found.dispersion > 1.5


def test_where_municipalities_go_their_own_way_what_is_not_counted_goes_with_it() -> None:
    """Per year a factor with cv 0.25, and the large ones lose what the small ones gain. Of cells with more counted than
    rate and level foretell no more is unseen than estimated, nor less of those with less."""
    above, apart, values = [], [], []
    for seed in range(4):
        counted, common, follow, true = world(seed, 6.0, own=0.0625, slope=-0.3)
        found = use.draw(streams(seed, 9), counted, common, follow)
        year = [table.reshape(*table.shape[:-1], T // 2, 2).sum(axis=-1) for table in (found.draws, true, counted.y)]
        mean = year[0].mean(axis=0)
        plain = found.rates.mean(axis=0)[:, None] * (found.levels.mean(axis=0) * found.seen).reshape(M, -1, 2).sum(
            axis=-1
        )
        large = (mean > 20) & counted.informs[:, ::2]
        above.append((year[2] / plain)[large] - 1)
        apart.append((mean - year[1])[large] / mean[large])
        values.append(scoring.pit(year[0][:, large], year[1][large], np.random.default_rng(seed)))
    higher, off = np.concatenate(above), np.concatenate(apart)
    for cells in (higher > 0.15, higher < -0.15):
        assert abs(off[cells].mean()) < 0.012
    assert kstest(np.concatenate(values), "uniform").statistic < 0.05


def test_a_slope_by_size_and_the_own_course_are_found() -> None:
    counted, common, follow, _ = world(1, 8.0, own=0.0625, slope=-0.3)
    found = use.draw(streams(1, 9), counted, common, follow)
    covariate = counted.x[:, 1]
    assert (found.gained.mean(axis=0) / covariate).mean() == pytest.approx(-0.3, abs=0.1)
    assert np.sqrt((found.own**2).sum(axis=1)).mean() == pytest.approx(0.25, abs=0.05)


def test_a_projection_takes_what_the_trend_has_added_by_the_recent_half_years() -> None:
    """Their level goes on, so the trend stays where it was when that level was: half of the way from middle to end."""
    counted, common, follow, _ = world(1, 8.0, slope=-0.3)
    found = use.draw(streams(1, 9), counted, common, follow)
    recent = np.linspace(-0.5, 0.5, T)[-projection.RECENT :].mean()
    assert projection.gain(found) == pytest.approx(np.exp(found.gained * recent))
    level = found.levels[:, -projection.RECENT :].mean(axis=1)[:, None]
    now = (found.rates * projection.gain(found) * level).mean(axis=0)
    seen = counted.informs[:, -projection.RECENT :].all(axis=1)
    per_half = found.draws[:, :, -projection.RECENT :].mean(axis=(0, 2))
    large = seen & (per_half > 30)
    assert now[large].sum() == pytest.approx(per_half[large].sum(), rel=0.03)


def test_the_backtest_covers_in_a_stable_world(worlds: list[tuple[Counted, Use, Ints]]) -> None:
    counted, common, follow, _ = world(6)
    tried = projection.backtest(streams(2, 2), counted, common, follow)
    assert tried is not None
    low, high = np.quantile(tried.draws, [0.025, 0.975], axis=0)
    cells = ((low <= tried.counted) & (tried.counted <= high))[tried.informs > 0]
    assert cells.mean() > 0.93


def test_where_municipalities_go_their_own_way_the_projection_is_wider() -> None:
    """Planted: one factor per municipality and two years, cv 0.4. The factor ahead has mean 1 and about that spread."""
    counted, common, follow, _ = world(8, size=8.0)
    rng = np.random.default_rng(1)
    factor = np.repeat(rng.gamma(1 / 0.16, 0.16, (M, 2)), 4, axis=1)
    wild = replace(counted, y=rng.poisson(np.maximum(counted.y.mean(axis=1), 0.1)[:, None] * factor) * counted.informs)
    spread = []
    for data in (counted, wild):
        found = use.draw(streams(1, 1), data, common, follow)
        ahead = projection.own_way(streams(1, 2), found, data)
        assert ahead.mean() == pytest.approx(1.0, abs=0.02)
        spread.append(float(ahead.std()))
    assert spread[0] < 0.12
    assert 0.2 < spread[1] < 0.5, "the area's own rate takes a part of a factor that lasts half the series"


def test_too_short_a_series_has_no_backtest() -> None:
    counted, common, follow, _ = world(6)
    short = Counted(
        counted.y[:, :6], counted.informs[:, :6], counted.delivery[:, :6], counted.x, counted.fixed, counted.district
    )
    assert projection.backtest(streams(1), short, common, follow) is None
    nobody = Counted(counted.y * 0, counted.informs, counted.delivery, counted.x, counted.fixed, counted.district)
    assert projection.backtest(streams(1), nobody, common, follow) is None
