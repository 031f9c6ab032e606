"""`koppel status`: what an operator sees before, during and after a run, and the one thing to do next."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from flows import statuspage, steps
from flows.settings import load
from flows.status import NOTHING, RUN, Status, status
from flows.verbs.status import DUE, screen
from schemas.registers import REGISTERS
from tests.flows.conftest import Site

TODAY = dt.date(2026, 11, 24)


def shown(found: Status) -> str:
    text = io.StringIO()
    Console(width=200, file=text).print(screen(found))
    return text.getvalue()


def line(found: Status, register: str) -> dict[str, object]:
    return next(one for one in found.as_dict()["registers"] if one["register"] == register)


def test_after_a_run_nothing_is_due(finished: Site) -> None:
    done = finished.koppel("status", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (answer["next"], answer["due"]) == (NOTHING, False)
    assert [one["register"] for one in answer["registers"]] == list(REGISTERS)
    for one in answer["registers"]:
        numbers = {one[step] for step in ("received", "checked", "converted", "linked", "estimated", "released")}
        assert numbers == {2 if one["register"] == "gmsd" else 1}, one
        assert one["rows"] > 0


def test_before_a_run_the_next_step_is_the_run(delivered: Site) -> None:
    done = delivered.koppel("status")
    assert done.returncode == DUE
    assert f"next: {RUN}" in done.stdout
    found = status(load(delivered.config), TODAY)
    assert (line(found, "ifzo")["received"], line(found, "ifzo")["converted"]) == (1, 0)
    assert (line(found, "reclassering")["received"], line(found, "reclassering")["at_gateway"]) == (0, 1)
    assert "(+1 raw)" in shown(found)


def test_rows_are_compared_with_the_delivery_before(finished: Site) -> None:
    found = line(status(load(finished.config), TODAY), "gmsd")
    stored = sorted((load(finished.config).store / "gmsd").glob("*/manifest.json"))
    first, second = (json.loads(path.read_text(encoding="utf-8"))["rows"]["accepted"] for path in stored)
    assert found["change"] == round(second / first - 1, 3)
    assert found["rows"] == first + second


def test_rows_are_compared_with_the_period_before_where_there_is_one(finished: Site, tmp_path: Path) -> None:
    """A half-year later: other deliveries under the same settings, and what was remembered of the last."""
    site = finished.copy(tmp_path / "demo")
    first = load(site.config)
    assert json.loads((first.state / "history" / f"{first.period}.json").read_text())["gmsd"]["deliveries"] == 2
    later = first.model_copy(update={"period": "2019H1-2024H1"})
    path = later.store / "ifzo" / "0001" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    before = manifest["rows"]["accepted"]
    manifest["rows"]["accepted"] = before * 2
    path.write_text(json.dumps(manifest), encoding="utf-8")
    found = line(status(later, TODAY), "ifzo")
    assert (found["last"], found["change"]) == (before, 1.0)
    assert "+100.0%" in shown(status(later, TODAY))
    earlier = first.model_copy(update={"period": "2018H1-2018H2"})  # nothing before it: delivery against delivery
    assert line(status(earlier, TODAY), "ifzo")["last"] is None


def test_what_was_expected_and_did_not_come_is_asked_for(finished: Site) -> None:
    settings = load(finished.config).model_copy(update={"expected": {"ifzo": 2}})
    found = line(status(settings, TODAY), "ifzo")
    assert (found["expected"], found["received"]) == (2, 1)
    assert found["action"] == f"ask {found['supplier']} for delivery 2 of ifzo"


def test_estimates_of_other_tables_do_not_count(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    journal = load(site.config).state / "steps" / "link.json"
    content = json.loads(journal.read_text(encoding="utf-8"))
    content["outputs"]["counts.parquet"] = "0" * 64
    journal.write_text(json.dumps(content), encoding="utf-8")
    found = line(status(load(site.config), TODAY), "ifzo")
    assert (found["linked"], found["estimated"], found["action"]) == (1, 0, RUN)


def test_page_screen_and_prefect_show_the_same(finished: Site, tmp_path: Path) -> None:
    found = status(load(finished.config), TODAY)
    done = finished.koppel("status", "--page", str(tmp_path / "status.html"))
    page = (tmp_path / "status.html").read_text(encoding="utf-8")
    cells = re.findall(r"<td>(.*?)</td>", page)
    rows = statuspage.rows(found)
    assert cells == [cell for row in rows for cell in row.values()]
    for row in rows:
        line_of = next(text.split() for text in shown(found).splitlines() if text.split()[:1] == [row["register"]])
        assert line_of == [word for cell in row.values() for word in cell.split()]
    assert "<script" not in page and "http" not in page
    assert "next: nothing is due" in page and "next: nothing is due" in done.stdout


def test_linked_before_released(finished: Site, tmp_path: Path) -> None:
    """A release that was taken away is missed; the linked tables are still there."""
    site = finished.copy(tmp_path / "demo")
    shutil.rmtree(load(site.config).out)
    found = status(load(site.config), TODAY)
    assert (line(found, "injus")["linked"], line(found, "injus")["released"]) == (1, 0)
    assert found.action == RUN


def test_a_delivery_that_came_after_the_run_is_due(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    inbox = load(site.config).inbox / "ifzo"
    shutil.copytree(inbox / "0001", inbox / "0002")
    found = status(load(site.config), TODAY)
    assert (line(found, "ifzo")["received"], line(found, "ifzo")["converted"]) == (2, 1)
    assert line(found, "ifzo")["action"] == RUN


def test_a_register_that_never_delivered_names_its_supplier(delivered: Site, tmp_path: Path) -> None:
    site = delivered.copy(tmp_path / "demo")
    shutil.rmtree(load(site.config).inbox / "gmsd")
    found = line(status(load(site.config), TODAY), "gmsd")
    assert found["action"] == f"ask {found['supplier']} for delivery 1 of gmsd"


def test_agreements_that_ended_or_are_missing_come_first(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    assert "renew GLO-" in status(settings, dt.date(2100, 1, 1)).action
    (settings.agreements / "injus.yaml").unlink()
    assert status(settings, TODAY).action == "put an agreement about injus in the agreements folder"


def test_an_agreement_that_ends_soon_is_told_in_time(finished: Site) -> None:
    settings = load(finished.config)
    agreement, _ = steps.agreement_of(settings, "injus")
    last = min(agreement.valid.until, agreement.dpia.valid_until)
    found = status(settings, last - dt.timedelta(days=7))
    assert any(agreement.agreement in note for note in found.notes)
    assert "soon:" in shown(found)
    assert status(settings, last - dt.timedelta(days=90)).notes == ()


def test_status_changes_nothing(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    before = {path: path.stat().st_mtime_ns for path in site.ttp.rglob("*")}
    status(load(site.config), TODAY)
    assert {path: path.stat().st_mtime_ns for path in site.ttp.rglob("*")} == before


def test_the_first_action_that_is_due_is_the_next_one() -> None:
    empty = Status("2019H1-2023H2", "demo-1", (), ())
    assert (empty.action, empty.due) == (NOTHING, False)
    assert replace(empty, notes=("x",)).due is False
