"""Key files: one party's folder each, closed to others, and refused when they are not."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from pseudonymize import keys, signing
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.keys import Key
from pseudonymize.parties import ConverterKeys, PublicKeys, SupplierKeys, age_identity
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable


def files(world: object) -> dict[str, Path]:
    home = world.keys  # type: ignore[attr-defined]
    return {str(path.relative_to(home)): path for path in home.rglob("*") if path.is_file()}


def test_each_party_has_its_own_folder_and_no_other_key(world) -> None:
    names = set(files(world))
    suppliers = {name for name in names if name.startswith("suppliers/")}
    assert {Path(name).name for name in suppliers} == {"pre.key", "record.key", "sign.key"}
    assert names - suppliers == {
        "converter/age.key",
        "converter/link.key",
        "converter/recipient-gemeente.key",
        "converter/recipient-onderzoek.key",
        "linker/age.key",
        "public/public.json",
        "public/gate.pem",
        "gate/sign.key",
    }


def test_k_s_and_k_t_never_lie_in_one_folder_and_nothing_secret_is_public(world) -> None:
    secret = {
        name: json.loads(p.read_text())["key"]
        for name, p in files(world).items()
        if "age" not in name and "public" not in name
    }
    k_s = {value for name, value in secret.items() if name.endswith("pre.key")}
    k_t = secret["converter/link.key"]
    assert len(k_s) == 1
    assert k_t not in k_s
    for name, path in files(world).items():
        text = path.read_text()
        assert (k_t in text) == (name == "converter/link.key")
        assert not (name.startswith(("converter", "linker", "public")) and any(k in text for k in k_s))
    assert all(value not in (world.keys / "public" / "public.json").read_text() for value in secret.values())
    others = [value for name, value in secret.items() if not name.endswith("pre.key")]
    assert len(set(others)) == len(others)  # every other key is a party's own


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
        {"key": "00" * 32},
        {"key": "00"},
        {"key": "not hex"},
        {"key": 7},
        {"kind": "pre"},
        {"format": "koppelpunt/key/9"},
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
    assert content["key"] not in str(caught.value)


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
    for damage in ({"suppliers": []}, {"checks": "x"}, {"format": "other"}):
        path.write_text(json.dumps(content | damage))
        with pytest.raises(ConfigError, match="bad_public_keys"):
            PublicKeys.load(path.parent)


def test_an_age_identity_file_is_what_the_stock_program_reads(world) -> None:
    lines = (world.keys / "linker" / "age.key").read_text().splitlines()
    assert lines[0] == f"# public key: {world.public.linker}"
    assert age_identity(world.keys / "linker").reveal().decode() == lines[1]
    path = world.keys / "linker" / "age.key"
    path.chmod(0o600)
    path.write_text("no identity here")
    with pytest.raises(KeyUnavailable, match="key_check"):
        age_identity(world.keys / "linker")


def test_the_ceremony_overwrites_nothing(world, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="output_exists"):
        create_demo_keys(world.keys, ["justid"], ["onderzoek"], "demo", "e")
    with pytest.raises(ConfigError, match="output_exists"):
        keys.write_private(world.keys / "linker" / "age.key", b"x")
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
