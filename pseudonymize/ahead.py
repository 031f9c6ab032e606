"""Do two stages of a stream at the same time: the first works ahead in a thread, the second where it is called.

Arrow, libsodium, zstd and the lanes kernel release the interpreter's lock, so two threads use two cores and
keys stay in one process. `DEPTH` items wait at most: memory stays bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")
DEPTH = 1
_WAIT = 0.05  # seconds between looks at whether the reader has gone


class _Stage(threading.Thread):
    """Runs an iterator to its end, its error, or until nobody wants more."""

    def __init__(self, items: Iterator[object], depth: int) -> None:
        super().__init__(daemon=True, name="ahead")
        self.waiting: Queue[object] = Queue(depth)
        self.error: BaseException | None = None
        self.gone = threading.Event()
        self._items = items

    def run(self) -> None:
        try:
            for item in self._items:
                if not self._offered(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are read
            self.error = error
        self._offered(self)  # the stage itself marks the end

    def _offered(self, item: object) -> bool:
        while not self.gone.is_set():
            try:
                self.waiting.put(item, timeout=_WAIT)
            except Full:
                continue
            return True
        return False

    def stop(self) -> None:
        """End the thread and the iterator in it."""
        self.gone.set()
        try:
            while True:
                self.waiting.get_nowait()
        except Empty:
            self.join()
        close = getattr(self._items, "close", None)
        if close is not None:
            close()


def ahead(items: Iterator[T], depth: int = DEPTH) -> Iterator[T]:
    """The same items in the same order; an error comes out where it would have. Leaving early ends the thread."""
    stage = _Stage(items, depth)
    stage.start()
    try:
        while (item := stage.waiting.get()) is not stage:
            yield item  # type: ignore[misc]
        if stage.error is not None:
            raise stage.error
    finally:
        stage.stop()
