"""`koppel release`: make a protected release from a signed specification, check one, list what was ever released."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from flows.verbs.answers import Json

app = App(name="release", help="Releases of the target-group tables: protected, attacked, signed, and never forgotten.")
Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]


@app.command
def sign(specification: Path, *, keys: Path, as_json: Json = False) -> None:
    """Sign a release specification; without a signature nothing is made from it.

    Parameters
    ----------
    specification
        YAML, as release/protect/doelgroep.yaml; the signature stands beside it as NAME.sig.
    keys
        The folder of the gate's key.
    """
    from flows import releasing  # noqa: PLC0415 - keeps --help fast

    _show({"sha256": releasing.sign(specification, keys)}, as_json, "Signed")


@app.command
def make(specification: Path, *, name: str, config: Config = None, as_json: Json = False) -> None:
    """Make a release from the linked tables: protect, write, re-read from disk, attack, sign, record in the ledger.

    Exit code 14 and no folder when any cell of any file is not proven safe.

    Parameters
    ----------
    specification
        A signed release specification.
    name
        Name of the release: lower-case letters, digits, hyphens. It is used once.
    """
    from flows import releasing  # noqa: PLC0415
    from flows.settings import load  # noqa: PLC0415

    _show(releasing.make(load(config), specification, name), as_json, "Released")


@app.command
def check(name: str, *, config: Config = None, as_json: Json = False) -> None:
    """Check a release as it lies on disk: signatures, checksums, and the attack once more.

    Parameters
    ----------
    name
        Name of the release.
    """
    from flows import releasing  # noqa: PLC0415
    from flows.settings import load  # noqa: PLC0415

    _show(releasing.check(load(config), name), as_json, "Checked")


@app.command(name="list")
def list_(*, config: Config = None, as_json: Json = False) -> None:
    """List every edition that was ever released, from the ledger, whose chain is checked."""
    from flows import releasing  # noqa: PLC0415
    from flows.settings import load  # noqa: PLC0415

    found = releasing.entries(load(config))
    names = ("number", "release", "audience", "base", "geography", "cells", "shown", "hash")
    if as_json:
        sys.stdout.write(json.dumps([{name: entry[name] for name in names} for entry in found]) + "\n")
        return
    table = Table(*names, box=None)
    for entry in found:
        table.add_row(*(str(entry[name])[:12] for name in names))
    Console(highlight=False, soft_wrap=True).print(table)


def _show(answer: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    table = Table("", "", title=title, title_justify="left", show_header=False, box=None)
    for name, value in answer.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    Console(highlight=False, soft_wrap=True).print(table)
