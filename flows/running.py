"""Run the whole pipeline of one settings file: on an embedded Prefect server, or direct."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows import pipeline
from flows.report import current
from flows.resume import Done
from flows.runreport import reporting
from flows.server import Server, starting
from flows.settings import ENV, Settings, load


def run(config: Path | None, *, direct: bool) -> Done:
    """Intake of every register, link, publish, upkeep; returns what publish made."""
    with server_for(load(config), direct=direct) as server:
        return run_on(config, server)


@contextmanager
def server_for(settings: Settings, *, direct: bool) -> Iterator[Server | None]:
    """The embedded server of a run, starting; None for a direct one."""
    if direct:
        yield None
        return
    with starting(settings.home / "prefect", settings.prefect_port) as server:
        yield server


def run_on(config: Path | None, server: Server | None) -> Done:
    """Every step, on a server that was started before, or direct."""
    settings = load(config)
    os.environ[ENV] = str((config or Path(os.environ.get(ENV, "koppel.toml"))).resolve())
    with reporting(settings, "direct" if server is None else "prefect"):
        return pipeline.run_direct(settings) if server is None else _on(server)


def _on(server: Server) -> Done:
    with current().doing("prefect server up"):
        server.use()
    with current().doing("prefect client up"):
        # Prefect reads its settings when first imported, so the server's address must be known by now.
        from flows import deployments  # noqa: PLC0415
    return deployments.run()
