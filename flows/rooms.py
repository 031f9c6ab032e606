"""Run a step of `pseudonymize` in a process of its own: it sees identifiers or keys, and no database.

Only file names, numbers and hashes cross this border; an error comes back as code and facts.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

from flows.spawner import SPAWNER
from schemas import errors
from schemas.errors import Internal, KoppelError

_BRANCH: dict[int, type[KoppelError]] = {
    kind.exit_code: kind
    for kind in (
        errors.ConfigError,
        errors.DeliveryError,
        errors.KeyUnavailable,
        errors.QualityGate,
        errors.DisclosureRefused,
        errors.MachineError,
    )
}


def pseudonymize(*arguments: object) -> dict[str, Any]:
    """`python -m pseudonymize ...`: its one JSON line as a dict, or the KoppelError it reports."""
    with SPAWNER.running([str(argument) for argument in arguments]) as child:
        output = child.output.read()
    return _told(output, child.code, str(arguments[0]))


def watched(tell: Callable[[str, int, int | None], None], *arguments: object) -> dict[str, Any]:
    """The same for a verb with `--progress`: `tell` gets step, rows done and rows in all (None: unknown) as it goes."""
    last = b""
    with SPAWNER.running([str(argument) for argument in arguments]) as child:
        for line in child.output:
            found = _answer(line)
            if found is not None and set(found) == {"progress"}:
                tell(*found["progress"])
            else:
                last = line
    return _told(last, child.code, str(arguments[0]))


def _told(output: bytes, code: int, step: str) -> dict[str, Any]:
    """What the process answered. stderr is dropped unread: what an interpreter writes there we did not choose."""
    answer = _answer(output)
    if code == 0 and answer is not None:
        SPAWNER.kernel |= answer.get("hmac", {}).get("kernel") == "on"
        return answer
    raise error_of(answer, code, step)


def error_of(answer: dict[str, Any] | None, code: int, step: str) -> KoppelError:
    """The error a process of `pseudonymize` reported with this exit code; Internal when it reported none."""
    if answer is not None and code in _BRANCH:
        return _BRANCH[code](str(answer["code"]), **answer.get("facts", {}))
    if answer is not None and answer.get("code") == "internal":
        return Internal("internal", **answer.get("facts", {}))
    if code == -signal.SIGKILL:  # nobody else kills them: the kernel did, for want of memory
        return errors.MachineError("killed", step=step)
    return Internal("internal", step=step, kind="process", exit=code)


def _answer(output: bytes) -> dict[str, Any] | None:
    lines = output.decode("utf-8", errors="replace").strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
