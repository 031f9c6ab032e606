"""The `koppel` command: help for every verb, JSON for every answer, one line and an exit code for every error."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cyclopts import App

from flows.cli import app, reference

ROOT = Path(__file__).parents[2]
KOPPEL = str(Path(sys.executable).parent / "koppel")


def koppel(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([KOPPEL, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def crosswalk(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_text("skn;bsn\nS1;12\n;\nS2;999990019\n", encoding="utf-8")
    return path


def test_the_reference_page_is_current() -> None:
    """Stale? Run `koppel codebook --write docs`."""
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference()


def verbs(group: App, path: tuple[str, ...] = ()) -> list[str]:
    """Every command there is, so that none can be forgotten."""
    found = []
    for name in group:
        if not name.startswith("-"):
            one = group[name]
            inner = verbs(one, (*path, name))
            found += inner or [" ".join((*path, name))]
    return found


def test_the_list_of_verbs_is_complete() -> None:
    assert {"demo", "run", "status", "check", "deliver", "synthetic make"} <= set(verbs(app))


def test_it_says_which_version_it_is() -> None:
    """What a supplier is asked for first when something goes wrong; supplier.md says to try it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    done = koppel("--version")
    assert (done.returncode, done.stdout.strip()) == (0, declared)


@pytest.mark.parametrize("verb", verbs(app))
def test_every_verb_explains_each_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app([*verb.split(), "--help"])
    assert caught.value.code == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "--" in line and "│" in line]
    assert lines
    for line in lines:
        assert len(line.strip("│ ").split("  ")[-1].strip()) > 3, line


def test_check_counts_and_tells_what_to_do(crosswalk: Path) -> None:
    done = koppel("check", str(crosswalk), "--register", "crosswalk", "--synthetic")
    assert done.returncode == 0
    assert "BSN_LENGTE" in done.stdout
    assert "999990019" not in done.stdout + done.stderr


def test_check_in_json(crosswalk: Path) -> None:
    answer = json.loads(koppel("check", str(crosswalk), "--register", "crosswalk", "--synthetic", "--json").stdout)
    assert answer["rows"] == {"in": 3, "accepted": 2, "quarantined": 1, "out_of_scope": 0}
    assert answer["reasons"] == {"GEEN_NUMMER": 1}


def test_checking_needs_no_prefect_and_no_database(crosswalk: Path) -> None:
    code = (
        "import sys\nfrom flows.cli import app\n"
        f"app(['check', {str(crosswalk)!r}, '--register', 'crosswalk', '--json'], result_action='return_value')\n"
        "assert not {'prefect', 'duckdb'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("check", "none.csv", "--register", "gmsd"), 11, "unreadable_file"),
        (("check", "none.csv", "--register", "kadaster"), 10, "unknown_register"),
        (("run", "--config", "none.toml"), 10, "no_settings"),
    ],
)
def test_an_error_is_one_line_with_advice(arguments: tuple[str, ...], exit_code: int, code: str) -> None:
    done = koppel(*arguments)
    assert done.returncode == exit_code
    assert done.stderr.startswith(f"koppel: {code}")
    assert done.stderr.count("\n") == 1


def test_the_demo_does_not_touch_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    done = koppel("demo", "--out", str(tmp_path))
    assert done.returncode == 10
    assert "output_exists" in done.stderr
    assert (tmp_path / "mine.txt").exists()


def test_codebook_lists_the_registers() -> None:
    assert "gmsd" in koppel("codebook").stdout


def test_a_wrong_call_ends_with_another_code_than_success() -> None:
    assert koppel("frobnicate").returncode != 0
