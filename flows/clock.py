"""A clock that is wrong deletes too much, or lets an expired agreement hold: so it is held beside what was seen before.

Seen before: the time of the last line of the signed audit log, and the last day on which retention was carried out.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from flows import resume
from flows.settings import Settings
from schemas.errors import ConfigError

BACK = dt.timedelta(days=1)  # time zones and leap seconds, no more
AHEAD = dt.timedelta(days=200)  # a TTP that only works in the half-yearly window
_TAIL = 16_384  # more than the longest line of the log


def require_not_back(settings: Settings, today: dt.date) -> None:
    """ConfigError clock_jumped when the audit log was last written more than a day after `today`."""
    last = _last_event(settings.state / "audit.jsonl")
    if last is not None and today < last - BACK:
        raise ConfigError("clock_jumped", kind="back", days=(last - today).days)


def require_sane(settings: Settings, today: dt.date) -> None:
    """Before anything is deleted: ConfigError clock_jumped, back or ahead of the last retention."""
    path = _mark(settings)
    require_not_back(settings, today)
    if path.is_file():
        last = dt.date.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["day"])
        if not last - BACK <= today <= last + AHEAD:
            raise ConfigError("clock_jumped", kind="ahead" if today > last else "back", days=abs((today - last).days))


def note(settings: Settings, today: dt.date) -> None:
    """Retention was carried out on this day, by a clock that is believed."""
    resume.write_json(_mark(settings), {"day": today.isoformat()})


def _mark(settings: Settings) -> Path:
    return settings.state / "retained.json"


def _last_event(log: Path) -> dt.date | None:
    if not log.is_file():
        return None
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        lines = file.read().splitlines()
    try:
        return dt.datetime.fromisoformat(json.loads(lines[-1])["at"]).date()
    except (IndexError, ValueError, KeyError, TypeError):
        return None  # a damaged log is told by who verifies it
