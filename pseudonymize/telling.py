"""Lines of progress of a process of this room: our own names of steps, and numbers of rows."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

BETWEEN = 0.25  # seconds between two lines


def lines() -> Callable[[str, int, int | None], None]:
    """Tells {"progress": [step, rows done, rows in all]} on standard output: four a second, each begin and end."""
    last, before = -BETWEEN, ""

    def tell(step: str, done: int, total: int | None) -> None:
        nonlocal last, before
        now = time.monotonic()
        if now - last >= BETWEEN or step != before or done == total:
            last, before = now, step
            sys.stdout.write(json.dumps({"progress": [step, done, total]}) + "\n")
            sys.stdout.flush()

    return tell
