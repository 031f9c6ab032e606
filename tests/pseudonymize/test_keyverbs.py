"""Every key verb of `python -m pseudonymize`, from a call's words to one line of JSON that holds nothing secret."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from pseudonymize import cli, clock
from pseudonymize.keys import KeyFile
from tests.pseudonymize.conftest import PLANTED as CANARY_ROWS
from tests.pseudonymize.test_keys_rotation import encodings

PLANTED = "999990019"
UNTIL = (clock.today() + dt.timedelta(days=30)).isoformat()


class Room:
    """Calls verbs, and remembers all that was said."""

    def __init__(self, home: Path) -> None:
        self.home, self.said = home, ""

    def call(self, verb: str, **options: object) -> tuple[int, dict[str, Any]]:
        arguments = [verb]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        code, answer = cli.run(arguments)
        self.said += json.dumps(answer)
        return code, answer

    def ok(self, verb: str, **options: object) -> dict[str, Any]:
        code, answer = self.call(verb, **options)
        assert code == 0, answer
        return answer

    def refused(self, verb: str, **options: object) -> str:
        code, answer = self.call(verb, **options)
        assert code in {10, 11, 12}, answer
        return f"{code} {answer['code']}"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


CONVERTER = {"kind": "link", "owner": "converter"}


def converter(room: Room) -> Path:
    folder = room.home / "converter"
    room.ok("keys-store", keys=folder, kek="../kek/converter")
    for kind in ("sign", "age"):
        room.ok("keys-create", keys=folder, kind=kind, owner="converter", epoch="any", project="any")
    return folder


def custodians(room: Room, *names: str) -> Path:
    path = room.home / "custodians.txt"
    path.write_text("\n".join(names) + "\n")
    return path


def test_the_life_of_a_key(room: Room) -> None:
    folder = converter(room)
    one = {"keys": folder, **CONVERTER}
    made = room.ok("keys-create", **one, epoch="e-1", project="demo")
    assert set(made) == {"id", "kind", "owner", "project", "epoch", "check", "until", "store"}
    assert room.refused("keys-create", **one, epoch="e-2", project="demo") == "10 key_exists"
    names = custodians(room, "anna", "bram", "cleo")
    shares = room.ok("keys-export-share", **one, epoch="e-1", custodians=names, threshold=2, out=room.home / "s")
    assert (shares["check"], shares["custodians"]) == (made["check"], ["anna", "bram", "cleo"])
    (room.home / "s" / "share-bram.json").unlink()
    drill = room.ok("keys-restore", keys=folder, shares=room.home / "s", drill=True)
    assert (drill["check"], drill["shares"]) == (made["check"], 2)
    assert room.refused("keys-restore", keys=folder, shares=room.home / "s") == "10 key_exists"
    rotated = room.ok("keys-rotate", **one, epoch="e-2", last_day=UNTIL)
    assert (rotated["old"]["check"], rotated["old"]["until"]) == (made["check"], UNTIL)
    gone = room.ok("keys-destroy", **one, epoch="e-1", reason="rotation")
    assert gone["outstanding"][0]["set"] == shares["set"]
    states = {row["epoch"]: row["state"] for row in room.ok("keys-list", keys=folder)["keys"] if row["kind"] == "link"}
    assert states == {"e-1": "destroyed", "e-2": "in use"}
    closed = room.ok("keys-returned", keys=folder, set=shares["set"], shares=room.home / "s", attested="bram")
    assert (closed["closed"], closed["returned"]) == (True, ["anna", "bram", "cleo"])
    assert room.ok("keys-returned", keys=folder, set=shares["set"])["closed"] is True
    (folder / "link.key").unlink()
    (room.home / "s2").mkdir()
    assert room.refused("keys-restore", keys=folder, shares=room.home / "s2") == "12 too_few_shares"
    assert_nothing_secret(room, folder)


def test_a_key_born_with_shares_is_restored(room: Room) -> None:
    folder = converter(room)
    backup = {"custodians": custodians(room, "anna", "bram"), "threshold": 2, "out": room.home / "s"}
    named = {"keys": folder, **CONVERTER, "epoch": "e-1", "project": "demo"}
    assert room.refused("keys-create", **named, custodians=backup["custodians"], threshold=2) == "10 bad_call"
    made = room.ok("keys-create", **named, **backup)
    (folder / "link.key").unlink()
    back = room.ok("keys-restore", keys=folder, shares=room.home / "s")
    assert (back["check"], back["set"]) == (made["check"], made["shares"]["set"])
    assert_nothing_secret(room, folder)


def test_the_ceremony_to_public_keys_and_a_certificate(room: Room) -> None:
    relay, names, suppliers = room.home / "relay", ("dji", "ifzo", "justid"), {}
    for name in names:
        suppliers[name] = room.home / name
        room.ok("keys-store", keys=suppliers[name], kek=f"../kek/{name}")
        room.ok("ceremony-enrol", keys=suppliers[name], name=name, project="demo", epoch="run-1", relay=relay)
    roster = room.ok("ceremony-roster", relay=relay, project="demo", epoch="run-1")
    assert roster["parties"] == list(names)
    for step, extra in (("commit", {"roster": roster["roster"]}), ("seal", {}), ("combine", {})):
        for folder in suppliers.values():
            room.ok(f"ceremony-{step}", keys=folder, relay=relay, **extra)
    outcome = room.ok("ceremony-verify", relay=relay)
    parties = {}
    for name in ("converter", "linker"):
        folder = room.home / name
        room.ok("keys-store", keys=folder, kek=f"../kek/{name}")
        for kind in ("sign", "age"):
            room.ok("keys-create", keys=folder, kind=kind, owner=name, epoch="any", project="any")
        if name == "converter":
            room.ok("keys-create", keys=folder, **CONVERTER, epoch="epoch-1", project="demo")
        parties[name] = room.home / f"{name}.json"
        room.ok("keys-card", keys=folder, out=parties[name])
    public = room.ok("keys-publish", relay=relay, **parties, out=room.home / "public")
    assert public["checks"]["pre"] == outcome["check"]
    gone = room.ok(
        "keys-destroy", keys=suppliers["dji"], kind="pre", owner="sources", epoch="run-1", reason="end-of-period"
    )
    path = suppliers["dji"] / "certificates" / gone["certificate"]
    said = room.ok("keys-certificate", certificate=path, public=room.home / "public")
    assert (said["signer"], said["check"]) == ("dji", outcome["check"])
    for folder in (*suppliers.values(), room.home / "converter"):
        assert_nothing_secret(room, folder)


def test_a_bridge_from_end_to_end(room: Room, world, monkeypatch) -> None:
    delivery, folder = world.deliver(world.injus())[0], world.keys / "converter"
    room.ok("keys-rotate", keys=folder, **CONVERTER, epoch="epoch-2", last_day=UNTIL)
    files = {epoch: room.home / f"{epoch}.parquet" for epoch in ("epoch-1", "epoch-2")}
    for epoch, out in files.items():
        room.ok("convert", delivery=delivery, keys=folder, out=out, epoch=epoch)
    made = room.ok(
        "bridge-make", old=files["epoch-1"], new=files["epoch-2"], keys=folder, out=room.home / "b", last_day=UNTIL
    )
    assert (made["until"], made["old"].rsplit("/")[-1]) == (UNTIL, "epoch-1")
    call = {"bridge": room.home / "b", "source": files["epoch-1"], "keys": folder, "out": room.home / "x.parquet"}
    assert room.refused("bridge-use", **call) == "10 wrong_domain"  # two pseudonym columns: one was meant
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(files["epoch-1"], columns=["row_id", "skn"]), files["epoch-1"])
    used = room.ok("bridge-use", **call)
    assert used["rows"] == used["converted"] + used["unmatched"] == 40 + CANARY_ROWS
    assert room.refused("bridge-expire", bridge=room.home / "b", keys=folder) == "10 bridge_valid"
    gone = room.ok("bridge-expire", bridge=room.home / "b", keys=folder, early=True)
    assert gone["kind"] == "bridge"
    recipient = {"source": files["epoch-1"], "recipient": "onderzoek", "keys": folder, "out": room.home / "r.parquet"}
    room.ok("recipient", **recipient, epoch="epoch-1")
    assert room.refused("recipient", **recipient, epoch="epoch-9") == "12 key_missing"
    assert_nothing_secret(room, folder)


def assert_nothing_secret(room: Room, folder: Path) -> None:
    """No answer so far holds a key of this folder, or its wrapped form."""
    for path in folder.glob("*.key"):
        found = KeyFile.read(path)
        raw = found.open(folder).secret.reveal()
        assert not any(form in room.said.encode() for form in encodings(raw))
        assert found.held.secret not in room.said


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("keys-store", {"keys": PLANTED}),
        ("keys-create", {"keys": "k", "kind": PLANTED, "owner": "x", "epoch": "e", "project": "p"}),
        ("keys-rotate", {"keys": "k", "kind": "link", "owner": PLANTED, "epoch": "e", "last_day": PLANTED}),
        ("keys-destroy", {"keys": "k", "kind": "link", "owner": "x", "epoch": "e", "reason": PLANTED}),
        ("keys-export-share", {"keys": "k", "kind": "link", "owner": "x", "epoch": "e", "threshold": PLANTED + "x"}),
        ("keys-returned", {"keys": "k", "set": PLANTED}),
        ("keys-list", {"keys": "k", "x": PLANTED}),
        ("ceremony-enrol", {"keys": "k", "name": PLANTED + "!", "project": "p", "epoch": "e", "relay": "r"}),
        ("ceremony-verify", {"relay": PLANTED}),
        ("bridge-expire", {"bridge": PLANTED, "keys": "k"}),
        ("keys-certificate", {"certificate": PLANTED, "public": "p"}),
        ("keys-restore", {"keys": "k", "shares": PLANTED}),
    ],
)
def test_a_wrong_call_repeats_nothing(room: Room, monkeypatch, verb: str, options: dict[str, object]) -> None:
    monkeypatch.chdir(room.home)
    code, _ = room.call(verb, **options)
    assert code in {0, 10, 12}
    assert PLANTED not in room.said


def test_listing_a_folder_without_keys_and_one_that_is_no_partys(room: Room) -> None:
    room.ok("keys-store", keys=room.home / "p", kek="../kek")
    assert room.ok("keys-list", keys=room.home / "p") == {"keys": []}
    for folder in (room.home, room.home / "elsewhere"):
        assert room.refused("keys-list", keys=folder) == "12 store_missing"
