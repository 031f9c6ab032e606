"""One operator at a time: whoever changes the TTP's state holds this lock; a second one is told.

A person is told at once; a scheduled run tries again for some hours (`wait`), as there is nobody to tell. The kernel
lets go of the lock when its process ends, however that happens: it is never left behind.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows import upgrade
from flows.settings import Settings
from schemas.errors import ConfigError

_guard = threading.Lock()
_held: dict[Path, tuple[int, int, int]] = {}  # path -> process, file descriptor, how many times


PAUSE = 5.0  # seconds between two tries of who waits


@contextmanager
def held(settings: Settings, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of this home; the threads of one process hold it together. ConfigError busy with the holder's pid,
    at once or when it is not free after `wait` seconds.

    Whoever holds it finds the stored state in this version's form (flows/upgrade.py).
    A child that was forked while its parent held the lock does not hold it.
    """
    path = settings.state / "lock"
    with _guard:
        owner, descriptor, times = _held.get(path, (os.getpid(), -1, 0))
        if owner != os.getpid() or times == 0:
            descriptor, times = _taken(path, time.monotonic() + wait), 0
            _brought_up(settings, descriptor)
        _held[path] = (os.getpid(), descriptor, times + 1)
    try:
        yield
    finally:
        with _guard:
            owner, descriptor, times = _held[path]
            _held[path] = (owner, descriptor, times - 1)
            if times == 1:
                del _held[path]
                os.close(descriptor)


def _brought_up(settings: Settings, descriptor: int) -> None:
    """By whoever takes the lock, before another thread may share it: two would write the same files."""
    try:
        upgrade.bring_up(settings)
    except BaseException:
        os.close(descriptor)
        raise


def _taken(path: Path, until: float) -> int:
    while (descriptor := _tried(path, last=time.monotonic() >= until)) is None:
        time.sleep(PAUSE)
    return descriptor


def _tried(path: Path, *, last: bool) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", errors="replace").strip()
        os.close(descriptor)
        if not last:
            return None
        raise ConfigError("busy", pid=int(holder) if holder.isdigit() else 0) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor
