"""A delivery streams: three times the rows take no more memory. The 5 GB measurement is `make bench-delivery`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pseudonymize.ceremony import create_demo_keys
from tests.bench.delivery import AGREEMENT, LIMIT_MB, extract, watched

SCRIPT = """
import sys
from pathlib import Path
from pseudonymize import commands, deliver
from schemas import reading
reading.CSV_BLOCK = 128 << 10  # many small batches: the plateau is reached by the smaller extract already
real = deliver.deliver
commands.tool.deliver = lambda *a, **k: real(*a, limit=1 << 20, temporary=Path(sys.argv[4]), **k)
home, agreement, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
keys = home / "keys"
made = commands.deliver(home / "gmsd.csv", agreement, keys / "suppliers/cbs-gemeenten", keys / "public", 1, out)
assert made.accepted == made.rows_in
"""


def peak(*arguments: object) -> float:
    """Peak memory in MB of a process of its own."""
    with subprocess.Popen([sys.executable, *map(str, arguments)], stdout=subprocess.DEVNULL) as process:
        found = watched(process)
    assert process.returncode == 0
    return found


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same supplier with an extract of 100,000 rows and one of 300,000."""
    found = []
    for size in (1, 3):
        home = tmp_path_factory.mktemp(f"size{size}")
        create_demo_keys(home / "keys", ["cbs-gemeenten"], [], "koppelpunt-demo", "epoch-1", pre_epoch="run-1")
        extract(home / "gmsd.csv", size * 9_300_000, persons=5_000)
        found.append(home)
    return found


def test_three_times_the_rows_take_no_more_memory_to_deliver_convert_or_open(homes: list[Path]) -> None:
    """All of the larger extract in memory would be more than 60 MB of Arrow tables on top, and copies of them."""
    used: dict[str, list[float]] = {"deliver": [], "convert": [], "open": []}
    for home in homes:
        (home / "tmp").mkdir()
        used["deliver"].append(peak("-c", SCRIPT, home, AGREEMENT, home / "0001", home / "tmp"))
        sealed = ("-m", "pseudonymize")
        used["convert"].append(
            peak(
                *sealed,
                "convert",
                "--delivery",
                home / "0001",
                "--keys",
                home / "keys/converter",
                "--out",
                home / "l.pq",
            )
        )
        opened = ("--keys", home / "keys/linker", "--agreement", AGREEMENT, "--out", home / "p.pq")
        used["open"].append(peak(*sealed, "open", "--delivery", home / "0001", *opened))
    for verb, (small, large) in used.items():
        assert large < LIMIT_MB, verb
        assert large - small < 60, (verb, small, large)
