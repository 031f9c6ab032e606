"""What goes wrong in a machine room, done on purpose: nothing is lost, nothing half-released, the next run goes on.

docs/operator.md has the table of all of it. kill -9 stands in test_kill.py, the server's death in test_serve.py.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows import clock, governance, lock, pipeline, resume, running, steps, work
from flows.safe import guarded
from flows.settings import ENV, Settings, load
from schemas.errors import ADVICE, ConfigError, DeliveryError, KoppelError, MachineError
from schemas.machine import refusal
from tests.flows.conftest import Site

REGISTER = "injus_tbs"


@pytest.fixture
def site(finished: Site, tmp_path: Path) -> Site:
    """A finished site that may be spoiled."""
    return finished.copy(tmp_path / "demo")


@pytest.fixture
def settings(site: Site) -> Settings:
    return load(site.config)


def forget(settings: Settings, register: str = REGISTER) -> None:
    """As if this register's delivery had just come in."""
    shutil.rmtree(settings.store / register)
    (settings.state / "ledger" / f"{register}.json").unlink()
    for path in settings.state.glob("audit.*"):  # else a lost ledger would be told, and rightly so
        path.unlink()


def accepted(settings: Settings, register: str = REGISTER) -> list[str]:
    path = settings.state / "ledger" / f"{register}.json"
    if not path.is_file():
        return []
    return sorted(n for one in json.loads(path.read_text())["accepted"].values() for s in one.values() for n in s)


# A disk that is full, or read-only -----------------------------------------------------------------------------

# Walks three stages. For each: spoil the folder it writes to, run it in a child, mend the folder, run it again.
# As root with a real file system of 64 kB (or a read-only one) mounted over the folder, in a mount namespace of its
# own; otherwise with a limit on file size, or with modes.
WALK = """
import json, os, subprocess, sys
from pathlib import Path
from flows import pipeline, work
from flows.safe import guarded
from flows.settings import load
from schemas.errors import KoppelError

def light(linked, out, **_):
    out.mkdir(parents=True)
    (out / "release.json").write_text("{}" + " " * 200_000, encoding="utf-8")
    return [out / "release.json"]

work.publish.publish_vng = light
settings = load()
ways = sys.argv[1:]
STAGES = {
    "intake": (settings.store / "ifzo", lambda: pipeline.intake(settings, "ifzo")),
    "link": (settings.run, lambda: pipeline.link(settings)),
    "publish": (settings.out.parent, lambda: guarded(work.release)(settings)),
}

def spoil(how, folder):
    folder.mkdir(parents=True, exist_ok=True)
    if how.startswith("mount"):
        options = "size=64k" if how == "mount-full" else "ro"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    elif how == "modes":
        folder.chmod(0o500)

def mend(how, folder):
    if how.startswith("mount"):
        subprocess.run(["umount", folder], check=True)
    elif how == "modes":
        folder.chmod(0o700)

def child(act, limited):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        if limited:
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
        try:
            act()
            told = "done"
        except KoppelError as error:
            told = f"{error.code} {error.exit_code}"
        except BaseException as error:
            told = type(error).__name__
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        told = answer.read()
    os.waitpid(pid, 0)
    return told

found = {}
for name, (folder, act) in STAGES.items():
    told = []
    for how in ways:
        spoil(how, folder)
        told.append(child(act, how == "limit"))
        mend(how, folder)
    half = settings.out.exists()
    found[name] = [told, half, child(act, False)]
print(json.dumps(found))
"""


def walk(site: Site, ways: tuple[str, ...]) -> dict[str, Any]:
    command = [sys.executable, "-c", WALK, *ways]
    if ways[0].startswith("mount"):
        command = ["unshare", "--mount", *command]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=site.folder, env={**os.environ, ENV: str(site.config)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _namespaces() -> bool:
    return os.getuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


def test_a_disk_that_is_full_or_read_only_stops_each_stage_and_loses_nothing(
    finished: Site, site: Site, settings: Settings
) -> None:
    forget(settings, "ifzo")  # more than fits in 64 kB
    shutil.rmtree(settings.out)
    shutil.rmtree(settings.run / "linked")
    recipient = resume.hashes(settings.run / "recipient")
    for name in ("link", "release"):
        (settings.state / "steps" / f"{name}.json").unlink()
    shutil.move(settings.run, site.folder / "kept")  # the mount hides what stands there: only `link` starts anew
    found = walk_with(site, settings, ("mount-full", "mount-ro") if _namespaces() else ("limit", "modes"))
    for stage, (first, half, second) in found.items():
        assert first == [f"{code} {MachineError.exit_code}" for code in ("disk_full", "not_writable")], (stage, found)
        assert (half, second) == (False, "done"), stage
    assert accepted(settings, "ifzo") == ["1"]
    assert resume.hashes(settings.run / "linked") == resume.hashes(load(finished.config).run / "linked")
    assert resume.hashes(settings.run / "recipient") == recipient
    assert (settings.out / "onderzoek" / "SHA256SUMS.sig").stat().st_size == 64
    assert not list(settings.home.rglob("*.part"))


def walk_with(site: Site, settings: Settings, ways: tuple[str, ...]) -> dict[str, Any]:
    """Put back what the release needs beside the linked tables, then walk."""
    settings.run.mkdir(parents=True)
    for path in sorted((site.folder / "kept").iterdir()):
        shutil.move(path, settings.run / path.name)
    return walk(site, ways)


# Deliveries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "how"),
    [("identity.age", "cut"), ("payload.age", "gone"), ("manifest.json", "cut"), ("manifest.sig", "empty")],
)
def test_a_truncated_delivery_is_refused_and_the_whole_one_taken_in_under_the_same_number(
    settings: Settings, name: str, how: str
) -> None:
    forget(settings)
    path = settings.inbox / REGISTER / "0001" / name
    whole = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(whole[: len(whole) // 2] if how == "cut" else b"")
    with pytest.raises(DeliveryError) as caught:
        steps.verify(settings, REGISTER)
    assert caught.value.code in {"bad_hash", "bad_signature", "bad_manifest", "stray_file"}
    assert not (settings.store / REGISTER).exists() and accepted(settings) == []
    path.write_bytes(whole)
    assert [parcel.sequence for parcel in steps.verify(settings, REGISTER)] == [1]


def test_a_delivery_damaged_in_the_store_stops_the_linkage(settings: Settings) -> None:
    path = settings.store / REGISTER / "0001" / "link.parquet"
    path.write_bytes(path.read_bytes()[:-2000])
    (settings.state / "steps" / "link.json").unlink()
    released = resume.hashes(settings.out)
    with pytest.raises(KoppelError) as caught:
        pipeline.link(settings)
    assert caught.value.code in ADVICE or caught.value.code == "internal"
    assert resume.hashes(settings.out) == released
    forget(settings)  # the sealed delivery is still there: take it in again
    pipeline.intake(settings, REGISTER)
    pipeline.link(settings)


def deliver(settings: Settings, site: Site, sequence: int) -> Path:
    source = site.folder / "land" / "extracts" / f"{REGISTER}.csv"
    agreement, file = steps.agreement_of(settings, REGISTER)
    steps.deliver(settings, source, register=REGISTER, agreement=file, supplier=agreement.supplier, sequence=sequence)
    return settings.inbox / REGISTER / f"{sequence:04d}"


def test_late_early_and_duplicate_deliveries(settings: Settings, site: Site) -> None:
    """Number 3 before 2 waits, 2 comes late and both go in, 2 again is a replay, and the ledger tells it all."""
    second = deliver(settings, site, 2)
    third = deliver(settings, site, 3)
    away = shutil.move(second, site.folder / "away")
    with pytest.raises(DeliveryError, match=r"sequence_gap \(.*missing=2"):
        pipeline.intake(settings, REGISTER)
    assert accepted(settings) == ["1"]
    shutil.move(away, second)
    pipeline.intake(settings, REGISTER)
    assert accepted(settings) == ["1", "2", "3"]
    assert pipeline.intake(settings, REGISTER) == 0  # a duplicate run takes in nothing
    shutil.copytree(second, settings.inbox / REGISTER / "0004")
    with pytest.raises(DeliveryError, match="replay"):
        pipeline.intake(settings, REGISTER)
    assert accepted(settings) == ["1", "2", "3"]
    assert third.is_dir()


def test_a_suppliers_signing_key_is_rotated_between_deliveries(settings: Settings, site: Site) -> None:
    """Unknown until the TTP publishes it; then the new delivery counts, and the old one still stands in the inbox."""
    from pseudonymize import keys as key_files
    from pseudonymize.signing import public_half

    supplier = steps.agreement_of(settings, REGISTER)[0].supplier
    place = settings.keys / "suppliers" / supplier / "sign.key"
    old = key_files.load(place, "sign")
    place.unlink()  # lost or compromised: a new one under the same name
    key_files.make(place, "sign", old.project, old.epoch, old.owner)
    deliver(settings, site, 2)
    with pytest.raises(DeliveryError, match="bad_signature"):
        pipeline.intake(settings, REGISTER)
    assert accepted(settings) == ["1"]
    public = settings.keys / "public" / "public.json"
    content = json.loads(public.read_text())
    content["suppliers"][supplier] = public_half(key_files.load(place, "sign").secret)
    public.chmod(0o600)
    public.write_text(json.dumps(content))
    pipeline.intake(settings, REGISTER)
    assert accepted(settings) == ["1", "2"]
    assert (settings.inbox / REGISTER / "0001").is_dir()  # signed with the old key, accepted in its day


# Lost state ----------------------------------------------------------------------------------------------------


def test_prefects_database_may_be_lost(finished: Site, settings: Settings) -> None:
    """It holds nothing we need: status, the next run and the release come from our own files."""
    shutil.rmtree(settings.home / "prefect", ignore_errors=True)
    assert resume.hashes(settings.out) == resume.hashes(load(finished.config).out)
    assert pipeline.link(settings).skipped
    assert pipeline.estimate(settings).skipped


def test_a_lost_journal_costs_work_and_changes_nothing(settings: Settings) -> None:
    before = resume.hashes(settings.run / "linked")
    shutil.rmtree(settings.state / "steps")
    done = pipeline.link(settings)
    assert not done.skipped
    assert resume.hashes(settings.run / "linked") == before


@pytest.mark.parametrize("damage", ["{", "[]", '{"fingerprint": 1}', "\x00"])
def test_a_damaged_journal_is_a_lost_one(tmp_path: Path, damage: str) -> None:
    done = [_toy(tmp_path).skipped]
    (tmp_path / "steps" / "toy.json").write_text(damage)
    done += [_toy(tmp_path).skipped, _toy(tmp_path).skipped]
    assert done == [False, False, True]


def _toy(folder: Path) -> resume.Done:
    def act(out: Path) -> resume.Facts:
        (out / "made").write_text("x")
        return {"rows": 1}

    return resume.step("toy", journal=folder / "steps", inputs={}, rooms=("schemas",), out=folder / "out", work=act)


def test_a_lost_ledger_is_told_and_never_starts_anew(settings: Settings) -> None:
    """An empty ledger would let replays in. The audit log says that there was one."""
    (settings.state / "ledger" / f"{REGISTER}.json").unlink()
    with pytest.raises(DeliveryError, match="lost_ledger"):
        pipeline.intake(settings, REGISTER)
    assert accepted(settings) == []


def test_a_damaged_ledger_is_told(settings: Settings) -> None:
    (settings.state / "ledger" / f"{REGISTER}.json").write_text("{}")
    with pytest.raises(DeliveryError, match="damaged_ledger"):
        pipeline.intake(settings, REGISTER)


# The clock -----------------------------------------------------------------------------------------------------


def at(monkeypatch: pytest.MonkeyPatch, days: int) -> dt.date:
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)
    monkeypatch.setattr(governance, "today", lambda: day)
    return day


def test_a_clock_set_back_reads_no_row(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agreement that ended would hold again."""
    at(monkeypatch, -40)
    with pytest.raises(ConfigError, match=r"clock_jumped \(kind=back"):
        pipeline.intake(settings, REGISTER)


def test_a_clock_far_ahead_deletes_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    work.upkeep(settings)
    held = sorted(settings.store.rglob("*"))
    day = at(monkeypatch, 4000)
    with pytest.raises(ConfigError, match=r"clock_jumped \(kind=ahead"):
        pipeline.upkeep(settings)
    assert sorted(settings.store.rglob("*")) == held
    clock.note(settings, day)  # what `koppel retain --clock-checked` does once somebody looked
    clock.require_sane(settings, day)


def test_a_log_without_a_readable_end_says_nothing_about_the_clock(settings: Settings) -> None:
    day = governance.today()
    for content in (b"", b"{\n", b'{"at": 7}\n', b'{"at": "soon"}\n'):
        (settings.state / "audit.jsonl").write_bytes(content)
        clock.require_not_back(settings, day - dt.timedelta(days=900))


# Two operators -------------------------------------------------------------------------------------------------


@pytest.fixture
def other_operator(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Another process that is at work."""
    code = (
        "import sys\nfrom flows import lock\nfrom flows.settings import load\n"
        "with lock.held(load()):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, ENV: str(site.config)},
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def unreported(settings: Settings) -> dict[str, str]:
    """Everything but the reports of runs, refused ones too."""
    return {name: value for name, value in resume.hashes(settings.home).items() if "/reports/" not in name}


def test_a_second_operator_is_told_who_is_at_work(
    site: Site, settings: Settings, other_operator: subprocess.Popen[str]
) -> None:
    before = unreported(settings)
    for verb in (("run", "--direct"), ("retain",)):
        done = site.koppel(*verb)
        assert done.returncode == ConfigError.exit_code
        assert f"busy (pid={other_operator.pid})" in done.stderr
    assert unreported(settings) == before
    assert site.koppel("status").returncode in {0, 3}  # looking is always allowed


def test_a_scheduled_run_waits_for_the_other_and_is_told_when_that_takes_too_long(
    settings: Settings, other_operator: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def pause(seconds: float) -> None:
        tried.append(seconds)
        if len(tried) == 3:
            other_operator.kill()
            other_operator.wait()

    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: len(tried) * lock.PAUSE, sleep=pause))
    with pytest.raises(ConfigError, match="busy"), lock.held(settings, wait=2 * lock.PAUSE):
        raise AssertionError
    assert tried == [lock.PAUSE] * 2
    with lock.held(settings, wait=9 * lock.PAUSE):
        assert tried == [lock.PAUSE] * 3


def test_every_flow_that_changes_the_state_waits() -> None:
    from flows import deployments  # imports Prefect

    for name in ("intake", "link", "estimate", "export", "publish", "upkeep"):
        body = getattr(deployments, name).fn
        while hasattr(body, "__wrapped__"):
            if body.__code__ is deployments.patient(body).__code__:
                break
            body = body.__wrapped__
        else:
            pytest.fail(f"{name} does not wait")


def test_the_lock_goes_with_its_process(settings: Settings, other_operator: subprocess.Popen[str]) -> None:
    other_operator.send_signal(signal.SIGKILL)
    other_operator.wait()
    with lock.held(settings), lock.held(settings):  # threads of one process hold it together
        pass
    with lock.held(settings):
        pass


# Memory --------------------------------------------------------------------------------------------------------


def test_a_linkage_that_needs_more_memory_than_it_may_use_goes_on_with_more(settings: Settings) -> None:
    before = resume.hashes(settings.run / "linked")
    (settings.state / "steps" / "link.json").unlink()
    with pytest.raises(MachineError, match="out_of_memory"):
        pipeline.link(settings.model_copy(update={"memory_limit": "4MB"}))
    assert resume.hashes(settings.run / "linked") == before  # the old tables stand until new ones are whole
    pipeline.link(settings)
    assert resume.hashes(settings.run / "linked") == before


def test_the_whole_linkage_lives_within_one_gigabyte(settings: Settings) -> None:
    """A hard limit of the kernel on data of the process; what stands above it in production is MemoryMax."""
    (settings.state / "steps" / "link.json").unlink()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

    code = "from flows import pipeline\nfrom flows.settings import load\npipeline.link(load())"
    environ = {**os.environ, ENV: str(settings.home.parent / "koppel.toml")}
    done = subprocess.run(
        [sys.executable, "-c", code], preexec_fn=limited, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]


# How it is told ------------------------------------------------------------------------------------------------


class OutOfMemoryException(Exception):
    """As DuckDB names it."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(28, "No space left on device"), "disk_full"),
        (OSError("IOError: [Errno 28] No space left on device"), "disk_full"),  # Arrow says it in words
        (OSError(30, "x"), "not_writable"),
        (PermissionError(13, "x"), "not_writable"),
        (MemoryError(), "out_of_memory"),
        (OutOfMemoryException("cell 999990019"), "out_of_memory"),
    ],
)
def test_what_the_machine_refuses_has_a_code_and_no_text(error: Exception, code: str) -> None:
    @guarded
    def step() -> None:
        raise error

    with pytest.raises(MachineError) as caught:
        step()
    assert (caught.value.code, caught.value.facts, caught.value.retryable) == (code, {"step": "step"}, True)
    assert code in ADVICE and "999990019" not in str(caught.value)


def test_what_is_our_own_fault_stays_internal() -> None:
    assert refusal(ValueError("No space left on device"), "x") is None
    assert refusal(OSError("something else"), "x") is None


@pytest.mark.parametrize("alive", [True, False])
def test_a_server_that_ended_during_a_run_is_told_as_that(monkeypatch: pytest.MonkeyPatch, alive: bool) -> None:
    from flows import deployments

    def run() -> None:
        raise OSError("All connection attempts failed")

    monkeypatch.setattr(deployments, "run", run)
    server: Any = SimpleNamespace(use=lambda: None, process=SimpleNamespace(poll=lambda: None if alive else -9))
    with pytest.raises(OSError if alive else MachineError) as caught:
        running._on(server)
    assert alive or re.match(r"server_down \(step=run\)", str(caught.value))
