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
from pseudonymize.rows import Coder, Layout, drawn

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
        self._coder = Coder(schema)
        self._layouts: list[list[Layout | None]] = [[] for _ in range(self._buckets)]  # of every piece; None: Arrow

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
            yield from self._read(bucket)

    def _take(self) -> pa.Table:
        found = pa.concat_tables(self._held, promote_options="default") if self._held else self.schema.empty_table()
        self._held, self._bytes = [], 0
        return found.combine_chunks()

    def _flush(self) -> None:
        held = self._take()
        if not held.num_rows:
            return
        coded = self._coder.coded(held)
        for bucket, some in _drawn(held.num_rows, self._buckets):
            piece = packed(held.take(pa.array(some))) if coded is None else drawn(coded[1], some).tobytes()
            self._layouts[bucket].append(coded and coded[0])
            self._spill.write(f"{bucket:04d}", piece)

    def _read(self, bucket: int) -> Iterator[pa.Table]:
        pieces = list(zip(self._layouts[bucket], self._spill.read(f"{bucket:04d}"), strict=True))
        layout = pieces[0][0] if pieces else None
        if layout is not None and all(one == layout for one, _ in pieces):
            yield from self._ordered(layout, b"".join(piece for _, piece in pieces))
            return
        found = [unpacked(piece) if one is None else self._table(one, piece) for one, piece in pieces]
        empty = self.schema.empty_table().select([])
        yield from _permuted(pa.concat_tables([empty, *found], promote_options="default").combine_chunks(), self.schema)

    def _ordered(self, layout: Layout, piece: bytes) -> Iterator[pa.Table]:
        rows = np.frombuffer(piece, layout.kind)
        order = random_order(len(rows))
        for start in range(0, len(rows), OUT_ROWS):
            yield self._coder.table(layout, drawn(rows, order[start : start + OUT_ROWS]))

    def _table(self, layout: Layout, piece: bytes) -> pa.Table:
        return self._coder.table(layout, np.frombuffer(piece, layout.kind))


def packed(table: pa.Table) -> bytes:
    """A table as the bytes of a piece."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def unpacked(piece: bytes) -> pa.Table:
    """The table that `packed` made a piece of."""
    return pa.ipc.open_stream(piece).read_all()


def _drawn(count: int, buckets: int) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Every row in a bucket drawn at random; `buckets` is a power of two, so no bucket is likelier than another."""
    draws = np.frombuffer(os.urandom(2 * count), np.uint16) % buckets
    order = np.argsort(draws, kind="stable")
    ends = np.searchsorted(draws[order], np.arange(buckets + 1))
    for bucket, (start, end) in enumerate(itertools.pairwise(ends)):
        if end > start:
            yield bucket, order[start:end]


def _lean(table: pa.Table) -> pa.Table:
    """Without the columns that are empty in every row: pseudonyms of a kind nobody has take as much room as others."""
    return table.select([name for name in table.column_names if table[name].null_count < table.num_rows])


def _permuted(table: pa.Table, schema: pa.Schema) -> Iterator[pa.Table]:
    order = pa.array(random_order(table.num_rows))
    for start in range(0, table.num_rows, OUT_ROWS):
        some = table.take(order.slice(start, OUT_ROWS))
        full = [some[f.name] if f.name in some.column_names else pa.nulls(some.num_rows, f.type) for f in schema]
        yield pa.table(full, schema=schema)
