"""The day and the moment, in one place, so that a test of an expiry need not wait for it."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """The moment, UTC, in whole seconds."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def today() -> dt.date:
    """The day, UTC."""
    return now().date()
