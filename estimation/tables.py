"""Read what linkage wrote: title ends, coverage, chains, requests, as arrays. Nothing else is ever opened.

The number of a person in this run is read to count persons once and to see on which registers one stands; it never
leaves this module. Axes: E title ends, N persons x half-years (units), M municipalities, T half-years.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from estimation import guard
from estimation.arrays import Bools, Ints
from estimation.places import DISTRICTS, Places
from schemas.estimates import MAANDEN
from schemas.linked import OUTCOMES

GROUPS = {"ALLE": "outcome", "THUIS": "outcome_thuis", "OPVANG": "outcome_opvang"}
WINDOWS = tuple(MAANDEN)
_LAST_CLASS = {3: 4, 6: 5, 12: 6}  # how many of OUTCOMES count within the window
# All that is ever opened; none of them holds a pseudonym.
FILES = ("coverage", "persons", "detention_spells", "placement_requests", "title_chains", "care_spells",
         "title_end_events", "tbs_events")  # fmt: skip
NEVER = np.int64(1 << 40)
NONE = np.int64(-2)
DEPARTURES = ("OVERLIJDEN", "UITZETTING")
RUNNING = np.int64(-9_999)
FORENSIC = 3  # lists of capture-recapture that hold forensic persons alone; the next is GMSD
QUIET_FROM = 20  # starts and ends of a half-year that are usual: there none at all is no chance
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Units:
    """One row per person x half-year with a title end in scope (N). `use[g, h]` is N booleans."""

    half: Ints
    place: Ints  # municipality, -1 unknown
    district: Ints  # 3RO district of a request, -1 none
    named: Ints  # municipality that gives support at home, or shelter in another region; -1 none, or other support
    sheltered: Bools  # place known from who gives shelter alone
    detention: Bools  # place known from a detention, so whatever followed
    has_bsn: Bools  # some register gives a number the Wmo data also use
    provisional: Bools
    day: Ints  # title end
    offset: Ints  # first Wmo start minus title end; RUNNING or NEVER
    detained: Ints  # first detention after the title end, minus title end; NEVER
    died: Ints  # death on or after the title end that a detention or tbs notice tells of, minus title end; NEVER
    deported: Ints  # the same for deportation
    use: dict[tuple[str, int], Bools]


@dataclass(frozen=True)
class Linked:
    """Everything the estimator knows."""

    places: Places
    halves: tuple[str, ...]
    units: Units
    delivered: Bools  # M x T, files with what they should hold
    suspicious: Bools  # M x T
    outflow: Ints  # M x T, detentions that ended with settlement there
    chain_end: Ints  # half-year number of the title end, chains with realised care; -1 unknown
    chain_before: Ints  # half-year number of the same person's title end before it, where both are known; -1 none
    chain_after: Ints  # half-year number of the end of the same person's next chain; -1 unknown, NONE without one
    chain_care: Ints  # half-year number of the end of the person's last care; -1 still open, or not closed in Ifzo
    departed: tuple[int, int]  # known title ends taken out for a death or deportation, and those that stand
    coverage_end: int  # last day with Wmo data
    lists: Bools  # persons x (Injus, 3RO, Ifzo, GMSD), of those on one of the first three
    list_region: Ints  # veiligheidsregio per person, -1 unknown


def half_number(day: Ints) -> Ints:
    """2 x year, plus 1 in the second half, from days since 1970."""
    months = day.astype("M8[D]").astype("M8[M]").astype(np.int64)
    return np.asarray(2 * (1970 + months // 12) + (months % 12 >= 6), np.int64)


def half_name(number: int) -> str:
    """Name of a half-year number."""
    return f"{number // 2}H{number % 2 + 1}"


def half_index(name: str) -> int:
    """Number of a half-year name such as 2022H1."""
    return 2 * int(name[:4]) + (name[5] == "2")


def first_day(number: int) -> int:
    """First day of a half-year, in days since 1970."""
    return (dt.date(number // 2, 7 if number % 2 else 1, 1) - _EPOCH).days


def read(folder: Path) -> Linked:
    """Read the linked folder of a run. FileNotFoundError when a table is missing (the link step makes all)."""
    coverage = pq.read_table(folder / "coverage.parquet")
    places = Places.of(tuple(coverage["gemeente"].unique().to_pylist()))
    halves = tuple(sorted(coverage["half_year"].unique().to_pylist()))
    first, count = half_index(halves[0]), len(halves)
    persons = pq.read_table(folder / "persons.parquet", columns=["person_id", "bsn_count", *_LISTS])
    spells = pq.read_table(folder / "detention_spells.parquet")
    requests = pq.read_table(folder / "placement_requests.parquet", columns=["person_id", "arrondissement"])
    chains = pq.read_table(folder / "title_chains.parquet")
    chains = chains.filter(chains["realised"])
    care = pq.read_table(folder / "care_spells.parquet", columns=["person_id", "care_end"])
    events = pq.read_table(folder / "title_end_events.parquet")
    gone_before = int(pc.sum(pc.is_in(events["excluded"], pa.array(DEPARTURES))).as_py() or 0)
    events = events.filter(pc.is_null(events["excluded"]))
    guard.check(coverage, events, spells, requests)
    gone = _departures(
        spells, pq.read_table(folder / "tbs_events.parquet", columns=["person_id", "gebeurtenis", "datum"])
    )
    grid = (places, first, count)
    lists, region = _lists(persons, spells, places)
    return Linked(
        places,
        halves,
        _units(events, persons, (spells, gone), requests, grid),
        _flags(coverage, "delivered", grid) & ~_quiet(coverage, grid),
        _flags(coverage, "suspicious", grid),
        _outflow(spells, grid),
        _half(_days(chains["title_end"])),
        _half(_before(_ints(chains["person_id"]), _days(chains["title_end"]))),
        _after(_ints(chains["person_id"]), _days(chains["chain_begin"]), _half(_days(chains["title_end"]))),
        _last_care(care, _ints(chains["person_id"])),
        (gone_before, len(events)),
        first_day(first + count) - 1,
        lists,
        region,
    )


_LISTS = ("in_injus", "in_reclassering", "in_ifzo", "in_gmsd")


def _days(column: pa.ChunkedArray) -> Ints:
    """Days since 1970; NEVER where empty."""
    numbers = pc.cast(column, pa.int32()).combine_chunks()
    return np.asarray(pc.fill_null(pc.cast(numbers, pa.int64()), int(NEVER)).to_numpy(zero_copy_only=False), np.int64)


def _ints(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.to_numpy(), np.int64)


def _half(day: Ints) -> Ints:
    """Half-year number of a day; -1 for NEVER."""
    return np.where(day == NEVER, -1, half_number(np.minimum(day, 40_000)))


def _before(person: Ints, end: Ints) -> Ints:
    """The known title end of the same person before each known one; NEVER where there is none."""
    order = np.lexsort((end, person))
    number, day = person[order], end[order]
    follows = np.append(False, (np.diff(number) == 0) & (day[1:] != NEVER))
    before = np.full(len(end), NEVER)
    before[order] = np.where(follows, np.append(NEVER, day[:-1]), NEVER)
    return before


def _after(person: Ints, begin: Ints, end: Ints) -> Ints:
    """The end (half-year number, -1 unknown) of the same person's next chain; NONE where it is the last."""
    order = np.lexsort((begin, person))
    same = np.append(np.diff(person[order]) == 0, False)
    after = np.full(len(end), NONE)
    after[order] = np.where(same, np.append(end[order][1:], NONE), NONE)
    return after


def _last_care(care: pa.Table, person: Ints) -> Ints:
    """Half-year number in which each person's last care ended; -1 while one of them is open."""
    number, end = _ints(care["person_id"]), _days(care["care_end"])
    last = np.full(int(max(number.max(initial=0), person.max(initial=0))) + 1, -1, np.int64)
    np.maximum.at(last, number, end)
    return _half(np.where(last[person] < 0, NEVER, last[person]))


def _flags(coverage: pa.Table, name: str, grid: tuple[Places, int, int]) -> Bools:
    return _numbers(coverage, name, grid) > 0


def _numbers(coverage: pa.Table, name: str, grid: tuple[Places, int, int]) -> Ints:
    places, first, count = grid
    made = np.zeros((len(places), count), np.int64)
    half = np.array([half_index(text) for text in coverage["half_year"].to_pylist()], np.int64) - first
    made[places.index(coverage["gemeente"].to_pylist()), half] = coverage[name].to_numpy()
    return made


def _quiet(coverage: pa.Table, grid: tuple[Places, int, int]) -> Bools:
    """Half-years delivered in name (M x T): without a single start or end, where 20 or more are usual.

    Usual is the municipality's own median. Few is not none: decisions 130 and 137.
    """
    flow = _numbers(coverage, "inflow", grid) + _numbers(coverage, "outflow", grid)
    some = _flags(coverage, "delivered", grid)
    usual = np.array([np.median(row[kept]) if kept.any() else 0.0 for row, kept in zip(flow, some, strict=True)])
    return np.asarray(some & (usual >= QUIET_FROM)[:, None] & (flow == 0), np.bool_)


def _outflow(spells: pa.Table, grid: tuple[Places, int, int]) -> Ints:
    places, first, count = grid
    end, place = _days(spells["detention_end"]), places.index(spells["gemeente_settlement"].to_pylist())
    half = _half(end) - first
    inside = (place >= 0) & (half >= 0) & (half < count)
    counts = np.zeros((len(places), count), np.int64)
    np.add.at(counts, (place[inside], half[inside]), 1)
    return counts


def _lookup(keys: Ints, values: Ints, wanted: Ints, missing: int) -> Ints:
    """values[keys == wanted], the first where there are more; `missing` where there is none."""
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys[order], wanted)
    at = np.minimum(at, max(len(keys) - 1, 0))
    if not len(keys):
        return np.full(len(wanted), missing, np.int64)
    return np.where(keys[order][at] == wanted, values[order][at], missing)


def _departures(spells: pa.Table, tbs: pa.Table) -> pa.Table:
    """Deaths and deportations that notices tell of: person_id, kind, day."""
    parts = ((spells, "reden_einde", "detention_end"), (tbs, "gebeurtenis", "datum"))
    columns = [[table[name] for name in ("person_id", *names)] for table, *names in parts]
    chunks = [pa.chunked_array([*one.chunks, *other.chunks]) for one, other in zip(*columns, strict=True)]
    return pa.table(dict(zip(("person_id", "kind", "day"), chunks, strict=True)))


def _next(number: Ints, when: Ints, person: Ints, day: Ints) -> Ints:
    """Days from each title end to the person's next event after it; NEVER. NEVER among `when` is no event."""
    known = when != NEVER
    key = number[known] * (1 << 20) + when[known]
    key.sort()
    at = np.searchsorted(key, person * (1 << 20) + day, side="right")
    found = key[np.minimum(at, max(len(key) - 1, 0))] if len(key) else np.zeros(len(person), np.int64)
    same = (at < len(key)) & (found >> 20 == person)
    return np.where(same, (found & ((1 << 20) - 1)) - day, NEVER)


def _departed(gone: pa.Table, kind: str, person: Ints, day: Ints) -> Ints:
    """Days to a death or deportation on the day of the title end or later."""
    mine = gone.filter(pc.equal(gone["kind"], kind))
    since = _next(_ints(mine["person_id"]), _days(mine["day"]), person, day - 1)
    return np.where(since == NEVER, NEVER, since - 1)


def _units(
    events: pa.Table,
    persons: pa.Table,
    later: tuple[pa.Table, pa.Table],
    requests: pa.Table,
    grid: tuple[Places, int, int],
) -> Units:
    spells, gone = later
    places, first, count = grid
    person, day = _ints(events["person_id"]), _days(events["title_end"])
    half, place = half_number(day) - first, places.index(events["gemeente"].to_pylist())
    order = np.lexsort((day, place < 0, half, person))
    order = order[(half[order] >= 0) & (half[order] < count)]
    head = np.ones(len(order), np.bool_)
    head[1:] = (np.diff(person[order]) != 0) | (np.diff(half[order]) != 0)
    mine = order[head]
    unit = np.cumsum(head) - 1
    basis = np.array(events["gemeente_basis"].to_pylist())[mine]
    arrondissement = pc.index_in(requests["arrondissement"], pa.array(DISTRICTS)).combine_chunks()
    district = np.asarray(arrondissement.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    offset = _days(events["wmo_start"])
    offset = np.where(offset == NEVER, NEVER, offset - day)
    offset = np.where(np.array(events["outcome"].to_pylist()) == "RUNNING", RUNNING, offset)
    bsn = _lookup(_ints(persons["person_id"]), _ints(persons["bsn_count"]), person[mine], 0)
    group = np.array(events["wmo_group"].to_pylist())
    giver = places.index(events["gemeente_delivery"].to_pylist())
    away = (place >= 0) & (giver >= 0) & (places.region[place] != places.region[giver])
    named = np.where((group == "THUIS") | ((group == "OPVANG") & away), giver, -1)
    least = np.full(len(mine), NEVER)
    np.minimum.at(least, unit, offset[order])
    return Units(
        half[mine],
        place[mine],
        _lookup(_ints(requests["person_id"]), district, person[mine], -1),
        named[mine],
        (group[mine] == "OPVANG") & (basis == "DELIVERY"),
        np.isin(basis, ("SETTLEMENT", "ORIGIN")),
        bsn > 0,
        np.array(events["status"].to_pylist())[mine] == "VOORLOPIG",
        day[mine],
        least,
        _next(_ints(spells["person_id"]), _days(spells["detention_begin"]), person[mine], day[mine]),
        _departed(gone, "OVERLIJDEN", person[mine], day[mine]),
        _departed(gone, "UITZETTING", person[mine], day[mine]),
        {key: _any(flag[order], unit, len(mine)) for key, flag in _use(events).items()},
    )


def _use(events: pa.Table) -> dict[tuple[str, int], Bools]:
    made = {}
    for group, column in GROUPS.items():
        rank = pc.fill_null(pc.index_in(events[column], pa.array(OUTCOMES)), 99).to_numpy()
        for months in WINDOWS:
            made[group, months] = np.asarray(rank < _LAST_CLASS[months], np.bool_)
    return made


def _any(flag: Bools, unit: Ints, count: int) -> Bools:
    return np.bincount(unit, weights=flag, minlength=count) > 0


def _lists(persons: pa.Table, spells: pa.Table, places: Places) -> tuple[Bools, Ints]:
    """Membership of persons on at least one forensic list, and their region (last settlement).

    GMSD holds everybody with Wmo support: who stands there alone is not of the population, or nobody can tell.
    """
    member = np.column_stack([persons[name].to_numpy() for name in _LISTS])
    some = member[:, :FORENSIC].any(axis=1)
    number = _ints(persons["person_id"])[some]
    place = places.index(spells["gemeente_settlement"].to_pylist())
    known = place >= 0
    region = _lookup(_ints(spells["person_id"])[known], places.region[place[known]], number, -1)
    return member[some], region
