"""`koppel serve` for real: server on PostgreSQL, pool, worker, schedules; no call leaves the machine; it dies well."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows import lock, pipeline, resume, serving, status, statuspage
from flows.server import environment
from flows.settings import ENV, Settings, load
from schemas.errors import ConfigError, KeyUnavailable
from schemas.registers import REGISTERS
from tests import postgres
from tests.flows.conftest import Site
from tests.flows.outside import Outside, api, watching

PORT = 4327
PATIENCE = 180  # seconds until a test gives up; nothing is asserted about time


def until(found: Any, what: str) -> Any:
    """Ask until it is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (answer := found()) is not None:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"waited in vain for {what}")


@dataclass
class Served:
    """A running `koppel serve` and how to talk to it."""

    settings: Settings
    outside: Outside
    process: subprocess.Popen[str]
    database: str
    told: list[str] = field(default_factory=list)

    @property
    def secret(self) -> str:
        return serving.secret(self.settings.home / "prefect")

    def ask(self, path: str, body: object = None, secret: str | None = None) -> Any:
        return json.loads(self.outside.run(api(PORT, secret or self.secret, path, body)))

    def start(self, deployment: str) -> str:
        """Ask for a run of a deployment, as the operator does on the web page; its id."""
        found = self.ask(f"/deployments/name/{deployment}")
        return str(self.ask(f"/deployments/{found['id']}/create_flow_run", {})["id"])

    def state(self, run: str) -> str:
        return str(self.ask(f"/flow_runs/{run}")["state"]["type"])

    def part(self, name: str) -> int:
        """Process id of the server or the worker."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                parent = int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1])
                command = path.joinpath("cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and name.encode() in command:
                return int(path.name)
        raise AssertionError(name)


@contextmanager
def served(site: Site, folder: Path) -> Iterator[Served]:
    """On PostgreSQL where it is installed, else on SQLite; ready when systemd would be told so."""
    address = folder / "notify"
    with watching(folder) as outside, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(address))
        line.settimeout(PATIENCE)
        environ = {**os.environ, **outside.environment, ENV: str(site.config), "NOTIFY_SOCKET": str(address)}
        environ["PREFECT_WORKER_QUERY_SECONDS"] = "1"
        command = [*outside.prefix, str(Path(sys.executable).parent / "koppel"), "serve", "--json"]
        with cluster(site) as database:
            process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
            try:
                assert line.recv(100) == b"READY=1"
                yield Served(load(site.config), outside, process, database)
            finally:
                process.terminate()
                process.communicate()


@contextmanager
def cluster(site: Site) -> Iterator[str]:
    if not postgres.available():
        yield ""
        return
    with postgres.cluster() as url:
        with site.config.open("a", encoding="utf-8") as file:
            file.write(f'prefect_database = "{url}"\n')
        yield url


def test_everything_comes_up_runs_and_calls_nobody(finished: Site, tmp_path: Path) -> None:
    """One life of `koppel serve`, from the first start to a server that is killed while a step runs."""
    site = finished.copy(tmp_path / "demo", port=PORT)
    settings = load(site.config)
    expected = resume.hashes(settings.run / "linked")
    _forget(settings, "ifzo")
    with served(site, tmp_path) as one:
        assert one.ask("/admin/version", secret="operator:wrong") == -401
        _schedules_are_the_promised_ones(one)
        assert _listening(one) == {("0100007F", PORT)}  # loopback alone, byte order of the kernel

        with lock.held(settings):  # an operator is at work: the run waits, and does not fail
            run = one.start("intake/intake-ifzo")
            until(lambda: True if one.state(run) == "RUNNING" else None, "intake to run")
            time.sleep(3)
            assert one.state(run) == "RUNNING"
        until(lambda: one.state(run) if one.state(run) in {"COMPLETED", "FAILED", "CRASHED"} else None, "intake")
        assert one.state(run) == "COMPLETED"
        assert (settings.store / "ifzo" / "0001" / "link.parquet").is_file()
        _prefect_shows_what_status_says(one, run)

        shutil.rmtree(settings.run / "linked")
        run = one.start("link/link")
        until(lambda: True if one.state(run) == "RUNNING" else None, "link to run")
        os.kill(one.part("server"), signal.SIGKILL)
        _, told = one.process.communicate(timeout=PATIENCE)
        assert one.process.returncode == ConfigError.exit_code
        assert "serve_ended (kind=server)" in told
        assert one.outside.calls() == set()
        assert one.outside.packets() == 0
        if one.database:
            parameters = set(postgres.ask(one.database, "select parameters from flow_run"))
            assert parameters == {json.dumps({"register_name": name}) for name in REGISTERS} | {"{}"}
        _the_wire_would_have_counted(one.outside)
    until(lambda: _free(settings), "the orphaned step to end")
    pipeline.link(settings)
    assert resume.hashes(settings.run / "linked") == expected
    assert not list(settings.home.rglob("*.part"))


def _forget(settings: Settings, register: str) -> None:
    """As if this register's delivery had just come in."""
    shutil.rmtree(settings.store / register)
    (settings.state / "ledger" / f"{register}.json").unlink()
    for path in settings.state.glob("audit.*"):  # else a lost ledger would be told, and rightly so
        path.unlink()


def _prefect_shows_what_status_says(one: Served, run: str) -> None:
    """The artifact as Prefect gives it back: the rows of `koppel status`, and nothing more."""
    wanted = {"artifacts": {"key": {"any_": ["status"]}, "flow_run_id": {"any_": [run]}}}
    (found,) = one.ask("/artifacts/filter", wanted)
    assert json.loads(found["data"]) == statuspage.rows(status.status(one.settings))


def _schedules_are_the_promised_ones(one: Served) -> None:
    found = one.ask("/deployments/filter", {"limit": 100})
    crons = {each["name"]: [s["schedule"]["cron"] for s in each["schedules"]] for each in found}
    zones = {s["schedule"]["timezone"] for each in found for s in each["schedules"]}
    assert crons == {
        **{f"intake-{register}": ["0 2 15-28 2,8 *"] for register in REGISTERS},
        "link": ["0 2 1 3,9 *"],
        "estimate": ["0 4 1 3,9 *"],
        "export": ["0 5 1 3,9 *"],
        "quality": ["0 6 1 * *"],
        "audit": ["0 1 * * *"],
        "upkeep": ["30 1 * * *"],
        "publish": [],
    }
    assert zones == {"Europe/Amsterdam"}
    assert all(each["entrypoint"].startswith("flows.deployments.") for each in found)
    assert one.ask("/work_pools/ttp")["type"] == "process"


def _listening(one: Served) -> set[tuple[str, int]]:
    """Listening sockets in the namespace of `koppel serve`; only where it has one to itself."""
    if not one.outside.prefix:
        return {("0100007F", PORT)}
    lines = one.outside.run("print(open('/proc/net/tcp').read() + open('/proc/net/tcp6').read())").splitlines()
    sockets = [line.split() for line in lines if line.split()[3:4] == ["0A"]]
    return {(part[1].split(":")[0], int(part[1].split(":")[1], 16)) for part in sockets}


def _the_wire_would_have_counted(outside: Outside) -> None:
    if outside.prefix:
        outside.run(
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.sendto(b'x', ('198.51.100.1', 9))"
        )
        assert until(lambda: outside.packets() or None, "a packet") > 0


def _free(settings: Settings) -> bool | None:
    try:
        with lock.held(settings):
            return True
    except ConfigError:
        return None


# Parts, without a server ---------------------------------------------------------------------------------------


@pytest.fixture
def light(finished: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """`serve` with two sleeping processes in place of server and worker."""

    @contextmanager
    def sleeping(*_: object) -> Iterator[Any]:
        process = subprocess.Popen(["sleep", "300"])
        try:
            yield SLEEPERS.setdefault(process.pid, process)
        finally:
            serving.stop(process)

    @contextmanager
    def as_server(*_: object) -> Iterator[Any]:
        with sleeping() as process:
            yield type("Server", (), {"process": process, "settings": {}})

    SLEEPERS.clear()
    monkeypatch.setattr(serving, "serving", as_server)
    monkeypatch.setattr(serving, "_worker", sleeping)
    monkeypatch.setattr(serving, "_up", lambda _: None)
    return load(finished.config)


SLEEPERS: dict[int, subprocess.Popen[bytes]] = {}


def test_asked_to_stop_it_stops_its_parts_and_ends_well(
    light: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = light.model_copy(update={"home": tmp_path})
    told: list[str] = []
    monkeypatch.setattr(serving, "notify", told.append)
    monkeypatch.setattr(serving, "time", SimpleNamespace(sleep=lambda _: os.kill(os.getpid(), signal.SIGTERM)))
    serving.serve(settings, tmp_path / "koppel.toml")
    assert told == ["READY=1", "STOPPING=1"]
    assert [process.returncode for process in SLEEPERS.values()] == [-signal.SIGTERM] * 2


def test_a_worker_that_ends_ends_everything(light: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill_last(_: float) -> None:
        worker = list(SLEEPERS.values())[-1]
        worker.kill()
        worker.wait()

    monkeypatch.setattr(serving, "time", SimpleNamespace(sleep=kill_last))
    with pytest.raises(ConfigError, match=r"serve_ended \(kind=worker"):
        serving.serve(light.model_copy(update={"home": tmp_path}), tmp_path / "koppel.toml")


def test_the_password_is_made_once_and_for_one_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = serving.secret(tmp_path)
    assert first.startswith("operator:") and len(first) > 35
    assert serving.secret(tmp_path) == first
    path = tmp_path / serving.CREDENTIAL
    assert path.stat().st_mode & 0o777 == 0o400
    path.chmod(0o440)
    with pytest.raises(KeyUnavailable, match="key_open"):
        serving.secret(tmp_path)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / serving.CREDENTIAL).write_text("operator:from-systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "c"))
    assert serving.secret(tmp_path) == "operator:from-systemd"


def test_systemd_is_told_by_its_socket_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    serving.notify("READY=1")  # nobody asked
    for address in (str(tmp_path / "n"), f"@koppel-test-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.bind("\0" + address[1:] if address.startswith("@") else address)
            monkeypatch.setenv("NOTIFY_SOCKET", address)
            serving.notify("READY=1")
            assert line.recv(20) == b"READY=1"


def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    from flows.server import starting

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port_taken \(port={port}"), starting(tmp_path, port):
            raise AssertionError


def test_the_database_is_sqlite_unless_a_socket_is_named(tmp_path: Path) -> None:
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in environment(tmp_path, 4299, "x")
    url = "postgresql+asyncpg://koppel@/prefect?host=/run/postgresql"
    assert environment(tmp_path, 4299, "x", url)["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == url


@pytest.mark.parametrize("url", ["postgresql+asyncpg://koppel:secret@/p?host=/run", "postgresql+asyncpg://k@db/p"])
def test_a_password_or_a_network_in_the_database_url_is_refused(finished: Site, tmp_path: Path, url: str) -> None:
    file = tmp_path / "koppel.toml"
    file.write_text(finished.config.read_text() + f'prefect_database = "{url}"\n')
    with pytest.raises(ConfigError, match="bad_settings"):
        load(file)
