"""`make bench`: the national run and the pseudonymisation stages, as ratios in one run; writes docs/performance.md.

Peers: a plain Python hmac loop, and the limit `openssl speed` gives for HMAC-SHA-256 on 64-byte blocks.
`python -m tests.bench --scales 1` leaves the larger scales out.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from pseudonymize import prf
from pseudonymize.secret import Secret

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
ROWS = 1_000_000
console = Console(highlight=False)


# Pseudonymisation ----------------------------------------------------------------------------------------------


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Rows per CPU second, best of three."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return ROWS / min(took)


def plain_loop(values: list[bytes], prefix: bytes) -> list[bytes]:
    """What a newcomer would write: one hmac.new per value."""
    key = bytes(range(32))
    return [hmac.new(key, prefix + b"\0\0\0\x09" + value, hashlib.sha256).digest() for value in values]


def openssl_limit() -> float:
    """HMACs per second of `openssl speed` on 64-byte blocks, one core."""
    command = ["openssl", "speed", "-seconds", "2", "-bytes", "64", "-hmac", "sha256"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kilobytes = float(re.findall(r"([\d.]+)k\s*$", told, re.MULTILINE)[-1])
    return kilobytes * 1000 / 64


def stages() -> list[tuple[str, float]]:
    """Rows per second per core of each path."""
    key, numbers = Secret(bytes(range(32))), [b"%09d" % n for n in range(ROWS)]
    pre, link = prf.pre(key, "demo", "run-1", "NL:BSN-SYN"), prf.link(key, "demo", "epoch-1")
    joined = b"".join(numbers)
    pseudonyms = pre.fixed(joined, 9)
    prefix = prf.encode(b"ttp/pre/v1", b"demo", b"run-1", b"NL:BSN-SYN")
    assert pre.fixed(joined[:9], 9) == plain_loop(numbers[:1], prefix)[0]
    return [
        ("pre: BSN to pre-pseudonym", best(lambda: pre.fixed(joined, 9))),
        ("convert: pre-pseudonym to link", best(lambda: link.fixed(pseudonyms, 32))),
        ("plain Python hmac loop", best(lambda: plain_loop(numbers, prefix))),
        ("openssl speed, HMAC-SHA-256, 64 bytes", openssl_limit()),
    ]


# The whole run -------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One demo: rows delivered, seconds per kind of step, peak memory of all its processes together."""

    scale: float
    rows: int
    steps: dict[str, float]
    wall: float
    peak_gib: float

    @property
    def total(self) -> float:
        """End to end without making the country."""
        return self.wall - self.steps.get("synthetic country", 0.0)

    def of(self, kind: str) -> float:
        """Seconds of steps whose name begins with `kind`."""
        return sum(seconds for name, seconds in self.steps.items() if name.startswith(kind))


def measure(scale: float, *, direct: bool) -> Run:
    """Run the demo in a folder that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="koppel-bench-"))
    command = [
        str(Path(sys.executable).parent / "koppel"),
        "demo",
        "--out",
        str(folder / "demo"),
        "--scale",
        str(scale),
    ]
    try:
        began = time.monotonic()
        process = subprocess.Popen(
            [*command, "--json", *(["--direct"] if direct else [])],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        peak = _watch(process)
        told = process.communicate()[1]
        wall = time.monotonic() - began
        if process.returncode:
            raise SystemExit(f"scale {scale:g} failed: {told.strip().splitlines()[-1]}")  # data-free by construction
        lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        rows = next(line["rows"] for line in lines if line["step"] == "synthetic country")
        return Run(scale, rows, {line["step"]: line["seconds"] for line in lines}, wall, peak[0] / 2**30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watch(process: subprocess.Popen[str]) -> list[float]:
    """Peak of the summed proportional memory of the session's processes, sampled from /proc."""
    peak = [0.0]

    def sample() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], sum(_pss(int(pid)) for pid in _pids() if _ours(pid, process.pid)))
            time.sleep(2)  # adding up the memory of a large process stops it for a while: at 0.5 s it cost 5 of 65 s

    threading.Thread(target=sample, daemon=True).start()
    return peak


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def _ours(pid: str, session: int) -> bool:
    try:
        return os.getsid(int(pid)) == session
    except (ProcessLookupError, PermissionError):
        return False


def _pss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return float(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024  # type: ignore[index]
    except (OSError, TypeError):
        return 0.0


# The page ------------------------------------------------------------------------------------------------------


def page(paths: list[tuple[str, float]], runs: list[Run], national: Run | None, took: list[float]) -> str:
    """docs/performance.md."""
    lines = ["# Performance", "", "Made by `make bench`; read ratios, not seconds. Synthetic data.", "", machine(), ""]
    lines += [
        "## Pseudonymisation, rows per second per core",
        "",
        "| path | rows/s/core | of the plain loop | of the openssl limit |",
    ]
    lines += ["| --- | ---: | ---: | ---: |"]
    plain, limit = paths[2][1], paths[3][1]
    lines += [f"| {name} | {rate:,.0f} | {rate / plain:.2f} | {rate / limit:.2f} |" for name, rate in paths]
    lines += ["", "## End to end, without making the country", ""]
    lines += [
        "| scale | rows | deliver s | intake s | link s | estimate s | export s | publish s | total s | link share | peak GiB |",
        "|" + " ---: |" * 11,
    ]
    for run in runs:
        lines.append(
            f"| {run.scale:g} | {run.rows:,} | {run.of('deliver'):.1f} | {run.of('intake'):.1f} | {run.of('link'):.1f} "
            f"| {run.of('estimate'):.1f} | {run.of('recipient') + run.of('export'):.1f} | {run.of('publish'):.1f} | {run.total:.1f} | {run.of('link') / run.total:.2f} | {run.peak_gib:.2f} |"
        )
    lines += [
        "",
        "Two deliveries, two intakes, and estimate and export run side by side: their seconds add up to more than the total.",
        "",
    ]
    if national is not None:
        lines += [
            f"Scale 1 on the embedded Prefect server: {national.total:.1f} s in total, {national.peak_gib:.2f} GiB.",
            "",
        ]
    lines += [limits(runs[0], took), growth(runs), ""]
    lines += ["More: [pseudonymisation](performance-pseudonymise.md), [load](performance-load.md)."]
    return "\n".join(lines) + "\n"


def limits(run: Run, took: list[float]) -> str:
    """The run of scale 1 in the middle beside what is asked of it; `took`: seconds of each of them."""
    seconds, gib = ("held" if run.total < 60 else "NOT held"), ("held" if run.peak_gib < 2 else "NOT held")
    told = f"Scale 1 is the middle one of {len(took)} runs ({', '.join(f'{one:.1f}' for one in sorted(took))} s). "
    asked = f"Asked: under 60 s ({seconds}), under 2 GiB ({gib}): {run.rows / run.total:,.0f} rows a second. "
    return told + asked + "Linking has 1 GB for each four countries."


def growth(runs: list[Run]) -> str:
    """Exponent b of total = a * rows^b between the smallest and the largest scale, and of linking alone."""
    if len(runs) < 2:
        return ""
    first, last = runs[0], runs[-1]
    ratio = math.log(last.rows / first.rows)
    whole, link = math.log(last.total / first.total) / ratio, math.log(last.of("link") / first.of("link")) / ratio
    return f"Growth exponent from scale {first.scale:g} to {last.scale:g}: total {whole:.2f}, linking {link:.2f} (1 is linear)."


def machine() -> str:
    """Machine and versions in one line."""
    names = ("duckdb", "pyarrow", "numpy", "prefect", "cryptography", "pyrage")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    told = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}; {told}."


def measured(scale: float) -> Run:
    """One run of all steps without Prefect, with a line about it."""
    run = measure(scale, direct=True)
    told = f"scale {scale:>5g}: {run.rows:>12,} rows {run.total:>8.1f} s, link {run.of('link'):.1f} s"
    console.print(f"{told}, {run.peak_gib:.2f} GiB")
    return run


def main() -> None:
    """Measure and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scales", default="1,4,16")
    options.add_argument("--rounds", type=int, default=3, help="runs of scale 1, of which the middle one is shown")
    options.add_argument("--no-prefect", action="store_true")
    given = options.parse_args()
    paths = stages()
    for name, rate in paths:
        console.print(f"{name:<42}{rate:>14,.0f} rows/s/core")
    runs: list[Run] = []
    national: Run | None = None
    took: list[float] = []
    for scale in (float(s) for s in given.scales.split(",")):
        tried = [measured(scale) for _ in range(given.rounds if scale == 1 else 1)]
        runs.append(sorted(tried, key=lambda run: run.total)[len(tried) // 2])
        took += [run.total for run in tried if scale == 1]
        if national is None and not given.no_prefect:
            national = measure(1.0, direct=False)
            console.print(f"scale     1 on Prefect: {national.total:.1f} s, {national.peak_gib:.2f} GiB")
        PAGE.write_text(page(paths, runs, national, took), encoding="utf-8")  # a larger scale may fail: this stands
    console.print(PAGE.read_text(encoding="utf-8"), markup=False)


if __name__ == "__main__":
    main()
