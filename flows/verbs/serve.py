"""`koppel serve`: the TTP's machinery in one command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Json = Annotated[bool, Parameter(name="--json", help="Show progress as JSON lines.")]
Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]


def serve(*, config: Config = None, as_json: Json = False) -> None:
    """Run Prefect's server, a worker and all schedules, on loopback, until it is asked to stop.

    The password of the web pages stands in HOME/prefect/prefect-auth. Schedules (Europe/Amsterdam): intake every night
    of the window (15 to 28 February and August), linking and estimates after it, quality every first of the month,
    audit verification and retention every night. Publishing has no schedule: a person starts it.
    """
    from flows import cli, serving  # noqa: PLC0415 - keeps `koppel check` fast
    from flows.settings import ENV, load  # noqa: PLC0415

    cli._progress(as_json, quiet=False)
    file = (config or Path(os.environ.get(ENV, "koppel.toml"))).resolve()
    serving.serve(load(file), file)
