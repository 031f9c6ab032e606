"""Which shown cells must move along when a cell that is too narrow moves: the LPs of the repair.

The shortest-path idea of Kelly, Golden and Assad (1992) and Castro (2007): move every cell that is too narrow towards
its goal, and pay for each shown cell that has to move along; those are hidden.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from release.protect.goals import Goals, Ranges, meets, wants
from release.protect.problem import Problem
from release.protect.solver import Push
from release.protect.system import EPS, Flags, Floats

FREE = 3
BETWEEN = 8
TOGETHER = 500  # of fewer open targets one moves at a time; of more, as many more: dearer, but the only way in time


class Moves:
    """LPs in displacements from the true values. A target's move is rewarded, a shown cell's move is paid for.

    The reward starts below the price of any shown cell and doubles whenever nothing more is gained, so cheap cells go
    first and an expensive one only where nothing else will do. Every solution is kept as a (possibly fractional) point
    that the grown pattern allows; `hidden` grows in place.
    """

    def __init__(self, problem: Problem, hidden: Flags, ranges: Ranges, rng: np.random.Generator) -> None:
        self.problem, self.hidden, self.rng = problem, hidden, rng
        self.printed = np.flatnonzero(problem.published)
        system, goals = problem.system, problem.goals
        matrix = sparse.csr_array(sparse.hstack([system.matrix, -system.matrix[:, self.printed]]))
        least = np.minimum(problem.low - problem.values, 0.0)
        printed = problem.published
        low = np.concatenate([np.where(printed, 0.0, least), np.zeros(len(self.printed))])
        high = np.concatenate([problem.high - problem.values, -least[self.printed]])
        self.high = high
        self.points: list[Floats] = []
        self.reward = 20.0 * max(float(problem.cost.max()), 1.0)
        self.here = problem.values[goals.cells]
        zero = np.zeros(len(goals.cells))
        self.push = Push(matrix, (low, high), np.zeros(matrix.shape[0]), goals.cells, zero, self.printed)
        self.seen_low, self.seen_high = ranges.seen_low - self.here, ranges.seen_high - self.here

    def run(self) -> None:
        """Until every goal is met in displacements, or nothing helps. One target at a time, the farthest first."""
        stuck = np.zeros(len(self.here), dtype=bool)
        while True:
            self._for_free()
            for _ in range(BETWEEN):
                left = np.flatnonzero(~self._met() & ~stuck)
                if len(left) == 0:
                    return
                want = self._wants()
                chosen = left[np.argsort(-np.abs(want[left]), kind="stable")[: 1 + len(left) // TOGETHER]]
                self._solve(np.where(np.isin(np.arange(len(want)), chosen), want, 0.0), self.reward)
                if len(chosen) == 1:
                    stuck[chosen] = not self._nearer(int(chosen[0]), want[chosen[0]])

    def _nearer(self, target: int, want: float) -> bool:
        return bool(self.seen_high[target] >= want - EPS if want > 0 else self.seen_low[target] <= want + EPS)

    def _for_free(self) -> None:
        """What the cells hidden so far already allow: all open targets at once, nothing more is hidden."""
        for _ in range(FREE):
            left = ~self._met()
            if not left.any():
                return
            self._solve(np.where(left, self._wants(), 0.0), 0.0)
            if (~self._met()).sum() >= left.sum():
                return

    def _close(self, closed: bool) -> None:
        """Let shown cells move at their price, or not at all."""
        still = np.flatnonzero(~self.hidden[self.printed]) if closed else np.zeros(0, dtype=np.int64)
        high = self.high.copy()
        high[self.printed[still]] = 0.0
        high[self.problem.system.cells + still] = 0.0
        self.push.high = high

    def _met(self) -> Flags:
        goals = self.problem.goals
        relative = Goals(goals.cells, goals.width, goals.reach_low - self.here, goals.reach_high - self.here)
        return meets(relative, self.seen_low - EPS, self.seen_high + EPS)

    def _wants(self) -> Floats:
        return wants(self.problem.goals, self.here, self.seen_low + self.here, self.seen_high + self.here, self.rng)

    def _solve(self, want: Floats, reward: float) -> None:
        problem, cells = self.problem, self.problem.system.cells
        price = np.where(self.hidden, 0.0, -problem.cost)[self.printed]
        self._close(not reward)
        price *= self.rng.uniform(0.95, 1.05, len(price))
        cost = np.zeros(cells)
        cost[self.printed] = price
        found = self.push.best(want, np.full(len(want), reward or 1.0), np.concatenate([cost, price]))
        if found is None:
            return
        moved = found.values[:cells].copy()
        moved[self.printed] -= found.values[cells:]
        self.hidden |= problem.published & (np.abs(moved) > EPS)
        if (np.abs(moved - np.round(moved)) < EPS).all():
            self.points.append(problem.values + np.round(moved))
        at = moved[problem.goals.cells]
        self.seen_low, self.seen_high = np.minimum(self.seen_low, at), np.maximum(self.seen_high, at)
