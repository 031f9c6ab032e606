"""Start of a process of this room. It cannot load a database, a data frame or the scheduler, not even by accident.

pyarrow loads pandas by itself whenever it is installed (0.9 s), so the import itself is refused.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ABSENT = frozenset({"duckdb", "pandas", "prefect", "flows", "linkage", "release", "synthetic"})

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_LARGE, _KEPT = 4 << 20, 16 << 20


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
    """Give memory back to the system when it is free, but not each block at once: pages taken anew cost a tenth.

    glibc moves its thresholds up until it keeps all it had. Arrow's jemalloc gives back after a second. Called before
    pyarrow is loaded; where glibc or jemalloc is not, nothing happens. Measured: docs/decisions/0040.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def closed() -> None:
    """Memory of this process is for nobody: no core file (keys and numbers would be in it), no debugger.

    Also not for processes of the same account, so a verb that hostile input took over cannot reach into another, or
    into the process that forks the next one. The administrator of the machine still can. Only on Linux.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    closed()
    sys.meta_path.insert(0, Absent())
    frugal()
    from pseudonymize.cli import main

    if sys.argv[1:] == ["forks"]:
        from pseudonymize.forks import serve

        if serve() is None:
            sys.exit()
        # Taking an interpreter down object by object costs more than most verbs; what they wrote is closed by then.
        main(leave=os._exit)
    main()
