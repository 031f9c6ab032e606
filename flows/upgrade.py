"""The version of what stands in `state/`: an older one is brought up step by step, a newer one is refused.

A migration is a function that takes the state from its number to the next, may be run twice, and stays here for good.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from flows import resume
from flows.settings import Settings
from schemas.errors import ConfigError


def _remember_what_was_published(settings: Settings) -> None:
    """0 to 1: `koppel status` holds a period beside the one before, so what is published now is written down."""
    from flows import status  # noqa: PLC0415 - once in the life of a state

    if (settings.out / "run.json").is_file():
        status.remember(settings)


MIGRATIONS: tuple[Callable[[Settings], None], ...] = (_remember_what_was_published,)
VERSION = len(MIGRATIONS)


def version(settings: Settings) -> int:
    """The version of the state that stands there; 0 before there were versions. ConfigError bad_state."""
    path = _path(settings)
    if not path.is_file():
        return 0
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["version"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, int) or found < 0:
        raise ConfigError("bad_state")
    return found


def bring_up(settings: Settings) -> int:
    """Migrate what is older; returns how many migrations ran. ConfigError state_newer: nothing is touched then."""
    found = version(settings)
    if found > VERSION:
        raise ConfigError("state_newer", found=found, expected=VERSION)
    for number in range(found, VERSION):
        MIGRATIONS[number](settings)
        resume.write_json(_path(settings), {"version": number + 1})
    return VERSION - found


def _path(settings: Settings) -> Path:
    return settings.state / "version.json"
