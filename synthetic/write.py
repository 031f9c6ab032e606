"""Extracts as their holders write them: CSV with semicolons and Dutch or ISO dates, and the same rows as Parquet."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from synthetic.days import NEVER
from synthetic.rand import Bools, Ints

_DAYS = 26_000  # to 2041
_ISO = pa.array([*np.datetime_as_string(np.arange(_DAYS).astype("M8[D]")).tolist(), "9999-12-31"])
_DUTCH = pa.array(["-".join(reversed(text.split("-"))) for text in _ISO.to_pylist()])


@dataclass(frozen=True)
class Days:
    """A date column: day numbers, and where it is empty."""

    days: Ints
    empty: Bools | None = None


@dataclass(frozen=True)
class Whole:
    """A column of whole numbers, and where it is empty."""

    values: Ints
    empty: Bools | None = None


Cell = Any  # Days, Whole or a pyarrow array of text (pyarrow has no types of its own)
Rows = dict[str, Cell]


def pick(words: Any, index: Ints, empty: Bools | None = None) -> pa.Array:
    """Words by position; positions below zero count from the end, as in numpy."""
    found = np.where(index < 0, index + len(words), index)
    return pc.take(pa.array(list(words), pa.string()), pa.array(found, pa.int64(), mask=empty))


def keys(prefix: str, index: Ints, empty: Bools | None = None) -> pa.Array:
    """Source keys such as D123."""
    text = pc.cast(pa.array(index, pa.int64(), mask=empty), pa.string())
    return pc.binary_join_element_wise(pa.scalar(prefix), text, "")


def length(rows: Rows) -> int:
    """Rows of a table in the making."""
    first = next(iter(rows.values()))
    return len(first.days) if isinstance(first, Days) else len(first.values) if isinstance(first, Whole) else len(first)


def take(rows: Rows, order: Ints) -> Rows:
    """The same columns with the rows in another order (or a part of them)."""
    return {name: _take(cell, order) for name, cell in rows.items()}


def _take(cell: Cell, order: Ints) -> Cell:
    if isinstance(cell, Days):
        return Days(cell.days[order], None if cell.empty is None else cell.empty[order])
    if isinstance(cell, Whole):
        return Whole(cell.values[order], None if cell.empty is None else cell.empty[order])
    return pc.take(cell, pa.array(order))


def join(parts: list[Rows]) -> Rows:
    """Tables with the same columns below each other."""
    return {name: _join([part[name] for part in parts]) for name in parts[0]}


def _join(cells: list[Any]) -> Cell:
    if isinstance(cells[0], Days):
        return Days(np.concatenate([c.days for c in cells]), _empties([(len(c.days), c.empty) for c in cells]))
    if isinstance(cells[0], Whole):
        return Whole(np.concatenate([c.values for c in cells]), _empties([(len(c.values), c.empty) for c in cells]))
    return pa.concat_arrays([c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in cells])


def _empties(parts: list[tuple[int, Bools | None]]) -> Bools:
    return np.concatenate([np.zeros(n, bool) if empty is None else empty for n, empty in parts])


def _text(cell: Cell, dutch: bool) -> pa.Array:
    if isinstance(cell, Days):
        index = np.where(cell.days >= NEVER, _DAYS, np.clip(cell.days, 0, _DAYS - 1))
        return pc.take(_DUTCH if dutch else _ISO, pa.array(index, mask=cell.empty))
    if isinstance(cell, Whole):
        return pc.cast(pa.array(cell.values, pa.int64(), mask=cell.empty), pa.string())
    return cell


def _typed(cell: Cell) -> pa.Array:
    if isinstance(cell, Days):
        return pa.array(cell.days.astype(np.int32), pa.int32(), mask=cell.empty).cast(pa.date32())
    if isinstance(cell, Whole):
        return pa.array(cell.values, pa.int32(), mask=cell.empty)
    return cell


class Extract:
    """One extract, written block by block: `<name>.csv` beside `parquet/<name>.parquet`."""

    def __init__(self, folder: Path, name: str, *, dutch: bool = False, encoding: str = "utf-8") -> None:
        self.path = folder / f"{name}.csv"
        (folder / "parquet").mkdir(parents=True, exist_ok=True)
        self._twin = folder / "parquet" / f"{name}.parquet"
        self._dutch, self._encoding = dutch, encoding
        self._csv: pyarrow.csv.CSVWriter | None = None
        self._parquet: pq.ParquetWriter | None = None
        self._plain = self.path.with_suffix(".utf8") if encoding != "utf-8" else self.path
        self.rows = 0

    def add(self, rows: Rows) -> int:
        """Append rows; returns the number of the first one (0 is the first row below the header)."""
        text = pa.table({name: _text(cell, self._dutch) for name, cell in rows.items()})
        typed = pa.table({name: _typed(cell) for name, cell in rows.items()})
        if self._csv is None or self._parquet is None:
            options = pyarrow.csv.WriteOptions(
                delimiter=";", quoting_style="none", batch_size=16_384, include_header=False
            )
            sink = self._plain.open("wb")
            csv.writer(_Text(sink), delimiter=";", lineterminator="\n").writerow(text.column_names)
            self._csv = pyarrow.csv.CSVWriter(sink, text.schema, write_options=options)
            self._sink = sink
            self._parquet = pq.ParquetWriter(self._twin, typed.schema, compression="zstd")
        self._csv.write_table(text)
        self._parquet.write_table(typed, row_group_size=262_144)
        first, self.rows = self.rows, self.rows + text.num_rows
        return first

    def close(self) -> None:
        """Finish both files; a file of another encoding is written anew from the UTF-8 one."""
        if self._csv is not None and self._parquet is not None:
            self._csv.close()
            self._sink.close()
            self._parquet.close()
        if self._plain != self.path and self._plain.exists():
            with (
                self._plain.open(encoding="utf-8", newline="") as source,
                self.path.open("w", encoding=self._encoding, newline="") as target,
            ):
                while part := source.read(1 << 20):
                    target.write(part)
            self._plain.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Text:
    """Lets the csv module write a header into a binary file."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write(self, text: str) -> int:
        """Encode and pass on."""
        return int(self._sink.write(text.encode("utf-8")))
