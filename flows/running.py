"""Run the whole pipeline of one settings file: on an embedded Prefect server, or direct."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from flows import pipeline, server
from flows.report import current
from flows.resume import Done
from flows.settings import ENV, Settings, load


def run(config: Path | None, *, direct: bool) -> Done:
    """Intake of every register, link, publish, upkeep; returns what publish made."""
    settings = load(config)
    os.environ[ENV] = str((config or Path(os.environ.get(ENV, "koppel.toml"))).resolve())
    return pipeline.run_direct(settings) if direct else _on_server(settings)


def _on_server(settings: Settings) -> Done:
    with ExitStack() as stack:
        with current().doing("prefect server up"):
            stack.enter_context(server.running(settings.home / "prefect", settings.prefect_port))
        with current().doing("prefect client up"):
            # Prefect reads its settings when first imported, so the server's address must be known by now.
            from flows import deployments  # noqa: PLC0415
        return deployments.run()
