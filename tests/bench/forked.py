"""The processes of `pseudonymize`, forked from one that has loaded its libraries; for studies of hundreds of runs.

A country takes some thirty processes, each of which starts an interpreter for 0.4 s of CPU. Here every verb still runs
in a process of its own, with the import ban of the room, on the same files; only the start is shared.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[2]
READY = b"ready\n"


@contextmanager
def processes() -> Iterator[None]:
    """While inside, `flows.rooms.pseudonymize` asks the forking process instead of starting an interpreter."""
    from flows import rooms

    with tempfile.TemporaryDirectory(prefix="koppel-fork-") as folder:
        address = str(Path(folder) / "socket")
        command = [sys.executable, "-m", "tests.bench.forked", address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as server:
            assert server.stdin is not None and server.stdout is not None
            assert server.stdout.readline() == READY

            def ask(*arguments: object) -> dict[str, Any]:
                answer, code = _ask(address, [str(argument) for argument in arguments])
                if code == 0:
                    return answer
                raise rooms.error_of(answer, code, str(arguments[0]))

            with mock.patch.object(rooms, "pseudonymize", ask):
                yield
            server.stdin.close()  # ends it, as does the end of this process


def _ask(address: str, arguments: list[str]) -> tuple[dict[str, Any], int]:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address)
        line.sendall(json.dumps(arguments).encode() + b"\n")
        with line.makefile("rb") as file:
            answer, code = json.loads(file.read())
    return answer, int(code)


def serve(address: str) -> None:
    """Load the room once; then a fork per question."""
    from pseudonymize import __main__ as start

    sys.meta_path.insert(0, start.Absent())
    start.frugal()
    room = importlib.import_module("pseudonymize")
    for module in pkgutil.walk_packages(room.__path__, "pseudonymize."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        sys.stdout.buffer.write(READY)
        sys.stdout.flush()
        while True:
            if sys.stdin in select.select([door, sys.stdin], [], [])[0]:  # closed: who asked is gone
                return
            line, _ = door.accept()
            _reap()
            if os.fork() == 0:
                _answer(line)
            line.close()


def _reap() -> None:
    """Forks that ended; the answer came over the socket, so nobody waits for them."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(line: socket.socket) -> None:
    """In the fork: run the verb, tell what it answered, end."""
    from pseudonymize import cli

    with line.makefile("rwb") as file:
        code, answer = cli.run(json.loads(file.readline()))
        file.write(json.dumps([answer, code]).encode())
        file.flush()
    line.shutdown(socket.SHUT_RDWR)
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
