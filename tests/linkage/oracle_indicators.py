"""The indicators a second time, in plain Python: from the oracle's own linked rows, never from the SQL's.

`indicators(rows, coverage, plan, status)` returns, per indicator table, the rows that the run should write. Every
count is a question about one title end, one person or one detention; loops and sets, no running totals.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from linkage.plan import Plan
from schemas.gemeente import gemeenten
from schemas.indicators import DETENTION, INFLOW, KLASSEN, TITLE_ENDS
from schemas.linked import LINKED_TABLES
from tests.linkage import oracle_links
from tests.linkage.oracle import CARE_ORDER, FOREVER, ONE_DAY, Rows, add_months, oracle
from tests.linkage.oracle_gmsd import SPECIAL_NAMES, Arrangement, Coverage, day_after, half_of, place_rank, usable

Table = list[tuple[Any, ...]]
Thing = Any
BEFORE = ("RUNNING", "START_M90_0")
STEPS = ((30, "START_0_30"), (90, "START_30_90"), (180, "START_90_180"), (365, "START_180_365"))
REST = {"NONE": "geen_wmo", "CENSORED": "gecensureerd", "NOT_OBSERVABLE": "niet_geleverd"}
REST["NO_MUNICIPALITY"] = "geen_gemeente"
OUT = {"NO_REALISED_CARE": "zonder_zorg", "OVERLIJDEN": "overleden", "UITZETTING": "uitgezet"}


def indicators(
    rows: Rows,
    coverage: Mapping[int, Mapping[str, Iterable[str]]],
    plan: Plan,
    status: Mapping[int, str],
    model: oracle_links.Model = (),
) -> dict[str, Table]:
    """Every table of schemas.indicators, rows in declared column order, unsorted."""
    sequences = {key[1] for key in rows if key[0] == "gmsd"}
    delivered = Coverage({s: coverage.get(s, {}) for s in sequences}, status, plan)
    told = oracle(rows, coverage, plan, status, model)
    linked = {name: [_thing(name, row) for row in told.get(name, [])] for name in LINKED_TABLES}
    linked["arrangements"] = [Arrangement(*row) for row in told.get("wmo_arrangements", [])]
    events = [_event(e, delivered, plan) for e in linked["title_end_events"]]
    return {
        "indicator_title_ends": _title_ends(events),
        "indicator_spread": _spread(events),
        "indicator_quantiles": _quantiles(events),
        "indicator_inflow": _inflow(linked, delivered, plan),
        "indicator_detention": _detention(linked, plan),
    }


def _thing(name: str, row: tuple[Any, ...]) -> SimpleNamespace:
    return SimpleNamespace(**dict(zip(LINKED_TABLES[name].names, row, strict=True)))


# ---------------------------------------------------------------- areas, bands, groups


def areas_of(code: str, year: int = 2023) -> list[tuple[str, str]]:
    """Every area a municipality belongs to; unknown, RNI and none belong to the country alone."""
    if code in SPECIAL_NAMES:
        return [("gemeente", code), ("land", "NL")]
    (one,) = (g for g in gemeenten(year) if g.code == code)
    regions = [(n, getattr(one, f"{n}_code")) for n in ("veiligheidsregio", "arrondissement", "provincie")]
    return [("gemeente", code), *regions, ("land", "NL")]


def band(year: int, born: int | None) -> str:
    """CBS's age band, from the year of the event and the birth year."""
    if born is None:
        return "ONBEKEND"
    bands = ((30, "0-29"), (45, "30-44"), (60, "45-59"), (75, "60-74"), (85, "75-84"))
    return next((name for limit, name in bands if year - born < limit), "85+")


def _cells(
    things: Iterable[Thing], traits: Callable[[Thing], dict[str, str]]
) -> dict[tuple[str, str, str, str, str], list[Thing]]:
    """(level, code, period, characteristic, value) -> what belongs there."""
    cells: dict[tuple[str, str, str, str, str], list[Thing]] = defaultdict(list)
    for one in things:
        for niveau, code in areas_of(one.place):
            for period in one.periods:
                for kenmerk, waarde in {"ALLEN": "ALLEN", **traits(one)}.items():
                    cells[niveau, code, period, kenmerk, waarde].append(one)
    return cells


# ---------------------------------------------------------------- title ends


def _event(e: Thing, delivered: Coverage, plan: Plan) -> Thing:
    e.place = e.gemeente or "ONB"
    e.periods = (e.half_year, e.half_year[:4])
    e.counts = e.excluded is None
    e.followed = {days: _seen(e, days, delivered, plan) for days, _ in STEPS}
    region = {g.code: g.veiligheidsregio_code for g in gemeenten(plan.classification_year)}
    to = e.gemeente_settlement if usable(e.gemeente_settlement) else e.gemeente_delivery
    e.regions = (region.get(e.gemeente_origin), region.get(to))
    return e


def _seen(e: Thing, days: int, delivered: Coverage, plan: Plan) -> bool:
    """Every half-year that [0, days] touches was delivered, and the coverage does not end before."""
    last = e.title_end + dt.timedelta(days)
    if last > plan.coverage_until or e.gemeente is None:
        return False
    half, touched = half_of(e.title_end), [half_of(e.title_end)]
    while half != half_of(last):
        half = half_of(day_after(half))
        touched.append(half)
    return all(delivered.delivered(e.gemeente, one) for one in touched)


def _traits(e: Thing) -> dict[str, str]:
    return {
        "GESLACHT": e.geslacht or "ONBEKEND",
        "LEEFTIJD": band(e.title_end.year, e.geboortejaar),
        "ZORGGROEP": e.last_care_group or "GEEN",
        "INSTROOMROUTE": "DETENTIE" if e.entry_detention else "GEEN_DETENTIE",
    }


def _within(outcome: str, days: int) -> bool:
    return outcome in BEFORE or outcome in [name for limit, name in STEPS if limit <= days]


def _questions(e: Thing) -> set[str]:
    """Every count that one title end adds 1 to."""
    yes = {"gevonden"} | ({OUT[e.excluded]} if e.excluded else set())
    if not e.counts:
        return yes
    wmo = e.wmo_start is not None
    asked = {
        "titel_eindes": True,
        "voorlopig": e.status == "VOORLOPIG",
        "koppelbaar": e.linkable,
        "gemeente_bekend": usable(e.gemeente),
        "liep_al": e.outcome == "RUNNING",
        "start_voor": e.outcome == "START_M90_0",
        "wmo_voor": e.outcome in BEFORE,
        "thuis_voor": e.outcome_thuis in BEFORE,
        "opvang_voor": e.outcome_opvang in BEFORE,
        "aansluitend_titel": wmo and e.gap_title_days <= 0,
        "kloof_zorg_bekend": wmo and e.gap_care_days is not None,
        "aansluitend_zorg": wmo and e.gap_care_days is not None and e.gap_care_days <= 0,
        "toegewezen_6_weken": wmo and e.lead_days >= 42,
        "toegewezen_1_jaar": wmo and e.lead_days >= 365,
        "via_detentie": e.entry_detention,
        "detentie_24m": e.detention_24m,
        "lange_detentie": e.long_detention,
        "terug_gevolgd": e.return_detention in ("RETURN", "NONE"),
        "terug_24m": e.return_detention == "RETURN",
        "regio_bekend": all(e.regions),
        "bovenregionaal": all(e.regions) and len(set(e.regions)) == 2,
    }
    for days, name in STEPS:
        asked[name.lower()] = e.outcome == name
        asked[f"wmo_{days}"] = _within(e.outcome, days)
        asked[f"gevolgd_{days}"] = _within(e.outcome, days) or e.followed[days]
        asked[f"thuis_{days}"] = _within(e.outcome_thuis, days)
        asked[f"opvang_{days}"] = _within(e.outcome_opvang, days)
    asked |= {name: e.outcome == outcome for outcome, name in REST.items()}
    return yes | {name for name, holds in asked.items() if holds}


def _title_ends(events: list[Thing]) -> Table:
    names = TITLE_ENDS.names[5:-1]
    table = []
    for cell, found in _cells(events, _traits).items():
        asked = [_questions(e) for e in found]
        counts = [sum(name in one for one in asked) for name in names]
        table.append((*cell, *counts, len({e.person_id for e in found if e.counts})))
    return table


def _measured(events: list[Thing]) -> dict[tuple[str, ...], list[int]]:
    days: dict[tuple[str, ...], list[int]] = defaultdict(list)
    followed = [e for e in events if e.counts and e.wmo_start is not None]
    for cell, found in _cells(followed, _traits).items():
        for e in found:
            told = (("KLOOF_TITEL", e.gap_title_days), ("KLOOF_ZORG", e.gap_care_days), ("VOORSPRONG", e.lead_days))
            for maat, value in told:
                if value is not None:
                    days[*cell, maat].append(value)
    return days


def _spread(events: list[Thing]) -> Table:
    table = []
    for key, days in _measured(events).items():
        for k in KLASSEN:
            inside = sum(k.vanaf <= d < k.tot for d in days)
            if k.maat == key[-1] and inside:
                table.append((*key, k.volgorde, k.klasse, inside))
    return table


def _quantiles(events: list[Thing]) -> Table:
    def smallest(days: list[int], share: int) -> int:
        """The smallest value with at least `share` percent of all values at or below it."""
        return next(d for d in sorted(days) if 100 * sum(x <= d for x in days) >= share * len(days))

    shares = (10, 25, 50, 75, 90)
    return [(*key, len(days), *(smallest(days, s) for s in shares)) for key, days in _measured(events).items()]


# ---------------------------------------------------------------- inflow of people


def _inflow(linked: dict[str, list[Thing]], delivered: Coverage, plan: Plan) -> Table:
    """Per person, group and half-year one line; new when nothing of the group ran the day before."""
    by_person: dict[tuple[int, str, str], list[Arrangement]] = defaultdict(list)
    for one in linked["arrangements"]:
        if one.wmo_group in ("THUIS", "OPVANG") and plan.period_from <= one.wmo_start <= plan.period_until:
            by_person[one.person_id, one.wmo_group, half_of(one.wmo_start)].append(one)
    lines = []
    for (person_id, group, half), mine in by_person.items():
        everything = [a for a in linked["arrangements"] if a.person_id == person_id and a.wmo_group == group]
        new = [a for a in mine if not _ran_before(a.wmo_start, everything, delivered)]
        start = min(a.wmo_start for a in new or mine)
        place = min(a.gemeente_delivery for a in mine if a.wmo_start == start)
        (person,) = (p for p in linked["persons"] if p.person_id == person_id)
        past = _past(person_id, start, linked, plan)
        lines.append(SimpleNamespace(place=place, periods=(half,), group=group, start=start, new=bool(new),
                                     number=len(mine), person=person, past=past))  # fmt: skip
    return [row for group in ("THUIS", "OPVANG") for row in _inflow_rows(group, lines)]


def _ran_before(start: dt.date, everything: list[Arrangement], delivered: Coverage) -> bool:
    return any(a.wmo_start < start and delivered.seen_until(a) > start - ONE_DAY for a in everything)


def _past(person_id: int, start: dt.date, linked: dict[str, list[Thing]], plan: Plan) -> Thing:
    since = add_months(start, -plan.lookback_months)
    care = [c for c in linked["care_spells"] if c.person_id == person_id and c.care_begin < start]
    last = min(care, key=lambda c: (-(c.care_end or FOREVER).toordinal(), CARE_ORDER.index(c.care_group)), default=None)
    spells = [d for d in linked["detention_spells"] if d.person_id == person_id]
    inside = [(d.detention_begin or d.detention_end - ONE_DAY, d.detention_end or FOREVER) for d in spells]
    ends = [e.title_end for e in linked["title_end_events"] if e.person_id == person_id and e.excluded is None]
    return SimpleNamespace(
        ever=bool(care),
        recent=any((c.care_end or FOREVER) > since for c in care),
        group=last.care_group if last else "GEEN",
        detained=any(begin < start and end > since for begin, end in inside),
        near=any(-90 <= (start - day).days <= 180 for day in ends),
    )


def _inflow_rows(group: str, lines: list[Thing]) -> Table:
    def traits(one: Thing) -> dict[str, str]:
        return {
            "GESLACHT": one.person.geslacht or "ONBEKEND",
            "LEEFTIJD": band(one.start.year, one.person.geboortejaar),
            "ZORGGROEP": one.past.group,
            "INSTROOMROUTE": "DETENTIE" if one.past.detained else "GEEN_DETENTIE",
        }

    table = []
    for cell, found in _cells([one for one in lines if one.group == group], traits).items():
        known = [one for one in found if one.new and one.person.linkable]
        past = [sum(getattr(one.past, name) for one in known) for name in ("recent", "ever", "near", "detained")]
        people = (len(found), sum(one.new for one in found), len(known))
        table.append((*cell, group, sum(one.number for one in found), *people, *past))
        assert len(table[-1]) == len(INFLOW.names)
    return table


# ---------------------------------------------------------------- detention


def _detention(linked: dict[str, list[Thing]], plan: Plan) -> Table:
    ends = [d for d in linked["detention_spells"] if d.detention_end]
    ends = [d for d in ends if plan.period_from <= d.detention_end <= plan.period_until]
    for d in ends:
        d.long = bool(d.detention_begin) and d.detention_end > add_months(d.detention_begin, plan.long_detention_months)
        # The settlement, unless it is of a lower rank than where the person came from.
        settled = place_rank(d.gemeente_settlement)[0] <= place_rank(d.gemeente_begin)[0]
        d.town = d.gemeente_settlement if settled else d.gemeente_begin
    lines = []
    for person in linked["persons"]:
        mine = [d for d in ends if d.person_id == person.person_id]
        periods = {p for d in mine for p in (half_of(d.detention_end), str(d.detention_end.year))}
        for period in periods:
            here = [d for d in mine if half_of(d.detention_end).startswith(period)]
            latest = max(d.detention_end for d in here)
            town = min((d.town for d in here if d.detention_end == latest), key=place_rank)
            lines.append(SimpleNamespace(place=town or "ONB", periods=(period,), person=person, ends=here))

    def traits(one: Thing) -> dict[str, str]:
        year = max(d.detention_end.year for d in one.ends)
        return {"GESLACHT": one.person.geslacht or "ONBEKEND", "LEEFTIJD": band(year, one.person.geboortejaar)}

    table: Table = []
    for cell, found in _cells(lines, traits).items():
        every = [d for one in found for d in one.ends]
        known = [one for one in found if any(d.detention_begin for d in one.ends)]
        counts = (len(every), sum(bool(d.detention_begin) for d in every), sum(d.long for d in every))
        table.append((*cell, *counts, len(found), len(known), sum(any(d.long for d in one.ends) for one in found)))
        assert len(table[-1]) == len(DETENTION.names)
    return table
