"""Lines of progress of a process of this room: our own names of steps, and numbers of rows."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

BETWEEN = 0.25  # seconds between two lines


def lines() -> Callable[[str, int, int | None], None]:
    """Tells {"progress": [step, rows done, rows in all]} on standard output, at most four a second, and each end."""
    last = -BETWEEN

    def tell(step: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= BETWEEN or done == total:
            last = now
            sys.stdout.write(json.dumps({"progress": [step, done, total]}) + "\n")
            sys.stdout.flush()

    return tell
