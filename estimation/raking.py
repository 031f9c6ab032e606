"""Raking (iterative proportional fitting): the smallest multiplicative change that reproduces given totals.

Source: Deming & Stephan (1940); converges to the minimum discrimination information solution (Csiszar 1975).
Every draw is raked apart, so the totals' own uncertainty travels into the estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimation.arrays import Bools, Floats, Ints

ROUNDS, TOLERANCE = 200, 1e-10


@dataclass(frozen=True)
class Margin:
    """Totals over groups of cells: `group` numbers each of the C cells (-1: in no group), `totals` is R x G.

    `bound` (R x G, default all) says which totals bind; a group without data is left as the model has it.
    """

    group: Ints
    totals: Floats
    bound: Bools | None = None


def rake(values: Floats, margins: Sequence[Margin]) -> Floats:
    """Scale `values` (R x C, not negative) until every margin's bound totals hold; R x C.

    A group whose cells are all zero stays zero: there is nothing to scale. Margins that contradict each other do
    not converge; the last one given then holds exactly, which is why national totals come last.
    """
    raked = values.astype(np.float64, copy=True)
    for _ in range(ROUNDS):
        worst = 0.0
        for margin in margins:
            factor = _factors(raked, margin)
            worst = max(worst, float(np.abs(factor - 1).max(initial=0.0)))
            inside = margin.group >= 0
            raked[:, inside] *= factor[:, margin.group[inside]]
        if worst < TOLERANCE:
            break
    return raked


def sums(values: Floats, group: Ints, groups: int) -> Floats:
    """Sum the C cells of `values` (R x C) into `groups` groups; R x G. Cells of group -1 are left out."""
    member = np.zeros((values.shape[1], groups))
    inside = np.nonzero(group >= 0)[0]
    member[inside, group[inside]] = 1.0
    return values @ member


def _factors(values: Floats, margin: Margin) -> Floats:
    now = sums(values, margin.group, margin.totals.shape[1])
    factor = np.divide(margin.totals, now, out=np.ones_like(now), where=now > 0)
    return factor if margin.bound is None else np.where(margin.bound, factor, 1.0)
