"""Every statement says its grain, why and source, is used, and names nothing that a plan does not give."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from linkage import database, indicators, link, parts, queries, trajectories
from linkage.plan import Plan
from schemas.linked import LINKED_TABLES
from schemas.target_group import RUN_TABLES

NAMES = queries.names()
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in Path(link.__file__).parent.glob("*.py"))
PARTS = {
    "first_key",
    "last_key",
    "first_number",
    "first_node",
    "last_node",
    "first_sequence",
    "last_sequence",
    "first_row",
    "last_row",
    "unlinked",
}
GIVEN = {*Plan().parameters(), *parts.WHOLE, *PARTS, "first_free", "register", "label", "sequence"}


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_says_grain_why_and_source(name: str) -> None:
    head = queries.text(name).splitlines()[:3]
    assert re.match(r"-- grain in: .+\. grain out: .+", head[0])
    assert head[1].startswith("-- why: ")
    assert head[2].startswith("-- source: ")


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_used_and_asks_only_for_what_there_is(name: str) -> None:
    register = name.removeprefix("stage_") if name.startswith("stage_") else None
    assert f'"{name}"' in SOURCE or register
    assert set(queries.parameters(name)) <= GIVEN


def test_every_window_of_the_plan_is_used_by_a_statement_or_by_the_stage() -> None:
    asked = {parameter for name in NAMES for parameter in queries.parameters(name)}
    by_python = {"version", "coverage_from", "classification_year"}
    assert set(Plan().parameters()) - asked == by_python


@pytest.mark.parametrize("done", link.DONE_AFTER)
def test_a_table_goes_when_nothing_reads_it_any_more(done: str) -> None:
    """Not before the last statement that names it, and never one that is written."""
    order = [*link.COUNTS, *indicators.STATEMENTS, *link.RECOUNTS, *link.ACCOUNTS]
    for table in link.DONE_AFTER[done]:
        readers = [name for name in order if re.search(rf"\b(from|join) {table}\b", queries.text(name))]
        assert max(map(order.index, readers), default=-1) <= order.index(done)
        assert table not in {*LINKED_TABLES, *RUN_TABLES}


def test_what_is_not_kept_is_read_within_its_range_and_by_nobody_else() -> None:
    """What lies between rows and events is gone when its range is done."""
    steps = (*trajectories.TRAJECTORIES, *trajectories.EVENTS)
    for name in steps:
        readers = [one for one in NAMES if re.search(rf"\b(from|join) {queries.made(name)}\b", queries.text(one))]
        assert link._read_later(queries.made(name)) or set(readers) <= set(steps), name


def test_every_declared_table_is_made() -> None:
    made = set(re.findall(r"create table (\w+)", "\n".join(queries.text(name) for name in NAMES)))
    by_python = {"funnel", "reconciliation", "fallback_model", "fallback_curve"}
    assert {*LINKED_TABLES, *RUN_TABLES} <= made | by_python


def test_the_database_can_read_its_folders_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").write_text("x\n1\n")
    with database.connect(work=tmp_path / "w", folders=[tmp_path / "in"], memory_limit="200MB", threads=1) as con:
        assert con.execute(f"from read_csv('{tmp_path}/in/a.csv')").fetchall() == [(1,)]
        for forbidden in (
            f"from read_csv('{tmp_path}/b.csv')",
            f"copy (select 1) to '{tmp_path}/out.csv'",
            "install httpfs",
            "set enable_external_access = true",
            "set memory_limit = '8GB'",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(forbidden)


@pytest.mark.parametrize("change", [{"before_days": 0}, {"window_1_days": 200}, {"headline_days": 20}])
def test_a_plan_whose_windows_do_not_grow_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="windows"):
        Plan(**change)  # type: ignore[arg-type]


def test_the_plan_says_itself_in_words() -> None:
    text = " ".join(Plan().in_words())
    for number in ("30 dagen", "24 maanden", "180 dagen", "3 dagen", "183 dagen", "2023", "0.95"):
        assert number in text


def test_every_statement_binds_and_runs_on_nothing(tmp_path: Path) -> None:
    """No delivery at all: a renamed column or a missing table would stop it; every table is there, empty or zero."""
    (tmp_path / "out").mkdir()
    found = link.link([], tmp_path / "out", plan=Plan(), work=tmp_path / "work", memory_limit="512MB", threads=1)
    assert set(found.rows) == {*LINKED_TABLES, *RUN_TABLES}
    assert (found.persons, found.rows_in, found.rows["title_end_events"]) == (0, 0, 0)
    assert found.rows["coverage"] == 342 * 10
