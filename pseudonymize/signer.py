"""A process that signs audit events for a caller without cryptography: started once, asked many times.

Each line in is {"log", "key", "event"}; each line out the new head, or the error with its exit code. The caller
waits for the answer: an event that was not written is an error, never a gap.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from pseudonymize import audit
from schemas.errors import Internal, KoppelError


def serve(source: Iterable[str], target: TextIO) -> int:
    """Answer until the source ends; returns how many events were asked for."""
    asked = 0
    for line in source:
        asked += 1
        target.write(json.dumps(answer(line), sort_keys=True) + "\n")
        target.flush()
    return asked


def answer(line: str) -> dict[str, Any]:
    """The answer to one line; never raises."""
    try:
        asked = json.loads(line)
        return vars(audit.append(Path(asked["log"]), audit.load_key(Path(asked["key"])), [asked["event"]]))
    except KoppelError as error:
        found: KoppelError = error
    except Exception as error:  # noqa: BLE001 - the border of the process, as in cli.run
        found = Internal("internal", step="audit", kind=type(error).__name__, incident=secrets.token_hex(3))
    return {"code": found.code, "facts": found.facts, "exit": found.exit_code}
