"""`koppel retain`: delete what is due under the agreements and sign certificates of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]
Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]


def retain(*, dry_run: bool = False, config: Config = None, as_json: Json = False) -> None:
    """Delete what is due under the agreements, and sign a certificate with hashes and counts.

    Raw extracts, lists of rows to look at, sealed deliveries, linked microdata, and releases per output. `koppel run`
    does this at its end; this verb does it alone.

    Parameters
    ----------
    dry_run
        Show what is due; delete nothing.
    """
    from flows import cli, governance, lock, retention, steps  # noqa: PLC0415 - keeps `koppel check` fast
    from flows.settings import load  # noqa: PLC0415

    settings = load(config)
    log = steps.log(settings)
    with lock.held(settings), log.watching("retain", who="operator", why="retention"):
        done = retention.retain(settings, log, governance.today(), dry_run=dry_run)
    classes = done.pop("classes")
    cli._show({**done, **({"classes": classes} if as_json else classes)}, as_json, "Due" if dry_run else "Retention")
