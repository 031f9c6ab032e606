"""Detentions: spells from the published end notices, begin notices chosen to the published counts.

Three sectors. GW and JJI spells are drawn from their end; ForZo (tbs) from both sides, since it lasts years.
Spells of people without a BRP address fill up to the true in- and outflow of table 1 and 2; nobody is told of
those. Stay: mean 110 days, half at most 4 weeks (lognormal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synthetic import geo, pairing, targets
from synthetic.days import COVER_BEGIN, COVER_END, NEVER, YEARS, first_day, last_day, year_of
from synthetic.defects import Defects
from synthetic.rand import Bools, Ints, Rng, Streams, apportion, between, rank_in, runs, sample, some

GW, FORZO, JJI = 0, 1, 2
SECTORS = ("GW", "FORZO", "JJI")
LONGEST = 3_000
_FAR = 3  # years after 2023 in which people who are inside at the end of 2023 come out
SPAN = np.int64(1) << 20


@dataclass
class Spells:
    """Detentions as arrays of one length; days; `end` is the true end, also after 2023.

    `place` is the municipality of the end, `place_begin` that of the begin (-1 unknown); `told_begin` and
    `told_end` say whether a notice was sent; `part_of` is the spell that this one continues after a transfer.
    """

    place: Ints
    place_begin: Ints
    begin: Ints
    end: Ints
    sector: Ints
    told_begin: Bools
    told_end: Bools
    part_of: Ints
    person: Ints
    second_begin: Ints  # day of a second begin notice after a transfer, 0 = none
    persons: int = 0

    def __len__(self) -> int:
        return len(self.begin)


def stays(rng: Rng, n: int) -> Ints:
    """Days inside, at least 1."""
    return np.clip(np.exp(rng.normal(np.log(28.0), 1.72, n)), 1, LONGEST).astype(np.int64)


def make(streams: Streams, scale: float, defects: Defects) -> Spells:
    """All detentions of the country, with their persons and notices."""
    notices = targets.notices(scale)
    ended = _ended(streams("detention"), notices.end)
    if defects.transfer_split:
        _transfers(streams("transfer"), ended, defects.transfer_split)
    slots = _slots(streams("begin-sector"), notices.begin, targets.BEGIN)
    lost = defects.end_notice_lost
    spells = _begin_notices(streams("begin"), ended, slots, lost)
    if defects.begin_twice:
        _second_begins(streams("begin-twice"), spells, defects.begin_twice)
    spells = _join(spells, _untold(streams("untold"), spells, scale))
    _persons(streams("detained"), spells)
    return spells


def _slots(rng: Rng, counts: Ints, sectors: dict[int, tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
    """(year, place, sector) of every notice: both margins exact."""
    year, place, sector = [], [], []
    for number, y in enumerate(YEARS):
        where = np.repeat(np.arange(counts.shape[1]), counts[number])
        kinds = np.repeat(np.arange(3), apportion(len(where), sectors[y]))
        year.append(np.full(len(where), y))
        place.append(where)
        sector.append(rng.permutation(kinds))
    return np.concatenate(year), np.concatenate(place), np.concatenate(sector)


def _ended(rng: Rng, counts: Ints) -> Spells:
    """One spell per end notice, and those still inside at the end of 2023."""
    year, place, sector = _slots(rng, counts, targets.END)
    last = year == YEARS[-1]
    for ahead in range(1, _FAR + 1):
        year = np.concatenate((year, np.full(int(last.sum()), YEARS[-1] + ahead)))
        place, sector = (
            np.concatenate((place, place[: len(last)][last])),
            np.concatenate((sector, sector[: len(last)][last])),
        )
    end = between(rng, first_day(year), last_day(year))
    stay = stays(rng, len(end))
    stay[sector == FORZO] = between(rng, np.full(int((sector == FORZO).sum()), 1_900), 4_500)
    begin = end - stay
    keep = begin < COVER_END
    spells = _fresh(place[keep], place[keep], begin[keep], end[keep], sector[keep])
    spells.told_end = spells.end < COVER_END
    spells.place_begin = geo.in_year(spells.place, year_of(spells.begin), between(rng, np.zeros(len(spells)), 9))
    return spells


def _fresh(place: Ints, place_begin: Ints, begin: Ints, end: Ints, sector: Ints) -> Spells:
    n = len(begin)
    no, minus = np.zeros(n, bool), np.full(n, -1, np.int64)
    return Spells(place, place_begin, begin, end, sector, no, no.copy(), minus, minus.copy(), np.zeros(n, np.int64))


def _join(one: Spells, two: Spells) -> Spells:
    parts: dict[str, Any] = {name: np.concatenate((getattr(one, name), getattr(two, name))) for name in _ARRAYS}
    return Spells(**parts)


_ARRAYS = tuple(name for name in Spells.__dataclass_fields__ if name != "persons")


def _transfers(rng: Rng, spells: Spells, rate: float) -> None:
    """Some spells become the continuation of one that ended up to half a year earlier in the same place."""
    order = np.lexsort((spells.end, spells.place))
    order = order[(spells.sector[order] == GW) & (spells.end[order] < COVER_END)]
    ahead = 1 + between(rng, np.zeros(len(order)), 4)
    follower = order[np.minimum(np.arange(len(order)) + ahead, len(order) - 1)]
    gap = between(rng, np.zeros(len(order)), 1)
    begin = spells.end[order] + gap
    fits = (spells.place[order] == spells.place[follower]) & (spells.end[follower] > begin + 2)
    fits &= (spells.end[follower] - begin < 200) & (begin >= COVER_BEGIN) & some(rng, len(order), rate)
    first, second = order[fits], follower[fits]
    once = (rank_in(second) == 0) & ~np.isin(second, first) & ~np.isin(first, second)
    first, second, begin = first[once], second[once], begin[fits][once]
    spells.begin[second], spells.part_of[second] = begin, first
    draw = between(rng, np.zeros(len(second)), 9)
    spells.place_begin[second] = geo.in_year(spells.place[second], year_of(begin), draw)


def _key(year: Ints, place: Ints, sector: Ints) -> Ints:
    return (year * 1_000 + place) * 4 + sector


def _begin_notices(rng: Rng, spells: Spells, slots: tuple[Ints, Ints, Ints], lost: float) -> Spells:
    """Fill every begin-notice slot with a spell that began there; where there is none, add one that goes on."""
    wanted = np.sort(_key(*slots))
    fill = ~some(rng, len(wanted), lost) | (wanted % 4 != GW)
    inside = np.nonzero((spells.begin >= COVER_BEGIN) & (spells.begin < COVER_END))[0]
    inside = rng.permutation(inside)
    have = _key(year_of(spells.begin[inside]), spells.place_begin[inside], spells.sector[inside])
    order = np.argsort(have, kind="stable")
    inside, have = inside[order], have[order]
    room = np.searchsorted(wanted[fill], have, side="right") - np.searchsorted(wanted[fill], have, side="left")
    spells.told_begin[inside[rank_in(have) < room]] = True
    stock = np.searchsorted(have, wanted, side="right") - np.searchsorted(have, wanted, side="left")
    extra = np.zeros(len(wanted), bool)
    extra[np.nonzero(fill)[0]] = rank_in(wanted[fill]) >= stock[fill]
    return _join(spells, _begun(rng, wanted[extra | ~fill]))


def _begun(rng: Rng, keys: Ints) -> Spells:
    """Spells with a begin notice only: still inside at the end of 2023, or their end notice was lost."""
    sector, place, year = keys % 4, keys // 4 % 1_000, keys // 4_000
    begin = between(rng, first_day(year), last_day(year))
    stay = stays(rng, len(keys))
    stay[sector == FORZO] = between(rng, np.full(int((sector == FORZO).sum()), 1_900), 4_500)
    now = geo.in_year(place, np.full(len(place), YEARS[-1]), place)
    spells = _fresh(now, place, begin, begin + stay, sector)
    spells.told_begin[:] = True
    return spells


def _second_begins(rng: Rng, spells: Spells, rate: float) -> None:
    """Some begin notices are withdrawn and sent for another spell of that place and year: a transfer."""
    told = np.nonzero(spells.told_begin & (spells.sector == GW))[0]
    told = rng.permutation(told)
    keys = _key(year_of(spells.begin[told]), spells.place_begin[told], spells.sector[told])
    order = np.argsort(keys, kind="stable")
    told, keys = told[order], keys[order]
    drop, keep = told[:-1], told[1:]
    same = (keys[:-1] == keys[1:]) & (np.arange(len(drop)) % 2 == 0) & some(rng, len(drop), 2 * rate)
    same &= spells.told_end[drop]
    last = np.minimum(spells.end[keep] - 2, last_day(year_of(spells.begin[keep])))
    same &= last > spells.begin[keep] + 1
    drop, keep, last = drop[same], keep[same], last[same]
    spells.told_begin[drop] = False
    spells.second_begin[keep] = between(rng, spells.begin[keep] + 1, last)


def _untold(rng: Rng, spells: Spells, scale: float) -> Spells:
    """Spells of people without a registered address: they make the true GW in- and outflow complete."""
    gw = (spells.sector == GW) & (spells.part_of < 0)
    final = spells.end.copy()
    np.maximum.at(final, spells.part_of[spells.part_of >= 0], spells.end[spells.part_of >= 0])
    starts, ends = [], []
    for y in YEARS:
        began = int((gw & (year_of(spells.begin) == y)).sum())
        left = int((gw & (year_of(final) == y)).sum())
        starts.append(max(round(targets.GW_INFLOW[y] * scale) - began, 0))
        ends.append(max(round(targets.GW_OUTFLOW[y] * scale) - left, 0))
    stock = round(2_000 * scale) + max(0, int(np.cumsum(np.subtract(ends, starts)).max()))
    year, _ = runs(np.array(starts))
    begin = np.concatenate((COVER_BEGIN - stays(rng, stock), _in_year(rng, year)))
    year, _ = runs(np.array(ends))
    zero = np.zeros(len(begin), np.int64)
    finish = _in_year(rng, year)
    _, begin, end = pairing.pair(rng, 1, (zero, begin), (np.zeros(len(finish), np.int64), finish))
    end = np.where(end == NEVER, np.maximum(begin, COVER_END) + stays(rng, len(end)), end)
    place = np.full(len(begin), -1, np.int64)
    return _fresh(place, place.copy(), begin, end, np.zeros(len(begin), np.int64))


def _in_year(rng: Rng, year: Ints) -> Ints:
    return between(rng, first_day(year + YEARS[0]), last_day(year + YEARS[0]))


def _persons(rng: Rng, spells: Spells) -> None:
    """Spells of one place and sector in order of time make persons, so that about 30,000 are inside per year."""
    keys = np.where(spells.place < 0, 999, geo.recode(YEARS[-1])[spells.place]) * 4 + spells.sector
    end = np.where(np.isin(np.arange(len(spells)), spells.part_of), NEVER, spells.end)
    begin = np.where(spells.part_of >= 0, -NEVER, spells.begin)
    follower = pairing.successors(rng, keys, begin, end, 0.85, 120.0)
    later = spells.part_of >= 0
    follower[spells.part_of[later]] = np.nonzero(later)[0]
    spells.person, spells.persons = pairing.persons(follower)


def around(rng: Rng, pool: Ints, n: int) -> Ints:
    """A sample without replacement, sorted as the pool is."""
    return np.sort(sample(rng, np.arange(len(pool)), n))
