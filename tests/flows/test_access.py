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
from flows.manifest import run_manifest
from flows.settings import Settings, load
from schemas.errors import ConfigError, KeyUnavailable
from schemas.linked import LINKED_TABLES
from tests.flows import accounts
from tests.flows.conftest import Site

UIDS = {name: 61_001 + number for number, name in enumerate(access.NAMES)}
GROUP = 61_100
root = pytest.mark.skipif(os.getuid() != 0, reason="only root can take another account")


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
        shutil.copytree(finished.ttp / "store", site.ttp / "store")
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


def steps_of(settings: Settings, work: Path) -> list[tuple[str, list[tuple[object, ...]]]]:
    """Role after role, what each does: from a raw extract to a signed release."""
    inbox, keys, state = settings.inbox / "ifzo" / "0001", settings.keys, settings.state
    agreement, output = settings.agreements / "ifzo.yaml", settings.agreements / "outputs" / "onderzoek.yaml"
    raw = next((settings.gateway / "reclassering").glob("*.csv"))
    run = json.dumps(run_manifest(settings))
    linked, out = settings.home / "runs" / "linked", settings.home / "releases" / "new"
    counts = sorted(path.stem for path in (settings.run / "linked").glob("*.parquet"))
    counts = [name for name in counts if name not in {*LINKED_TABLES, *accounts.PRIVATE}]
    ledger = ("--ledger", state / "ledger" / "ifzo.json", "--audit", state / "audit.jsonl")
    own = "pseudonymize"
    return [
        (
            "gateway",
            [
                (
                    *(own, "deliver", "--source", raw, "--agreement", settings.agreements / "reclassering.yaml"),
                    *("--keys", keys / "suppliers" / "3ro", "--public", keys / "public", "--sequence", 1),
                    *("--out", settings.inbox / "reclassering" / "0001"),
                )
            ],
        ),
        (
            "converter",
            [(own, "convert", "--delivery", inbox, "--keys", keys / "converter", "--out", work / "link.parquet")],
        ),
        (
            "linker",
            [
                (
                    *(own, "open", "--delivery", inbox, "--keys", keys / "linker", "--agreement", agreement),
                    *("--out", work / "payload.parquet"),
                ),
                ("link", settings.store, linked, settings.home / "runs" / "scratch"),
                ("estimate", linked, work / "estimated"),
                ("operator", linked, settings.home / "runs" / "operator", run),
                ("hand over", linked, work / "persons", "person_link"),
                ("hand over", linked, work / "counts", *counts),
            ],
        ),
        (
            "converter",
            [
                (
                    *(own, "recipient", "--source", work / "persons" / "person_link.parquet"),
                    *("--keys", keys / "converter", "--recipient", "onderzoek", "--out", work / "pseudonyms.parquet"),
                ),
                ("hand over", work, work / "handed", "pseudonyms"),
            ],
        ),
        ("linker", [("export", linked, work / "handed" / "pseudonyms.parquet", work / "exported", run, output)]),
        (
            "releaser",
            [
                ("publish", work, out, run, output),
                (own, "sign", "--folder", out, "--keys", keys / "gate"),
            ],
        ),
        (
            "auditor",
            [
                (
                    *(own, "verify", "--delivery", inbox, "--agreement", agreement, "--public", keys / "public"),
                    *ledger,
                ),
                (
                    *(own, "record", "--delivery", inbox, *ledger, "--audit-key", keys / "audit"),
                    *("--receipt", settings.receipts / "ifzo" / "0001"),
                ),
            ],
        ),
    ]


def closed_above(*paths: Path) -> list[str]:
    """Folders on the way to Python and to the project that another account may not walk through."""
    return sorted({str(one) for path in paths for one in path.resolve().parents if not one.stat().st_mode & 0o001})


@root
def test_each_step_runs_under_its_own_account_and_reads_nothing_of_another(apart: Settings) -> None:
    """The whole way: whoever has K_T has no payload, the linker has no key, the releaser no row about a person."""
    work = apart.home / "handover"
    hand_over(apart.inbox, apart.receipts, apart.store, work, apart.inbox / "reclassering")
    access.apply(apart)
    assert list(access.findings(apart)) == []
    plan = {
        "uids": UIDS,
        "group": GROUP,
        "steps": [(role, [[str(word) for word in call] for call in calls]) for role, calls in steps_of(apart, work)],
        "folders": {role.name: [path for _, path in access.folders(apart, role)] for role in access.ROLES},
        "open": closed_above(Path(sys.base_prefix), Path(sys.prefix), Path(access.__file__)),
        "layer": apart.home.parent.parent / "layers",
    }
    Path(apart.home.parent.parent / "layers").mkdir()
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-m", accounts.__name__],
        input=json.dumps(plan, default=str),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    found: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    for told in found:
        assert [one for one in told["done"] if not isinstance(one[1], int)] == [], told["role"]
        assert (told["others"], told["missed"]) == ([], []), told["role"]  # none of any other's, all of its own
        assert told["own"] > 0
    assert {told["role"] for told in found} == set(access.NAMES)
    made = {
        **{work / "link.parquet": "converter", work / "pseudonyms.parquet": "converter"},
        **{work / "payload.parquet": "linker", apart.home / "runs" / "linked" / "persons.parquet": "linker"},
        **{work / "estimated" / "schattingen.parquet": "linker", work / "exported": "linker"},
        **{apart.home / "releases" / "new" / "vng" / "doelgroep.html": "releaser"},
        **{apart.inbox / "reclassering" / "0001": "gateway", apart.state / "audit.jsonl": "auditor"},
    }
    assert {path: path.stat().st_uid for path in made} == {path: UIDS[role] for path, role in made.items()}
    assert list((apart.home / "releases" / "new").rglob("*.sig"))


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
