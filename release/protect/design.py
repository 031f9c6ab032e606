"""One period of the target-group tables: from true values to a pattern that no attacker undoes, and the audit of one.

Three kinds of attacker: the outsider, and with it every municipality in a crowd; all municipalities that stand alone
together, against regions and crowds; and all of those against each one of their own number. What is safe from parties
that pool what they know is safe from each of them. docs/disclosure.md section 4 gives the argument, and tests compare
with one attack per municipality on the system as it is, nothing merged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from release.protect.attack import Attack
from release.protect.crowds import silent
from release.protect.evidence import Evidence
from release.protect.goals import Ranges
from release.protect.merge import Merged, alone, blocks, outsider, singles
from release.protect.period import Period
from release.protect.problem import Pattern
from release.protect.secondary import cheapest, suppress
from release.protect.system import Flags, Floats
from release.protect.widen import widen
from schemas.errors import DisclosureRefused

ROUNDS = 10
REPAIRS = 8
SMALL = 150  # cells of a system that is worth several starts
Place = tuple[int, int]


@dataclass
class Points:
    """Whole-number points, offered as certificates: of the merged system, and of the blocks."""

    merged: list[Floats] = field(default_factory=list)
    blocks: list[Floats] = field(default_factory=list)


@dataclass
class Design:
    """Rows x measures to hide, with the points that prove it safe, how many cells each step hid, and the last audit."""

    hidden: Flags
    points: Points
    steps: dict[str, int]
    evidence: Evidence


def protect(period: Period, *, tries: int = 0, rounds: int = REPAIRS) -> Design:
    """What to hide in one period: a pattern that the audit finds safe, or none.

    What the audit cannot prove safe is fed back: more is hidden around it (release/protect/widen.py), and all is done
    again on the grown pattern. DisclosureRefused unprotectable when `rounds` of that do not help.
    """
    hidden, told = period.start().copy(), dict[Place, int]()
    steps: dict[str, int] = defaultdict(int)
    unsafe: list[Place] = []
    for _ in range(rounds + 1):
        points = _suppress(period, hidden, steps, tries)
        evidence = Evidence()
        unsafe = findings(period, hidden, points, evidence)
        if not unsafe:
            return Design(hidden, points, dict(steps), evidence)
        before = int(hidden.sum())
        for place in unsafe:
            told[place] = told.get(place, -1) + 1
            widen(period, hidden, place, told[place])
        steps["fed_back"] += int(hidden.sum()) - before
    raise DisclosureRefused("unprotectable", cells=len(unsafe))


def _suppress(period: Period, hidden: Flags, steps: dict[str, int], tries: int) -> Points:
    """Grow the pattern until every attacker's view is met as far as suppression can; the points that prove it.

    A pattern only grows, so what one attacker cannot narrow down stays so; only when a municipality falls silent and
    joins a crowd do the systems change, and all attackers come again.
    """
    points = Points()
    for number in range(ROUNDS):
        before, points = silent(period, hidden), Points()
        view = outsider(period, hidden)
        points.merged = _attack(singles(period, hidden), [], singles=False).points
        if number == 0 and view.problem.system.cells <= SMALL:
            pattern = cheapest(view.problem)
        else:
            pattern = suppress(view.problem, use_gauss=number == 0, tries=tries, points=points.merged)
        points.merged = _settle(period, hidden, view, pattern, steps)
        view = singles(period, hidden)
        pattern = suppress(view.problem, use_gauss=False, tries=0, points=points.merged)
        points.merged = _settle(period, hidden, view, pattern, steps)
        view = blocks(period, hidden)
        pattern = suppress(view.problem, use_gauss=number == 0, tries=0)
        points.blocks = _settle(period, hidden, view, pattern, steps)
        for row in _rows_of(view, pattern.ranges):
            points.merged = _alone(period, hidden, row, points.merged, steps)
        if np.array_equal(before, silent(period, hidden)):
            break
    return points


def _settle(period: Period, hidden: Flags, view: Merged, pattern: Pattern, steps: dict[str, int]) -> list[Floats]:
    """Put a problem's pattern back on the areas; returns the points that prove it."""
    many = len(period.template.names)
    found = pattern.hidden[: len(view.rows) * many].reshape(len(view.rows), many)
    hidden[view.rows] |= found[:, : period.template.measures]
    for name, count in pattern.steps.items():
        steps[name] += count if name != "primary" else 0
    return pattern.ranges.points


def _alone(period: Period, hidden: Flags, row: int, points: list[Floats], steps: dict[str, int]) -> list[Floats]:
    """A municipality whose own group has no room to hide it: the whole system may move, all others are known."""
    view = alone(period, hidden, row)
    pattern = suppress(view.problem, use_gauss=False, tries=0, points=points)
    return _settle(period, hidden, view, pattern, steps)


def _rows_of(view: Merged, ranges: Ranges) -> list[int]:
    """Areas with a cell that is not proven safe."""
    if len(ranges.unsafe) == 0:
        return []
    many = view.problem.system.cells // len(view.rows)  # blocks hold nothing but rows
    return [int(view.rows[place]) for place in np.unique(ranges.unsafe // many)]


def _attack(view: Merged, points: list[Floats], *, singles: bool = True) -> Ranges:
    low, high = view.problem.known(view.problem.primary)
    fitting = [point for point in points if len(point) == view.problem.system.cells]
    attack = Attack(view.problem.system, low, high)
    return attack.run(view.problem.goals, view.problem.values, points=fitting, singles=singles)


def audit(period: Period, hidden: Flags, points: Points | None = None) -> int:
    """Number of cells that some attacker could narrow down too far, if this pattern (rows x measures) were printed."""
    return len(findings(period, hidden, points))


def findings(
    period: Period, hidden: Flags, points: Points | None = None, evidence: Evidence | None = None
) -> list[Place]:
    """The (row, variable) of every cell that is not proven safe from some attacker; of a crowd, its first member.

    `points` are offered as certificates; each is checked against the pattern before it counts. `evidence` is told of
    every attack.
    """
    found: dict[Place, None] = {}
    for view, ranges in attacks(lambda: period, hidden, points or Points(), evidence):
        found |= dict.fromkeys(places(period, view, ranges))
    return list(found)


def attacks(
    now: Callable[[], Period], hidden: Flags, points: Points, evidence: Evidence | None = None, *, thorough: bool = True
) -> Iterator[tuple[Merged, Ranges]]:
    """Every attacker's view of the period as it is `now`, when its turn comes, and what that attacker finds.

    Not `thorough`: shared witnesses only, so that more stays open than need be.
    """
    evidence = evidence or Evidence()
    for look in (outsider, singles):
        view = look(now(), hidden)
        yield view, evidence.add(_attack(view, points.merged, singles=thorough))
    view = blocks(now(), hidden)
    for row in _rows_of(view, evidence.add(_attack(view, points.blocks, singles=thorough))):
        one = alone(now(), hidden, row)
        yield one, evidence.add(_attack(one, points.merged, singles=thorough))


def places(period: Period, view: Merged, ranges: Ranges) -> list[Place]:
    """(row, variable) of what an attack did not prove safe; of a crowd, its first member."""
    many = len(period.template.names)
    rows = [*view.rows.tolist(), *(int(crowd.members[0]) for crowd in view.crowds)]
    return [(rows[cell // many], cell % many) for cell in ranges.unsafe.tolist()]
