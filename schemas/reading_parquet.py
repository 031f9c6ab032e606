"""Parquet from outside: a small file can hold a large one, in four ways, and a footer can say anything.

A page may unpack into gigabytes; one long value may stand once in a dictionary and a million times in the rows; a row
may be a list without end; and rows of nothing cost no bytes. Limits here are far from any register and far below the
memory of the machine. What a footer leaves out, a page's own header bounds: 2 GB, and Arrow asks for it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import DeliveryError
from schemas.register import Register

MAX_WIDTH = 64  # bytes of a fixed-width value: a decimal has 16
MAX_TEXTS = 4_096  # bytes of the longest texts in the dictionaries of one row, all columns: half a GB as a batch
HELD, MAX_RATIO = 16 << 20, 100  # as for a workbook: a larger part must not be packed tighter
ROWS_PER_BYTE = 8  # with a number per row, a row costs some bytes


@contextmanager
def opened(register: Register, path: Path) -> Iterator[pq.ParquetFile]:
    """The file; DeliveryError file_too_large for one that unpacks beyond reason."""
    with pq.ParquetFile(path) as file:
        _require_flat(register, file.schema)
        _require_no_bomb(register, file.metadata, path.stat().st_size)
        _require_short(register, path, _texts(file))
        yield file


def _require_short(register: Register, path: Path, texts: list[str]) -> None:
    """The dictionaries, met with the first row of each group; texts outside them stand in the file once per row."""
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for group in range(file.metadata.num_row_groups):
            for batch in islice(file.iter_batches(batch_size=1, row_groups=[group], columns=texts), 1):
                found = [_longest(values) for values in batch.columns if pa.types.is_dictionary(values.type)]
                if sum(found) > MAX_TEXTS:
                    raise DeliveryError("file_too_large", register=register.name, kind="value")


def _longest(values: pa.DictionaryArray) -> int:
    return int(pc.max(pc.binary_length(values.dictionary)).as_py() or 0)


def column_values(metadata: pq.FileMetaData) -> list[int]:
    """Values per flat column over all row groups: a footer that lies about rows rarely lies here too.

    Only for a file that was read to its end: see `_require_no_bomb`.
    """
    groups = range(metadata.num_row_groups)
    return [
        sum(metadata.row_group(group).column(column).num_values for group in groups)
        for column in range(metadata.num_columns)
    ]


def _require_flat(register: Register, schema: pq.ParquetSchema) -> None:
    for number in range(len(schema)):
        column = schema.column(number)
        if column.max_repetition_level or (
            column.physical_type == "FIXED_LEN_BYTE_ARRAY" and column.length > MAX_WIDTH
        ):
            raise DeliveryError("file_too_large", register=register.name, kind="column")


def _require_no_bomb(register: Register, metadata: pq.FileMetaData, size: int) -> None:
    """By the sums of row groups: Arrow ends the process when a damaged column of a footer is asked for by itself."""
    if metadata.num_rows > ROWS_PER_BYTE * size:
        raise DeliveryError("file_too_large", register=register.name, kind="rows")
    unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if unpacked > HELD and unpacked > MAX_RATIO * size:
        raise DeliveryError("file_too_large", register=register.name, kind="page")


def _texts(file: pq.ParquetFile) -> list[str]:
    """Columns of text or bytes; a number costs eight bytes whatever a dictionary says."""
    types = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return [field.name for field in file.schema_arrow if any(of(_plain(field.type)) for of in types)]


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
