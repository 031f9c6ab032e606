"""Wmo arrangements from half-year records: the rule of CBS, its additions, and the failure of 2020."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.linkage.conftest import Tables, everywhere

Run = Callable[..., Tables]


def row(half: str, start: str, end: str | None = None, number: str | None = None, **more: Any) -> dict[str, Any]:
    return {"bsn": "b", "verslagperiode": half, "ingangsdatum": start, "datum_start": start, "datum_einde": end,
            "toewijzingsnummer": number, **more}  # fmt: skip


def arrangements(tables: Tables) -> list[tuple[str, str | None, int]]:
    found = tables("wmo_arrangements")
    return [(r["wmo_start"].isoformat(), r["wmo_end"] and r["wmo_end"].isoformat(), r["records"]) for r in found]


def test_the_failure_of_2020_does_not_come_back(run: Run) -> None:
    """An end in one half-year that the next takes back: the latest half-year decides, not the largest known end."""
    tables = run(gmsd=[row("2020H1", "2020-02-01", "2020-06-30", "n"), row("2020H2", "2020-02-01", None, "n")])
    assert arrangements(tables) == [("2020-02-01", None, 2)]


def test_without_numbers_an_open_row_is_replaced_by_the_later_one_with_the_same_begin(run: Run) -> None:
    rows = [
        row("2020H1", "2020-02-01"),
        row("2020H2", "2020-02-01"),
        row("2021H1", "2020-02-01", "2021-03-01", reden_beeindiging="19"),
    ]
    assert arrangements(run(gmsd=rows)) == [("2020-02-01", "2021-03-01", 3)]


@pytest.mark.parametrize(
    ("begin", "joins"),
    [("2020-06-27", True), ("2020-06-30", True), ("2020-07-03", True), ("2020-07-04", False), ("2020-06-26", False)],
)
def test_without_numbers_rows_join_within_three_days(run: Run, begin: str, joins: bool) -> None:
    rows = [row("2020H1", "2020-02-01", "2020-06-30"), row("2020H2", begin, "2020-11-01")]
    expected = (
        [("2020-02-01", "2020-11-01", 2)] if joins else [("2020-02-01", "2020-06-30", 1), (begin, "2020-11-01", 1)]
    )
    assert arrangements(run(gmsd=rows)) == expected


def test_two_different_end_reasons_do_not_join_and_an_empty_one_matches_any(run: Run) -> None:
    def pair(one: str | None, two: str | None) -> int:
        rows = [
            row("2020H1", "2020-02-01", "2020-06-30", reden_beeindiging=one),
            row("2020H2", "2020-07-01", "2020-11-01", reden_beeindiging=two),
        ]
        return len(arrangements(run(gmsd=rows)))

    assert (pair("19", "31"), pair("19", "19"), pair(None, "19")) == (2, 1, 1)


def test_financing_form_and_category_keep_rows_apart(run: Run) -> None:
    one = row("2020H1", "2020-02-01", "2020-06-30")
    assert len(arrangements(run(gmsd=[one, row("2020H2", "2020-07-01", leveringsvorm="PGB")]))) == 2
    assert len(arrangements(run(gmsd=[one, row("2020H2", "2020-07-01", productcategorie="07")]))) == 2


@pytest.mark.parametrize(("again", "count"), [("2020-12-30", 1), ("2020-12-31", 2)])
def test_a_number_that_returns_after_more_than_183_days_is_a_new_arrangement(run: Run, again: str, count: int) -> None:
    rows = [row("2020H1", "2020-02-01", "2020-06-30", "n"), row("2020H2", again, None, "n")]
    assert len(arrangements(run(gmsd=rows))) == count


def test_one_row_without_a_number_sends_all_rows_of_that_year_to_the_rule(run: Run) -> None:
    """By number the two stretches are one arrangement; by the rule they are too far apart."""
    rows = [row("2020H1", "2020-02-01", "2020-03-01", "n"), row("2020H2", "2020-08-31", "2020-10-01", "n")]
    assert len(arrangements(run(gmsd=rows))) == 1
    other = row("2020H2", "2020-01-01", bsn="someone else")
    assert len(arrangements(run(gmsd=[*rows, other]))) == 3
    next_year = row("2021H2", "2020-01-01", bsn="someone else")
    assert len(arrangements(run(gmsd=[*rows, next_year]))) == 2


def test_the_same_number_in_two_municipalities_is_two_arrangements(run: Run) -> None:
    rows = [row("2020H1", "2020-02-01", None, "n"), row("2020H2", "2020-02-01", None, "n", gemeentecode="0599")]
    assert len(arrangements(run(gmsd=rows))) == 2


def test_rows_of_a_municipality_that_merged_join_with_those_of_its_successor(run: Run) -> None:
    rows = [
        row("2021H2", "2021-02-01", None, "n", gemeentecode="0756"),
        row("2022H1", "2021-02-01", "2022-03-01", "n", gemeentecode="1982"),
    ]
    tables = run(gmsd=rows)
    assert arrangements(tables) == [("2021-02-01", "2022-03-01", 2)]
    assert tables("wmo_arrangements")[0]["gemeente_delivery"] == "1982"


def test_a_later_delivery_replaces_the_half_years_it_lists_also_with_zero_rows(run: Run) -> None:
    coverage = {1: {"2020H1": ["0363", "0599"]}, 2: {"2020H1": ["0363"]}}
    deliveries = {
        ("gmsd", 1): [
            row("2020H1", "2020-02-01", None, "n"),
            row("2020H1", "2020-02-01", None, "n", gemeentecode="0599"),
        ],
        ("gmsd", 2): [],
    }
    tables = run(deliveries=deliveries, coverage=coverage)
    assert [r["gemeente_delivery"] for r in tables("wmo_arrangements")] == ["0599"]


def test_coverage_needs_every_part_of_a_later_merger(run: Run) -> None:
    parts = ["0756", "0786", "0815", "1684", "1702"]
    tables = run(gmsd=[], coverage={"2021H1": parts, "2021H2": parts[:4], "2022H1": ["1982"]})
    told = {r["half_year"]: r["delivered"] for r in tables("coverage") if r["gemeente"] == "1982"}
    assert (told["2021H1"], told["2021H2"], told["2022H1"]) == (True, False, True)


def test_a_contract_round_is_flagged(run: Run) -> None:
    """Everything closed and opened again: outflow and inflow differ by a factor 2.5 or more, and at least 20."""
    rows = [row("2021H1", "2021-03-01", None, f"n{i}", bsn=f"b{i}") for i in range(20)]
    tables = run(gmsd=rows, coverage=everywhere("0363"))
    flagged = {r["half_year"] for r in tables("coverage") if r["suspicious"]}
    assert flagged == {"2021H1"}
    tables = run(gmsd=rows[:19], coverage=everywhere("0363"))
    assert not any(r["suspicious"] for r in tables("coverage"))


def test_category_ten_is_in_neither_group(run: Run) -> None:
    rows = [row("2020H1", "2020-02-01", None, str(c), productcategorie=c) for c in ("02", "15", "10", "01")]
    found = {r["productcategorie"]: r["wmo_group"] for r in run(gmsd=rows)("wmo_arrangements")}
    assert found == {"02": "THUIS", "15": "OPVANG", "10": "OVERIG", "01": "OVERIG"}


def test_without_a_real_start_the_assignment_counts(run: Run) -> None:
    assert arrangements(run(gmsd=[{**row("2020H1", "2020-02-01"), "datum_start": None}]))[0][0] == "2020-02-01"
