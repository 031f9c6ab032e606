"""The supplier's own list of rows to look at: row number, reason, column, consequence. No values.

It stays with the supplier: it lies beside a delivery, never in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import pyarrow as pa

from pseudonymize.report import column_of
from schemas.errors import ConfigError
from schemas.register import Register

SET_ASIDE = "rij apart gezet"
EMPTIED = "nummer geleegd"
_HEAD = "rij;reden;kolom;gevolg\n"


class Quarantine:
    """Writes rows as they are found; with no path it writes nothing. Use as a context manager."""

    def __init__(self, register: Register, path: Path | None) -> None:
        self._register = register
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            if self._path.exists():
                raise ConfigError("output_exists")
            self._part.unlink(missing_ok=True)
            handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")
            self._file.write(_HEAD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None or self._path is None:
            return
        self._file.close()
        if kind is None:
            self._part.rename(self._path)
        else:
            self._part.unlink()

    @property
    def _part(self) -> Path:
        assert self._path is not None  # noqa: S101 - only asked for when there is a file to write
        return self._path.with_name(f".{self._path.name}.part")

    def add(self, rows: pa.Array, reasons: pa.Array, consequence: str) -> None:
        """Rows with their reasons, both as long as each other."""
        if self._file is None:
            return
        columns = {code: column_of(self._register, code) for code in reasons.unique().to_pylist()}
        pairs = zip(rows.to_pylist(), reasons.to_pylist(), strict=True)
        self._file.writelines(f"{row};{code};{columns[code]};{consequence}\n" for row, code in pairs)
