"""Somebody must know when a run fails: a line in `state/alerts.jsonl`, and the operator's own command.

What is told is names of ours and a time: which deployment, which flow, which error code. Nothing of the run's inputs,
not even the error's facts; those stand in the audit log.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from contextlib import suppress
from typing import Any

from flows.settings import Settings, load
from schemas.errors import ADVICE, KoppelError

COMMAND_SECONDS = 30
_CODE = re.compile(r"(?<![a-z_])[a-z]+(?:_[a-z]+)*(?![a-z_])")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,60}")


def hook(flow: Any, flow_run: Any, state: Any) -> None:
    """Prefect calls this when a run failed or crashed; it raises nothing, or Prefect would log what it raised."""
    with suppress(KoppelError, OSError, subprocess.SubprocessError):
        alert(load(), str(flow.name), str(state.name).lower(), code_in(str(state.message or "")))


def code_in(message: str) -> str:
    """The first error code of ours in a text; empty when there is none. The text itself goes nowhere."""
    return next((word for word in _CODE.findall(message) if word in ADVICE), "")


def alert(settings: Settings, flow: str, outcome: str, code: str) -> dict[str, str]:
    """Write it down and tell the operator's command (JSON on standard input); returns what was told."""
    told = {"flow": flow, "outcome": outcome, "code": code}
    told = {name: word if _WORD.fullmatch(word) else "other" for name, word in told.items() if word}
    told["at"] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    line = json.dumps(told, sort_keys=True) + "\n"
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.state / "alerts.jsonl").open("a", encoding="ascii") as file:
        file.write(line)
    if settings.alert_command:
        subprocess.run(
            list(settings.alert_command),
            input=line.encode("ascii"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    return told
