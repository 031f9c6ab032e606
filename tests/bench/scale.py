"""`make bench-scale`: the joins and the statements of the linkage at 0.18, 1.8 and 18 million persons, two cores, 1 GB.

Tables are made straight as linked-side Parquet (keys are hashes of a counter: as random as pseudonyms, and the same in
every run). Every measured step is a process of its own: CPU seconds, peak memory, rows and a checksum. The same joins
are hand-written in Polars and done by Splink's deterministic linkage, in the same run. Writes docs/performance-scale.md.
"""

from __future__ import annotations

import argparse
import json
import math
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
from tests.bench.watching import highest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance-scale.md"
SIZES = (180_000, 1_800_000, 18_000_000)
GROWTH = math.log(5.2, 4)  # at most 5.2 times the CPU per fourfold rows
ROUNDS = 3
console = Console(highlight=False)
Found = dict[str, Any]
OTHERS = {other for other, _ in steps.PEERS}  # measured beside ours, and not judged
JUDGED = {True: "held", False: "NOT HELD", None: "not judged at this size"}


def measured(step: str, folder: Path, rounds: int = 1) -> Found:
    """The step in a process of its own; the round with the least CPU. What was measured in a kept folder stands."""
    told = folder / f"{step}.json"
    if told.exists():
        return dict(json.loads(told.read_text(encoding="utf-8")))
    best: Found = {}
    for _ in range(rounds):
        command = [sys.executable, "-m", "tests.bench.scale", "--step", step, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            return _failed(done.stderr, told if step in OTHERS else None)
        found: Found = json.loads(done.stdout.splitlines()[-1])
        best = found if not best or found["cpu"] < best["cpu"] else best
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


def at(persons: int, home: Path, *, kept: bool) -> dict[str, Found]:
    """Every step at one size; a kept folder goes on where it was, and its tables stay."""
    console.print(f"[bold]{persons:,} persons[/bold]")
    folder = home / str(persons)
    folder.mkdir(exist_ok=True)
    (folder / "persons").write_text(str(persons), encoding="utf-8")
    for name in ("make", "store"):
        measured(name, folder)
    once = {"linked"} if persons <= SIZES[1] else {"linked", "asof", *OTHERS}  # minutes each
    found = {name: measured(name, folder, 1 if name in once else ROUNDS) for name in steps.MEASURED}
    found["files"] = {name: (folder / f"{name}.parquet").stat().st_size / 1e6 for name in ("wmo", "wmo32")}
    if not kept:
        shutil.rmtree(folder)
    return found


def ratio(found: dict[str, Found], a: str, b: str, key: str = "cpu") -> float:
    """How often a takes what b takes."""
    return float("nan") if key not in found[a] or key not in found[b] else found[a][key] / found[b][key]


def targets(found: dict[int, dict[str, Found]]) -> list[tuple[str, str, str, bool | None]]:
    """Id, what, measured, held: at the largest size measured. T4 and T9 are judged at 18 million only."""
    size, big = max(found), found[max(found)]
    told = f"at {size:,} persons"
    chain, spill = big["chain"].get("wall", math.nan), big["chain"].get("spill", 0)
    national = size >= SIZES[-1]
    lines: list[tuple[str, str, str, bool | None]] = [
        (
            "T4",
            f"three links and the table, {told}: 8 s in 1 GB at 18 million, no spill",
            f"{chain:.1f} s, spill {spill / 1e6:.0f} MB",
            (chain <= 8 and not spill) if national else None,
        ),
        (
            "T6",
            "16-byte key, join CPU at most 0.70 of a 32-byte one",
            f"{ratio(big, 'interval', 'interval32'):.2f}",
            ratio(big, "interval", "interval32") <= 0.7,
        ),
        (
            "T6",
            "16-byte key, file at most 0.76",
            f"{big['files']['wmo'] / big['files']['wmo32']:.2f}",
            big["files"]["wmo"] <= 0.76 * big["files"]["wmo32"],
        ),
        (
            "T7",
            "interval form at most 0.50 of ASOF, equal rows",
            f"{ratio(big, 'interval', 'asof'):.2f}",
            ratio(big, "interval", "asof") <= 0.5 and equal(big, "interval", "asof"),
        ),
        (
            "T9",
            "16 prefix buckets at most 1.30 of one process, equal rows",
            f"{ratio(big, 'buckets', 'interval_process'):.2f}",
            (ratio(big, "buckets", "interval_process") <= 1.3 and equal(big, "buckets", "interval"))
            if national
            else None,
        ),
    ]
    judged = [(step, of_step, step) for step in steps.MEASURED if step not in OTHERS]
    judged += [(name, of_statement, f"statement {name}") for name in big["linked"].get("answer", {})]
    for name, cpu, told in judged:
        power = exponent(found, name, cpu)
        if power is not None:
            lines.append(("T5", f"growth of {told}: exponent at most {GROWTH:.2f}", f"{power:.2f}", power <= GROWTH))
    return lines


def equal(found: dict[str, Found], a: str, b: str) -> bool:
    """Whether two steps gave one answer; a step that failed gave none."""
    return "answer" in found[a] and found[a]["answer"] == found[b].get("answer")


def unequal(found: dict[int, dict[str, Found]]) -> list[str]:
    """Peers that ran, and answered otherwise than we did."""
    return [
        f"{a} at {size:,}"
        for size, one in sorted(found.items())
        for a, b in steps.PEERS
        if "answer" in one[a] and not equal(one, a, b)
    ]


def exponent(
    found: dict[int, dict[str, Found]], name: str, cpu: Callable[[dict[str, Found], str], Any]
) -> float | None:
    """Power of the number of persons that CPU grows with, between the two largest sizes; None below 0.2 CPU s."""
    if len(found) < 2:
        return None
    small, big = sorted(found)[-2:]
    took = [cpu(found[size], name) for size in (small, big)]
    if None in took or took[0] is None or took[1] is None or took[0] < 0.05 or took[1] < 0.2:
        return None
    return math.log(took[1] / took[0]) / math.log(big / small)


def of_step(found: dict[str, Found], name: str) -> float | None:
    """CPU seconds of a step."""
    return found[name].get("cpu")


def of_statement(found: dict[str, Found], name: str) -> float | None:
    """CPU seconds of one statement of the linkage."""
    return found["linked"].get("answer", {}).get(name)


def page(found: dict[int, dict[str, Found]]) -> str:
    """docs/performance-scale.md."""
    told = f"these answers differ: {', '.join(wrong)}" if (wrong := unequal(found)) else "the answers are equal"
    text = [steps.HEAD, "| target | what | measured | held |", "| --- | --- | --- | --- |"]
    text += [f"| {a} | {b} | {c} | {JUDGED[d]} |" for a, b, c, d in targets(found)]
    text += [
        "",
        "## Beside others, in the same run",
        "",
        f"CPU seconds as a multiple of ours; {told}.",
        "",
    ]
    text += [
        "| persons | " + " | ".join(f"{a} / {b}" for a, b in steps.PEERS) + " |",
        "| ---: |" + " ---: |" * len(steps.PEERS),
    ]
    for size, one in sorted(found.items()):
        ratios = ((ratio(one, a, b), "failed" in one[a]) for a, b in steps.PEERS)
        text.append(f"| {size:,} | " + " | ".join("failed" if bad else f"{r:.1f}" for r, bad in ratios) + " |")
    text += ["", "## Every step", "", "CPU seconds / peak memory in GB.", ""]
    sizes = sorted(found)
    text += ["| step | " + " | ".join(f"{size:,}" for size in sizes) + " |", "| --- |" + " ---: |" * len(sizes)]
    for name in steps.MEASURED:
        cells = (
            f"{found[s][name]['cpu']:.2f} / {found[s][name]['rss'] / 1e6:.2f}"
            if "cpu" in found[s][name]
            else found[s][name]["failed"]
            for s in sizes
        )
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    text += [
        "",
        "## The whole linkage",
        "",
        "CPU seconds of each statement, and of each table written, above 0.2 at the largest size.",
        "",
    ]
    text += ["| statement | " + " | ".join(f"{size:,}" for size in sizes) + " |", "| --- |" + " ---: |" * len(sizes)]
    for name, took in found[sizes[-1]]["linked"].get("answer", {}).items():
        if took >= 0.2:
            cells = (f"{of_statement(found[s], name) or 0:.2f}" for s in sizes)
            text.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*text, "", steps.TAIL])


def main() -> None:
    """Measure every size asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
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
