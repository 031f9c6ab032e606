"""Rows come out in random order, all of them, in bounded memory; what is spilled is unreadable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cryptography.exceptions import InvalidTag

from pseudonymize.shuffle import Shuffle, random_order
from pseudonymize.unique import Seen, keys_of

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])
SENTINEL = "herkenbare waarde"


def rows(start: int, count: int) -> pa.Table:
    return pa.table(
        {"n": range(start, start + count), "text": [f"{SENTINEL} {i}" for i in range(count)]}, schema=SCHEMA
    )


def numbers(shuffle: Shuffle) -> list[int]:
    return [n for table in shuffle.tables() for n in table["n"].to_pylist()]


@pytest.mark.parametrize("limit", [1 << 30, 40_000, 1])
def test_every_row_comes_back_once_in_another_order(tmp_path: Path, limit: int) -> None:
    with Shuffle(SCHEMA, limit=limit, folder=tmp_path) as shuffle:
        for start in range(0, 5_000, 1_000):
            shuffle.add(rows(start, 1_000))
        assert shuffle.spilled == (limit < 1 << 30)
        found = numbers(shuffle)
    assert sorted(found) == list(range(5_000))
    assert found != sorted(found)
    assert abs(float(np.corrcoef(found, range(5_000))[0, 1])) < 0.1
    assert not list(tmp_path.iterdir())


def test_no_rows_is_fine() -> None:
    with Shuffle(SCHEMA) as shuffle:
        assert numbers(shuffle) == []


def test_what_is_spilled_is_encrypted_private_and_gone_afterwards(tmp_path: Path) -> None:
    with Shuffle(SCHEMA, limit=1, folder=tmp_path) as shuffle:
        shuffle.add(rows(0, 2_000))
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        content = b"".join(path.read_bytes() for path in folder.iterdir())
        assert len(content) > 20_000
        assert SENTINEL.encode() not in content
        assert b"ARROW" not in content.upper()
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Shuffle(SCHEMA, limit=1, folder=tmp_path) as shuffle:
        shuffle.add(rows(0, 10))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_changed_spill_is_noticed(tmp_path: Path) -> None:
    with Shuffle(SCHEMA, limit=1, folder=tmp_path) as shuffle:
        shuffle.add(rows(0, 500))
        bucket = next(next(tmp_path.iterdir()).iterdir())
        content = bytearray(bucket.read_bytes())
        content[-1] ^= 1
        bucket.write_bytes(content)
        with pytest.raises(InvalidTag):
            numbers(shuffle)


def test_each_position_is_equally_likely() -> None:
    places = np.array([int(np.flatnonzero(random_order(4) == 0)[0]) for _ in range(4_000)])
    assert all(850 < count < 1_150 for count in np.bincount(places, minlength=4))


def test_buckets_grow_with_what_is_expected() -> None:
    small, large = Shuffle(SCHEMA), Shuffle(SCHEMA, expected=10**9, limit=10**6)
    assert (small._buckets, large._buckets) == (16, 1_024)  # none of them larger than the limit


@pytest.mark.parametrize("limit", [1 << 30, 1])
def test_a_column_without_a_value_takes_no_room_and_comes_back_empty(tmp_path: Path, limit: int) -> None:
    """Also when only some of the rows added have a value in it: each comes back with its own."""
    with Shuffle(SCHEMA, limit=limit, folder=tmp_path) as shuffle:
        bare = pa.table({"n": range(1_000), "text": pa.nulls(1_000, pa.string())}, schema=SCHEMA)
        shuffle.add(bare)
        if limit == 1:
            (folder,) = tmp_path.iterdir()
            size = sum(path.stat().st_size for path in folder.iterdir())
            assert size < 14_000  # 8 bytes a row, and what an encrypted piece costs
        shuffle.add(rows(1_000, 10))
        found = [row for table in shuffle.tables() for row in table.to_pylist()]
    assert sorted(row["n"] for row in found) == list(range(1_010))
    assert all(row["text"] == (f"{SENTINEL} {row['n'] - 1_000}" if row["n"] >= 1_000 else None) for row in found)


def test_nothing_but_empty_columns_keeps_the_schema(tmp_path: Path) -> None:
    with Shuffle(SCHEMA, folder=tmp_path) as shuffle:
        shuffle.add(pa.table({"n": [1, 2], "text": pa.nulls(2, pa.string())}, schema=SCHEMA))
        (table,) = shuffle.tables()
    assert table.schema == SCHEMA
    assert table["text"].null_count == 2


def test_repeats_are_found_within_and_between_batches() -> None:
    seen, draw = Seen(), np.random.default_rng(4)
    known: set[int] = set()
    for size in (0, 1, 50, 7, 200, 0, 90, 400):
        batch = draw.integers(0, 300, size)
        expected = []
        for value in batch.tolist():
            expected.append(value in known)
            known.add(value)
        assert seen.repeats(batch).tolist() == expected
    assert len(known) > 100


def test_new_values_are_counted_once_within_and_between_batches() -> None:
    seen, draw = Seen(), np.random.default_rng(4)
    known: set[int] = set()
    for size in (0, 1, 50, 7, 200, 0, 90, 400):
        batch = draw.integers(0, 300, size)
        expected = len(set(batch.tolist()) - known)
        known |= set(batch.tolist())
        assert seen.new(batch) == expected
    assert seen.new(np.array(sorted(known))) == 0


def test_a_key_of_several_columns_joins_without_ambiguity() -> None:
    table = pa.table({"a": ["x", "xy", "x", "x"], "b": ["yz", "z", "yz", "q"], "n": [1, 1, 1, None]})
    hashes = keys_of(table, ("a", "b")).tolist()
    assert hashes[0] == hashes[2]
    assert len(set(hashes)) == 3
    assert len(set(keys_of(pa.table({"n": pa.nulls(50, pa.string())}), ("n",)).tolist())) == 50
