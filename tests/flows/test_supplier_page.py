"""docs/supplier.md, followed to the letter by somebody new: an empty folder and the command."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "supplier.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]


@dataclass(frozen=True)
class Walk:
    """What every command of the page printed, in order, and the folder it was run in."""

    folder: Path
    done: dict[str, subprocess.CompletedProcess[str]]


def run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """The command as typed; `koppel` is on the path after set-up."""
    program, *arguments = shlex.split(line)
    assert program == "koppel"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    command = [str(Path(sys.executable).parent / program), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("leverancier")
    return Walk(folder, {line: run(folder, line) for line in COMMANDS})


def test_every_command_of_the_page_works(walk: Walk) -> None:
    assert len(walk.done) >= 6
    assert {line: done.returncode for line, done in walk.done.items()} == dict.fromkeys(walk.done, 0)


def test_what_comes_out_is_what_the_page_says(walk: Walk) -> None:
    assert {path.name for path in (walk.folder / "levering-0001").iterdir()} == {
        *("manifest.json", "manifest.sig", "identity.age", "payload.age")
    }
    assert (walk.folder / "quarantaine-levering-0001.csv").read_text().startswith("rij;reden;kolom;gevolg\n")
    assert (walk.folder / "nakijken.csv").is_file()
    told = next(done.stdout for line, done in walk.done.items() if "--out levering-0001" in line)
    assert "Stuur de TTP alle bestanden" in told and "3 kanarierijen" in told
    told = next(done.stdout for line, done in walk.done.items() if line.startswith("koppel scan"))
    assert "nothing found" in told and "2 sealed" in told


def test_check_under_an_agreement_judges_as_deliver_does(walk: Walk) -> None:
    checked, delivered = (
        next(
            done.stdout for line, done in walk.done.items() if line.startswith(f"koppel {verb} oefening/extracts/injus")
        )
        for verb in ("check", "deliver")
    )
    assert checked.splitlines()[:5] == delivered.splitlines()[:5]


def test_the_json_answer_is_one_object(walk: Walk) -> None:
    answer = next(done.stdout for line, done in walk.done.items() if line.endswith("--json"))
    assert json.loads(answer)["register"] == "ifzo"


OWN = "--keys sleutels/suppliers/justid --public sleutels/public --out x"
INJUS = "koppel deliver oefening/extracts/injus.csv --agreement oefening/agreements/injus.yaml"
STUMBLES = {
    "the folder of an earlier delivery": (f"{INJUS} {OWN.replace('--out x', '--out levering-0001')} --sequence 2", 10),
    "another register's agreement": (f"{INJUS.replace('agreements/injus', 'agreements/gmsd')} {OWN} --sequence 1", 10),
    "another register's extract": (f"{INJUS.replace('extracts/injus', 'extracts/gmsd_1')} {OWN} --sequence 1", 11),
    "all keys instead of one's own": (f"{INJUS} {OWN.replace('/suppliers/justid', '')} --sequence 1", 12),
    "no number": (f"{INJUS} {OWN} --sequence 0", 10),
}


@pytest.mark.parametrize("stumble", STUMBLES)
def test_a_stumble_is_told_in_one_line_and_leaves_nothing(walk: Walk, stumble: str) -> None:
    line, code = STUMBLES[stumble]
    done = run(walk.folder, line)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("koppel: ") and done.stderr.count("\n") == 1 and len(done.stderr) > 60
    assert not (walk.folder / "x").exists()
