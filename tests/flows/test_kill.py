"""kill -9 at every step boundary, then resume: no partial release, no delivery accepted twice or lost.

A real process gets a real SIGKILL at a real boundary. Boundaries are walked in order on one site: each run resumes
from where the one before was killed, and after each kill the invariants are checked from the outside.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from flows import resume
from flows.settings import ENV, Settings, load
from tests.flows.conftest import Site

REGISTER = "reclassering"  # comes through the gateway: it has every boundary there is

# What runs in the process: the real pipeline, with one function that kills the process before or after its real work.
# Libraries are loaded once; each line of standard input is one run, in a child of its own.
SCRIPT = """
import importlib, json, os, signal, sys
from flows import pipeline, work
from flows.settings import load

def light(linked, out, **_):
    out.mkdir(parents=True)
    (out / "release.json").write_text("{}", encoding="utf-8")
    return [out / "release.json"]

work.publish.publish_vng = light  # its spreadsheets take seconds and are tested elsewhere

def arm(target, when, match):
    module, _, name = target.rpartition(".")
    room = importlib.import_module(module)
    real = getattr(room, name)
    def killing(*arguments, **named):
        hit = match in " ".join(map(str, arguments))
        if hit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*arguments, **named)
        if hit:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(room, name, killing)

def go(stage, register, boundary):
    if boundary[0]:
        arm(*boundary)
    settings = load()
    if stage == "intake":
        pipeline.intake(settings, register)
    else:
        pipeline.link(settings)
        pipeline.estimate(settings)
        pipeline.export(settings)
        pipeline.publish(settings)
        pipeline.upkeep(settings)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            go(*json.loads(line))
        except BaseException:
            os._exit(1)
        os._exit(0)
    sys.stdout.write(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) + "\\n")
    sys.stdout.flush()
"""

Boundary = tuple[str, str, str]
INTAKE: tuple[Boundary, ...] = (
    ("flows.steps._claimed", "after", ""),
    ("flows.steps.deliver", "after", ""),  # delivered, and the raw extract is still there
    ("flows.steps.verify", "after", ""),
    ("flows.steps.prepare", "after", ""),
    ("flows.steps.convert", "after", ""),
    ("flows.steps._tell", "after", "converted"),  # told, and not yet written down which code computed it
    ("flows.steps.open_payload", "after", ""),
    ("shutil.copyfile", "after", "manifest.json"),  # complete under its temporary name
    ("flows.rooms.pseudonymize", "before", "record"),  # in the store, not yet in the ledger
    ("flows.rooms.pseudonymize", "after", "record"),  # in the ledger, not yet in the log
)
FINISH: tuple[Boundary, ...] = (
    ("flows.work.link_deliveries", "after", ""),
    ("flows.resume.write_json", "before", "link.json"),  # renamed, no journal
    ("flows.resume.write_json", "before", "estimate.json"),
    ("flows.resume.write_json", "before", "recipient.json"),
    ("flows.work._tell", "before", "recipient_converted"),  # with a journal, not yet told
    ("flows.resume.write_json", "before", "export.json"),
    ("release.gate.check_release", "before", ""),  # files made, nothing judged
    ("flows.rooms.pseudonymize", "after", "scan"),  # judged, not signed
    ("flows.rooms.pseudonymize", "after", "sign"),  # signed, without its name
    ("flows.resume.write_json", "before", "release.json"),  # named, no journal
    ("flows.work._tell", "after", "released"),  # told, and the operator's page does not know it
    ("flows.released.remember", "after", ""),
    ("flows.clock.note", "before", ""),  # retained, and the day not noted
    ("flows.work.upkeep", "after", ""),
)


class Runner:
    """A process that runs the pipeline of one site again and again, killed or not."""

    def __init__(self, site: Site) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=site.folder,
            env={**os.environ, ENV: str(site.config)},
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def go(self, stage: str, boundary: Boundary = ("", "", "")) -> int:
        """Exit code of one run; minus nine when it was killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([stage, REGISTER, boundary]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def accepted(settings: Settings) -> list[str]:
    path = settings.state / "ledger" / f"{REGISTER}.json"
    if not path.is_file():
        return []
    return sorted(json.loads(path.read_text())["accepted"][REGISTER]["3ro"])


def in_store(settings: Settings) -> list[str]:
    return sorted(p.name for p in (settings.store / REGISTER).glob("[0-9][0-9][0-9][0-9]"))


def in_inbox(settings: Settings) -> list[str]:
    return sorted(p.name for p in (settings.inbox / REGISTER).glob("[0-9]*"))


def test_an_intake_killed_at_every_boundary_accepts_its_delivery_once(delivered: Site, tmp_path: Path) -> None:
    site = delivered.copy(tmp_path / "demo")
    settings = load(site.config)
    with Runner(site) as runner:
        for boundary in INTAKE:
            assert runner.go("intake", boundary) == -signal.SIGKILL, boundary
            assert in_inbox(settings) in ([], ["0001"]), boundary  # never the same extract under a second number
            assert set(accepted(settings)) <= {"1"}, boundary
            assert in_store(settings) == ["0001"] or not accepted(settings), boundary  # the ledger never runs ahead
        assert runner.go("intake") == 0
    assert (accepted(settings), in_store(settings), in_inbox(settings)) == (["1"], ["0001"], ["0001"])
    assert not list((settings.gateway / REGISTER).iterdir())
    assert not list(settings.home.rglob("*.part"))
    told = [json.loads(line) for line in (settings.state / "audit.jsonl").read_text(encoding="ascii").splitlines()]
    (delivery,) = (event for event in told if event["event"] == "gateway_delivered")  # also when killed before telling
    assert (delivery["sequence"], delivery["rows"]) == (1, delivery["accepted"] + delivery["quarantined"])


def test_after_all_those_kills_a_replay_is_still_refused(finished: Site, tmp_path: Path) -> None:
    """The hole to look for: killed between store and ledger, then the same delivery under another number."""
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    (settings.state / "ledger" / f"{REGISTER}.json").unlink()
    for path in settings.state.glob("audit.*"):  # else a lost ledger would be told, and rightly so
        path.unlink()
    shutil.rmtree(settings.store / REGISTER)
    with Runner(site) as runner:
        assert runner.go("intake", ("flows.rooms.pseudonymize", "before", "record")) == -signal.SIGKILL
        shutil.copytree(settings.inbox / REGISTER / "0001", settings.inbox / REGISTER / "0002")
        assert runner.go("intake") == 1
    assert set(accepted(settings)) <= {"1"}
    assert in_store(settings) == ["0001"]


def test_a_release_killed_at_every_boundary_is_whole_or_absent(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    expected = _without_vng(resume.hashes(settings.out))  # what a run gave that nobody killed
    for path in (settings.home / "runs", settings.home / "releases", settings.state / "steps"):
        shutil.rmtree(path)
    with Runner(site) as runner:
        for boundary in FINISH:
            assert runner.go("finish", boundary) == -signal.SIGKILL, boundary
            assert not settings.out.exists() or _without_vng(resume.hashes(settings.out)) == expected, boundary
        assert runner.go("finish") == 0
    assert _without_vng(resume.hashes(settings.out)) == expected
    assert (settings.out / "onderzoek" / "SHA256SUMS.sig").stat().st_size == 64
    assert not list(settings.home.rglob("*.part"))


def _without_vng(hashes: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in hashes.items() if not name.startswith("vng/")}
