"""`koppel deliver` tells how far it is: rows and time, in counts alone; quiet and JSON keep their word."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from flows import report, rooms
from flows.report import Mode, Reporter
from pseudonymize.ceremony import create_demo_keys
from schemas.errors import ConfigError, DeliveryError
from tests.bench.delivery import AGREEMENT, extract
from tests.flows.test_cli import koppel


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("supplier")
    create_demo_keys(made / "keys", ["cbs-gemeenten"], [], "koppelpunt-demo", "epoch-1", pre_epoch="run-1")
    extract(made / "gmsd.csv", 1_000_000, persons=500)
    return made


def deliver(home: Path, out: str, *options: str) -> subprocess.CompletedProcess[str]:
    keys = home / "keys"
    about = ("--agreement", str(AGREEMENT), "--keys", str(keys / "suppliers/cbs-gemeenten"))
    rest = ("--public", str(keys / "public"), "--sequence", "1", "--out", str(home / out), *options)
    return koppel("deliver", str(home / "gmsd.csv"), *about, *rest)


def test_a_person_sees_a_line_with_rows_and_seconds_and_then_the_report(home: Path) -> None:
    done = deliver(home, "text")
    assert done.returncode == 0, done.stderr
    assert "deliver 1" in done.stderr and "rows" in done.stderr and done.stderr.rstrip().endswith("s")
    assert done.stdout.startswith("Register gmsd: 50000 rijen gelezen.")


def test_json_has_progress_on_one_channel_and_one_answer_on_the_other(home: Path) -> None:
    done = deliver(home, "json", "--json")
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert told[0]["progress"] == "deliver 1" and told[0]["step"] == "lezen" and told[0]["rows"] > 0
    assert (told[-1]["step"], told[-1]["rows"]) == ("deliver 1", 50_000)
    answer = json.loads(done.stdout)
    assert answer["rows"]["in"] == 50_000
    assert answer["hmac"]["kernel"] in {"on", "waiting", "off"}
    assert "text" not in answer


def test_quiet_says_nothing_but_the_report(home: Path) -> None:
    done = deliver(home, "quiet", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "50000 rijen" in done.stdout


def test_an_error_comes_through_with_its_code(home: Path) -> None:
    calls: list[tuple[str, int, int | None]] = []
    with pytest.raises(ConfigError, match="bad_call"):
        rooms.watched(lambda *far: calls.append(far), "deliver")
    with pytest.raises(DeliveryError, match="unreadable_file"):
        keys = home / "keys"
        rooms.watched(
            lambda *far: calls.append(far),
            *("deliver", "--source", home / "none.csv", "--agreement", AGREEMENT, "--sequence", 1, "--progress"),
            *("--keys", keys / "suppliers/cbs-gemeenten", "--public", keys / "public", "--out", home / "none"),
        )
    assert calls == []


@pytest.mark.parametrize(("mode", "lines"), [(Mode.TEXT, 1), (Mode.JSON, 1), (Mode.QUIET, 0)])
def test_lines_of_progress_come_now_and_then(mode: Mode, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(mode)
    for done in range(100, 2_000, 100):
        reporter.rows("deliver 3", "lezen", done, 2_000)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    assert all("100" in line and "deliver 3" in line for line in told)


def test_on_a_terminal_the_line_under_way_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    reporter = report.Reporter()
    reporter.console = report.Console(stderr=True, force_terminal=True, width=110)
    with reporter.doing("deliver 3"):
        reporter.rows("deliver 3", "verzegelen", 5, None)
        assert reporter._display is not None
        assert reporter._display.tasks[0].description == "deliver 3: verzegelen 5 rows"
