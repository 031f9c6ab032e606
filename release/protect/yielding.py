"""Estimates beside a protected table: the least that must be told coarsely, or not at all, for every cell to be safe.

The bounds of estimates are soft here: a cell may pass one, at a price. One linear program per goal and direction finds
the cheapest point that goes as far as the goal asks (the idea of the repair of suppression, moves.py); the estimates
whose bounds it passes give way, no others. After that the attack judges: only what it proves safe is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from release.protect.coarser import REFUSED, rewritten
from release.protect.crowds import silent
from release.protect.design import Place, Points, attacks, places
from release.protect.goals import Goals, Verdict
from release.protect.merge import Merged
from release.protect.period import Period
from release.protect.periods import Layout
from release.protect.soft import Soft
from release.protect.system import Flags, Floats, Ints
from release.protect.told import Sheet
from schemas.errors import DisclosureRefused

TRIES = 6
Want = tuple[int, float, float]


def without_leaks(
    estimates: pa.Table, layout: Layout, made: list[Period], hidden: list[Flags], points: list[Points]
) -> pa.Table:
    """The same table (SCHATTINGEN), in which what would narrow a hidden cell too far is told coarsely or refused.

    DisclosureRefused unsafe_tables when the pattern is unsafe without any estimate.
    """
    sheet = Sheet(estimates, layout, made, hidden)
    judged = [-1] * len(made)
    while (due := [n for n in range(len(made)) if sheet.links[n] and judged[n] != sheet.changed[n]]) != []:
        _settle(sheet, due[0], hidden[due[0]], points[due[0]])
        judged[due[0]] = sheet.changed[due[0]]
    return rewritten(estimates, sheet.steps)


def _settle(sheet: Sheet, n: int, pattern: Flags, proof: Points) -> None:
    """One half-year: estimates give way until every attacker is met, first by programs alone, then in whole numbers.

    What is found and moves no estimate is answered around the cell: its own estimates, those of areas that share a
    total with it, those of the half-year.
    """
    stuck, thorough = 0, False
    while True:
        before, found = sheet.changed[n], list[Place]()
        for view, ranges in attacks(lambda: sheet.period(n), pattern, proof, thorough=thorough):
            left = np.flatnonzero(ranges.verdict != Verdict.SAFE)
            if len(left):
                found += places(sheet.made[n], view, ranges)
                _give_way(sheet, n, pattern, view, left)
        if thorough and not found:
            return
        if sheet.changed[n] == before and thorough:
            if stuck == TRIES:
                raise DisclosureRefused("unsafe_tables", cells=len(found))
            _back_off(sheet, n, _around(sheet.made[n], found, stuck), refuse=stuck % 2 > 0)
            stuck += 1
        thorough = thorough or sheet.changed[n] == before


def _around(period: Period, found: Iterable[Place], stuck: int) -> set[int]:
    """Rows near what was found: itself, then areas that share a total with it, then all."""
    rows = {row for row, _ in found}
    if stuck >= TRIES - 2:
        return set(range(len(period.values)))
    return rows if stuck < 2 else rows.union(*(group for group in _groups(period) if group & rows))


def _groups(period: Period) -> list[set[int]]:
    return [{total, *parts} for total, parts in period.regions]


def _back_off(sheet: Sheet, n: int, rows: set[int], *, refuse: bool) -> None:
    """All estimates of these rows a step coarser, or refused."""
    for estimate in sorted(sheet.near(n, rows)):
        while sheet.steps[estimate] < REFUSED:
            sheet.coarser(estimate)
            if not refuse:
                break


def _give_way(sheet: Sheet, n: int, pattern: Flags, view: Merged, left: Ints) -> None:
    """For every goal that is open, let those estimates give way that the cheapest way to it passes."""
    soft = Soft(view, sheet.made[n], sheet.bounds(n))
    for cell, value, sign in _wants(view.problem.goals, view.problem.values, left):
        if soft.reached(cell, value, sign):
            continue
        passed = soft.solve(cell, value, sign)
        if passed is None:
            _back_off(sheet, n, _outside(sheet, n, pattern, soft.areas_of(cell)), refuse=True)
            continue
        for row, measure, at in passed:
            sheet.give_way(n, row, measure, at)
        if passed:
            soft.loosen(sheet.bounds(n))


def _outside(sheet: Sheet, n: int, pattern: Flags, areas: set[int]) -> set[int]:
    """Municipalities that an estimate keeps out of a crowd, where some area has no way to its goal without them.

    The nearest: of its own group, else of a region with it, else any.
    """
    period = sheet.made[n]
    out = set(np.flatnonzero(silent(period, pattern) & ~silent(sheet.period(n), pattern)).tolist())
    mates = {row for row in out for area in areas if row == area or period.group[row] == period.group[area]}
    near = set().union(*(group for group in _groups(period) if group & areas)) & out
    return mates or near or out


def _wants(goals: Goals, values: Floats, left: Ints) -> list[Want]:
    """(cell, value, direction) of what open goals ask: up to a bound, down to the other, as far apart as the width."""
    found: list[Want] = []
    for target in left.tolist():
        cell = int(goals.cells[target])
        down = np.fmin(goals.reach_low[target], values[cell])
        up = np.fmax(goals.reach_high[target], max(values[cell], down + goals.width[target]))
        found += [(cell, float(up), 1.0), (cell, float(down), -1.0)]
    return found
