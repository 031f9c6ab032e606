"""Wmo flows per municipality: as published for 2021 and 2022, a stated choice for the rest.

A published count is a multiple of 5, so the count made lies within 2 of it. One empty cell beside a filled one
(same municipality, year and provision) was "below 10": 5 is made. Municipalities without any figure in a year
do not deliver that year, but their arrangements exist in the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas import gemeente, reference
from synthetic import geo, targets
from synthetic.days import YEARS
from synthetic.rand import Bools, Ints, Streams, apportion, between, scaled

HOME, STAY, OTHER = 0, 1, 2  # support at home, residence and shelter, all other Wmo
PROVISIONS = ("support_at_home", "residence_and_shelter")
IN, OUT = 0, 1
# Totals of the municipalities that deliver. Inflow of support at home in 2020 is implied by a printed change.
TOTALS = {
    (HOME, 2019): (117_000, 116_000),
    (HOME, 2020): (118_976, 127_000),
    (HOME, 2023): (108_000, 121_000),
    (STAY, 2019): (16_400, 15_600),
    (STAY, 2020): (15_800, 15_900),
    (STAY, 2023): (14_300, 15_100),
}
STOCK = (134_000, 28_000)  # on 1 January 2019, municipalities that deliver: gives the clients per year
LIKE = 25  # municipalities that deliver, nearest in end notices: what one that publishes nothing is made like


@dataclass(frozen=True)
class Flows:
    """What is to be made: flows (group, year, in or out, municipality), stock on 1 January 2019 (group,
    municipality), and `delivers` (group, year, municipality): figures exist for that year."""

    flows: Ints
    stock: Ints
    delivers: Bools


def flows(streams: Streams, scale: float) -> Flows:
    """All Wmo flows, scaled."""
    counts, known = printed()
    rng = streams("wmo-targets")
    delivers = _delivers(known)
    full = np.zeros((2, len(YEARS), 2, counts.shape[-1]), np.int64)
    wiggle = np.where(known, between(rng, np.full(counts.shape, -2), 2), 0)
    full[:, 2:4] = np.where(known, counts + wiggle, 0)
    pair = known.any(axis=2, keepdims=True) & ~known
    full[:, 2:4][pair] = 5
    for (group, year), totals in TOTALS.items():
        for flow in (IN, OUT):
            full[group, YEARS.index(year), flow] = _unpublished(
                counts[group], delivers[group], (group, year, flow), totals[flow]
            )
    _undelivered(full, delivers)
    sized = _scaled(full, scale)
    stock = np.array([_stock(sized[g], delivers[g], round(STOCK[g] * scale)) for g in (HOME, STAY)])
    return Flows(sized, stock, delivers)


def printed() -> tuple[Ints, Bools]:
    """Published counts (group, 2021 and 2022, in and out, municipality) and which exist."""
    counts = np.zeros((2, 2, 2, len(geo.places())), np.int64)
    known = np.zeros(counts.shape, bool)
    for row in reference.wmo_flows():
        place = geo.at()[str(gemeente.resolve(row["municipality"]))]
        key = (PROVISIONS.index(row["provision"]), int(row["year"]) - 2021, int(row["flow"] == "outflow"), place)
        if row["count"]:
            counts[key], known[key] = int(row["count"]), True
    return counts, known


def _delivers(known: Bools) -> Bools:
    """(group, year, municipality). 2019 and 2020 as 2021, 2023 as 2022, where the municipality exists."""
    given: Bools = np.asarray(known.any(axis=2), np.bool_)
    found = np.zeros((2, len(YEARS), given.shape[-1]), bool)
    for group in (HOME, STAY):
        for number, year in enumerate(YEARS):
            source = given[group, 0 if year <= 2021 else 1]
            if group == STAY and year != 2021:
                source = given[group].any(axis=0)
            found[group, number] = geo.to_year(source.astype(float), year) > 0
    return found


def _unpublished(counts: Ints, delivers: Bools, what: tuple[int, int, int], total: int) -> Ints:
    """A year without figures: the total over the municipalities that deliver, by their published mean."""
    group, year, _ = what
    seen = counts > 0
    mean = counts.sum(axis=(0, 1)) / np.maximum(seen.sum(axis=(0, 1)), 1)
    if group == HOME:  # contract rounds weigh on one flow only: use the smaller published years
        mean = np.sqrt(mean * _smaller(counts, seen))
    return apportion(total, geo.to_year(mean, year) * delivers[YEARS.index(year)])


def _smaller(counts: Ints, seen: Bools) -> np.ndarray:
    least = np.where(seen, counts, np.iinfo(np.int64).max).min(axis=(0, 1))
    return np.where(seen.any(axis=(0, 1)), least, 0)


def _undelivered(full: Ints, delivers: Bools) -> None:
    """Support at home where nothing is delivered: it exists all the same, as in municipalities of the same size."""
    ends = targets.notices(1.0).end
    for number, _ in enumerate(YEARS):
        exists, seen = geo.exists()[number], delivers[HOME, number]
        gap = np.nonzero(exists & ~seen)[0]
        like = _nearest(ends[number], gap, np.nonzero(exists & seen)[0])
        for flow in (IN, OUT):
            rate = full[HOME, number, flow][like].sum(axis=1) / np.maximum(ends[number][like].sum(axis=1), 1)
            full[HOME, number, flow, gap] = np.round(ends[number, gap] * rate).astype(np.int64)


def _nearest(size: Ints, of: Ints, among: Ints) -> Ints:
    """For each municipality in `of` the LIKE of `among` whose size has the nearest ratio to its own (rows)."""
    log = np.log(size + 1.0)
    apart = np.abs(log[of][:, None] - log[among][None, :])
    near: Ints = among[np.argsort(apart, axis=1, kind="stable")[:, :LIKE]]
    return near


def _scaled(full: Ints, scale: float) -> Ints:
    flat = full.reshape(-1, full.shape[-1])
    return np.array([scaled(row, scale) for row in flat]).reshape(full.shape)


def _stock(sized: Ints, delivers: Bools, total: int) -> Ints:
    """Stock on 1 January 2019: never negative at a year's end, and with the stated total where possible.

    A municipality that ends passes its stock on: it needs enough for its own years, and it and its successor
    together enough for all five.
    """
    now, places = geo.recode(YEARS[-1]), sized.shape[-1]
    net = sized[:, OUT] - sized[:, IN]
    own = np.maximum(np.cumsum(np.where(geo.exists(), net, 0), axis=0).max(axis=0), 0)
    ended = now != np.arange(places)
    need = np.where(ended, own, 0)
    pooled = np.array([np.bincount(now, net[y], places) for y in range(len(YEARS))])
    short = np.maximum(np.cumsum(pooled, axis=0).max(axis=0), 0) - np.bincount(now, need, places)
    at_start = geo.exists()[0]
    size = np.where(at_start, geo.to_year(sized.sum(axis=(0, 1)).astype(float), YEARS[0]) + 1e-9, 0.0)
    part = size / np.bincount(now, size, places)[now]
    need = need + np.ceil(np.maximum(short, 0)[now] * part).astype(np.int64)
    given = np.asarray(delivers.any(axis=0), np.bool_)[now] & at_start
    spare = max(total - int(need[given].sum()), round(0.15 * total))
    return np.where(at_start, need + np.floor(spare * size / max(size[given].sum(), 1) + 0.5), 0).astype(np.int64)
