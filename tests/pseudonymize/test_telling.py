"""Progress of a process is lines of our own words and numbers, now and then, before the one answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pseudonymize import telling
from pseudonymize.cli import run
from pseudonymize.parties import PublicKeys
from tests.pseudonymize.conftest import AGREEMENTS, World
from tests.pseudonymize.test_blind_process import options


def told(capsys: pytest.CaptureFixture[str]) -> list[list[object]]:
    return [json.loads(line)["progress"] for line in capsys.readouterr().out.splitlines()]


def test_few_lines_a_second_and_every_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter((10.0, 10.1, 10.3, 10.31, 10.32))
    monkeypatch.setattr(telling.time, "monotonic", lambda: next(now))
    tell = telling.lines()
    for done in (1, 2, 3, 4, 5):
        tell("lezen", done, 5)
    assert told(capsys) == [["lezen", 1, 5], ["lezen", 3, 5], ["lezen", 5, 5]]


def test_a_delivery_tells_its_rows_and_brings_its_text(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    keys = world.keys
    code, answer = run(
        [
            *("deliver", "--source", str(world.injus()), "--agreement", str(AGREEMENTS / "injus.yaml")),
            *("--keys", str(keys / "suppliers/justid"), "--public", str(keys / "public"), "--sequence", "1"),
            *("--out", str(world.home / "0001"), "--progress"),
        ]
    )
    assert (code, answer["text"].splitlines()[0]) == (0, "Register injus: 40 rijen gelezen.")
    assert ["lezen", 40, None] in told(capsys)


def test_blind_mode_from_adoption_to_delivery_in_one_process(
    make_world: Callable[[], World], capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world()
    home, files = world.home / "evaluator", world.home / "files"

    def ok(*arguments: object) -> dict[str, object]:
        code, answer = run([str(one) for one in arguments])
        assert code == 0, answer
        return answer

    ok("evaluator", "--home", home, "--project", "koppelpunt-demo", "--epoch", "run-1")
    adopt = ("blind-adopt", "--public", world.keys / "public", "--evaluator", home / "public")
    both = ok(*adopt, "--out", world.home / "both", "--hybrid")
    adopted = ok(*adopt, "--out", world.home / "public")
    assert (adopted["mode"], both["mode"]) == ("blind", "hybrid")
    assert adopted["key_check"] == PublicKeys.load(world.home / "public").checks["pre"] != both["key_check"]
    assert run([*map(str, adopt), "--out", str(world.home / "public")])[1]["code"] == "output_exists"
    state, source = world.home / "state" / "1.key", world.injus()
    what = options(world, home, source, state)
    ok("blind", *what, "--out", files / "request", "--progress")
    public = ("--public", world.home / "public")
    ok("evaluate", "--request", files / "request", "--keys", home, *public, "--out", files / "answer", "--progress")
    made = ok("deliver-blind", *what, *public, "--answer", files / "answer", "--out", files / "0001", "--progress")
    assert str(made["text"]).startswith("Register injus: 40 rijen")
    assert {"lezen", "blinderen", "evalueren", "deblinderen"} <= {str(line[0]) for line in told(capsys)}
    assert not Path(state).exists()
