"""Put rows in a random order in bounded memory: the order of a file may not re-link it to another.

Rows are held in memory up to a limit. Past it, every row goes to a bucket drawn at random and buckets are
written to a private temporary folder, encrypted under a key that exists in memory only. Each bucket is then
permuted and emitted in turn. Buckets of independent uniform draws, each permuted uniformly, give a uniform
permutation of the whole. All randomness comes from the operating system.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pseudonymize.buckets import Buckets

LIMIT = 16 << 20  # per file; measured: spilling costs no time worth having more
PER_BUCKET = 8 << 20  # bytes; a bucket is permuted in memory, and small pieces of many buckets cost time to write
OUT_ROWS = 131_072
MAX_BUCKETS = 4_096


def random_order(count: int) -> npt.NDArray[np.int64]:
    """A uniformly random permutation of 0..count-1 (ties of 64 random bits: below 1e-5 for 10 M rows)."""
    keys = np.frombuffer(os.urandom(8 * count), np.uint64)
    return np.argsort(keys)


class Shuffle:
    """Collects tables of one schema with `add`; `tables` gives all rows back in random order, once.

    `expected` is a guess of the bytes to come; it only sets the number of buckets. Use as a context manager:
    leaving it removes the temporary folder.
    """

    def __init__(self, schema: pa.Schema, *, expected: int = 0, limit: int = LIMIT, folder: Path | None = None) -> None:
        self.schema = schema
        self._limit = limit
        wanted = max(16, expected // max(min(limit, PER_BUCKET), 1))
        self._buckets = min(MAX_BUCKETS, 1 << (wanted - 1).bit_length())  # a power of two: no modulo bias
        self._held: list[pa.Table] = []
        self._bytes = 0
        self._spill = Buckets(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.clear()
        self._spill.__exit__(kind, error, trace)

    @property
    def spilled(self) -> bool:
        """True once rows went to disk (encrypted)."""
        return self._spill.used

    def add(self, table: pa.Table) -> None:
        """Take rows in."""
        table = _lean(table)
        self._held.append(table)
        self._bytes += table.nbytes
        if self._bytes > self._limit:
            self._flush()

    def tables(self) -> Iterator[pa.Table]:
        """All rows in random order, in tables of at most OUT_ROWS rows."""
        if not self._spill.used:
            yield from _permuted(self._take(), self.schema)
            return
        self._flush()
        for bucket in range(self._buckets):
            yield from _permuted(self._read(bucket), self.schema)

    def _take(self) -> pa.Table:
        found = pa.concat_tables(self._held, promote_options="default") if self._held else self.schema.empty_table()
        self._held, self._bytes = [], 0
        return found

    def _flush(self) -> None:
        pieces: list[list[pa.Table]] = [[] for _ in range(self._buckets)]
        while self._held:  # one table at a time, so that rows lie in memory twice only for a moment
            _scatter(self._held.pop(), pieces)
        self._bytes = 0
        for bucket, parts in enumerate(pieces):
            if parts:
                self._write(bucket, pa.concat_tables(parts, promote_options="default").combine_chunks())

    def _write(self, bucket: int, table: pa.Table) -> None:
        self._spill.write(f"{bucket:04d}", packed(table))

    def _read(self, bucket: int) -> pa.Table:
        found = [self.schema.empty_table().select([]), *map(unpacked, self._spill.read(f"{bucket:04d}"))]
        return pa.concat_tables(found, promote_options="default")


def packed(table: pa.Table) -> bytes:
    """A table as the bytes of a piece."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def unpacked(piece: bytes) -> pa.Table:
    """The table that `packed` made a piece of."""
    return pa.ipc.open_stream(piece).read_all()


def _scatter(table: pa.Table, pieces: list[list[pa.Table]]) -> None:
    """Give every row to a piece drawn at random; their number is a power of two."""
    draws = np.frombuffer(os.urandom(2 * table.num_rows), np.uint16) % len(pieces)
    order = np.argsort(draws, kind="stable")
    ends = np.searchsorted(draws[order], np.arange(len(pieces) + 1))
    table = table.take(pa.array(order)).combine_chunks()
    for piece, (start, end) in zip(pieces, itertools.pairwise(ends), strict=True):
        if end > start:
            piece.append(table.slice(start, end - start))


def _lean(table: pa.Table) -> pa.Table:
    """Without the columns that are empty in every row: pseudonyms of a kind nobody has take as much room as others."""
    return table.select([name for name in table.column_names if table[name].null_count < table.num_rows])


def _permuted(table: pa.Table, schema: pa.Schema) -> Iterator[pa.Table]:
    table = table.combine_chunks()
    order = pa.array(random_order(table.num_rows))
    for start in range(0, table.num_rows, OUT_ROWS):
        some = table.take(order.slice(start, OUT_ROWS))
        full = [some[f.name] if f.name in some.column_names else pa.nulls(some.num_rows, f.type) for f in schema]
        yield pa.table(full, schema=schema)
