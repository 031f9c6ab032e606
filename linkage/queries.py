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


def run(con: Connection, name: str, values: Mapping[str, Parameter]) -> None:
    """Execute a statement with the values it asks for. KeyError when one is missing."""
    con.execute(text(name), {key: values[key] for key in parameters(name)})
