"""Verbs of `pseudonymize` come from one process that has loaded code and seen nothing (docs/decisions/0042).

Tested from outside, by /proc: its memory, its open files, its threads and its libraries.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows import rooms, spawner
from pseudonymize.__main__ import closed
from pseudonymize.forks import CODE
from schemas.errors import ConfigError, MachineError

PLANTED = b"999990019"  # RvIG's test range: passes the 11-proef, belongs to nobody


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[spawner.Spawner]:
    """A process that forks for this test alone."""
    made = spawner.Spawner()
    monkeypatch.setattr(rooms, "SPAWNER", made)
    yield made
    made.close()


def pid(own: spawner.Spawner) -> int:
    assert own._process is not None
    return own._process.pid


def keys(home: Path) -> tuple[object, ...]:
    epochs = ("--project", "koppelpunt-demo", "--pre-epoch", "run-1", "--epoch", "epoch-1")
    return ("keys", "--home", home, "--suppliers", "justid,dji", "--recipients", "onderzoek", *epochs)


def check(folder: Path) -> tuple[object, ...]:
    file = folder / "a.csv"
    file.write_bytes(b"bsn;skn\n" + PLANTED + b";\n")
    return ("check", "--source", file, "--register", "crosswalk", "--synthetic")


root = pytest.mark.skipif(os.geteuid() != 0, reason="its memory is closed to its own account")


def memory(process: int) -> bytes:
    """Everything a process can write to."""
    parts = []
    with Path(f"/proc/{process}/mem").open("rb") as held:
        for line in Path(f"/proc/{process}/maps").read_text(encoding="utf-8").splitlines():
            begin, end, modes = re.match(r"(\w+)-(\w+) (\S+)", line).groups()  # type: ignore[union-attr]
            if modes.startswith("rw"):
                held.seek(int(begin, 16))
                try:
                    parts.append(held.read(int(end, 16) - int(begin, 16)))
                except OSError:  # pages of the kernel's own
                    continue
    return b"\n".join(parts)


# The same as before --------------------------------------------------------------------------------------------


def test_the_answer_is_that_of_a_process_started_by_itself(own: spawner.Spawner, tmp_path: Path) -> None:
    asked = check(tmp_path)
    command = [sys.executable, "-m", "pseudonymize", *map(str, asked)]
    alone = subprocess.run(command, capture_output=True, check=False)
    assert rooms.pseudonymize(*asked) == json.loads(alone.stdout)


def test_errors_come_with_their_branch_and_facts(own: spawner.Spawner) -> None:
    with pytest.raises(ConfigError, match="bad_call"):
        rooms.pseudonymize("check", "--no-such-option")
    with pytest.raises(ConfigError, match="bad_call"):
        rooms.pseudonymize("no-such-verb")


def test_folder_umask_and_environment_are_those_of_the_caller_at_the_call(
    own: spawner.Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms.pseudonymize(*check(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOPPEL_FAST", "off")
    before = os.umask(0o077)
    try:
        with own.running(["check", "--source", "a.csv", "--register", "crosswalk", "--synthetic"]) as child:
            told = json.loads(child.output.read())
    finally:
        os.umask(before)
    assert child.code == 0 and told["rows"]["in"] == 1


def test_every_listed_verb_and_module_exists() -> None:
    from pseudonymize.cli import VERBS

    assert set(CODE) <= set(VERBS)
    room = Path(rooms.__file__).parents[1] / "pseudonymize"
    assert all((room / f"{module}.py").is_file() for modules in CODE.values() for module in modules)


# What the process that forks knows -----------------------------------------------------------------------------


@root
def test_a_number_that_a_verb_read_is_not_in_its_memory(own: spawner.Spawner, tmp_path: Path) -> None:
    """The search finds what is there: the caller's own memory holds the number, and the room's word for a verb."""
    rooms.pseudonymize(*check(tmp_path))
    held = memory(pid(own))
    assert b"quarantine" in held
    assert PLANTED not in held
    assert PLANTED in memory(os.getpid())


@root
def test_keys_that_a_verb_made_are_not_in_its_memory(own: spawner.Spawner, tmp_path: Path) -> None:
    rooms.pseudonymize(*keys(tmp_path / "k"))
    held = memory(pid(own))
    files = [
        file.read_bytes() for file in (tmp_path / "k").rglob("*") if file.is_file() and file.stat().st_mode & 0o077 == 0
    ]
    secrets = [line for content in files for line in content.splitlines() if len(line) > 40]
    assert secrets and not [line for line in secrets if line in held]


def test_two_verbs_never_draw_the_same_random_numbers(own: spawner.Spawner, tmp_path: Path) -> None:
    """A generator seeded before the fork would give both the same keys."""
    for name in ("a", "b"):
        rooms.pseudonymize(*keys(tmp_path / name))
    first, second = ({file.read_bytes() for file in (tmp_path / name).rglob("*.kek")} for name in ("a", "b"))
    assert len(first) == len(second) == 6 and not first & second


@root
def test_it_has_one_thread_and_no_file_of_ours_open(own: spawner.Spawner, tmp_path: Path) -> None:
    own.kernel = True
    rooms.pseudonymize(*keys(tmp_path / "k"))
    rooms.pseudonymize(*check(tmp_path))
    for verb in CODE:  # loads the code of each; what the verb itself says to so few arguments is no matter
        with pytest.raises(ConfigError, match="bad_call"):
            rooms.pseudonymize(verb)
    process = Path(f"/proc/{pid(own)}")
    threads = sorted((one / "comm").read_text(encoding="utf-8").strip() for one in (process / "task").iterdir())
    assert threads[:-1] in ([], ["jemalloc_bg_thd"])  # Arrow's allocator has one, and starts it anew in a child
    opened = {str(one.readlink()) for one in (process / "fd").iterdir()}
    assert {name for name in opened if not name.startswith("socket:")} == {"/dev/null"}


@root
def test_no_other_room_is_loaded(own: spawner.Spawner, tmp_path: Path) -> None:
    rooms.pseudonymize(*check(tmp_path))
    libraries = Path(f"/proc/{pid(own)}/maps").read_text(encoding="utf-8")
    assert "pyarrow" in libraries
    assert "duckdb" not in libraries and "pandas" not in libraries


# What others can do to it --------------------------------------------------------------------------------------


def opened_by_its_own_account(close: bool) -> bool:
    """Whether a process of an ordinary account can open the memory of another one of that account."""
    asking = os.fork()
    if asking == 0:
        os.setresuid(65_534, 65_534, 65_534)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # a change of account closes it; this is as it was after a start
        ready, tell = os.pipe()
        waiting = os.fork()
        if waiting == 0:
            if close:
                closed()
            os.write(tell, b"+")
            time.sleep(30)
            os._exit(0)
        os.read(ready, 1)
        try:
            os.close(os.open(f"/proc/{waiting}/mem", os.O_RDWR))
            answer = 1
        except PermissionError:
            answer = 0
        os.kill(waiting, signal.SIGKILL)
        os._exit(answer)
    return bool(os.waitstatus_to_exitcode(os.waitpid(asking, 0)[1]))


@root
def test_its_memory_is_closed_to_processes_of_its_own_account() -> None:
    """A verb that hostile input took over cannot write itself into the process that forks the next one."""
    assert opened_by_its_own_account(close=False)
    assert not opened_by_its_own_account(close=True)


def test_neither_it_nor_a_verb_leaves_a_core_file(own: spawner.Spawner, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.csv")
    waiting = ["check", "--source", str(tmp_path / "never.csv"), "--register", "crosswalk", "--synthetic"]
    with pytest.raises(KeyboardInterrupt), own.running(waiting) as child:
        for process in (pid(own), child.pid):
            assert resource.prlimit(process, resource.RLIMIT_CORE) == (0, 0)
        raise KeyboardInterrupt


def test_the_number_of_a_child_that_ended_is_not_given_away(own: spawner.Spawner, tmp_path: Path) -> None:
    """Whoever gives up kills by number: as long as that can happen, no other process may have it."""
    with own.running(list(map(str, check(tmp_path)))) as child:
        child.output.read()
        for _ in range(500):
            if "(zombie)" in (status := Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")):
                break
            time.sleep(0.02)
        assert "(zombie)" in status
    assert child.code == 0


def test_threads_that_ask_at_once_leave_the_umask_as_it_was(own: spawner.Spawner) -> None:
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: json.loads(own._request(["check"]))["umask"], range(4_000)))
        assert set(told) == {0o027}
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


# Its life ------------------------------------------------------------------------------------------------------


def test_one_process_serves_many_verbs_and_ends_when_it_is_closed(own: spawner.Spawner, tmp_path: Path) -> None:
    asked = check(tmp_path)
    rooms.pseudonymize(*asked)
    first = pid(own)
    rooms.pseudonymize(*asked)
    assert pid(own) == first
    own.close()
    assert not Path(f"/proc/{first}").exists()


@pytest.mark.parametrize(("name", "same"), [("NUMBA_CACHE_DIR", False), ("OPENSSL_CONF", False), ("KOPPEL_FAST", True)])
def test_what_code_reads_while_it_is_loaded_needs_another_process(
    own: spawner.Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, same: bool
) -> None:
    asked = check(tmp_path)
    rooms.pseudonymize(*asked)
    first = pid(own)
    monkeypatch.setenv(name, str(tmp_path))
    rooms.pseudonymize(*asked)
    assert (pid(own) == first) is same


def test_a_killed_one_is_replaced(own: spawner.Spawner, tmp_path: Path) -> None:
    asked = check(tmp_path)
    rooms.pseudonymize(*asked)
    first = pid(own)
    os.kill(first, signal.SIGKILL)
    assert own._process is not None
    own._process.wait()
    assert rooms.pseudonymize(*asked)["rows"]["in"] == 1
    assert pid(own) != first


def test_a_killed_child_is_told_as_killed(own: spawner.Spawner, tmp_path: Path) -> None:
    """A verb that waits for its input, a pipe that nobody writes, is killed from outside."""
    os.mkfifo(tmp_path / "never.csv")
    waiting = ["check", "--source", str(tmp_path / "never.csv"), "--register", "crosswalk", "--synthetic"]
    with own.running(waiting) as child:
        os.kill(child.pid, signal.SIGKILL)
    assert child.code == -signal.SIGKILL
    with pytest.raises(MachineError, match=r"killed \(step=check\)"):
        rooms._told(b"", child.code, "check")


def test_a_caller_that_gives_up_kills_the_child(own: spawner.Spawner, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.csv")
    waiting = ["check", "--source", str(tmp_path / "never.csv"), "--register", "crosswalk", "--synthetic"]
    with pytest.raises(KeyboardInterrupt), own.running(waiting) as child:
        raise KeyboardInterrupt
    assert child.output.closed and child.code == -signal.SIGKILL
    for _ in range(500):  # gone as soon as the one that waits for it has been told
        if not Path(f"/proc/{child.pid}").exists():
            return
        time.sleep(0.02)
    pytest.fail("the child is still there")


def test_a_fork_of_ours_has_one_of_its_own(own: spawner.Spawner, tmp_path: Path) -> None:
    asked = check(tmp_path)
    rooms.pseudonymize(*asked)
    first, child = pid(own), os.fork()
    if child == 0:
        try:
            rooms.pseudonymize(*asked)
            other = pid(own)
            own.close()
            os._exit(0 if other != first else 1)
        except BaseException:  # the end of a forked test process, whatever happened
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert rooms.pseudonymize(*asked)["rows"]["in"] == 1
    assert pid(own) == first
