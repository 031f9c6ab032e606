"""Wmo arrangements: starts and ends to the published flows, paired into arrangements, with their clients.

Some belong to people whose forensic title ended: the planted continuation. Their starts are chosen near the day
that the plan for that person asks for, among the arrangements of their own municipality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic import geo, pairing, wmo_targets
from synthetic.careers import Careers
from synthetic.days import COVER_BEGIN, COVER_END, NEVER, YEARS, first_day, last_day, year_of
from synthetic.defects import Defects
from synthetic.rand import Bools, Ints, Rng, Streams, between, choose, nearest_free, runs, some
from synthetic.wmo_targets import HOME, OTHER, STAY

SPAN = np.int64(1) << 20
HOME_CATEGORIES, HOME_WEIGHTS = (2, 3, 4, 6, 7, 9), (58, 6, 3, 10, 20, 3)
STAY_CATEGORIES, STAY_WEIGHTS = (15, 16, 17, 18), (62, 25, 4, 9)
OTHER_CATEGORIES, OTHER_WEIGHTS = (1, 11, 12, 13, 14), (42, 16, 21, 10, 11)
TEN = 10  # "overige maatwerkarrangementen": where some municipalities book beschermd wonen
OTHER_SHARE = 0.02  # other Wmo beside the two groups; nothing of it is calibrated
# What follows a title end (share, first and last day, group home); the rest has no Wmo within a year.
PLANS = (
    (0.085, -700, -95, 0.85),  # running all along
    (0.050, -90, -1, 0.70),
    (0.070, 0, 30, 0.65),
    (0.045, 31, 90, 0.60),
    (0.035, 91, 180, 0.60),
    (0.030, 181, 365, 0.65),
)
NEAR, FAR = 45, 25  # days between plan and arrangement: in the own municipality, and where people moved for it
SAME_CLIENT, WAIT = 0.30, 150.0


@dataclass
class Wmo:
    """Arrangements as parallel arrays; `place` is the delivering municipality as it was at the start."""

    group: Ints
    pool: Ints  # delivering municipality in the classification of 2023
    place: Ints
    begin: Ints
    end: Ints  # NEVER = runs on
    category: Ints
    chain: Ints  # the chain whose title end it follows, or -1
    follower: Ints  # the next arrangement of the same client in this municipality, or -1
    person: Ints
    home: Ints  # municipality where the client lives

    def __len__(self) -> int:
        return len(self.begin)


def make(streams: Streams, scale: float, careers: Careers, defects: Defects) -> Wmo:
    """All arrangements; `careers.home` changes for people who moved to where their support is."""
    flows = wmo_targets.flows(streams, scale)
    parts = [_pairs(streams(f"wmo-{group}"), flows, group) for group in (HOME, STAY)]
    parts.append(_other(streams("wmo-other"), parts[0], OTHER_SHARE))
    parts.append(_other(streams("wmo-ten"), parts[1], defects.category_10))
    tens = len(parts[-1][0])
    group, pool, begin, end = (np.concatenate([p[i] for p in parts]) for i in range(4))
    rng = streams("wmo-kind")
    draw = between(rng, np.zeros(len(pool)), 9)
    place = geo.in_year(pool, np.maximum(year_of(begin), YEARS[0]), draw)
    category = np.select(
        [group == HOME, group == STAY],
        [
            _kinds(rng, HOME_CATEGORIES, HOME_WEIGHTS, len(group)),
            _kinds(rng, STAY_CATEGORIES, STAY_WEIGHTS, len(group)),
        ],
        _kinds(rng, OTHER_CATEGORIES, OTHER_WEIGHTS, len(group)),
    )
    category[len(category) - tens :] = TEN
    chain = _continue(streams("continuation"), careers, (group, pool, begin, end))
    follower = _clients(streams("clients"), group, pool, begin, end, chain)
    none = np.full(len(pool), -1, np.int64)
    return Wmo(group, pool, place, begin, end, category, chain, follower, none, none.copy())


def _kinds(rng: Rng, codes: tuple[int, ...], weights: tuple[int, ...], n: int) -> Ints:
    return np.array(codes)[choose(rng, weights, n)]


def _pairs(rng: Rng, flows: wmo_targets.Flows, group: int) -> tuple[Ints, Ints, Ints, Ints]:
    """(group, pool, begin, end) of the arrangements of one group."""
    now = geo.recode(YEARS[-1])
    starts: list[tuple[Ints, Ints]] = []
    ends: list[tuple[Ints, Ints]] = []
    stock, _ = runs(flows.stock[group])
    starts.append(
        (now[stock], COVER_BEGIN - 1 - np.minimum(rng.exponential(400.0, len(stock)), 3_000).astype(np.int64))
    )
    for number, year in enumerate(YEARS):
        for flow, found in ((wmo_targets.IN, starts), (wmo_targets.OUT, ends)):
            place, _ = runs(flows.flows[group, number, flow])
            found.append((now[place], between(rng, np.full(len(place), first_day(year)), last_day(year))))
    begins = tuple(np.concatenate([s[i] for s in starts]) for i in (0, 1))
    closes = tuple(np.concatenate([s[i] for s in ends]) for i in (0, 1))
    pool, begin, end = pairing.pair(rng, len(now), (begins[0], begins[1]), (closes[0], closes[1]))
    return np.full(len(pool), group, np.int64), pool, begin, end


def _other(rng: Rng, like: tuple[Ints, Ints, Ints, Ints], share: float) -> tuple[Ints, Ints, Ints, Ints]:
    """Wmo outside both groups, in the places and days of a group, of other people."""
    mine = some(rng, len(like[0]), share)
    return np.full(int(mine.sum()), OTHER, np.int64), like[1][mine], like[2][mine], like[3][mine]


def _continue(rng: Rng, careers: Careers, found: tuple[Ints, Ints, Ints, Ints]) -> Ints:
    """The chain of every arrangement that follows a title end: first in the own municipality, then elsewhere."""
    group, pool, begin, end = found
    plan = choose(rng, [p[0] for p in PLANS] + [1 - sum(p[0] for p in PLANS)], careers.chains)
    inside = (
        (careers.chain_end >= COVER_BEGIN) & (careers.chain_end < COVER_END) & (plan < len(PLANS)) & (careers.home >= 0)
    )
    who = np.nonzero(inside)[0]
    low, high = (np.array([p[i] for p in PLANS])[plan[who]] for i in (1, 2))
    wanted = careers.chain_end[who] + between(rng, low, high)
    at_home = some(rng, len(who), 1.0)
    at_home = rng.random(len(who)) < np.array([p[3] for p in PLANS])[plan[who]]
    kind = np.where(at_home, HOME, STAY)
    chain = np.full(len(group), -1, np.int64)
    left = np.ones(len(who), bool)
    for reach, moves in ((NEAR, False), (FAR, True)):
        here = geo.recode(YEARS[-1])[careers.home[who]]
        here = np.where(at_home, here, geo.recode(YEARS[-1])[geo.centres()[here]])
        todo = np.nonzero(left)[0]
        taken = _take(
            rng,
            (group, pool, begin, end),
            chain,
            (who[todo], kind[todo], here[todo], wanted[todo]),
            careers.chain_end[who[todo]],
            plan[who[todo]],
            reach,
            moves,
        )
        got = taken >= 0
        chain[taken[got]] = who[todo[got]]
        left[todo[got]] = False
        if moves:
            careers.home[who[todo[got]]] = pool[taken[got]]
    return chain


def _take(
    rng: Rng,
    found: tuple[Ints, Ints, Ints, Ints],
    chain: Ints,
    ask: tuple[Ints, Ints, Ints, Ints],
    day0: Ints,
    plan: Ints,
    reach: int,
    moves: bool,
) -> Ints:
    """An arrangement for each asking person, or -1: free, of the group asked, near the day asked, long enough."""
    group, pool, begin, end = found
    _, kind, here, wanted = ask
    free = np.nonzero((chain < 0) & (group < OTHER))[0]
    key = group[free] * 1_000 + (0 if moves else pool[free])
    slots = key * SPAN + begin[free]
    order = np.argsort(slots, kind="stable")
    free, slots = free[order], slots[order]
    at = nearest_free(slots, (kind * 1_000 + (0 if moves else here)) * SPAN + wanted - reach // 2)
    got = free[np.maximum(at, 0)]
    good = (at >= 0) & (group[got] == kind) & (np.abs(begin[got] - wanted) <= reach)
    good &= moves | (pool[got] == here)
    good &= (plan > 0) | ((end[got] > day0) & (begin[got] < day0 - 90))
    return np.where(good, got, -1)


def _clients(rng: Rng, group: Ints, pool: Ints, begin: Ints, end: Ints, chain: Ints) -> Ints:
    """Later arrangements of the same client; those of forensic chains stand alone."""
    keys = np.where(chain >= 0, -1, pool * 4 + group)
    follower = pairing.successors(rng, keys, begin, end, SAME_CLIENT, WAIT)
    follower[chain >= 0] = -1
    return follower


def visible(flows: wmo_targets.Flows, group: Ints, year: Ints, place: Ints) -> Bools:
    """Whether the municipality delivers that group in that year; other Wmo goes with support at home."""
    return np.asarray(flows.delivers[np.where(group == STAY, STAY, HOME), year - YEARS[0], place])


def lengths(wmo: Wmo) -> Ints:
    """Days, open ones until the end of the coverage."""
    return np.where(wmo.end == NEVER, COVER_END, wmo.end) - wmo.begin
