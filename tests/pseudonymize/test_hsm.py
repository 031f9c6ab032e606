"""Keys in a real PKCS#11 device (SoftHSM2): same values as wrapped files, and the key cannot come out.

Skipped where SoftHSM2 is not installed, unless KOPPEL_REQUIRE_HSM=1 (which .ci/run sets).
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pseudonymize import custody, keys, prf, publish, rotate, store
from pseudonymize.convert import convert, to_recipient
from pseudonymize.custody import Custodian
from pseudonymize.keys import Key, KeyFile
from pseudonymize.parties import ConverterKeys
from pseudonymize.secret import Remote, Secret
from schemas.errors import ConfigError, KeyUnavailable
from tests import softhsm
from tests.pseudonymize.test_keys_rotation import MONTH, encodings
from tests.softhsm import SoftToken

VECTORS = Path(__file__).parents[1] / "vectors"
REQUIRED = os.environ.get("KOPPEL_REQUIRE_HSM") == "1"
pytestmark = pytest.mark.skipif(
    softhsm.module() is None and not REQUIRED, reason="SoftHSM2 is not installed (Debian package softhsm2)"
)


def test_a_required_device_is_there() -> None:
    """Under KOPPEL_REQUIRE_HSM=1 nothing here may be skipped."""
    assert softhsm.module() is not None, "KOPPEL_REQUIRE_HSM=1, but no PKCS#11 module was found"


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    folder = tmp_path_factory.mktemp("softhsm")
    softhsm.configure(folder)
    softhsm.token(folder / "pin", "fresh")  # before the module is loaded: it looks for tokens once
    yield softhsm.token(folder / "pin", "koppel")
    os.environ.pop("SOFTHSM2_CONF", None)


@pytest.fixture
def folder(device: SoftToken, tmp_path: Path) -> Path:
    """A converter whose HMAC keys live in the device."""
    made = tmp_path / "converter"
    store.create(made, kek="../kek", module=device.module, token=device.label, pin=str(device.pin))
    keys.make(made / "sign.key", "sign", "demo", "any", "converter")
    return made


def put(folder: Path, kind: str, raw: bytes, owner: str = "converter") -> Key:
    """Import a known key and open it again."""
    epoch = "run-1" if kind == "pre" else "epoch-1"
    name = f"recipient-{owner}" if kind == "recipient" else kind
    keys.save(folder / f"{name}.key", Key(keys.new_id(), kind, "demo", epoch, owner, Secret(raw)))
    return keys.load(folder / f"{name}.key", kind)


def objects(device: SoftToken) -> list[object]:
    """What the device itself says it holds."""
    from pkcs11 import Attribute, ObjectClass

    from pseudonymize import hsm

    session = hsm._sessions[device.module, device.label]
    return list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))


def object_of(folder: Path, device: SoftToken, name: str = "link") -> object:
    from pkcs11 import Attribute

    ident = bytes.fromhex(KeyFile.read(folder / f"{name}.key").held.secret)
    (found,) = [one for one in objects(device) if one[Attribute.ID] == ident]
    return found


# Same values ----------------------------------------------------------------------------------------------------


def test_rfc_4231_through_the_device(folder: Path) -> None:
    """SoftHSM2 wants a key of 32 bytes or more; HMAC fills a short key with zeros itself (RFC 2104), so may we."""
    for case in json.loads((VECTORS / "rfc4231.json").read_text())["cases"]:
        vault = store.Store.of(folder).of_kind("link")
        key = vault.open(vault.keep(Secret(bytes.fromhex(case["key"]).ljust(32, b"\0"))))
        assert isinstance(key, Remote)
        tag = prf.keyed(key).raw(bytes.fromhex(case["data"])).hex()
        assert tag.startswith(case["tag"]), case["case"]


def test_our_own_known_answers_through_the_device(folder: Path) -> None:
    """pre, link and recipient of pseudonymisation.md section 1."""
    k_s, k_t, k_r = (bytes(range(start, start + 32)) for start in (0x00, 0x20, 0x40))
    pre = prf.pre(put(folder, "pre", k_s, "sources").secret, "demo", "run-1", "NL:BSN").one(b"123456782")
    link = prf.link(put(folder, "link", k_t).secret, "demo", "epoch-1").one(pre)
    rec = prf.recipient(put(folder, "recipient", k_r, "gemeente").secret, "demo", "gemeente", "epoch-1").one(link)
    assert pre.hex() == "6f43a8cbb8e4b794ae58ecd5d6522750a47d3abeb6eefdf8e0bd1ccb141623ff"
    assert link.hex() == "618d1e34bf187f8d6e53e7d5019d8e446b62105f797722f5a8b029f39242c2a6"
    assert rec.hex() == "7807d9ffb7a2f2ede94c1c131c78580872c4b8d7fdab0cf79c4d61ec07852260"


@pytest.mark.parametrize("size", [32, 16])
def test_a_batch_through_the_device_equals_the_file_store(folder: Path, size: int) -> None:
    raw = os.urandom(32)
    remote, local = put(folder, "link", raw).secret, Secret(raw)
    values = os.urandom(32 * 300)
    for stage in (lambda key: prf.link(key, "demo", "e"), lambda key: prf.record(key, "demo", "e", "a.b")):
        assert stage(remote).fixed(values, 32, size) == stage(local).fixed(values, 32, size)
    assert prf.link(remote, "demo", "e").one(b"") == prf.link(local, "demo", "e").one(b"")


def test_domain_conversion_runs_on_the_device_with_the_same_result(world, device: SoftToken, tmp_path: Path) -> None:
    """The whole converter, both stages: the same Parquet values whichever store holds K_T and K_R."""
    import pyarrow.parquet as pq

    delivery = world.deliver(world.injus())[0]
    plain, moved = world.converter, tmp_path / "converter"
    store.create(moved, kek="../kek", module=device.module, token=device.label, pin=str(device.pin))
    for name, kind in (("age", "age"), ("link", "link"), ("recipient-onderzoek", "recipient")):
        keys.save(moved / f"{name}.key", keys.load(plain.folder / f"{name}.key", kind))
    assert isinstance(ConverterKeys(moved).link().secret, Remote)
    assert ConverterKeys(moved).link().tag == plain.link().tag
    made = []
    for number, converter in enumerate((plain, ConverterKeys(moved))):
        link, one, out = (tmp_path / f"{name}-{number}.parquet" for name in ("link", "one", "out"))
        convert(delivery, converter, link)
        pq.write_table(pq.read_table(link, columns=["row_id", "skn"]), one)
        to_recipient(one, "onderzoek", converter, out)
        made.append((pq.read_table(link), pq.read_table(out)))
    assert made[0][0].equals(made[1][0])
    assert made[0][1].equals(made[1][1])


# The key does not come out --------------------------------------------------------------------------------------


def test_a_key_made_in_the_device_was_never_outside_and_cannot_leave(folder: Path, device: SoftToken) -> None:
    import pkcs11
    from pkcs11 import Attribute

    rotate.create(folder, "link", "demo", "epoch-1", "converter")
    found = object_of(folder, device)
    for attribute, expected in {
        Attribute.SENSITIVE: True,
        Attribute.ALWAYS_SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.NEVER_EXTRACTABLE: True,
        Attribute.LOCAL: True,
        Attribute.PRIVATE: True,
        Attribute.SIGN: True,
        Attribute.DERIVE: False,
        Attribute.WRAP: False,
        Attribute.DECRYPT: False,
    }.items():
        assert found[attribute] is expected, attribute
    with pytest.raises(pkcs11.AttributeSensitive):
        found[Attribute.VALUE]
    for attribute, value in ((Attribute.EXTRACTABLE, True), (Attribute.SENSITIVE, False)):
        with pytest.raises(pkcs11.PKCS11Error):
            found[attribute] = value
        with pytest.raises(pkcs11.PKCS11Error):
            found.copy({attribute: value})


def test_the_device_will_not_wrap_the_key_out(folder: Path, device: SoftToken) -> None:
    import pkcs11
    from pkcs11 import Attribute, KeyType

    from pseudonymize import hsm

    rotate.create(folder, "link", "demo", "epoch-1", "converter")
    session = hsm._sessions[device.module, device.label]
    thief = session.generate_key(KeyType.AES, 256, template={Attribute.WRAP: True})
    with pytest.raises(pkcs11.PKCS11Error):
        thief.wrap_key(object_of(folder, device))


def test_an_imported_key_is_as_shut_as_one_made_inside(folder: Path, device: SoftToken) -> None:
    import pkcs11
    from pkcs11 import Attribute

    raw = os.urandom(32)
    key = put(folder, "link", raw)
    found = object_of(folder, device)
    assert (found[Attribute.SENSITIVE], found[Attribute.EXTRACTABLE]) == (True, False)
    with pytest.raises(pkcs11.AttributeSensitive):
        found[Attribute.VALUE]
    with pytest.raises(KeyUnavailable, match="key_not_extractable"):
        key.secret.reveal()
    for path in folder.parent.rglob("*"):
        if path.is_file():
            assert not any(form in path.read_bytes() for form in encodings(raw)), path.name


def test_a_key_the_device_would_give_away_is_not_used(folder: Path, device: SoftToken) -> None:
    from pkcs11 import Attribute, KeyType, ObjectClass

    from pseudonymize import hsm

    put(folder, "link", os.urandom(32))
    session, ident = hsm._sessions[device.module, device.label], os.urandom(16)
    weak = {**hsm.USE, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True, Attribute.ID: ident}
    kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.GENERIC_SECRET}
    session.create_object({**kind, **weak, Attribute.VALUE: bytes(32)})
    path = folder / "link.key"
    content = json.loads(path.read_text()) | {"secret": ident.hex()}
    path.chmod(0o600)
    path.write_text(json.dumps(content))
    with pytest.raises(KeyUnavailable, match="hsm_weak_key"):
        keys.load(path, "link")


# Life ------------------------------------------------------------------------------------------------------------


def test_only_hmac_keys_go_to_the_device(folder: Path) -> None:
    rotate.create(folder, "recipient", "demo", "epoch-1", "onderzoek")
    assert {row["kind"]: row["store"] for row in rotate.listing(folder)} == {"recipient": "hsm", "sign": "file"}


def test_a_key_in_the_device_rotates_and_is_destroyed_in_it(folder: Path, device: SoftToken) -> None:
    import pkcs11

    rotate.create(folder, "link", "demo", "epoch-1", "converter")
    old = object_of(folder, device)
    new, _ = rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    assert ConverterKeys(folder, "epoch-1").link().tag != ConverterKeys(folder).link().tag == new.check
    before = len(objects(device))
    path, content = rotate.destroy(folder, "link", "converter", "epoch-1", "rotation")
    assert len(objects(device)) == before - 1
    with pytest.raises(pkcs11.PKCS11Error):
        old.sign(b"x", mechanism=pkcs11.Mechanism.SHA256_HMAC)
    assert (content["store"], content["wrapping_key"]) == ("hsm", "device")
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        ConverterKeys(folder, "epoch-1").link()
    assert ConverterKeys(folder).link().tag == new.check
    assert publish._any(path).signer == "converter"


def test_a_backup_is_made_at_birth_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    holders = [Custodian(name, "") for name in ("anna", "bram", "cleo")]
    rotate.create(folder, "recipient", "demo", "epoch-1", "gemeente")
    with pytest.raises(KeyUnavailable, match="key_not_extractable"):
        custody.export(folder, folder / "recipient-gemeente.key", 2, holders, tmp_path / "none")
    made, _ = rotate.create_shared(folder, "link", "demo", "epoch-1", "converter", 2, holders, tmp_path / "s")
    assert made.held.store == "hsm"
    (folder / "link.key").unlink()  # the device is lost; restore into another folder's device
    shares = [tmp_path / "s" / f"share-{name}.json" for name in ("anna", "cleo")]
    found, _ = custody.restore(folder, shares)
    assert (found.check, found.held.store) == (made.check, "hsm")
    value = ConverterKeys(folder).link().secret
    assert isinstance(value, Remote)


def test_a_restored_key_makes_the_same_pseudonyms(folder: Path, tmp_path: Path) -> None:
    raw = os.urandom(32)
    key = put(folder, "link", raw)
    other = tmp_path / "files"
    store.create(other, kek="../kek-files")
    keys.save(other / "link.key", Key(keys.new_id(), "link", "demo", "epoch-1", "converter", Secret(raw)))
    assert keys.load(other / "link.key", "link").tag == key.tag
    message = os.urandom(90)
    assert prf.keyed(key.secret).raw(message) == hmac.digest(raw, message, "sha256")


# Refusals --------------------------------------------------------------------------------------------------------


def test_a_device_that_cannot_be_had_is_told_without_its_words(device: SoftToken, tmp_path: Path) -> None:
    cases = {
        "PinIncorrect": {"token": "fresh", "module": device.module, "pin": "wrong"},
        "NoSuchToken": {"token": "999990019", "module": device.module, "pin": "right"},
        "PKCS11Error": {"token": "koppel", "module": "/nowhere/999990019.so", "pin": "right"},
    }
    (tmp_path / "pins").mkdir(0o700)
    for number, (kind, parts) in enumerate(cases.items()):
        pin = tmp_path / "pins" / f"{number}.pin"
        pin.write_text("000000" if parts["pin"] == "wrong" else softhsm.PIN)
        pin.chmod(0o400)
        made = tmp_path / str(number)
        store.create(made, kek=f"../kek-{number}", module=parts["module"], token=parts["token"], pin=str(pin))
        with pytest.raises(KeyUnavailable, match=f"hsm_unavailable.*{kind}") as caught:
            keys.make(made / "link.key", "link", "demo", "e", "converter")
        assert "999990019" not in str(caught.value)
        assert not (made / "link.key").exists()


def test_a_key_missing_from_the_device_is_missing(folder: Path, device: SoftToken) -> None:
    rotate.create(folder, "link", "demo", "epoch-1", "converter")
    object_of(folder, device).destroy()
    with pytest.raises(KeyUnavailable, match=r"key_missing \(file=hsm\)"):
        ConverterKeys(folder).link()
    rotate.destroy(folder, "link", "converter", "epoch-1", "compromise")  # and can still be written off


def test_a_pin_open_to_others_is_refused(device: SoftToken, tmp_path: Path) -> None:
    pin = tmp_path / "pins" / "p"
    pin.parent.mkdir(0o700)
    pin.write_text(softhsm.PIN)
    pin.chmod(0o444)
    store.create(tmp_path / "c", kek="../kek", module=device.module, token=device.label, pin=str(pin))
    with pytest.raises(KeyUnavailable, match="key_open"):
        keys.make(tmp_path / "c" / "link.key", "link", "demo", "e", "converter")


def test_a_pin_may_be_a_systemd_credential(device: SoftToken, tmp_path: Path, monkeypatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir(0o750)
    for name, content in (("pin", softhsm.PIN.encode()), ("kek", os.urandom(32))):
        (credentials / name).write_bytes(content)
        (credentials / name).chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    parts = {"module": device.module, "token": device.label, "pin": "credential:pin"}
    store.create(tmp_path / "c", kek="credential:kek", **parts)
    assert keys.make(tmp_path / "c" / "link.key", "link", "demo", "e", "converter").held.store == "hsm"


def test_every_process_of_the_room_can_use_the_device(folder: Path, device: SoftToken) -> None:
    """As the flows call it: `python -m pseudonymize keys-create`, nothing about the PIN in its arguments."""
    import subprocess
    import sys

    arguments = ("--keys", folder, "--kind", "link", "--owner", "converter", "--project", "demo", "--epoch", "e-1")
    command = [sys.executable, "-m", "pseudonymize", "keys-create", *map(str, arguments)]
    assert softhsm.PIN not in " ".join(command)
    done = subprocess.run(command, capture_output=True, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr, answer["store"]) == (0, b"", "hsm")
    listed = subprocess.run([*command[:3], "keys-list", "--keys", str(folder)], capture_output=True, check=False)
    assert answer["check"] in {row["check"] for row in json.loads(listed.stdout)["keys"]}


def test_a_broken_store_for_a_device_is_refused(folder: Path) -> None:
    rotate.create(folder, "link", "demo", "epoch-1", "converter")
    content = json.loads((folder / "store.json").read_text())
    (folder / "store.json").chmod(0o600)
    (folder / "store.json").write_text(json.dumps(content | {"module": "", "token": "", "pin": ""}))
    with pytest.raises(KeyUnavailable, match="hsm_unavailable"):
        ConverterKeys(folder).link()
    (folder / "store.json").write_text(json.dumps(content | {"module": ""}))
    with pytest.raises(ConfigError, match="bad_store"):
        ConverterKeys(folder).link()
