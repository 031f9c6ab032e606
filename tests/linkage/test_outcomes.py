"""What follows a title end: windows, both groups, what cannot be seen, and which municipality it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from linkage.plan import Plan
from tests.linkage.conftest import ALL_HALVES, Tables, everywhere

Run = Callable[..., Tables]
DAY0 = dt.date(2021, 6, 1)
TITLE = {
    **{"skn": "p", "bsn": "p", "titel_begin": "2020-01-01", "titel_eind": DAY0.isoformat()},
    **{"zorg_begin": "2020-02-01", "zorg_eind": "2021-05-01"},
}


def wmo(offset: int, length: int | None = None, **more: Any) -> dict[str, Any]:
    """An arrangement that starts `offset` days after the title end."""
    start = DAY0 + dt.timedelta(offset)
    end = start + dt.timedelta(length) if length is not None else None
    half = f"{max(start, dt.date(2019, 1, 1)).year}H{1 + (start.month > 6)}"
    days = {"ingangsdatum": start.isoformat(), "datum_einde": end and end.isoformat()}
    return {"bsn": "p", "verslagperiode": half, "toewijzingsnummer": f"n{offset}", **days, **more}


def event(run: Run, *rows: dict[str, Any], coverage: Any = None, **more: Any) -> dict[str, Any]:
    tables = run(ifzo=[TITLE], gmsd=list(rows), coverage=coverage or everywhere("0363"), **more)
    (found,) = tables("title_end_events")
    return found


@pytest.mark.parametrize(
    ("offset", "outcome"),
    [
        (-91, "RUNNING"),
        (-90, "START_M90_0"),
        (-1, "START_M90_0"),
        (0, "START_0_30"),
        (30, "START_0_30"),
        (31, "START_30_90"),
        (90, "START_30_90"),
        (91, "START_90_180"),
        (180, "START_90_180"),
        (181, "START_180_365"),
        (365, "START_180_365"),
        (366, "NONE"),
    ],
)
def test_windows(run: Run, offset: int, outcome: str) -> None:
    found = event(run, wmo(offset))
    assert found["outcome"] == found["outcome_thuis"] == outcome
    assert found["outcome_opvang"] == "NONE"


@pytest.mark.parametrize(("length", "outcome"), [(100, "NONE"), (101, "RUNNING")])
def test_support_that_ends_on_day_zero_does_not_run(run: Run, length: int, outcome: str) -> None:
    assert event(run, wmo(-100, length))["outcome"] == outcome


def test_support_that_began_and_ended_just_before_counts_with_a_flag(run: Run) -> None:
    found = event(run, wmo(-60, 60))
    assert (found["outcome"], found["ended_before"]) == ("START_M90_0", True)
    assert event(run, wmo(-60, 61))["ended_before"] is False


def test_running_wins_else_the_earliest_start(run: Run) -> None:
    found = event(run, wmo(-200), wmo(-10), wmo(20, productcategorie="15"))
    assert (found["outcome"], found["outcome_thuis"], found["outcome_opvang"]) == ("RUNNING", "RUNNING", "START_0_30")
    found = event(run, wmo(100), wmo(20, productcategorie="15"))
    assert (found["outcome"], found["wmo_group"], found["gap_title_days"]) == ("START_0_30", "OPVANG", 20)


def test_two_gaps_and_negative_means_overlap(run: Run) -> None:
    found = event(run, wmo(-10))
    assert (found["gap_title_days"], found["gap_care_days"]) == (-10, 21)


def test_household_help_is_no_outcome_but_tells_where_to_look(run: Run) -> None:
    found = event(run, wmo(10, productcategorie="01"))
    assert (found["outcome"], found["gemeente"], found["gemeente_basis"]) == ("NONE", "0363", "DELIVERY")


def test_none_needs_every_half_year_that_the_window_touches(run: Run) -> None:
    """1 June 2021 + 180 days touches 2021H1 and 2021H2."""
    without = {half: ["0363"] for half in ALL_HALVES if half != "2021H2"}
    notices = [{"bsn": "p", "datum_gebeurtenis": "2019-01-01", "gemeentecode_brp": "0363"}]
    assert event(run, coverage=without, injus=notices)["outcome"] == "NOT_OBSERVABLE"
    without = {half: ["0363"] for half in ALL_HALVES if half not in ("2022H1", "2020H2")}
    assert event(run, coverage=without, injus=notices)["outcome"] == "NONE"


def test_a_window_beyond_the_coverage_is_censored(run: Run) -> None:
    late = {**TITLE, "titel_eind": "2023-07-05"}
    notices = [{"bsn": "p", "datum_gebeurtenis": "2019-01-01", "gemeentecode_brp": "0363"}]
    tables = run(ifzo=[late], injus=notices, gmsd=[], coverage=everywhere("0363"))
    assert tables("title_end_events")[0]["outcome"] == "CENSORED"
    on_time = {**TITLE, "titel_eind": "2023-07-04"}
    tables = run(ifzo=[on_time], injus=notices, gmsd=[], coverage=everywhere("0363"))
    assert tables("title_end_events")[0]["outcome"] == "NONE"


def test_nobody_knows_where_to_look(run: Run) -> None:
    found = event(run)
    assert (found["outcome"], found["gemeente"], found["gemeente_basis"]) == ("NO_MUNICIPALITY", None, "NONE")


BEGIN = {"bsn": "p", "datum_gebeurtenis": "2019-05-01", "gemeentecode_brp": "0363"}
END = {"bsn": "p", "datum_gebeurtenis": "2019-09-01", "soort_melding": "EINDE_DETENTIE", "gemeentecode_brp": "0855"}


@pytest.mark.parametrize(
    ("injus", "gmsd", "gemeente", "basis"),
    [
        ([BEGIN, {**END, "gemeentecode_vestiging": "0599"}], [], "0599", "SETTLEMENT"),
        ([BEGIN, END], [], "0363", "ORIGIN"),  # the BRP address of an end notice is never an origin
        ([BEGIN, {**END, "gemeentecode_vestiging": "0000"}], [], "0363", "ORIGIN"),
        ([{**BEGIN, "gemeentecode_brp": "0000"}], [wmo(5, gemeentecode_brp="0518")], "0518", "BRP"),
        ([{**BEGIN, "gemeentecode_brp": "1999"}], [], "1999", "ORIGIN"),
        ([], [wmo(5)], "0363", "DELIVERY"),
    ],
)
def test_which_municipality(run: Run, injus: Any, gmsd: Any, gemeente: str, basis: str) -> None:
    found = event(run, *gmsd, injus=injus)
    assert (found["gemeente"], found["gemeente_basis"]) == (gemeente, basis)


@pytest.mark.parametrize(("settlement", "expected"), [("0599", True), ("0384", False), ("0000", False)])
def test_supra_regional_compares_regions_of_origin_and_settlement(run: Run, settlement: str, expected: bool) -> None:
    """Amsterdam and Diemen are one veiligheidsregio, Rotterdam is another."""
    found = event(run, injus=[BEGIN, {**END, "gemeentecode_vestiging": settlement}])
    assert found["supra_regional"] is expected


def test_the_target_group_counts_people_and_the_country_counts_everybody(run: Run) -> None:
    tables = run(ifzo=[TITLE], gmsd=[wmo(5)], coverage=everywhere("0363"))
    found = {
        (r["niveau"], r["code"], r["maat"]): r["aantal"] for r in tables("target_group") if r["halfjaar"] == "2021H1"
    }
    for area in (("gemeente", "0363"), ("veiligheidsregio", "VR13"), ("land", "NL")):
        assert (found[(*area, "titel_eindes")], found[(*area, "wmo_180")], found[(*area, "niet_waarneembaar")]) == (
            1,
            1,
            0,
        )
    assert sum(v for (level, _, what), v in found.items() if level == "gemeente" and what == "titel_eindes") == 1


def test_people_without_a_municipality_count_for_the_country_alone(run: Run) -> None:
    tables = run(ifzo=[TITLE], gmsd=[], coverage=everywhere("0363"))
    found = {
        (r["niveau"], r["code"]): r["aantal"]
        for r in tables("target_group")
        if r["halfjaar"] == "2021H1" and r["maat"] == "titel_eindes"
    }
    assert found["land", "NL"] == found["gemeente", "ONB"] == 1
    assert sum(n for (level, _), n in found.items() if level == "provincie") == 0


def test_another_plan_gives_other_results_and_another_digest(run: Run) -> None:
    plan = Plan(window_1_days=10)
    assert event(run, wmo(20), plan=plan)["outcome"] == "START_30_90"
    assert plan.digest() != Plan().digest()
