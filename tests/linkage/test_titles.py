"""Care spells, title chains and title ends: given these placements, expect these chains and events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from tests.linkage.conftest import Tables

Run = Callable[..., Tables]


def title(
    begin: str | None, end: str | None, status: str = "DEFINITIEF", care: str | None = "2021-01-10", **more: Any
) -> dict[str, Any]:
    return {
        "skn": "p",
        "titel_begin": begin,
        "titel_eind": end,
        "titel_eind_status": status,
        "zorg_begin": care,
        **more,
    }


def chains(tables: Tables) -> list[tuple[str, str | None]]:
    return [
        (r["chain_begin"].isoformat(), r["title_end"] and r["title_end"].isoformat()) for r in tables("title_chains")
    ]


def test_thirty_days_joins_and_thirty_one_does_not(run: Run) -> None:
    joined = run(ifzo=[title("2020-01-01", "2021-03-01"), title("2021-03-31", "2022-01-01")])
    assert chains(joined) == [("2020-01-01", "2022-01-01")]
    apart = run(ifzo=[title("2020-01-01", "2021-03-01"), title("2021-04-01", "2022-01-01")])
    assert chains(apart) == [("2020-01-01", "2021-03-01"), ("2021-04-01", "2022-01-01")]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (None, "ONBEKEND"),
        (None, "ONBEPAALD"),
        (None, "DEFINITIEF"),
        ("2021-03-01", "ONBEKEND"),
        ("2021-03-01", "ONBEPAALD"),
    ],
)
def test_an_unknown_end_is_censored_and_never_invented(run: Run, end: str | None, status: str) -> None:
    tables = run(ifzo=[title("2020-01-01", end, status)])
    (row,) = tables("title_chains")
    assert row["title_end"] is None
    assert row["status"] == ("ONBEPAALD" if status == "ONBEPAALD" else "ONBEKEND")
    assert tables("title_end_events") == []


def test_an_unknown_end_leaves_the_chain_open_also_when_a_later_title_has_one(run: Run) -> None:
    tables = run(ifzo=[title("2020-01-01", None, "ONBEKEND"), title("2021-06-01", "2022-01-01", titel_code="FZT12")])
    assert chains(tables) == [("2020-01-01", None)]


def test_of_one_title_the_definitive_end_counts_then_the_latest(run: Run) -> None:
    rows = [
        title("2020-01-01", "2023-01-01", "VOORLOPIG"),
        title("2020-01-01", "2022-01-01"),
        title("2020-01-01", "2022-02-01"),
        title("2020-01-01", None, "ONBEKEND"),
    ]
    tables = run(ifzo=rows)
    assert chains(tables) == [("2020-01-01", "2022-02-01")]
    assert tables("title_end_events")[0]["status"] == "DEFINITIEF"


def test_a_provisional_end_is_an_event_and_says_so(run: Run) -> None:
    (event,) = run(ifzo=[title("2020-01-01", "2022-01-01", "VOORLOPIG")])("title_end_events")
    assert event["status"] == "VOORLOPIG"


def test_another_code_is_another_title_of_the_chain(run: Run) -> None:
    tables = run(ifzo=[title("2020-01-01", "2021-01-01"), title("2020-06-01", "2022-01-01", titel_code="FZT12")])
    (row,) = tables("title_chains")
    assert (row["titles"], row["titel_code"], row["titel_groep"]) == (2, "FZT12", "VOORWAARDE")


def test_a_placement_letter_alone_is_no_care(run: Run) -> None:
    tables = run(ifzo=[title("2020-01-01", "2022-01-01", care=None, datum_plaatsingsbrief="2020-02-01")])
    assert tables("care_spells") == []
    assert tables("title_end_events")[0]["excluded"] == "NO_REALISED_CARE"


@pytest.mark.parametrize(
    ("day", "counted"), [("2018-12-31", 0), ("2019-01-01", 1), ("2023-12-31", 1), ("2024-01-01", 0)]
)
def test_only_title_ends_of_the_period_are_events(run: Run, day: str, counted: int) -> None:
    assert len(run(ifzo=[title("2018-01-01", day, care="2018-02-01")])("title_end_events")) == counted


def test_care_lines_that_touch_are_one_spell_per_care_group(run: Run) -> None:
    def line(begin: str, end: str | None, kind: str = "AMB_BEH") -> dict[str, Any]:
        return title("2020-01-01", "2023-01-01", care=begin, zorg_eind=end, zorgtype=kind)

    tables = run(
        ifzo=[
            line("2020-02-01", "2020-05-01"),
            line("2020-05-01", "2020-08-01", "AMB_BEG"),
            line("2020-08-02", "2020-09-01"),
            line("2020-03-01", None, "KLIN_2"),
        ]
    )
    found = [
        (r["care_group"], r["care_begin"].isoformat(), r["care_end"] and r["care_end"].isoformat(), r["lines"])
        for r in tables("care_spells")
    ]
    assert found == [
        ("AMBULANT", "2020-02-01", "2020-08-01", 2),
        ("AMBULANT", "2020-08-02", "2020-09-01", 1),
        ("KLINISCH", "2020-03-01", None, 1),
    ]


def test_of_two_care_groups_that_end_on_one_day_the_heavier_is_the_last(run: Run) -> None:
    rows = [
        title("2020-01-01", "2022-01-01", care="2020-02-01", zorg_eind="2021-12-01"),
        title("2020-01-01", "2022-01-01", care="2020-02-01", zorg_eind="2021-12-01", zorgtype="KLIN_1"),
    ]
    (event,) = run(ifzo=rows)("title_end_events")
    assert (event["last_care_group"], event["last_care_end"]) == ("KLINISCH", dt.date(2021, 12, 1))


DEAD = {"skn": "p", "soort_melding": "EINDE_DETENTIE", "reden_einde": "OVERLIJDEN"}
LAST = {"ingangsdatum": "2021-01-01", "datum_einde": "2021-12-31", "reden_beeindiging": "02"}
DEPORTED = {**DEAD, "reden_einde": "UITZETTING"}


@pytest.mark.parametrize(
    ("rows", "excluded"),
    [
        ({"injus": [{**DEAD, "datum_gebeurtenis": "2022-01-01"}]}, "OVERLIJDEN"),
        ({"injus": [{**DEAD, "datum_gebeurtenis": "2022-01-02"}]}, None),
        ({"injus": [{**DEPORTED, "datum_gebeurtenis": "2020-01-01"}]}, "UITZETTING"),
        ({"injus": [{**DEPORTED, "datum_gebeurtenis": "2019-12-31"}]}, None),
        ({"injus_tbs": [{"skn": "p", "gebeurtenis": "OVERLIJDEN", "datum": "2021-01-01"}]}, "OVERLIJDEN"),
        ({"injus_tbs": [{"skn": "p", "gebeurtenis": "UITZETTING", "datum": "2021-01-01"}]}, "UITZETTING"),
        ({"gmsd": [{**LAST, "bsn": "b"}], "crosswalk": [{"skn": "p", "bsn": "b"}]}, "OVERLIJDEN"),
    ],
)  # fmt: skip
def test_death_and_deportation_take_an_event_out_but_leave_it_visible(
    run: Run, rows: dict[str, Any], excluded: str | None
) -> None:
    (event,) = run(ifzo=[title("2020-01-01", "2022-01-01")], **rows)("title_end_events")
    assert event["excluded"] == excluded


@pytest.mark.parametrize(
    ("begin", "end", "entry", "recent"),
    [
        ("2017-12-01", "2018-01-01", False, False),  # ended on the day 24 months before the chain: half-open
        ("2017-12-01", "2018-01-02", True, False),
        ("2020-01-01", "2020-02-01", True, True),  # running at the begin of the chain
        ("2020-06-01", "2020-07-01", False, True),
        ("2021-12-31", None, False, True),
        ("2022-01-01", None, False, False),
    ],
)
def test_entry_route_and_prior_detention(run: Run, begin: str, end: str | None, entry: bool, recent: bool) -> None:
    notices = [{"skn": "p", "datum_gebeurtenis": begin}]
    if end:
        notices.append({"skn": "p", "datum_gebeurtenis": end, "soort_melding": "EINDE_DETENTIE"})
    (event,) = run(ifzo=[title("2020-01-01", "2022-01-01")], injus=notices)("title_end_events")
    assert (event["entry_detention"], event["detention_24m"]) == (entry, recent)
