"""Placement requests of 3RO: persons and requests per year, kind and arrondissement to the published shares.

Requests and persons of 2022 and 2023 are published; 2019-2021 are 2022 times a stated factor. Shares of
arrondissementen that were not printed fill up what is left, and satisfy every printed change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic import geo
from synthetic.careers import KLINISCH, Careers
from synthetic.days import YEARS, first_day, last_day, year_of
from synthetic.defects import Defects
from synthetic.rand import Bools, Floats, Ints, Rng, Streams, apportion, between, rank_in, sample, some

FACTOR = {2019: 0.96, 2020: 0.95, 2021: 0.98}  # of 2022; nothing was published
# requests (ambulant, clinical), persons (total, ambulant, clinical)
PUBLISHED = {2022: ((16_166, 2_626), (10_939, 9_874, 1_972)), 2023: ((17_369, 2_541), (11_456, 10_439, 1_889))}
_ORDER = (
    *("AMSTERDAM", "NOORD_HOLLAND", "OOST_NEDERLAND", "MIDDEN_NEDERLAND", "NOORD_NEDERLAND"),
    *("DEN_HAAG", "ROTTERDAM", "LIMBURG", "OOST_BRABANT", "ZEELAND_WEST_BRABANT"),
)
OOST, ROTTERDAM = _ORDER.index("OOST_NEDERLAND"), _ORDER.index("ROTTERDAM")
REQUESTS = {  # percent of all requests
    2022: (12.6, 9.5, 17.8, 10.2, 6.6, 11.3, 15.3, 4.6, 5.9, 6.2),
    2023: (12.0, 9.05, 17.5, 10.83, 6.29, 10.77, 16.7, 4.78, 5.62, 6.44),
}
PERSONS = {  # percent of all persons
    2022: (12.7, 9.7, 16.8, 10.3, 6.5, 11.5, 15.4, 4.9, 5.9, 6.3),
    2023: (12.58, 9.61, 16.6, 10.84, 6.2, 11.39, 15.7, 4.85, 5.5, 6.73),
}
CLINICAL = {  # requests for clinical care, Oost-Nederland and Rotterdam: printed, or printed total minus ambulant
    2022: (0.21, 330 / 2_626),
    2023: (0.204, 315 / 2_541),
}
PLACED = 0.85  # of the requests of a year go to people whom Ifzo also places in that year, where there are enough
AMBULANT_ONLY, CLINICAL_ONLY, BOTH = range(3)


@dataclass
class Requests:
    """One row per person-year slot and per request; `person` is set when people are numbered."""

    slot_year: Ints
    slot_district: Ints  # position in geo.ARRONDISSEMENTEN
    slot_kind: Ints
    slot_chain: Ints  # the Ifzo chain of the same person, or -1
    slot: Ints  # per request
    clinical: Bools  # per request
    day: Ints  # per request, of the request
    indicated: Ints  # per request, day of the indication


def make(streams: Streams, scale: float, careers: Careers, defects: Defects) -> Requests:
    """All requests, with the chains of the people Ifzo also knows."""
    rng = streams("requests")
    slots = [_slots(year, scale) for year in YEARS]
    year = np.repeat(np.array(YEARS), [len(s[0]) for s in slots])
    district, kind = (np.concatenate([s[i] for s in slots]) for i in (0, 1))
    slot, clinical = _spread(year, district, kind, scale)
    first = rank_in(slot * 2 + clinical) == 0
    kept = first | some(streams("requests-repeated"), len(slot), defects.request_repeated)
    slot, clinical = slot[kept], clinical[kept]
    chain, anchor = _known(streams("requests-known"), year, district, kind, careers)
    free = between(rng, first_day(year), last_day(year))
    indicated = np.where(chain >= 0, np.maximum(anchor - between(rng, np.zeros(len(year)), 60), first_day(year)), free)
    day = np.minimum(indicated[slot] + between(rng, np.zeros(len(slot)), 21), last_day(year[slot]))
    return Requests(year, district, kind, chain, slot, clinical, day, np.minimum(indicated[slot], day))


def _printed(year: int) -> tuple[tuple[int, int], tuple[int, int, int]]:
    if year in PUBLISHED:
        return PUBLISHED[year]
    requests, persons = PUBLISHED[2022]
    times = FACTOR[year]
    return (round(requests[0] * times), round(requests[1] * times)), (
        round(persons[0] * times),
        round(persons[1] * times),
        round(persons[2] * times),
    )


def _reorder(shares: tuple[float, ...]) -> Floats:
    return np.array([shares[_ORDER.index(code)] for code in geo.ARRONDISSEMENTEN])


def _slots(year: int, scale: float) -> tuple[Ints, Ints]:
    """(district, kind) of every person with a request in the year."""
    _, (total, ambulant, clinical) = _printed(year)
    kinds = np.round(np.array([total - clinical, total - ambulant, ambulant + clinical - total]) * scale).astype(
        np.int64
    )
    where = apportion(int(kinds.sum()), _reorder(PERSONS[max(year, 2022)]))
    district = np.repeat(np.arange(len(where)), where)
    # every arrondissement has the three kinds in the national mix
    kind = np.empty(len(district), np.int64)
    kind[np.argsort((np.arange(len(district)) * 0.6180339887) % 1.0, kind="stable")] = np.repeat(np.arange(3), kinds)
    return district, kind


def _spread(year: Ints, district: Ints, kind: Ints, scale: float) -> tuple[Ints, Bools]:
    """(slot, clinical) of every request: each slot has at least one of its kind, each cell its total."""
    slot, clinical = [], []
    for y in YEARS:
        wanted = _requests(y, scale)
        for d in range(len(geo.ARRONDISSEMENTEN)):
            for c in (0, 1):
                mine = np.nonzero(
                    (year == y) & (district == d) & (kind != (CLINICAL_ONLY if c == 0 else AMBULANT_ONLY))
                )[0]
                if len(mine):
                    more = max(int(wanted[c, d]) - len(mine), 0)
                    found = np.concatenate((mine, mine[np.arange(more) * 11 % len(mine)]))
                    slot.append(found)
                    clinical.append(np.full(len(found), bool(c)))
    return np.concatenate(slot), np.concatenate(clinical)


def _requests(year: int, scale: float) -> Ints:
    """Requests per kind (ambulant, clinical) and district."""
    (ambulant, clinical), _ = _printed(year)
    base = max(year, 2022)
    every = np.array(REQUESTS[base]) / 100
    heavy = every * (ambulant + clinical)
    part = every.copy()
    part[[OOST, ROTTERDAM]] = CLINICAL[base]
    rest = np.setdiff1d(np.arange(10), [OOST, ROTTERDAM])
    part[rest] = every[rest] / every[rest].sum() * (1 - sum(CLINICAL[base]))
    hard = part * clinical
    cells = [_reorder(tuple(heavy - hard)), _reorder(tuple(hard))]
    return np.array(
        [apportion(round(n * scale), np.maximum(w, 0)) for n, w in zip((ambulant, clinical), cells, strict=True)]
    )


def _known(rng: Rng, year: Ints, district: Ints, kind: Ints, careers: Careers) -> tuple[Ints, Ints]:
    """(chain, first placement day of the year) per slot, -1 for people whom Ifzo does not place that year."""
    chain, anchor = np.full(len(year), -1, np.int64), np.zeros(len(year), np.int64)
    where = geo.districts()[careers.home]
    first = np.unique(careers.chain * 10 + (careers.unit_year - YEARS[0] + 3), return_index=True)[1]
    candidates, placed = careers.chain[first], careers.begin[first]
    clinical = careers.care[first] == KLINISCH
    for y in YEARS:
        for d in range(len(geo.ARRONDISSEMENTEN)):
            for hard in (False, True):
                slots = np.nonzero((year == y) & (district == d) & ((kind == CLINICAL_ONLY) == hard))[0]
                pool = np.nonzero((careers.unit_year[first] == y) & (where[candidates] == d) & (clinical == hard))[0]
                pool = pool[_once(careers, candidates[pool])]
                chosen = sample(rng, pool, int(PLACED * len(slots)))
                chain[slots[: len(chosen)]], anchor[slots[: len(chosen)]] = candidates[chosen], placed[chosen]
    return chain, np.where(year_of(anchor) == year, anchor, 0)


def _once(careers: Careers, chains: Ints) -> Ints:
    """Positions such that nobody occurs twice: the first chain of each person."""
    return np.sort(np.unique(careers.person[chains], return_index=True)[1])
