"""docs/keys.md is a runbook: its commands are run here as they stand, in order, each from the code it names.

`koppel` runs in this process and its rooms' processes too (two seconds a command otherwise); one test at the end
runs the real command.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cyclopts import App

from flows import rooms
from flows.cli import app
from flows.settings import ENV
from flows.verbs import keys as verbs
from pseudonymize import auditpaths, cli, store
from pseudonymize.ceremony import create_demo_keys
from schemas.errors import KeyUnavailable
from tests import softhsm
from tests.pseudonymize.conftest import AGREEMENTS, INJUS_HEAD, injus_row, synthetic_numbers

PAGE = Path(__file__).parents[1] / "docs" / "keys.md"
KOPPEL = str(Path(sys.executable).parent / "koppel")
LAST_DAY = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat()


def commands(kind: str) -> list[str]:
    """Lines of the page's blocks of one kind."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


class Runner:
    """Runs lines in a folder, fills in what people would, and remembers every answer."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.capsys = home, capsys
        self.words = {"LASTDAY": LAST_DAY}
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def run(self, line: str) -> dict[str, Any]:
        for word, value in self.words.items():
            line = re.sub(rf"\b{word}\b", value, line)
        program, *arguments = shlex.split(line)
        if program != "koppel":
            program = sys.executable if program == "python" else program
            done = subprocess.run([program, *arguments], cwd=self.home, capture_output=True, check=True, text=True)
            return dict(json.loads(done.stdout)) if program == sys.executable else {}
        with pytest.raises(SystemExit) as end:
            app([*arguments, "--json"])
        assert end.value.code in {0, None}, line
        answer = dict(json.loads(self.capsys.readouterr().out.strip().splitlines()[-1]))
        self.note(line, answer)
        return answer

    def note(self, line: str, answer: dict[str, Any]) -> None:
        """Keep an answer, and what people would copy from it into the next line."""
        self.answers.append((line, answer))
        names = {"roster": "FINGERPRINT", "set": "SET", "certificate": "CERTIFICATE"}
        self.words |= {names[name]: str(value) for name, value in answer.items() if name in names}

    def said(self, start: str) -> list[dict[str, Any]]:
        return [answer for line, answer in self.answers if line.startswith(start)]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    def room(*arguments: object) -> dict[str, Any]:
        code, answer = cli.run([str(one) for one in arguments])
        if code:
            raise rooms._BRANCH[code](answer["code"], **answer["facts"])
        return answer

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rooms, "pseudonymize", room)
    (tmp_path / "custodians.txt").write_text("anna\nbram\ncleo\ndirk\nella\n")
    shutil.copytree(AGREEMENTS, tmp_path / "agreements")
    numbers = synthetic_numbers()
    rows = [injus_row(i, bsn=next(numbers), skn=f"S{i}") for i in range(20)]
    (tmp_path / "injus.csv").write_text("\n".join([INJUS_HEAD, *rows]) + "\n")
    return Runner(tmp_path, capsys)


QUIET = {"list", "certificate", "ceremony roster", "ceremony verify"}  # they read public files and open no key


def key_verbs(app: App = verbs.app, before: str = "") -> set[str]:
    """Every verb of `koppel keys`, from the program itself."""
    found: set[str] = set()
    for name in [name for name in app if not name.startswith("-")]:
        group = key_verbs(app[name], f"{before}{name} ")
        found |= group or {f"{before}{name}"}
    return found


@pytest.fixture
def log(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All parties of the page write to the log of one TTP: its settings are at hand for every line."""
    home = runner.home / "ttp"
    create_demo_keys(home / "keys", [], ["onderzoek"], "demo", "epoch-1")
    places = {name: name for name in ("home", "agreements", "keys", "inbox", "gateway")}
    (home / "koppel.toml").write_text("".join(f'{name} = "{place}"\n' for name, place in places.items()))
    monkeypatch.setenv(ENV, str(home / "koppel.toml"))
    return home / "home" / "state" / "audit.jsonl"


def test_the_runbook_runs_from_the_first_store_to_the_last_certificate(runner: Runner, log: Path) -> None:
    home = runner.home
    for line in commands("bash"):
        if "table.parquet" in line:
            pq.write_table(pq.read_table(home / "old.parquet", columns=["row_id", "skn"]), home / "table.parquet")
        runner.run(line)
    tags = {answer["check"] for answer in runner.said("koppel keys ceremony combine")}
    (verified,) = runner.said("koppel keys ceremony verify")
    assert tags == {verified["check"]}
    (delivered,) = runner.said("koppel deliver")
    assert delivered["rows"]["accepted"] == 20
    drill, made = runner.said("koppel keys restore")[0], runner.said("koppel keys create converter --kind link")[0]
    assert drill["check"] == made["check"]
    (moved,) = runner.said("koppel keys bridge use")
    assert (moved["rows"], moved["unmatched"]) == (moved["converted"], 0)
    assert moved["rows"] >= 20  # and the canaries
    destroyed = runner.said("koppel keys destroy converter")[0]
    assert [one["custodians"] for one in destroyed["outstanding"]] == [["anna", "bram", "cleo", "dirk", "ella"]]
    assert runner.said("koppel keys certificate")[0]["id"] == destroyed["id"]
    assert [answer["closed"] for answer in runner.said("koppel keys returned")] == [True, True]
    assert {answer["check"] for answer in runner.said("koppel keys destroy")[1:]} == tags
    assert not [*(home / "brought").iterdir()]
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        runner.run("koppel deliver injus.csv --agreement agreements/injus.yaml --keys justid --public public "
                   "--sequence 2 --out second")  # fmt: skip
    runner.run("koppel keys init all --project demo --epoch epoch-1 --suppliers justid")
    require_every_verb_in_the_log(runner, log)


def require_every_verb_in_the_log(runner: Runner, log: Path) -> None:
    """A verb of `koppel keys` that was run and left no event before and after, or that the page leaves out, fails."""
    lines = [(line, answer) for line, answer in runner.answers if line.startswith("koppel keys ")]
    run = {verb for verb in key_verbs() for line, _ in lines if line.startswith(f"koppel keys {verb} ")}
    assert run == key_verbs() and run >= QUIET
    events = [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]
    spoken = [(line, answer) for line, answer in lines if not any(line.startswith(f"koppel keys {q} ") for q in QUIET)]
    assert len(events) == 1 + 2 * len(spoken)  # log_opened, and two for each
    for place, (line, answer) in enumerate(spoken):
        asked, done = events[2 * place + 1 : 2 * place + 3]
        assert (asked["event"], done["n"]) == ("key_asked", answer["audited"]), line
        first, second = line.split()[2:4]
        named = {"init": "keys", "ceremony": f"ceremony-{second}", "bridge": f"bridge-{second}"}
        assert asked["step"] == named.get(first, f"keys-{first}"), line
        assert done["event"] not in {"key_asked", "refused", "failed"}, line
    report, _ = auditpaths.verify(log, log.parents[2] / "keys" / "public")
    assert report.sound


ONE_PROCESS = """
import sys
from flows import rooms
from flows.cli import app
from pseudonymize import cli
def room(*arguments):
    code, answer = cli.run([str(one) for one in arguments])
    assert code == 0, answer
    return answer
rooms.pseudonymize = room
for line in sys.argv[1:]:
    try:
        app([*line.split()[1:], "--json"])
    except SystemExit as end:
        assert not end.code
"""


@pytest.mark.skipif(
    softhsm.module() is None and os.environ.get("KOPPEL_REQUIRE_HSM") != "1",
    reason="SoftHSM2 is not installed (Debian package softhsm2)",
)
def test_the_part_about_devices_runs(runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PKCS#11 module is configured once per process, so these lines have one of their own."""
    softhsm.configure(tmp_path / "softhsm")
    found = softhsm.token(tmp_path / "pin", "koppel")
    lines = [line.replace("MODULE", found.module) for line in commands("bash hsm")]
    done = subprocess.run([sys.executable, "-c", ONE_PROCESS, *lines], capture_output=True, text=True, check=False)
    monkeypatch.delenv("SOFTHSM2_CONF")
    assert done.returncode == 0, done.stderr
    for line, answer in zip(lines, done.stdout.splitlines(), strict=True):
        runner.note(line, json.loads(answer))
    rows = runner.said("koppel keys list")[0]["keys"]
    assert {row["kind"]: row["store"] for row in rows} == {"link": "hsm", "sign": "file"}
    assert runner.said("koppel keys destroy")[0]["wrapping_key"] == "device"


def test_the_page_shows_every_key_verb() -> None:
    page = "\n".join([*commands("bash"), *commands("bash hsm")])
    groups = {"": verbs.app, "ceremony ": verbs.ceremony, "bridge ": verbs.bridge.app}
    for start, group in groups.items():
        for name in group:
            if not name.startswith("-") and name not in {"ceremony", "bridge", "init"}:
                assert f"koppel keys {start}{name}" in page, name


@pytest.mark.parametrize("group", ["", "ceremony", "bridge"])
def test_every_verb_explains_each_option(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"": verbs.app, "ceremony": verbs.ceremony, "bridge": verbs.bridge.app}[group]
    for name in [name for name in one if not name.startswith("-") and name not in {"ceremony", "bridge"}]:
        with pytest.raises(SystemExit) as end:
            app(["keys", *group.split(), name, "--help"])
        assert end.value.code == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if "--" in line and "│" in line]
        assert lines
        for line in lines:
            assert len(line.strip("│ ").split("  ")[-1].strip()) > 3, line


def test_the_real_command_speaks_to_people_and_exits_with_its_branch(tmp_path: Path) -> None:
    def koppel(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([KOPPEL, "keys", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    store.create(tmp_path / "converter", kek="../kek")
    made = koppel("create", "converter", "--kind", "sign", "--owner", "converter")
    assert (made.returncode, made.stderr) == (0, "")
    assert "Made" in made.stdout
    listed = koppel("list", "converter")
    assert re.search(r"sign\s+converter\s+any\s+any\s+[0-9a-f]{16}", listed.stdout)
    wrong = koppel("list", "elsewhere")
    assert (wrong.returncode, wrong.stdout) == (12, "")
    assert wrong.stderr.startswith("koppel: store_missing")
