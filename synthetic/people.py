"""Who is who: one person number over all registers, with birth year, sex, home and numbers (BSN-SYN, SKN, VIP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic import geo, targets
from synthetic.careers import KLINISCH, Careers
from synthetic.days import COVER_BEGIN, YEARS, year_of
from synthetic.defects import Defects
from synthetic.detention import GW, Spells
from synthetic.rand import Bools, Ints, Rng, Streams, between, choose, nearest_free, rank_in, some
from synthetic.requests import CLINICAL_ONLY, Requests
from synthetic.serial import Register
from synthetic.wmo import Wmo
from synthetic.wmo_targets import STAY

VIA_DETENTION = 0.62  # of the chains; about a tenth of them find no detention that fits
MOVED = 0.10  # people who settle in another municipality than they came from
MEN, MEN_OPVANG, MEN_OTHER = 0.91, 0.60, 0.42
NO_BSN, IN_CROSSWALK = 0.05, 0.94
BANDS = ((18, 30), (30, 45), (45, 60), (60, 75), (75, 85), (85, 98))
# aging over five years and people with a forensic past move these from the published mix; what is counted fits it
AGES_HOME, AGES_STAY = (20.9, 21.0, 23.8, 17.2, 10.2, 6.9), (43.0, 22.3, 21.8, 10.6, 1.9, 0.4)


@dataclass
class People:
    """One row per person. Numbers are 0 where a person has none."""

    birth: Ints
    is_man: Bools
    forensic: Bools
    home: Ints
    bsn: Ints
    bsn2: Ints
    skn: Ints
    skn2: Ints
    vip: Ints
    in_crosswalk: Bools

    def __len__(self) -> int:
        return len(self.birth)


def enter(streams: Streams, careers: Careers, spells: Spells) -> int:
    """Give every chain its person and home: some came from detention. Returns the number of people so far."""
    rng = streams("entry")
    lone = careers.earlier < 0
    seeks = lone & some(rng, careers.chains, VIA_DETENTION) & ~careers.is_tbs
    who = np.nonzero(seeks & (careers.chain_begin >= COVER_BEGIN + 60))[0]
    back = np.where(
        some(rng, len(who), 0.35), between(rng, np.zeros(len(who)), 5), between(rng, np.zeros(len(who)), 420)
    )
    spell = _spells(rng, spells, careers.chain_begin[who] - back)
    got = spell >= 0
    person = np.full(careers.chains, -1, np.int64)
    person[who[got]] = spells.person[spell[got]]
    fresh = lone & (person < 0)
    person[fresh] = spells.persons + np.arange(int(fresh.sum()))
    home = geo.recode(YEARS[-1])[choose(rng, targets.notices(1.0).end[-1], careers.chains)]
    stays = got & (spells.place[spell] >= 0) & ~some(rng, len(who), MOVED)
    home[who[stays]] = geo.recode(YEARS[-1])[spells.place[spell[stays]]]
    _inherit(careers.earlier, person, home)
    careers.person, careers.home = person, home
    return spells.persons + int(fresh.sum())


def _spells(rng: Rng, spells: Spells, wanted: Ints) -> Ints:
    """A detention of a different person for every day asked, that ended within two months of it; else -1."""
    pool = rng.permutation(np.nonzero(spells.sector == GW)[0])
    pool = pool[rank_in(spells.person[pool]) == 0]
    pool = pool[np.argsort(spells.end[pool], kind="stable")]
    at = nearest_free(spells.end[pool], wanted)
    spell = pool[np.maximum(at, 0)]
    return np.where((at >= 0) & (np.abs(spells.end[spell] - wanted) <= 60), spell, -1)


def _inherit(earlier: Ints, person: Ints, home: Ints) -> None:
    while True:
        todo = np.nonzero((person < 0) & (person[earlier] >= 0) & (earlier >= 0))[0]
        if not len(todo):
            return
        person[todo], home[todo] = person[earlier[todo]], home[earlier[todo]]


def number(wmo: Wmo, careers: Careers, first: int) -> int:
    """Give every arrangement its person and home; returns the number of people so far."""
    from synthetic.pairing import persons  # noqa: PLC0415

    own, _ = persons(wmo.follower)
    planted = wmo.chain >= 0
    _, own = np.unique(np.where(planted, -1, own), return_inverse=True)
    wmo.person = np.where(planted, careers.person[wmo.chain], first + own)
    wmo.home = np.where(planted, careers.home[wmo.chain], wmo.pool)
    return first + int(own.max(initial=-1)) + 1


def move(streams: Streams, wmo: Wmo, rate: float) -> None:
    """Clients of residence and shelter whose home is another municipality of the centrumgemeente's region."""
    rng = streams("centrum")
    now, centre = geo.recode(YEARS[-1]), geo.centres()
    alive = np.nonzero(geo.exists()[-1])[0]
    order = alive[np.argsort(now[centre[alive]], kind="stable")]
    hub = now[centre[order]]
    low, high = np.searchsorted(hub, wmo.pool), np.searchsorted(hub, wmo.pool, side="right")
    draw = order[np.minimum(between(rng, low, np.maximum(high - 1, low)), len(order) - 1)]
    moves = (wmo.group == STAY) & (wmo.chain < 0) & (high > low) & some(rng, len(wmo), rate)
    wmo.home = np.where(moves, draw, wmo.home)


def make(
    streams: Streams, defects: Defects, count: int, forensic: int, wmo: Wmo, known: tuple[Careers, Requests, Ints]
) -> People:
    """Attributes and numbers of all people; the first `forensic` numbers are those of the justice registers."""
    careers, requests, request_person = known
    rng = streams("people")
    is_forensic = np.arange(count) < forensic
    birth, man = np.zeros(count, np.int64), some(rng, count, MEN)
    year = between(rng, np.full(count, YEARS[0]), YEARS[-1])
    birth[:] = year - np.clip(19 + rng.gamma(1.9, 9.1, count), 19, 80).astype(np.int64)
    _clients(rng, wmo, is_forensic, birth, man)
    _adults(birth, careers)
    _extremes(birth, careers, requests, request_person)
    home = np.full(count, -1, np.int64)
    home[wmo.person] = wmo.home
    home[careers.person] = careers.home
    served = np.zeros(count, bool)
    served[wmo.person] = True
    register = Register(streams.seed, streams.block)
    has_bsn = served | ~some(rng, count, NO_BSN)
    return People(
        birth, man, is_forensic, home,
        register.bsn(has_bsn), register.bsn(has_bsn & is_forensic & some(rng, count, defects.two_bsn)),
        register.skn(is_forensic), register.skn(is_forensic & some(rng, count, defects.two_skn)),
        register.skn(is_forensic & some(rng, count, 2 * defects.vip_number)),
        is_forensic & has_bsn & some(rng, count, IN_CROSSWALK),
    )  # fmt: skip


def _clients(rng: Rng, wmo: Wmo, is_forensic: Bools, birth: Ints, man: Bools) -> None:
    """Birth years of Wmo clients by the published age mix of each group."""
    first = np.sort(np.unique(wmo.person, return_index=True)[1])
    first = first[~is_forensic[wmo.person[first]]]
    who, stay = wmo.person[first], wmo.group[first] == STAY
    low, high = (np.array([b[i] for b in BANDS]) for i in (0, 1))
    band = np.where(stay, choose(rng, AGES_STAY, len(who)), choose(rng, AGES_HOME, len(who)))
    age = between(rng, low[band], high[band] - 1)
    middle = np.clip(year_of(np.maximum(wmo.begin[first], 0)), YEARS[0], YEARS[-1])
    birth[who] = middle - age
    man[who] = rng.random(len(who)) < np.where(stay, MEN_OPVANG, MEN_OTHER)


def _adults(birth: Ints, careers: Careers) -> None:
    """Nobody is placed before the year of turning 19 (the youngest that was printed)."""
    year = np.maximum(careers.unit_year, YEARS[0])
    youngest = np.full(len(birth), YEARS[-1])
    np.minimum.at(youngest, careers.person[careers.chain], year)
    birth[careers.person] = np.minimum(birth[careers.person], youngest[careers.person] - 19)


def _extremes(birth: Ints, careers: Careers, requests: Requests, request_person: Ints) -> None:
    """The youngest and oldest that were printed: 18 and 85 (clinical: 83) at 3RO, 19 and about 92 in Ifzo."""
    only = requests.slot_chain < 0
    for kind_clinical, oldest in ((False, 85), (True, 83)):
        for year in YEARS:
            mine = only & (requests.slot_year == year) & ((requests.slot_kind == CLINICAL_ONLY) == kind_clinical)
            slots = np.nonzero(mine)[0]
            if len(slots) >= 20:
                birth[request_person[slots[0]]] = year - 18
                birth[request_person[slots[1]]] = year - oldest
    once = np.bincount(careers.person)[careers.person] == 1
    asked = np.isin(np.arange(careers.chains), requests.slot_chain)
    low, high = np.full(careers.chains, 9_999), np.zeros(careers.chains, np.int64)
    np.minimum.at(low, careers.chain, careers.unit_year)
    np.maximum.at(high, careers.chain, careers.unit_year)
    once &= low == high
    for year in YEARS:
        mine = (careers.unit_year == year) & (careers.care != KLINISCH) & once[careers.chain] & ~asked[careers.chain]
        chains = np.unique(careers.chain[mine])
        if len(chains) >= 20:
            birth[careers.person[chains[0]]] = year - 19
            birth[careers.person[chains[1]]] = year - 92
