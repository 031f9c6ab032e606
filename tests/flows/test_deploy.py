"""What is shipped for production: settings that load, units that systemd accepts and judges well closed."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flows.cli import app
from flows.settings import load

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("koppel*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
MOST_EXPOSED = 20  # systemd's own scale: 0 (closed) to 100


def options(unit: Path) -> list[tuple[str, str]]:
    """Every option of a unit, repeated ones too."""
    lines = [line for line in unit.read_text(encoding="utf-8").splitlines() if "=" in line and line[0] not in "#["]
    return [(line.partition("=")[0], line.partition("=")[2]) for line in lines]


def test_the_production_settings_load_and_keep_to_one_machine() -> None:
    found = load(DEPLOY / "koppel.toml")
    assert found.truth is None
    assert found.prefect_database.endswith("@/prefect?host=/run/postgresql")
    assert found.alert_command
    assert str(found.keys) != str(found.home)


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units with a program that exists, as verify asks."""
    target = []
    for unit in UNITS:
        text = re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
        target.append(tmp_path / unit.name)
    return target


@systemd
def test_systemd_finds_no_fault_in_the_units(installed: list[Path]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *installed],
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "koppel" in line]
    assert (done.returncode, about_ours) == (0, []), done.stderr


@systemd
def test_systemd_would_tell_of_a_fault(installed: list[Path]) -> None:
    unit = next(path for path in installed if path.name == "koppel.service")
    unit.write_text(unit.read_text().replace("Type=notify", "Type=whatever\nNonsense=yes"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "koppel.service" in done.stderr and "Nonsense" in done.stderr


@systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_calls_the_services_well_closed(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot judge a unit offline")
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_services_run_commands_that_exist_as_an_account_without_rights(unit: Path) -> None:
    found = dict(options(unit))
    program, verb, *arguments = found["ExecStart"].split()
    assert program == "/opt/koppel/.venv/bin/koppel"
    assert verb in set(app)
    command = app[verb]
    known = {name for argument in command.assemble_argument_collection() for name in argument.names}
    assert {one for one in arguments if one.startswith("--")} <= known
    assert (found["User"], found["NoNewPrivileges"], found["CapabilityBoundingSet"]) == ("koppel", "yes", "")
    assert found["LimitCORE"] == "0"  # a core file would hold what memory held


def test_the_server_may_speak_to_its_own_machine_only() -> None:
    found = dict(options(DEPLOY / "systemd" / "koppel.service"))
    assert (found["IPAddressDeny"], found["IPAddressAllow"]) == ("any", "localhost")
    assert found["LoadCredential"].startswith("prefect-auth:")
    assert "PASSWORD" not in str(found).upper()


def test_units_are_files_systemd_can_parse() -> None:
    for unit in UNITS:
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(unit.read_text(encoding="utf-8"))
        assert "Unit" in parser.sections()
