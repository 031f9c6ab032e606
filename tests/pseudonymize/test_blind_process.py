"""Blind mode as three parties run it: processes, and folders that are carried from one to the other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pseudonymize import ristretto
from pseudonymize.blind_keys import SourceKeys, load_evaluator
from pseudonymize.cli import run
from pseudonymize.modes import blind_tag
from tests.pseudonymize.conftest import AGREEMENTS, World

ROOT = Path(__file__).parents[2]


def in_process(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "pseudonymize", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def parties(make_world: Callable[[], World]) -> tuple[World, Path]:
    """A world whose project works in blind mode, and the evaluator's folder."""
    world = make_world()
    home = world.home / "evaluator"
    assert run(["evaluator", "--home", str(home), "--project", "koppelpunt-demo", "--epoch", "run-1"])[0] == 0
    told = load_evaluator(home / "public")
    tag = blind_tag(told.project, told.epoch, told.key, None)
    world.public = replace(world.public, checks={**world.public.checks, "pre": tag})
    world.public.save(world.keys / "public")
    (world.keys / "suppliers" / "justid" / "pre.key").unlink()  # no shared secret anywhere
    return world, home


def options(world: World, home: Path, source: Path, state: Path) -> list[object]:
    return [
        *("--source", source, "--agreement", AGREEMENTS / "injus.yaml", "--sequence", 1),
        *("--keys", world.keys / "suppliers" / "justid", "--evaluator", home / "public", "--state", state),
    ]


def test_three_processes_and_two_folders_between_them(parties: tuple[World, Path]) -> None:
    world, home = parties
    source, state, files = world.injus(), world.home / "state" / "1.key", world.home / "files"
    what = options(world, home, source, state)
    assert in_process("blind", *what, "--out", files / "request") == {"elements": 26, "sequence": 1}
    asked = in_process(
        *("evaluate", "--request", files / "request", "--keys", home, "--public", world.keys / "public"),
        *("--out", files / "answer", "--quota", 26, "--ledger", world.home / "asked.json"),
    )
    assert asked == {"elements": 26}
    made = in_process(
        *("deliver-blind", *what, "--public", world.keys / "public"),
        *("--answer", files / "answer", "--out", world.home / "inbox" / "0001"),
    )
    assert (made["rows"]["accepted"], made["hmac"]["kernel"]) == (40, "waiting")
    assert not state.exists()  # nobody can make these blinds again
    known = in_process(
        *("verify", "--delivery", world.home / "inbox" / "0001", "--agreement", AGREEMENTS / "injus.yaml"),
        *("--public", world.keys / "public"),
    )
    assert known["rows"]["accepted"] == 40
    link = in_process(
        *("convert", "--delivery", world.home / "inbox" / "0001", "--keys", world.keys / "converter"),
        *("--out", world.home / "link.parquet"),
    )
    assert link["rows"] == 40 + 3  # and the planted canaries


def test_a_failed_delivery_keeps_the_state(parties: tuple[World, Path]) -> None:
    world, home = parties
    source, state, files = world.injus(), world.home / "state" / "1.key", world.home / "files"
    what = [str(one) for one in options(world, home, source, state)]
    assert run(["blind", *what, "--out", str(files / "request")])[0] == 0
    where = ["--request", str(files / "request"), "--keys", str(home), "--public", str(world.keys / "public")]
    code, answer = run(["evaluate", *where, "--out", str(files / "answer"), "--quota", "19"])
    assert (code, answer["code"], answer["facts"]) == (11, "over_quota", {"rows": 26, "quota": 19})
    together = ["--total", "25", "--ledger", str(world.home / "ledger.json")]
    code, answer = run(["evaluate", *where, "--out", str(files / "answer"), *together])
    assert (code, answer["code"], answer["facts"]) == (11, "over_quota", {"rows": 26, "quota": 25})
    assert run(["evaluate", *where, "--out", str(files / "answer")])[0] == 0
    world.injus(44)  # the extract changes under our hands
    more = ["--public", str(world.keys / "public"), "--answer", str(files / "answer"), "--out", str(files / "out")]
    code, answer = run(["deliver-blind", *what, *more])
    assert (code, answer["code"]) == (11, "blind_mismatch")
    assert state.exists() and not (files / "out").exists()


def test_the_hybrid_by_its_switch(make_world: Callable[[], World], parties: tuple[World, Path]) -> None:
    _, home = parties
    world = make_world()
    keys = SourceKeys.load(world.keys / "suppliers" / "justid", hybrid=True)
    told = load_evaluator(home / "public")
    tag = blind_tag(told.project, told.epoch, told.key, keys.pre)
    replace(world.public, checks={**world.public.checks, "pre": tag}).save(world.keys / "public")
    source, state, files = world.injus(8), world.home / "state" / "1.key", world.home / "files"
    what = [*map(str, options(world, home, source, state)), "--hybrid"]
    assert run(["blind", *what, "--out", str(files / "request")])[0] == 0
    where = ["--request", str(files / "request"), "--keys", str(home), "--public", str(world.keys / "public")]
    assert run(["evaluate", *where, "--out", str(files / "answer")])[0] == 0
    more = ["--public", str(world.keys / "public"), "--answer", str(files / "answer"), "--out", str(files / "out")]
    code, answer = run(["deliver-blind", *what, *more])
    assert (code, answer["rows"]["accepted"]) == (0, 8)
    manifest = json.loads((files / "out" / "manifest.json").read_text())
    assert (manifest["scheme"], manifest["key_check"]) == ("v1-hybrid", tag)


def test_without_the_package_the_verb_says_what_to_install(
    parties: tuple[World, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, home = parties
    monkeypatch.setitem(sys.modules, "rbcl", None)
    ristretto._sodium.cache_clear()
    what = [str(one) for one in options(world, home, world.injus(4), world.home / "s.key")]
    code, answer = run(["blind", *what, "--out", str(world.home / "r")])
    assert (code, answer["code"]) == (10, "blind_unavailable")
    assert "koppelpunt[blind]" in __import__("schemas.errors", fromlist=["ADVICE"]).ADVICE["blind_unavailable"]
