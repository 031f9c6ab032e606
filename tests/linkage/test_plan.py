"""The plan is the one place: an entry that changes, changes the digest, the words and the result."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from linkage import queries
from linkage.plan import Plan
from tests.linkage.conftest import Tables, everywhere

Run = Callable[..., Tables]
FIELDS = [field.name for field in fields(Plan)]


def changed(name: str) -> Plan:
    """The plan with this one entry different, and still a plan."""
    value = getattr(Plan(), name)
    special: dict[str, Any] = {"version": "x", "conflict_rule": "EXCLUDE", "fallback_threshold": 0.99}
    if name in special:
        new: Any = special[name]
    elif isinstance(value, tuple):
        new = value[::-1]
    elif isinstance(value, dt.date):
        new = value + dt.timedelta(31 if name.endswith("_from") else -31)
    else:
        new = value + 1
    return replace(Plan(), **{name: new})


@pytest.mark.parametrize("name", FIELDS)
def test_every_entry_is_in_the_digest_and_in_the_words(name: str) -> None:
    assert changed(name).digest() != Plan().digest()
    assert changed(name).in_words() != Plan().in_words()


def test_equal_plans_have_equal_digests_and_it_is_told() -> None:
    assert Plan().digest() == Plan().digest() == Plan().as_dict()["sha256"]
    told = json.loads(json.dumps(Plan().as_dict()))
    assert set(told) == {*FIELDS, "sha256"}
    assert told["period_from"] == "2019-01-01"


@pytest.mark.parametrize("name", queries.names())
def test_no_statement_holds_a_window_of_its_own(name: str) -> None:
    """Numbers that a plan has stand in no statement: $chain_gap_days, never 30."""
    windows = {str(v) for v in Plan().parameters().values() if isinstance(v, int) and v > 3} - {"60"}
    # Ages of printed figures and of bands, shares of a distribution, widths and kinds of keys: numbers of their own.
    allowed = {
        "age_band": {"30"},
        "count_cbs": {"30"},
        "fallback_keys": {"4"},
        "fallback_pairs": {"4"},
        "fallback_profiles": {"4"},
        "half_number": {"4"},
        "indicator_groups": {"4"},
        "indicator_quantiles": {"25", "50", "90"},
        "strata_counts": {"30"},
        "view_row_keys": {"4"},
    }
    literals = set(re.findall(r"(?<![\w.'])\d+(?![\w.'])", re.sub(r"--[^\n]*|'[^']*'", "", queries.text(name))))
    assert not (literals & windows) - allowed.get(name, set())


def ifzo(**more: Any) -> dict[str, Any]:
    return {"titel_begin": "2020-01-01", "titel_eind": "2021-06-01", "zorg_begin": "2020-02-01", **more}


def gmsd(**more: Any) -> dict[str, Any]:
    return {"verslagperiode": "2021H2", **more}


def outcome(run: Run, start: str, **plan: int) -> str:
    tables = run(
        ifzo=[ifzo(skn="s", bsn="b")],
        gmsd=[gmsd(bsn="b", ingangsdatum=start)],
        coverage=everywhere("0363"),
        plan=replace(Plan(), **plan),
    )
    (event,) = tables("title_end_events")
    return str(event["outcome"])


@pytest.mark.parametrize(
    ("start", "change", "before", "after"),
    [
        ("2021-03-02", {"before_days": 92}, "RUNNING", "START_M90_0"),
        ("2021-07-02", {"window_1_days": 31}, "START_30_90", "START_0_30"),
        ("2021-08-31", {"window_2_days": 91}, "START_90_180", "START_30_90"),
        ("2021-11-29", {"headline_days": 181}, "START_180_365", "START_90_180"),
        ("2022-06-02", {"follow_up_days": 366}, "NONE", "START_180_365"),
    ],
)
def test_a_window_moves_the_outcome(run: Run, start: str, change: dict[str, int], before: str, after: str) -> None:
    assert (outcome(run, start), outcome(run, start, **change)) == (before, after)


def count(run: Run, table: str, plan: Plan, **rows: Any) -> int:
    return len(run(**rows, plan=plan, coverage=everywhere("0363"))(table))


@pytest.mark.parametrize(
    ("entry", "value", "table", "rows", "before", "after"),
    [
        (
            *("chain_gap_days", 31, "title_chains"),
            {"ifzo": [ifzo(skn="s"), ifzo(skn="s", titel_begin="2021-07-02", titel_eind="2021-08-01")]},
            *(2, 1),
        ),
        (
            *("transfer_gap_days", 2, "detention_spells"),
            {
                "injus": [
                    {"skn": "s", "datum_gebeurtenis": "2020-01-01"},
                    {"skn": "s", "datum_gebeurtenis": "2020-02-01", "soort_melding": "EINDE_DETENTIE"},
                    {"skn": "s", "datum_gebeurtenis": "2020-02-03", "detentie_id": "d2"},
                ]
            },
            *(2, 1),
        ),
        (
            *("join_margin_days", 4, "wmo_arrangements"),
            {
                "gmsd": [
                    gmsd(bsn="b", verslagperiode="2021H1", ingangsdatum="2021-02-01", datum_einde="2021-06-26"),
                    gmsd(bsn="b", ingangsdatum="2021-06-30"),
                ]
            },
            *(2, 1),
        ),
        (
            *("reuse_gap_days", 184, "wmo_arrangements"),
            {
                "gmsd": [
                    gmsd(
                        bsn="b",
                        toewijzingsnummer="n",
                        verslagperiode="2021H1",
                        ingangsdatum="2021-01-01",
                        datum_einde="2021-02-01",
                    ),
                    gmsd(bsn="b", toewijzingsnummer="n", ingangsdatum="2021-08-04"),
                ]
            },
            *(2, 1),
        ),
        ("period_until", dt.date(2021, 5, 31), "title_end_events", {"ifzo": [ifzo(skn="s")]}, 1, 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_gap_of_the_plan_moves_the_count(  # noqa: PLR0917
    run: Run, entry: str, value: Any, table: str, rows: Any, before: int, after: int
) -> None:
    assert count(run, table, Plan(), **rows) == before
    assert count(run, table, replace(Plan(), **{entry: value}), **rows) == after


PLACED = {
    "ifzo": [ifzo(skn="s", bsn="b")],
    "injus": [
        {"skn": "s", "datum_gebeurtenis": "2019-06-01", "gemeentecode_brp": "0363"},
        {
            "skn": "s",
            "datum_gebeurtenis": "2019-07-01",
            "soort_melding": "EINDE_DETENTIE",
            "gemeentecode_vestiging": "0599",
        },
    ],
    "gmsd": [gmsd(bsn="b", ingangsdatum="2021-07-01", gemeentecode="0344", gemeentecode_brp="0518")],
}


@pytest.mark.parametrize(
    ("first", "code"), [("SETTLEMENT", "0599"), ("ORIGIN", "0363"), ("BRP", "0518"), ("DELIVERY", "0344")]
)
def test_the_order_of_municipalities_is_the_plans(run: Run, first: str, code: str) -> None:
    order = (first, *(place for place in Plan().municipality_order if place != first))
    tables = run(**PLACED, coverage=everywhere("0344"), plan=replace(Plan(), municipality_order=order))
    (event,) = tables("title_end_events")
    assert (event["gemeente_basis"], event["gemeente"]) == (first, code)


def test_the_order_of_registers_is_the_plans(run: Run) -> None:
    rows = {
        "ifzo": [ifzo(skn="s", geboortejaar=1980)],
        "reclassering": [{"skn": "s", "geboortejaar": 1981, "datum_verzoek": "2020-01-01"}],
    }
    order = ("reclassering", "ifzo", "injus", "gmsd")
    (person,) = run(**rows)("persons")
    (other,) = run(**rows, plan=replace(Plan(), attribute_order=order))("persons")
    assert (person["geboortejaar"], other["geboortejaar"]) == (1980, 1981)


def test_conflicts_are_kept_and_counted_or_excluded_as_the_plan_says(run: Run) -> None:
    rows = {
        "ifzo": [ifzo(skn="s", geboortejaar=1980), ifzo(skn="t", geboortejaar=1980)],
        "reclassering": [{"skn": "s", "geboortejaar": 1990, "datum_verzoek": "2020-01-01"}],
    }
    for rule, excluded in (("KEEP", None), ("EXCLUDE", "CONFLICT")):
        tables = run(**rows, plan=replace(Plan(), conflict_rule=rule))
        assert [event["excluded"] for event in tables("title_end_events")].count("CONFLICT") == bool(excluded)
        told = {row["measure"]: row["n"] for row in tables("person_quality")}
        assert (told["conflict_birth_year"], told["conflict_any"], told["conflict_events"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"municipality_order": ("SETTLEMENT",)},
        {"attribute_order": ("ifzo", "ifzo", "injus", "gmsd")},
        {"care_order": ()},
        {"conflict_rule": "DROP"},
        {"fallback_threshold": 0.4},
        {"fallback_threshold": 1.0},
        {"fallback_common": 1},
    ],
)
def test_a_plan_that_leaves_something_open_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="plan"):
        Plan(**change)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="period"):
        Plan(period_until=dt.date(2018, 1, 1))
