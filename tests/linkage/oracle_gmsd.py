"""Second computation of the linkage, part two: delivered half-years, Wmo arrangements, outcomes and counts."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

from linkage.plan import Plan
from schemas import codes, gemeente
from schemas.target_group import MATEN
from tests.linkage.build import Row

FOREVER = dt.date.max
STATUS = ("voorlopig", "nader_voorlopig", "definitief")
SPECIAL_NAMES = {
    "0000": "Gemeente onbekend",
    "1999": "Niet in Nederland ingeschreven (RNI)",
    "ONB": "Geen gemeente bekend",
}
WITHIN_180 = ("RUNNING", "START_M90_0", "START_0_30", "START_30_90", "START_90_180")
UNSEEN = ("CENSORED", "NOT_OBSERVABLE", "NO_MUNICIPALITY")
WMO_GROUP = codes.load("productcategorie").groups()


class Arrangement(NamedTuple):
    """One row of wmo_arrangements."""

    person_id: int
    gemeente_delivery: str
    gemeente_brp: str | None
    productcategorie: str
    wmo_group: str
    leveringsvorm: str
    wmo_start: dt.date
    wmo_end: dt.date | None
    assigned_from: dt.date
    reden_beeindiging: str | None
    records: int
    last_period: str


def half_of(day: dt.date) -> str:
    """2022H1 for a day in its first half."""
    return f"{day.year}H{1 if day.month <= 6 else 2}"


def day_after(half: str) -> dt.date:
    """First day after a half-year."""
    year = int(half[:4])
    return dt.date(year, 7, 1) if half.endswith("1") else dt.date(year + 1, 1, 1)


def halves(first: dt.date, last: dt.date) -> list[str]:
    """Names of the half-years from one day to another."""
    found = [half_of(first)]
    while found[-1] != half_of(last):
        found.append(half_of(day_after(found[-1])))
    return found


def usable(code: str | None) -> bool:
    """A municipality: not empty, not 0000 (unknown), not 1999 (RNI)."""
    return code is not None and code not in gemeente.SPECIAL


def place_rank(code: str | None) -> tuple[int, str]:
    """Usable codes before 0000 and 1999 before empty, then lowest."""
    return (2 if code is None else 0 if usable(code) else 1), code or ""


def best_place(places: Iterable[str | None]) -> str | None:
    """The first place by rank; None when there is none."""
    return min(places, key=place_rank, default=None)


@cache
def _parts(half: str, year: int) -> dict[str, list[str]]:
    """Municipality of the classification -> the codes that existed for it at the end of the half-year."""
    last = day_after(half) - dt.timedelta(1)
    recode = gemeente.recode_table(year)
    parts: dict[str, list[str]] = defaultdict(list)
    for one in gemeente.all_gemeenten():
        if one.valid_on(last):
            parts[recode[one.code]].append(one.code)
    return parts


class Coverage:
    """What the GMSD manifests list, read in the plan's classification."""

    def __init__(
        self, listed: Mapping[int, Mapping[str, Iterable[str]]], status: Mapping[int, str], plan: Plan
    ) -> None:
        self.year = plan.classification_year
        self.recode = gemeente.recode_table(self.year)
        self.listed = {seq: {half: set(found) for half, found in by.items()} for seq, by in listed.items()}
        self.status_of = {seq: status.get(seq, "definitief") for seq in listed}
        self.last = {
            (half, code): seq
            for seq in sorted(self.listed)
            for half, found in self.listed[seq].items()
            for code in found
        }
        self._told: dict[tuple[str, str], bool] = {}
        self.halves = halves(plan.coverage_from, plan.coverage_until)

    def recoded(self, code: str | None) -> str | None:
        """The code in the plan's classification."""
        return None if code is None else self.recode[code]

    def replaces(self, row: Row) -> bool:
        """G1: a later delivery lists the row's municipality (old or new code) for its half-year."""
        own = {row["gemeentecode"], self.recoded(row["gemeentecode"])}
        later = (by for seq, by in self.listed.items() if seq > row["_sequence"])
        return any(own & by.get(row["verslagperiode"], set()) for by in later)

    def _latest(self, code: str, half: str) -> int | None:
        """The latest delivery that lists the municipality, under its own code or the one it has now."""
        found = (self.last.get((half, one)) for one in (code, self.recode[code]))
        return max((sequence for sequence in found if sequence is not None), default=None)

    def delivered(self, code: str, half: str) -> bool:
        """G2: every part of the municipality is listed; outside the plan's coverage nothing can be seen."""
        if (code, half) not in self._told:
            parts = _parts(half, self.year).get(code, [])
            self._told[code, half] = (
                half in self.halves and bool(parts) and all(self._latest(part, half) is not None for part in parts)
            )
        return self._told[code, half]

    def status(self, code: str, half: str) -> str | None:
        """Status of the latest delivery that lists it; of several parts the least final."""
        if not self.delivered(code, half):
            return None
        latest = (self._latest(part, half) for part in _parts(half, self.year)[code])
        return min((self.status_of[seq] for seq in latest if seq is not None), key=STATUS.index)

    def seen_until(self, one: Arrangement) -> dt.date:
        """G7: an open arrangement runs to the end of the last half-year that its municipality delivered."""
        if one.wmo_end is not None:
            return one.wmo_end
        told = [half for half in self.halves if self.delivered(one.gemeente_delivery, half)]
        return day_after(max([*told, one.last_period]))


def arrangements(rows: Mapping[int, list[Row]], delivered: Coverage, plan: Plan) -> list[Arrangement]:
    """Half-year records of every person merged: by number where that can be, else by the rule of CBS."""
    bare = {_year(row, delivered) for mine in rows.values() for row in mine if row["toewijzingsnummer"] is None}
    merged = []
    for person, mine in rows.items():
        by_number: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        by_rule: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in mine:
            key = (delivered.recode[row["gemeentecode"]], row["productcategorie"])
            if row["toewijzingsnummer"] is None:
                by_rule[*key, row["leveringsvorm"]].append(row)
            else:
                by_number[*key, row["toewijzingsnummer"]].append(row)
        for group, found in list(by_number.items()):
            if any(_year(row, delivered) in bare for row in found):
                for row in by_number.pop(group):
                    by_rule[*group[:2], row["leveringsvorm"]].append(row)
        pieces = [piece for found in by_number.values() for piece in _by_number(found, plan)]
        pieces += [piece for found in by_rule.values() for piece in _by_rule(found, plan)]
        merged += [_arrangement(person, piece, delivered) for piece in pieces]
    return merged


def _year(row: Row, delivered: Coverage) -> tuple[str, str]:
    return delivered.recode[row["gemeentecode"]], row["verslagperiode"][:4]


def _start(row: Row) -> dt.date:
    return row["datum_start"] or row["ingangsdatum"]  # type: ignore[no-any-return]


def _by_number(rows: list[Row], plan: Plan) -> list[list[Row]]:
    """G4: a number that returns after more than 183 days is a new arrangement."""
    pieces: list[list[Row]] = []
    seen = dt.date.min
    for row in sorted(rows, key=_start):
        if not pieces or (_start(row) - seen).days > plan.reuse_gap_days:
            pieces.append([])
            seen = dt.date.min
        pieces[-1].append(row)
        seen = max(seen, _start(row), row["datum_einde"] or day_after(row["verslagperiode"]))
    return pieces


def _by_rule(rows: list[Row], plan: Plan) -> list[list[Row]]:
    """G5: open rows follow the later row that replaces them; the others join in connected components."""
    followed = {i: _successor(i, rows) for i in range(len(rows))}
    label = {i: i for i, after in followed.items() if after is None}
    for one, other in combinations(tuple(label), 2):
        if _joins(rows[one], rows[other], plan):
            old, new = label[one], label[other]
            label.update({i: new for i, found in label.items() if found == old})
    pieces: dict[int, list[Row]] = defaultdict(list)
    for i, after in followed.items():
        pieces[label[i if after is None else after]].append(rows[i])
    return list(pieces.values())


def _successor(i: int, rows: list[Row]) -> int | None:
    """The row that takes the place of an open row: with the same start, in a later half-year."""
    if rows[i]["datum_einde"] is not None:
        return None
    later: dict[str, list[int]] = defaultdict(list)
    for j, row in enumerate(rows):
        if _start(row) == _start(rows[i]) and row["verslagperiode"] > rows[i]["verslagperiode"]:
            later[row["verslagperiode"]].append(j)
    if not later:
        return None
    closed = [half for half, found in later.items() if all(rows[j]["datum_einde"] for j in found)]
    chosen = later[min(closed)] if closed else [j for j in later[max(later)] if rows[j]["datum_einde"] is None]
    return min(chosen, key=lambda j: (_late(rows[j]["datum_einde"]), _reason(rows[j])))


def _late(day: dt.date | None) -> int:
    """Sort key: no day first, then the latest."""
    return -(day or FOREVER).toordinal()


def _reason(row: Row) -> tuple[bool, str]:
    return row["reden_beeindiging"] is None, row["reden_beeindiging"] or ""


def _joins(one: Row, other: Row, plan: Plan) -> bool:
    reasons = {one["reden_beeindiging"], other["reden_beeindiging"]}
    if len(reasons - {None}) > 1:
        return False
    if (_start(one), one["datum_einde"]) == (_start(other), other["datum_einde"]):
        return True
    pairs = ((_start(one), other["datum_einde"]), (_start(other), one["datum_einde"]))
    return any(end is not None and abs((start - end).days) <= plan.join_margin_days for start, end in pairs)


def _arrangement(person: int, rows: list[Row], delivered: Coverage) -> Arrangement:
    """G6: the rows of the last half-year decide the end."""
    last = max(row["verslagperiode"] for row in rows)

    def order(row: Row) -> tuple[Any, ...]:
        return (_late(row["datum_einde"]), _late(_start(row)), row["leveringsvorm"], _reason(row))

    decides = min((row for row in rows if row["verslagperiode"] == last), key=order)
    places = [(delivered.recoded(row["gemeentecode_brp"]), row["verslagperiode"]) for row in rows]
    rank = min(place_rank(code)[0] for code, _ in places)
    latest = max(half for code, half in places if place_rank(code)[0] == rank)
    group = WMO_GROUP[decides["productcategorie"]]
    return Arrangement(
        person,
        delivered.recode[decides["gemeentecode"]],
        best_place(code for code, half in places if half == latest and place_rank(code)[0] == rank),
        decides["productcategorie"],
        group if group in ("THUIS", "OPVANG") else "OVERIG",
        decides["leveringsvorm"],
        min(_start(row) for row in rows),
        decides["datum_einde"],
        min(row["ingangsdatum"] for row in rows),
        decides["reden_beeindiging"],
        len(rows),
        last,
    )


# ---------------------------------------------------------------- outcome and counts


class Move(NamedTuple):
    """Where a person came from and where it went after the last detention."""

    origin: str | None
    settlement: str | None


class Outcome(NamedTuple):
    """The columns of title_end_events from `outcome` to `supra_regional`."""

    outcome: str
    outcome_thuis: str
    outcome_opvang: str
    ended_before: bool
    wmo_start: dt.date | None
    wmo_group: str | None
    gap_title_days: int | None
    gap_care_days: int | None
    gemeente_origin: str | None
    gemeente_settlement: str | None
    gemeente_delivery: str | None
    gemeente: str | None
    gemeente_basis: str
    supra_regional: bool


class Event(NamedTuple):
    """One row of title_end_events, and what the counts per area ask of it."""

    person_id: int
    half_year: str
    excluded: str | None
    entry_detention: bool
    outcome: Outcome
    row: tuple[Any, ...]


def outcome_of(  # noqa: PLR0917
    day: dt.date, wmo: list[Arrangement], move: Move, care_end: dt.date | None, delivered: Coverage, plan: Plan
) -> Outcome:
    """O1-O6 for one title end."""
    found, one = decide(day, [a for a in wmo if a.wmo_group in ("THUIS", "OPVANG")], delivered, plan)
    nearest = min(wmo, key=lambda a: (abs((a.wmo_start - day).days), *_order(a, delivered)), default=None)
    source = one or nearest
    delivery = source.gemeente_delivery if source else None
    place, basis = _place(move, source.gemeente_brp if source else None, delivery)
    rest = _rest(day, place, bool(wmo), delivered, plan)
    thuis, _ = decide(day, [a for a in wmo if a.wmo_group == "THUIS"], delivered, plan)
    opvang, _ = decide(day, [a for a in wmo if a.wmo_group == "OPVANG"], delivered, plan)
    ended = found == "START_M90_0" and one is not None and one.wmo_end is not None and one.wmo_end <= day
    return Outcome(
        *(found or rest, thuis or rest, opvang or rest, ended),
        one.wmo_start if one else None,
        one.wmo_group if one else None,
        (one.wmo_start - day).days if one else None,
        (one.wmo_start - care_end).days if one and care_end else None,
        *(move.origin, move.settlement, delivery, place, basis),
        _supra_regional(move, delivery, plan),
    )


def _order(one: Arrangement, delivered: Coverage) -> tuple[Any, ...]:
    """O1: which of several arrangements decides; groups by alphabet, the BRP code only breaks a last tie."""
    return (
        one.wmo_start,
        -delivered.seen_until(one).toordinal(),
        one.wmo_end is not None,
        one.wmo_group,
        one.productcategorie,
        one.gemeente_delivery,
        *(one.gemeente_brp is None, one.gemeente_brp or ""),
        one.assigned_from,
    )


def decide(
    day: dt.date, wmo: list[Arrangement], delivered: Coverage, plan: Plan
) -> tuple[str | None, Arrangement | None]:
    """The class that the arrangements give a title end, and the one that decides it."""

    def offset(one: Arrangement) -> int:
        return (one.wmo_start - day).days

    running = [a for a in wmo if offset(a) < -plan.before_days and delivered.seen_until(a) > day]
    if running:
        return "RUNNING", min(running, key=lambda a: _order(a, delivered))
    starts = [a for a in wmo if -plan.before_days <= offset(a) <= plan.follow_up_days]
    if not starts:
        return None, None
    first = min(starts, key=lambda a: _order(a, delivered))
    if offset(first) < 0:
        return "START_M90_0", first
    steps = (
        (plan.window_1_days, "START_0_30"),
        (plan.window_2_days, "START_30_90"),
        (plan.headline_days, "START_90_180"),
        (plan.follow_up_days, "START_180_365"),
    )
    return next(name for limit, name in steps if offset(first) <= limit), first


def _place(move: Move, brp: str | None, delivery: str | None) -> tuple[str | None, str]:
    """O4: the first usable code, else the first 0000 or 1999."""
    known = (("SETTLEMENT", move.settlement), ("ORIGIN", move.origin), ("BRP", brp), ("DELIVERY", delivery))
    for accept in (usable, bool):
        for basis, code in known:
            if accept(code):
                return code, basis
    return None, "NONE"


def _rest(day: dt.date, place: str | None, has_wmo: bool, delivered: Coverage, plan: Plan) -> str:
    """O2: why no class was found."""
    if not usable(place) and not has_wmo:
        return "NO_MUNICIPALITY"
    until = day + dt.timedelta(plan.headline_days)
    inside = halves(plan.coverage_from, plan.coverage_until)
    touched = [half for half in halves(day, until) if half in inside]
    if place is None or not all(delivered.delivered(place, half) for half in touched):
        return "NOT_OBSERVABLE"
    return "CENSORED" if until > plan.coverage_until else "NONE"


def _supra_regional(move: Move, delivery: str | None, plan: Plan) -> bool:
    region = {g.code: g.veiligheidsregio_code for g in gemeente.gemeenten(plan.classification_year)}
    to = move.settlement if usable(move.settlement) else delivery
    ends = region.get(move.origin or ""), region.get(to or "")
    return all(ends) and ends[0] != ends[1]


def coverage_table(wmo: list[Arrangement], delivered: Coverage, plan: Plan) -> list[tuple[Any, ...]]:
    """Every municipality and half-year of the period, with flows of both groups (N2)."""
    counted = [a for a in wmo if a.wmo_group in ("THUIS", "OPVANG")]
    inflow = Counter((a.gemeente_delivery, half_of(a.wmo_start)) for a in counted)
    outflow = Counter((a.gemeente_delivery, half_of(a.wmo_end)) for a in counted if a.wmo_end)
    table = []
    for one in gemeente.gemeenten(plan.classification_year):
        for half in halves(plan.period_from, plan.period_until):
            flows = inflow[one.code, half], outflow[one.code, half]
            odd = max(flows) >= plan.suspicious_least and 10 * max(flows) >= plan.suspicious_tenths * min(flows)
            told = delivered.delivered(one.code, half), delivered.status(one.code, half)
            table.append((one.code, half, *told, *flows, odd))
    return table


def counts_per_area(events: list[Event], delivered: Coverage, plan: Plan) -> list[tuple[Any, ...]]:
    """N1: people with an event in scope, per area, half-year and measure."""
    areas = _areas(plan)
    everywhere = areas["land", "NL", "Nederland"]
    table = []
    for half in halves(plan.period_from, plan.period_until):
        told = {code for code in everywhere if delivered.delivered(code, half)}
        here = [e for e in events if e.half_year == half and e.excluded is None]
        for (level, code, name), places in areas.items():
            mine = [e for e in here if level == "land" or (e.outcome.gemeente or "ONB") in places]
            table += [(level, code, name, half, what, _people(mine, what), places <= told) for what in MATEN]
    return table


@cache
def _areas(plan: Plan) -> dict[tuple[str, str, str], set[str]]:
    """(level, code, name) -> its municipalities."""
    areas: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in gemeente.gemeenten(plan.classification_year):
        areas["gemeente", one.code, one.naam].add(one.code)
        areas["veiligheidsregio", one.veiligheidsregio_code, one.veiligheidsregio].add(one.code)
        areas["arrondissement", one.arrondissement_code, one.arrondissement].add(one.code)
        areas["provincie", one.provincie_code, one.provincie].add(one.code)
        areas["land", "NL", "Nederland"].add(one.code)
    for code, name in SPECIAL_NAMES.items():
        areas["gemeente", code, name].add(code)
    return areas


def _people(events: list[Event], what: str) -> int:
    return len({e.person_id for e in events if _counts(e, what)}) if events else 0


def _counts(e: Event, what: str) -> bool:
    holds = {
        "titel_eindes": True,
        "wmo_180": e.outcome.outcome in WITHIN_180,
        "wmo_365": e.outcome.outcome in (*WITHIN_180, "START_180_365"),
        "wmo_liep_al": e.outcome.outcome == "RUNNING",
        "wmo_thuis_180": e.outcome.outcome_thuis in WITHIN_180,
        "wmo_opvang_180": e.outcome.outcome_opvang in WITHIN_180,
        "met_detentie": e.entry_detention,
        "niet_waarneembaar": e.outcome.outcome in UNSEEN,
    }
    return holds[what]
