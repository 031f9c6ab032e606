"""The highest that something gets while something else runs: memory, spilled bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def highest(measure: Callable[[], int], every: float) -> Iterator[list[int]]:
    """One number, the highest that `measure` gave so far; asked every `every` seconds, in a thread of its own."""
    most, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(every):
            most[0] = max(most[0], measure())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()
