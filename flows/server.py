"""An embedded Prefect server for one command: loopback, a password of its own, no outgoing calls, private files."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigError

START_SECONDS = 120


def environment(home: Path, port: int, secret: str) -> dict[str, str]:
    """Settings of server and client. prefect.md, "Outgoing calls"; nothing here reaches a register or key."""
    api = f"http://127.0.0.1:{port}/api"
    return {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_UI_API_URL": api,
        "PREFECT_API_AUTH_STRING": secret,
        "PREFECT_SERVER_API_AUTH_STRING": secret,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
    }


@dataclass(frozen=True)
class Server:
    """A server that was started; `use` waits for it and makes it this process's."""

    process: subprocess.Popen[bytes]
    settings: dict[str, str]

    def use(self) -> None:
        """Wait until it answers, then point Prefect at it. Before Prefect is imported: it reads its settings once.

        Raises ConfigError server_failed when it does not answer in time.
        """
        _wait(self.process, self.settings)
        os.environ.update(self.settings)


@contextmanager
def starting(home: Path, port: int) -> Iterator[Server]:
    """Start the server and yield at once: it needs some fifteen seconds, which other work can use. Stops it again."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = environment(home, port, f"operator:{secrets.token_urlsafe(24)}")
    before = {name: os.environ.get(name) for name in settings}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, umask=0o077, env={**os.environ, **settings})
        try:
            yield Server(server, settings)
        finally:
            _stop(server)
            _restore(before)


def _wait(server: subprocess.Popen[bytes], settings: dict[str, str]) -> None:
    token = base64.b64encode(settings["PREFECT_API_AUTH_STRING"].encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        settings["PREFECT_API_URL"] + "/health", headers={"Authorization": f"Basic {token}"}
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError), urllib.request.urlopen(request, timeout=2):  # noqa: S310
            return
        time.sleep(0.25)
    raise ConfigError("server_failed", seconds=START_SECONDS)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
