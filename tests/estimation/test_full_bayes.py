"""Full Bayes: exact where two numbers are unknown (a published analysis), and beside empirical Bayes where many are."""

from __future__ import annotations

import numpy as np
import pytest

from estimation import full_bayes, smallarea, use
from estimation.arrays import Floats, streams
from tests.estimation.test_known_answers import HOURS, PUMPS
from tests.estimation.test_model_world import world

# Example "Pump" of BUGS volume I (George, Makov & Smith 1993): alpha ~ Exp(1), beta ~ Gamma(0.1, 1). Means and their
# Monte Carlo errors as kept in classic-bugs/vol1/pump/bench-test1.R of the R package nimble: theta 1..10, alpha, beta.
BUGS = [0.06016, 0.10095, 0.08933, 0.11627, 0.59900, 0.60826, 0.89459, 0.87605, 1.58316, 1.98336, 0.70616, 0.94861]
ERROR = [0.00036, 0.00114, 0.00054, 0.00044, 0.0045, 0.0019, 0.0112, 0.0107, 0.0114, 0.0062, 0.0067, 0.0128]


def test_the_pumps_of_bugs() -> None:
    """Every posterior mean within two and a half Monte Carlo errors of what is kept there."""
    alpha, beta, rates = full_bayes.quadrature(PUMPS, HOURS, lambda a, b: -a - 0.9 * np.log(b) - b)
    apart = (np.array([*rates, alpha, beta]) - BUGS) / ERROR
    assert np.abs(apart).max() < 2.5
    assert rates[6] == pytest.approx(rates[7], rel=1e-9), "equal data, equal answer; the Monte Carlo means differ"


def ours(a: Floats, b: Floats) -> Floats:
    """The prior of the default engine in (shape, rate): half-normal on 1/sqrt(shape), flat in the log mean."""
    return -0.5 / a - 1.5 * np.log(a) - np.log(b)


def test_draws_are_those_of_the_exact_posterior() -> None:
    """Ten pumps, our prior: the draws' means against the grid, and nearer to it than empirical Bayes comes."""
    alpha, _, exact = full_bayes.quadrature(PUMPS, HOURS, ours)
    x = np.ones((10, 1))
    found = full_bayes.sample(streams(1), PUMPS.astype(float), HOURS, x, 1, count=20_000)
    means, shapes = found.draw(x)
    a, b = smallarea.posterior(PUMPS, HOURS, means, shapes[:, None])
    assert (a / b).mean(axis=0) == pytest.approx(exact, rel=0.01)
    assert shapes.mean() == pytest.approx(alpha, rel=0.02)
    means, shapes = smallarea.fit(PUMPS.astype(float), HOURS, x).draw(streams(2), x, 20_000)
    c, d = smallarea.posterior(PUMPS, HOURS, means, shapes[:, None])
    assert np.abs((a / b).mean(axis=0) / exact - 1).max() < np.abs((c / d).mean(axis=0) / exact - 1).max()


def test_the_density_is_that_of_the_default_engine() -> None:
    counted, _, _, _ = world(0)
    y, exposure = counted.y.sum(axis=1).astype(float), np.full(len(counted.y), 8.0)
    model = smallarea.Model(y, exposure, counted.x, 2, prior=True)
    points = streams(3).normal(0, 0.3, (4, counted.x.shape[1] + 1))
    one = full_bayes.values(model, points, np.full(4, 0.4))
    assert one == pytest.approx([model.value(point, 0.4) for point in points])
    points[:, -1] = 20.0
    assert np.isinf(full_bayes.values(model, points, np.full(4, 0.4))).all(), "outside the bounds of the shape"


@pytest.mark.parametrize("seed", [0, 1])
def test_beside_empirical_bayes_in_a_country_it_says_nearly_the_same(seed: int) -> None:
    """150 areas, 12 regions, 16 hyperparameters: the reason why empirical Bayes is the default.

    Rates within 12 percent and on average equal; a typical sd a few percent larger, for the sd of the regions is
    unknown here and an estimate there.
    """
    counted, _, _, _ = world(seed)
    inform = counted.informs.astype(float)
    y, exposure = (counted.y * inform).sum(axis=1), inform.sum(axis=1)
    found = full_bayes.sample(streams(1), y, exposure, counted.x, 2, count=1000)
    assert found.worth > 0.3
    rates = []
    for means, shapes in (
        found.draw(counted.x),
        smallarea.fit(y, exposure, counted.x, 2).draw(streams(2), counted.x, 1000),
    ):
        a, b = smallarea.posterior(y, exposure, means, shapes[:, None])
        rates.append(streams(3).gamma(a) / b)
    full, empirical = rates
    assert np.abs(full.mean(axis=0) / empirical.mean(axis=0) - 1).max() < 0.15
    assert (full.mean(axis=0) / empirical.mean(axis=0)).mean() == pytest.approx(1.0, abs=0.02)
    assert 0.97 < np.median(full.std(axis=0) / empirical.std(axis=0)) < 1.1


def test_estimates_by_full_bayes_hold_the_planted_truth() -> None:
    counted, common, follow, true = world(2)
    found = use.draw(streams(1, 9), counted, common, follow, full=True)
    assert found.worth is not None
    assert found.worth > 0.3
    low, high = np.quantile(found.draws, [0.05, 0.95], axis=0)
    assert ((low <= true) & (true <= high)).mean() > 0.88
    again = use.draw(streams(1, 9), counted, common, follow, full=True)
    assert (again.draws == found.draws).all()


def test_where_the_draws_are_worth_little_they_are_not_believed() -> None:
    assert not full_bayes.Posterior(np.zeros((2, 2)), 0.01).believed
    assert full_bayes.Posterior(np.zeros((2, 2)), 0.5).believed
