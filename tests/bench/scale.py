"""`make bench-scale`: the joins and the statements of the linkage at 0.18 to 18 million persons, two cores, 1 GB.

Tables are made straight as linked-side Parquet (keys are hashes of a counter: as random as pseudonyms, and the same in
every run). Every measured step is a process of its own: CPU seconds, peak memory, rows and a checksum. The same joins
are hand-written in Polars and done by Splink's deterministic linkage, in the same run, at 0.18, 1.8 and 18 million. How
CPU grows is measured at sizes that are four times one another. Writes docs/performance-scale.md.
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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench import scale_steps as steps
from tests.bench.scale_page import FOURFOLD, JUDGED, OTHERS, OWN, SIZES, Found, least, page, ratio, targets, unequal
from tests.bench.watching import highest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance-scale.md"
ROUNDS = 3
console = Console(highlight=False)


def measured(step: str, folder: Path, rounds: int = 1) -> Found:
    """The step in a process of its own, so many times. What was measured in a kept folder stands."""
    told = folder / f"{step}.json"
    if told.exists():
        return dict(json.loads(told.read_text(encoding="utf-8")))
    done_rounds: list[Found] = []
    for _ in range(rounds):
        command = [sys.executable, "-m", "tests.bench.scale", "--step", step, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            return _failed(done.stderr, told if step not in OWN else None)
        done_rounds.append(json.loads(done.stdout.splitlines()[-1]))
    best = least(done_rounds)
    console.print(f"  {step:<22}{best['cpu']:>9.2f} CPU s {best['wall']:>9.2f} s {best['rss'] / 1e6:>8.2f} GB")
    told.write_text(json.dumps(best), encoding="utf-8")
    return best


def _failed(error: str, told: Path | None) -> Found:
    """What went wrong, in a line. That a peer failed stands too; a step of ours is tried again by the next run."""
    lines = error.strip().splitlines()
    what = next((line for line in reversed(lines) if "Error" in line), lines[-1])[:120]
    found = {"failed": f"{what} ({lines[-1]})" if lines[-1].startswith("failed in") else what}
    console.print(f"  {found['failed']}")
    if told is not None:
        told.write_text(json.dumps(found), encoding="utf-8")
    return found


def one_step(step: str, folder: Path) -> None:
    """Inside the process: run, and say what it took. CPU of importing libraries is not counted."""
    work: Callable[[Path], Any] = steps.STEPS[step](folder)
    # Looked at while it runs: a query that is done has given its temporary files back.
    with highest(lambda: held(folder), 0.02) as spill:
        before, began = _cpu(), time.monotonic()
        answer = work(folder)
        wall, cpu = time.monotonic() - began, _cpu() - before
    rss = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    told = {"cpu": cpu, "wall": wall, "rss": rss, "spill": spill[0], "answer": answer}
    sys.stdout.write(json.dumps(told) + "\n")


def held(folder: Path) -> int:
    """Bytes of temporary files of this process (DuckDB names them by it); one that goes meanwhile counts as none."""
    size = 0
    for path in folder.glob(f"spill*/*_{os.getpid()}_*"):
        with suppress(OSError):
            size += path.stat().st_size
    return size


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def beside(step: str, folder: Path, rounds: int) -> Found:
    """A peer under the same limit; where it ends for want of memory, with more, and how much that was."""
    found = measured(step, folder, rounds)
    for memory in steps.MORE:
        if f"{step}_{memory}" in steps.STEPS and "Memory" in str(found.get("failed")):
            found = {**measured(f"{step}_{memory}", folder), "memory": memory}
    return found


def at(persons: int, home: Path, *, kept: bool) -> dict[str, Found]:
    """Every step at one size, peers at three of them; a kept folder goes on where it was, and its tables stay."""
    console.print(f"[bold]{persons:,} persons[/bold]")
    folder = home / str(persons)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "persons").write_text(str(persons), encoding="utf-8")
    for name in ("make", "store"):
        measured(name, folder)
    names = steps.MEASURED if persons in SIZES else OWN
    found = {name: (beside if name in OTHERS else measured)(name, folder, rounds(name, persons)) for name in names}
    found["files"] = {name: (folder / f"{name}.parquet").stat().st_size / 1e6 for name in ("wmo", "wmo32")}
    if not kept:
        shutil.rmtree(folder)
    return found


def rounds(step: str, persons: int) -> int:
    """More of what is short, of which the least is told; once what takes minutes."""
    if step == "linked":
        return next((times for most, times in ((1e6, 5), (4e6, 3), (1e7, 2)) if persons < most), 1)
    return 1 if step in OTHERS and persons > SIZES[1] else ROUNDS


def main() -> None:
    """Measure every size asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="*", type=int, default=sorted({*SIZES, *FOURFOLD}))
    parser.add_argument("--step")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-page", action="store_true")
    parser.add_argument("--kept", type=Path, help="a folder to keep tables and measures in, and to go on from")
    given = parser.parse_args()
    if given.step:
        one_step(given.step, given.folder)
        return
    with tempfile.TemporaryDirectory(prefix="koppel-scale-") as home:
        found = {size: at(size, given.kept or Path(home), kept=bool(given.kept)) for size in given.sizes}
    for a, b, c, held in targets(found):
        console.print(f"{a:<4}{b:<92}{c:>22}  {JUDGED[held]}")
    for a, b in steps.PEERS:
        console.print(f"{a} / {b}: {ratio(found[max(found)], a, b):.1f} times our CPU")
    if not given.no_page:
        PAGE.write_text(page(found), encoding="utf-8")
    if wrong := unequal(found):
        raise SystemExit(f"these answers differ: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
