"""Fay-Herriot, empirical Bayes and cumulative incidence on their textbook data. Source and tolerance with each."""

from __future__ import annotations

import numpy as np
import pytest

from estimation import smallarea
from estimation.fay_herriot import fay_herriot
from estimation.incidence import aalen_johansen, first_of

# Milk expenditure, 43 areas in 4 major areas: Arora & Lahiri (1997), You & Chapman (2006); the data set `milk` of the R
# package sae (also in samplics 0.6.1, expenditure_on_milk.csv). Direct estimates, standard deviations, major area.
MILK_Y = """1.099 1.075 1.105 .628 .753 .981 1.257 1.095 1.405 1.356 .615 1.46 1.338 .854 1.176 1.111 1.257 1.43 1.278
1.292 1.002 1.183 1.044 1.267 1.193 .791 .795 .759 .796 .565 .886 .952 .807 .582 .684 .787 .44 .759 .77 .8 .756 .865
.64"""
MILK_SD = """.163 .08 .083 .109 .119 .141 .202 .127 .168 .178 .1 .201 .148 .143 .149 .145 .135 .172 .137 .163 .125 .247
.14 .171 .106 .121 .121 .259 .106 .089 .225 .205 .119 .067 .106 .126 .092 .132 .1 .113 .083 .121 .129"""
MILK_MAJOR = np.repeat([1, 2, 3, 4], [7, 7, 11, 18])
# sae::mseFH on these data with REML and ML: variance, EBLUP and MSE of areas 1, 2, 3, 7, 12, 28, 34 and 43, as kept in
# the tests of the R package emdi (SoerenPannier/emdi, tests/testthat/FH/fh_reml_sae.csv and fh_ml_sae.csv).
SHOWN = np.array([1, 2, 3, 7, 12, 28, 34, 43]) - 1
SAE = {
    "REML": (
        0.0185502223227232,
        [1.02197034, 1.04760182, 1.06795126, 1.05845229, 1.21394561, 0.73384431, 0.6102302, 0.68108699],
        [0.01346022, 0.00537288, 0.00570199, 0.01592614, 0.01633647, 0.01647691, 0.00387079, 0.0099036],
    ),
    "ML": (
        0.0155175502633347,
        [1.01617332, 1.04369683, 1.06281679, 1.04747855, 1.19677562, 0.73156471, 0.61413481, 0.68409765],
        [0.01357995, 0.00551287, 0.00585058, 0.01593451, 0.01640452, 0.01639015, 0.00394698, 0.01003714],
    ),
}


def milk() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, sd = (np.array([float(word) for word in text.split()]) for text in (MILK_Y, MILK_SD))
    x = np.column_stack([np.ones(43), *((k == MILK_MAJOR).astype(float) for k in (2, 3, 4))])
    return y, sd**2, x


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_fay_herriot_on_the_milk_data(method: str) -> None:
    """Variance to 1e-6 and EBLUP, MSE to 1e-6: sae stops its scoring at 1e-4 relative, we go on."""
    variance, eblup, mse = SAE[method]
    found = fay_herriot(*milk(), method)
    assert found.variance == pytest.approx(variance, abs=1e-6)
    assert found.eblup[SHOWN] == pytest.approx(eblup, abs=2e-6)
    assert found.mse[SHOWN] == pytest.approx(mse, abs=1e-6)


def test_fay_herriot_moments_solve_their_equation() -> None:
    """The moment estimator has no printed answer here: it solves sum (y - x'b)^2 / (s + D) = m - p, by definition."""
    y, d, x = milk()
    found = fay_herriot(y, d, x, "FH")
    residual = y - x @ found.coefficients
    assert (residual**2 / (found.variance + d)).sum() == pytest.approx(43 - 4, abs=1e-6)
    assert SAE["ML"][0] < found.variance < SAE["REML"][0]
    assert found.mse.min() > 0


def test_fay_herriot_without_spread_is_regression_and_with_precise_data_the_data() -> None:
    x = np.ones((6, 1))
    flat = fay_herriot(np.array([1.0, 1.01, 0.99, 1.0, 1.02, 0.98]), np.full(6, 1.0), x)
    assert flat.variance == 0.0
    assert flat.eblup == pytest.approx(np.full(6, 1.0))
    y = np.array([1.0, 5.0, 9.0, 2.0, 7.0, 3.0])
    assert fay_herriot(y, np.full(6, 1e-9), x).eblup == pytest.approx(y, abs=1e-6)
    with pytest.raises(ValueError, match="method"):
        fay_herriot(y, np.full(6, 1.0), x, "OLS")


# Pump failures, Gaver & O'Muircheartaigh (1987) Technometrics 29: failures, thousands of hours.
PUMPS = np.array([5, 1, 5, 14, 3, 19, 1, 1, 4, 22.0])
HOURS = np.array([94.3, 15.7, 62.9, 126, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5])


def test_poisson_gamma_on_the_pump_data() -> None:
    """Maximum marginal likelihood: NIMBLE's manual prints 0.822 and 1.259, by Monte Carlo EM (0.01 for its noise).

    Closed form of every pump's rate given them: (failures + shape) / (hours + rate), Clayton & Kaldor (1987).
    """
    found = smallarea.fit(PUMPS, HOURS, np.ones((10, 1)), prior=False)
    rate = found.shape / np.exp(found.coefficients[0])
    assert found.shape == pytest.approx(0.8221657, abs=0.01)
    assert rate == pytest.approx(1.2589865, abs=0.01)
    a, b = smallarea.posterior(PUMPS, HOURS, found.mean(np.ones((10, 1))), found.shape)
    assert a / b == pytest.approx((PUMPS + found.shape) / (HOURS + rate))


def test_the_maximum_is_one_by_a_second_computation() -> None:
    """An independent negative binomial likelihood (scipy.stats) falls off in every direction from our maximum."""
    from scipy.stats import nbinom

    def loglik(shape: float, rate: float) -> float:
        return float(nbinom.logpmf(PUMPS, shape, rate / (rate + HOURS)).sum())

    found = smallarea.fit(PUMPS, HOURS, np.ones((10, 1)), prior=False)
    shape, rate = found.shape, found.shape / np.exp(found.coefficients[0])
    assert found.loglik == pytest.approx(loglik(shape, rate))
    for up in (0.98, 1.02):
        assert loglik(shape * up, rate) < found.loglik
        assert loglik(shape, rate * up) < found.loglik


# Scottish lip cancer 1975-1980, 56 districts: Clayton & Kaldor (1987), as printed with the GeoBUGS manual.
LIP = [9, 39, 11, 9, 15, 8, 26, 7, 6, 20, 13, 5, 3, 8, 17, 9, 2, 7, 9, 7, 16, 31, 11, 7, 19, 15, 7, 10, 16, 11, 5, 3]
LIP += [7, 8, 11, 9, 11, 8, 6, 4, 10, 8, 2, 6, 19, 3, 2, 3, 28, 6, 1, 1, 1, 1, 0, 0]
EXPECTED = [1.4, 8.7, 3, 2.5, 4.3, 2.4, 8.1, 2.3, 2, 6.6, 4.4, 1.8, 1.1, 3.3, 7.8, 4.6, 1.1, 4.2, 5.5, 4.4, 10.5]
EXPECTED += [22.7, 8.8, 5.6, 15.5, 12.5, 6, 9, 14.4, 10.2, 4.8, 2.9, 7, 8.5, 12.3, 10.1, 12.7, 9.4, 7.2, 5.3, 18.8]
EXPECTED += [15.8, 4.3, 14.6, 50.7, 8.2, 5.6, 9.3, 88.7, 19.6, 3.4, 3.6, 5.7, 7, 4.2, 1.8]


def test_lip_cancer_satisfies_clayton_and_kaldors_equations() -> None:
    """Their estimator solves: mean of the smoothed risks = prior mean (score equation of the likelihood, intercept).

    In the negative binomial model that score is sum (y - e m) a / (a + e m) = 0, the same equation written out. The
    smoothed risks lie between the raw one and the mean, and the funnel is that of the paper: small districts move most.
    """
    y, e = np.array(LIP, float), np.array(EXPECTED)
    found = smallarea.fit(y, e, np.ones((56, 1)), prior=False)
    mean = float(np.exp(found.coefficients[0]))
    a, b = smallarea.posterior(y, e, np.full(56, mean), found.shape)
    smooth, raw = a / b, y / e
    assert smooth.mean() == pytest.approx(mean, rel=1e-6)
    assert ((smooth - raw) * (smooth - mean) <= 1e-12).all()
    weight = smallarea.shrinkage(e, np.full(56, mean), found.shape)
    assert smooth == pytest.approx(weight * raw + (1 - weight) * mean)
    assert (np.argsort(weight) == np.argsort(e)).all()


# Bone marrow transplants, 35 patients with ties: Scrucca, Santucci & Aversa (2007) Bone Marrow Transplant. 40, 381-387.
DAYS = [
    13,
    1,
    72,
    7,
    8,
    67,
    9,
    5,
    70,
    4,
    7,
    68,
    1,
    10,
    7,
    3,
    4,
    4,
    3,
    3,
    22,
    8,
    2,
    0,
    0,
    35,
    35,
    4,
    14,
    26,
    3,
    2,
    8,
    32,
]
DAYS += [12]
CAUSE = [2, 1, 0, 2, 2, 0, 2, 2, 0, 0, 0, 0, 2, 2, 2, 1, 1, 1, 1, 1, 2, 1, 2, 2, 1, 0, 0, 2, 2, 2, 2, 0, 0, 0, 1]
# scikit-survival 0.28.0 on its own copy (`load_bmt`), whose tests compare with R: day, cause, incidence, 95% log-log.
SKSURV = [
    (1, 1, 0.05714285714285714, 0.00993355899481377, 0.1692563355512857),
    (3, 1, 0.1458128078817734, 0.05221871309905593, 0.28487001844067344),
    (8, 2, 0.27050544355673306, 0.13266604481606592, 0.42899905483516965),
    (12, 1, 0.27283898781187355, 0.13313612255372795, 0.43314516686792776),
    (72, 2, 0.4812695521558378, 0.294933560002112, 0.645304622263166),
]


@pytest.mark.parametrize(("day", "cause", "value", "low", "high"), SKSURV)
def test_cumulative_incidence_with_ties(day: int, cause: int, value: float, low: float, high: float) -> None:
    found = aalen_johansen(np.array(DAYS), np.array(CAUSE))
    assert found.at(day, cause, 0.95) == pytest.approx((value, low, high), abs=1e-9)


def test_cumulative_incidence_by_hand() -> None:
    """Four persons: cause 1 on day 1, cause 2 on day 2, censored on day 2, cause 1 on day 3.

    F1(1) = 1/4; F2(2) = 3/4 x 1/3 = 1/4; on day 3 one is left: F1(3) = 1/4 + 3/4 x 2/3 x 1 = 3/4.
    """
    found = aalen_johansen(np.array([1, 2, 2, 3]), np.array([1, 2, 0, 1]))
    assert found.at(1, 1)[0] == pytest.approx(1 / 4)
    assert found.at(2, 2)[0] == pytest.approx(1 / 4)
    assert found.at(3, 1)[0] == pytest.approx(3 / 4)
    assert found.at(0, 1) == (0.0, 0.0, 0.0)
    assert (found.risk_set(1), found.risk_set(2), found.risk_set(3)) == (4, 3, 1)


def test_late_entry_is_left_truncation() -> None:
    """Somebody who enters on day 2 is no part of the risk set of day 1 or 2: F(1) is 1/2, not 1/3."""
    found = aalen_johansen(np.array([1, 5, 4]), np.array([1, 0, 1]), entry=np.array([0, 0, 2]))
    assert found.at(1, 1)[0] == pytest.approx(1 / 2)
    assert found.at(4, 1)[0] == pytest.approx(1 / 2 + 1 / 2 * 1 / 2)
    with pytest.raises(ValueError, match="enters"):
        aalen_johansen(np.array([1]), np.array([1]), entry=np.array([1]))


def test_without_competitors_it_is_one_minus_kaplan_meier() -> None:
    rng = np.random.default_rng(2)
    days, cause = rng.integers(0, 40, 200), rng.integers(0, 2, 200)
    found = aalen_johansen(days, cause)
    left = 1.0
    for day in found.days:
        left *= 1 - ((days == day) & (cause == 1)).sum() / (days >= day).sum()
        assert found.at(int(day), 1)[0] == pytest.approx(1 - left)


def test_nobody_gives_nothing() -> None:
    found = aalen_johansen(np.array([], np.int64), np.array([], np.int64))
    assert (len(found.days), found.risk_set(3)) == (0, 0)


def test_the_first_event_decides_and_ties_go_to_the_lowest_cause() -> None:
    day, cause = first_of({1: np.array([5, 9, 99]), 2: np.array([5, 4, 99])}, np.array([30, 30, 30]))
    assert day.tolist() == [5, 4, 30]
    assert cause.tolist() == [1, 2, 0]
