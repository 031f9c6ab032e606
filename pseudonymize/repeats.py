"""Set rows aside whose business key was delivered before, in memory that does not grow with the delivery.

Few keys are held in memory (`unique.Seen`). Past that a sieve of fixed size answers for each row: certainly new, or
perhaps seen before. Rows that are certainly new go on at once and their hashes go to a bucket; the others wait in the
bucket of their hash, and are decided at the end, bucket by bucket, by comparing hashes. So the sieve only decides how
many rows wait (3 % at 53 million), never which row is a repeat. Buckets are encrypted under a key in memory only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pseudonymize.buckets import Buckets
from pseudonymize.shuffle import packed, unpacked
from pseudonymize.unique import Hashes, Seen, keys_of

Mask = npt.NDArray[np.bool_]
LIMIT = 2_000_000  # hashes in memory before any go to disk: 16 MB
SIEVE = 28  # bits of a place in the sieve: 32 MB
BUCKETS = 64
HELD = 4 << 20  # bytes of hashes or of waiting rows in memory before they are written
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93)  # odd; the hashes themselves are keyed
_ROW, _HASH = ".row", ".hash"  # columns beside those of the register while a row waits


class Sieve:
    """A Bloom filter: what it calls new is new; what it does not is perhaps new."""

    def __init__(self, size: int = SIEVE) -> None:
        self._shift = np.uint64(64 - size)
        self._bits = np.zeros((1 << size) // 8, np.uint8)

    def new(self, hashes: Hashes) -> Mask:
        """Which of these, all different, certainly never came before; they have come from now on."""
        new = np.zeros(len(hashes), bool)
        for multiplier in _MULTIPLIERS:
            place, bit = self._places(hashes, multiplier)
            new |= (self._bits[place] & bit) == 0
        for multiplier in _MULTIPLIERS:
            np.bitwise_or.at(self._bits, *self._places(hashes[new], multiplier))
        return new

    def _places(self, hashes: Hashes, multiplier: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
        places = (hashes.view(np.uint64) * np.uint64(multiplier)) >> self._shift
        return places >> np.uint64(3), np.left_shift(1, places & np.uint64(7)).astype(np.uint8)


class Repeats:
    """Give every batch to `split`; then take what `rest` decides. Use as a context manager."""

    def __init__(
        self, columns: tuple[str, ...], *, limit: int = LIMIT, sieve: int = SIEVE, folder: Path | None = None
    ) -> None:
        self._columns, self._limit, self._size = columns, limit, sieve
        self._seen: Seen | None = Seen()
        self._sieve: Sieve | None = None
        self._buckets = Buckets(folder)
        self._hashes: list[Hashes] = []
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._buckets.__exit__(kind, error, trace)

    def split(self, table: pa.Table, numbers: pa.Array) -> tuple[Mask, Mask]:
        """Per row whether it is a repeat, and whether that is still to be decided; those wait with their numbers."""
        hashes = keys_of(table, self._columns)
        if self._seen is not None:
            repeated = self._seen.repeats(hashes)
            if self._seen.count > self._limit:
                self._to_disk(self._seen)
            return repeated, np.zeros(len(hashes), bool)
        return self._sieved(table, numbers, hashes)

    def rest(self) -> Iterator[tuple[pa.Table, pa.Array, Mask]]:
        """The rows that wait, in pieces, with their numbers, and which of them are repeats."""
        self._write_hashes()
        self._write_waiting()
        for bucket in range(BUCKETS):
            seen = Seen()
            for piece in self._buckets.read(f"h{bucket:02d}"):
                seen.new(np.frombuffer(piece, np.int64))
            for piece in self._buckets.read(f"r{bucket:02d}"):  # in the order of the extract: the first one counts
                table = unpacked(piece)
                repeated = seen.repeats(_column(table, _HASH))
                yield table.drop_columns([_ROW, _HASH]), table[_ROW].combine_chunks(), repeated

    def _to_disk(self, seen: Seen) -> None:
        self._sieve, self._seen = Sieve(self._size), None
        for run in seen.runs():
            self._sieve.new(run)
            self._keep(run)

    def _sieved(self, table: pa.Table, numbers: pa.Array, hashes: Hashes) -> tuple[Mask, Mask]:
        assert self._sieve is not None  # noqa: S101 - made when the hashes went to disk
        distinct, first = np.unique(hashes, return_index=True)
        repeated, undecided = np.ones(len(hashes), bool), np.zeros(len(hashes), bool)
        repeated[first] = False
        new = self._sieve.new(distinct)
        self._keep(distinct[new])
        undecided[first[~new]] = True
        self._wait(table, numbers, hashes, undecided)
        return repeated, undecided

    def _keep(self, hashes: Hashes) -> None:
        self._hashes.append(hashes)
        if sum(map(len, self._hashes)) * 8 > HELD:
            self._write_hashes()

    def _wait(self, table: pa.Table, numbers: pa.Array, hashes: Hashes, which: Mask) -> None:
        if which.any():
            beside = table.append_column(_ROW, numbers).append_column(_HASH, pa.array(hashes))
            self._waiting.append(beside.filter(pa.array(which)))
            if sum(one.nbytes for one in self._waiting) > HELD:
                self._write_waiting()

    def _write_hashes(self) -> None:
        if self._hashes:
            hashes, self._hashes = np.concatenate(self._hashes), []
            for bucket, order in _scattered(hashes):
                self._buckets.write(f"h{bucket:02d}", hashes[order].tobytes())

    def _write_waiting(self) -> None:
        if self._waiting:
            table, self._waiting = pa.concat_tables(self._waiting).combine_chunks(), []
            for bucket, order in _scattered(_column(table, _HASH)):
                self._buckets.write(f"r{bucket:02d}", packed(table.take(pa.array(order))))


def _column(table: pa.Table, name: str) -> Hashes:
    return np.asarray(table[name].to_numpy(), dtype=np.int64)


def _scattered(hashes: Hashes) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Buckets with the places of their hashes, in the order they have."""
    buckets = hashes.view(np.uint64) % np.uint64(BUCKETS)
    order = np.argsort(buckets, kind="stable")
    ends = np.searchsorted(buckets[order], np.arange(BUCKETS + 1, dtype=np.uint64))
    for bucket, (start, end) in enumerate(itertools.pairwise(ends)):
        if end > start:
            yield bucket, order[start:end]
