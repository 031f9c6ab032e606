"""`make bench-incremental`: what a new half-year costs, beside a run of everything from nothing; docs/performance-incremental.md.

A country's extracts are divided in two rounds (tests/flows/halves.py). Three runs of `koppel run --direct`: the first
round, the second added to it, and both at once in an empty folder. Exit code 1 when the last two differ in a byte.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from flows import demo, resume
from flows.report import Mode, Reporter, use
from flows.settings import ENV, Settings, load
from tests.flows import halves

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance-incremental.md"
# What is taken in is told by workers that end when they like, so that their CPU cannot be told from that of linking.
FIRST = "taking in and linking"
KINDS = {
    FIRST: ("gateway", "intake", "link"),
    **{kind: (kind,) for kind in ("estimate", "recipient", "export", "publish", "upkeep")},
}
console = Console(highlight=False)


@dataclass(frozen=True)
class Round:
    """One run: CPU seconds of all its processes, seconds, CPU seconds per kind of step, deliveries and rows taken in."""

    cpu: float
    wall: float
    steps: dict[str, float]
    deliveries: int
    rows: int

    @classmethod
    def of(cls, config: Path) -> Round:
        """`koppel run --direct` with these settings."""
        before, began = _children(), time.monotonic()
        command = [Path(sys.executable).parent / "koppel", "run", "--direct", "--json"]
        environment = {**os.environ, ENV: str(config)}
        with subprocess.Popen(
            command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        ) as run:
            lines = list(_told(run))
        if run.returncode:
            raise SystemExit(f"the run failed with exit code {run.returncode}")
        wall, cpu = time.monotonic() - began, _children() - before
        taken = [one for one, _ in lines if one["step"].startswith("intake")]
        steps = {kind: sum(spent for one, spent in lines if one["step"].startswith(of)) for kind, of in KINDS.items()}
        steps["start, end, others"] = cpu - sum(steps.values())
        return cls(cpu, wall, steps, len(taken), sum(one["rows"] for one in taken))


def _told(run: subprocess.Popen[str]) -> Iterator[tuple[dict[str, Any], float]]:
    """Every step as it is told, and the CPU seconds that the run and its ended processes took since the one before."""
    before = 0.0
    for line in run.stderr or ():
        if line.startswith("{") and "step" in (told := json.loads(line)) and "progress" not in told:
            now = max(before, _used(run.pid))
            yield told, now - before
            before = now


def _used(pid: int) -> float:
    """CPU seconds of a process and of all below it, ended or not (proc(5): fields 4 and 14 to 17). What it waited for is
    in its own fields; workers of a pool are waited for when the pool ends, long after their work was told."""
    found: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
            found[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    tree = [pid]
    for one in tree:
        tree += [child for child, (parent, _) in found.items() if parent == one]
    return sum(found[one][1] for one in tree if one in found) / os.sysconf("SC_CLK_TCK")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(home: Path, scale: float, seed: int) -> tuple[dict[str, Round], bool]:
    """(the three runs, whether the last two made the same bytes)."""
    site, other = home / "added", home / "at-once"
    settings = demo.prepare(site, port=4299, scale=scale)
    demo.make_country(site, scale=scale, seed=seed)
    early, late = halves.split(site / "land" / "extracts", home / "early", home / "late")
    for job in early:
        demo._deliver(settings, *job)
    halves.seal(settings, late, home / "aside")
    shutil.copytree(site, other)
    runs = {"before the half-year": Round.of(site / "koppel.toml")}
    halves.arrive(settings, late, home / "aside")
    runs["the half-year added"] = Round.of(site / "koppel.toml")
    for name in ("inbox", "gateway"):
        shutil.rmtree(other / "ttp" / name)
    shutil.copytree(settings.inbox, other / "ttp" / "inbox")
    runs["everything from nothing"] = Round.of(other / "koppel.toml")
    return runs, _outputs(settings) == _outputs(load(other / "koppel.toml"))


def _outputs(settings: Settings) -> dict[str, dict[str, str]]:
    made = {part: resume.hashes(settings.run / part) for part in ("linked", "estimated", "exported")}
    return {**made, "release": resume.hashes(settings.out)}


def page(runs: dict[str, Round], scale: float, *, same: bool) -> str:
    """docs/performance-incremental.md."""
    added, whole = runs["the half-year added"], runs["everything from nothing"]
    text = [
        "# A new half-year: what was measured",
        "",
        f"Written by `make bench-incremental` (tests/bench/incremental.py) at scale {scale:g}; read ratios, not seconds. The last",
        "half-year of a synthetic country is delivered after the rest: six registers, GMSD provisional and then final.",
        "",
        "Linked tables, estimates, researchers' tables and release of the run it was added to, and of a run of all deliveries in an",
        f"empty folder: **{'the same bytes' if same else 'NOT the same bytes'}**.",
        "",
        "| run | deliveries taken in | rows taken in | CPU s | of everything | s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    text += [
        f"| {name} | {one.deliveries} | {one.rows:,} | {one.cpu:.1f} | {one.cpu / whole.cpu:.2f} | {one.wall:.1f} |"
        for name, one in runs.items()
    ]
    text += ["", "| CPU s of | " + " | ".join(runs) + " | share of everything | added, of whole |"]
    text += ["| --- |" + " ---: |" * (len(runs) + 2)]
    text += [_share(kind, runs.values(), added, whole) for kind in whole.steps]
    text += [
        "",
        "CPU is read when a step is told: what runs beside a step is counted with it (the scans of what leaves, mostly).",
        "",
        f"With the half-year, {FIRST} took {added.steps[FIRST] / whole.steps[FIRST]:.2f} of the CPU of {FIRST} everything. Only new",
        "deliveries are taken in; what follows is computed whole ([52](decisions/0052-incremental.md),",
        "[104](decisions/0104-what-a-half-year-touches.md)).",
    ]
    return "\n".join(text) + "\n"


def _share(kind: str, runs: Iterable[Round], added: Round, whole: Round) -> str:
    cells = [f"{one.steps[kind]:.1f}" for one in runs]
    of = f"{added.steps[kind] / whole.steps[kind]:.2f}" if whole.steps[kind] >= 0.1 else ""
    return f"| {kind} | " + " | ".join([*cells, f"{whole.steps[kind] / whole.cpu:.2f}", of]) + " |"


def main() -> None:
    """Measure, say so, and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=2024)
    options.add_argument("--no-page", action="store_true")
    given = options.parse_args()
    use(Reporter(Mode.QUIET))
    with tempfile.TemporaryDirectory(prefix="koppel-incremental-") as home:
        runs, same = measure(Path(home), given.scale, given.seed)
    told = page(runs, given.scale, same=same)
    console.print(told, markup=False)
    if not given.no_page:
        PAGE.write_text(told, encoding="utf-8")
    sys.exit(not same)


if __name__ == "__main__":
    main()
