"""Wholly hidden municipalities of one group (the same regions), that hide one another.

No relation can tell their persons apart, so three or more of them stand as one row, the crowd. Each member can be
anything from nobody to the whole crowd.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from release.protect.period import Period
from release.protect.system import Flags, Floats, Ints

CROWD = 3


@dataclass(frozen=True)
class Crowd:
    """Municipalities of one group that are hidden altogether: one row of the merged system."""

    members: Ints
    values: Floats
    low: Floats
    reach: Floats
    target: Flags


def crowds_of(period: Period, hidden: Flags) -> tuple[list[Crowd], Ints]:
    """Crowds, and the insiders' rows that are in none."""
    groups: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(silent(period, hidden)):
        groups[int(period.group[row])].append(int(row))
    crowds = [_crowd(period, np.array(rows)) for rows in groups.values() if len(rows) >= CROWD]
    inside = {int(row) for crowd in crowds for row in crowd.members}
    own = np.array([row for row in np.flatnonzero(period.insiders) if int(row) not in inside], dtype=np.int64)
    return crowds, own


def _crowd(period: Period, members: Ints) -> Crowd:
    """Whoever knows one member must still find another's cell up to its margin and the full width."""
    values = period.values[members]
    ordered = np.sort(values, axis=0)
    first, second = ordered[-1], ordered[-2]
    reach = np.maximum(first + period.rules.width, first + second + period.rules.margin)
    return Crowd(members, values.sum(axis=0), first, reach, np.asarray(period.judged.target[members].any(axis=0)))


def silent(period: Period, hidden: Flags) -> Flags:
    """Municipalities of which nothing is shown, now or earlier, and no estimate says anything."""
    return np.asarray((hidden & ~period.known() & ~period.bounded()).all(axis=1) & period.insiders)
