"""Each role under an account of its own: it can do its step, and can read nothing of another's.

As root the steps really run under unused account numbers (no account is made); elsewhere those tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import access
from flows.settings import Settings, load
from schemas.errors import ConfigError, KeyUnavailable
from tests.flows.conftest import Site

pytestmark = pytest.mark.xdist_group("pipeline")
UIDS = {name: 61_001 + number for number, name in enumerate(access.NAMES)}
GROUP = 61_100
root = pytest.mark.skipif(os.getuid() != 0, reason="only root can take another account")

# One process that has loaded what the steps need and touched no thread; per role a child that gives up root for good,
# runs the role's step, and then tries to read whatever the others have.
STEPS = """
import json, os, subprocess, sys
from pathlib import Path
plan = json.loads(sys.stdin.read())
for place in plan["open"]:  # Python may live in a home folder: opened in this mount namespace, on a layer of its own
    layer = Path(plan["layer"]) / str(plan["open"].index(place))
    layer.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", layer], check=True)
    for part in ("u", "w"):
        (layer / part).mkdir()
    how = f"lowerdir={place},upperdir={layer}/u,workdir={layer}/w"
    subprocess.run(["mount", "-t", "overlay", "-o", how, "overlay", place], check=True)
    os.chmod(place, 0o755)
from pseudonymize import accept, audit, cli, commands, convert, deliver, ledger, parties, payload, seal
found = {}
for role, uid in plan["uids"].items():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setgroups([plan["group"]])
        os.setresgid(plan["group"], plan["group"], plan["group"])
        os.setresuid(uid, uid, uid)
        os.umask(0o027)
        told = {"steps": [], "read": []}
        for step in plan["steps"][role]:
            told["steps"].append(cli.run(step))
        for path in plan["files"]:
            try:
                Path(path).read_bytes()
                told["read"].append(path)
            except PermissionError:
                pass
        os.write(write, json.dumps(told).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found[role] = json.loads(answer.read())
    os.wait()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def apart(delivered: Site, finished: Site) -> Iterator[Settings]:
    """A site laid out for five accounts, where every account may walk."""
    folder = Path(tempfile.mkdtemp(prefix="koppel-accounts-"))
    try:
        folder.chmod(0o711)
        site = delivered.copy(folder / "demo")
        site.folder.chmod(0o711)
        shutil.copytree(finished.ttp / "releases", site.ttp / "releases")
        shutil.copytree(finished.ttp / "runs", site.ttp / "runs")
        lines = [f'{name} = "{uid}"' for name, uid in UIDS.items()]
        with site.config.open("a", encoding="utf-8") as file:
            file.write("[accounts]\n" + "\n".join(lines) + "\n")
        yield load(site.config)
    finally:
        shutil.rmtree(folder)


def hand_over(*paths: Path) -> None:
    """What passes from one role to the next: the roles' common group may read, and write new files, nobody else."""
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
        for each in (path, *path.rglob("*")):
            os.chown(each, -1, GROUP)
            each.chmod(0o2770 if each.is_dir() else 0o640)


def steps_of(settings: Settings, work: Path) -> dict[str, list[list[str]]]:
    """The step of each role, as its process would be started."""
    inbox, keys, store = settings.inbox / "ifzo" / "0001", settings.keys, settings.state
    agreement = str(settings.agreements / "ifzo.yaml")
    raw = next((settings.gateway / "reclassering").glob("*.csv"))
    calls: dict[str, tuple[tuple[object, ...], ...]] = {
        "gateway": (
            (
                *("deliver", "--source", raw, "--agreement", settings.agreements / "reclassering.yaml"),
                *("--keys", keys / "suppliers" / "3ro", "--public", keys / "public", "--sequence", 1),
                *("--out", settings.inbox / "reclassering" / "0001"),
            ),
        ),
        "converter": (("convert", "--delivery", inbox, "--keys", keys / "converter", "--out", work / "link.parquet"),),
        "linker": (
            (
                *("open", "--delivery", inbox, "--keys", keys / "linker", "--agreement", agreement),
                *("--out", work / "payload.parquet"),
            ),
        ),
        "releaser": (("sign", "--folder", settings.out, "--keys", keys / "gate"),),
        "auditor": (
            (
                *("verify", "--delivery", inbox, "--agreement", agreement, "--public", keys / "public"),
                *("--ledger", store / "ledger" / "ifzo.json", "--audit", store / "audit.jsonl"),
            ),
            (
                *("record", "--delivery", inbox, "--ledger", store / "ledger" / "ifzo.json"),
                *("--audit", store / "audit.jsonl", "--audit-key", keys / "audit"),
                *("--receipt", settings.receipts / "ifzo" / "0001"),
            ),
        ),
    }
    return {role: [[str(one) for one in call] for call in steps] for role, steps in calls.items()}


def closed_above(*paths: Path) -> list[str]:
    """Folders on the way to Python and to the project that another account may not walk through."""
    return sorted({str(one) for path in paths for one in path.resolve().parents if not one.stat().st_mode & 0o001})


def own_files(settings: Settings) -> dict[str, list[Path]]:
    """Every file in each role's folders."""
    return {
        role.name: [p for _, folder in access.folders(settings, role) for p in folder.rglob("*") if p.is_file()]
        for role in access.ROLES
    }


@root
def test_each_step_runs_under_its_own_account_and_reads_nothing_of_another(apart: Settings) -> None:
    work = apart.home / "handover"
    hand_over(apart.inbox, apart.receipts, work, apart.inbox / "reclassering")
    access.apply(apart)
    assert list(access.findings(apart)) == []
    files = own_files(apart)
    assert all(files.values()), {role: len(found) for role, found in files.items()}
    (apart.home.parent.parent / "layers").mkdir()
    plan = {
        "uids": UIDS,
        "group": GROUP,
        "steps": steps_of(apart, work),
        "open": closed_above(Path(sys.base_prefix), Path(sys.prefix), Path(access.__file__)),
        "layer": str(apart.home.parent.parent / "layers"),
        "files": [str(path) for found in files.values() for path in found],
    }
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", STEPS],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    for role, told in found.items():
        assert [code for code, _ in told["steps"]] == [0] * len(plan["steps"][role]), (role, told["steps"])  # type: ignore[index]
        own = {str(path) for path in files[role]}
        assert set(told["read"]) == own, role  # all of its own, none of any other's
    assert (work / "link.parquet").stat().st_uid == UIDS["converter"]
    assert (work / "payload.parquet").stat().st_uid == UIDS["linker"]
    assert (apart.inbox / "reclassering" / "0001").stat().st_uid == UIDS["gateway"]
    assert (apart.state / "audit.jsonl").stat().st_uid == UIDS["auditor"]


@root
def test_a_folder_of_another_account_or_open_to_others_stops_every_start(apart: Settings) -> None:
    access.apply(apart)
    access.require(apart)
    folder = apart.keys / "converter"
    os.chown(folder, UIDS["linker"], -1)
    with pytest.raises(KeyUnavailable, match=r"access_open \(role=converter, folder=keys of converter, kind=owner"):
        access.require(apart)
    access.apply(apart)
    apart.gateway.chmod(0o750)
    with pytest.raises(KeyUnavailable, match=r"access_open \(role=gateway, folder=gateway, kind=mode"):
        access.require(apart)
    apart.gateway.chmod(0o700)


def test_no_two_roles_share_a_folder_or_a_step(finished: Site) -> None:
    settings = load(finished.config)
    places = [path for role in access.ROLES for _, path in access.folders(settings, role)]
    assert len(places) == len(set(places)) > 10
    runs = [verb for role in access.ROLES for verb in role.runs]
    assert len(runs) == len(set(runs))


def test_every_step_that_opens_a_key_has_a_role(finished: Site) -> None:
    from pseudonymize.cli import VERBS

    about_running = {"deliver", "convert", "open", "recipient", "scan", "sign", "verify", "record", "certify"}
    assert about_running <= set(VERBS)
    assert about_running <= {verb for role in access.ROLES for verb in role.runs}


def test_with_one_account_keys_are_checked_all_the_same(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    access.require(settings)
    (settings.keys / "linker").chmod(0o755)
    done = site.koppel("run", "--direct")
    assert done.returncode == KeyUnavailable.exit_code
    assert "access_open (role=linker" in done.stderr


def test_the_command_shows_roles_and_faults(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    (load(site.config).keys / "gate").chmod(0o701)
    done = site.koppel("access", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == KeyUnavailable.exit_code and answer["sound"] is False
    assert [row["role"] for row in answer["roles"]] == list(access.NAMES)
    assert "keys of gate: mode" in answer["roles"][3]["faults"]
    assert site.koppel("access", "--apply").returncode == 0
    assert (load(site.config).keys / "gate").stat().st_mode & 0o777 == 0o700


def test_an_account_that_does_not_exist_is_told(finished: Site) -> None:
    settings = load(finished.config).model_copy(update={"accounts": {"linker": "no-such-account"}})
    with pytest.raises(ConfigError, match=r"unknown_account \(role=linker"):
        access.require(settings)
