"""`make bench-delivery`: one large delivery, made, verified, converted and opened; memory and rows per second of each.

`python -m tests.bench.delivery --gb 5` makes an extract of that size (GMSD, the largest register) in a temporary folder,
runs every verb in a process of its own and prints its peak memory against the limit of 500 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from rich.console import Console

from pseudonymize.ceremony import create_demo_keys
from schemas import agreement as agreements

AGREEMENT = Path(agreements.__file__).parents[1] / "synthetic" / "agreements" / "gmsd.yaml"
LIMIT_MB = 500
HEAD = (
    "verslagperiode;gemeentecode;gemeentecode_brp;bsn;geboortejaar;geslacht;toewijzingsnummer;productcategorie;"
    "leveringsvorm;ingangsdatum;beoogde_einddatum;datum_start;datum_einde;reden_beeindiging;type_aanbieder;"
    "publicatie_toestemming"
)
BATCH = 50_000
FIXED = {
    "verslagperiode": "2022H1",
    "gemeentecode": "0363",
    "gemeentecode_brp": "0363",
    "leveringsvorm": "ZIN",
    "datum_einde": "",
    "reden_beeindiging": "",
    "publicatie_toestemming": "1",
}
MONTHS = {"ingangsdatum": "2021-03", "beoogde_einddatum": "2023-03", "datum_start": "2021-04"}
console = Console(highlight=False)


def numbers(rng: np.random.Generator, count: int) -> list[str]:
    """Synthetic numbers scattered over the space: eight digits at random and the digit that leaves remainder 5."""
    eight = rng.integers(10_000_000, 99_999_999, count + count // 4)
    digits = eight[:, None] // 10 ** np.arange(7, -1, -1) % 10
    last = (digits @ np.arange(9, 1, -1) - 5) % 11
    good = last < 10
    return [f"{a}{b}" for a, b in zip(eight[good][:count], last[good][:count], strict=True)]


def extract(path: Path, size: int, persons: int = 1_200_000, seed: int = 1) -> int:
    """Write GMSD rows until the file has `size` bytes; returns the rows. About as many rows per person as in reality."""
    rng = np.random.default_rng(seed)
    known = pa.array(numbers(rng, persons))
    rows = 0
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
    with path.open("wb") as file:
        file.write(HEAD.encode("ascii") + b"\n")
        while file.tell() < size:
            chosen, day = rng.integers(0, persons, BATCH), rng.integers(1, 29, BATCH)
            pyarrow.csv.write_csv(batch(known, chosen, day, rows), file, write_options=options)
            rows += BATCH
    return rows


def batch(known: pa.Array, chosen: np.ndarray, day: np.ndarray, before: int) -> pa.Table:
    """Rows of these persons, with dates on these days of the month; record keys go on after `before`."""
    keys = pa.array(np.arange(before, before + BATCH)).cast(pa.string())
    days = pc.utf8_lpad(pa.array(day).cast(pa.string()), 2, "0")
    fixed = {name: pa.repeat(value, BATCH) for name, value in FIXED.items()}
    varied = {
        "bsn": known.take(pa.array(chosen)),
        "geboortejaar": pa.array(1930 + chosen % 80),
        "geslacht": pa.array(["M", "V"]).take(pa.array(chosen % 2)),
        "toewijzingsnummer": pc.binary_join_element_wise("T", pc.utf8_lpad(keys, 10, "0"), ""),
        "productcategorie": pa.array([f"0{n}" for n in range(2, 8)]).take(pa.array(chosen % 6)),
        "type_aanbieder": pa.array([f"A{n:02d}" for n in range(90)]).take(pa.array(chosen % 90)),
        **{name: pc.binary_join_element_wise(month, days, "-") for name, month in MONTHS.items()},
    }
    return pa.table({name: varied.get(name, fixed.get(name)) for name in HEAD.split(";")})


def run(*arguments: object) -> tuple[dict[str, object], float, float]:
    """One verb in a process of its own: its answer, seconds, and peak memory in MB."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pseudonymize", *map(str, arguments)]
    with tempfile.TemporaryFile() as answer, subprocess.Popen(command, stdout=answer) as process:
        peak = watched(process)
        answer.seek(0)
        text = answer.read()
    assert process.returncode == 0, text
    return json.loads(text), time.monotonic() - began, peak


def watched(process: subprocess.Popen[bytes]) -> float:
    """Peak memory in MB of a process, read while it runs (VmHWM). Its ru_maxrss would count this process as well:
    it begins at what the parent held when it was forked."""
    peak = 0.0
    while process.poll() is None:
        with contextlib.suppress(OSError, TypeError):
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
            peak = max(peak, int(found[1]) / 1024)  # type: ignore[index]
        time.sleep(0.02)
    return peak


def measure(home: Path, size: int) -> list[tuple[str, float, float, float]]:
    """Verb, rows per second, peak MB and seconds, for a delivery of `size` bytes."""
    create_demo_keys(home / "keys", ["cbs-gemeenten"], [], "koppelpunt-demo", "epoch-1", pre_epoch="run-1")
    source, out, keys = home / "gmsd.csv", home / "0001", home / "keys"
    rows = extract(source, size)
    about = ("--agreement", AGREEMENT, "--public", keys / "public")
    calls: dict[str, tuple[object, ...]] = {
        "deliver": (
            "--source",
            source,
            "--sequence",
            1,
            "--out",
            out,
            "--keys",
            keys / "suppliers/cbs-gemeenten",
            *about,
        ),
        "verify": ("--delivery", out, *about),
        "convert": ("--delivery", out, "--keys", keys / "converter", "--out", home / "link.parquet"),
        "open": ("--delivery", out, "--keys", keys / "linker", "--agreement", AGREEMENT, "--out", home / "p.parquet"),
    }
    found = []
    for verb, call in calls.items():
        _, seconds, peak = run(verb, *call)
        found.append((verb, rows / seconds, peak, seconds))
        console.print(f"{verb:8} {rows:>12,} rows {rows / seconds:>12,.0f} rows/s {peak:>6.0f} MB {seconds:>7.1f} s")
    return found


def main() -> None:
    """Print the measurements; exit code 1 when a process used more than the limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, default=5.0)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="koppel-bench-"))
    try:
        found = measure(home, int(given.gb * 1e9))
    finally:
        shutil.rmtree(home)
    worst = max(peak for _, _, peak, _ in found)
    console.print(f"peak {worst:.0f} MB, {worst / LIMIT_MB:.2f} of the limit of {LIMIT_MB} MB")
    sys.exit(worst > LIMIT_MB)


if __name__ == "__main__":
    main()
