"""Key files: one party's folder each, closed to others, and refused when they are not."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pyrage
import pytest

from pseudonymize import private, signing
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.keys import Key, KeyFile
from pseudonymize.parties import ConverterKeys, PublicKeys, SupplierKeys, age_identity, new_age_identity
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable


def files(world: object) -> dict[str, Path]:
    home = world.keys  # type: ignore[attr-defined]
    return {str(path.relative_to(home)): path for path in home.rglob("*") if path.is_file()}


def test_each_party_has_its_own_folder_and_no_other_key(world) -> None:
    names = set(files(world))
    suppliers = {name for name in names if name.startswith("suppliers/")}
    assert {Path(name).name for name in suppliers} == {"pre.key", "record.key", "sign.key", "store.json"}
    keks = {name for name in names if name.startswith("kek/")}
    assert names - suppliers - keks == {
        "audit/audit.key",
        "audit/store.json",
        "converter/age.key",
        "converter/link.key",
        "converter/recipient-gemeente.key",
        "converter/recipient-onderzoek.key",
        "converter/sign.key",
        "converter/store.json",
        "linker/age.key",
        "linker/store.json",
        "public/public.json",
        "public/gate.pem",
        "gate/sign.key",
        "gate/store.json",
    }
    parties = {"audit", "converter", "gate", "linker", *(Path(name).parts[1] for name in suppliers)}
    assert {Path(name).parts[1] for name in keks} == parties  # a key-encryption key of its own, elsewhere
    assert len({path.read_bytes() for name, path in files(world).items() if name in keks}) == len(parties)


def test_k_s_and_k_t_never_lie_in_one_folder_and_nothing_secret_is_public(world) -> None:
    secret = {name: reveal(path) for name, path in files(world).items() if name.endswith(".key")}
    k_s = {value for name, value in secret.items() if name.endswith("pre.key")}
    assert len(k_s) == 1
    assert secret["converter/link.key"] not in k_s
    others = [value for name, value in secret.items() if not name.endswith("pre.key")]
    assert len(set(others)) == len(others)  # every other key is a party's own
    for path in files(world).values():  # and none lies anywhere as it is
        assert not any(form in path.read_bytes() for value in secret.values() for form in forms(value))


def reveal(path: Path) -> bytes:
    """The raw key of a file, as its owner's process gets it."""
    found = KeyFile.read(path)
    return found.open(path.parent).secret.reveal()


def forms(value: bytes) -> set[bytes]:
    """How a key could lie in a file: raw, hex, base64."""
    return {value, value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value).rstrip(b"=")}


def test_private_files_are_0400_in_folders_of_0700(world) -> None:
    for name, path in files(world).items():
        if not name.startswith("public/"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o400, name
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, name


@pytest.mark.parametrize(("file", "folder"), [(0o440, 0o700), (0o404, 0o700), (0o600 | 0o4, 0o700), (0o400, 0o750)])
def test_an_open_key_is_refused(world, file: int, folder: int) -> None:
    path = world.keys / "converter" / "link.key"
    path.chmod(file)
    path.parent.chmod(folder)
    with pytest.raises(KeyUnavailable, match="key_open"):
        world.converter.link()


def test_a_missing_key_and_a_link_to_a_key_are_refused(world) -> None:
    path = world.keys / "converter" / "link.key"
    moved = path.rename(path.with_name("elsewhere"))
    with pytest.raises(KeyUnavailable, match="key_missing"):
        world.converter.link()
    path.symlink_to(moved)
    with pytest.raises(KeyUnavailable, match="key_missing"):
        world.converter.link()


def test_a_folder_is_not_a_key(world) -> None:
    path = world.keys / "converter" / "link.key"
    path.unlink()
    path.mkdir(0o700)
    with pytest.raises(KeyUnavailable):
        world.converter.link()


@pytest.mark.parametrize(
    "damage",
    [
        {"secret": "00" * 40},
        {"secret": "00"},
        {"secret": "not hex"},
        {"secret": 7},
        {"check": "00" * 8},
        {"created": 7},
        {"until": "soon"},
        {"kind": "pre"},
        {"format": "koppelpunt/key/1"},
        {"project": "Other!"},
        {"epoch": "epoch-2"},
        {"extra": "x"},
    ],
)
def test_a_damaged_key_file_is_refused_without_telling_what_is_in_it(world, damage: dict[str, object]) -> None:
    path = world.keys / "converter" / "link.key"
    content = json.loads(path.read_text())
    path.chmod(0o600)
    path.write_text(json.dumps(content | damage))
    with pytest.raises(KeyUnavailable, match="key_check") as caught:
        world.converter.link()
    assert content["secret"] not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_a_key_file_that_is_no_object_is_refused(world, text: str) -> None:
    path = world.keys / "converter" / "link.key"
    path.chmod(0o600)
    path.write_text(text)
    with pytest.raises(KeyUnavailable, match="key_check"):
        world.converter.link()


def test_a_key_is_of_one_project_and_epoch(world) -> None:
    key = world.converter.link()
    key.require("koppelpunt-demo", "epoch-1")
    for project, epoch in (("koppelpunt-demo", "epoch-2"), ("other", "epoch-1")):
        with pytest.raises(ConfigError, match="wrong_domain"):
            key.require(project, epoch)


def test_a_recipient_key_serves_its_recipient_only(world) -> None:
    assert world.converter.recipient("onderzoek").owner == "onderzoek"
    folder = world.keys / "converter"
    (folder / "recipient-gemeente.key").unlink()
    (folder / "recipient-onderzoek.key").rename(folder / "recipient-gemeente.key")
    with pytest.raises(KeyUnavailable, match="key_check"):
        world.converter.recipient("gemeente")
    with pytest.raises(ConfigError, match="bad_label"):
        ConverterKeys(folder).recipient("../linker/x")


def test_public_keys_come_back_as_they_were_written(world) -> None:
    found = PublicKeys.load(world.keys / "public")
    assert found == world.public
    assert found.signer("justid") == signing.public_half(world.supplier("justid").sign.secret)
    assert found.checks["link"] == world.converter.link().tag
    assert found.checks["recipient-onderzoek"] == world.converter.recipient("onderzoek").tag
    assert found.certifiers == {"converter": signing.public_half(world.converter.sign().secret)}
    assert {SupplierKeys.load(p).pre.tag for p in (world.keys / "suppliers").iterdir()} == {found.checks["pre"]}
    with pytest.raises(KeyUnavailable, match="key_missing"):
        found.signer("nobody")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "koppelpunt/public/1"}'])
def test_damaged_public_keys_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyUnavailable, match="key_missing"):
        PublicKeys.load(tmp_path)
    (tmp_path / "public.json").write_text(text)
    with pytest.raises(ConfigError, match="bad_public_keys"):
        PublicKeys.load(tmp_path)


def test_public_keys_of_another_shape_are_refused(world) -> None:
    path = world.keys / "public" / "public.json"
    content = json.loads(path.read_text())
    for damage in ({"suppliers": []}, {"checks": "x"}, {"format": "other"}, {"certifiers": []}, {"extra": {}}):
        path.write_text(json.dumps(content | damage))
        with pytest.raises(ConfigError, match="bad_public_keys"):
            PublicKeys.load(path.parent)


def test_a_bare_age_identity_file_is_what_the_stock_program_reads(tmp_path: Path) -> None:
    recipient = new_age_identity(tmp_path / "p")
    path = tmp_path / "p" / "age.key"
    lines = path.read_text().splitlines()
    assert lines[0] == f"# public key: {recipient}"
    assert age_identity(path.parent).reveal().decode() == lines[1]
    path.chmod(0o600)
    path.write_text("no identity here")
    with pytest.raises(KeyUnavailable, match="key_check"):
        age_identity(path.parent)


def test_a_partys_age_identity_is_wrapped_like_its_other_keys(world) -> None:
    secret = age_identity(world.keys / "linker").reveal()
    assert secret.startswith(b"AGE-SECRET-KEY-1")
    assert secret not in (world.keys / "linker" / "age.key").read_bytes()
    assert str(pyrage.x25519.Identity.from_str(secret.decode()).to_public()) == world.public.linker


def test_the_ceremony_overwrites_nothing(world, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="output_exists"):
        create_demo_keys(world.keys, ["justid"], ["onderzoek"], "demo", "e")
    with pytest.raises(ConfigError, match="output_exists"):
        private.write_private(world.keys / "linker" / "age.key", b"x")
    with pytest.raises(ConfigError, match="bad_label"):
        create_demo_keys(tmp_path / "k", ["Justid"], [], "demo", "e")
    assert not (tmp_path / "k").exists()


def test_a_key_says_nothing_of_itself() -> None:
    key = Key("1", "link", "demo", "e", "converter", Secret(bytes(range(32))))
    assert bytes(range(32)).hex() not in repr(key)


def test_a_signature_holds_for_these_bytes_and_this_key_only() -> None:
    one, other = Secret(os.urandom(32)), Secret(os.urandom(32))
    signature = signing.sign(one, b"manifest")
    signing.verify(signing.public_half(one), signature, b"manifest")
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    wrong = [
        (signing.public_half(other), signature, b"manifest"),
        (signing.public_half(one), flipped, b"manifest"),
        (signing.public_half(one), signature, b"manifest "),
        (signing.public_half(one), b"", b"manifest"),
        ("zz", signature, b"manifest"),
    ]
    for public, given, message in wrong:
        with pytest.raises(DeliveryError, match="bad_signature"):
            signing.verify(public, given, message)
