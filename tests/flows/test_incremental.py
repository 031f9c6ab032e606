"""A new half-year arrives: only its deliveries are converted and opened, and the result is that of a run from nothing.

What is kept is the unit that costs: a delivery, once accepted, is never decrypted, converted or opened again. The link
itself is computed whole; why no part of it can be kept, and what that costs, are decisions 52 and 104.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows import demo, pipeline, resume, work
from flows.settings import Settings, load
from schemas.registers import REGISTERS
from tests.flows import halves
from tests.flows.conftest import FIRST_RUN, SCALE, SEED, Site

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


# A half-year of every register ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rounds:
    """A run of everything before the last half-year, then of that half-year; and a run of the same files at once."""

    added: Site
    at_once: Site
    late: set[tuple[str, int]]  # the deliveries of the half-year
    before: dict[str, tuple[int, str]]  # the store after the first round
    linked_before: dict[str, str]
    steps: list[dict[str, object]]  # what the second run did


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    folder = tmp_path_factory.mktemp("halves")
    site = Site(folder / "demo")
    settings = demo.prepare(site.folder, port=4299)
    with site.config.open("a", encoding="utf-8") as file:
        file.write("draws = 100\n")
    demo.make_country(site.folder, scale=SCALE, seed=SEED)
    early, late = halves.split(site.folder / "land" / "extracts", folder / "early", folder / "late")
    for job in early:
        demo._deliver(settings, *job)
    halves.seal(settings, late, folder / "aside")
    empty = site.copy(folder / "at-once")

    run(site)
    before, linked = stored(settings), resume.hashes(settings.run / "linked")
    halves.arrive(settings, late, folder / "aside")
    steps = run(site)

    for name in ("inbox", "gateway"):
        shutil.rmtree(empty.ttp / name)
    shutil.copytree(site.ttp / "inbox", empty.ttp / "inbox")  # the same sealed files, those of the gateway included
    run(empty)
    return Rounds(site, empty, {(register, number) for register, number, _ in late}, before, linked, steps)


def run(site: Site) -> list[dict[str, object]]:
    """`koppel run --direct`; returns what it says of each step."""
    done = site.koppel(*FIRST_RUN.split(), "--json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    return [one for one in told if "step" in one]


def test_a_half_year_of_every_register_takes_in_its_own_deliveries_and_no_other(rounds: Rounds) -> None:
    """Six registers deliver, GMSD twice (provisional, final): seven of thirteen deliveries are taken in."""
    taken = {str(one["step"]).removeprefix("intake ") for one in rounds.steps if str(one["step"]).startswith("intake ")}
    assert taken == {f"{register} {number}" for register, number in rounds.late}
    assert len(rounds.late) == 7
    now = stored(load(rounds.added.config))
    assert {name: now[name] for name in rounds.before} == rounds.before
    assert {tuple(name.split("/")[:2]) for name in set(now) - set(rounds.before)} == {
        (register, f"{number:04d}") for register, number in rounds.late
    }


def test_it_equals_a_run_of_everything_at_once_to_the_byte(rounds: Rounds) -> None:
    """Linked tables, estimates, and what each reader gets: nothing tells that the half-year came later."""
    added, at_once = load(rounds.added.config), load(rounds.at_once.config)
    for part in ("linked", "estimated", "recipient", "exported"):
        assert resume.hashes(added.run / part) == resume.hashes(at_once.run / part), part
    assert resume.hashes(added.out) == resume.hashes(at_once.out)


def test_the_half_year_did_change_what_is_linked(rounds: Rounds) -> None:
    """Else the test above would compare nothing: new people, new ends, and outcomes that could not be seen before."""
    now = resume.hashes(load(rounds.added.config).run / "linked")
    same = {name for name, value in rounds.linked_before.items() if now[name] == value}
    assert not same & {f"{name}.parquet" for name in ("persons", "wmo_arrangements", "title_end_events", "coverage")}


def test_steps_after_a_step_that_changed_are_done_and_those_of_an_unchanged_run_are_not(rounds: Rounds) -> None:
    """`link` and what follows from it is done again; a run with nothing new does none of it."""
    again = {"link", "estimate", "recipient pseudonyms", "export", "publish"}
    assert again <= {str(one["step"]) for one in rounds.steps if not one.get("skipped")}
    idle = run(rounds.added)
    assert again <= {str(one["step"]) for one in idle if one.get("skipped")}
    assert not [one for one in idle if str(one["step"]).startswith(("intake", "gateway"))]


@pytest.mark.parametrize(
    ("cell", "late"),
    [(b"2023-06-30", False), (b"2023-07-01", True), (b"30-06-2023", False), (b"01-07-2023", True), (b"", False)],
)
def test_which_rows_belong_to_the_half_year(cell: bytes, late: bool) -> None:
    assert halves.is_late(cell) is late


def test_nothing_new_redoes_nothing(finished: Site) -> None:
    settings = load(finished.config)
    kept = stored(settings)
    assert set(take_in(settings).values()) == {0}
    assert work.link(settings).skipped
    assert stored(settings) == kept
