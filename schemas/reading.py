"""Read an extract as text, in bounded batches, whatever its format: CSV, Parquet or XLSX.

Everything is read as text first: a BSN read as a number loses its leading zero, and a failing conversion
would quote the value. Column names of the file are compared with the register; an unlisted column is a hard
error that names only its position, because a header can hold anything.
"""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from schemas import reading_parquet
from schemas.errors import DeliveryError
from schemas.register import Register

BATCH_ROWS = 131_072
CSV_BLOCK = 256 << 10  # Arrow reads 32 of them ahead, whatever we ask: of 2 MB each they were 60 MB
CSV_BLOCKS = 8  # that make a batch; a row is never longer than one
CHUNK = 1 << 20
XLSX_MAX_ROWS = 1_048_576
XLSX_MAX_EMPTY = 10_000
XLSX_MAX_BYTES = 1 << 30  # unpacked, all parts: a full sheet of a register stays below it
XLSX_MAX_PARTS = 1_000
XLSX_HELD, XLSX_MAX_RATIO = 16 << 20, 100  # a larger part must not be packed tighter than rows of a register are
WRONG_WIDTH = "AANTAL_KOLOMMEN"


@dataclass(frozen=True)
class TextBatch:
    """Rows as text (null = empty cell), their 1-based row numbers in the file, and rows with a broken shape."""

    table: pa.Table
    row_numbers: pa.Array
    misshapen: tuple[int, ...] = ()


def batches(register: Register, path: Path) -> Iterator[TextBatch]:
    """Yield the extract in batches with exactly the register's columns, in declared order, all text.

    Raises DeliveryError unreadable_file, unlisted_column, missing_column or file_too_large.
    """
    reader = {".csv": _csv, ".txt": _csv, ".parquet": _parquet, ".xlsx": _xlsx}.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise DeliveryError("unreadable_file", register=register.name)
    try:
        for batch in reader(register, path):
            yield TextBatch(_align(register, batch.table), batch.row_numbers, batch.misshapen)
    except DeliveryError:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: see below
        # Arrow, zipfile and openpyxl quote cells and file names: say the type, nothing else.
        raise DeliveryError("unreadable_file", register=register.name, kind=type(error).__name__) from None


def _align(register: Register, table: pa.Table) -> pa.Table:
    """The register's columns in order; absent optional ones empty. Unlisted or missing ones are errors."""
    names = [name.strip().lower() for name in table.column_names]
    for position, name in enumerate(names, start=1):
        if name not in register.by_name or names.index(name) != position - 1:
            raise DeliveryError("unlisted_column", register=register.name, position=position)
    table = table.rename_columns(names)
    empty = pa.nulls(table.num_rows, pa.string())
    columns = []
    for column in register.columns:
        if column.name not in names and not column.optional:
            raise DeliveryError("missing_column", register=register.name, column=column.name)
        columns.append(table[column.name] if column.name in names else pa.chunked_array([empty]))
    return pa.table(columns, names=[column.name for column in register.columns])


def encoding_of(path: Path) -> str:
    """utf8 when the whole file decodes as such, else windows-1252 (what Dutch desktop exports use)."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                if decoder.getstate()[0] or not chunk.isascii():  # ASCII after whole characters needs no decoding
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "windows-1252"
    return "utf8"


def _separator(path: Path, encoding: str) -> str:
    with path.open("rb") as file:
        head = file.readline(65_536).decode(encoding, errors="replace")
    return max(";,\t|", key=head.count)


def _csv(register: Register, path: Path) -> Iterator[TextBatch]:
    found = _csv_blocks(path)
    while some := list(islice(found, CSV_BLOCKS)):
        yield TextBatch(
            pa.concat_tables([one.table for one in some]).combine_chunks(),
            pa.concat_arrays([one.row_numbers for one in some]),
            tuple(number for one in some for number in one.misshapen),
        )


def _csv_blocks(path: Path) -> Iterator[TextBatch]:
    encoding = encoding_of(path)
    skipped: list[int] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        skipped.append(row.number or 0)
        return "skip"

    with path.open("rb") as file:
        header = file.readline(65_536).decode("utf-8-sig" if encoding == "utf8" else encoding)
    separator = _separator(path, encoding)
    names = [name.strip().strip('"') for name in header.rstrip("\r\n").split(separator)]
    options = pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        strings_can_be_null=True,
        null_values=[""],
        quoted_strings_can_be_null=True,
    )
    reader = pyarrow.csv.open_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(
            block_size=CSV_BLOCK, use_threads=False, encoding=encoding, column_names=names, skip_rows=1
        ),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator, invalid_row_handler=note),
        convert_options=options,
    )
    # The file's own line is the header, so data row n is line n + 1; `number` counts lines of the file.
    line, reported = 1, 0
    for batch in reader:
        broken = sorted(skipped)
        numbers, line = _numbers(batch.num_rows, line, set(broken))
        yield TextBatch(pa.Table.from_batches([batch]), numbers, tuple(n - 1 for n in broken[reported:]))
        reported = len(broken)
    if len(skipped) > reported:
        empty = pa.table([pa.array([], pa.string())] * len(names), names=names)
        yield TextBatch(empty, pa.array([], pa.int64()), tuple(n - 1 for n in sorted(skipped)[reported:]))


def _numbers(count: int, line: int, broken: set[int]) -> tuple[pa.Array, int]:
    """Row numbers of the next `count` good rows after `line`, stepping over the broken lines."""
    if not any(line < n <= line + count for n in broken):
        return pa.array(np.arange(line, line + count)), line + count
    found: list[int] = []
    while len(found) < count:
        line += 1
        if line not in broken:
            found.append(line - 1)
    return pa.array(found, pa.int64()), line


def _parquet(register: Register, path: Path) -> Iterator[TextBatch]:
    with reading_parquet.opened(register, path) as file:
        declared, seen = file.metadata.num_rows, 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            table = pa.Table.from_batches([batch])
            text = pa.table([_as_text(table[name]) for name in table.column_names], names=table.column_names)
            numbers = pa.array(range(seen + 1, seen + text.num_rows + 1), pa.int64())
            seen += text.num_rows
            yield TextBatch(text, numbers)
        groups = sum(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
        chunks = reading_parquet.column_values(file.metadata)
    if seen != declared or seen != groups or any(values != seen for values in chunks):
        raise DeliveryError("row_count_mismatch", register=register.name, declared=declared, read=seen)
    if seen == 0:
        yield TextBatch(_empty(register), pa.array([], pa.int64()))


def _empty(register: Register) -> pa.Table:
    return pa.table({column.name: pa.array([], pa.string()) for column in register.columns})


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    text = pc.cast(values, pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _xlsx(register: Register, path: Path) -> Iterator[TextBatch]:
    import openpyxl  # noqa: PLC0415 - a fifth of a second that only spreadsheets need

    _require_no_bomb(register, path)
    with contextlib.closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
        rows = book.worksheets[0].iter_rows(values_only=True)
        names = [str(cell).strip().lower() for cell in next(rows, ()) if cell is not None]
        filled = _filled(register, rows)
        while chunk := list(islice(filled, BATCH_ROWS)):
            wide = [(number, cells) for number, cells in chunk if not any(c is not None for c in cells[len(names) :])]
            numbers = [number for number, _ in wide]
            kept = set(numbers)
            columns = [
                pa.array([_cell(cells[i]) if i < len(cells) else None for _, cells in wide], pa.string())
                for i in range(len(names))
            ]
            misshapen = tuple(number for number, _ in chunk if number not in kept)
            yield TextBatch(pa.table(columns, names=names), pa.array(numbers, pa.int64()), misshapen)


def _require_no_bomb(register: Register, path: Path) -> None:
    """DeliveryError file_too_large for a small file that unpacks into a huge one; nothing is unpacked to know.

    The sizes are the archive's own word, and zipfile never gives more bytes than that word.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    packed = [(part.file_size, max(part.compress_size, 1)) for part in parts]
    bombs = sum(size > XLSX_HELD and size > XLSX_MAX_RATIO * small for size, small in packed)
    if bombs or len(parts) > XLSX_MAX_PARTS or sum(size for size, _ in packed) > XLSX_MAX_BYTES:
        raise DeliveryError("file_too_large", register=register.name, files=len(parts))


def _filled(register: Register, rows: Iterator[tuple[object, ...]]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Rows with a value, numbered; stops a sheet that claims rows practically without end."""
    empty = 0
    for number, cells in enumerate(rows, start=1):
        empty = 0 if any(cell is not None for cell in cells) else empty + 1
        if number > XLSX_MAX_ROWS or empty > XLSX_MAX_EMPTY:
            raise DeliveryError("file_too_large", register=register.name, rows=number)
        if empty == 0:
            yield number, cells


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
