"""How a verb that runs in a process of `pseudonymize` shows its answer."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from flows import rooms

WIDE = 160  # columns, where the output is no terminal
FIRST = ("kind", "owner", "project", "epoch", "check", "state", "until", "id", "store")
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]


def ask(title: str, as_json: bool, verb: str, **options: object) -> None:
    """Call a verb of `pseudonymize` and show what it says; an option of None or False is left out."""
    show(rooms.pseudonymize(verb, *words(options)), as_json, title)


def words(options: dict[str, object]) -> list[object]:
    """Options as the words of a call."""
    found: list[object] = []
    for name, value in options.items():
        if value is not None and value is not False:
            found += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    return found


def show(answer: dict[str, Any], as_json: bool, title: str) -> None:
    """One line of JSON, or a table; a list of objects becomes one row each."""
    if as_json:
        sys.stdout.write(json.dumps(answer, sort_keys=True) + "\n")
        return
    rows = next(iter(answer.values())) if len(answer.keys() - {"audited"}) == 1 else None
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
    console.print(_rows(rows, title) if _many(rows) else _facts(answer, title))


def _many(rows: object) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def _rows(rows: Any, title: str) -> Table:
    names = [name for name in FIRST if rows and name in rows[0]]
    names += [name for name in (rows[0] if rows else ("none",)) if name not in names]
    table = Table(title=title, title_justify="left", box=None)
    for name in names:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    return table


def _facts(answer: dict[str, Any], title: str) -> Table:
    table = Table("", "", title=title, title_justify="left", show_header=False, box=None)
    for name, value in answer.items():
        table.add_row(name, _text(value), style=None)
    return table


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return "; ".join(_text(one) for one in value) or "none"
    return str(value)
