"""`koppel access`: which account each role has, what it may run, and whether its folders are its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from schemas.errors import KeyUnavailable

Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]
Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]


def access(*, apply: bool = False, config: Config = None, as_json: Json = False) -> None:
    """Show the roles, what each may run, and every folder that another account owns or can enter.

    Exit code 12 when there is one: `koppel run` and `koppel serve` would refuse to start.

    Parameters
    ----------
    apply
        Give every role its folders and close them (needs root, with `accounts` in the settings).
    """
    from flows import access as room  # noqa: PLC0415 - keeps `koppel check` fast
    from flows.settings import load  # noqa: PLC0415

    settings = load(config)
    if apply:
        room.apply(settings)
    found = list(room.findings(settings))
    rows = [
        {
            "role": role.name,
            "account": settings.accounts.get(role.name, "this one"),
            "runs": ", ".join(role.runs),
            "faults": "; ".join(f"{one.folder}: {one.fault}" for one in found if one.role == role.name),
        }
        for role in room.ROLES
    ]
    if as_json:
        sys.stdout.write(json.dumps({"roles": rows, "sound": not found}) + "\n")
    else:
        table = Table(*rows[0], box=None)
        for row in rows:
            table.add_row(*row.values())
        Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(table)
    if found:
        raise KeyUnavailable("access_open", role=found[0].role, folder=found[0].folder, kind=found[0].fault)
