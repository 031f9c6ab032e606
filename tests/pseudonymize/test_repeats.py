"""A business key delivered twice is found in an extract of any size, in bounded memory; nothing on disk tells it."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cryptography.exceptions import InvalidTag

from pseudonymize import intake
from pseudonymize.buckets import Buckets
from pseudonymize.deliver import check
from pseudonymize.repeats import Repeats, Sieve
from pseudonymize.unique import Seen
from schemas import injus, reading
from schemas.errors import QualityGate
from tests.pseudonymize.conftest import INJUS_HEAD, injus_row

KEY, WORD = "M2026-", "herkenbaar"


def rows(keys: list[int | None], start: int = 0) -> tuple[pa.Table, pa.Array]:
    texts = [None if key is None else f"{KEY}{key:05d}" for key in keys]
    table = pa.table({"key": pa.array(texts, pa.string()), "word": [WORD] * len(keys)})
    return table, pa.array(range(start, start + len(keys)), pa.int64())


def kept(repeats: Repeats, batches: list[list[int | None]]) -> tuple[list[int], list[int]]:
    """Row numbers that count and row numbers set aside, of a whole extract."""
    first: list[int] = []
    aside: list[int] = []
    start = 0
    for keys in batches:
        table, numbers = rows(keys, start)
        repeated, undecided = repeats.split(table, numbers)
        assert not (repeated & undecided).any()
        first += np.asarray(numbers)[~repeated & ~undecided].tolist()
        aside += np.asarray(numbers)[repeated].tolist()
        start += len(keys)
    for table, numbers, repeated in repeats.rest():
        assert table.column_names == ["key", "word"] and table["word"].to_pylist() == [WORD] * len(numbers)
        first += np.asarray(numbers)[~repeated].tolist()
        aside += np.asarray(numbers)[repeated].tolist()
    return sorted(first), sorted(aside)


def expected(batches: list[list[int | None]]) -> tuple[list[int], list[int]]:
    known: set[int] = set()
    first, aside = [], []
    for number, key in enumerate(key for batch in batches for key in batch):
        (aside if key in known else first).append(number)
        known |= set() if key is None else {key}
    return first, aside


@pytest.fixture
def batches() -> list[list[int | None]]:
    """Keys drawn with repetition, some rows without one: the same key within and across batches, early and late."""
    draw = np.random.default_rng(3)
    return [[*draw.integers(0, 4_000, size).tolist(), None, None] for size in (0, 900, 1, 1_500, 2_000, 700)]


@pytest.mark.parametrize("limit", [10**6, 600, 0])
@pytest.mark.parametrize("sieve", [6, 12, 20])
def test_the_first_row_of_a_key_counts_and_every_other_is_set_aside(
    tmp_path: Path, batches: list[list[int | None]], limit: int, sieve: int
) -> None:
    """The same rows whether keys stay in memory or not, and whether many rows must wait (a sieve of 64) or few."""
    with Repeats(("key",), limit=limit, sieve=sieve, folder=tmp_path) as repeats:
        assert kept(repeats, batches) == expected(batches)
    assert not list(tmp_path.iterdir())


def test_pieces_written_at_any_moment_give_the_same(
    tmp_path: Path, batches: list[list[int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets of many pieces, in which a repeat lies pieces away from its first."""
    monkeypatch.setattr("pseudonymize.repeats.HELD", 1_000)
    with Repeats(("key",), limit=0, sieve=10, folder=tmp_path) as repeats:
        assert kept(repeats, batches) == expected(batches)


def test_one_key_in_every_row_does_not_wait(tmp_path: Path) -> None:
    """Of a batch with one key only its first row is in doubt: such an extract fills no bucket."""
    with Repeats(("key",), limit=0, folder=tmp_path) as repeats:
        first, aside = kept(repeats, [[7] * 500] * 4)
    assert (first, len(aside)) == ([0], 1_999)


def test_a_sieve_calls_nothing_new_that_came_before() -> None:
    sieve, draw = Sieve(16), np.random.default_rng(5)
    came = np.unique(draw.integers(-(2**63), 2**63 - 1, 3_000))
    assert sieve.new(came).mean() == 1.0  # within a call they are different by agreement
    assert not sieve.new(came).any()
    others = np.unique(draw.integers(-(2**63), 2**63 - 1, 3_000))
    assert sieve.new(others).mean() > 0.95


# On disk -------------------------------------------------------------------------------------------------------


def test_nothing_on_disk_tells_a_key_a_row_or_a_hash(tmp_path: Path, batches: list[list[int | None]]) -> None:
    with Repeats(("key",), limit=0, sieve=6, folder=tmp_path) as repeats:
        hashed = []
        for keys in batches:
            table, numbers = rows(keys)
            repeats.split(table, numbers)
            hashed += [hash(text).to_bytes(8, sys.byteorder, signed=True) for text in table["key"].to_pylist() if text]
        repeats._write_hashes()
        repeats._write_waiting()
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        names = {path.name[0] for path in folder.iterdir()}
        content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert names == {"h", "r"} and len(content) > 50_000
    assert WORD.encode() not in content and KEY.encode() not in content and b"ARROW" not in content.upper()
    assert not [one for one in hashed if one in content]


@pytest.mark.parametrize("harm", ["changed", "cut", "swapped"])
def test_a_piece_that_is_not_what_was_written_is_noticed(tmp_path: Path, harm: str) -> None:
    with Buckets(tmp_path) as buckets:
        for name in ("a", "b"):
            for piece in (b"een", b"twee", b"drie"):
                buckets.write(name, piece)
        (folder,) = tmp_path.iterdir()
        content = (folder / "a").read_bytes()
        other = {"changed": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:-20]}
        (folder / "a").write_bytes(other.get(harm) or (folder / "b").read_bytes())
        assert list(buckets.read("b")) == [b"een", b"twee", b"drie"]
        with pytest.raises(InvalidTag):
            list(buckets.read("a"))
    assert not list(tmp_path.iterdir())


def test_what_is_remembered_of_a_piece_is_its_nonce_and_length(tmp_path: Path) -> None:
    """A delivery of 5 GB writes seven hundred thousand pieces: two numbers of Python each would be 90 MB."""
    pieces = 4_000
    with Buckets(tmp_path) as buckets:
        buckets.write("a", b"")
        tracemalloc.start()
        for _ in range(pieces):
            buckets.write("a", b"")
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 24 * pieces
        assert list(buckets.read("a")) == [b""] * (pieces + 1)


# In a delivery ------------------------------------------------------------------------------------------------


def extract(folder: Path, keys: list[int]) -> Path:
    """Notices with these keys, about nobody in particular."""
    path = folder / "injus.csv"
    path.write_text("\n".join([INJUS_HEAD, *map(injus_row, keys)]) + "\n", encoding="utf-8")
    return path


def test_every_row_of_an_extract_is_accepted_or_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two thousand notices three hundred come twice, spread over batches; memory holds none of the keys."""
    few = Repeats
    monkeypatch.setattr(intake, "Repeats", lambda columns, folder: few(columns, limit=0, sieve=10, folder=folder))
    monkeypatch.setattr(reading, "CSV_BLOCK", 4_096)
    source, listing = extract(tmp_path, [*range(2_000), *range(300)]), tmp_path / "lijst.csv"
    report = check(source, injus.INJUS, synthetic=True, quarantine_to=listing)
    assert (report.rows_in, report.accepted, report.quarantined) == (2_300, 2_000, 300)
    assert report.reasons == {"DUBBELE_SLEUTEL": 300}
    lines = [line.split(";") for line in listing.read_text(encoding="utf-8").splitlines()[1:]]
    told = [int(line[0]) for line in lines if line[1] == "DUBBELE_SLEUTEL"]
    assert sorted(told) == list(range(2_001, 2_301))


def test_a_row_that_is_lost_while_it_waits_stops_the_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The balance of rows holds at the end, so no waiting row can vanish unseen."""

    class Losing(Repeats):
        def rest(self):  # type: ignore[no-untyped-def]
            return list(super().rest())[1:]

    monkeypatch.setattr(intake, "Repeats", lambda columns, folder: Losing(columns, limit=0, sieve=4, folder=folder))
    monkeypatch.setattr(reading, "CSV_BLOCK", 4_096)
    with pytest.raises(QualityGate, match="row_count_mismatch"):
        check(extract(tmp_path, list(range(500))), injus.INJUS, synthetic=True)


MEASURE = """
import sys
import numpy as np
import pyarrow as pa
from pseudonymize.repeats import Repeats
from pseudonymize.unique import Seen
pa.array([1]).cast(pa.string())
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
def batches():
    for start in range(0, 6_000_000, 100_000):
        yield start, np.arange(start, start + 100_000, dtype=np.int64) * 0x9E3779B97F4A7C1
if sys.argv[1] == "bounded":
    import pseudonymize.repeats as room
    room.keys_of = lambda table, columns: table["n"].to_numpy()
    with Repeats(("n",), limit=100_000, sieve=25) as repeats:
        before, count = peak(), 0
        for start, hashes in batches():
            table = pa.table({"n": hashes})
            repeated, undecided = repeats.split(table, pa.array(range(start, start + 1)).take(pa.array([0] * 100_000)))
            count += int((~repeated & ~undecided).sum())
        count += sum(int((~repeated).sum()) for _, _, repeated in repeats.rest())
else:
    seen = Seen()
    before, count = peak(), sum(seen.new(hashes) for _, hashes in batches())
assert count == 6_000_000, count
print(peak() - before)
"""


def test_six_million_keys_take_less_memory_than_their_hashes() -> None:
    """Held in memory they are 48 MB, and twice that in a merge; the larger part of what is left is constant."""

    def grown(how: str) -> float:
        done = subprocess.run([sys.executable, "-c", MEASURE, how], capture_output=True, check=True, env={**os.environ})
        return float(done.stdout)

    assert grown("bounded") < 48 < grown("held")


def test_what_was_seen_comes_back_in_sorted_runs() -> None:
    seen = Seen()
    for batch in ([5, 1, 5], [9, 1], [2]):
        seen.repeats(np.array(batch))
    assert seen.count == 4
    assert sorted(np.concatenate(seen.runs()).tolist()) == [1, 2, 5, 9]
    assert all((np.diff(run) > 0).all() for run in seen.runs())
