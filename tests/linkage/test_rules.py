"""Edge cases of the rules: given these rows, expect these; and docs/linkage.md names every rule, statement and test."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linkage import queries
from linkage.plan import Plan
from tests.linkage.conftest import Tables, everywhere

Run = Callable[..., Tables]
ROOT = Path(__file__).parents[2]
TITLE = {"skn": "p", "bsn": "p", "titel_begin": "2020-01-01", "titel_eind": "2022-01-01"}
FZ = Plan(coverage_until=dt.date(2025, 12, 31), period_until=dt.date(2025, 12, 31))


def line(begin: str | None, end: str | None, kind: str = "AMB_BEH", **more: Any) -> dict[str, Any]:
    return {**TITLE, "zorg_begin": begin, "zorg_eind": end, "zorgtype": kind, **more}


def care(tables: Tables) -> list[tuple[str, str, str | None, int]]:
    return [
        (r["care_group"], r["care_begin"].isoformat(), r["care_end"] and r["care_end"].isoformat(), r["lines"])
        for r in tables("care_spells")
    ]


# Stapelzorg ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "lines", "expected"),
    [
        ("one line inside another", [("2020-02-01", "2020-12-01"), ("2020-03-01", "2020-04-01")],
         [("AMBULANT", "2020-02-01", "2020-12-01", 2)]),
        ("the same line twice stays two lines", [("2020-02-01", "2020-03-01"), ("2020-02-01", "2020-03-01")],
         [("AMBULANT", "2020-02-01", "2020-03-01", 2)]),
        ("another care group at the same time is a spell of its own",
         [("2020-02-01", "2020-12-01"), ("2020-02-01", "2020-12-01", "KLIN_1")],
         [("AMBULANT", "2020-02-01", "2020-12-01", 1), ("KLINISCH", "2020-02-01", "2020-12-01", 1)]),
        ("a day between is a new spell", [("2020-02-01", "2020-03-01"), ("2020-03-02", "2020-04-01")],
         [("AMBULANT", "2020-02-01", "2020-03-01", 1), ("AMBULANT", "2020-03-02", "2020-04-01", 1)]),
        ("an open line keeps the spell open, also when a later one ends",
         [("2020-02-01", None), ("2020-03-01", "2020-04-01")], [("AMBULANT", "2020-02-01", None, 2)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_stapelzorg(run: Run, why: str, lines: list[Any], expected: list[Any]) -> None:
    assert care(run(ifzo=[line(*one) for one in lines])) == expected, why


# FZ823 and FZ825 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "told"),
    [
        ("2023-12-31", None, (False, False)),
        ("2024-01-01", None, (True, False)),
        ("2023-06-01", "2023-12-31", (False, False)),
        ("2023-06-01", "2024-01-01", (False, True)),
        ("2024-02-01", "2024-05-01", (True, True)),
    ],
)
def test_begin_and_end_are_mandatory_messages_from_2024_on(
    run: Run, begin: str, end: str | None, told: tuple[bool, bool]
) -> None:
    (row,) = run(ifzo=[line(begin, end)])("care_spells")
    assert (row["begin_by_message"], row["end_by_message"]) == told


@pytest.mark.parametrize("status", ["IN_ZORG", "GEPLAATST", "BEEINDIGD"])
def test_without_fz823_a_status_or_a_letter_makes_no_care_also_after_2024(run: Run, status: str) -> None:
    row = line(None, None, status=status, datum_plaatsingsbrief="2024-02-01", titel_eind="2024-06-01")
    tables = run(ifzo=[row], plan=FZ)
    assert tables("care_spells") == []
    assert [r["excluded"] for r in tables("title_end_events")] == ["NO_REALISED_CARE"]


def test_without_fz825_care_stays_open_and_no_gap_is_invented(run: Run) -> None:
    """The title ends, the care does not: the gap to the title is known, the gap to the care is not."""
    wmo = {"bsn": "p", "verslagperiode": "2024H2", "ingangsdatum": "2024-07-10", "datum_start": "2024-07-10"}
    tables = run(ifzo=[line("2024-02-01", None, titel_eind="2024-07-01")], gmsd=[wmo], plan=FZ)
    (row,) = tables("title_end_events")
    assert (row["last_care_end"], row["gap_title_days"], row["gap_care_days"]) == (None, 9, None)
    assert care(tables) == [("AMBULANT", "2024-02-01", None, 1)]


# Provisional and final deliveries, with history ----------------------------------------------------------------


def gmsd(half: str, label: str, code: str = "0363") -> dict[str, Any]:
    return {"bsn": label, "verslagperiode": half, "gemeentecode": code, "ingangsdatum": "2021-02-01",
            "toewijzingsnummer": label}  # fmt: skip


def history(tables: Tables) -> list[tuple[Any, ...]]:
    names = ("half_year", "gemeentecode", "sequence", "rows_delivered", "replaced_by", "rows_replaced")
    return sorted(tuple(row[name] for name in names) for row in tables("gmsd_history"))


def test_the_later_delivery_replaces_the_earlier_and_history_says_which(run: Run) -> None:
    """Two municipalities; only Amsterdam comes back, twice, the second time with fewer rows."""
    deliveries = {
        ("gmsd", 1): [gmsd("2021H1", "a"), gmsd("2021H1", "b"), gmsd("2021H1", "c", "0599")],
        ("gmsd", 2): [gmsd("2021H1", "a"), gmsd("2021H1", "d")],
        ("gmsd", 3): [gmsd("2021H1", "a")],
    }
    coverage = {1: {"2021H1": ["0363", "0599"]}, 2: {"2021H1": ["0363"]}, 3: {"2021H1": ["0363"]}}
    tables = run(deliveries=deliveries, coverage=coverage)
    assert sorted(r["gemeente_delivery"] for r in tables("wmo_arrangements")) == ["0363", "0599"]
    assert history(tables) == [
        ("2021H1", "0363", 1, 2, 2, 2),
        ("2021H1", "0363", 2, 2, 3, 2),
        ("2021H1", "0363", 3, 1, None, 0),
        ("2021H1", "0599", 1, 1, None, 0),
    ]


def test_provisional_gives_way_to_final_and_both_are_remembered(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from linkage.link import link
    from tests.linkage.build import write_deliveries

    made = write_deliveries(tmp_path / "in", {("gmsd", 1): [gmsd("2021H1", "a")]}, status="voorlopig")
    made += write_deliveries(tmp_path / "in", {("gmsd", 2): [gmsd("2021H1", "b")]}, status="definitief")
    (tmp_path / "out").mkdir()
    link(made, tmp_path / "out", plan=Plan(), work=tmp_path / "work", memory_limit="512MB", threads=1)
    rows = pq.read_table(tmp_path / "out" / "gmsd_history.parquet").to_pylist()
    assert [(r["sequence"], r["status"], r["replaced_by"], r["replaced_status"]) for r in rows] == [
        (1, "voorlopig", 2, "definitief"),
        (2, "definitief", None, None),
    ]
    coverage = pq.read_table(tmp_path / "out" / "coverage.parquet").to_pylist()
    assert [r["status"] for r in coverage if (r["gemeente"], r["half_year"]) == ("0363", "2021H1")] == ["definitief"]


def test_a_delivery_under_the_new_code_replaces_rows_of_the_old_ones(run: Run) -> None:
    """Boxmeer (0756) became Land van Cuijk (1982); a listing with zero rows replaces too."""
    deliveries = {("gmsd", 1): [gmsd("2021H1", "a", "0756")], ("gmsd", 2): []}
    tables = run(deliveries=deliveries, coverage={1: {"2021H1": ["0756"]}, 2: {"2021H1": ["1982"]}})
    assert tables("wmo_arrangements") == []
    assert history(tables) == [("2021H1", "0756", 1, 1, 2, 1), ("2021H1", "1982", 2, 0, None, 0)]


def test_rows_of_a_municipality_that_the_delivery_does_not_list_are_in_the_history_too(run: Run) -> None:
    tables = run(gmsd=[gmsd("2021H1", "a")], coverage={"2021H1": ["0599"]})
    told = {(r["gemeentecode"], r["status"], r["rows_delivered"]) for r in tables("gmsd_history")}
    assert told == {("0363", None, 1), ("0599", "definitief", 0)}


# Municipalities ------------------------------------------------------------------------------------------------


def notices(origin: str | None, settlement: str | None) -> list[dict[str, Any]]:
    same = {"skn": "p", "bsn": "p", "gemeentecode_brp": origin}
    end = {**same, "soort_melding": "EINDE_DETENTIE", "gemeentecode_vestiging": settlement}
    return [{**same, "datum_gebeurtenis": "2019-02-01"}, {**end, "datum_gebeurtenis": "2019-06-01"}]


@pytest.mark.parametrize(
    ("code", "now"),
    [
        ("0756", "1982"),  # Boxmeer: merged on 1 January 2022
        ("0788", "0824"),  # Haaren: split on 1 January 2021, to its main successor Oisterwijk
        ("0501", "1992"),  # Brielle: merged on the first day of the classification year
        ("0457", "0363"),  # Weesp: left on 24 March 2022, in the middle of a half-year
        ("0363", "0363"),
        ("1999", "1999"),
        ("0000", "0000"),
    ],
)
def test_a_code_of_another_year_is_recoded_to_the_classification(run: Run, code: str, now: str) -> None:
    (row,) = run(ifzo=[line("2020-02-01", "2021-12-01")], injus=notices(code, None))("title_end_events")
    assert (row["gemeente_origin"], row["gemeente"], row["gemeente_basis"]) == (now, now, "ORIGIN")


def test_a_merger_after_the_classification_year_waits(run: Run) -> None:
    """Under the classification of 2021 Boxmeer is still there."""
    plan = Plan(classification_year=2021)
    (row,) = run(ifzo=[line("2020-02-01", "2021-12-01")], injus=notices("0756", None), plan=plan)("title_end_events")
    assert row["gemeente"] == "0756"


def test_shelter_booked_by_the_centrumgemeente_is_not_where_the_person_belongs(run: Run) -> None:
    """Somebody settles in Diemen, Amsterdam delivers: a title end of Diemen, an arrangement of Amsterdam."""
    wmo = {"bsn": "p", "verslagperiode": "2022H1", "gemeentecode": "0363", "productcategorie": "15",
           "ingangsdatum": "2022-01-10", "datum_start": "2022-01-10"}  # fmt: skip
    tables = run(
        ifzo=[line("2020-02-01", "2021-12-01")],
        injus=notices("0384", "0384"),
        gmsd=[wmo],
        coverage=everywhere("0363", "0384"),
    )
    (row,) = tables("title_end_events")
    told = ("gemeente", "gemeente_basis", "gemeente_delivery", "outcome_opvang", "supra_regional")
    assert [row[name] for name in told] == ["0384", "SETTLEMENT", "0363", "START_0_30", False]
    counted = {
        (r["niveau"], r["code"]): r["aantal"]
        for r in tables("target_group")
        if (r["halfjaar"], r["maat"]) == ("2022H1", "wmo_opvang_180")
    }
    assert (counted["gemeente", "0384"], counted["gemeente", "0363"], counted["land", "NL"]) == (1, 0, 1)


@pytest.mark.parametrize("code", ["0000", "1999"])
def test_unknown_and_rni_are_rows_of_their_own_and_count_for_the_country(run: Run, code: str) -> None:
    tables = run(ifzo=[line("2020-02-01", "2021-12-01")], injus=notices(code, None))
    (row,) = tables("title_end_events")
    assert (row["gemeente"], row["outcome"]) == (code, "NO_MUNICIPALITY")
    counted = {
        (r["niveau"], r["code"]): r["aantal"]
        for r in tables("target_group")
        if (r["halfjaar"], r["maat"]) == ("2022H1", "titel_eindes")
    }
    assert counted["gemeente", code] == counted["land", "NL"] == 1
    assert sum(n for (level, _), n in counted.items() if level == "provincie") == 0


# The table of rules --------------------------------------------------------------------------------------------


PAGE = (ROOT / "docs" / "linkage.md").read_text(encoding="utf-8")
RULES = [
    [cell.strip() for cell in text.strip("|").split("|")]
    for text in PAGE.splitlines()
    if text.startswith("| ") and text.count("|") == 5 and not text.startswith(("| rule", "| ---"))
]
TEST_NAMES = {
    f"{path.stem}.{name}"
    for path in Path(__file__).parent.glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_rule_names_a_statement_and_a_test_that_exist() -> None:
    assert len(RULES) > 40
    for rule, source, statements, tests in RULES:
        assert rule and source, rule
        assert named(statements) and named(tests), rule
        for name in named(statements):
            assert name in queries.names() or (ROOT / name).is_file(), name
        for name in named(tests):
            assert name in TEST_NAMES, name


def test_every_statement_belongs_to_a_rule() -> None:
    told = {name for _, _, statements, _ in RULES for name in named(statements)}
    assert set(queries.names()) - told == set()
