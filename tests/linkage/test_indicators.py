"""Indicators: given these title ends, arrangements and detentions, expect these counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from schemas import indicators
from schemas.codebook import pages
from schemas.indicators import INDICATORS, KLASSEN
from tests.linkage.conftest import ALL_HALVES, Tables, everywhere

Run = Callable[..., Tables]
DAY0 = dt.date(2021, 6, 1)
HOME = everywhere("0363", "0599")


def person(label: str, end: dt.date = DAY0, **more: Any) -> dict[str, Any]:
    """A placement under a title that ends on a day, with care that ended a month before."""
    days = {"titel_begin": "2020-01-01", "titel_eind": end.isoformat()}
    care = {"zorg_begin": "2020-02-01", "zorg_eind": (end - dt.timedelta(31)).isoformat()}
    return {"skn": label, "bsn": label, "geboortejaar": 1985, "geslacht": "M", **days, **care, **more}


def wmo(label: str, offset: int, length: int | None = None, **more: Any) -> dict[str, Any]:
    """An arrangement of that person, some days after day 0; open unless it has a length."""
    start = DAY0 + dt.timedelta(offset)
    end = None if length is None else (start + dt.timedelta(length)).isoformat()
    days = {"ingangsdatum": start.isoformat(), "datum_start": start.isoformat(), "datum_einde": end}
    half = f"{start.year}H{1 + (start.month > 6)}"
    return {"bsn": label, "verslagperiode": half, "toewijzingsnummer": f"{label}{offset}", **days, **more}


def stay(label: str, begin: str | None, end: str | None, key: str = "d1", **more: Any) -> list[dict[str, Any]]:
    """Begin and end notice of a detention in Amsterdam."""
    same = {"skn": label, "bsn": label, "detentie_id": key, "gemeentecode_brp": "0363"}
    found = [{**same, "datum_gebeurtenis": begin}] if begin else []
    last = {"soort_melding": "EINDE_DETENTIE", "datum_gebeurtenis": end, **more}
    return [*found, {**same, **last}] if end else found


def cell(
    tables: Tables, name: str = "indicator_title_ends", *, code: str = "NL", periode: str = "2021H1", **more: Any
) -> dict[str, Any]:
    """The one row of an area and period, of everybody unless a characteristic is named."""
    wanted = {"code": code, "periode": periode, "kenmerk": "ALLEN", **more}
    found = [row for row in tables(name) if all(row[key] == value for key, value in wanted.items())]
    assert len(found) <= 1
    return found[0] if found else {}


def counts(row: dict[str, Any], *names: str) -> list[int]:
    return [row[name] for name in names]


# Title ends ----------------------------------------------------------------------------------------------------


def test_the_funnel_adds_up_from_found_to_counted(run: Run) -> None:
    dead = {"titel_code": "FZT08", "reden_einde_zorg": "OVERLIJDEN", "zorg_eind": "2021-05-01"}
    rows = [
        person("a"),
        person("b", zorg_begin=None, zorg_eind=None),
        person("c", **dead),
        person("d", titel_eind=None),
        person("e", titel_eind_status="VOORLOPIG"),
        person("f", skn=None, bsn=None),
    ]
    row = cell(run(ifzo=rows))
    assert counts(row, "gevonden", "zonder_zorg", "overleden", "uitgezet", "titel_eindes") == [5, 1, 1, 0, 3]
    assert counts(row, "voorlopig", "koppelbaar", "gemeente_bekend", "personen") == [1, 2, 0, 3]


WINDOWS = ("wmo_voor", "wmo_30", "wmo_90", "wmo_180", "wmo_365")


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (-400, [1, 1, 1, 1, 1]),
        (-90, [1, 1, 1, 1, 1]),
        (0, [0, 1, 1, 1, 1]),
        (30, [0, 1, 1, 1, 1]),
        (31, [0, 0, 1, 1, 1]),
        (90, [0, 0, 1, 1, 1]),
        (91, [0, 0, 0, 1, 1]),
        (180, [0, 0, 0, 1, 1]),
        (181, [0, 0, 0, 0, 1]),
        (365, [0, 0, 0, 0, 1]),
        (366, [0, 0, 0, 0, 0]),
    ],
)
def test_wmo_before_and_within_each_window(run: Run, offset: int, expected: list[int]) -> None:
    row = cell(run(ifzo=[person("a")], gmsd=[wmo("a", offset)], coverage=HOME))
    assert counts(row, *WINDOWS) == expected
    assert counts(row, "gevolgd_30", "gevolgd_90", "gevolgd_180", "gevolgd_365") == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("missing", "followed"),
    [
        ("2021H1", [0, 0, 0, 0]),  # day 0 itself lies in it
        ("2021H2", [0, 0, 0, 0]),  # 1 June plus 30 days is 1 July
        ("2022H1", [1, 1, 1, 0]),
        ("2022H2", [1, 1, 1, 1]),
    ],
)
def test_a_half_year_that_was_not_delivered_ends_the_follow_up(run: Run, missing: str, followed: list[int]) -> None:
    """A household help (no outcome) tells where to look; nobody has support, so only sight decides."""
    without = {half: ["0363"] for half in ALL_HALVES if half != missing}
    rows = [wmo("a", -300, 10, productcategorie="01")]
    row = cell(run(ifzo=[person("a")], gmsd=rows, coverage=without))
    assert counts(row, "gevolgd_30", "gevolgd_90", "gevolgd_180", "gevolgd_365") == followed
    assert counts(row, "geen_wmo", "niet_geleverd") == ([1, 0] if followed[2] else [0, 1])


def test_support_that_was_seen_counts_as_followed_however_little_was_delivered(run: Run) -> None:
    row = cell(run(ifzo=[person("a")], gmsd=[wmo("a", 10)], coverage={"2021H1": ["0363"]}))
    assert counts(row, "wmo_30", "gevolgd_30", "wmo_365", "gevolgd_365") == [1, 1, 1, 1]


def test_the_end_of_the_data_is_censoring_and_not_absence(run: Run) -> None:
    late = person("a", end=dt.date(2023, 11, 1))
    row = cell(run(ifzo=[late], injus=stay("a", "2019-01-01", "2019-02-01"), coverage=HOME, gmsd=[]), periode="2023H2")
    assert counts(row, "gecensureerd", "geen_wmo", "gevolgd_30", "gevolgd_90") == [1, 0, 1, 0]


def test_nobody_knows_where_to_look_is_a_count_of_its_own(run: Run) -> None:
    row = cell(run(ifzo=[person("a")], gmsd=[], coverage=HOME), code="ONB")
    assert counts(row, "geen_gemeente", "gemeente_bekend", "gevolgd_30") == [1, 0, 0]


def test_by_wmo_group_and_both_can_hold(run: Run) -> None:
    rows = [wmo("a", 10), wmo("a", 200, productcategorie="15"), wmo("b", -5, productcategorie="16")]
    row = cell(run(ifzo=[person("a"), person("b")], gmsd=rows, coverage=HOME))
    assert counts(row, "thuis_voor", "thuis_180", "thuis_365") == [0, 1, 1]
    assert counts(row, "opvang_voor", "opvang_180", "opvang_365") == [1, 1, 2]


def test_continuity_and_lead_time_against_six_weeks_and_one_year(run: Run) -> None:
    rows = [wmo("a", 0), wmo("b", 1), wmo("c", -40, ingangsdatum="2021-04-20"), wmo("d", 5, ingangsdatum="2020-06-01")]
    tables = run(ifzo=[person(x) for x in "abcd"], gmsd=rows, coverage=HOME)
    row = cell(tables)
    assert counts(row, "wmo_365", "aansluitend_titel", "kloof_zorg_bekend", "aansluitend_zorg") == [4, 2, 4, 1]
    assert counts(row, "toegewezen_6_weken", "toegewezen_1_jaar") == [2, 1]
    lead = [row["lead_days"] for row in tables("title_end_events")]
    assert sorted(lead) == [-1, 0, 42, 365]


def test_distributions_in_classes_and_quantiles_that_occur(run: Run) -> None:
    people = [chr(97 + i) for i in range(10)]
    rows = [wmo(x, 10 * i) for i, x in enumerate(people)]  # gaps 0, 10 ... 90 days
    tables = run(ifzo=[person(x) for x in people], gmsd=rows, coverage=HOME)
    spread = {
        row["klasse"]: row["aantal"]
        for row in tables("indicator_spread")
        if (row["code"], row["periode"], row["kenmerk"], row["maat"]) == ("NL", "2021", "ALLEN", "KLOOF_TITEL")
    }
    assert spread == {"-41 t/m 0": 1, "1 t/m 14": 1, "15 t/m 42": 3, "43 t/m 90": 5}
    told = cell(tables, "indicator_quantiles", periode="2021", maat="KLOOF_TITEL")
    assert counts(told, "aantal", "p10", "p25", "p50", "p75", "p90") == [10, 0, 20, 40, 70, 80]


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        ("2021-05-31", [1, 0]),  # before day 0: detention before, not a return
        ("2021-06-01", [1, 1]),
        ("2023-05-31", [1, 1]),
        ("2023-06-01", [1, 0]),  # 24 months later: half-open
    ],
)
def test_return_to_detention_within_24_months(run: Run, begin: str, expected: list[int]) -> None:
    row = cell(run(ifzo=[person("a")], injus=stay("a", begin, None)))
    assert counts(row, "terug_gevolgd", "terug_24m") == expected


def test_a_return_that_cannot_be_seen_is_not_counted_as_none(run: Run) -> None:
    late, nobody = person("a", end=dt.date(2022, 1, 1)), person("b", end=dt.date(2022, 1, 2))
    unlinked = person("c", end=dt.date(2022, 1, 1), skn=None, bsn=None)
    row = cell(run(ifzo=[late, nobody, unlinked]), periode="2022H1")
    assert counts(row, "titel_eindes", "terug_gevolgd", "terug_24m") == [3, 1, 0]
    ended = stay("a", None, "2022-06-01")
    assert cell(run(ifzo=[late], injus=ended), periode="2022H1")["terug_24m"] == 0  # without a begin: no return


@pytest.mark.parametrize(
    ("settlement", "expected"), [("0599", [1, 1]), ("0384", [1, 0]), ("0000", [0, 0]), (None, [0, 0])]
)
def test_supra_regional_is_a_share_of_those_whose_regions_are_known(
    run: Run, settlement: str | None, expected: list[int]
) -> None:
    notices = stay("a", "2019-05-01", "2019-09-01", gemeentecode_vestiging=settlement)
    assert counts(cell(run(ifzo=[person("a")], injus=notices)), "regio_bekend", "bovenregionaal") == expected


@pytest.mark.parametrize(("end", "long"), [("2020-05-01", 0), ("2020-05-02", 1)])
def test_detention_of_more_than_four_months(run: Run, end: str, long: int) -> None:
    row = cell(run(ifzo=[person("a")], injus=stay("a", "2020-01-01", end)))
    assert counts(row, "via_detentie", "detentie_24m", "lange_detentie") == [1, 1, long]


def test_one_person_with_two_title_ends_is_two_title_ends_of_one_person(run: Run) -> None:
    rows = [person("a", titel_begin="2019-01-01", titel_eind="2021-02-01"), person("a", titel_begin="2021-04-01")]
    row = cell(run(ifzo=rows))
    assert counts(row, "titel_eindes", "personen") == [2, 1]


def test_each_characteristic_adds_up_to_everybody(run: Run) -> None:
    rows = [
        person("a", geslacht="V", geboortejaar=2000),
        person("b", zorgtype="KLIN_1"),
        person("c", geboortejaar=None),
    ]
    tables = run(ifzo=rows, injus=stay("a", "2019-06-01", "2019-09-01"), gmsd=[wmo("b", 5)], coverage=HOME)
    found = [r for r in tables("indicator_title_ends") if (r["code"], r["periode"]) == ("NL", "2021H1")]
    for kenmerk in indicators.KENMERKEN:
        assert sum(r["titel_eindes"] for r in found if r["kenmerk"] == kenmerk) == 3
    told = {(r["kenmerk"], r["waarde"]): r["titel_eindes"] for r in found}
    assert told["GESLACHT", "V"] == told["LEEFTIJD", "0-29"] == told["LEEFTIJD", "ONBEKEND"] == 1
    assert told["ZORGGROEP", "KLINISCH"] == told["INSTROOMROUTE", "DETENTIE"] == 1


def test_municipalities_add_up_to_the_country(run: Run) -> None:
    rows = [wmo("a", 5), wmo("b", 5, gemeentecode="0599"), wmo("b", 6, gemeentecode="0599")]
    tables = run(ifzo=[person(x) for x in "abc"], gmsd=rows, coverage=HOME)
    for name, column in (("indicator_title_ends", "titel_eindes"), ("indicator_inflow", "personen")):
        found = [r for r in tables(name) if r["kenmerk"] == "ALLEN" and r["periode"] == "2021H1"]
        by_level = {n: sum(r[column] for r in found if r["niveau"] == n) for n in ("gemeente", "land")}
        assert by_level["gemeente"] == by_level["land"] > 1


# Inflow of people ----------------------------------------------------------------------------------------------


def test_inflow_counts_people_and_not_arrangements(run: Run) -> None:
    """a: three starts, one person. b: has support already, so goes on. c: support ended the day before, so flows in."""
    rows = [
        *(wmo("a", offset, productcategorie=kind) for offset, kind in ((1, "02"), (1, "07"), (9, "06"))),
        *(wmo("b", -300), wmo("b", 2, productcategorie="07")),
        *(wmo("c", -20, 20, productcategorie="03"), wmo("c", 3, productcategorie="06")),
    ]
    row = cell(run(gmsd=rows, coverage=HOME), "indicator_inflow", wmo_group="THUIS")
    assert counts(row, "arrangementen", "personen", "instroom") == [6, 3, 2]


@pytest.mark.parametrize(("length", "flows_in"), [(19, 1), (20, 0), (21, 0)])
def test_support_until_the_start_of_the_next_goes_on(run: Run, length: int, flows_in: int) -> None:
    """Half-open: support with end day 0 covered the day before it, so a start on day 0 is no inflow."""
    rows = [wmo("a", -200, 180 + length), wmo("a", 0, productcategorie="07")]
    row = cell(run(gmsd=rows, coverage=HOME), "indicator_inflow", wmo_group="THUIS")
    assert counts(row, "personen", "instroom") == [1, flows_in]


def test_moving_to_another_municipality_is_no_inflow(run: Run) -> None:
    rows = [wmo("a", -200), wmo("a", 1, gemeentecode="0599")]
    row = cell(run(gmsd=rows, coverage=HOME), "indicator_inflow", code="0599", wmo_group="THUIS")
    assert counts(row, "arrangementen", "personen", "instroom") == [1, 1, 0]


def test_the_two_groups_are_two_inflows(run: Run) -> None:
    rows = [wmo("a", -200), wmo("a", 1, productcategorie="15")]
    tables = run(gmsd=rows, coverage=HOME)
    assert cell(tables, "indicator_inflow", wmo_group="OPVANG")["instroom"] == 1
    assert cell(tables, "indicator_inflow", wmo_group="THUIS") == {}  # started in 2020H2


def test_the_second_question_of_the_report(run: Run) -> None:
    """a: care that ended a month before. b: care long ago. c: none. d: no number at all."""
    old = person(
        "b", titel_begin="2015-01-01", titel_eind="2018-01-01", zorg_begin="2015-02-01", zorg_eind="2018-01-01"
    )
    rows = [*(wmo(x, 20) for x in "abc"), {**wmo("d", 20), "bsn": None}]
    tables = run(ifzo=[person("a"), old], gmsd=rows, injus=stay("c", "2020-01-01", "2020-02-01"), coverage=HOME)
    row = cell(tables, "indicator_inflow", wmo_group="THUIS")
    assert counts(row, "instroom", "instroom_koppelbaar", "forensisch_24m", "forensisch_ooit") == [4, 3, 1, 2]
    assert counts(row, "na_titeleinde", "detentie_24m") == [1, 1]
    care = cell(tables, "indicator_inflow", wmo_group="THUIS", kenmerk="ZORGGROEP", waarde="AMBULANT")
    assert counts(care, "instroom") == [2]


# Detention -----------------------------------------------------------------------------------------------------


def test_the_end_of_a_long_detention_at_the_place_of_settlement(run: Run) -> None:
    notices = [
        *stay("a", "2020-12-01", "2021-04-02", gemeentecode_vestiging="0599"),
        *stay("b", "2020-12-01", "2021-04-01", gemeentecode_vestiging="0599"),
        *stay("c", None, "2021-03-01", gemeentecode_vestiging="0000"),
        *stay("d", "2021-01-01", "2021-01-20"),
        *stay("d", "2021-03-01", "2021-03-20", "d2"),
    ]
    tables = run(injus=notices)
    names = ("einden", "begin_bekend", "langer_4m", "personen", "personen_bekend", "personen_4m")
    assert counts(cell(tables, "indicator_detention"), *names) == [5, 4, 1, 4, 3, 1]
    assert counts(cell(tables, "indicator_detention", code="0599"), *names) == [2, 2, 1, 2, 2, 1]
    assert counts(cell(tables, "indicator_detention", code="0363"), *names) == [2, 2, 0, 1, 1, 0]
    assert counts(cell(tables, "indicator_detention", code="0000"), *names) == [1, 0, 0, 1, 0, 0]


# Declarations --------------------------------------------------------------------------------------------------


def test_every_indicator_names_columns_that_exist_and_stands_in_the_codebook() -> None:
    page = pages()["indicatoren.md"]
    assert len({one.code for one in INDICATORS}) == len(INDICATORS) > 30
    for one in INDICATORS:
        assert f"| {one.code} | {one.naam} |" in page
        assert one.venster and one.censurering
    with pytest.raises(ValueError, match="is not a column"):
        indicators.Indicator("x", "x", indicators.INFLOW, "missing", None, "", "")


def test_the_classes_of_a_measure_cover_every_day_once() -> None:
    for maat in indicators.MATEN_DAGEN:
        mine = [k for k in KLASSEN if k.maat == maat]
        assert [k.tot for k in mine[:-1]] == [k.vanaf for k in mine[1:]]
        assert (mine[0].vanaf, mine[-1].tot) == (-100_000, 100_000)
    edges = {k.tot for k in KLASSEN}
    assert {43, 42, 365} <= edges  # six weeks after; six weeks and a year before
