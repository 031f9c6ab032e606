"""A real PostgreSQL of Debian's for the tests: a cluster of its own in a temporary folder, on a socket, no network.

Whoever connects is known by the system account (peer), as docs/operator.md sets it up: there is no password.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pages import ROOT

REQUIRED = "KOPPEL_REQUIRE_POSTGRES"
NAME, OWNER = "koppel", "postgres"


def binaries() -> Path | None:
    """The newest installed server; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def available() -> bool:
    """False where there is no PostgreSQL; with KOPPEL_REQUIRE_POSTGRES=1 that is a failure."""
    if binaries() is None and os.environ.get(REQUIRED) == "1":
        pytest.fail("PostgreSQL is required here and not installed")
    return binaries() is not None


def on_the_page() -> list[list[str]]:
    """What docs/operator.md has PostgreSQL's own account do: make the account, make its database."""
    page = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    found = [shlex.split(command) for command in re.findall(r"`(create(?:user|db) [^`]+)`", page)]
    assert [command[0] for command in found] == ["createuser", "createdb"]
    return found


@contextmanager
def cluster() -> Iterator[str]:
    """Start one, with an empty database; yields the URL for Prefect's server. Root runs it as `nobody`."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="koppel-pg-"))
    account = "nobody" if os.getuid() == 0 else None
    if account is not None:
        os.chown(folder, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
    data, owner = folder / "data", account or getpass.getuser()

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=account, cwd=folder)

    try:
        call(str(programs / "initdb"), "-D", str(data), "-U", OWNER, "--auth=peer", "-E", "UTF8", "--no-sync")
        (data / "pg_hba.conf").write_text("local all all peer map=own\n", encoding="ascii")
        who = f"own {getpass.getuser()} {NAME}\nown {owner} {OWNER}\n"
        (data / "pg_ident.conf").write_text(who, encoding="ascii")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        call(str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            for program, *arguments in on_the_page():
                call(str(programs / program), "-h", str(folder), "-U", OWNER, *arguments)
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
