"""`koppel reproduce`: make a release of earlier again, and say file by file whether it is the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from flows.verbs.answers import Json

Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]


def reproduce(
    run: str,
    *,
    sealed: bool = False,
    out: Annotated[Path | None, Parameter(name="--out")] = None,
    config: Config = None,
    quiet: Annotated[bool, Parameter(name="--quiet", help="Show no progress.")] = False,
    as_json: Json = False,
) -> None:
    """Make a release again from its manifest, in a folder of its own, and compare every file by SHA-256.

    Exit code 0: all identical; 13: a file differs, is missing or is new; 10, 11 or 12: it cannot be made again,
    because code, plan, texts, a delivery or a key is not as it was, and which. Nothing is released.

    Parameters
    ----------
    run
        Name of a release, or id of a run (`run_id` in its run.json).
    sealed
        Begin with the sealed deliveries in the inbox: convert and open them again.
    out
        New folder for the release that was made.
    """
    from flows import cli  # noqa: PLC0415 - keeps `koppel check` fast
    from flows import reproduce as room  # noqa: PLC0415
    from flows.settings import load  # noqa: PLC0415

    cli._progress(as_json, quiet)
    made = room.reproduce(load(config), run, sealed=sealed, out=out)
    if as_json:
        sys.stdout.write(json.dumps(made) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        for name, found in made["files"].items():
            if found != room.IDENTICAL:
                console.print(f"{found:10}{name}", markup=False)
        console.print(
            f"release {made['release']}, run {made['run']}: {made['identical']} of {len(made['files'])} identical"
        )
    room.require_identical(made["files"])
