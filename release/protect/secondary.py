"""Secondary suppression over all linked tables at once: Gaussian elimination, LP repair, clean-up.

Repair is the shortest-path idea of Kelly, Golden and Assad (1992) and Castro (2007) with many targets in one LP: move
every cell that is too narrow towards its goal, and pay for each shown cell that has to move along; those are hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from release.protect.attack import Attack, Goals, Ranges, meets, wants
from release.protect.gauss import eliminate
from release.protect.solver import Push
from release.protect.system import EPS, Flags, Floats, System

FREE = 3
BETWEEN = 8
TOGETHER = 40  # of so many open targets one moves at a time; of more, as many more
ROUNDS = 8
TRIES = 12
STARTS = 5


@dataclass(frozen=True)
class Problem:
    """What is to be protected. All arrays have one entry per cell.

    values     true counts (for an implied cell too)
    published  the cell is printed unless hidden; the others are implied: never printed, only derivable
    primary    must not be derivable (printed or implied)
    cost       what hiding it costs; higher is hidden later
    low, high  what an attacker knows of the cell even when it is hidden
    goals      the ranges that the primary cells need
    """

    system: System
    values: Floats
    published: Flags
    primary: Flags
    cost: Floats
    low: Floats
    high: Floats
    goals: Goals

    def known(self, hidden: Flags) -> tuple[Floats, Floats]:
        """What an attacker knows before using relations: shown values, and the lower bounds of the rest."""
        shown = self.published & ~hidden
        return np.where(shown, self.values, self.low), np.where(shown, self.values, self.high)


@dataclass
class Pattern:
    """Which cells are hidden, how many by which step, and the attacker's ranges on the result."""

    hidden: Flags
    ranges: Ranges
    steps: dict[str, int] = field(default_factory=dict)


def suppress(
    problem: Problem, *, use_gauss: bool = True, tries: int = TRIES, seed: int = 0, points: Sequence[Floats] = ()
) -> Pattern:
    """A pattern in which every goal is met by whole-number points; `ranges.unsafe` is what no pattern protects."""
    hidden = problem.primary & problem.published
    steps = {"primary": int(hidden.sum()), "gauss": 0, "repair": 0, "cleanup": 0}
    if use_gauss:
        free = np.flatnonzero(problem.published & ~hidden)
        added = eliminate(problem.system, problem.goals.cells, free, problem.cost)
        hidden[added] = True
        steps["gauss"] = len(added)
    ranges = _repair(problem, hidden, steps, seed, points)
    if tries and len(ranges.unsafe) == 0:
        ranges = _clean(problem, hidden, ranges, steps, tries)
    return Pattern(hidden, ranges, steps)


def cheapest(problem: Problem, starts: int = STARTS) -> Pattern:
    """The cheapest of several patterns: with and without elimination, and with other orders of moves.

    Elimination hides too much where there is little to hide, and which cell moves first matters; on small tables the
    best of these is near the optimum (docs/decisions/0121), and they cost next to nothing there.
    """
    made = [suppress(problem), *(suppress(problem, use_gauss=False, seed=seed) for seed in range(starts - 1))]
    return min(made, key=lambda one: (len(one.ranges.unsafe), float(problem.cost[one.hidden].sum())))


def _attack(
    problem: Problem, hidden: Flags, goals: Goals, *, singles: bool = True, points: Sequence[Floats] = ()
) -> Ranges:
    low, high = problem.known(hidden)
    return Attack(problem.system, low, high).run(goals, problem.values, singles=singles, points=points)


def _repair(problem: Problem, hidden: Flags, steps: dict[str, int], seed: int, points: Sequence[Floats]) -> Ranges:
    """Audit; for what is not safe find the cheapest moves and hide the shown cells in them; again until all is safe."""
    rng = np.random.default_rng(seed)
    ranges = _attack(problem, hidden, problem.goals, singles=False, points=points)
    ranges.points += points
    for _ in range(ROUNDS):
        if len(ranges.unsafe) == 0:
            break
        before = int(hidden.sum())
        moves = _Moves(problem, hidden, ranges, rng)
        moves.run()
        steps["repair"] += int(hidden.sum()) - before
        found = [*ranges.points, *moves.points]
        ranges = _attack(problem, hidden, problem.goals, points=found)
        ranges.points += found
        if int(hidden.sum()) == before:
            break
    return ranges


class _Moves:
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


def _clean(problem: Problem, hidden: Flags, ranges: Ranges, steps: dict[str, int], tries: int) -> Ranges:
    """Show the most valuable secondary cells again where every goal is still met."""
    extra = np.flatnonzero(hidden & ~problem.primary & problem.published)
    for cell in extra[np.argsort(-problem.cost[extra], kind="stable")]:
        if not _needed(ranges, int(cell), problem.values):
            hidden[cell] = False
            steps["cleanup"] += 1
            ranges.points = [p for p in ranges.points if p[cell] == problem.values[cell]]
        elif tries > 0:
            tries -= 1
            hidden[cell] = False
            again = _attack(problem, hidden, problem.goals, singles=False)
            if len(again.unsafe):
                hidden[cell] = True
            else:
                ranges = again
                steps["cleanup"] += 1
    return _attack(problem, hidden, problem.goals)


def _needed(ranges: Ranges, cell: int, values: Floats) -> bool:
    """Whether some goal is met only by points in which this cell differs from its true value."""
    kept = [p[ranges.goals.cells] for p in ranges.points if p[cell] == values[cell]]
    if not kept:
        return True
    stack = np.array(kept)
    return not bool(meets(ranges.goals, stack.min(axis=0), stack.max(axis=0)).all())
