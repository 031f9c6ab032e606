"""Errors without data, an event log with an allow-list, steps that resume, settings that are strict."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from flows import demo, resume, settings
from flows.report import Mode, Reporter
from flows.resume import Facts
from flows.safe import guarded
from schemas.errors import ConfigError, DeliveryError, Internal, KoppelError, UnsafeFact

BSN = "999990019"  # RvIG test range


# The guard -----------------------------------------------------------------------------------------------------


@guarded
def duckdb_quotes_the_cell() -> None:
    duckdb.sql(f"select 'bsn {BSN}'::int").fetchall()


@guarded
def arrow_quotes_the_cell() -> None:
    pa.array([f"x{BSN}"]).cast(pa.int32())


@guarded
def python_quotes_the_key() -> None:
    raise KeyError(BSN)


@guarded
def a_chain_of_errors() -> None:
    try:
        int(f"x{BSN}")
    except ValueError as error:
        raise RuntimeError(f"row with {BSN}") from error


@pytest.mark.parametrize(
    "step", [duckdb_quotes_the_cell, arrow_quotes_the_cell, python_quotes_the_key, a_chain_of_errors]
)
def test_whatever_a_step_raises_leaves_it_without_data(step: object) -> None:
    with pytest.raises(Internal) as caught:
        step()  # type: ignore[operator]
    text = "".join(traceback.format_exception(caught.value))
    assert BSN not in text + repr(caught.value) + str(caught.value.facts)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert set(caught.value.facts) == {"step", "kind", "incident"}


def test_our_own_errors_pass_with_their_exit_code() -> None:
    @guarded
    def step() -> None:
        raise DeliveryError("replay", register="injus", sequence=3)

    with pytest.raises(DeliveryError) as caught:
        step()
    assert caught.value.facts == {"register": "injus", "sequence": 3}


# Progress ------------------------------------------------------------------------------------------------------


def test_progress_is_text_or_json_or_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for mode in Mode:
        reporter = Reporter(mode)
        reporter.title("Kop")
        with reporter.doing("link") as counts:
            counts["rows"] = 1234
    shown = capsys.readouterr().err
    assert "Kop" in shown and "1,234 rows" in shown
    assert json.loads(shown.splitlines()[-1])["rows"] == 1234
    assert shown.count("link") == 2  # text and json; quiet says nothing


def test_progress_refuses_data() -> None:
    with pytest.raises(UnsafeFact):
        Reporter(Mode.QUIET).done("x", 0.0, {"rows": BSN})


# Resumable steps -----------------------------------------------------------------------------------------------


class Work:
    """A step that counts how often it really ran."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, 0

    def run(self, **inputs: str) -> resume.Done:
        return resume.step(
            "s", journal=self.folder / "steps", inputs=inputs, rooms=("schemas",), out=self.folder / "out", work=self.do
        )

    def do(self, out: Path) -> Facts:
        self.runs += 1
        (out / "a.txt").write_text(f"made {self.runs}", encoding="utf-8")
        return {"rows": 7}


def test_an_unchanged_step_is_not_redone(tmp_path: Path) -> None:
    work = Work(tmp_path)
    first, second = work.run(a="1"), work.run(a="1")
    assert (first.skipped, second.skipped, work.runs) == (False, True, 1)
    assert second.facts == {"rows": 7}


def test_another_input_redoes_it(tmp_path: Path) -> None:
    work = Work(tmp_path)
    assert work.run(a="1").fingerprint != work.run(a="2").fingerprint
    assert work.runs == 2


@pytest.mark.parametrize("damage", ["edit", "delete", "extra"])
def test_a_changed_output_is_made_again(tmp_path: Path, damage: str) -> None:
    work = Work(tmp_path)
    work.run(a="1")
    target = tmp_path / "out" / ("b.txt" if damage == "extra" else "a.txt")
    target.unlink() if damage == "delete" else target.write_text("x", encoding="utf-8")
    assert not work.run(a="1").skipped
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_a_step_that_fails_leaves_no_output_and_no_journal(tmp_path: Path) -> None:
    def fail(out: Path) -> Facts:
        (out / "half.txt").write_text("half", encoding="utf-8")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        resume.step("s", journal=tmp_path / "j", inputs={}, rooms=("schemas",), out=tmp_path / "out", work=fail)
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "j").glob("*.json"))


# Settings ------------------------------------------------------------------------------------------------------

GOOD = 'home = "ttp"\nagreements = "a"\nkeys = "k"\ninbox = "i"\ngateway = "g"\n'


def test_settings_come_from_one_file_and_paths_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "koppel.toml"
    file.write_text(GOOD, encoding="utf-8")
    monkeypatch.setenv("THREADS", "9")
    monkeypatch.setenv(settings.ENV, str(file))
    found = settings.load()
    assert found.home == tmp_path / "ttp"
    assert found.threads == 2
    assert found.run == tmp_path / "ttp" / "runs" / "2019H1-2023H2"


@pytest.mark.parametrize("extra", ["surprise = 1", 'period = "2022"', 'memory_limit = "much"', "threads = 0", "= ["])
def test_a_wrong_setting_is_an_error_that_does_not_repeat_it(tmp_path: Path, extra: str) -> None:
    file = tmp_path / "koppel.toml"
    file.write_text(GOOD + extra + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        settings.load(file)
    assert caught.value.code == "bad_settings"
    assert "much" not in str(caught.value)


@pytest.mark.parametrize(("scale", "limit"), [(0.01, "1GB"), (4, "1GB"), (4.1, "2GB"), (16, "4GB")])
def test_a_larger_demo_may_use_more_memory(tmp_path: Path, scale: float, limit: str) -> None:
    (tmp_path / "koppel.toml").write_text(demo._toml(4299, scale), encoding="utf-8")
    assert settings.load(tmp_path / "koppel.toml").memory_limit == limit


def test_no_settings_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="koppel demo"):
        settings.load(tmp_path / "none.toml")


def test_every_error_code_used_in_the_source_has_advice() -> None:
    import re

    from schemas.errors import ADVICE

    root = Path(resume.PROJECT)
    rooms = ("flows", "linkage", "pseudonymize", "release", "schemas", "synthetic")
    kinds = "|".join(kind.__name__ for kind in KoppelError.__subclasses__())
    used: set[str] = set()
    for room in rooms:
        for file in (root / room).rglob("*.py"):
            used |= set(re.findall(rf'(?:{kinds})\(\s*"([a-z_]+)"', file.read_text(encoding="utf-8")))
    assert len(used) > 15
    assert used - set(ADVICE) == set()
