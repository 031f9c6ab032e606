"""Write files whose bytes depend on their content alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.pseudonym import KEY, file_key


def write_parquet(table: pa.Table, path: Path, metadata: dict[str, str]) -> Path:
    """Parquet, zstd, fixed row groups, provenance as key-value metadata.

    The domain label of a pseudonym column is repeated there, because DuckDB drops field metadata.
    """
    told = {file_key(field.name): field.metadata[KEY] for field in table.schema if KEY in (field.metadata or {})}
    labelled = table.replace_schema_metadata({**{k.encode(): v.encode() for k, v in metadata.items()}, **told})
    pq.write_table(labelled, path, compression="zstd", row_group_size=122_880)
    return path


def write_sums(folder: Path) -> Path:
    """SHA256SUMS over every file of the folder, as `sha256sum -c` reads it."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder)}" for p in files]
    path = folder / "SHA256SUMS"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
