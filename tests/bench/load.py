"""`make bench-load`: four suppliers deliver at once, then run after run for as long as asked.

`python -m tests.bench.load --scale 1 --minutes 60`: a national country; every supplier's tool at the same time; then run
after run from sealed deliveries to release, each from an empty TTP in a process of its own, as the worker starts them.
Per run: rows a second, the most that one of its processes held, and the most of all together. It fails when the
last third of the runs held over a tenth more than the first third. Writes docs/performance-load.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from flows import demo, governance, steps
from flows.settings import Settings
from schemas.registers import REGISTERS
from tests.bench.watching import highest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance-load.md"
MOST_GROWTH = 1.1
EVERY = 0.2  # seconds between two looks at memory
console = Console(highlight=False)


# Memory --------------------------------------------------------------------------------------------------------


def family(pid: int) -> list[int]:
    """A process and all that came of it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += family(int(child))
    return found


def _number(path: Path, name: str) -> int:
    """A line of a /proc file in bytes; 0 for a process that has gone."""
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0


def together() -> int:
    """Bytes that all children of this process hold together, shared pages counted once."""
    return sum(_number(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in family(os.getpid())[1:])


# The work ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivered:
    """One supplier's share: rows, and seconds from the common start to its last sealed delivery."""

    supplier: str
    rows: int
    seconds: float


@dataclass(frozen=True)
class Round:
    """One run from sealed deliveries to release."""

    seconds: float
    largest: int
    most: int


@dataclass
class Load:
    """Everything measured."""

    scale: float
    delivered: list[Delivered] = field(default_factory=list)
    delivering: tuple[float, int] = (0.0, 0)
    rounds: list[Round] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.delivered)

    @property
    def growth(self) -> float:
        """What the last third of the runs held, of what the first third did: the largest of both kinds of memory."""
        third = max(1, len(self.rounds) // 3)
        kinds = ([one.largest for one in self.rounds], [one.most for one in self.rounds])
        return max(statistics.median(kind[-third:]) / statistics.median(kind[:third]) for kind in kinds)


def deliver_at_once(settings: Settings, folder: Path, load: Load) -> None:
    """Every supplier at the same moment, each its own deliveries one after another."""
    jobs: dict[str, list[tuple[str, int, Path]]] = {}
    for register in REGISTERS:
        extracts = sorted((folder / "land" / "extracts").glob(f"{register}.csv")) or sorted(
            (folder / "land" / "extracts").glob(f"{register}_[0-9].csv")
        )
        supplier = steps.agreement_of(settings, register)[0].supplier
        jobs.setdefault(supplier, []).extend((register, number, one) for number, one in enumerate(extracts, 1))
    began = time.monotonic()

    def work(supplier: str) -> Delivered:
        rows = 0
        for register, number, source in jobs[supplier]:
            _, file = steps.agreement_of(settings, register)
            made = steps.deliver(
                settings, source, register=register, agreement=file, supplier=supplier, sequence=number
            )
            rows += int(made["rows"]["in"])
        return Delivered(supplier, rows, time.monotonic() - began)

    with highest(together, EVERY) as most, ThreadPoolExecutor(len(jobs)) as pool:
        load.delivered = list(pool.map(work, jobs))
    load.delivering = (time.monotonic() - began, most[0])


def forget(settings: Settings) -> None:
    """An empty TTP again; what suppliers sent stays."""
    for name in ("store", "runs", "releases", "state", "receipts", "certificates"):
        shutil.rmtree(settings.home / name, ignore_errors=True)


def run_once(folder: Path, load: Load) -> Round:
    """`koppel run --direct` in a process of its own."""
    command = [str(Path(sys.executable).parent / "koppel"), "run", "--direct", "--quiet"]
    began = time.monotonic()
    with highest(together, EVERY) as most:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"run {len(load.rounds) + 1} failed: {os.waitstatus_to_exitcode(status)}")
    return Round(time.monotonic() - began, used.ru_maxrss * 1024, most[0])


def run_for(settings: Settings, folder: Path, minutes: float, load: Load) -> None:
    """Run after run; at least three, so that growth can be told."""
    until = time.monotonic() + 60 * minutes
    while len(load.rounds) < 3 or time.monotonic() < until:
        forget(settings)
        load.rounds.append(told := run_once(folder, load))
        console.print(
            f"run {len(load.rounds)}: {told.seconds:.1f} s, {load.rows / told.seconds:,.0f} rows/s, largest process "
            f"{told.largest / 2**20:.0f} MiB, all together {told.most / 2**20:.0f} MiB"
        )


def measure(folder: Path, scale: float, minutes: float) -> Load:
    """The whole bench in a folder."""
    load, settings = Load(scale), demo.prepare(folder, port=4299)
    demo.make_country(folder, scale=scale, seed=2024)
    deliver_at_once(settings, folder, load)
    seconds, most = load.delivering
    console.print(
        f"{len(load.delivered)} suppliers: {load.rows:,} rows in {seconds:.1f} s, {load.rows / seconds:,.0f} rows/s, "
        f"peak of all {most / 2**20:.0f} MiB"
    )
    run_for(settings, folder, minutes, load)
    return load


# The page ------------------------------------------------------------------------------------------------------


def page(load: Load, minutes: float) -> str:
    """docs/performance-load.md."""
    seconds, most = load.delivering
    took = [one.seconds for one in load.rounds]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow"))
    shares = "\n".join(
        f"| {one.supplier} | {one.rows:,} | {one.seconds:.1f} | {one.rows / one.seconds:,.0f} |"
        for one in load.delivered
    )
    shown = [*range(min(5, len(took))), *range(max(5, len(took) - 5), len(took))]
    runs = "\n".join(
        f"| {n + 1} | {load.rounds[n].seconds:.1f} | {load.rows / load.rounds[n].seconds:,.0f} "
        f"| {load.rounds[n].largest / 2**20:,.0f} | {load.rounds[n].most / 2**20:,.0f} |"
        for n in shown
    )
    verdict = "flat" if load.growth <= MOST_GROWTH else "**it grows**"
    return f"""# Load

Made by `make bench-load` on {governance.today().isoformat()}: scale {load.scale:g} (1 is the whole synthetic country),
runs for {minutes:g} minutes. Machine: {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()};
{libraries}. Read ratios, not seconds.

## Suppliers at once

Every supplier starts its tool at the same moment; together {load.rows:,} rows in {seconds:.1f} s,
{load.rows / seconds:,.0f} rows a second, {most / 2**20:,.0f} MiB at most for all processes together.

| supplier | rows | s to its last delivery | rows/s |
| --- | ---: | ---: | ---: |
{shares}

## Run after run

{len(took)} runs from sealed deliveries to release, each from an empty TTP in a process of its own, as the worker starts
them. Seconds: median {statistics.median(took):.1f}, least {min(took):.1f}, most {max(took):.1f}. The last third held
{load.growth:.2f} times the memory of the first third: {verdict} (more than {MOST_GROWTH} fails the bench). First and last
five runs:

| run | s | rows/s | largest process, MiB | all together, MiB |
| ---: | ---: | ---: | ---: | ---: |
{runs}
"""


def main() -> None:
    """Measure, write the page, and fail when memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="koppel-load-"))
    try:
        load = measure(folder / "demo", given.scale, given.minutes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    given.page.write_text(page(load, given.minutes), encoding="utf-8")
    console.print(f"memory: the last third of the runs held {load.growth:.2f} times that of the first third")
    if load.growth > MOST_GROWTH:
        raise SystemExit("memory grows from run to run")


if __name__ == "__main__":
    main()
