"""How many leavers a municipality has beyond its size, learned from ends that a detention placed; and its use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from estimation import leavers, use
from estimation.arrays import Floats, Ints, streams
from estimation.use import Counted
from tests.estimation.test_model_world import M, R, T, world


def ends(seed: int, silent: Floats, size: float) -> tuple[Ints, Floats]:
    """(ends per area with mean size x exp(0.5 covariate) x its own factor; design without regions)."""
    rng = np.random.default_rng(seed)
    covariate = rng.normal(size=len(silent))
    return rng.poisson(size * np.exp(0.5 * covariate) * silent), np.column_stack([np.ones(len(silent)), covariate])


def test_areas_that_deliver_nothing_and_have_fewer_leavers_are_found_to() -> None:
    factor = np.where(np.arange(300) < 60, 0.7, 1.0)
    counts, x = ends(1, factor, 20.0)
    found = leavers.relative(streams(1), counts, (x, 2), factor < 1, 2000)
    assert found[:, :60].mean() == pytest.approx(0.7, abs=0.05)
    assert found[:, 60:].mean() == pytest.approx(1.0, abs=0.03)
    assert (np.quantile(found[:, :60].mean(axis=1), [0.025, 0.975]) - 0.7).prod() < 0


def test_an_area_with_few_ends_keeps_what_its_covariates_say_and_a_large_one_what_it_has() -> None:
    """Half of the areas have twice the leavers of the others. With 100 ends that shows; with one it cannot."""
    own = np.where(np.arange(200) % 2 == 0, 4 / 3, 2 / 3)
    nobody = np.zeros(200, bool)
    spread = []
    for size in (100.0, 0.7):
        counts, x = ends(2, own, size)
        found = leavers.relative(streams(2), counts, (x, 2), nobody, 500).mean(axis=0)
        spread.append(found[own > 1].mean() / found[own < 1].mean())
    assert 1.7 < spread[0] < 2.05
    assert 1 <= spread[1] < 1.4


def test_without_any_end_nothing_is_known() -> None:
    found = leavers.relative(streams(1), np.zeros(5, np.int64), (np.ones((5, 1)), 1), np.zeros(5, bool), 7)
    assert (found == 1).all()
    assert found.shape == (7, 5)


def unlike(seed: int) -> tuple[Counted, Ints, Ints, tuple[object, ...]]:
    """The model's world, where who delivers nothing has 0.6 of the leavers, and so of the use, of its like."""
    counted, common, follow, true = world(seed, size=2.0)
    rng = np.random.default_rng(seed + 100)
    silent = ~counted.informs.any(axis=1)
    true = np.where(silent[:, None], rng.binomial(true, 0.6), true)
    size = np.exp(counted.x[:, 1] * 0.9 + 2.0) * np.where(silent, 0.6, 1.0)
    return counted, true, rng.poisson(size[:, None] / T * np.ones(T)), (common, follow)


def test_use_where_nothing_is_delivered_follows_the_leavers_that_are_seen() -> None:
    """Six worlds: without the leavers these areas are estimated as their like, two thirds too high; with them not."""
    estimated, planted = np.zeros(2), 0
    for seed in range(6):
        counted, true, leaving, (common, follow) = unlike(seed)
        silent = ~counted.informs.any(axis=1)
        planted += int(true[silent].sum())
        for i, data in enumerate((counted, replace(counted, leavers=leaving))):
            found = use.draw(streams(seed, 9), data, common, follow)  # type: ignore[arg-type]
            estimated[i] += found.draws[:, silent].sum(axis=(1, 2)).mean()
            assert found.draws.shape == (R, M, T)
    assert estimated[0] > 1.4 * planted
    assert estimated[1] == pytest.approx(planted, rel=0.15)
