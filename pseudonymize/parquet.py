"""Write Parquet whole or not at all, and read it without believing its own row counts.

pyarrow accepts a file whose footer and row group both claim one row fewer (pseudonymisation.md section 2), so
footer, row groups, column chunks and the rows read are compared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import ConfigError, DeliveryError, QualityGate
from schemas.pseudonym import mirrored

READ_ROWS = 131_072


class Writer:
    """Writes tables of one schema, set by `start`; `plain` columns (random bytes) get no dictionary."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None  # pq.ParquetWriter, which has no types

    def start(self, schema: pa.Schema, plain: list[str]) -> None:
        """Begin the file; labels of pseudonym columns are repeated in it. Called once, before the first `write`."""
        coded = [name for name in schema.names if name not in plain]
        self._writer = pq.ParquetWriter(
            self._path, mirrored(schema), compression="zstd", compression_level=1, use_dictionary=coded
        )
        self._path.chmod(0o600)

    def write(self, table: pa.Table | pa.RecordBatch) -> None:
        """Add rows."""
        self._writer.write(table)

    def close(self) -> None:
        """End the file, if it was begun."""
        if self._writer is not None:
            self._writer.close()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A writer for `path`; the file appears when the block ends well. ConfigError output_exists."""
    if path.exists():
        raise ConfigError("output_exists")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.part")
    writer = Writer(part)
    try:
        try:
            yield writer
        finally:
            writer.close()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def rows_of(path: Path) -> int:
    """Rows of a Parquet file by its metadata. QualityGate row_count_mismatch when the metadata disagrees."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    counts = {sum(group.num_rows for group in groups)}
    counts |= {sum(group.column(c).num_values for group in groups) for c in range(metadata.num_columns)}
    if counts != {metadata.num_rows}:
        raise QualityGate("row_count_mismatch", file="parquet", rows=metadata.num_rows)
    return int(metadata.num_rows)


def batches(path: Path) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """Schema and tables of a Parquet file, counted. DeliveryError unreadable_file; QualityGate as rows_of."""
    try:
        schema, rows = pq.read_schema(path), rows_of(path)
    except (pa.ArrowException, OSError):
        raise DeliveryError("unreadable_file", kind="parquet") from None
    return schema, _counted(path, rows)


def _counted(path: Path, rows: int) -> Iterator[pa.Table]:
    seen = 0
    with pq.ParquetFile(path) as file:
        try:
            for batch in file.iter_batches(batch_size=READ_ROWS):
                seen += batch.num_rows
                yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError):
            raise DeliveryError("unreadable_file", kind="parquet") from None
    if seen != rows:
        raise QualityGate("row_count_mismatch", file="parquet", rows=rows, read=seen)
