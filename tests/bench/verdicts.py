"""What the cells of many countries say, with errors that know that cells of one country hang together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_law

from estimation.arrays import Bools, Floats, Ints
from tests.bench.cells import LEVELS, PERIODS

BINS, LEAST_CELLS, LEAST_COUNTRIES = 10, 20, 30
MOST_APART = 0.03  # of the PIT's distribution from the uniform one: what 87 to 93 allows an interval of 90 percent
LEAST_P = 0.05 / 14  # fourteen classes are tested: five percent for all of them together (Bonferroni)
Cells = dict[str, np.ndarray]


@dataclass(frozen=True)
class Stratum:
    """Cells of one level, period and size; what is asked of them.

    `large`: nominal 90 percent intervals are to cover 87 to 93; otherwise at least 87. `ratio`: how many times better
    than each baseline the CRPS is to be.
    """

    level: str
    size: str
    low: float
    high: float
    large: bool
    ratio: float

    def of(self, found: Cells, period: str, months: int = 6) -> Bools:
        """Which cells."""
        mine = self.sized(found) & (found["period"] == PERIODS.index(period)) & (found["months"] == months)
        return np.asarray(mine, np.bool_)

    def sized(self, found: Cells) -> Bools:
        """Cells of this level and size, whatever their period."""
        mine = (found["level"] == LEVELS.index(self.level)) & (found["size"] >= self.low) & (found["size"] < self.high)
        return np.asarray(mine, np.bool_)


STRATA = (
    Stratum("gemeente", "< 1", 0.0, 1.0, False, 1.1),
    Stratum("gemeente", "1-5", 1.0, 5.0, False, 1.3),
    Stratum("gemeente", "5-20", 5.0, 20.0, False, 2.0),
    Stratum("gemeente", ">= 20", 20.0, np.inf, True, 2.0),
    Stratum("veiligheidsregio", "< 20", 0.0, 20.0, False, 2.0),
    Stratum("veiligheidsregio", ">= 20", 20.0, np.inf, True, 2.0),
    Stratum("land", "all", 0.0, np.inf, True, 2.0),
)


def mean(values: np.ndarray, country: Ints) -> tuple[float, float]:
    """Mean over cells and its standard error over countries (nan for one country)."""
    size, total = np.bincount(country).astype(float), np.bincount(country, values)
    size, total = size[size > 0], total[size > 0]
    found, n = total.sum() / size.sum(), len(size)
    error = np.sqrt(((total - found * size) ** 2).sum() * n / (n - 1)) / size.sum() if n > 1 else np.nan
    return float(found), float(error)


def ratio(over: np.ndarray, under: np.ndarray, country: Ints) -> tuple[float, float]:
    """Ratio of two sums over cells and its standard error over countries."""
    top, low = np.bincount(country, over), np.bincount(country, under)
    some = np.bincount(country) > 0
    top, low, n = top[some], low[some], int(some.sum())
    found = top.sum() / max(low.sum(), 1e-12)
    error = np.sqrt(((top - found * low) ** 2).sum() * n / (n - 1)) / low.sum() if n > 1 else np.nan
    return float(found), float(error)


def uniform(pit: Floats, country: Ints) -> float:
    """p-value that a tenth of the PIT lies in every tenth of 0 to 1; nan below 30 countries.

    Wald test on the shares of ten bins with their covariance over countries (Hotelling's F), since the cells of one
    country share its corrections and a Kolmogorov-Smirnov test would take them for independent.
    """
    bins = np.minimum((pit * BINS).astype(np.int64), BINS - 1)
    _, number = np.unique(country, return_inverse=True)
    n, k = int(number.max()) + 1, BINS - 1
    if n < LEAST_COUNTRIES:
        return float("nan")
    counts = np.bincount(number * BINS + bins, minlength=n * BINS).reshape(n, BINS).astype(float)
    rest = (counts - counts.sum(axis=1, keepdims=True) / BINS)[:, :k]
    square = float(rest.sum(axis=0) @ np.linalg.pinv(np.cov(rest.T) * n) @ rest.sum(axis=0))
    return float(f_law.sf(square * (n - k) / (k * (n - 1)), k, n - k))


def distance(pit: Floats, country: Ints) -> tuple[float, float]:
    """(largest distance of the PIT's distribution from the uniform one, its standard error there over countries).

    It is what a quantile of any level can be off by; unlike the p-value of `uniform` it does not shrink as countries
    are added (docs/decisions/0119).
    """
    levels = np.arange(1, 100) / 100
    below = np.searchsorted(np.sort(pit), levels, side="right") / len(pit)
    worst = levels[np.abs(below - levels).argmax()]
    found, error = mean((pit <= worst).astype(float), country)
    return abs(found - float(worst)), error


def calibration(pit: Floats, levels: Floats) -> Floats:
    """Share of cells inside the central interval of each nominal level, by their randomised PIT."""
    return np.array([(np.abs(pit - 0.5) <= level / 2).mean() for level in levels])


def held(
    stratum: Stratum, covers: tuple[float, float], ratios: list[tuple[float, float]], countries: int
) -> tuple[bool | None, bool | None]:
    """(coverage as asked, every baseline beaten by the stated ratio), within two standard errors; None: too few."""
    if countries < LEAST_COUNTRIES:
        return None, None
    share, error = covers
    good = share + 2 * error >= 0.87 and (not stratum.large or share - 2 * error <= 0.93)
    return good, all(value + 2 * error >= stratum.ratio for value, error in ratios)
