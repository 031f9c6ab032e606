"""What a person sees while steps run: one line per step with counts and seconds; or JSON lines; or nothing."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from schemas.errors import Fact, KoppelError

_TEXT = "  {mark} {what:<34} {counts:>44}  {seconds:>6.1f} s"


class Mode(StrEnum):
    """How progress is shown."""

    TEXT = "text"
    JSON = "json"
    QUIET = "quiet"


_EVERY = {Mode.TEXT: 10.0, Mode.JSON: 1.0}  # seconds between lines of progress where there is no terminal


class Reporter:
    """Progress for one command. Counts are the only data that ever pass through here."""

    def __init__(self, mode: Mode = Mode.TEXT) -> None:
        self.mode = mode
        self.console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 110)
        self.finished: list[dict[str, Any]] = []  # every step so far, for the run's report
        self._lock = threading.Lock()
        self._display: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._next = 0.0

    def title(self, text: str) -> None:
        """A heading between groups of steps."""
        if self.mode is Mode.TEXT:
            self.console.print(f"[bold]{text}[/bold]")

    @contextmanager
    def doing(self, what: str) -> Iterator[dict[str, Fact]]:
        """Show that `what` is under way; the yielded dict takes the counts to show at the end."""
        counts: dict[str, Fact] = {}
        began = time.monotonic()
        with self._running(what):
            yield counts
        self.done(what, time.monotonic() - began, counts)

    @contextmanager
    def _running(self, what: str) -> Iterator[None]:
        """A spinner with the time so far while `what` runs, on a terminal; steps side by side share one display."""
        if self.mode is not Mode.TEXT or not self.console.is_terminal:
            yield
            return
        with self._lock:
            if self._display is None:
                columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
                self._display = Progress(*columns, console=self.console, transient=True)
                self._display.start()
            task = self._tasks[what] = self._display.add_task(what, total=None)
        try:
            yield
        finally:
            self._ended(task)

    def rows(self, what: str, step: str, done: int, total: int | None) -> None:
        """How far `what` is: on its line on a terminal, else a line of its own from time to time."""
        of = f" of {total:,}" if total is not None else ""
        if self._display is not None and what in self._tasks:
            self._display.update(self._tasks[what], description=f"{what}: {step} {done:,}{of} rows")
            return
        if self.mode is Mode.QUIET or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY[self.mode]
        if self.mode is Mode.JSON:
            told = {"progress": what, "step": step, "rows": done, "total": total}
            self.console.print(json.dumps(told), soft_wrap=True)
        else:
            self.console.print(f"    {what}: {step} {done:,}{of} rows")

    def _ended(self, task: TaskID) -> None:
        with self._lock:
            if self._display is not None:
                self._display.remove_task(task)
                if not self._display.tasks:
                    self._display.stop()
                    self._display = None

    def done(self, what: str, seconds: float, counts: dict[str, Fact]) -> None:
        """One finished step."""
        shown = KoppelError("done", **counts).facts
        told: dict[str, Any] = {"step": what, "seconds": round(seconds, 2), **shown}
        self.finished.append(told)
        if self.mode is Mode.JSON:
            self.console.print(json.dumps(told), soft_wrap=True)
        elif self.mode is Mode.TEXT:
            skipped = shown.pop("skipped", False)
            counted = ", ".join(
                f"{value:,} {name}" if isinstance(value, int) else f"{name} {value}" for name, value in shown.items()
            )
            mark = "[dim]=[/dim]" if skipped else "[green]+[/green]"
            self.console.print(_TEXT.format(mark=mark, what=what, counts=counted, seconds=seconds))


_current = Reporter(Mode.QUIET)


def use(reporter: Reporter) -> Reporter:
    """Make this the reporter that steps talk to; returns it."""
    global _current  # noqa: PLW0603 - one command, one terminal
    _current = reporter
    return reporter


def current() -> Reporter:
    """The reporter of this command."""
    return _current
