"""The event log: JSON lines of names, counts, hashes and times. A field outside the allow-list is refused."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

from schemas.errors import Fact, KoppelError

ALLOWED = frozenset(
    (
        *("event", "register", "sequence", "period", "release", "step", "outcome", "code", "kind", "incident"),
        *("rows", "accepted", "quarantined", "out_of_scope", "converted", "persons", "events", "cells", "hidden"),
        *("tables", "files", "deleted", "seconds", "fingerprint", "manifest", "key", "skipped"),
    )
)


class EventLog:
    """Appends events to one file, 0600. Values pass the same test as the facts of an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def event(self, name: str, **fields: Fact) -> None:
        """Append one event; ValueError for a field that is not allowed (a programming error)."""
        if unknown := set(fields) - ALLOWED:
            raise ValueError(f"event fields not on the allow-list: {len(unknown)}")
        checked = KoppelError(name, **fields).facts
        when = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": when, "event": name, **checked}, ensure_ascii=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as file:
            file.write(line + "\n")
