"""The one `duckdb.connect` of the linkage: in memory, bounded, without extensions, closed to the outside, locked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

Connection = duckdb.DuckDBPyConnection
NEVER = "1000TB"  # of changes, before DuckDB lays tables away by itself: only `compress` does
TAKEN = """select coalesce(sum(memory_usage_bytes + temporary_storage_bytes), 0) from duckdb_memory()
where tag = 'IN_MEMORY_TABLE'"""
HELD = "held"  # the database in memory that may compress its tables; the one that DuckDB opens by itself may not


def quoted(text: str | Path) -> str:
    """A path or name of ours as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def compress(con: Connection) -> None:
    """Lay tables away compressed: a third of the memory, and of what would be spilled. Costs a third of a CPU second
    per million wide rows, so it is for tables that are large beside the limit."""
    con.execute(f"checkpoint {HELD}")


class Shelf:
    """Lays tables away as they grow: whenever they take `step` bytes more, in memory and spilled together, than when it
    last did. What is compressed while it is still in memory is not spilled at its full size and read back for it."""

    def __init__(self, con: Connection, step: float) -> None:
        self._con, self._step, self._held = con, step, 0.0

    def tidy(self) -> None:
        """Compress when there is enough to compress."""
        if self._taken() > self._held + self._step:
            self.clear()

    def clear(self) -> None:
        """Compress whatever there is, where tables are large at all."""
        if self._step < math.inf:
            compress(self._con)
            self._held = self._taken()

    def _taken(self) -> float:
        return float(self._con.execute(TAKEN).fetchall()[0][0])


@contextmanager
def connect(*, work: Path, folders: Iterable[Path], memory_limit: str, threads: int) -> Iterator[Connection]:
    """A database that may read `folders`, spill into `work` and do nothing else.

    Order matters (readers.md): no extensions at connect, then the folders, then external access off, then
    locked, so that no later statement can open it again. Nothing is logged, parameters included.
    """
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    con = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(work),
            "preserve_insertion_order": False,
            # Left to itself DuckDB also compresses whatever has grown by 16 MB, once, after some statement.
            "checkpoint_threshold": NEVER,
        },
    )
    try:
        con.execute(f"attach ':memory:' as {HELD} (compress true)")
        con.execute(f"use {HELD}")
        allowed = ", ".join(quoted(folder.resolve()) for folder in (work, *folders))
        con.execute(f"set allowed_directories = [{allowed}]")
        con.execute("set enable_progress_bar = false")
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        yield con
    finally:
        con.close()
