"""Capture-recapture on three or more lists: hierarchical log-linear models, and the refusal to use them.

A sensitivity analysis, never the headline: the lists are stages of one process, so they depend on each other.
Sources: Fienberg (1972) Biometrika 59, 591-603; Bishop, Fienberg & Holland (1975) chapter 6; existence of the
estimate: Fienberg & Rinaldo (2012) Ann. Statist. 40, 996-1023, as a linear programme (Chan, Silverman & Vincent 2021,
JASA 116, 1297-1306); profile interval: Cormack (1992) Biometrics 48, 567-576; lower bound: Chao (1987) Biometrics 43.

The last list may be wider than the population (the Wmo data hold every client, whoever that is). Who stands on it alone
cannot be told from a stranger and is not counted: `counts` then lack their last history, and the model fills in two
unseen ones, on no list and on the wide one alone. Registers of different but overlapping populations: Zwane, van der
Pal-de Bruin & van der Heijden (2004) Statistics in Medicine 23, 2267-2281.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from scipy.optimize import brentq, linprog
from scipy.special import gammaln, xlogy

from estimation.arrays import Bools, Floats, Ints

CHI2_95 = 3.841458820694124
Term = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """Interaction terms beyond the main effects; hierarchical: a three-way term brings its two-way terms."""

    terms: tuple[Term, ...]

    def label(self, names: tuple[str, ...]) -> str:
        """Readable name, such as `onafhankelijk` or `Injus*Ifzo`."""
        return " + ".join("*".join(names[i] for i in term) for term in self.terms) or "onafhankelijk"


@dataclass(frozen=True)
class Recapture:
    """One fitted model: persons seen, unseen estimate, its standard error, deviance, degrees of freedom, BIC.

    `boundary` says that some parameters are infinite (empty overlaps) while the population is not.
    """

    model: Model
    seen: int
    unseen: float
    error: float
    deviance: float
    freedom: int
    bic: float
    boundary: bool = False

    @property
    def total(self) -> float:
        """Estimated population: seen and unseen."""
        return self.seen + self.unseen


@cache
def _histories(lists: int) -> Ints:
    """All capture histories but the empty one, first list slowest, all ones first: (2^k - 1) x k."""
    rows = [[(code >> (lists - 1 - i)) & 1 for i in range(lists)] for code in range(2**lists - 1, 0, -1)]
    return np.array(rows, np.int64)


def histories(lists: int) -> Ints:
    """Capture histories in the order that `counts` has everywhere here: 111, 110, 101, 100, 011, 010, 001."""
    return _histories(lists).copy()


def models(lists: int, order: int = 2) -> Iterator[Model]:
    """Every hierarchical model with terms up to `order` (2 or 3), from independence on, never the full one."""
    pairs = list(combinations(range(lists), 2))
    triples = list(combinations(range(lists), 3)) if order >= 3 and lists > 3 else []
    for size in range(len(pairs) + 1):
        for chosen in combinations(pairs, size):
            allowed = [t for t in triples if all(p in chosen for p in combinations(t, 2))]
            for extra in range(len(allowed) + 1):
                for more in combinations(allowed, extra):
                    yield Model((*chosen, *more))


def design(model: Model, lists: int) -> Floats:
    """Columns: intercept, main effects, terms; rows as `histories`. The mean of the empty cell is exp(intercept)."""
    cells = _histories(lists)
    columns = [np.ones(len(cells)), *cells.T, *(cells[:, list(term)].prod(axis=1) for term in model.terms)]
    return np.column_stack(columns).astype(np.float64)


def parts(counts: Ints, model: Model, lists: int) -> tuple[Floats, Floats]:
    """(design of the histories that are counted, rows of the unseen ones: on no list, and on the wide list alone).

    Counts of all 2^k - 1 histories: no list is wide. Without the last one (0...01): the last list is.
    """
    x, last = design(model, lists), len(counts)
    return x[:last], np.vstack([np.eye(1, x.shape[1]), x[last:]])


def support(counts: Ints, x: Floats) -> Bools:
    """Cells that can have a positive mean under the model's observed margins; the others have mean zero at the maximum.

    The estimate is finite exactly when every cell is in it. A linear programme finds the largest such set at once:
    means m with the margins of t times the counts (t >= 1, so that any positive mean can be scaled above one).
    """
    cells, parameters = x.shape
    if (counts > 0).all():
        return np.ones(cells, np.bool_)
    objective = np.concatenate([np.zeros(cells), -np.ones(cells), [0.0]])
    margins = np.hstack([x.T, np.zeros((parameters, cells)), -(x.T @ counts)[:, None]])
    below = np.hstack([-np.eye(cells), np.eye(cells), np.zeros((cells, 1))])
    bounds = [(0, None)] * cells + [(0, 1)] * cells + [(1, None)]
    found = linprog(objective, A_ub=below, b_ub=np.zeros(cells), A_eq=margins, b_eq=np.zeros(parameters), bounds=bounds)
    return np.asarray(found.x[cells : 2 * cells] > 0.5, np.bool_)


def reduce(counts: Ints, x: Floats, unseen: Floats) -> tuple[Ints, Floats, Floats] | None:
    """(counts, design, rows of the unseen cells) on the cells with positive means; None when the unseen cannot be told.

    Parameters that run to minus or plus infinity (empty overlaps) drop out with the cells they empty. What is left
    must still determine every unseen cell: its row lies in the span of the rows that remain.
    """
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    kept = support(counts, x)
    rows = x[kept]
    rank = int(np.linalg.matrix_rank(rows))
    if np.linalg.matrix_rank(np.vstack([rows, unseen])) > rank:
        return None
    _, _, basis = np.linalg.svd(rows)
    return counts[kept], rows @ basis[:rank].T, unseen @ basis[:rank].T


def poisson(counts: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Poisson regression by iteratively reweighted least squares: (coefficients, fitted means)."""
    mean: Floats = np.asarray(counts + 0.5, np.float64)
    coefficients: Floats = np.zeros(x.shape[1])
    for _ in range(200):
        working = np.log(mean) + (counts - mean) / mean
        weighted = x * mean[:, None]
        fresh = np.asarray(np.linalg.solve(x.T @ weighted, weighted.T @ working), np.float64)
        mean = np.asarray(np.exp(np.clip(x @ fresh, -50, 50)), np.float64)
        done = np.abs(fresh - coefficients).max() < 1e-10
        coefficients = fresh
        if done:
            break
    return np.asarray(coefficients, np.float64), np.asarray(mean, np.float64)


def fit(counts: Ints, model: Model, lists: int) -> Recapture | None:
    """Fit one model; None where the estimate does not exist (rank, or an empty overlap sends it to infinity)."""
    full, rows = parts(counts, model, lists)
    if (reduced := reduce(counts, full, rows)) is None:
        return None
    kept, x, empty = reduced
    y = kept.astype(np.float64)
    coefficients, mean = poisson(y, x)
    each = np.exp(empty @ coefficients)
    seen, unseen, slope = int(counts.sum()), float(each.sum()), each @ empty
    deviance = float(2 * (xlogy(y, y / mean) - (y - mean)).sum())
    loglik = float((xlogy(y, mean) - mean - gammaln(y + 1)).sum())
    spread = float(slope @ np.linalg.inv((x.T * mean) @ x) @ slope)
    error = float(np.sqrt(unseen + spread))
    bic = -2 * loglik + full.shape[1] * np.log(seen)
    freedom = len(counts) - full.shape[1]
    return Recapture(model, seen, unseen, error, deviance, freedom, float(bic), len(kept) < len(counts))


def profile(counts: Ints, model: Model, lists: int, level: float = CHI2_95) -> tuple[float, float]:
    """95% interval of the population from the multinomial profile likelihood (Cormack 1992); infinite when open."""
    best, reduced = fit(counts, model, lists), reduce(counts, *parts(counts, model, lists))
    if best is None or reduced is None:
        return float(counts.sum()), np.inf
    counts, x = reduced[0], np.vstack([reduced[1], reduced[2]])
    top = max(_profile(counts, x, unseen) for unseen in best.unseen * np.array([0.97, 0.985, 1.0, 1.015]))

    def drop(unseen: float) -> float:
        return 2 * (top - _profile(counts, x, unseen)) - level

    low = brentq(drop, 1e-6, best.unseen) if drop(1e-6) > 0 else 0.0
    high = best.unseen * 2
    while drop(high) < 0 and high < best.seen * 1e6:
        high *= 2
    upper = brentq(drop, best.unseen, high) if drop(high) > 0 else np.inf
    return best.seen + float(low), best.seen + float(upper)


def _profile(counts: Ints, x: Floats, unseen: float) -> float:
    """Log-likelihood of the multinomial with N = seen + unseen, maximised over the cell probabilities.

    Of two unseen cells only the sum is given: split as the model has it (EM; with one cell there is nothing to split).
    """
    hidden, total = len(x) - len(counts), float(counts.sum()) + unseen
    share = np.full(hidden, 1 / hidden)
    for _ in range(500):
        _, mean = poisson(np.append(counts.astype(np.float64), unseen * share), x)
        before, share = share, mean[-hidden:] / mean[-hidden:].sum()
        if np.abs(share - before).max() < 1e-9:
            break
    y = np.append(counts.astype(np.float64), unseen)
    chance = np.append(mean[:-hidden], mean[-hidden:].sum()) / total
    return float(gammaln(total + 1) - gammaln(y + 1).sum() + xlogy(y, chance).sum())


def chao(counts: Ints, lists: int) -> float:
    """Chao's lower bound of the population: seen + f1(f1 - 1) / (2(f2 + 1)), bias-corrected form (Chao 1987).

    A wide list is left out: how many stand on it alone is not known.
    """
    if len(counts) < 2**lists - 1:
        counts, lists = counts.reshape(-1, 2).sum(axis=1), lists - 1
    times = _histories(lists).sum(axis=1)
    once, twice = float(counts[times == 1].sum()), float(counts[times == 2].sum())
    return float(counts.sum()) + once * (once - 1) / (2 * (twice + 1))
