"""`python -m tests.bench.hsm`: HMACs per second through SoftHSM2, as a ratio to the file store on the same values.

One process, one core; a hardware device has a ratio of its own, which this program measures as well when
--module, --token and --pin name it. Peers: the file store's reference path and its fast path.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pseudonymize import prf, store
from pseudonymize.secret import Secret
from pseudonymize.store import Store
from tests import softhsm

WIDTH = 32  # bytes of a pre-pseudonym
console = Console(highlight=False)


def rate(run: Callable[[bytes], bytes], rows: int) -> tuple[float, float]:
    """Rows per second on the clock and per second of processor time: the best of three passes over `rows` values.

    SoftHSM2 works in this very process, so on a busy machine the second is the one to compare.
    """
    values = os.urandom(WIDTH * rows)
    wall = cpu = 0.0
    for _ in range(3):
        started, used = time.perf_counter(), time.process_time()
        run(values)
        wall = max(wall, rows / (time.perf_counter() - started))
        cpu = max(cpu, rows / max(time.process_time() - used, 1e-9))
    return wall, cpu


def device(folder: Path, given: argparse.Namespace) -> Store:
    """A store with a device: the one named, else a fresh SoftHSM2 token."""
    if given.module:
        return store.create(folder / "c", kek="../kek", module=given.module, token=given.token, pin=str(given.pin))
    softhsm.configure(folder)
    made = softhsm.token(folder / "pin", "bench")
    return store.create(folder / "c", kek="../kek", module=made.module, token=made.label, pin=str(made.pin))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    for name in ("module", "token"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--pin", type=Path)
    given = parser.parse_args()
    if softhsm.module() is None and not given.module:
        console.print("SoftHSM2 is not installed (Debian package softhsm2)")
        return
    raw = Secret(secrets.token_bytes(32))
    with tempfile.TemporaryDirectory() as folder:
        vault = device(Path(folder), given).of_kind("link")
        remote = prf.link(vault.open(vault.keep(raw)), "bench", "e")
        local = prf.link(raw, "bench", "e")
        values = os.urandom(WIDTH * 1_000)
        assert remote.fixed(values, WIDTH) == local.fixed(values, WIDTH) == local.reference(values, WIDTH)
        local.fixed(os.urandom(WIDTH * given.rows), WIDTH)  # compiles the kernel, where there is one
        rates = {
            "device": rate(lambda v: remote.fixed(v, WIDTH), given.rows),
            "file store, reference": rate(lambda v: local.reference(v, WIDTH), given.rows),
            "file store, as used": rate(lambda v: local.fixed(v, WIDTH), 10 * given.rows),
        }
    table = Table("store", "rows/s", "rows per CPU second", "ratio (CPU)", box=None)
    for name, (wall, cpu) in rates.items():
        table.add_row(name, f"{wall:,.0f}", f"{cpu:,.0f}", f"{cpu / rates['device'][1]:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
