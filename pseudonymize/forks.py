"""Processes of this room without the price of a start: one that has only loaded code forks a child for every verb.

Loading code takes 0.4 s of a processor, half of it again for the compiled kernel, and a national run has thirty verbs.
The parent of the forks never reads a file, a key or a row: it loads modules, forks, and waits; what a verb sees dies
with its child. It draws no random number, so no child inherits the state of a generator (docs/decisions/0042).

Standard input is a socket on which each request comes as two descriptors, an answering socket and the child's standard
output. The request itself (arguments, environment, folder, umask) is read from the answering socket; the number of the
child and then its exit code go back over it, a line each.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from typing import Any, Never

# What a verb loads, so that it is loaded once, before the fork. A verb that is not listed loads its code in the child.
CODE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("check", "deliver", "keys", "sign"), ("commands",)),
    **dict.fromkeys(("verify", "record"), ("accept", "ledger", "parties", "seal")),
    **dict.fromkeys(("convert", "recipient"), ("convert", "parties", "seal")),
    "open": ("payload", "parties", "seal"),
    "scan": ("commands", "scan"),
}
KERNEL = "kernel"  # a request may ask that the compiled kernel is loaded too: worth it once many values are computed
_GO = b"+"


def serve() -> list[str] | None:
    """Fork for every request until the other side closes; in a child: the arguments of its verb. None at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait for a child are not waited for
    with _taken(0) as control:
        while True:
            with suppress(InterruptedError):
                told, descriptors, _, _ = socket.recv_fds(control, len(_GO), 2)
                if not told:
                    return None
                answering = socket.socket(fileno=descriptors[0])
                with answering:
                    request = _request(answering)
                    _load(request)
                    arguments = _forked(control, answering, descriptors[1], request)
                os.close(descriptors[1])
                if arguments is not None:
                    return arguments


def _taken(descriptor: int) -> socket.socket:
    """The socket at a standard stream, which is empty from now on: no child may keep our end of it open."""
    taken = socket.socket(fileno=os.dup(descriptor))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor)
    os.close(nothing)
    return taken


def _request(answering: socket.socket) -> dict[str, Any]:
    parts = []
    while part := answering.recv(1 << 16):
        parts.append(part)
    found: dict[str, Any] = json.loads(b"".join(parts))
    return found


def _load(request: dict[str, Any]) -> None:
    """Code only. A module that cannot be loaded fails again in the child, where it is told."""
    with suppress(Exception):
        for name in CODE.get(request["arguments"][0], ()):
            importlib.import_module(f"pseudonymize.{name}")
        if request[KERNEL]:
            from pseudonymize import fast  # noqa: PLC0415

            fast.warm()


def _forked(control: socket.socket, answering: socket.socket, output: int, request: dict[str, Any]) -> list[str] | None:
    """The arguments in the child that does the work; None here. Between them one waits and tells the exit code."""
    gc.freeze()  # what was loaded is no child's garbage: looking for it would copy every page of it
    if os.fork():
        return None
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        os.close(output)
        _tell(answering, child)
    answering.close()
    return _become(output, request)


def _tell(answering: socket.socket, child: int) -> Never:
    """Send the number of the child, wait for it, send its exit code (minus the signal that ended it), and be gone.

    The ended child keeps its number until the caller has closed: whoever kills by that number then kills nobody else.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child hears it too, and its end is told
    with suppress(OSError):
        answering.sendall(b"%d\n" % child)
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    status = 0 if ended is None else ended.si_status
    with suppress(OSError):
        answering.sendall(b"%d\n" % (status if ended is not None and ended.si_code == os.CLD_EXITED else -status))
    closed = select.poll()
    closed.register(answering, 0)  # its end of sending was closed long ago; told here is that all of it is
    closed.poll()
    os._exit(0)


def _become(output: int, request: dict[str, Any]) -> list[str]:
    """Standard output, environment, folder and umask of the request."""
    os.dup2(output, 1)
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # where code that was loaded found it; TMPDIR is that of the request
    os.umask(request["umask"])
    os.chdir(request["folder"])
    arguments: list[str] = request["arguments"]
    sys.argv[1:] = arguments
    return arguments
