"""The variance of a cumulative incidence: what R prints for a textbook data set, and two laws it must obey."""

from __future__ import annotations

import numpy as np
import pytest

from estimation.incidence import aalen_johansen

# Klein & Moeschberger (1997), section 1.3: 54 patients with low-risk acute myeloid leukaemia after a bone marrow
# transplant; days of disease-free survival. Data as kept in the R package KMsurv (bmt, group 2: t2, d2, d3).
RELAPSED = [421, 748, 486, 272, 381, 248, 211, 219, 606]
DIED = [414, 2204, 1063, 481, 105, 641, 390, 288, 79, 48, 1074, 10, 53, 80, 35, 704]
FREE = [2569, 2506, 2409, 2218, 1857, 1829, 1562, 1470, 1363, 1030, 860, 1258, 2246, 1870, 1799, 1709, 1674, 1568,
        1527, 1324, 957, 932, 847, 848, 1850, 1843, 1535, 1447, 1384]  # fmt: skip
# Printed by tidycmprsk 1.1.0 (cmprsk 2.2-12, Aalen's variance) for relapse in this group, on the page "Estimating
# Cumulative Incidence Functions Using R" of CAMIS (PSI, PHUSE): years, estimate, standard error, 95% log-log.
PRINTED = [
    (1.0, 0.0741, 0.0360, 0.0234, 0.1646),
    (1.5, 0.1296, 0.0463, 0.0563, 0.2344),
    (2.0, 0.1481, 0.0489, 0.0685, 0.2565),
    (3.0, 0.1667, 0.0514, 0.0813, 0.2783),
]


@pytest.mark.parametrize(("years", "value", "error", "low", "high"), PRINTED)
def test_standard_errors_are_those_that_r_prints(
    years: float, value: float, error: float, low: float, high: float
) -> None:
    days = np.array(RELAPSED + DIED + FREE)
    cause = np.repeat([1, 2, 0], [len(RELAPSED), len(DIED), len(FREE)])
    found, day = aalen_johansen(days, cause), int(years * 365.25)
    step = int(np.searchsorted(found.days, day, side="right")) - 1
    assert len(days) == 54
    assert np.sqrt(found.variance[0, step]) == pytest.approx(error, abs=5.1e-5)
    assert found.at(day, 1, 0.95) == pytest.approx((value, low, high), abs=5.1e-5)


@pytest.mark.parametrize("tied", [1, 7, 30])
def test_with_all_followed_it_is_nearly_the_binomial_one_ties_or_not(tied: int) -> None:
    """Nobody censored: the incidence is a share of n persons, so its variance is F(1 - F)/n, up to 1/n."""
    rng = np.random.default_rng(tied)
    n = 2000
    days, cause = rng.permutation(np.arange(n) // tied), rng.integers(1, 4, n)
    found = aalen_johansen(days, cause)
    f = found.incidence
    inside = (f > 0.02) & (found.at_risk > n / 4)
    assert found.variance[inside] == pytest.approx((f * (1 - f) / n)[inside], rel=4 * tied / n + 2 / n)


def test_it_is_the_spread_over_repeated_samples_with_ties_and_censoring() -> None:
    """2000 samples of 150 persons, days rounded to five so that most are tied, a third censored."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(2000):
        start, other, until = (rng.exponential(scale, 150) for scale in (30, 40, 45))
        first = np.minimum(np.minimum(start, other), until)
        cause = np.where(first == start, 1, np.where(first == other, 2, 0))
        made = aalen_johansen((first // 5).astype(np.int64), cause, causes=2)
        step = int(np.searchsorted(made.days, 4, side="right")) - 1
        found.append((made.incidence[0, step], made.variance[0, step]))
    value, variance = np.array(found).T
    assert variance.mean() == pytest.approx(value.var(), rel=0.1)  # the spread of 2000 is known to 3 percent
