"""Starts and ends that must each have fixed counts, paired into spells; spells paired into persons."""

from __future__ import annotations

import numpy as np

from synthetic.days import NEVER, year_of
from synthetic.rand import Ints, Rng, follow, runs, some


def pair(rng: Rng, groups: int, starts: tuple[Ints, Ints], ends: tuple[Ints, Ints]) -> tuple[Ints, Ints, Ints]:
    """(group, start, end) of spells: every start and every end used once, spells left over run on (NEVER).

    `starts` and `ends` are (group, day). First in, first out is always possible when a group's stock is never
    negative; swapping ends of spells that overlap then gives short and long spells beside each other. Two days
    of one year that stand the wrong way round are exchanged, so counts per year stay as they are.
    """
    group, start = _ordered(starts)
    end_group, end_day = _ordered(ends)
    first = np.concatenate(([0], np.cumsum(np.bincount(group, minlength=groups))))[:-1]
    _, rank = runs(np.bincount(end_group, minlength=groups))
    end = np.full(len(group), NEVER, np.int64)
    end[first[end_group] + rank] = end_day
    wrong = end < start
    start[wrong], end[wrong] = end[wrong], start[wrong]
    _mix(rng, group, start, end)
    same = end == start
    late = year_of(end[same] + 1) == year_of(end[same])
    end[same] += late
    start[same] -= ~late
    return group, start, end


def _ordered(rows: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    order = np.lexsort((rows[1], rows[0]))
    return rows[0][order], rows[1][order].copy()


def _mix(rng: Rng, group: Ints, start: Ints, end: Ints) -> None:
    """Swap ends of spells of one group that overlap, at growing distances, half of the time."""
    n, step = len(group), 1
    while step < min(n, 4096):
        low = np.nonzero((np.arange(n) // step) % 2 == 0)[0]
        low = low[low + step < n]
        high = low + step
        may = (group[low] == group[high]) & (np.maximum(start[low], start[high]) < np.minimum(end[low], end[high]))
        swap = may & some(rng, len(low), 0.5)
        low, high = low[swap], high[swap]
        end[low], end[high] = end[high], end[low]
        step *= 2


def successors(rng: Rng, keys: Ints, begin: Ints, end: Ints, rate: float, wait: float, gap: int = 3) -> Ints:
    """For each spell the later spell of the same key that belongs to the same person, or -1.

    About `rate` of the spells look for a follower, `wait` days after their end on average, at least `gap`.
    Both sides are taken in order of time, so nobody has two followers or two predecessors.
    """
    give = some(rng, len(keys), rate) & (end < NEVER)
    take = some(rng, len(keys), rate)
    back = end + gap + rng.exponential(wait, len(keys)).astype(np.int64)
    found = np.full(len(keys), -1, np.int64)
    giver, taker = np.nonzero(give)[0], np.nonzero(take)[0]
    giver = giver[np.lexsort((back[giver], keys[giver]))]
    taker = taker[np.lexsort((begin[taker], keys[taker]))]
    span = np.int64(1) << 20
    slots = keys[taker] * span + begin[taker]
    at = np.searchsorted(slots, keys[giver] * span + back[giver])
    step = np.arange(len(at))
    at = np.maximum.accumulate(at - step) + step if len(at) else at
    fits = at < len(taker)
    giver, at = giver[fits], at[fits]
    fits = (keys[taker[at]] == keys[giver]) & (begin[taker[at]] >= end[giver] + gap)
    found[giver[fits]] = taker[at[fits]]
    return found


def persons(successor: Ints) -> tuple[Ints, int]:
    """Person number (0, 1, ..) of every spell, and how many persons there are."""
    _, person = np.unique(follow(successor), return_inverse=True)
    return person.astype(np.int64), int(person.max(initial=-1)) + 1
