"""Small random countries: a few people, a few rows per register, days that collide at every boundary.

Every row is one that the register's own checks accept. `countries()` gives (rows, coverage, status) for
`build.write_deliveries`: rows per (register, sequence), coverage and status per GMSD delivery.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.linkage.build import Row

DAY0 = tuple(
    dt.date.fromisoformat(day)
    for day in ("2021-06-01", "2020-02-29", "2022-02-28", "2022-06-30", "2021-12-31", "2023-07-04", "2023-07-05")
)
EDGES = tuple(dt.date.fromisoformat(day) for day in ("2019-01-01", "2018-12-31", "2023-12-31", "2024-01-01"))
STEPS = (1, 1, 1, 2, 3, 4, 29, 30, 31, 32, 89, 90, 91, 180, 181, 183, 184, 365, 366, 730, 731)
NEAR = (-181, -91, -90, -89, -31, -1, 0, 1, 30, 31, 90, 91, 180, 181, 365, 365, 366)
PLACES = ("0363", "0363", "0599", "0599", "0384", "0756", "1982", "0786", "0000", "1999")
DELIVERS = ("0363", "0363", "0599", "0756", "1982")
CUIJK = ("0756", "0786", "0815", "1684", "1702")
HALVES = tuple(f"{year}H{half}" for year in range(2019, 2024) for half in (1, 2))
LABELS = ("a", "b", "c", "d")
LINKS: tuple[Row, ...] = (
    *({"skn": label} for label in LABELS),
    *({"bsn": label, "skn": label} for label in LABELS),
    *({"bsn": "a"}, {"vip": "a"}, {"vip": "b", "bsn": "b"}, {"bsn": "a", "skn": "b"}, {}, {}),
)
FEW = ({"skn": "a"}, {"bsn": "a", "skn": "a"})
STATUS = (*("DEFINITIEF",) * 3, "VOORLOPIG", "ONBEPAALD", "ONBEKEND")
WMO_LINKS: tuple[Row, ...] = (*({"bsn": label} for label in LABELS), {"bsn": "x"}, {})
PAIRS = (*({"skn": label, "bsn": label} for label in LABELS), {"skn": "c", "bsn": "d"}, {"skn": "a"}, {"bsn": "z"})


class Country(NamedTuple):
    """What one example holds."""

    rows: dict[str | tuple[str, int], list[Row]]
    coverage: dict[int, dict[str, list[str]]]
    status: dict[int, str]


def maybe(values: Any, *more: Any) -> st.SearchStrategy[Any]:
    """One of the values, or empty."""
    return st.sampled_from((*values, *more, None))


@st.composite
def calendars(draw: st.DrawFn, day0: dt.date) -> list[dt.date]:
    """A few days, each one of the steps away from another: so that windows and gaps are hit at their edges."""
    found = [day0]
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6)):
        sign = draw(st.sampled_from((-1, -1, 1)))
        found.append(draw(st.sampled_from(found)) + dt.timedelta(sign * step))
    return found


@st.composite
def countries(draw: st.DrawFn) -> Country:
    """A few towns of a few people each; all share the municipalities, so also what makes a year numbered."""
    rows: dict[str | tuple[str, int], list[Row]] = {}
    numbers = draw(st.sampled_from((("n1", "n1", "n2"), ("n1", "n1", "n1", "n1", "n2", None), (None,))))
    named = draw(st.booleans())
    for town, found in enumerate(draw(st.lists(_town(numbers), min_size=1, max_size=8))):
        picks = draw(st.lists(st.integers(0, 6 * len(MISTAKES) - 1), min_size=2, max_size=10)) if named else []
        for key, given in found.items():
            called = (_called(row, key[0], town, picks, place) for place, row in enumerate(given))
            rows.setdefault(key, []).extend(_renamed(row, town) for row in called)
    status = st.sampled_from(("voorlopig", "nader_voorlopig", "definitief"))
    return Country(rows, {1: draw(_covered()), 2: draw(_later())}, {1: draw(status), 2: draw(status)})


# What a register makes of a name, birth date or postcode: decision 26.
MISTAKES: tuple[Row, ...] = (
    *({}, {}, {"geboortenaam": "Nepveld, van der"}, {"geboortenaam": "Nepvelt"}, {"geboortenaam": "Kunststra"}),
    *({"voorletters": "E"}, {"geboortedatum": "1980-12-05"}, {"geboortedatum": "1981-05-12"}),
    *({"geboortedatum": "1980-00-00"}, {"geslacht": "M"}, {"postcode": None}, {"postcode": "9876 OA"}),
    *({"postcode": None, "geboortedatum": None}, {"geboortenaam": None, "voorletters": None}),
)


def _called(row: Row, register: str, town: int, picks: list[int], place: int) -> Row:
    """The row with a name, perhaps: one of a few people of the town, perhaps with a mistake."""
    if not picks or register == "crosswalk":
        return row
    who, mistake = divmod(picks[place % len(picks)], len(MISTAKES))
    if who == 5:
        return row
    person = {
        "geboortenaam": "van der Nepveld",
        "voorletters": "ABCDE"[who] + ".",
        "geboortedatum": f"1980-05-{12 + town:02d}",
        "postcode": f"{1000 + town} FX",
        "geslacht": "V",
    }
    return row | person | MISTAKES[mistake]


def _renamed(row: Row, town: int) -> Row:
    """The labels of one town are those of nobody elsewhere."""
    names = {"bsn", "skn", "vip", "plaatsing_id", "tbs_id"}
    return {name: f"{value}{town}" if name in names else value for name, value in row.items()}


@st.composite
def _town(draw: st.DrawFn, numbers: tuple[str | None, ...]) -> dict[tuple[str, int], list[Row]]:
    """Rows per delivery, around one day 0."""
    day0 = draw(st.sampled_from((*DAY0, *DAY0, *EDGES)))
    found = draw(calendars(day0))
    when = st.sampled_from(found)
    near = st.sampled_from(
        [day0 + dt.timedelta(offset) for offset in draw(st.lists(st.sampled_from(NEAR), min_size=1))]
    )
    who = st.sampled_from(draw(st.sampled_from((LINKS, LINKS[:8], FEW, FEW, FEW, FEW))))
    sure = draw(st.sampled_from((STATUS, STATUS, STATUS[:4])))
    placed = draw(st.lists(_ifzo(when, who, day0, sure), min_size=1, max_size=10))
    notices = draw(st.lists(_notice(when, who), max_size=12))
    cut = draw(st.integers(0, len(notices)))
    wmo = st.sampled_from(draw(st.sampled_from((WMO_LINKS, WMO_LINKS[:2], WMO_LINKS[:1], WMO_LINKS[:1]))))
    cells = _cells(numbers)
    one = st.lists(_record(near, wmo, cells, found), max_size=2)
    histories = draw(
        st.lists(
            st.one_of(_history(near, wmo, cells, found), _history(when, wmo, cells, found), one), min_size=1, max_size=6
        )
    )
    return {
        ("ifzo", 1): [row | {"plaatsing_id": f"pl{i}"} for i, row in enumerate(placed)],
        ("crosswalk", 1): draw(st.one_of(st.just([*PAIRS[:4]]), st.lists(st.sampled_from(PAIRS), max_size=6))),
        ("reclassering", 1): draw(st.lists(_request(when, who), max_size=4)),
        ("injus", 1): notices[:cut],
        ("injus", 2): notices[cut:],
        ("injus_tbs", 1): draw(_measures(when, who)),
        ("injus_tbs", 2): draw(_measures(when, who)),
        ("gmsd", 1): [row for history in histories for row in history],
        ("gmsd", 2): draw(one),
    }


YEARS = maybe((1980, 1981, 1982))
SEXES = maybe(("M", "M", "V", "O"))


@st.composite
def _notice(draw: st.DrawFn, when: st.SearchStrategy[dt.date], who: st.SearchStrategy[Row]) -> Row:
    kind = draw(st.sampled_from(("BEGIN_DETENTIE", "EINDE_DETENTIE") * 3 + ("VERLOF",)))
    ended = kind == "EINDE_DETENTIE"
    return draw(who) | {
        "geboortejaar": draw(YEARS),
        "geslacht": draw(SEXES),
        "soort_melding": kind,
        "sector": draw(st.sampled_from(("GW", "GW", "FORZO"))),
        "detentie_id": draw(st.sampled_from(("d1", "d2", "d3"))),
        "datum_gebeurtenis": draw(when),
        "gemeentecode_brp": draw(maybe(PLACES)),
        "gemeentecode_vestiging": draw(maybe(PLACES, "0000", "1999")),
        "verblijfstitel": draw(st.sampled_from(("PREVENTIEF", "ISD", "GEVANGENISSTRAF"))),
        "reden_einde": draw(st.sampled_from((None, None, *("VI", "EINDE_STRAF") * 6, "OVERLIJDEN", "UITZETTING")))
        if ended
        else None,
        "soort_verlof": "KRV" if kind == "VERLOF" else None,
    }


def _measures(when: st.SearchStrategy[dt.date], who: st.SearchStrategy[Row]) -> st.SearchStrategy[list[Row]]:
    """Tbs events of one delivery: the register's key is unique there."""
    return st.lists(_tbs(when, who), max_size=3, unique_by=lambda r: (r["tbs_id"], r["gebeurtenis"], r["datum"]))


def _tbs(when: st.SearchStrategy[dt.date], who: st.SearchStrategy[Row]) -> st.SearchStrategy[Row]:
    cells = st.fixed_dictionaries(
        {
            "tbs_id": st.sampled_from(("t1", "t2")),
            "gebeurtenis": st.sampled_from(("EERSTE_OPNAME",) * 7 + ("PROEFVERLOF_START", "OVERLIJDEN", "UITZETTING")),
            "datum": when,
            "gemeentecode_verblijf": maybe(PLACES),
            "geboortejaar": YEARS,
            "geslacht": SEXES,
        }
    )
    return st.builds(dict.__or__, who, cells)


def _request(when: st.SearchStrategy[dt.date], who: st.SearchStrategy[Row]) -> st.SearchStrategy[Row]:
    cells = st.fixed_dictionaries(
        {
            "indicatie_id": st.sampled_from(("i1", "i2")),
            "datum_indicatie": st.one_of(st.none(), when),
            "datum_verzoek": when,
            "soort_plaatsing": st.sampled_from(("AMBULANT", "KLINISCH")),
            "titel_code": maybe(("FZT08", "FZT02")),
            "arrondissement": st.sampled_from(("ROTTERDAM", "AMSTERDAM")),
            "geboortejaar": YEARS,
            "geslacht": SEXES,
        }
    )
    return st.builds(dict.__or__, who, cells)


@st.composite
def _ifzo(
    draw: st.DrawFn, when: st.SearchStrategy[dt.date], who: st.SearchStrategy[Row], day0: dt.date, sure: tuple[str, ...]
) -> Row:
    ends = st.one_of(st.just(day0), st.just(day0), when)
    begin, end = _ordered(draw(when), draw(ends))
    care_begin, care_end = _ordered(draw(when), draw(when))
    return draw(who) | {
        "geboortejaar": draw(YEARS),
        "geslacht": draw(SEXES),
        "zorgtype": draw(st.sampled_from(("AMB_BEH", "AMB_BEG", "KLIN_1", "VERBLIJF_BW", "FPT", "ONBEKEND"))),
        "titel_code": draw(st.sampled_from(("FZT08", "FZT08", "FZT02", "FZT_ISD"))),
        "titel_begin": draw(st.sampled_from((begin, begin, begin, begin, None))),
        "titel_eind": draw(st.sampled_from((end,) * 11 + (None,))),
        "titel_eind_status": draw(st.sampled_from(sure)),
        "zorg_begin": draw(st.sampled_from((care_begin,) * 5 + (None,))),
        "zorg_eind": draw(st.sampled_from((care_end, care_end, care_end, None))),
        "reden_einde_zorg": draw(st.sampled_from((None,) * 18 + ("TITEL_AFGELOPEN", "OVERLIJDEN"))),
        "datum_indicatie": draw(st.one_of(st.none(), when)),
    }


def _ordered(one: dt.date, other: dt.date) -> tuple[dt.date, dt.date]:
    return min(one, other), max(one, other)


def _half(day: dt.date) -> str:
    return f"{day.year}H{1 if day.month <= 6 else 2}"


def _cells(numbers: tuple[str | None, ...]) -> st.SearchStrategy[Row]:
    """What the half-year records of one arrangement have in common."""
    return st.fixed_dictionaries(
        {
            "gemeentecode": st.sampled_from(DELIVERS),
            "gemeentecode_brp": maybe(PLACES, None, None),
            "toewijzingsnummer": st.sampled_from(numbers),
            "productcategorie": st.sampled_from(("02", "02", "15", "10", "01")),
            "leveringsvorm": st.sampled_from(("ZIN", "ZIN", "PGB")),
            "geboortejaar": YEARS,
            "geslacht": SEXES,
            "publicatie_toestemming": st.booleans(),
        }
    )


@st.composite
def _record(
    draw: st.DrawFn,
    when: st.SearchStrategy[dt.date],
    who: st.SearchStrategy[Row],
    cells: st.SearchStrategy[Row],
    ends: list[dt.date],
) -> Row:
    """One half-year record on its own."""
    start = draw(when)
    return draw(who) | draw(cells) | _period(draw, start, _half(start), ends) | {"ingangsdatum": draw(when)}


@st.composite
def _history(
    draw: st.DrawFn,
    when: st.SearchStrategy[dt.date],
    who: st.SearchStrategy[Row],
    cells: st.SearchStrategy[Row],
    ends: list[dt.date],
) -> list[Row]:
    """One arrangement in a few half-years, sometimes twice in one, that may be closed and taken back."""
    same = draw(who) | draw(cells)
    start, rows = draw(when), []
    for step in draw(st.lists(st.integers(0, 3), min_size=1, max_size=5)):
        half = _half(start + dt.timedelta(step * 183))
        ended = [
            row["datum_einde"] + dt.timedelta(gap) for row in rows if row["datum_einde"] for gap in (3, 4, 183, 184)
        ]
        again = draw(st.sampled_from((*(start,) * 6, None, *ended))) or draw(when)
        row = same | _period(draw, again, half, ends) | {"ingangsdatum": start}
        rows.append(row | draw(cells) if draw(st.integers(0, 7)) == 7 else row)
    return rows


def _period(draw: st.DrawFn, start: dt.date, half: str, ends: list[dt.date]) -> Row:
    steps = (start + dt.timedelta(step) for step in (0, 1, 3, 4, 91, 183, 184))
    end = draw(st.sampled_from((*(None,) * 6, *steps, *(day for day in ends if day >= start))))
    reasons = (*("19", "31", None, None) * 4, "02") if end else (*(None,) * 6, "19", "31")
    return {
        "verslagperiode": half,
        "ingangsdatum": start,
        "datum_start": draw(st.sampled_from((start, start, start, None))),
        "datum_einde": end,
        "reden_beeindiging": draw(st.sampled_from(reasons)),
    }


@st.composite
def _covered(draw: st.DrawFn) -> dict[str, list[str]]:
    """Nearly everything with a few gaps, or only a few half-years."""
    full = ("0363", "0599", "0384", "1982", *CUIJK)
    if draw(st.integers(0, 4)) == 4:
        return draw(st.dictionaries(st.sampled_from(HALVES), st.lists(st.sampled_from(full), max_size=4), max_size=4))
    listed = {half: set(full) - (set(CUIJK) if half >= "2022H1" else {"1982"}) for half in (*HALVES, "2024H1")}
    for half, code in draw(st.lists(st.tuples(st.sampled_from(HALVES[3:9]), st.sampled_from(full)), max_size=6)):
        listed[half].discard(code)
    return {half: sorted(found) for half, found in listed.items()}


def _later() -> st.SearchStrategy[dict[str, list[str]]]:
    """What a second delivery lists: it replaces those, also with zero rows."""
    codes = st.lists(st.sampled_from(("0363", "0599", "1982", "0756")), max_size=2, unique=True)
    return st.dictionaries(st.sampled_from(HALVES[2:]), codes, max_size=4)
