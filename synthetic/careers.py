"""Forensic care: placements to the published counts, gathered into chains of titles with a true end.

A *unit* is one person in one kind of care in one year: units have the published number of persons, their
placements the published number of placements. Units of following years make chains; a chain is one trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from synthetic import targets
from synthetic.days import COVER_BEGIN, YEARS, first_day, last_day, year_of
from synthetic.defects import Defects
from synthetic.rand import Bools, Ints, Rng, Streams, between, choose, follow, runs, sample, scaled, some

AMBULANT, KLINISCH, VERBLIJF, FPT, ONBEKEND = range(5)
EARLIER = 2  # years before the first published one, like it; people who were in care when the period began
SPAN = tuple(range(YEARS[0] - EARLIER, YEARS[-1] + 1))
# Next year's kind of care, per kind; nothing of this is published.
NEXT = np.array(
    [
        [0.93, 0.03, 0.03, 0.00, 0.01],
        [0.30, 0.50, 0.18, 0.01, 0.01],
        [0.30, 0.06, 0.63, 0.00, 0.01],
        [0.30, 0.10, 0.10, 0.50, 0.00],
        [0.70, 0.10, 0.10, 0.00, 0.10],
    ]
)
STAYS_ON = 0.36  # units with a follower in the next year
BESIDE = 0.035  # units that are a second kind of care of somebody in that year
MEAN_STAY = np.array([300.0, 280.0, 330.0, 420.0, 200.0])
COMES_BACK = 0.10
TBS_SHARE = 0.18  # of chains with clinical care
CODES = ("FZT08", "FZT09", "FZT12", "FZT10", "FZT07", "FZT_ISDV", "FZT_PP", "FZT_PBW43", "FZT_VI_RECL", "FZT_JEUGD")
CODE_WEIGHTS = (47, 22, 9, 3, 4, 4, 3, 3, 3, 2)
TBS_CODES = ("FZT02", "FZT06")
FPT_CODES = ("FZT_FPT1", "FZT_FPT2")
ALL_CODES = (*CODES, *TBS_CODES, *FPT_CODES)


@dataclass
class Careers:
    """Placements, titles and chains as parallel arrays; days; ends are true ends."""

    chain: Ints
    care: Ints
    begin: Ints
    end: Ints
    title: Ints
    unit_year: Ints
    chain_begin: Ints
    chain_end: Ints
    is_tbs: Bools
    earlier: Ints  # the chain of the same person before this one, or -1
    title_chain: Ints
    title_begin: Ints
    title_end: Ints
    title_code: Ints
    person: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # per chain
    home: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # per chain, true residence at its end

    @property
    def chains(self) -> int:
        """Number of chains."""
        return len(self.chain_begin)


def make(streams: Streams, scale: float, defects: Defects) -> Careers:
    """All forensic trajectories of the country."""
    care, year, extra = _units(scale)
    chain_of = _chains(streams("chains"), care, year)
    unit, begin = _placements(streams("placements"), year, extra)
    order = np.lexsort((begin, chain_of[unit]))
    unit, begin = unit[order], begin[order]
    chain = chain_of[unit]
    rng = streams("care")
    first, last = _edges(chain)
    chain_begin = begin[first] - between(rng, np.zeros(len(first)), 45)
    early = some(rng, len(first), defects.care_before_title)
    chain_begin[early] = begin[first][early] + between(rng, np.ones(int(early.sum())), 30)
    end, chain_end = _ends(rng, chain, care[unit], begin, last, defects.stapelzorg)
    chain_end = np.maximum(chain_end, chain_begin + 1)
    # chains that ended before the period are nobody's business here
    keep = chain_end >= COVER_BEGIN
    here = keep[chain]
    unit, begin, end, chain = unit[here], begin[here], end[here], (np.cumsum(keep) - 1)[chain[here]]
    chain_begin, chain_end = chain_begin[keep], chain_end[keep]
    first, _ = _edges(chain)
    tbs = _tbs(rng, chain, care[unit], len(first))
    titles = _titles(streams("titles"), chain, begin, (chain_begin, chain_end), tbs, care[unit], defects.title_change)
    earlier = _returns(streams("returns"), chain_begin, chain_end, year_of(begin[first]))
    return Careers(
        chain, care[unit], begin, end, titles[0], year[unit], chain_begin, chain_end, tbs, earlier, *titles[1:]
    )


def _units(scale: float) -> tuple[Ints, Ints, Ints]:
    """(care, year, further placements) of every unit."""
    people = _early(np.array([scaled(row, scale) for row in targets.PERSONS]))
    placed = _early(np.array([scaled(row, scale) for row in targets.PLACEMENTS]))
    care, year = (np.repeat(x.ravel(), people.ravel()) for x in np.indices(people.shape))
    more = np.where(people > 0, np.maximum(placed - people, 0), 0)
    extra = np.zeros(len(care), np.int64)
    starts = np.cumsum(people.ravel()) - people.ravel()
    for cell, (start, n, m) in enumerate(zip(starts, people.ravel(), more.ravel(), strict=True)):
        if n:
            # a stride that is coprime in practice spreads the further placements without a draw
            np.add.at(extra, start + (np.arange(m) * 7 + cell) % n, 1)
    return care, year + SPAN[0], extra


def _early(counts: Ints) -> Ints:
    """The same with the years before the period in front, each like the first published one."""
    return np.concatenate((np.repeat(counts[:, :1], EARLIER, axis=1), counts), axis=1)


def _chains(rng: Rng, care: Ints, year: Ints) -> Ints:
    """Chain number of every unit."""
    follower = np.full(len(care), -1, np.int64)
    taken = np.zeros(len(care), bool)
    for y in SPAN[:-1]:
        now = np.nonzero(year == y)[0]
        now = now[some(rng, len(now), STAYS_ON)]
        wanted = np.zeros(len(now), np.int64)
        for kind in range(5):
            mine = care[now] == kind
            wanted[mine] = choose(rng, NEXT[kind], int(mine.sum()))
        for kind in range(5):
            givers = now[wanted == kind]
            heirs = sample(rng, np.nonzero((year == y + 1) & (care == kind))[0], len(givers))
            follower[givers[: len(heirs)]] = heirs
            taken[heirs] = True
    root = follow(follower)
    _beside(rng, care, year, root, free=(follower < 0) & ~taken)
    return np.asarray(np.unique(root, return_inverse=True)[1], np.int64)


def _beside(rng: Rng, care: Ints, year: Ints, root: Ints, free: Bools) -> None:
    """Some lone units become the second kind of care of a person of the same year."""
    for y in SPAN:
        mine = np.nonzero(year == y)[0]
        second = mine[free[mine] & some(rng, len(mine), BESIDE)]
        first = sample(rng, np.setdiff1d(mine, second), len(second))
        second = second[: len(first)]
        fits = care[first] != care[second]
        root[second[fits]] = root[first[fits]]


def _placements(rng: Rng, year: Ints, extra: Ints) -> tuple[Ints, Ints]:
    """(unit, first day) of every placement."""
    unit, _ = runs(extra + 1)
    return unit, between(rng, first_day(year[unit]), last_day(year[unit]))


def _edges(chain: Ints) -> tuple[Ints, Ints]:
    """Positions of the first and the last placement of every chain; chains are contiguous and numbered."""
    change = np.nonzero(np.diff(chain, prepend=-1, append=-1))[0]
    return change[:-1], change[1:] - 1


def _ends(rng: Rng, chain: Ints, care: Ints, begin: Ints, last: Ints, stacked: float) -> tuple[Ints, Ints]:
    """(end of every placement, true title end of every chain)."""
    stay = np.clip(rng.gamma(1.7, MEAN_STAY[care] / 1.7), 14, 2_000).astype(np.int64)
    own = begin + stay
    chain_end = own[last] + between(rng, np.zeros(len(last)), 40)
    following = np.append(begin[1:], 0)
    following[last] = chain_end
    end = np.where(some(rng, len(begin), stacked), own, np.minimum(own, following))
    late = some(rng, len(begin), 0.15)
    limit = chain_end[chain] + np.where(
        late, between(rng, np.zeros(len(begin)), 60), -between(rng, np.zeros(len(begin)), 25)
    )
    return np.maximum(np.minimum(end, limit), begin + 1), chain_end


def _tbs(rng: Rng, chain: Ints, care: Ints, chains: int) -> Bools:
    clinical = np.bincount(chain, care == KLINISCH, chains) > 0
    return clinical & some(rng, chains, TBS_SHARE)


def _titles(
    rng: Rng, chain: Ints, begin: Ints, span: tuple[Ints, Ints], tbs: Bools, care: Ints, rate: float
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(title of every placement, and chain, begin, end and code of every title)."""
    chain_begin, chain_end = span
    new = np.diff(chain, prepend=-1) != 0
    head = new.copy()
    gap = np.diff(begin, prepend=0)
    new |= some(rng, len(chain), rate) & (gap > 30) & (begin > chain_begin[chain] + 30)
    title = np.cumsum(new) - 1
    title_chain, at = chain[new], begin[new]
    first = head[new]
    title_begin = np.where(first, chain_begin[title_chain], at - between(rng, np.zeros(len(at)), 10))
    following = np.append(title_begin[1:], 0)
    ends = np.append(first[1:], True)
    joined = following - between(rng, np.zeros(len(at)), 20)
    title_end = np.where(ends, chain_end[title_chain], np.maximum(joined, title_begin + 1))
    code = choose(rng, CODE_WEIGHTS, len(at))
    fpt = np.bincount(title, care == FPT, len(at)) > 0
    code = np.where(fpt, len(CODES) + 2 + code % 2, code)
    code = np.where(tbs[title_chain], len(CODES) + (code % 4 == 0), code)
    return title, title_chain, title_begin, title_end, code


def _returns(rng: Rng, begin: Ints, end: Ints, first_year: Ints) -> Ints:
    """Chains of people who come back after a title ended: pairs at least 60 days and one year apart."""
    givers = sample(rng, np.nonzero(end < COVER_BEGIN + 1_460)[0], round(COMES_BACK * len(begin)))
    takers = sample(rng, np.nonzero(first_year > YEARS[0])[0], len(givers))
    givers = givers[: len(takers)]
    fits = (begin[takers] > end[givers] + 60) & (first_year[takers] > year_of(end[givers])) & (givers != takers)
    fits &= ~np.isin(takers, givers) & ~np.isin(givers, takers)
    earlier = np.full(len(begin), -1, np.int64)
    earlier[takers[fits]] = givers[fits]
    return earlier
