"""An embedded Prefect server for one command: loopback, a password of its own, no outgoing calls, private files."""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigError

START_SECONDS = 120


def environment(home: Path, port: int, secret: str, database: str = "") -> dict[str, str]:
    """Settings of server and client: no outgoing calls; nothing here reaches a register or key (docs/decisions/0070).

    `database` is the URL of a PostgreSQL database; without it the server keeps SQLite in `home`.
    """
    api = f"http://127.0.0.1:{port}/api"
    return {
        **({"PREFECT_SERVER_DATABASE_CONNECTION_URL": database} if database else {}),
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
    with serving(home, environment(home, port, f"operator:{secrets.token_urlsafe(24)}")) as server:
        yield server


@contextmanager
def serving(home: Path, settings: dict[str, str]) -> Iterator[Server]:
    """The same with settings of the caller's; the port must be free. ConfigError port_taken."""
    before = {name: os.environ.get(name) for name in settings}
    port = urllib.parse.urlsplit(settings["PREFECT_API_URL"]).port
    _require_free(int(port or 0))
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, umask=0o077, env={**os.environ, **settings})
        try:
            yield Server(server, settings)
        finally:
            stop(server)
            _restore(before)


def _require_free(port: int) -> None:
    """Two servers on one port: the second would talk to the first one's, with a password that is not its own."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError("port_taken", port=port) from None


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


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask it to end; after fifteen seconds, end it."""
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
