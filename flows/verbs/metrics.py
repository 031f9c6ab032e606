"""`koppel metrics`: figures about the TTP for the machine that watches it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]


def metrics(*, write: Path | None = None, config: Config = None) -> None:
    """Print deliveries, rows, steps, alerts and free space as OpenMetrics text. Counts only, no data.

    Parameters
    ----------
    write
        Write to this file instead, whole or not at all, as node_exporter's textfile collector asks.
    """
    from flows import metrics as room  # noqa: PLC0415 - keeps `koppel check` fast
    from flows.settings import load  # noqa: PLC0415

    text = room.text(load(config))
    if write is None:
        sys.stdout.write(text)
        return
    part = write.with_name(write.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.chmod(0o644)  # the exporter is another account; there is nothing in it that it may not read
    part.replace(write)
