"""What happens to a key at the TTP stands in its audit log: ids and key-check tags, never a key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.cli import app
from flows.settings import ENV
from flows.verbs import recorded
from pseudonymize import auditpaths, clock
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.keys import KeyFile
from schemas.errors import ConfigError, KeyUnavailable, KoppelError


class Site:
    """One TTP with demo keys, and `koppel keys` on it."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        create_demo_keys(home / "keys", [], ["onderzoek"], "demo", "epoch-1")
        self.config = home / "koppel.toml"
        places = {name: name for name in ("home", "agreements", "keys", "inbox", "gateway")}
        self.config.write_text("".join(f'{name} = "{place}"\n' for name, place in places.items()), encoding="ascii")

    def keys(self, verb: str, *options: str, config: bool = True) -> dict[str, Any]:
        named = ("--config", str(self.config)) if config else ()
        app(
            ["keys", verb, str(self.home / "keys" / "converter"), *options, *named, "--json"],
            result_action="return_value",
        )
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found

    @property
    def log(self) -> Path:
        return self.home / "home" / "state" / "audit.jsonl"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="ascii").splitlines()]


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv(ENV, raising=False)
    monkeypatch.chdir(tmp_path)
    return Site(tmp_path / "ttp", capsys)


LINK = ("--kind", "link", "--owner", "converter")


def test_the_life_of_a_key_is_in_the_log_with_ids_and_tags_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "custodians").write_text("anna\nbram\n", encoding="ascii")
    backup = ("--custodians", str(tmp_path / "custodians"), "--threshold", "2")
    new = ("--kind", "recipient", "--owner", "vng", "--epoch", "e-1")
    made = site.keys("create", *new, "--project", "demo")
    shared = site.keys("export-share", *new, *backup, "--out", str(tmp_path / "s"))
    site.keys("restore", "--shares", str(tmp_path / "s"), "--drill")
    (site.home / "keys" / "converter" / "recipient-vng.key").unlink()
    back = site.keys("restore", "--shares", str(tmp_path / "s"))
    until = clock.today().isoformat()
    turned = site.keys("rotate", "--kind", "recipient", "--owner", "vng", "--epoch", "e-2", "--until", until)
    gone = site.keys("destroy", *new, "--reason", "rotation")
    site.keys("returned", "--set", shared["set"], "--attested", "anna")

    told = {event["event"]: event for event in site.events()}
    assert [event["event"] for event in site.events()] == [
        "log_opened",
        *("key_asked", "key_created", "key_asked", "key_shared", "key_asked", "key_restore_drilled"),
        *("key_asked", "key_restored", "key_asked", "key_rotated", "key_asked", "key_destroyed"),
        *("key_asked", "shares_returned"),
    ]
    assert {event["step"] for event in site.events() if event["event"] == "key_asked"} >= {
        "keys-destroy",
        "keys-create",
    }
    same = {told[name]["key_check"] for name in ("key_created", "key_shared", "key_restored", "key_destroyed")}
    assert same == {made["check"]} == {back["check"]}
    assert (told["key_created"]["key_id"], told["key_created"]["owner"]) == (made["id"], "vng")
    assert (told["key_shared"]["share_set"], told["key_shared"]["custodians"]) == (shared["set"], 2)
    assert (told["key_rotated"]["key_id"], told["key_rotated"]["epoch"]) == (turned["new"]["id"], "e-2")
    assert told["key_rotated"]["replaces"] == turned["old"]["id"]
    assert (told["key_destroyed"]["key_id"], told["key_destroyed"]["reason"]) == (gone["id"], "rotation")
    assert gone["audited"] == told["key_destroyed"]["n"]
    report, _ = auditpaths.verify(site.log, site.home / "keys" / "public")
    assert report.sound


def test_a_key_made_with_its_backup_names_the_set() -> None:
    shares = {
        "set": "abcdef01",
        "kind": "link",
        "epoch": "e-1",
        "check": "ab" * 8,
        "threshold": 2,
        "custodians": ["a", "b"],
    }
    made = {
        "id": "a0000001",
        "kind": "link",
        "owner": "converter",
        "project": "demo",
        "epoch": "e-1",
        "check": "ab" * 8,
    }
    assert recorded.facts({**made, "until": "", "store": "file", "shares": shares}) == {
        **{"key_id": "a0000001", "key_check": "ab" * 8, "share_set": "abcdef01", "kind": "link", "owner": "converter"},
        **{"project": "demo", "epoch": "e-1", "threshold": 2, "shares": 2, "custodians": 2},
    }


def test_a_refusal_is_in_the_log_and_the_key_is_as_it_was(site: Site) -> None:
    with pytest.raises(ConfigError, match="key_exists"):
        site.keys("create", *LINK, "--epoch", "epoch-9", "--project", "demo")
    last = site.events()[-1]
    assert (last["event"], last["code"], last["step"]) == ("refused", "key_exists", "keys-create")


def test_no_log_no_deed(site: Site) -> None:
    """A log that cannot be written stops the verb before it touches the key."""
    (site.home / "keys" / "audit" / "audit.key").unlink()
    link = site.home / "keys" / "converter" / "link.key"
    before = KeyFile.read(link)
    with pytest.raises(KeyUnavailable):
        site.keys("destroy", *LINK, "--epoch", "epoch-1", "--reason", "rotation")
    assert KeyFile.read(link) == before
    assert not site.log.exists()


def test_a_party_without_settings_has_no_log_and_is_told_so(site: Site) -> None:
    answer = site.keys(
        "create", "--kind", "recipient", "--owner", "vng", "--epoch", "e", "--project", "demo", config=False
    )
    assert answer["audited"] == 0
    assert not site.log.exists()


def test_the_verb_that_makes_the_key_of_the_log_stands_in_it_afterwards(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """No event can stand before it; made a second time, the folder exists and the refusal is in the log."""
    shutil.rmtree(site.home / "keys")
    line = ["keys", "init", str(site.home / "keys"), "--project", "demo", "--epoch", "e-1", "--suppliers", "justid"]
    app([*line, "--config", str(site.config), "--json"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["audited"] == 2
    assert [(event["event"], event.get("suppliers")) for event in site.events()][1:] == [("keys_created", 1)]
    with pytest.raises(KoppelError):
        app([*line, "--config", str(site.config), "--json"], result_action="return_value")
    assert [event["event"] for event in site.events()][2:] == ["key_asked", "refused"]


def test_a_bridge_says_its_rows_and_hash_and_nothing_of_its_domains() -> None:
    made = {
        "id": "a0000001",
        "old": "demo/link/e-1",
        "new": "demo/link/e-2",
        "rows": 7,
        "until": "",
        "sha256": "0" * 64,
    }
    assert recorded.facts(made) == {"key_id": "a0000001", "rows": 7, "sha256": "0" * 64}
