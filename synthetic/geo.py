"""Municipalities as positions in one array, over the years 2019-2023."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np

from schemas import codes, gemeente
from synthetic.days import YEARS
from synthetic.rand import Bools, Ints

UNKNOWN, RNI = -1, -2  # codes 0000 and 1999
ARRONDISSEMENTEN = codes.load("arrondissement_3ro").values()


@cache
def places() -> tuple[gemeente.Gemeente, ...]:
    """Municipalities that existed some day in 2019-2023, by code."""
    begin, end = dt.date(YEARS[0], 1, 1), dt.date(YEARS[-1], 12, 31)
    found = [g for g in gemeente.all_gemeenten() if g.valid_from <= end and (g.valid_to is None or g.valid_to > begin)]
    return tuple(sorted(found, key=lambda g: g.code))


@cache
def at() -> dict[str, int]:
    """Code -> position."""
    return {g.code: i for i, g in enumerate(places())}


@cache
def exists() -> Bools:
    """Bool, years x municipalities: exists on 1 January of the year."""
    return np.array([[g.valid_on(dt.date(y, 1, 1)) for g in places()] for y in YEARS], np.bool_)


@cache
def recode(year: int) -> Ints:
    """Position -> position in the classification of 1 January `year`."""
    table = gemeente.recode_table(year)
    return np.array([at().get(table[g.code], i) for i, g in enumerate(places())], np.int64)


@cache
def codes_array() -> np.ndarray:
    """Code texts by position, with 1999 and 0000 at positions -2 and -1."""
    return np.array([*(g.code for g in places()), "1999", "0000"], object)


@cache
def regions() -> Ints:
    """Number of the veiligheidsregio per municipality."""
    names = sorted({g.veiligheidsregio_code for g in places()})
    return np.array([names.index(g.veiligheidsregio_code) for g in places()], np.int64)


@cache
def districts() -> Ints:
    """Position in ARRONDISSEMENTEN (the ten of 3RO) per municipality."""
    groups = codes.load("arrondissement_3ro").groups()
    where = {part: i for i, code in enumerate(ARRONDISSEMENTEN) for part in groups[code].split("+")}
    return np.array([where[g.arrondissement_code] for g in places()], np.int64)


@cache
def centres() -> Ints:
    """For each municipality the one of its region that books residence and shelter there.

    The list of centrumgemeenten is that of 2011 (the current one was not found, registers.md section 2);
    every region has at least one. A municipality that is one itself keeps its own clients.
    """
    own = np.array([g.centrumgemeente_mo_2011 for g in places()])
    found = np.arange(len(own), dtype=np.int64)
    for region in np.unique(regions()):
        inside = np.nonzero(regions() == region)[0]
        hubs = inside[own[inside]]
        for rank, place in enumerate(inside[~own[inside]]):
            found[place] = hubs[rank % len(hubs)] if len(hubs) else inside[0]
    return found


@cache
def successors() -> dict[int, tuple[int, int]]:
    """Position of an ended municipality -> (position of its main successor, day of the change)."""
    epoch = dt.date(1970, 1, 1)
    every = [m for m in gemeente.mergers() if m.main and m.old in at() and m.new in at()]
    return {at()[m.old]: (at()[m.new], (m.date - epoch).days) for m in every}


@cache
def _parents() -> tuple[Ints, Ints]:
    """(successor, predecessor) pairs, by successor."""
    pairs = sorted((new, old) for old, (new, _) in successors().items())
    return np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64)


def in_year(place: Ints, years: Ints, draw: Ints) -> Ints:
    """The municipality that `place` was in each year: itself, its successor, or one of its predecessors.

    `draw` (any whole numbers) chooses among predecessors. Years outside 2019-2023 take the nearest.
    """
    year = np.clip(years, YEARS[0], YEARS[-1]) - YEARS[0]
    new, old = _parents()
    low, high = np.searchsorted(new, place), np.searchsorted(new, place, side="right")
    before = old[np.minimum(low + draw % np.maximum(high - low, 1), len(old) - 1)]
    after = np.array([recode(y) for y in YEARS])[year, place]
    back = np.where((high > low) & exists()[year, before], before, place)
    return np.where(exists()[year, place], place, np.where(exists()[year, after], after, back))


def to_year(weights: np.ndarray, year: int) -> np.ndarray:
    """Weights moved to the municipalities of another year: to the successor, or shared by the predecessors."""
    alive = exists()[YEARS.index(year)]
    moved = np.zeros(len(weights))
    parents: dict[int, list[int]] = {}
    for old, (new, _) in successors().items():
        parents.setdefault(new, []).append(old)
    for place in np.nonzero(weights)[0]:
        heirs = [int(place)]
        if not alive[place]:
            before = [old for old in parents.get(int(place), []) if alive[old]]
            heirs = before or [int(recode(year)[place])]
        moved[heirs] += weights[place] / len(heirs)
    return np.where(alive, moved, 0.0)
