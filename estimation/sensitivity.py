"""The capture-recapture analysis as a whole: which models, how much they differ, and when to refuse.

All models within delta 10 of the best BIC are reported; the bootstrap re-selects the model in every replicate, since
an interval given the chosen model is too short (Whitehead et al. 2021; Silverman 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimation import recapture
from estimation.arrays import Bools, Floats, Ints, streams
from estimation.recapture import Recapture

DELTA, RATIO, REPLICATES = 10.0, 3.0, 200
TRUSTED = 2.0  # factor by which a list may be misjudged from the others


@dataclass(frozen=True)
class Analysis:
    """What the lists say about one area: models near the best (best first), re-selected interval, lower bound."""

    lists: int
    seen: int
    near: tuple[Recapture, ...]
    intervals: tuple[tuple[float, float], ...]
    interval: tuple[float, float] | None
    bound: float
    verdict: str


def tabulate(member: Bools, *, wide: bool = False) -> Ints:
    """Counts per capture history (order of `recapture.histories`) from persons x lists; the unseen are not counted.

    `wide`: the last list is wider than the population, so who stands on it alone is not counted either.
    """
    lists = member.shape[1]
    code = member.astype(np.int64) @ (2 ** np.arange(lists)[::-1])
    counts = np.bincount(code, minlength=2**lists)[:0:-1].astype(np.int64)
    return counts[:-1] if wide else counts


def analyse(counts: Ints, lists: int, *, seed: int, replicates: int = REPLICATES, order: int = 2) -> Analysis:
    """Fit, compare, resample; refuse with Chao's bound when the data cannot carry a number.

    `counts` without the last history: the last list is wider than the population (`tabulate`).

    Refusals: TE_WEINIG_LIJSTEN (fewer than three lists, or one that overlaps none), BESTAAT_NIET (no model has a finite
    estimate), TE_BREED (the interval over re-selected models, or over the models near the best, is wider than a factor
    of 3).
    """
    seen = int(counts.sum())
    bound = recapture.chao(counts, lists) if seen else 0.0
    if not _overlap(counts, lists):
        return Analysis(lists, seen, (), (), None, bound, "TE_WEINIG_LIJSTEN")
    near = _near(counts, lists, order)
    if not near:
        return Analysis(lists, seen, (), (), None, bound, "BESTAAT_NIET")
    intervals = tuple(recapture.profile(counts, fit.model, lists) for fit in near)
    interval = _bootstrap(counts, lists, order, seed, replicates)
    totals = [fit.total for fit in near]
    wide = interval is None or interval[1] > RATIO * interval[0] or max(totals) > RATIO * min(totals)
    return Analysis(lists, seen, near, intervals, interval, bound, "TE_BREED" if wide else "GEVOELIGHEID")


def judge(member: Bools, *, seed: int, replicates: int = REPLICATES, wide: bool = False) -> Analysis:
    """`analyse`, preceded by the test on known list sizes: NIET_CONSISTENT, and no numbers, where it fails.

    Where the lists cannot say how long one of them is (wrong by a factor of 2 or more), they cannot say how many
    people stand on none. How much of a wide list is of the population nobody knows: it is not tried.
    """
    counts, lists = tabulate(member, wide=wide), member.shape[1]
    if _overlap(counts, lists):
        ratios = consistency(member)[: lists - wide]
        if not ((ratios > 1 / TRUSTED) & (ratios < TRUSTED)).all():
            return Analysis(lists, int(counts.sum()), (), (), None, recapture.chao(counts, lists), "NIET_CONSISTENT")
    return analyse(counts, lists, seed=seed, replicates=replicates)


def _overlap(counts: Ints, lists: int) -> bool:
    """At least three lists, each of which shares a person with another."""
    cells = recapture.histories(lists)[: len(counts)]
    shared = cells[(cells.sum(axis=1) > 1) & (counts > 0)]
    return lists >= 3 and bool((shared.sum(axis=0) > 0).all()) if len(shared) else False


def _near(counts: Ints, lists: int, order: int) -> tuple[Recapture, ...]:
    found = [fit for model in recapture.models(lists, order) if (fit := recapture.fit(counts, model, lists))]
    found.sort(key=lambda fit: (fit.bic, fit.model.terms))
    return tuple(fit for fit in found if fit.bic <= found[0].bic + DELTA)


def _bootstrap(counts: Ints, lists: int, order: int, seed: int, replicates: int) -> tuple[float, float] | None:
    """Percentile interval; the model is selected anew in every replicate. None when a tenth has no estimate."""
    rng = streams(seed, 77)
    seen = int(counts.sum())
    totals: list[float] = []
    for sample in rng.multinomial(seen, counts / seen, size=replicates):
        near = _near(sample.astype(np.int64), lists, order)
        totals += [near[0].total] if near else []
    if len(totals) < 0.9 * replicates:
        return None
    low, high = np.quantile(np.array(totals), [0.025, 0.975])
    return float(low), float(high)


def consistency(member: Bools) -> Floats:
    """Binette & Steorts (2021): treat each list as the population and estimate its size from the others.

    List sizes are known, so this is a test: estimated / true per list. Two other lists: Lincoln-Petersen, nan when
    they share nobody in it. More: the best log-linear model of the others, nan when none has an estimate.
    """
    ratios = []
    for own in range(member.shape[1]):
        inside = np.delete(member[member[:, own]], own, axis=1)
        ratios.append(_size(inside) / max(len(inside), 1))
    return np.array(ratios, np.float64)


def _size(member: Bools) -> float:
    """How many people there are, by the best model of these lists; nan where there is no estimate."""
    near = _near(tabulate(member), member.shape[1], 2) if member.any() else ()
    return near[0].total if near else float("nan")
