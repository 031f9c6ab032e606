"""The TTP's side: a delivery is believed only when every byte of it has been checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pseudonymize import accept, manifest, signing
from pseudonymize.accept import Verified
from pseudonymize.ledger import Ledger
from schemas.errors import DeliveryError, KeyUnavailable, KoppelError
from tests.pseudonymize.conftest import CROSSWALK_HEAD


@pytest.fixture
def copy(delivered, tmp_path: Path) -> Path:
    """A copy of a good delivery, to spoil."""
    return shutil.copytree(delivered.folder, tmp_path / "0001")


def verify(delivered, folder: Path, ledger: Ledger | None = None, **more: int) -> Verified:
    world = delivered.world
    return accept.verify(folder, world.agreement("injus"), world.public, ledger, **more)


def resign(delivered, folder: Path, change: Callable[[dict], object]) -> None:
    """Change the manifest and sign it again, as a supplier could."""
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    text = json.dumps(content).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sig").write_bytes(signing.sign(delivered.world.supplier("justid").sign.secret, text))


def test_a_good_delivery_is_believed(delivered) -> None:
    found = verify(delivered, delivered.folder)
    assert found.manifest.rows.accepted == 40
    assert found.sha256 == delivered.report.manifest_sha256
    assert not found.known


def test_a_delivery_without_payload_is_believed_too(world) -> None:
    folder, _ = world.deliver(world.extract("k.csv", CROSSWALK_HEAD, ["S1;;", "S2;;"]), "crosswalk")
    assert accept.verify(folder, world.agreement("crosswalk"), world.public).manifest.hashes.payload is None
    (folder / "payload.age").write_bytes(b"x")
    with pytest.raises(DeliveryError, match="stray_file"):
        accept.verify(folder, world.agreement("crosswalk"), world.public)


def test_a_change_anywhere_is_noticed(delivered, copy: Path) -> None:
    for name in ("manifest.json", "manifest.sig", "identity.age", "payload.age"):
        good = (copy / name).read_bytes()
        for at in {0, 1, len(good) // 3, len(good) // 2, len(good) - 1}:
            for changed in (
                good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :],
                good[:at],
                good[:at] + b"0" + good[at:],
            ):
                if changed == good:
                    continue
                (copy / name).write_bytes(changed)
                with pytest.raises(DeliveryError, match=r"bad_(signature|hash|manifest)"):
                    verify(delivered, copy)
        (copy / name).write_bytes(good)
    verify(delivered, copy)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "identity.age", "payload.age"])
def test_a_missing_file_or_a_link_is_refused(delivered, copy: Path, tmp_path: Path, name: str) -> None:
    moved = (copy / name).rename(tmp_path / "moved")
    with pytest.raises(DeliveryError, match=r"bad_(manifest|hash)"):
        verify(delivered, copy)
    (copy / name).symlink_to(moved)
    with pytest.raises(DeliveryError, match=r"bad_(manifest|hash)"):
        verify(delivered, copy)


def test_a_stray_file_is_refused_and_its_name_not_repeated(delivered, copy: Path) -> None:
    (copy / "999990019.csv").write_text("x")
    with pytest.raises(DeliveryError, match="stray_file") as caught:
        verify(delivered, copy)
    assert "99999" not in str(caught.value)


def test_the_signature_of_another_supplier_does_not_count(delivered, copy: Path) -> None:
    text = (copy / "manifest.json").read_bytes()
    (copy / "manifest.sig").write_bytes(signing.sign(delivered.world.supplier("dji").sign.secret, text))
    with pytest.raises(DeliveryError, match="bad_signature"):
        verify(delivered, copy)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.update(register="gmsd"), "agreement_mismatch"),
        (lambda m: m.update(supplier="dji"), "agreement_mismatch"),
        (lambda m: m.update(project="other"), "agreement_mismatch"),
        (lambda m: m.update(epoch="run-2"), "agreement_mismatch"),
        (lambda m: m["agreement"].update(sha256="0" * 64), "agreement_mismatch"),
        (lambda m: m["agreement"].update(id="ANDERE-1"), "agreement_mismatch"),
        (lambda m: m["period"].update({"from": "2001-01-01"}), "agreement_mismatch"),
        (lambda m: m["period"].update({"until": "2001-01-01"}), "agreement_mismatch"),
        (lambda m: m.update(key_check="0" * 16), "key_check"),
        (lambda m: m.update(identifier_types=["NL:BSN"]), "real_refused"),
        (lambda m: m["rows"].update(accepted=41), "bad_manifest"),
        (lambda m: m["rows"].update({"in": 41, "quarantined": 1}), "bad_manifest"),
        (lambda m: m["rows"].update(accepted=-1), "bad_manifest"),
        (lambda m: m.update(reasons={"Jan Jansen": 0}), "bad_manifest"),
        (lambda m: m.update(reasons={"BSN_999990019": 0}), "bad_manifest"),
        (lambda m: m.update(note="vrije tekst"), "bad_manifest"),
        (lambda m: m.update(scheme="v0"), "bad_manifest"),
        (lambda m: m.update(sequence=0), "bad_manifest"),
        (lambda m: m.pop("row_set"), "bad_manifest"),
        (lambda m: m["hashes"].pop("payload"), "stray_file"),
    ],
)
def test_a_signed_manifest_must_fit_the_agreement(delivered, copy: Path, change, code: str) -> None:
    resign(delivered, copy, change)
    with pytest.raises(DeliveryError, match=code):
        verify(delivered, copy)


def test_a_real_agreement_refuses_synthetic_numbers(delivered) -> None:
    agreement = delivered.world.agreement("injus")
    object.__setattr__(agreement, "synthetic", False)
    object.__setattr__(agreement, "identifier_types", ("NL:BSN", "NL:SKN", "NL:VIP"))
    with pytest.raises(DeliveryError, match="synthetic_refused"):
        accept.verify(delivered.folder, agreement, delivered.world.public)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"format": 1, "format": 2}',
        b"[" * 100_000,
        b" " * (manifest.MAX_BYTES + 1),
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(DeliveryError, match="bad_manifest"):
        manifest.parse(text)


def test_a_manifest_is_the_same_after_reading_and_writing(delivered) -> None:
    text = (delivered.folder / "manifest.json").read_bytes()
    assert manifest.parse(text).encode() == text


def test_an_unknown_supplier_has_no_key(delivered) -> None:
    world = delivered.world
    nobody = type(world.public)(**{**vars(world.public), "suppliers": {}})
    with pytest.raises(KeyUnavailable, match="key_missing"):
        accept.verify(delivered.folder, world.agreement("injus"), nobody)


def test_a_delivery_counts_once(world) -> None:
    first, _ = world.deliver(world.injus())
    agreement = world.agreement("injus")
    ledger = world.ledger()
    ledger.record("injus", "justid", 1, accept.verify(first, agreement, world.public, ledger).sha256)
    again = accept.verify(first, agreement, world.public, world.ledger())
    assert again.known  # the same bytes: a resumed run may go on
    shutil.rmtree(first.parent)
    other, _ = world.deliver(world.injus(44))
    with pytest.raises(DeliveryError, match="replay"):
        accept.verify(other, agreement, world.public, world.ledger())


def test_a_gap_names_the_missing_number(world) -> None:
    third, _ = world.deliver(world.injus(), sequence=3)
    agreement = world.agreement("injus")
    with pytest.raises(DeliveryError, match="missing=1"):
        accept.verify(third, agreement, world.public, world.ledger())
    with pytest.raises(DeliveryError, match="missing=2"):
        accept.verify(third, agreement, world.public, world.ledger(), waiting=1)
    assert not accept.verify(third, agreement, world.public, world.ledger(), waiting=2).known


A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_the_ledger_counts_per_register_and_supplier_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.json"
    Ledger(path).record("injus", "justid", 1, A)
    Ledger(path).record("injus", "justid", 2, B)
    Ledger(path).record("ifzo", "dji", 1, A)
    ledger = Ledger(path)
    assert ledger.next_sequence("injus", "justid") == 3
    assert ledger.next_sequence("ifzo", "dji") == 2
    assert ledger.next_sequence("gmsd", "cbs") == 1
    assert ledger.knows("injus", "justid", 2, B)
    assert not ledger.knows("injus", "justid", 2, A)
    before = path.read_bytes()
    ledger.record("injus", "justid", 2, B)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["ledger.json"]


@pytest.mark.parametrize(("sequence", "digest", "code"), [(1, C, "replay"), (3, A, "replay"), (4, C, "sequence_gap")])
def test_the_ledger_refuses_repeats_and_gaps(tmp_path: Path, sequence: int, digest: str, code: str) -> None:
    ledger = Ledger(tmp_path / "l.json")
    ledger.record("injus", "justid", 1, A)
    ledger.record("injus", "justid", 2, B)
    with pytest.raises(DeliveryError, match=code):
        ledger.record("injus", "justid", sequence, digest)
    assert Ledger(tmp_path / "l.json").next_sequence("injus", "justid") == 3


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accepted": 3}', '{"accepted": {"a": {"b": {"x": "y"}}}}'])
def test_a_damaged_ledger_is_an_error_and_never_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "l.json"
    path.write_text(text)
    with pytest.raises(KoppelError, match="damaged_ledger"):
        Ledger(path)
