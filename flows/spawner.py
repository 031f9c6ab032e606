"""Processes of `pseudonymize`, forked from one that has loaded its code (pseudonymize/forks.py).

That one starts with the first verb and ends with us. A change of what code reads from the environment while it is
loaded starts another one; all the rest of the environment goes along with each request.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_AT_LOADING = (
    *("PYTHON", "LD_", "MALLOC_", "ARROW_", "NUMBA_", "OPENBLAS_", "OMP_", "GLIBC_", "NPY_", "NUMPY_"),
    *("OPENSSL_", "CRYPTOGRAPHY_"),  # which providers and which code for this processor: settled once per process
)
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # no verb needs more, and a fork keeps only one


class Child:
    """A verb at work: `output` is its standard output, `code` its exit code once `running` has ended."""

    def __init__(self, output: IO[bytes], pid: int) -> None:
        self.output, self.pid = output, pid
        self.code = -signal.SIGKILL  # also where nobody lives to tell


def _told(answers: IO[bytes], default: int) -> int:
    """The next number; `default` when whoever should tell it is gone."""
    with suppress(OSError):
        return int(answers.readline() or default)
    return default


class Spawner:
    """The process that forks, and the requests to it."""

    def __init__(self) -> None:
        self.kernel = False  # whether the compiled kernel is worth loading before the fork
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._made_for: tuple[int, dict[str, str]] = (0, {})

    @contextmanager
    def running(self, arguments: list[str]) -> Iterator[Child]:
        """A child that runs `python -m pseudonymize ARGUMENTS`; it is killed when the block ends with an error."""
        mine, theirs = socket.socketpair()
        reading, writing = os.pipe()
        with mine, os.fdopen(reading, "rb") as output, mine.makefile("rb") as answers:
            with theirs, os.fdopen(writing, "wb"):
                self._ask(theirs.fileno(), writing)
            with suppress(OSError):  # nobody reads: there will be no answer either
                mine.sendall(self._request(arguments))
                mine.shutdown(socket.SHUT_WR)
            child = Child(output, _told(answers, 0))
            try:
                yield child
            except BaseException:
                if child.pid:  # its number is not given to another: it is reaped when our end of the socket closes
                    with suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGKILL)
                raise
            child.code = _told(answers, child.code)

    def _ask(self, *descriptors: int) -> None:
        with self._lock:
            try:
                socket.send_fds(self._running(), [b"+"], descriptors)
            except OSError:  # it is gone: the next one is new
                self.close()
                socket.send_fds(self._running(), [b"+"], descriptors)

    def _request(self, arguments: list[str]) -> bytes:
        with self._lock:  # two threads at once would each restore what the other had set
            umask = os.umask(0o077)
            os.umask(umask)
        environ = dict(os.environ)
        told = {"arguments": arguments, "environment": environ, "folder": str(Path.cwd()), "umask": umask}
        return json.dumps({**told, "kernel": self.kernel}).encode("utf-8")

    def _running(self) -> socket.socket:
        made_for = os.getpid(), {name: value for name, value in os.environ.items() if name.startswith(_AT_LOADING)}
        if self._control is None or made_for != self._made_for:
            self.close()
            self._control, theirs = socket.socketpair()
            command = [sys.executable, "-m", "pseudonymize", "forks"]
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, **_ONE_THREAD},
                )
            self._made_for = made_for
        return self._control

    def close(self) -> None:
        """End the process that forks; children at work go on to their end."""
        process, control, self._process, self._control = self._process, self._control, None, None
        if control is not None:
            control.close()
        if process is not None and self._made_for[0] == os.getpid():
            process.wait()


SPAWNER = Spawner()
atexit.register(SPAWNER.close)
