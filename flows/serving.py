"""`koppel serve`: Prefect's server, the work pool, the deployments with their schedules, and one worker.

Everything listens on loopback, behind a password that lies in a file of the operator alone. Server and worker are
processes; when one of them ends, the other is stopped and this one ends with an error, so systemd starts all anew:
steps resume from their journals.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from flows.report import current
from flows.server import Server, environment, serving, stop
from flows.settings import ENV, Settings
from schemas.errors import ConfigError, KeyUnavailable

CREDENTIAL = "prefect-auth"
LOOK_SECONDS = 0.5


class _Ended(Exception):
    """Somebody asked for the end: SIGTERM or SIGINT."""


def serve(settings: Settings, config: Path) -> None:
    """Bring everything up and stay until SIGTERM or SIGINT. ConfigError server_failed when a part of it ends."""
    home = settings.home / "prefect"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    told = environment(home, settings.prefect_port, secret(home), settings.prefect_database)
    with _until_asked():
        try:
            with serving(home, {**told, ENV: str(config)}) as server:
                _up(server)
                with _worker(home, server) as worker:
                    notify("READY=1")
                    current().title(f"Serving on {told['PREFECT_SERVER_UI_API_URL'].removesuffix('/api')}")
                    _watch(server.process, worker)
        except _Ended:
            notify("STOPPING=1")


def secret(home: Path) -> str:
    """What clients must show: systemd's credential, else a file of ours, made once. KeyUnavailable key_open."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / CREDENTIAL).is_file():
        return (Path(credentials) / CREDENTIAL).read_text(encoding="ascii").strip()
    path = home / CREDENTIAL
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"operator:{secrets.token_urlsafe(24)}\n")
    if path.stat().st_mode & 0o077:
        raise KeyUnavailable("key_open", file=CREDENTIAL)
    return path.read_text(encoding="ascii").strip()


def _up(server: Server) -> None:
    with current().doing("prefect server up"):
        server.use()
    with current().doing("deployments") as counts:
        from flows import deployments  # noqa: PLC0415 - Prefect reads its settings when first imported

        counts["deployments"] = deployments.deploy()


@contextmanager
def _worker(home: Path, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "ttp", "--type", "process", "--limit", "1"]
    environ = {**os.environ, **server.settings}
    with (home / "worker.log").open("ab") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, umask=0o077, env=environ)
        try:
            yield worker
        finally:
            stop(worker)


def _watch(*parts: subprocess.Popen[bytes]) -> None:
    while all(part.poll() is None for part in parts):
        time.sleep(LOOK_SECONDS)
    raise ConfigError("serve_ended", kind="server" if parts[0].poll() is not None else "worker")


@contextmanager
def _until_asked() -> Iterator[None]:
    """A signal becomes an exception, once, so that whatever was started is stopped in order and undisturbed."""
    asked = (signal.SIGTERM, signal.SIGINT)

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in asked:
            signal.signal(number, signal.SIG_IGN)
        raise _Ended

    before = {number: signal.signal(number, end) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def notify(state: str) -> None:
    """Tell systemd (Type=notify) how far we are; says nothing where nobody asked."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect("\0" + address[1:] if address.startswith("@") else address)
        line.sendall(state.encode("ascii"))
