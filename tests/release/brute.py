"""Every whole-number table that fits what is printed, for countries of one grouping: the range of each cell, exactly.

Written apart from the engine: no relation, no solver. A row is a pair (persons, with detention); a set of pairs is a
grid of flags; what a region can be is the set of all sums of what its municipalities can be. That is enumeration of all
tables, area by area, because areas share nothing but their total.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from release.protect.system import Flags, Floats, Ints

Pairs = Flags  # [persons, with detention] -> possible


def allowed(counts: Floats, hidden: Flags, size: int) -> Pairs:
    """Pairs of one row that fit: with detention is a part of persons, and what is shown is what it is."""
    persons, part = np.indices((size, size))
    fits = part <= persons
    if not hidden[0]:
        fits &= persons == counts[0]
    if not hidden[1]:
        fits &= part == counts[1]
    return np.asarray(fits)


def within(pairs: Pairs, low: Floats, high: Floats) -> Pairs:
    """Those of which persons and with detention lie between these two bounds each: what an estimate leaves."""
    persons, part = np.indices(pairs.shape)
    return np.asarray(pairs & (persons >= low[0]) & (persons <= high[0]) & (part >= low[1]) & (part <= high[1]))


def plus(one: Pairs, other: Pairs) -> Pairs:
    """All sums of a pair of one and a pair of the other, within the grid: in how many ways, counted, is any."""
    size = len(one)
    ways = np.fft.irfft2(_spectrum(one) * _spectrum(other), (2 * size, 2 * size))
    return np.asarray(ways[:size, :size] > 0.5)


def minus(whole: Pairs, part: Pairs) -> Pairs:
    """What is left: pairs that with some pair of `part` make some pair of `whole`."""
    size = len(whole)
    ways = np.fft.irfft2(_spectrum(whole) * np.conj(_spectrum(part)), (2 * size, 2 * size))
    return np.asarray(ways[:size, :size] > 0.5)


def _spectrum(pairs: Pairs) -> NDArray[np.complex128]:
    return np.fft.rfft2(pairs.astype(float), (2 * len(pairs), 2 * len(pairs)))


def total(sets: Iterable[Pairs], size: int) -> Pairs:
    """All sums of one pair of each."""
    found = np.zeros((size, size), dtype=bool)
    found[0, 0] = True
    for one in sets:
        found = plus(found, one)
    return found


def possible(rows: list[Pairs], grouping: list[list[int]], size: int) -> list[Pairs]:
    """What each row can be, given all the others. Rows: municipalities, regions, country; as tests/release/tiny.py."""
    places = sum(len(region) for region in grouping)
    up = [plus_of(rows, region, size) & rows[places + number] for number, region in enumerate(grouping)]
    country = total(up, size) & rows[-1]
    found = list(rows)
    found[-1] = country
    for number, region in enumerate(grouping):
        others = total((one for place, one in enumerate(up) if place != number), size)
        here = up[number] & minus(country, others)
        found[places + number] = here
        for place in region:
            rest = plus_of(rows, [other for other in region if other != place], size)
            found[place] = rows[place] & minus(here, rest)
    return found


def plus_of(rows: list[Pairs], members: list[int], size: int) -> Pairs:
    """All sums over some rows."""
    return total((rows[place] for place in members), size)


def ranges(sets: list[Pairs]) -> tuple[Ints, Ints]:
    """Least and most of persons, with detention, and the rest, per row."""
    low, high = [], []
    for one in sets:
        n, a = np.nonzero(one)
        triple = (n, a, n - a)
        low.append([values.min() for values in triple])
        high.append([values.max() for values in triple])
    return np.array(low), np.array(high)
