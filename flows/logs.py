"""The audit log as the flows write it: names, counts, hashes and times, signed by a process of `pseudonymize`.

Nothing here can sign. One signer process serves all logs of this process and is started by the first event; an event
that cannot be written is an error, so no step goes on unseen. Format and fields: pseudonymize/audit.py, docs/audit.md.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flows import rooms
from schemas.errors import Fact, Internal, KoppelError

# Facts of an error that the log has a field for.
_TOLD = frozenset(
    (
        *("register", "sequence", "kind", "incident", "field", "missing", "declared", "read", "maximum", "persons"),
        *("expected", "found", "column", "faults", "rows", "files", "file", "agreement", "release", "recipient"),
    )
)


class _Signer:
    """The process that signs, one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The signer's answer. Internal when it does not answer twice running."""
        line = json.dumps(request) + "\n"
        with self._lock:
            for _ in range(2):
                answer = self._once(line)
                if answer:
                    found: dict[str, Any] = json.loads(answer)
                    return found
        raise Internal("internal", step="audit", kind="process")

    def _once(self, line: str) -> str:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes, see _start
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            self._process = None
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            command = [sys.executable, "-m", "pseudonymize", "audit-serve"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self._owner = os.getpid()
        return self._process

    def close(self) -> None:
        """End the process; the next event starts another."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and self._owner == os.getpid():
            with suppress(OSError):
                process.stdin.close()
            process.wait()


_SIGNER = _Signer()
atexit.register(_SIGNER.close)


class EventLog:
    """One audit log and the folder of the key that signs it."""

    def __init__(self, path: Path, key: Path) -> None:
        self.path = path
        self.key = key

    def event(self, name: str, *, who: str, why: str, **fields: Fact) -> dict[str, Any]:
        """Append one event and wait until it stands; returns the new head.

        ValueError or UnsafeFact for a field that is not allowed or a value that can be data (programming errors, met
        by the signer as Internal); KeyUnavailable without the key; QualityGate audit_broken for a log that was cut.
        """
        event = {"event": name, "who": who, "why": why, **fields}
        safe = {field: KoppelError("event", value=value).facts["value"] for field, value in event.items()}
        answer = _SIGNER.ask({"log": str(self.path), "key": str(self.key), "event": safe})
        if "code" in answer:
            raise rooms.error_of(answer, int(answer["exit"]), "audit")
        return answer

    @contextmanager
    def watching(self, step: str, *, who: str, why: str, **fields: Fact) -> Iterator[None]:
        """Whatever stops this step leaves an event: `refused` with its code, or `failed` with the kind of error.

        Where the log itself cannot be written, the error of the step comes first.
        """
        try:
            yield
        except Exception as error:
            if not getattr(error, "audited", False):  # an inner step told it already
                error.audited = True  # type: ignore[attr-defined]
                with suppress(KoppelError):
                    self._stopped(error, {**fields, "who": who, "why": why, "step": step})
            raise

    def _stopped(self, error: Exception, fields: dict[str, Any]) -> None:
        if isinstance(error, KoppelError):
            told = {name: value for name, value in error.facts.items() if name in _TOLD}
            self.event("refused", **{**told, "code": error.code, **fields})
        else:
            self.event("failed", kind=type(error).__name__, **fields)
