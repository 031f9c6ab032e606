"""Which shown cells must move along when a cell that is too narrow moves: the LPs of the repair.

The shortest-path idea of Kelly, Golden and Assad (1992) and Castro (2007): move every cell that is too narrow towards
its goal, and pay for each shown cell that has to move along; those are hidden.
"""

from __future__ import annotations

import numpy as np

from release.protect.displaced import Displaced, near
from release.protect.goals import Goals, Ranges, crowded, meets, some, wants
from release.protect.problem import Problem
from release.protect.system import EPS, Flags, Floats

FREE = 3
FREE_MANY = 30  # of many open targets only a part is pushed at once
PATIENCE = 3
BETWEEN = 8
LARGE = 6_000  # in a system of more cells a target's move is first looked for near it


class Moves:
    """LPs in displacements from the true values. A target's move is rewarded, a shown cell's move is paid for.

    The reward is far above the price of any shown cell. Every solution is kept as a (possibly fractional) point that
    the grown pattern allows; `hidden` grows in place.
    """

    def __init__(self, problem: Problem, hidden: Flags, ranges: Ranges, rng: np.random.Generator) -> None:
        self.problem, self.hidden, self.rng = problem, hidden, rng
        goals = problem.goals
        self.points: list[Floats] = []
        self.reward = 20.0 * max(float(problem.cost.max()), 1.0)
        self.here = problem.values[goals.cells]
        self.whole = Displaced(problem, np.arange(problem.system.cells), goals.cells)
        self.seen_low, self.seen_high = ranges.seen_low - self.here, ranges.seen_high - self.here
        self.many, self.large = crowded(~self._met()), problem.system.cells > LARGE

    def run(self) -> None:
        """Until every goal is met in displacements, or nothing helps. One target at a time, the farthest first."""
        stuck = np.zeros(len(self.here), dtype=bool)
        if self.many or not self.large:
            self._for_free()
        while True:
            for _ in range(BETWEEN):
                left = np.flatnonzero(~self._met() & ~stuck)
                if len(left) == 0:
                    return
                want = self._wants()
                chosen = int(left[np.argmax(np.abs(want[left]))])
                stuck[chosen] = not self._move(chosen, want[chosen])
            if (
                not self.large
            ):  # there a move near the target costs less than one look at everything, and is free if it can
                self._for_free()

    def _move(self, target: int, want: float) -> bool:
        """Whether it got as far as it wants: in a large system by moves near it, else by moves anywhere."""
        if self.large:
            cell = self.problem.goals.cells[target]
            around = Displaced(self.problem, near(self.problem.system, int(cell)), np.array([cell]))
            self._solve(np.array([want]), self.reward, around)
            if self._nearer(target, want):
                return True
        every = np.zeros(len(self.here))
        every[target] = want
        self._solve(every, self.reward, self.whole)
        return self._nearer(target, want)

    def _nearer(self, target: int, want: float) -> bool:
        return bool(self.seen_high[target] >= want - EPS if want > 0 else self.seen_low[target] <= want + EPS)

    def _for_free(self) -> None:
        """What is hidden already allows: all open targets at once, of very many a part; nothing more is hidden."""
        idle = 0
        for _ in range(FREE_MANY if self.many else FREE):
            left = ~self._met()
            if not left.any():
                return
            pushed = some(left, self.rng) if self.many else left
            self._solve(np.where(pushed, self._wants(), 0.0), 0.0, self.whole)
            idle = 0 if (~self._met()).sum() < left.sum() else idle + 1
            if idle >= (PATIENCE if self.many else 1):
                return

    def _met(self) -> Flags:
        goals = self.problem.goals
        relative = Goals(goals.cells, goals.width, goals.reach_low - self.here, goals.reach_high - self.here)
        return meets(relative, self.seen_low - EPS, self.seen_high + EPS)

    def _wants(self) -> Floats:
        return wants(self.problem.goals, self.here, self.seen_low + self.here, self.seen_high + self.here, self.rng)

    def _solve(self, want: Floats, reward: float, where: Displaced) -> None:
        """One LP; without a reward shown cells stay where they are."""
        problem = self.problem
        moved = where.best(want, reward, self.hidden, self.rng)
        if moved is None:
            return
        self.hidden |= problem.published & (np.abs(moved) > EPS)
        if (np.abs(moved - np.round(moved)) < EPS).all():
            self.points.append(problem.values + np.round(moved))
        at = moved[problem.goals.cells]
        self.seen_low, self.seen_high = np.minimum(self.seen_low, at), np.maximum(self.seen_high, at)
