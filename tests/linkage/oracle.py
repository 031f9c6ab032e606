"""The record linkage a second time, in plain Python: loops over dicts, written from the rules, not from the SQL.

`oracle(rows, coverage, plan)` takes what `build.write_deliveries` takes and returns, per output table, the rows
that the run should write, as tuples in declared column order. Clarity before speed: for tests with few rows.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linkage.plan import Plan
from schemas import codes
from schemas.column import Kind, Role
from schemas.registers import REGISTERS
from tests.linkage import oracle_links
from tests.linkage.build import DEFAULTS, DROPPED, ID_COLUMNS, PARTS, Row, pseudonym
from tests.linkage.oracle_gmsd import (
    Arrangement,
    Coverage,
    Event,
    Move,
    arrangements,
    best_place,
    counts_per_area,
    coverage_table,
    decide,
    half_of,
    outcome_of,
)

Rows = Mapping[str | tuple[str, int], Sequence[Row]]
FOREVER = dt.date.max
ONE_DAY = dt.timedelta(1)
CARE_GROUP = codes.load("zorgtype").groups()
TITLE_GROUP = codes.load("zorgtitel").groups()
CARE_ORDER = ("KLINISCH", "VERBLIJF", "AMBULANT", "FPT", "ONBEKEND")
STATUS_ORDER = ("DEFINITIEF", "VOORLOPIG", "ONBEPAALD", "ONBEKEND")


@dataclass
class Person:
    """A component of numbers, or one row without any, with its rows per register."""

    number: int
    links: frozenset[tuple[str, str]]
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


class Spell(NamedTuple):
    """One row of detention_spells."""

    person_id: int
    sector: str
    begin: dt.date | None
    end: dt.date | None
    parts: int
    gemeente_begin: str | None
    gemeente_settlement: str | None
    verblijfstitel: str
    reden_einde: str | None


class Care(NamedTuple):
    """One row of care_spells."""

    person_id: int
    group: str
    begin: dt.date
    end: dt.date | None
    lines: int
    begin_by_message: bool
    end_by_message: bool


class Title(NamedTuple):
    """One title: a code and a begin, with the end of its best row."""

    code: str
    begin: dt.date
    end: dt.date | None
    status: str
    realised: bool


class Chain(NamedTuple):
    """One row of title_chains."""

    person_id: int
    begin: dt.date
    end: dt.date | None
    status: str
    titles: int
    titel_code: str
    titel_groep: str
    realised: bool


def oracle(
    rows: Rows,
    coverage: Mapping[int, Mapping[str, Iterable[str]]],
    plan: Plan,
    status: Mapping[int, str] | None = None,
    model: oracle_links.Model = (),
) -> dict[str, list[tuple[Any, ...]]]:
    """Every linked table, coverage and target_group; `status` is the status per GMSD delivery (default final)."""
    sequences = {1 if isinstance(key, str) else key[1] for key in rows if "gmsd" in (key, key[0])}
    delivered = Coverage({s: coverage.get(s, {}) for s in sequences}, status or {}, plan)
    read = _read(rows)
    read["gmsd"] = [row for row in read["gmsd"] if not delivered.replaces(row)]
    fallen: dict[int, float] = {}
    people = _people(read, plan, model, fallen)
    wmo = arrangements({p.number: p.rows["gmsd"] for p in people}, delivered, plan)
    out: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    events: list[Event] = []
    for person in people:
        out["persons"].append(_person_row(person, plan))
        spells, care, chains = _spells(person, delivered, plan), _care(person, plan), _chains(person, plan)
        mine = [a for a in wmo if a.person_id == person.number]
        events += _events(person, spells, care, chains, mine, delivered, plan)
        out["detention_spells"] += spells
        out["tbs_events"] += _tbs(person, delivered)
        out["placement_requests"] += _requests(person)
        out["care_spells"] += care
        out["title_chains"] += chains
        out["register_links"] += oracle_links.links(person.number, person.rows, fallen)
    out["wmo_arrangements"] = [tuple(a) for a in wmo]
    out["title_end_events"] = [e.row for e in events]
    done = {name: sorted(map(tuple, found), key=nulls_last) for name, found in out.items()}
    done["coverage"] = sorted(coverage_table(wmo, delivered, plan))  # the first two cells tell rows apart
    done["target_group"] = sorted(counts_per_area(events, delivered, plan))
    return done


def nulls_last(values: Iterable[Any]) -> tuple[tuple[bool, Any], ...]:
    """A key to sort tuples that hold empty cells."""
    return tuple((value is None, 0 if value is None else value) for value in values)


# ---------------------------------------------------------------- rows and persons


def _read(rows: Rows) -> dict[str, list[Row]]:
    """Rows per register with defaults filled in and days as dates."""
    read: dict[str, list[Row]] = {register: [] for register in REGISTERS}
    for key, given in rows.items():
        register, sequence = (key, 1) if isinstance(key, str) else key
        for row in given:
            full = {**DEFAULTS[register], **row, "_register": register, "_sequence": sequence}
            for column in REGISTERS[register].columns:
                value = full.setdefault(column.name, None)
                if column.kind is Kind.DATE and isinstance(value, str):
                    full[column.name] = dt.date.fromisoformat(value)
            read[register].append(full)
    if any(row.get(name) for found in read.values() for row in found for name in PARTS):
        oracle_links.add_keys(read)
    return read


def _links(row: Row) -> frozenset[tuple[str, str]]:
    return frozenset((kind, str(row[kind])) for kind in ID_COLUMNS if row.get(kind) is not None)


def _people(
    read: dict[str, list[Row]], plan: Plan, model: oracle_links.Model, fallen: dict[int, float]
) -> list[Person]:
    """P1-P3: components of numbers by their lowest pseudonym, then rows without a number: linked by fallback keys,
    in groups of their own (the chances of both go into `fallen`), or alone."""
    components: list[set[tuple[str, str]]] = []
    for row in (row for found in read.values() for row in found if _links(row)):
        touched = [c for c in components if c & _links(row)]
        components = [c for c in components if c not in touched] + [set(_links(row)).union(*touched)]
    payload = [row for register in REGISTERS if register != "crosswalk" for row in read[register]]
    linked = frozenset().union(*(_links(row) for row in payload))
    known = [frozenset(c) for c in components if c & linked]
    known.sort(key=lambda links: min(pseudonym(kind, label) for kind, label in links))
    people = [Person(number, links) for number, links in enumerate(known)]
    for row in (row for row in payload if _links(row)):
        next(p for p in people if _links(row) <= p.links).rows[row["_register"]].append(row)
    bare = [row for row in payload if not _links(row)]
    if model:
        _fall_back(people, payload, bare, plan, model, fallen)
    for row in sorted((row for row in bare if id(row) not in fallen), key=_order):
        people.append(Person(len(people), frozenset()))
        people[-1].rows[row["_register"]].append(row)
    return people


def _fall_back(  # noqa: PLR0917
    people: list[Person],
    payload: list[Row],
    bare: list[Row],
    plan: Plan,
    model: oracle_links.Model,
    fallen: dict[int, float],
) -> None:
    """Decision 27: give rows without a number their person, or make groups of them people."""
    numbered = [(p.number, row) for p in people for rows in p.rows.values() for row in rows]
    found = oracle_links.records(numbered, bare)
    person, chances, left = oracle_links.decide(found, plan, model)
    for group in left:
        people.append(Person(len(people), frozenset()))
        person |= dict.fromkeys(group, people[-1].number)
    for record, who in person.items():
        for row in found[record].rows:
            people[who].rows[row["_register"]].append(row)
            fallen[id(row)] = chances[record]


def _order(row: Row) -> tuple[int, tuple[tuple[bool, Any], ...]]:
    """Rows without a number: by register, then by every payload column, empty last, texts by bytes."""
    register, cells = row["_register"], []
    for column in REGISTERS[register].payload_columns:
        value = None if column.name in DROPPED else row[column.name]
        if value is not None and column.role is Role.RECORD_KEY:
            value = pseudonym(f"{register}.{column.name}", str(value))[:16]
        cells.append(value.encode() if isinstance(value, str) else value)
    return list(REGISTERS).index(register), nulls_last(cells)


def _person_row(person: Person, plan: Plan) -> tuple[Any, ...]:
    everything = [row for rows in person.rows.values() for row in rows]
    years = [row["geboortejaar"] for row in everything if row["geboortejaar"] is not None]
    sexes = {row["geslacht"] for row in everything}
    kinds = Counter(kind for kind, _ in person.links)
    year, sex = _told(person)
    return (
        *(person.number, year, sex, kinds["bsn"], kinds["skn"], kinds["vip"], bool(person.links)),
        bool(years) and max(years) - min(years) > plan.birth_year_margin,
        {"M", "V"} <= sexes,
        *(bool(person.rows[name]) for name in ("injus", "injus_tbs", "reclassering", "ifzo", "gmsd")),
    )


def _told(person: Person) -> tuple[int | None, str | None]:
    """P4: birth year and sex, from the first source that has one, there the most frequent, ties the lowest."""
    sources = (("ifzo",), ("reclassering",), ("injus", "injus_tbs"), ("gmsd",))
    rows = [[row for name in names for row in person.rows[name]] for names in sources]
    years = [[r["geboortejaar"] for r in found if r["geboortejaar"] is not None] for found in rows]
    sexes = [[r["geslacht"] for r in found if r["geslacht"] in ("M", "V")] for found in rows]
    other = "O" if any(r["geslacht"] == "O" for found in rows for r in found) else None
    return _first_mode(years), _first_mode(sexes) or other


def _first_mode(sources: list[list[Any]]) -> Any:
    for values in sources:
        if values:
            return min(set(values), key=lambda value: (-values.count(value), value))
    return None


# ---------------------------------------------------------------- detention, tbs, requests


def _spells(person: Person, delivered: Coverage, plan: Plan) -> list[Spell]:
    """D1-D3: notices of one detentie_id are a part; parts of one sector join over a transfer."""
    parts: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in person.rows["injus"]:
        if row["soort_melding"] != "VERLOF":
            parts[row["sector"], row["detentie_id"]].append(row)
    spells = []
    for sector in {sector for sector, _ in parts}:
        mine = [rows for (of, _), rows in parts.items() if of == sector]
        spells += [_spell(person, sector, [rows], delivered) for rows in mine if not _days(rows, "BEGIN")]
        run: list[list[Row]] = []
        reach = dt.date.min
        for rows in sorted((rows for rows in mine if _days(rows, "BEGIN")), key=lambda rows: min(_days(rows, "BEGIN"))):
            begin, end = _ends(rows)
            if run and begin > reach + dt.timedelta(plan.transfer_gap_days):
                spells.append(_spell(person, sector, run, delivered))
                run, reach = [], dt.date.min
            run.append(rows)
            reach = max(reach, end or begin)
        if run:
            spells.append(_spell(person, sector, run, delivered))
    return spells


def _days(rows: list[Row], which: str) -> list[dt.date]:
    return [row["datum_gebeurtenis"] for row in rows if row["soort_melding"] == f"{which}_DETENTIE"]


def _ends(rows: list[Row]) -> tuple[dt.date, dt.date | None]:
    """Begin and end of a part that has a begin notice."""
    begins, ends = _days(rows, "BEGIN"), _days(rows, "EINDE")
    return min(begins), max(ends) if ends and max(begins) <= max(ends) else None


def _spell(person: Person, sector: str, parts: list[list[Row]], delivered: Coverage) -> Spell:
    notices = [row for rows in parts for row in rows]
    begins, ends = _days(notices, "BEGIN"), _days(notices, "EINDE")
    end = max(ends, default=None)
    if begins:
        both = [_ends(rows) for rows in parts]
        end = max((e for _, e in both if e), default=None)
        if end and any(e is None and b >= end for b, e in both):
            end = None
    first = [r for r in notices if r["soort_melding"] == "BEGIN_DETENTIE" and r["datum_gebeurtenis"] == min(begins)]
    last = [r for r in notices if r["soort_melding"] == "EINDE_DETENTIE" and r["datum_gebeurtenis"] == max(ends)]
    earliest = min(notices, key=lambda r: (r["datum_gebeurtenis"], r["soort_melding"], r["verblijfstitel"]))
    return Spell(
        *(person.number, sector, min(begins, default=None), end, len(parts)),
        best_place(delivered.recoded(r["gemeentecode_brp"]) for r in first),
        best_place(delivered.recoded(r["gemeentecode_vestiging"]) for r in last),
        earliest["verblijfstitel"],
        min((r["reden_einde"] for r in last if r["reden_einde"]), default=None),
    )


def _tbs(person: Person, delivered: Coverage) -> list[tuple[Any, ...]]:
    events: dict[tuple[str, str, dt.date], list[str | None]] = defaultdict(list)
    for row in person.rows["injus_tbs"]:
        place = delivered.recoded(row["gemeentecode_verblijf"])
        events[row["tbs_id"], row["gebeurtenis"], row["datum"]].append(place)
    return [(person.number, what, day, best_place(places)) for (_, what, day), places in events.items()]


def _requests(person: Person) -> list[tuple[Any, ...]]:
    indications: dict[str, list[Row]] = defaultdict(list)
    for row in person.rows["reclassering"]:
        indications[row["indicatie_id"]].append(row)
    return [_request(person, rows) for rows in indications.values()]


def _request(person: Person, rows: list[Row]) -> tuple[Any, ...]:
    names = ("soort_plaatsing", "titel_code", "arrondissement")
    first = min(rows, key=lambda r: (r["datum_verzoek"], nulls_last(r[name] for name in names)))
    indicated = min((r["datum_indicatie"] for r in rows if r["datum_indicatie"]), default=None)
    return (person.number, indicated, first["datum_verzoek"], len(rows), *(first[name] for name in names))


# ---------------------------------------------------------------- care and titles


def _care(person: Person, plan: Plan) -> list[Care]:
    """C1: realised lines of one care group that overlap or touch."""
    lines: dict[str, list[tuple[dt.date, dt.date]]] = defaultdict(list)
    for row in person.rows["ifzo"]:
        if row["zorg_begin"]:
            lines[CARE_GROUP[row["zorgtype"]]].append((row["zorg_begin"], row["zorg_eind"] or FOREVER))
    spells = []
    since = plan.care_messages_from
    for group, found in lines.items():
        runs: list[list[tuple[dt.date, dt.date]]] = []
        for line in sorted(found):
            if runs and line[0] <= max(end for _, end in runs[-1]):
                runs[-1].append(line)
            else:
                runs.append([line])
        for run in runs:
            end = max(end for _, end in run)
            told = run[0][0] >= since, since <= end < FOREVER
            spells.append(Care(person.number, group, run[0][0], None if end == FOREVER else end, len(run), *told))
    return spells


def _titles(person: Person) -> list[Title]:
    """K1-K3: per code and begin the row that is surest of its end."""
    found: dict[tuple[str, dt.date], list[Title]] = defaultdict(list)
    for row in person.rows["ifzo"]:
        known = row["titel_eind"] is not None and row["titel_eind_status"] in ("DEFINITIEF", "VOORLOPIG")
        unsure = "ONBEPAALD" if row["titel_eind_status"] == "ONBEPAALD" else "ONBEKEND"
        begin = row["titel_begin"]
        if begin is None:
            begin = row["zorg_begin"] or row["datum_indicatie"] or row["titel_eind"]
            begin = min(begin, row["titel_eind"] or FOREVER) if begin else None
        if begin is None:
            continue
        end, status = (row["titel_eind"], row["titel_eind_status"]) if known else (None, unsure)
        found[row["titel_code"], begin].append(Title(row["titel_code"], begin, end, status, bool(row["zorg_begin"])))
    return [
        min(rows, key=lambda t: (STATUS_ORDER.index(t.status), -(t.end or dt.date.min).toordinal()))._replace(
            realised=any(t.realised for t in rows)
        )
        for rows in found.values()
    ]


def _chains(person: Person, plan: Plan) -> list[Chain]:
    runs: list[list[Title]] = []
    for title in sorted(_titles(person), key=lambda t: t.begin):
        if runs and (title.begin - max(t.end or FOREVER for t in runs[-1])).days <= plan.chain_gap_days:
            runs[-1].append(title)
        else:
            runs.append([title])
    return [_chain(person, titles) for titles in runs]


def _chain(person: Person, titles: list[Title]) -> Chain:
    """K4: the title with the latest end decides; any unknown end leaves the chain open."""
    end = max(t.end or FOREVER for t in titles)
    last = [t for t in titles if (t.end or FOREVER) == end]
    best = min(last, key=lambda t: (STATUS_ORDER.index(t.status), -t.begin.toordinal(), t.code))
    return Chain(
        *(person.number, min(t.begin for t in titles), None if end == FOREVER else end, best.status, len(titles)),
        *(best.code, TITLE_GROUP[best.code], any(t.realised for t in titles)),
    )


# ---------------------------------------------------------------- title ends


def _events(  # noqa: PLR0917
    person: Person,
    spells: list[Spell],
    care: list[Care],
    chains: list[Chain],
    wmo: list[Arrangement],
    delivered: Coverage,
    plan: Plan,
) -> list[Event]:
    """K5: one event per known title end in the period."""
    year, sex = _told(person)
    events = []
    for chain in chains:
        if chain.end is None or not plan.period_from <= chain.end <= plan.period_until:
            continue
        group, care_end = _last_care(care, chain.end)
        move = _last_move(spells, chain.end)
        outcome = outcome_of(chain.end, wmo, move, care_end, delivered, plan)
        half, excluded, entry = (
            half_of(chain.end),
            _excluded(person, chain),
            _entry_detention(spells, chain.begin, plan),
        )
        since = _months_before(chain.end, plan)
        before = any(begin < chain.end and end > since for begin, end in map(_interval, spells))
        row = (
            *(person.number, chain.begin, chain.end, half, chain.status, chain.titel_groep, excluded),
            *(bool(person.links), entry, before, group, care_end, *outcome, year, sex),
            *after_and_before(person, chain.end, spells, _decides(chain.end, wmo, delivered, plan), plan),
        )
        events.append(Event(person.number, half, excluded, entry, outcome, row))
    return events


def _decides(day: dt.date, wmo: list[Arrangement], delivered: Coverage, plan: Plan) -> Arrangement | None:
    return decide(day, [a for a in wmo if a.wmo_group in ("THUIS", "OPVANG")], delivered, plan)[1]


def after_and_before(
    person: Person, day: dt.date, spells: list[Spell], one: Arrangement | None, plan: Plan
) -> tuple[Any, ...]:
    """K7-K8: long detention before, lead time of the assignment, return to detention after the title end."""
    since, until = _months_before(day, plan), add_months(day, plan.return_months)
    long = False
    for spell in spells:
        begin, end = _interval(spell)
        inside = begin < day and end > since
        if inside and spell.begin and min(end, day) > add_months(spell.begin, plan.long_detention_months):
            long = True
    later = [s.begin for s in spells if s.begin and day <= s.begin < until]
    if later:
        state = "RETURN"
    elif not person.links:
        state = "UNLINKABLE"
    else:
        state = "CENSORED" if until > plan.coverage_until + ONE_DAY else "NONE"
    lead = (day - one.assigned_from).days if one else None
    return long, lead, state, (min(later) - day).days if later else None


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day some calendar months later; the last day of the month where there is no such day."""
    month = day.year * 12 + day.month - 1 + months
    year, month = month // 12, month % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _months_before(day: dt.date, plan: Plan) -> dt.date:
    return add_months(day, -plan.lookback_months)


def _interval(spell: Spell) -> tuple[dt.date, dt.date]:
    """D5: an open spell never ends; a spell without begin is its last day."""
    if spell.begin is None:
        assert spell.end is not None
        return spell.end - ONE_DAY, spell.end
    return spell.begin, spell.end or FOREVER


def _entry_detention(spells: list[Spell], day: dt.date, plan: Plan) -> bool:
    since = _months_before(day, plan)
    return any((b < day and e > since) or (b == day and e > day) for b, e in map(_interval, spells))


def _last_move(spells: list[Spell], day: dt.date) -> Move:
    """D6: origin and settlement come from the last spell that began on or before the title end."""

    def order(s: Spell) -> tuple[Any, ...]:
        anchor = s.begin or s.end or FOREVER
        late = (-anchor.toordinal(), -(s.end or FOREVER).toordinal())
        return (*late, s.sector != "GW", nulls_last((s.gemeente_settlement, s.gemeente_begin)))

    before = [s for s in spells if (s.begin or s.end or FOREVER) <= day]
    last = min(before, key=order, default=None)
    return Move(last.gemeente_begin, last.gemeente_settlement) if last else Move(None, None)


def _last_care(care: list[Care], day: dt.date) -> tuple[str | None, dt.date | None]:
    before = [c for c in care if c.begin <= day]
    last = min(before, key=lambda c: (-(c.end or FOREVER).toordinal(), CARE_ORDER.index(c.group)), default=None)
    return (last.group, last.end) if last else (None, None)


def _excluded(person: Person, chain: Chain) -> str | None:
    """K6: the first reason that holds."""
    assert chain.end is not None
    if not chain.realised:
        return "NO_REALISED_CARE"
    left = [(r["reden_einde"], r["datum_gebeurtenis"]) for r in person.rows["injus"]]
    left += [(r["gebeurtenis"], r["datum"]) for r in person.rows["injus_tbs"]]
    left += [
        ("OVERLIJDEN", r["zorg_eind"] or r["titel_eind"])
        for r in person.rows["ifzo"]
        if r["reden_einde_zorg"] == "OVERLIJDEN"
    ]
    left += [("OVERLIJDEN", r["datum_einde"]) for r in person.rows["gmsd"] if r["reden_beeindiging"] == "02"]
    if any(why == "OVERLIJDEN" and day and day <= chain.end for why, day in left):
        return "OVERLIJDEN"
    if any(why == "UITZETTING" and day and chain.begin <= day <= chain.end for why, day in left):
        return "UITZETTING"
    return None
