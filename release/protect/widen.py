"""What more to hide around a cell that the audit could not prove safe: a little at first, more each time it comes back.

Suppression pays for moves one target at a time, and some pairs of cells stand in each other's way: a category of the
country against its complement, or two municipalities that each other's region holds still. Room made by hand, next to
the cell, settles them; what is hidden too much is the price of an answer.
"""

from __future__ import annotations

import numpy as np

from release.protect.period import Period
from release.protect.system import Flags

CROWD = 3


def widen(period: Period, hidden: Flags, place: tuple[int, int], times: int) -> None:
    """Hide more around (row, variable), in place; `times` says how often this cell came back before.

    0: the cheapest number of its row that it adds up with. 1: all of those. 2: the same in the areas around it.
    From 3: smallest municipalities of those areas fall silent, so that there is a crowd to hide in.
    """
    row, variable = place
    mates = _mates(period, variable)
    if times == 0:
        open_now = [column for column in mates if not hidden[row, column]]
        cheapest = sorted(open_now, key=lambda column: (period.weight[row, column], column))[:1]
        hidden[row, cheapest] = True
        if cheapest:
            return
    hidden[row, mates] = True
    if times >= 2:
        hidden[np.ix_(_kin(period, row), mates)] = True
    if times >= 3:
        _silence(period, hidden, row, CROWD * (times - 2))


def _mates(period: Period, variable: int) -> list[int]:
    """Measures in one relation with the variable, itself among them when it is printed."""
    found = {variable}
    for total, parts in period.template.relations:
        if variable in (total, *parts):
            found |= {total, *parts}
    return sorted(column for column in found if column < period.template.measures)


def _kin(period: Period, row: int) -> list[int]:
    """Areas that the row is a part of, and areas of other groupings that share a municipality with it.

    A region in which one more person is to fit needs all of these to give way; for the country, two cheap regions do.
    """
    own = _municipalities(period, row)
    above = [total for total, parts in period.regions if row in parts]
    beside = [total for total, parts in period.regions if total not in above and total != row and own & set(parts)]
    below = [part for total, parts in period.regions if total == row for part in parts if not period.insiders[part]]
    cheapest = sorted(below, key=lambda part: (period.weight[part].sum(), part))[:2]
    return [*above, *beside, *cheapest]


def _municipalities(period: Period, row: int) -> set[int]:
    return {part for total, parts in period.regions if total == row for part in parts if period.insiders[part]}


def _silence(period: Period, hidden: Flags, row: int, many: int) -> None:
    """Hide whole rows of the smallest municipalities of the area (or of the municipality's own regions)."""
    inside = [row] if not period.insiders[row] else [total for total, parts in period.regions if row in parts]
    parts = {part for area in inside for part in _municipalities(period, area)}
    loud = [part for part in sorted(parts) if not hidden[part].all()]
    for part in sorted(loud, key=lambda one: (period.values[one, 0], one))[:many]:
        hidden[part] = True
