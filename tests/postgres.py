"""A real PostgreSQL of Debian's for the tests: a cluster of its own in a temporary folder, on a socket, no network.

Whoever connects is known by the system account (peer), as docs/operator.md sets it up: there is no password.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "KOPPEL_REQUIRE_POSTGRES"
NAME = "koppel"


def binaries() -> Path | None:
    """The newest installed server; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def available() -> bool:
    """False where there is no PostgreSQL; with KOPPEL_REQUIRE_POSTGRES=1 that is a failure."""
    if binaries() is None and os.environ.get(REQUIRED) == "1":
        pytest.fail("PostgreSQL is required here and not installed")
    return binaries() is not None


@contextmanager
def cluster() -> Iterator[str]:
    """Start one, with an empty database; yields the URL for Prefect's server. Root runs it as `nobody`."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="koppel-pg-"))
    account = "nobody" if os.getuid() == 0 else None
    if account is not None:
        os.chown(folder, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
    data = folder / "data"

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=account, cwd=folder)

    try:
        call(str(programs / "initdb"), "-D", str(data), "-U", NAME, "--auth=peer", "-E", "UTF8", "--no-sync")
        (data / "pg_hba.conf").write_text("local all all peer map=own\n", encoding="ascii")
        (data / "pg_ident.conf").write_text(f"own {getpass.getuser()} {NAME}\n", encoding="ascii")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        call(str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            subprocess.run(
                [programs / "createdb", "-h", folder, "-U", NAME, "prefect"], check=True, capture_output=True
            )
            yield f"postgresql+asyncpg://{NAME}@/prefect?host={folder}"
        finally:
            call(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ask(url: str, query: str) -> list[str]:
    """Rows of a query, as text."""
    programs = binaries()
    assert programs is not None
    folder = url.partition("host=")[2]
    command = [programs / "psql", "-h", folder, "-U", NAME, "-d", "prefect", "-At", "-c", query]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
