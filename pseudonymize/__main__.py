"""Start of a process of this room. It cannot load a database, a data frame or the scheduler, not even by accident.

pyarrow loads pandas by itself whenever it is installed (0.9 s), so the import itself is refused.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ABSENT = frozenset({"duckdb", "pandas", "prefect", "flows", "linkage", "release", "synthetic"})

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGE = 1 << 20


class Absent(MetaPathFinder):
    """Answers for the other rooms and their tools: not here."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """ModuleNotFoundError for what must stay out; None (ask the next finder) for the rest."""
        if fullname.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(name=fullname)
        return None


def frugal() -> None:
    """Give large blocks of memory back to the system when they are free: measured, a fifth less at the peak.

    Arrow's own allocators keep what they had, and glibc's moves its threshold up until it does as well. Called
    before pyarrow is loaded; without glibc nothing happens.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


if __name__ == "__main__":
    sys.meta_path.insert(0, Absent())
    frugal()
    from pseudonymize.cli import main

    main()
