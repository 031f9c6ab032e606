"""A new half-year arrives: only that delivery is converted and opened, and the result is that of a run from nothing.

What is kept is the unit that costs: a delivery, once accepted, is never decrypted, converted or opened again. The link
itself is computed whole; why no part of it can be kept is decision 52.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flows import pipeline, resume, work
from flows.settings import Settings, load
from schemas.registers import REGISTERS
from tests.flows.conftest import Site

pytestmark = pytest.mark.xdist_group("pipeline")
WHAT = "gmsd"
DONE = {"converted", "opened", "accepted"}


def take_in(settings: Settings) -> dict[str, int]:
    """Rows accepted per register, by the steps of `koppel run`."""
    return {register: pipeline.intake(settings, register) for register in REGISTERS}


def stored(settings: Settings) -> dict[str, tuple[int, str]]:
    """Every file of the store: when it was written, and its hash."""
    files = sorted(p for p in settings.store.rglob("*") if p.is_file())
    return {str(p.relative_to(settings.store)): (p.stat().st_mtime_ns, resume.sha256_file(p)) for p in files}


def events(settings: Settings, after: int) -> list[tuple[str, str, int]]:
    """What was done with which delivery since line `after` of the audit log."""
    lines = (settings.state / "audit.jsonl").read_text(encoding="utf-8").splitlines()[after:]
    told = [json.loads(line) for line in lines]
    return [(one["event"], one["register"], one["sequence"]) for one in told if one["event"] in DONE]


def test_a_new_half_year_touches_only_its_own_delivery_and_equals_a_full_run(
    delivered: Site, finished: Site, tmp_path: Path
) -> None:
    site = delivered.copy(tmp_path / "demo")
    settings = load(site.config)
    last = max((settings.inbox / WHAT).glob("[0-9]*"))
    later = tmp_path / "later"
    shutil.move(last, later)

    before = take_in(settings)
    without = work.link(settings)
    kept, written = stored(settings), len((settings.state / "audit.jsonl").read_text(encoding="utf-8").splitlines())
    assert before[WHAT] > 0 and not without.skipped

    shutil.move(later, last)
    added = take_in(settings)
    done = work.link(settings)

    assert {register: rows for register, rows in added.items() if rows} == {WHAT: added[WHAT]}
    assert {(register, number) for _, register, number in events(settings, written)} == {(WHAT, int(last.name))}
    now = stored(settings)
    assert {name: now[name] for name in kept} == kept  # not one file of an earlier delivery was written again
    assert {name.split("/")[1] for name in set(now) - set(kept)} == {last.name}
    assert done.fingerprint != without.fingerprint and done.facts["rows"] == without.facts["rows"] + added[WHAT]
    assert resume.hashes(settings.run / "linked") == resume.hashes(load(finished.config).run / "linked")


def test_nothing_new_redoes_nothing(finished: Site) -> None:
    settings = load(finished.config)
    kept = stored(settings)
    assert set(take_in(settings).values()) == {0}
    assert work.link(settings).skipped
    assert stored(settings) == kept
