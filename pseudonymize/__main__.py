"""Start of a process of this room. It cannot load a database, a data frame or the scheduler, not even by accident.

pyarrow loads pandas by itself whenever it is installed (0.9 s), so the import itself is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ABSENT = frozenset({"duckdb", "pandas", "prefect", "flows", "linkage", "release", "synthetic"})


class Absent(MetaPathFinder):
    """Answers for the other rooms and their tools: not here."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """ModuleNotFoundError for what must stay out; None (ask the next finder) for the rest."""
        if fullname.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(name=fullname)
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, Absent())
    from pseudonymize.cli import main

    main()
