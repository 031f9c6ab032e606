"""`koppel status`: where every register stands, and the one next action."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flows import statuspage
from flows.settings import load
from flows.status import Line, Status
from flows.status import status as read

DUE = 3
WIDE = 160  # columns, where the output is no terminal
STEPS = ("expected", "received", "checked", "converted", "linked", "estimated", "released")
HEADS = ("register", *STEPS, "rows", "quarantined", "change", "next")


def status(
    *,
    config: Annotated[Path | None, Parameter(help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")] = None,
    watch: float = 0.0,
    page: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Show per register what was expected, received, checked, converted, linked, estimated, released; what is next.

    Exit code 0 when nothing is due, 3 when something is.

    Parameters
    ----------
    watch
        Keep the screen open and read again every so many seconds; leave with Ctrl-C.
    page
        Also write the same as a web page, to this file.
    """
    if watch > 0:
        _keep_open(config, watch)
        return
    found = read(load(config))
    if page is not None:
        statuspage.write(found, page)
    if as_json:
        sys.stdout.write(json.dumps(found.as_dict()) + "\n")
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else WIDE).print(screen(found))
    if found.due:
        sys.exit(DUE)


def _keep_open(config: Path | None, seconds: float) -> None:
    with Live(screen(read(load(config))), screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(seconds)
                live.update(screen(read(load(config))), refresh=True)
        except KeyboardInterrupt:
            return


def screen(found: Status) -> Group:
    """What an operator looks at: counts and names of ours only."""
    table = Table(*HEADS, title=f"{found.period}, release {found.release}", title_justify="left", box=None)
    for column in table.columns[1:-1]:
        column.justify = "right"
    for line in found.lines:
        table.add_row(*_cells(line))
    told = [Text(f"soon: {note}", style="yellow") for note in found.notes]
    return Group(table, *told, Text(f"next: {found.action}", style="bold red" if found.due else "green"))


def _cells(line: Line) -> list[str]:
    """The same words as on the page and in Prefect's table (flows/statuspage.py)."""
    return [str(value) for value in statuspage.row(line).values()]
