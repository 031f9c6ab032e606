"""K_S made jointly: three suppliers, a relay that only carries files, and everybody who might cheat."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pyrage
import pytest

from pseudonymize import joint, keys, private, publish, relay, rotate, statement, store
from pseudonymize.keys import KeyFile
from pseudonymize.parties import PublicKeys, SupplierKeys, age_identity
from pseudonymize.prf import encode
from pseudonymize.relay import Roster
from schemas.errors import ConfigError, KeyUnavailable
from tests.pseudonymize.test_keys_rotation import MONTH, encodings

NAMES = ("dji", "ifzo-houder", "justid")
PROJECT, EPOCH = "demo", "run-1"


class Ceremony:
    """Three suppliers, each with a folder of its own, and the relay's folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.relay = home, home / "relay"
        self.folders = {name: home / name for name in NAMES}
        for name, folder in self.folders.items():
            if not folder.exists():
                store.create(folder, kek=f"../kek/{name}")

    def enrol(self, epoch: str = EPOCH) -> str:
        for name, folder in self.folders.items():
            joint.enrol(folder, name, PROJECT, epoch, self.relay)
        return relay.collect(self.relay, PROJECT, epoch).fingerprint

    def commit(self) -> None:
        fingerprint = self.enrol()
        for folder in self.folders.values():
            joint.commit(folder, self.relay, fingerprint)

    def seal(self) -> None:
        self.commit()
        for folder in self.folders.values():
            assert joint.seal_shares(folder, self.relay) == 2

    def combine(self) -> set[str]:
        return {joint.combine(folder, self.relay).check for folder in self.folders.values()}

    def finish(self) -> str:
        self.seal()
        (tag,) = self.combine()
        return tag

    def sign(self, name: str) -> keys.Key:
        return keys.load(self.folders[name] / "sign.key", "sign")

    def say(self, file: str, name: str, content: dict[str, Any]) -> None:
        """What a party with its own signing key can put into the relay folder."""
        (self.relay / file).unlink(missing_ok=True)
        (self.relay / file).write_bytes(statement.make(content, name, self.sign(name).secret))

    def content(self, file: str) -> dict[str, Any]:
        return dict(json.loads((self.relay / file).read_text())["statement"])


@pytest.fixture
def ceremony(tmp_path: Path) -> Ceremony:
    return Ceremony(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Ceremony:
    """A ceremony that went well, for tests that only read or copy it."""
    made = Ceremony(tmp_path_factory.mktemp("ceremony"))
    made.finish()
    return made


@pytest.fixture
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Ceremony:
    """A ceremony in which all have sealed, and none has combined."""
    made = Ceremony(tmp_path_factory.mktemp("sealed"))
    made.seal()
    return made


# The good case --------------------------------------------------------------------------------------------------


def test_three_suppliers_end_with_one_key_and_the_ttp_knows_its_tag(ceremony: Ceremony) -> None:
    tag = ceremony.finish()
    outcome = relay.verify(ceremony.relay)
    assert (outcome["check"], outcome["parties"], outcome["epoch"]) == (tag, sorted(NAMES), EPOCH)
    k_s = {keys.load(folder / "pre.key", "pre").secret.reveal() for folder in ceremony.folders.values()}
    assert len(k_s) == 1
    for folder in ceremony.folders.values():
        found = KeyFile.read(folder / "pre.key")
        assert (found.kind, found.project, found.epoch, found.owner) == ("pre", PROJECT, EPOCH, "sources")


def test_the_key_is_hkdf_over_all_contributions_by_a_second_computation(sealed: Ceremony) -> None:
    """RFC 5869 written out with the standard library; every contribution counts."""
    parts = [keys.load(sealed.folders[n] / "contribution.key", "contribution").secret.reveal() for n in sorted(NAMES)]
    roster = Roster.read(sealed.relay)
    commitments = {n: sealed.content(f"commit-{n}.json") for n in NAMES}
    salt = hashlib.sha256(json.dumps(commitments, sort_keys=True, separators=(",", ":")).encode()).digest()
    material = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    info = encode(b"koppelpunt/k_s/v1", PROJECT.encode(), EPOCH.encode())
    expected = hmac.digest(hmac.digest(salt, material, "sha256"), info + b"\x01", "sha256")
    assert commitments[NAMES[0]]["commitment"] == relay.commitment(roster.fingerprint, NAMES[0], parts[0])
    sealed.combine()
    assert keys.load(sealed.folders["dji"] / "pre.key", "pre").secret.reveal() == expected
    others = {relay.digest(relay.commits(sealed.relay, roster))}
    assert others == {salt.hex()}


def test_another_project_or_epoch_or_contribution_gives_another_key(sealed: Ceremony) -> None:
    from dataclasses import replace

    roster, salt = Roster.read(sealed.relay), "00" * 32
    parts = {n: keys.load(sealed.folders[n] / "contribution.key", "contribution").secret for n in NAMES}
    found = [joint.derive(roster, salt, parts)]
    found += [joint.derive(replace(roster, **one), salt, parts) for one in ({"epoch": "run-2"}, {"project": "x"})]
    found += [joint.derive(roster, salt, parts | {name: store.random()}) for name in NAMES]
    found.append(joint.derive(roster, "01" * 32, parts))
    assert all(one != other for one, other in itertools.combinations(found, 2))


def test_the_relay_sees_no_contribution_and_no_key(sealed: Ceremony) -> None:
    parts = [keys.load(f / "contribution.key", "contribution").secret.reveal() for f in sealed.folders.values()]
    identities = [keys.load(f / "ceremony-age.key", "age").secret.reveal() for f in sealed.folders.values()]
    sealed.combine()
    k_s = keys.load(sealed.folders["dji"] / "pre.key", "pre").secret.reveal()
    for path in sealed.relay.iterdir():
        content = path.read_bytes()
        for value in (*parts, *identities, k_s):
            assert not any(form in content for form in encodings(value)), path.name


def test_afterwards_nothing_anywhere_rebuilds_k_s_once_it_is_destroyed(finished: Ceremony, tmp_path: Path) -> None:
    """The sealed files stay at the relay, but the identities that open them went with the ceremony."""
    home = tmp_path / "copy"
    shutil.copytree(finished.home, home)
    ceremony = Ceremony(home)
    for folder in ceremony.folders.values():
        assert {path.name for path in folder.glob("*.key")} == {"pre.key", "sign.key"}
        assert not (folder / "ceremony.json").exists()
        rotate.destroy(folder, "pre", "sources", EPOCH, "end-of-period")
    identities = []
    for path in home.rglob("*.key"):
        secret = KeyFile.read(path).open(path.parent).secret.reveal()
        identities += [secret] if secret.startswith(b"AGE-SECRET-KEY") else []
    assert identities == []
    for folder in ceremony.folders.values():
        with pytest.raises(KeyUnavailable, match="key_destroyed"):
            keys.load(folder / "pre.key", "pre")
        with pytest.raises(ConfigError, match="ceremony_order"):
            joint.combine(folder, ceremony.relay)


def test_public_keys_are_made_of_a_verified_ceremony_and_two_cards(finished: Ceremony, tmp_path: Path) -> None:
    for name, kinds in (("converter", ("link", "recipient")), ("linker", ())):
        folder = tmp_path / name
        store.create(folder, kek=f"../kek/{name}")
        rotate.create(folder, "sign", "any", "any", name)
        from pseudonymize.parties import new_age_identity

        new_age_identity(folder)
        for kind in kinds:
            rotate.create(folder, kind, PROJECT, "epoch-1", name if kind == "link" else "onderzoek")
        publish.card(folder, tmp_path / f"{name}.json")
    cards = (tmp_path / "converter.json", tmp_path / "linker.json")
    made = publish.publish(finished.relay, *cards, tmp_path / "public")
    assert PublicKeys.load(tmp_path / "public") == made
    assert set(made.suppliers) == set(NAMES)
    assert set(made.checks) == {"pre", "link", "recipient-onderzoek"}
    assert made.checks["pre"] == KeyFile.read(finished.folders["dji"] / "pre.key").check
    identity = pyrage.x25519.Identity.from_str(age_identity(tmp_path / "linker").reveal().decode())
    assert made.linker == str(identity.to_public())
    with pytest.raises(ConfigError, match="output_exists"):
        publish.publish(finished.relay, *cards, tmp_path / "public")
    with pytest.raises(ConfigError, match="wrong_domain"):
        publish.publish(finished.relay, *reversed(cards), tmp_path / "other")
    for damage in ({"name": "x"}, {"format": "x"}, {"sign": "00" * 32}):
        whole = json.loads(cards[0].read_text())
        whole["statement"] |= damage
        (tmp_path / "bad.json").write_text(json.dumps(whole))
        with pytest.raises(ConfigError, match="bad_statement"):
            publish.publish(finished.relay, tmp_path / "bad.json", cards[1], tmp_path / "other")


def test_a_second_ceremony_makes_the_next_epoch_with_an_overlap(finished: Ceremony, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(finished.home, home)
    shutil.rmtree(home / "relay")
    ceremony = Ceremony(home)
    fingerprint = ceremony.enrol("run-2")
    for step in (
        lambda f: joint.commit(f, ceremony.relay, fingerprint),
        lambda f: joint.seal_shares(f, ceremony.relay),
    ):
        for folder in ceremony.folders.values():
            step(folder)
    folder = ceremony.folders["dji"]
    with pytest.raises(ConfigError, match="bad_overlap"):
        joint.combine(folder, ceremony.relay)  # the last day of the old K_S must be named
    for one in ceremony.folders.values():
        joint.combine(one, ceremony.relay, MONTH)
    relay.verify(ceremony.relay)
    keys.make(folder / "record.key", "record", PROJECT, "run-2", "dji")
    assert (SupplierKeys.load(folder).pre.epoch, SupplierKeys.load(folder, "run-1").pre.epoch) == ("run-2", "run-1")
    (folder / "pre@run-1.key").unlink()


# Cheats and changes ---------------------------------------------------------------------------------------------


def reseal(ceremony: Ceremony, name: str, receiver: str, **changed: str) -> None:
    """Party `name` seals something else to one other party, and states it as its own rules demand."""
    roster = Roster.read(ceremony.relay)
    content = {
        "format": joint.CONTRIBUTION,
        "roster": roster.fingerprint,
        "to": receiver,
        "contribution": store.random().reveal().hex(),
    } | changed
    text = statement.make(content, name, ceremony.sign(name).secret)
    recipient = pyrage.x25519.Recipient.from_str(roster.age[receiver])
    replace_share(ceremony, name, receiver, pyrage.encrypt(text, [recipient]))


def replace_share(ceremony: Ceremony, name: str, to: str, sealed: bytes) -> None:
    (ceremony.relay / f"share-{name}.{to}.age").write_bytes(sealed)
    told = ceremony.content(f"sealed-{name}.json")
    told["files"][to] = hashlib.sha256(sealed).hexdigest()
    ceremony.say(f"sealed-{name}.json", name, told)


def test_a_contribution_that_differs_from_its_commitment_names_the_cheat(sealed: Ceremony) -> None:
    reseal(sealed, "justid", "dji")
    with pytest.raises(ConfigError, match=r"ceremony_cheat \(party=justid\)"):
        joint.combine(sealed.folders["dji"], sealed.relay)
    assert not (sealed.folders["dji"] / "pre.key").exists()
    joint.combine(sealed.folders["ifzo-houder"], sealed.relay)  # was told the truth; but:
    with pytest.raises(ConfigError, match=r"ceremony_incomplete \(party=dji"):
        relay.verify(sealed.relay)  # the ceremony is not complete without the party that was lied to


def test_a_party_that_copies_anothers_commitment_cannot_open_it(ceremony: Ceremony) -> None:
    """Otherwise the last to commit could cancel another's share; the commitment binds the name."""
    fingerprint = ceremony.enrol()
    for name in ("dji", "ifzo-houder", "justid"):
        joint.commit(ceremony.folders[name], ceremony.relay, fingerprint)
    ceremony.say("commit-justid.json", "justid", ceremony.content("commit-dji.json"))
    with pytest.raises(ConfigError, match="ceremony_changed"):
        joint.seal_shares(ceremony.folders["justid"], ceremony.relay)
    own = keys.load(ceremony.folders["dji"] / "contribution.key", "contribution").secret.reveal()
    assert relay.commitment(fingerprint, "justid", own) != ceremony.content("commit-dji.json")["commitment"]


def test_a_commitment_changed_after_sealing_is_found(sealed: Ceremony) -> None:
    changed = sealed.content("commit-justid.json") | {"commitment": "00" * 32}
    sealed.say("commit-justid.json", "justid", changed)
    with pytest.raises(ConfigError, match="ceremony_changed"):
        joint.combine(sealed.folders["dji"], sealed.relay)


def test_two_signed_commitments_of_one_party_prove_that_it_cheats(ceremony: Ceremony) -> None:
    """The relay shows one to dji and another to ifzo-houder; their statements disagree, with its signatures."""
    ceremony.commit()
    joint.seal_shares(ceremony.folders["dji"], ceremony.relay)
    joint.seal_shares(ceremony.folders["justid"], ceremony.relay)
    ceremony.say("commit-justid.json", "justid", ceremony.content("commit-justid.json") | {"commitment": "11" * 32})
    joint.seal_shares(ceremony.folders["ifzo-houder"], ceremony.relay)
    with pytest.raises(ConfigError, match=r"ceremony_split \(party=justid\)"):
        joint.combine(ceremony.folders["ifzo-houder"], ceremony.relay)
    with pytest.raises(ConfigError, match=r"ceremony_split \(party=justid\)"):
        relay.verify(ceremony.relay)


@pytest.mark.parametrize("lie", [{"commitment": "11" * 32, "signature": "00" * 64}, {"commitment": 1}, "x", None])
def test_a_party_that_lies_about_anothers_commitment_is_the_one_named(sealed: Ceremony, lie: object) -> None:
    told = sealed.content("sealed-dji.json")
    told["commitments"]["justid"] = lie
    if lie is None:
        del told["commitments"]["justid"]
    sealed.say("sealed-dji.json", "dji", told)
    with pytest.raises(ConfigError, match=r"bad_statement \(party=dji\)"):
        joint.combine(sealed.folders["ifzo-houder"], sealed.relay)


@pytest.mark.parametrize("change", ["flip", "empty", "absent", "link", "long"])
def test_a_sealed_file_changed_on_the_way_is_found_and_named(sealed: Ceremony, change: str) -> None:
    path = sealed.relay / "share-justid.dji.age"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    if change == "link":
        path.symlink_to(sealed.relay / "share-justid.ifzo-houder.age")
    elif change != "absent":
        path.write_bytes({"flip": bytes(content), "empty": b"", "long": b"x" * (relay.MAX_SHARE + 1)}[change])
    for check in (lambda: joint.combine(sealed.folders["dji"], sealed.relay), lambda: relay.verify(sealed.relay)):
        with pytest.raises(ConfigError, match=r"ceremony_damaged \(party=justid\)"):
            check()


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "ifzo-houder"},
        {"roster": "00" * 32},
        {"format": "x"},
        {"contribution": "00" * 31},
        {"contribution": "zz"},
    ],
)
def test_what_lies_in_a_sealed_file_must_be_a_contribution_to_this_party(
    sealed: Ceremony, changed: dict[str, str]
) -> None:
    """A contribution meant for another party, or of another ceremony, cannot be passed on."""
    reseal(sealed, "justid", "dji", **changed)
    with pytest.raises(ConfigError, match=r"ceremony_damaged \(party=justid\)"):
        joint.combine(sealed.folders["dji"], sealed.relay)


def test_a_sealed_file_that_is_no_age_file_or_for_somebody_else_is_refused(sealed: Ceremony) -> None:
    other = pyrage.encrypt(b"x", [pyrage.x25519.Identity.generate().to_public()])
    for sealed_bytes in (b"nonsense", other):
        replace_share(sealed, "justid", "dji", sealed_bytes)
        with pytest.raises(ConfigError, match=r"ceremony_damaged \(party=justid\)"):
            joint.combine(sealed.folders["dji"], sealed.relay)


def test_a_party_that_states_another_tag_is_named(finished: Ceremony, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(finished.home, home)
    ceremony = Ceremony(home)
    (ceremony.relay / "transcript.json").unlink(missing_ok=True)
    for tag in ("00" * 8, "11" * 8):
        name = "justid" if tag == "00" * 8 else "dji"
        ceremony.say(f"tag-{name}.json", name, ceremony.content(f"tag-{name}.json") | {"check": tag})
        expected = "justid" if name == "justid" else "dji,ifzo-houder,justid"  # all differ: all are named
        with pytest.raises(ConfigError, match=rf"ceremony_tag \(party={expected}\)"):
            relay.verify(ceremony.relay)
    ceremony.say("tag-dji.json", "dji", ceremony.content("tag-dji.json") | {"commitments": "00"})
    with pytest.raises(ConfigError, match=r"bad_statement \(party=dji\)"):
        relay.verify(ceremony.relay)


@pytest.mark.parametrize("stage", ["commit", "sealed", "tag"])
@pytest.mark.parametrize("damage", ["forged", "garbage", "format", "roster", "field", "type", "missing"])
def test_each_file_is_read_strictly_and_its_party_named(
    finished: Ceremony, tmp_path: Path, stage: str, damage: str
) -> None:
    copy = Ceremony(Path(shutil.copytree(finished.home, tmp_path / "copy")))
    file = f"{stage}-justid.json"
    content = copy.content(file)
    if damage == "forged":  # by another party, with its own key
        (copy.relay / file).write_bytes(statement.make(content, "justid", copy.sign("dji").secret))
    elif damage == "garbage":
        (copy.relay / file).write_bytes(b"\xff{")
    elif damage == "missing":
        (copy.relay / file).unlink()
    else:
        changes: dict[str, dict[str, Any]] = {
            "format": {"format": "koppelpunt/other/1"},
            "roster": {"roster": "00" * 32},
            "field": {"extra": "x"},
            "type": {"roster": 7},
        }
        copy.say(file, "justid", content | changes[damage])
    code = "ceremony_incomplete" if damage == "missing" else "bad_statement"
    with pytest.raises(ConfigError, match=rf"{code} \(party=justid"):
        relay.verify(copy.relay)


def test_a_party_that_states_too_few_or_too_many_files_is_named(sealed: Ceremony) -> None:
    told = sealed.content("sealed-dji.json")
    told["files"]["dji"] = "00" * 32
    sealed.say("sealed-dji.json", "dji", told)
    with pytest.raises(ConfigError, match=r"bad_statement \(party=dji\)"):
        joint.combine(sealed.folders["justid"], sealed.relay)


def test_the_transcript_holds_an_auditor_to_what_was_verified(finished: Ceremony, tmp_path: Path) -> None:
    copy = Ceremony(Path(shutil.copytree(finished.home, tmp_path / "copy")))
    first = relay.verify(copy.relay)
    assert relay.verify(copy.relay) == first
    assert hashlib.sha256((copy.relay / "transcript.json").read_bytes()).hexdigest() == first["transcript"]
    whole = json.loads((copy.relay / "tag-dji.json").read_text())
    (copy.relay / "tag-dji.json").write_text(json.dumps(whole))  # the same statement, other blanks
    with pytest.raises(ConfigError, match="ceremony_changed"):
        relay.verify(copy.relay)
    (copy.relay / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match="ceremony_stray"):
        relay.verify(copy.relay)


# The roster and the order of steps ------------------------------------------------------------------------------


def test_a_relay_that_swaps_a_partys_keys_is_found_by_the_fingerprint(ceremony: Ceremony, tmp_path: Path) -> None:
    """The man in the middle: the TTP puts its own keys in justid's place."""
    agreed = ceremony.enrol()
    (ceremony.relay / "roster.json").unlink()
    (ceremony.relay / "card-justid.json").unlink()
    store.create(tmp_path / "mallory", kek="../kek/mallory")
    joint.enrol(tmp_path / "mallory", "justid", PROJECT, EPOCH, ceremony.relay)
    relay.collect(ceremony.relay, PROJECT, EPOCH)
    with pytest.raises(ConfigError, match="ceremony_roster"):
        joint.commit(ceremony.folders["dji"], ceremony.relay, agreed)
    swapped = Roster.read(ceremony.relay).fingerprint
    with pytest.raises(ConfigError, match="ceremony_roster"):  # justid itself sees that it is not it
        joint.commit(ceremony.folders["justid"], ceremony.relay, swapped)


def test_a_roster_swapped_later_stops_every_party(ceremony: Ceremony) -> None:
    ceremony.commit()
    content = json.loads((ceremony.relay / "roster.json").read_text())
    del content["parties"]["justid"]
    (ceremony.relay / "roster.json").write_bytes(statement.canonical(content))
    for step in (joint.seal_shares, joint.combine):
        with pytest.raises(ConfigError, match="ceremony_roster"):
            step(ceremony.folders["dji"], ceremony.relay)


def test_steps_come_in_order_and_wait_for_all(ceremony: Ceremony) -> None:
    fingerprint = ceremony.enrol()
    dji = ceremony.folders["dji"]
    for step in (joint.seal_shares, joint.combine):
        with pytest.raises(ConfigError, match="ceremony_order"):
            step(dji, ceremony.relay)
    joint.commit(dji, ceremony.relay, fingerprint)
    with pytest.raises(ConfigError, match=r"ceremony_incomplete \(party=ifzo-houder, stage=commit\)"):
        joint.seal_shares(dji, ceremony.relay)
    with pytest.raises(ConfigError, match="output_exists"):
        joint.commit(dji, ceremony.relay, fingerprint)  # a second draw would be a choice
    for name in ("ifzo-houder", "justid"):
        joint.commit(ceremony.folders[name], ceremony.relay, fingerprint)
    with pytest.raises(ConfigError, match="ceremony_changed"):
        joint.combine(dji, ceremony.relay)  # it has not sealed under these commitments yet
    joint.seal_shares(dji, ceremony.relay)
    with pytest.raises(ConfigError, match=r"ceremony_incomplete \(party=ifzo-houder, stage=sealed\)"):
        joint.combine(dji, ceremony.relay)
    with pytest.raises(ConfigError, match="output_exists"):
        joint.seal_shares(dji, ceremony.relay)


def test_a_party_killed_while_combining_can_go_on(sealed: Ceremony, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(relay, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            joint.combine(sealed.folders["dji"], sealed.relay)
    sealed.combine()
    relay.verify(sealed.relay)


def test_nobody_enrols_twice_or_under_another_name(ceremony: Ceremony) -> None:
    ceremony.enrol()
    with pytest.raises(ConfigError, match="output_exists"):
        joint.enrol(ceremony.folders["dji"], "dji", PROJECT, EPOCH, ceremony.relay)
    with pytest.raises(ConfigError, match="bad_label"):
        joint.enrol(ceremony.folders["dji"], "justid", PROJECT, EPOCH, ceremony.relay)
    with pytest.raises(ConfigError, match="bad_label"):
        joint.enrol(ceremony.folders["dji"], "D J I", PROJECT, EPOCH, ceremony.relay)


def test_cards_must_hold_together(ceremony: Ceremony, tmp_path: Path) -> None:
    ceremony.enrol()
    (ceremony.relay / "roster.json").unlink()
    with pytest.raises(ConfigError, match="bad_roster"):
        relay.collect(ceremony.relay, PROJECT, "run-2")
    whole = ceremony.content("card-dji.json")
    for damage in ({"format": "x"}, {"age": "age1x"}, {"sign": "00"}, {"sign": "x" * 64}, {"name": "justid"}):
        ceremony.say("card-dji.json", "dji", whole | damage)
        with pytest.raises(ConfigError, match=r"bad_(roster|statement)"):
            relay.collect(ceremony.relay, PROJECT, EPOCH)
    ceremony.say("card-dji.json", "justid", whole)  # justid signs a card for dji
    with pytest.raises(ConfigError, match="bad_statement"):
        relay.collect(ceremony.relay, PROJECT, EPOCH)
    for path in ceremony.relay.glob("card-*"):
        path.unlink()
    with pytest.raises(ConfigError, match="bad_roster"):
        relay.collect(ceremony.relay, PROJECT, EPOCH)  # nobody makes K_S alone


def test_a_card_that_differs_from_the_roster_is_found(finished: Ceremony, tmp_path: Path) -> None:
    copy = Ceremony(Path(shutil.copytree(finished.home, tmp_path / "copy")))
    card = copy.content("card-dji.json") | {"age": str(pyrage.x25519.Identity.generate().to_public())}
    copy.say("card-dji.json", "dji", card)
    with pytest.raises(ConfigError, match=r"bad_statement \(party=dji\)"):
        relay.verify(copy.relay)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff"])
def test_a_damaged_roster_is_refused(ceremony: Ceremony, text: bytes) -> None:
    ceremony.enrol()
    (ceremony.relay / "roster.json").write_bytes(text)
    with pytest.raises(ConfigError, match="bad_roster"):
        Roster.read(ceremony.relay)
    (ceremony.relay / "roster.json").unlink()
    with pytest.raises(ConfigError, match="bad_roster"):
        Roster.read(ceremony.relay)


def test_local_state_is_private(sealed: Ceremony) -> None:
    path = sealed.folders["dji"] / "ceremony.json"
    assert path.stat().st_mode & 0o777 == 0o400
    assert set(json.loads(private.read_private(path))) == {"roster", "commitments"}
