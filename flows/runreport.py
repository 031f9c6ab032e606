"""The report of one run: every step with its counts and seconds, the outcome, and the error code when it failed.

Written to `state/reports/<time>.json` however the run ends, short of the process being killed. No data: the counts are
those of the progress lines, which take numbers and names alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import resume
from flows.report import current
from flows.settings import Settings
from schemas.errors import KoppelError

KEPT = 400  # reports; the oldest go


@contextmanager
def reporting(settings: Settings, how: str) -> Iterator[None]:
    """Report the run inside; `how` is direct or prefect."""
    began = dt.datetime.now(dt.UTC)
    before = len(current().finished)
    outcome: dict[str, Any] = {"outcome": "done"}
    try:
        yield
    except KoppelError as error:
        outcome = {"outcome": "failed", "code": error.code, "exit": error.exit_code}
        raise
    except BaseException as error:
        outcome = {"outcome": "failed", "kind": type(error).__name__}
        raise
    finally:
        seconds = round((dt.datetime.now(dt.UTC) - began).total_seconds(), 1)
        about = {"began": began.isoformat(timespec="seconds"), "seconds": seconds, "how": how, **outcome}
        about |= {"period": settings.period, "release": settings.release}
        _write(settings.state / "reports", began, {**about, "steps": current().finished[before:]})


def _write(folder: Path, began: dt.datetime, report: dict[str, Any]) -> None:
    resume.write_json(folder / f"{began:%Y%m%dT%H%M%S%f}.json", report)
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        old.unlink()
