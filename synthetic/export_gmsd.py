"""Rows of GMSD: every arrangement once per half-year in which it ran, as municipalities delivered it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthetic import geo, identity
from synthetic.days import HALF_NAMES, HALVES, NEVER, YEARS, half_of
from synthetic.defects import Defects
from synthetic.people import People
from synthetic.rand import Bools, Ints, Rng, Streams, between, choose, runs, some
from synthetic.wmo import Wmo, visible
from synthetic.wmo_targets import Flows
from synthetic.write import Days, Rows, keys, pick, take

REASONS = ("02", "11", "19", "20", "21", "22", "23", "31")
REASON_WEIGHTS = (3, 4, 52, 8, 8, 3, 12, 10)
LAST = len(HALF_NAMES) - 1


@dataclass(frozen=True)
class Habits:
    """How each municipality delivers: same in every block of a country."""

    numbers: Ints  # 0 none, 1 for part of the rows, 2 all
    provisional: Bools  # last half-year first in a provisional version
    old_code: Bools  # the half-year after a merger under the old codes
    consents: Bools

    @classmethod
    def of(cls, seed: int, defects: Defects) -> Habits:
        """Drawn once per country."""
        rng = Streams(seed, 0)("habits")
        n = len(geo.places())
        draw = rng.random(n)
        numbers = np.where(
            draw < defects.no_numbers, 0, np.where(draw < defects.no_numbers + defects.some_numbers, 1, 2)
        )
        return cls(numbers, some(rng, n, defects.provisional), some(rng, n, defects.old_code), ~some(rng, n, 0.03))


@dataclass
class Records:
    """One row per arrangement and half-year."""

    arrangement: Ints
    half: Ints
    place: Ints
    begin: Ints
    end: Ints


def coverage(flows: Flows, habits: Habits, number: int) -> dict[str, dict[str, object]]:
    """Half-year -> status and municipalities of delivery 1 or 2, as the sidecar of a delivery says it."""
    found: dict[str, dict[str, object]] = {}
    for half, name in enumerate(HALF_NAMES):
        year = half // 2
        mine = (flows.delivers[:, year].any(axis=0)) & geo.exists()[year]
        if number == 2:
            mine &= habits.provisional
        if number == 1 or half == LAST:
            status = "voorlopig" if number == 1 and half == LAST else "definitief"
            found[name] = {"status": status, "gemeenten": [str(c) for c in geo.codes_array()[:-2][mine]]}
    return found


def records(rng: Rng, wmo: Wmo, flows: Flows, habits: Habits, defects: Defects) -> Records:
    """The rows of all delivering municipalities, with half-years that were closed too early."""
    first = np.maximum(half_of(wmo.begin), 0)
    last = np.minimum(half_of(np.minimum(wmo.end, HALVES[-1] + 400)), LAST)
    arrangement, rank = runs(np.maximum(last - first + 1, 0))
    half = first[arrangement] + rank
    place = np.array([geo.recode(y) for y in YEARS])[half // 2, wmo.place[arrangement]]
    keep = visible(flows, wmo.group[arrangement], half // 2 + YEARS[0], place)
    if not defects.not_delivered:
        keep = np.ones(len(keep), bool)
    arrangement, half, place = arrangement[keep], half[keep], place[keep]
    ended = half == half_of(np.minimum(wmo.end[arrangement], HALVES[-1] + 400))
    rows = Records(
        arrangement, half, place, wmo.begin[arrangement].copy(), np.where(ended, wmo.end[arrangement], NEVER)
    )
    _split(rng, rows, first, last, defects)
    for old, (new, day) in geo.successors().items():
        if habits.old_code[old]:
            mine = (rows.place == new) & (rows.half == half_of(day)) & (wmo.place[rows.arrangement] == old)
            rows.place[mine] = old
    return rows


def _split(rng: Rng, rows: Records, first: Ints, last: Ints, defects: Defects) -> None:
    """Some arrangements are closed at the end of a half-year and opened again, or closed and taken back."""
    room = last - first
    draw = rng.random(len(first))
    at = first + between(rng, np.zeros(len(first)), np.maximum(room - 1, 0))
    split = (draw < defects.half_year_split) & (room > 0)
    back = (draw > 1 - defects.early_end_withdrawn) & (room > 0) & ~split
    here = rows.half == at[rows.arrangement]
    closes = HALVES[np.minimum(rows.half + 1, LAST + 1)] - 1
    fits = closes > rows.begin
    cut = split[rows.arrangement] & (rows.begin < HALVES[at[rows.arrangement] + 1] - 1)
    rows.end = np.where(here & fits & (cut | back[rows.arrangement]), closes, rows.end)
    rows.begin = np.where(cut & (rows.half > at[rows.arrangement]), HALVES[at[rows.arrangement] + 1], rows.begin)


def numbers(rng: Rng, wmo: Wmo, defects: Defects) -> Ints:
    """Allocation number of every arrangement; some come back after half a year. Changes `wmo.category` to match."""
    number = np.arange(len(wmo), dtype=np.int64)
    has = np.nonzero((wmo.follower >= 0) & (wmo.end < NEVER))[0]
    late = (wmo.begin[wmo.follower[has]] - wmo.end[has] > 190) & some(rng, len(has), defects.number_reused)
    first, again = has[late], wmo.follower[has[late]]
    number[again] = number[first]
    wmo.category[again] = wmo.category[first]
    return number


def make(
    rng: Rng, people: People, wmo: Wmo, found: Records, number: Ints, habits: Habits, defects: Defects, tag: str
) -> tuple[Rows, Ints]:
    """(rows, person of every row), by half-year and municipality."""
    order = np.lexsort((found.place, found.half))
    a, half, place = found.arrangement[order], found.half[order], found.place[order]
    begin, end = found.begin[order], found.end[order]
    n, person = len(a), wmo.person[a]
    kept = begin == wmo.begin[a]
    lead = between(rng, np.zeros(len(wmo)), 25)[a]
    unstarted = some(rng, len(wmo), 0.02)[a]
    assigned = np.where(kept & ~unstarted, begin - lead, begin)
    style = habits.numbers[place]
    unnumbered = (style == 0) | ((style == 1) & some(rng, n, 0.3))
    planned = assigned + 365 * between(rng, np.ones(len(wmo)), 3)[a]
    codes = pick([f"{c:02d}" for c in range(100)], wmo.category[a])
    rows: Rows = {
        "verslagperiode": pick(HALF_NAMES, half),
        "gemeentecode": _short(rng, pick(geo.codes_array(), place), defects),
        "gemeentecode_brp": pick(geo.codes_array(), wmo.home[a], some(rng, n, 0.4)),
        "bsn": identity.bsn_text(rng, people, person, defects, share=0.9996, care=0.3),
        **identity.attributes(rng, people, person, defects),
        "toewijzingsnummer": keys(f"N{tag}", number[a], unnumbered),
        "productcategorie": _short(rng, codes, defects),
        "leveringsvorm": pick(("ZIN", "PGB", "ONBEKEND"), choose(rng, (90, 9, 1), len(wmo))[a]),
        "ingangsdatum": Days(assigned),
        "beoogde_einddatum": Days(np.where(some(rng, n, 0.1), NEVER, planned), some(rng, n, 0.3)),
        "datum_start": Days(begin, unstarted),
        "datum_einde": Days(end, end >= NEVER),
        "reden_beeindiging": pick(REASONS, _reasons(rng, people, wmo)[a], end != wmo.end[a]),
        "type_aanbieder": pick(("A", "B", "C"), between(rng, np.zeros(n), 2)),
        "publicatie_toestemming": pick(("N", "J"), habits.consents[place].astype(np.int64)),
    }
    return rows, person


def _short(rng: Rng, text: pa.Array, defects: Defects) -> pa.Array:
    cut = pa.array(some(rng, len(text), defects.code_zero_lost))
    return pc.if_else(cut, pc.utf8_ltrim(text, "0"), text)


def _reasons(rng: Rng, people: People, wmo: Wmo) -> Ints:
    """Why an arrangement ends: old people mostly die, and nobody dies who comes back or whose title still runs."""
    drawn = choose(rng, REASON_WEIGHTS, len(wmo))
    age = 2021 - people.birth[wmo.person]
    drawn = np.where((age > 75) & some(rng, len(wmo), 0.5), 0, drawn)
    lives = (wmo.follower >= 0) | (wmo.chain >= 0)
    return np.where((drawn == 0) & lives, 2, drawn)


def versions(
    rng: Rng, rows: Rows, person: Ints, found: Records, habits: Habits, defects: Defects
) -> list[tuple[Rows, Ints]]:
    """Delivery 1, and delivery 2 with the final last half-year of municipalities that were provisional first."""
    order = np.lexsort((found.place, found.half))
    half, place = found.half[order], found.place[order]
    again = (half == LAST) & habits.provisional[place]
    # provisional: one row in twenty is not there yet
    first = np.nonzero(~again | ~some(rng, len(again), 0.05 if defects.provisional else 0.0))[0]
    second = np.nonzero(again)[0]
    return [(take(rows, part), person[part]) for part in (first, second)]
