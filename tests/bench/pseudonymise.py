"""`make bench-pseudo`: rows per CPU second of every stage of pseudonymisation; writes docs/performance-pseudonymise.md.

CPU seconds (process_time, all threads together) are the primary number: the machine may be shared. Every line is the
best of three rounds, since load only ever adds. Peers run in the same process: a plain hmac loop, hmac.digest, pyca's
HMAC.copy; kernel and `openssl speed`, whose ratio is asked, take turns. Synthetic numbers alone.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console

from pseudonymize import fast, prf
from pseudonymize import ristretto as group
from pseudonymize.blind_group import SUITE, prove, spread, verify
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.columns import canonical_bsn, fixed_bytes, pseudonyms
from pseudonymize.oprf import inverses
from pseudonymize.secret import Secret
from tests.bench import ingest
from tests.bench.delivery import watched
from tests.bench.pseudonymise_page import Bound, Line, Measured, Straight, page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance-pseudonymise.md"
BATCH = 131_072
ROUNDS, TURNS = 3, 7
KEY = Secret(bytes(range(32)))
console = Console(highlight=False)


def timed(name: str, rows: int, work: Callable[[], object], rounds: int = ROUNDS) -> Line:
    """The best of some rounds."""
    return best([once(name, rows, work) for _ in range(rounds)])


def once(name: str, rows: int, work: Callable[[], object]) -> Line:
    """One round in this process."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Line(name, rows, time.process_time() - cpu, time.monotonic() - wall)


def best(lines: list[Line]) -> Line:
    """The round that cost least, and the shortest time any round took; printed."""
    least = min(lines, key=lambda one: one.cpu)
    line = Line(least.name, least.rows, least.cpu, min(one.wall for one in lines))
    console.print(f"{line.name:<58}{line.rate:>14,.0f} rows/CPU s {line.rows / line.wall:>14,.0f} rows/s")
    return line


def numbers(persons: int) -> Iterator[pa.Array]:
    """Distinct numbers that can never be a BSN (remainder 5), as text, in batches."""
    weights = np.array((9, 8, 7, 6, 5, 4, 3, 2))
    left, start = persons, 10_000_000
    while left:
        eight = np.arange(start, start + BATCH)
        start += BATCH
        digits = eight[:, None] // 10 ** np.arange(7, -1, -1) % 10
        last = ((digits * weights).sum(axis=1) - 5) % 11
        some = np.column_stack([digits, last])[last < 10][:left]
        left -= len(some)
        yield fixed(some.astype(np.uint8) + ord("0")).cast(pa.string())


def fixed(rows: np.ndarray) -> pa.Array:
    """A matrix of bytes as fixed size binary."""
    raw = np.ascontiguousarray(rows).tobytes()
    made = pa.Array.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, pa.py_buffer(raw)])
    return made.cast(pa.binary())


def national(persons: int) -> list[Line]:
    """Every stage on all persons of a country, batch by batch as the tools work."""
    text = list(numbers(persons))
    pre, link = prf.pre(KEY, "demo", "run-1", "NL:BSN"), prf.link(KEY, "demo", "epoch-1")
    out = prf.recipient(KEY, "demo", "gemeente", "epoch-1")
    made: dict[str, list[pa.Array]] = {}

    def keep(name: str, work: Callable[[pa.Array], pa.Array], given: list[pa.Array]) -> Callable[[], None]:
        def stage() -> None:
            made[name] = []  # of an earlier round: a country of pseudonyms is half a gigabyte
            made[name].extend(map(work, given))

        return stage

    def stage(name: str, what: str, function: prf.Prf, given: list[pa.Array]) -> Line:
        return timed(what, persons, keep(name, lambda one: pseudonyms(function, one), given))

    canon = keep("bsn", lambda one: canonical_bsn(one, synthetic=True).values, text)
    lines = [timed("canonical form and 11-proef, from text", persons, canon)]
    assert sum(len(one) - one.null_count for one in made["bsn"]) == persons
    lines.append(stage("pre", "pre: column to column (2 compressions)", pre, made["bsn"]))
    lines.append(stage("link", "link: column to column (3 compressions)", link, made["pre"]))
    assert made["pre"][0][0].as_py() == pre.one(made["bsn"][0][0].as_py())
    del made["bsn"], made["pre"]
    lines.append(stage("out", "recipient: column to column (3 compressions)", out, made["link"]))
    return lines


def hashes(count: int) -> tuple[list[Line], Bound]:
    """The bare function, kernel and reference and peers, on numbers back to back."""
    raw = b"".join(fixed_bytes(canonical_bsn(one, synthetic=True).values) for one in numbers(count))
    few = raw[: 9 * 200_000]
    prefix = prf.encode(b"ttp/pre/v1", b"demo", b"run-1", b"NL:BSN") + (9).to_bytes(4, "big")
    stage, values = prf.pre(KEY, "demo", "run-1", "NL:BSN"), [few[i : i + 9] for i in range(0, len(few), 9)]
    link, key = prf.link(KEY, "demo", "epoch-1"), KEY.reveal()
    pseudonymous = stage.fixed(raw, 9)
    assert pseudonymous[:32] == hmac.digest(key, prefix + values[0], "sha256")
    parts = [raw[i : i + 9 * BATCH] for i in range(0, len(raw), 9 * BATCH)]  # as the tools call it: batch by batch
    wide = [pseudonymous[i : i + 32 * BATCH] for i in range(0, len(pseudonymous), 32 * BATCH)]
    kernel, bound = beside_openssl(count, lambda: [stage.fixed(p, 9) for p in parts])
    return [
        kernel,
        timed(
            "kernel, pre: 54-byte message, 2 compressions, 2 threads", count, lambda: [stage.fixed(p, 9) for p in parts]
        ),
        timed("kernel, link: 70-byte message, 3 compressions", count, lambda: [link.fixed(p, 32) for p in wide]),
        timed("reference: pyca HMAC.copy", len(values), lambda: stage.reference(few, 9)),
        timed("hmac.digest", len(values), lambda: [hmac.digest(key, prefix + v, "sha256") for v in values]),
        timed(
            "plain loop: hmac.new().digest()",
            len(values),
            lambda: [hmac.new(key, prefix + v, hashlib.sha256).digest() for v in values],
        ),
    ], bound


def beside_openssl(count: int, work: Callable[[], object]) -> tuple[Line, Bound]:
    """The kernel in one thread and OpenSSL's SHA-256 in one thread, in turns: rounds of about a second each."""
    lines, bounds, threads = [], [], fast.THREADS
    fast.THREADS = 1
    try:
        for _ in range(TURNS):
            bounds.append(openssl("-bytes", "16384", "-evp", "sha256") / 128)
            lines.append(once("kernel, pre: 54-byte message, 2 compressions, 1 thread", count, work))
    finally:
        fast.THREADS = threads
    ratios = sorted(line.rate / bound for line, bound in zip(lines, bounds, strict=True))
    return best(lines), Bound(max(bounds), ratios)


def openssl(*arguments: str) -> float:
    """Bytes per CPU second that `openssl speed` reports."""
    command = ["openssl", "speed", "-seconds", "1", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.findall(r"([\d.]+)k\s*$", told, re.MULTILINE)[-1]) * 1000


def blind(count: int) -> list[Line]:
    """Blind mode, by step and party."""
    key, public = SUITE.derive_key_pair(bytes(32), b"bench")
    values = [b"%09d" % number for number in range(count)]
    blinds = [group.random_scalar() for _ in values]
    blinded: list[bytes] = []
    evaluated: list[bytes] = []
    proofs: list[bytes] = []

    def ask() -> None:
        blinded[:] = spread(lambda pair: SUITE.blind(*pair), list(zip(values, blinds, strict=True)))

    def evaluate() -> None:
        evaluated[:] = spread(lambda one: group.times(key.reveal(), group.require_element(one)), blinded)

    def finish() -> None:
        spread(lambda three: SUITE.finalize(*three), list(zip(values, inverses(blinds), evaluated, strict=True)))

    lines = [timed("blind, source: hash to group, blind", count, ask)]
    lines.append(timed("blind, evaluator: evaluate", count, evaluate))
    lines.append(
        timed("blind, evaluator: one proof", count, lambda: proofs.append(prove(key, public, blinded, evaluated)))
    )
    lines.append(timed("blind, source: verify", count, lambda: verify(public, blinded, evaluated, proofs[0])))
    lines.append(timed("blind, source: unblind, hash", count, finish))
    return lines


def tool(extract: Path, folder: Path) -> tuple[list[Line], float]:
    """The supplier tool and the converter on an extract, each in its own process; and the peak memory in MiB."""
    create_demo_keys(folder / "keys", ["cbs-gemeenten"], ["onderzoek"], "koppelpunt-demo", "epoch-1", pre_epoch="run-1")
    agreement, keys = ROOT / "synthetic" / "agreements" / "gmsd.yaml", folder / "keys"
    own = ("--keys", keys / "suppliers" / "cbs-gemeenten", "--public", keys / "public")
    lines: dict[str, list[Line]] = {"deliver: CSV to sealed delivery": [], "convert: sealed to link Parquet": []}
    peaks = []
    for number in range(ROUNDS):
        out = folder / f"round-{number}"
        calls = (
            ("deliver", "--source", extract, "--agreement", agreement, "--sequence", 1, "--out", out, *own),
            ("convert", "--delivery", out, "--keys", keys / "converter", "--out", folder / f"{number}.parquet"),
        )
        for name, call in zip(lines, calls, strict=True):
            began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            answer, peak = child("pseudonymize", *call)
            rows = answer["rows"]["in"] if isinstance(answer["rows"], dict) else answer["rows"]
            if answer["hmac"]["kernel"] != fast.ON:
                console.print(f"{name}: {answer['hmac']}")
            lines[name].append(Line(name, rows, since(began[0]), time.monotonic() - began[1]))
            peaks.append(peak)
        shutil.rmtree(out)
    return [best(rounds) for rounds in lines.values()], max(peaks)


def child(module: str, *arguments: object) -> tuple[dict[str, Any], float]:
    """What a module answers, run in a process of its own, and the peak memory of that in MiB."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile() as told, subprocess.Popen(command, stdout=told, cwd=ROOT) as process:
        peak = watched(process)
        told.seek(0)
        text = told.read()
    assert process.returncode == 0, text
    return json.loads(text), peak


def since(before: resource.struct_rusage) -> float:
    """CPU seconds of the children that ended since."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def straight(rows: int, folder: Path) -> Straight:
    """T3 as the design names it (tests/bench/ingest.py), with a key of 16 and of 32 bytes."""
    ingest.extract(folder / "seven.csv", rows)
    lines, peaks, clear = [], [], 0
    for size in (16, 32):
        name = f"CSV of 7 columns to sorted Parquet, key of {size} bytes"
        told = [_ingested(folder, size, number) for number in range(ROUNDS)]
        found = [Line(name, one["rows"], one["cpu"], one["wall"]) for one in told]
        lines.append(best(found))
        peaks.append(max(one["peak"] for one in told))
        clear += sum(one["clear"] for one in told)
    return Straight(lines, peaks, clear)


def _ingested(folder: Path, size: int, number: int) -> dict[str, Any]:
    """What one run says of itself."""
    home = folder / f"sorted-{size}-{number}"
    home.mkdir()
    told, _ = child("tests.bench.ingest", folder / "seven.csv", home, "--size", size, "--began", time.monotonic())
    shutil.rmtree(home)
    assert told["hmac"] == fast.ON
    return told


def main() -> None:
    """Measure and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--persons", type=int, default=18_000_000)
    options.add_argument("--hashes", type=int, default=4_000_000)
    options.add_argument("--elements", type=int, default=16_384)
    options.add_argument("--rows", type=int, default=5_000_000, help="of the extract for T3")
    options.add_argument("--extract", type=Path, help="a GMSD extract; without one, scale 1 is made")
    options.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    given = options.parse_args()
    os.environ["KOPPEL_FAST"] = "0"
    if not fast.ready(1):
        raise SystemExit(f"the kernel is not in use: {fast.state()['reason']}")
    folder = Path(tempfile.mkdtemp(prefix="koppel-bench-"))
    try:
        measured = measure(given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    given.page.write_text(page(measured), encoding="utf-8")
    console.print(given.page.read_text(encoding="utf-8"), markup=False)


def measure(given: argparse.Namespace, folder: Path) -> Measured:
    """Every part, from the smallest to the largest."""
    console.print(
        f"load average {os.getloadavg()[0]:.1f}; the function, {given.hashes:,} values, in turns with openssl"
    )
    function, bound = hashes(given.hashes)
    console.print(f"blind mode, {given.elements:,} elements")
    blindly = blind(given.elements)
    console.print(f"a country, {given.persons:,} persons")
    country = national(given.persons)
    del os.environ["KOPPEL_FAST"]  # the tools decide for themselves
    console.print(f"T3 as the design names it, {given.rows:,} rows")
    straightly = straight(given.rows, folder)
    console.print("the tools, on the largest register")
    tools, peak = tool(given.extract or made(folder), folder)
    speed = openssl("-bytes", "16", "-hmac", "sha256") / 16
    load = os.getloadavg()[1]
    return Measured(function, bound, speed, country, straightly, tools, peak, blindly, load)


def made(folder: Path) -> Path:
    """The synthetic GMSD at scale 1."""
    from synthetic import country

    country.make(folder / "country", scale=1.0, seed=2024)
    return folder / "country" / "extracts" / "gmsd_1.csv"


if __name__ == "__main__":
    main()
