"""Load sql/<name>.sql and bind $parameters; nothing else. No query is put together from strings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from linkage.database import Connection
from linkage.plan import Parameter

FOLDER = Path(__file__).parent / "sql"
_PARAMETER = re.compile(r"\$([a-z][a-z0-9_]*)")
_COMMENT = re.compile(r"--[^\n]*")
_MAKES = re.compile(r"^create table (\w+) as$", re.MULTILINE)


@cache
def text(name: str) -> str:
    """The statement of sql/<name>.sql. FileNotFoundError for a name that does not exist (a programming error)."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def names() -> tuple[str, ...]:
    """Every statement there is, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.sql")))


def parameters(name: str) -> tuple[str, ...]:
    """The $parameters a statement asks for."""
    return tuple(dict.fromkeys(_PARAMETER.findall(_COMMENT.sub("", text(name)))))


def made(name: str) -> str:
    """The table that a statement makes. TypeError for a statement that makes none (a programming error)."""
    return _MAKES.search(text(name))[1]  # type: ignore[index]


def run(con: Connection, name: str, values: Mapping[str, Parameter], *, more: bool = False) -> None:
    """Execute a statement with the values it asks for; with `more`, its rows are added to the table it makes.

    KeyError when a value is missing.
    """
    statement = _MAKES.sub(r"insert into \1", text(name), count=1) if more else text(name)
    con.execute(statement, {key: values[key] for key in parameters(name)})
