"""A view of the attack in which bounds of estimates are soft: how far a cell can go, and which it passes on the way."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from release.protect.merge import Merged
from release.protect.period import Period
from release.protect.solver import Solver
from release.protect.system import EPS, Floats

REGION = 3.0  # the price of passing a region's estimate by one, beside a municipality's
Passed = tuple[int, int, float]


class Soft:
    """One linear program: cells x as the attacker knows them without estimates, and u, w >= 0 per cell they bound.

    low <= x + u - w <= high for what estimates tell. A point that was found is one that they allow once they gave way,
    so later goals may be met by it already.
    """

    def __init__(self, view: Merged, period: Period, bounds: tuple[Floats, Floats]) -> None:
        problem = view.problem
        self.rows, self.crowds, self.many = view.rows, view.crowds, len(period.template.names)
        shown = problem.published & ~problem.primary
        low, high = (np.where(shown, problem.values, wide) for wide in view.wide)
        self.free = np.flatnonzero(high > low)
        self.low, self.high = low[self.free], high[self.free]
        told = problem.low[self.free], problem.high[self.free]
        self.bounded = np.flatnonzero((told[0] > self.low) | (told[1] < self.high))
        row, self.measure = np.divmod(self.free[self.bounded], self.many)
        self.row = self.rows[row]  # no crowd is bounded
        price = np.where(period.insiders[self.row], 1.0, REGION)
        self.cost = -np.concatenate([np.zeros(len(self.free)), price, price])
        self.seen_low, self.seen_high = problem.values.copy(), problem.values.copy()
        self.solver, self.due = self._program(problem.system.matrix[:, self.free], problem.values[self.free])
        self.loosen(bounds)

    def _program(self, piece: sparse.csr_array, here: Floats) -> tuple[Solver, Floats]:
        count, size = len(self.bounded), len(self.free)
        piece = piece[np.flatnonzero(np.diff(piece.indptr))]
        pick = sparse.csr_array((np.ones(count), (np.arange(count), self.bounded)), shape=(count, size))
        one = sparse.eye_array(count)
        whole = sparse.csr_array(sparse.block_array([[piece, None, None], [pick, one, -one]]))
        due = piece @ here
        free = np.full(count, np.inf)
        rows = np.concatenate([due, -free]), np.concatenate([due, free])
        return Solver(whole, *self._columns(self.low, self.high), rows), due

    def _columns(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Bounds of all columns; u and w have no upper one."""
        count = 2 * len(self.bounded)
        return np.concatenate([low, np.zeros(count)]), np.concatenate([high, np.full(count, np.inf)])

    def loosen(self, bounds: tuple[Floats, Floats]) -> None:
        """What estimates tell now (rows x measures of the period)."""
        told = (bound[self.row, self.measure] for bound in bounds)
        low, high = (np.where(np.isfinite(one), one, sign * np.inf) for one, sign in zip(told, (-1, 1), strict=True))
        self.told = low, high
        self.solver.rows(np.concatenate([self.due, low]), np.concatenate([self.due, high]))

    def areas_of(self, cell: int) -> set[int]:
        """The area of a cell, or the members of a crowd."""
        place = cell // self.many
        if place < len(self.rows):
            return {int(self.rows[place])}
        return set(self.crowds[place - len(self.rows)].members.tolist())

    def reached(self, cell: int, value: float, sign: float) -> bool:
        """Whether a point that was found goes so far: at least `value` (sign 1), or at most (-1)."""
        return bool(self.seen_high[cell] >= value - EPS if sign > 0 else self.seen_low[cell] <= value + EPS)

    def solve(self, cell: int, value: float, sign: float) -> list[Passed] | None:
        """Bounds that the cheapest way to `value` passes: (row, measure, where it comes); None if there is no way."""
        at = int(np.searchsorted(self.free, cell))
        if at == len(self.free) or self.free[at] != cell or not self.low[at] <= value <= self.high[at]:
            return None
        low, high = self.low.copy(), self.high.copy()
        (low if sign > 0 else high)[at] = value
        self.solver.bounds(*self._columns(low, high))
        found = self.solver.best(self.cost)
        if found is None:
            return None
        x = found.values[: len(self.free)]
        self.seen_low[self.free] = np.minimum(self.seen_low[self.free], x)
        self.seen_high[self.free] = np.maximum(self.seen_high[self.free], x)
        mine = x[self.bounded]
        under, over = mine < self.told[0] - EPS, mine > self.told[1] + EPS
        passed = np.where(under, np.floor(mine + EPS), np.ceil(mine - EPS))
        wanted = np.flatnonzero(under | over)
        return [(int(self.row[k]), int(self.measure[k]), float(passed[k])) for k in wanted]
