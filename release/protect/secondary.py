"""Secondary suppression over all linked tables at once: Gaussian elimination, LP repair (moves.py), clean-up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from release.protect.attack import Attack
from release.protect.gauss import eliminate
from release.protect.goals import Goals, Ranges, meets
from release.protect.moves import Moves
from release.protect.problem import Pattern, Problem
from release.protect.system import Flags, Floats

ROUNDS = 8
TRIES = 12
STARTS = 5


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
        moves = Moves(problem, hidden, ranges, rng)
        moves.run()
        steps["repair"] += int(hidden.sum()) - before
        found = [*ranges.points, *moves.points]
        ranges = _attack(problem, hidden, problem.goals, points=found)
        ranges.points += found
        if int(hidden.sum()) == before:
            break
    return ranges


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
