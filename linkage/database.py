"""The one `duckdb.connect` of the linkage: in memory, bounded, without extensions, closed to the outside, locked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

Connection = duckdb.DuckDBPyConnection
NEVER = "1000TB"  # of changes, before DuckDB lays tables away by itself: only `compress` does
HELD = "held"  # the database in memory that may compress its tables; the one that DuckDB opens by itself may not


def quoted(text: str | Path) -> str:
    """A path or name of ours as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def compress(con: Connection) -> None:
    """Lay tables away compressed: a third of the memory, and of what would be spilled. Costs a third of a CPU second
    per million wide rows, so it is for tables that are large beside the limit."""
    con.execute(f"checkpoint {HELD}")


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
