"""Wrapped key files: what lies on disk opens nothing without the key-encryption key, which lies elsewhere."""

from __future__ import annotations

import ast
import json
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import keywrap

from pseudonymize import keys, prf, private, rotate, store
from pseudonymize.keys import KeyFile
from pseudonymize.secret import Secret
from pseudonymize.store import Store
from schemas.errors import ConfigError, KeyUnavailable
from tests.pseudonymize.conftest import TO_DISK

ROOM = Path(keys.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A converter's folder with a store of wrapped files."""
    store.create(tmp_path / "converter", kek="../kek")
    keys.make(tmp_path / "converter" / "sign.key", "sign", "demo", "any", "converter")
    return tmp_path / "converter"


def make(folder: Path, epoch: str = "e-1", kind: str = "link", owner: str = "converter") -> KeyFile:
    return rotate.create(folder, kind, "demo", epoch, owner)


def test_wrapping_is_aes_kwp_as_rfc_5649_says() -> None:
    """RFC 5649 section 6: both examples."""
    kek = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    cases = {
        "c37b7e6492584340bed12207808941155068f738": "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        "466f7250617369": "afbeb0f07dfbf5419200f2ccb50bb24f",
    }
    for plain, wrapped in cases.items():
        assert keywrap.aes_key_wrap_with_padding(kek, bytes.fromhex(plain)).hex() == wrapped


def test_a_key_file_opens_with_its_kek_and_with_no_other(folder: Path) -> None:
    make(folder)
    found = KeyFile.read(folder / "link.key")
    (kek,) = (folder.parent / "kek").glob("*.kek")
    raw = keywrap.aes_key_unwrap_with_padding(bytes.fromhex(kek.read_text()), bytes.fromhex(found.held.secret))
    assert raw == keys.load(folder / "link.key", "link").secret.reveal()
    kek.chmod(0o600)
    kek.write_text(secrets.token_hex(32))
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        keys.load(folder / "link.key", "link")
    kek.unlink()
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        keys.load(folder / "link.key", "link")
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        make(folder, owner="onderzoek", kind="recipient")


def test_a_kek_open_to_others_or_of_another_length_is_refused(folder: Path) -> None:
    make(folder)
    (kek,) = (folder.parent / "kek").glob("*.kek")
    kek.chmod(0o440)
    with pytest.raises(KeyUnavailable, match=r"key_open \(file=kek\)") as caught:
        keys.load(folder / "link.key", "link")
    assert kek.read_text() not in str(caught.value)
    for text in ("00", "no hex", "é"):
        kek.chmod(0o600)
        kek.write_text(text)
        with pytest.raises(KeyUnavailable, match="key_"):
            keys.load(folder / "link.key", "link")


def test_the_kek_may_be_a_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir(0o700)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    folder = tmp_path / "converter"
    store.create(folder, kek="credential:koppel-kek")
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        make(folder)
    (credentials / "koppel-kek").write_bytes(secrets.token_bytes(32))  # raw, as `openssl rand 32` makes it
    (credentials / "koppel-kek").chmod(0o440)  # as systemd hands it to a unit: an ACL shows as group bits
    made = make(folder)
    assert keys.load(folder / "link.key", "link").tag == made.check
    assert not keys.renew_keks(folder)  # only the service manager can change a credential
    (credentials / "koppel-kek").chmod(0o444)
    with pytest.raises(KeyUnavailable, match="key_open"):
        keys.load(folder / "link.key", "link")
    (credentials / "koppel-kek").chmod(0o600)
    (credentials / "koppel-kek").write_bytes(secrets.token_bytes(32))
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        keys.load(folder / "link.key", "link")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        keys.load(folder / "link.key", "link")


def test_a_credential_cannot_climb_out_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "kek").write_bytes(bytes(32))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    store.create(tmp_path / "p", kek="credential:../kek")
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        make(tmp_path / "p")


def test_a_folder_without_a_store_holds_no_keys(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir(0o700)
    with pytest.raises(KeyUnavailable, match="store_missing"):
        make(tmp_path / "p")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"x"',
        '{"format": "koppelpunt/store/1"}',
        '{"format": "koppelpunt/store/2", "kek": "../k", "module": "", "token": "", "pin": ""}',
        '{"format": "koppelpunt/store/1", "kek": 7, "module": "", "token": "", "pin": ""}',
        '{"format": "koppelpunt/store/1", "kek": "../k", "module": "m", "token": "", "pin": ""}',
    ],
)
def test_a_damaged_store_is_refused(folder: Path, text: str) -> None:
    (folder / "store.json").chmod(0o600)
    (folder / "store.json").write_text(text)
    with pytest.raises(ConfigError, match="bad_store"):
        Store.of(folder)


def test_a_store_is_set_up_once_and_whole(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="output_exists"):
        store.create(folder, kek="../kek-2")
    with pytest.raises(ConfigError, match="output_exists"):
        store.create(tmp_path / "other", kek="../kek")  # two parties never share a KEK
    for parts in ({"module": "m"}, {"module": "m", "token": "t"}, {"token": "t", "pin": "p"}):
        with pytest.raises(ConfigError, match="bad_store"):
            store.create(tmp_path / "third", kek="../kek-3", **parts)
    with pytest.raises(ConfigError, match="bad_store"):
        store.create(tmp_path / "third", kek="")
    for inside in (".", "kek", "../third/kek"):
        with pytest.raises(ConfigError, match="bad_store"):
            store.create(tmp_path / "third", kek=inside)  # a lock with its key in it
    (folder / "store.json").chmod(0o440)
    with pytest.raises(KeyUnavailable, match="key_open"):
        Store.of(folder)


def test_a_key_of_a_device_needs_that_device(folder: Path) -> None:
    make(folder)
    path = folder / "link.key"
    content = json.loads(path.read_text())
    path.chmod(0o600)
    path.write_text(json.dumps(content | {"store": "hsm", "kek": "token"}))
    with pytest.raises(KeyUnavailable, match="hsm_unavailable"):
        keys.load(path, "link")


def test_a_wrapped_key_moved_to_another_purpose_is_refused(folder: Path) -> None:
    """AES-KWP binds no label; the key-check tag, made with the key over its label, does."""
    make(folder)
    path = folder / "link.key"
    content = json.loads(path.read_text())
    for changed in ({"epoch": "e-2"}, {"project": "other"}, {"owner": "x"}, {"kind": "recipient"}):
        path.chmod(0o600)
        path.write_text(json.dumps(content | changed))
        with pytest.raises(KeyUnavailable, match="key_check"):
            keys.load(path, content["kind"] if "kind" not in changed else "recipient")


def test_every_key_is_a_fresh_draw_and_none_comes_from_a_living_root(tmp_path: Path) -> None:
    """Two homes alike in every input, KEK included, have nothing in common; nor has a key with its successor."""
    found = []
    for home in ("a", "b"):
        folder = tmp_path / home / "converter"
        store.create(folder, kek="../kek")
        (kek,) = (tmp_path / home / "kek").glob("*.kek")
        for old in (tmp_path / home / "kek").glob("*.kek"):
            old.unlink()
        fixed = Secret(bytes(32))
        private.write_private(kek.with_name(f"0001-{store._tag(fixed)}.kek"), b"00" * 32)
        keys.make(folder / "sign.key", "sign", "demo", "any", "converter")
        for owner in ("onderzoek", "gemeente"):
            make(folder, kind="recipient", owner=owner)
        make(folder)
        found += [keys.load(p, KeyFile.read(p).kind).secret.reveal() for p in sorted(folder.glob("*.key"))]
        rotate.destroy(folder, "link", "converter", "e-1", "rotation")
        make(folder, epoch="e-2")
        found.append(keys.load(folder / "link.key", "link").secret.reveal())
    assert len({*found}) == len(found) == 10


def test_no_code_derives_a_key_but_the_ceremony() -> None:
    """K_S is HKDF over contributions that die with the ceremony; nothing else in the room may derive."""
    users = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and ".kdf" in (node.module or ""):
                users.add(path.name)
    assert users == {"joint.py"}


def test_a_file_is_erased_before_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "k"
    private.write_private(path, b"x" * 64)
    other = tmp_path / "other"
    other.hardlink_to(path)  # shows what happened to the blocks
    private.erase(path)
    assert not path.exists()
    assert len(other.read_bytes()) == 64 != other.read_bytes().count(b"x")
    private.erase(path)
    other.unlink()
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    private.erase(link)
    assert tmp_path.is_dir()


def test_a_private_file_is_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(private, "to_disk", TO_DISK)
    monkeypatch.setattr(private.os, "fsync", synced.append)
    private.write_private(tmp_path / "k", b"x")
    private.erase(tmp_path / "k")
    assert len(synced) == 2


def test_an_id_never_looks_like_a_number() -> None:
    """Eight digits in a row are refused in errors and found by leak scans, because they could be a BSN."""
    found = [keys.new_id() for _ in range(500)]
    assert all(not one.isdigit() and len(one) == 8 and int(one, 16) and one == one.lower() for one in found)
    assert len({*found}) > 490


def test_replacing_is_whole_and_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    path = tmp_path / "k"
    private.write_private(path, b"old")
    path.with_name("k.new").write_bytes(b"half")
    private.replace_private(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777, [*tmp_path.iterdir()]) == (b"new", 0o400, [path])


def test_a_remote_secret_has_no_bytes_and_equals_only_itself() -> None:
    from pseudonymize.secret import Remote

    one, other = Remote(lambda _: b"x"), Remote(lambda _: b"x")
    assert (one == one, one == other, one == Secret(b"")) == (True, False, False)  # noqa: PLR0124
    assert repr(one) == "Secret(***)"
    with pytest.raises(KeyUnavailable, match="key_not_extractable"):
        one.reveal()
    assert isinstance(prf.keyed(one), prf.RemotePrf)
