"""A receipt says what was accepted and how far the audit log was; twice signed, it outlives a rewritten log."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from pseudonymize import accept, audit, auditpaths, certificate, cli, receipt, seal, signing
from pseudonymize.ledger import Ledger
from pseudonymize.parties import PublicKeys
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable, QualityGate
from tests.pseudonymize.conftest import AGREEMENTS, World


def receive(world: World, folder: Path, register: str = "injus") -> receipt.Receipt:
    """Verify and accept a delivery as the TTP does; its receipt lies in receipts/<number>."""
    agreement, ledger = world.agreement(register), world.ledger()
    found = accept.verify(folder, agreement, world.public, ledger)
    where = {"audit_log": world.home / "audit.jsonl", "key": world.keys / "audit"}
    made = accept.receive(found.manifest, found.sha256, ledger, receipt=world.home / "receipts" / folder.name, **where)
    ledger.record(register, agreement.supplier, found.manifest.sequence, found.sha256)
    return made


@pytest.fixture
def received(world: World) -> World:
    """A world with one delivery accepted."""
    receive(world, world.deliver(world.injus())[0])
    return world


def verify(world: World) -> tuple[Any, dict[str, int]]:
    return auditpaths.verify(world.home / "audit.jsonl", world.keys / "public", world.home / "receipts")


def test_a_receipt_says_what_was_accepted_and_the_head_of_the_log(received: World) -> None:
    folder = received.home / "receipts" / "0001"
    found = receipt.read(folder, received.public)
    assert (found.receipt.supplier, found.receipt.sequence, found.receipt.rows.accepted) == ("justid", 1, 40)
    assert found.receipt.audit.n == 2
    assert found.receipt.audit.hash == audit.line_hash(received.home / "audit.jsonl", 2)
    assert not found.countersigned
    line = json.loads((received.home / "audit.jsonl").read_text().splitlines()[1])
    assert (line["event"], line["who"], line["why"], line["manifest"]) == (
        "accepted",
        "acceptor",
        "GLO-INJUS-SYN-01",
        found.receipt.manifest_sha256,
    )
    assert auditpaths.show(folder, received.keys / "public")["audit_line"] == 2
    report, counts = verify(received)
    assert report.sound
    assert counts == {"receipts": 1, "countersigned": 0, "certificates": 0, "anchors": 0}


def test_the_supplier_signs_the_head_it_was_shown(received: World) -> None:
    folder = received.home / "receipts" / "0001"
    own = received.keys / "suppliers" / "justid"
    assert auditpaths.countersign(folder, own, received.keys / "public")["countersigned"] is True
    assert receipt.read(folder, received.public).countersigned
    assert verify(received)[1]["countersigned"] == 1
    with pytest.raises(ConfigError, match="agreement_mismatch"):
        auditpaths.countersign(folder, received.keys / "suppliers" / "dji", received.keys / "public")


@pytest.mark.parametrize("name", [receipt.RECEIPT, receipt.SIGNATURE, receipt.COUNTERSIGNATURE])
def test_a_changed_receipt_or_signature_is_refused(received: World, name: str) -> None:
    folder = received.home / "receipts" / "0001"
    auditpaths.countersign(folder, received.keys / "suppliers" / "justid", received.keys / "public")
    good = (folder / name).read_bytes()
    for at in (0, len(good) // 2, len(good) - 1):
        (folder / name).write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(DeliveryError, match="bad_receipt"):
            receipt.read(folder, received.public)
        report, counts = verify(received)
        assert [fault.kind for fault in report.faults] == ["bad_receipt"]
        assert counts["receipts"] == 0
    (folder / name).unlink()
    if name != receipt.COUNTERSIGNATURE:
        with pytest.raises(DeliveryError, match="bad_receipt"):
            receipt.read(folder, received.public)


def test_a_receipt_of_another_shape_does_not_count_though_the_key_signed_it(received: World) -> None:
    folder, key = received.home / "receipts" / "0001", audit.load_key(received.keys / "audit")
    text = b'{"format":"koppelpunt/receipt/9"}\n'
    (folder / receipt.RECEIPT).write_bytes(text)
    (folder / receipt.SIGNATURE).write_bytes(signing.sign(key.secret, b"koppelpunt/receipt/1\n" + text))
    with pytest.raises(DeliveryError, match="bad_receipt"):
        receipt.read(folder, received.public)


def test_the_next_manifest_countersigns_the_head_by_itself(received: World) -> None:
    seen = receipt.read(received.home / "receipts" / "0001", received.public).receipt.audit.head
    folder, _ = received.deliver(received.injus(44, name="b.csv"), sequence=2, seen=seen)
    told = json.loads((folder / "manifest.json").read_text())["seen"]
    assert told == {"n": 2, "hash": seen.hash}
    manifest = accept.read_verified(folder)
    accept.require_seen(manifest, received.home / "audit.jsonl")
    assert receive(received, folder).audit.n == 3
    (received.home / "audit.jsonl").write_text("")  # cut off: what the supplier signed for is gone
    with pytest.raises(QualityGate) as broken:
        accept.require_seen(manifest, received.home / "audit.jsonl")
    assert (broken.value.code, broken.value.facts) == ("audit_broken", {"register": "injus", "expected": 2})


def test_a_log_that_is_cut_off_or_written_anew_shows_to_whoever_holds_the_receipt(received: World) -> None:
    log, key = received.home / "audit.jsonl", audit.load_key(received.keys / "audit")
    good = log.read_bytes()
    audit.head_file(log).unlink()
    log.write_bytes(good.splitlines(keepends=True)[0])
    assert "truncated" in {fault.kind for fault in verify(received)[0].faults}
    log.unlink()
    audit.append(log, key, [{"event": "accepted", "who": "acceptor", "why": "x"}])
    assert [fault.kind for fault in verify(received)[0].faults] == ["rewritten"]


def test_a_replay_is_neither_audited_as_accepted_nor_receipted(received: World) -> None:
    other, _ = received.deliver(received.injus(44, name="b.csv"), sequence=3)
    manifest = accept.read_verified(other)
    before = (received.home / "audit.jsonl").read_bytes()
    where = {"audit_log": received.home / "audit.jsonl", "key": received.keys / "audit"}
    with pytest.raises(DeliveryError, match="sequence_gap"):
        accept.receive(manifest, "a" * 64, received.ledger(), receipt=received.home / "r", **where)
    first = accept.read_verified(received.home / "inbox" / "injus" / "0001").model_copy(update={"sequence": 2})
    (same,) = received.ledger()._of("injus", "justid").values()
    with pytest.raises(DeliveryError, match="replay"):  # what was accepted before, under the number that is due now
        accept.receive(first, same, received.ledger(), receipt=received.home / "r", **where)
    assert (received.home / "audit.jsonl").read_bytes() == before
    assert not (received.home / "r").exists()


def test_a_crash_before_the_ledger_gives_a_second_receipt_and_no_second_delivery(world: World) -> None:
    folder, _ = world.deliver(world.injus())
    found = accept.verify(folder, world.agreement("injus"), world.public, world.ledger())
    where = {"audit_log": world.home / "audit.jsonl", "key": world.keys / "audit"}
    for _ in range(2):  # the ledger was never written: the step is done again
        accept.receive(found.manifest, found.sha256, world.ledger(), receipt=world.home / "receipts" / "0001", **where)
    world.ledger().record("injus", "justid", 1, found.sha256)
    accept.receive(found.manifest, found.sha256, world.ledger(), receipt=world.home / "receipts" / "0001", **where)
    report, counts = verify(world)
    assert report.sound
    assert (counts["receipts"], report.counts["accepted"]) == (1, 3)


def test_the_verbs_do_all_of_this_in_processes_of_their_own(world: World) -> None:
    folder, _ = world.deliver(world.injus())
    log, place = world.home / "audit.jsonl", world.home / "receipts" / "0001"
    own = ("--audit", log, "--audit-key", world.keys / "audit", "--receipt", place)
    code, _ = cli.run(["record", *map(str, ("--delivery", folder, "--ledger", world.home / "ledger.json", *own))])
    assert code == 0
    keys = ("--keys", world.keys / "suppliers" / "justid", "--public", world.keys / "public")
    more = ("--agreement", AGREEMENTS / "injus.yaml", "--sequence", 2, "--out", world.home / "0002", "--receipt", place)
    code, made = cli.run(["deliver", *map(str, ("--source", world.injus(44, name="b.csv"), *keys, *more))])
    assert code == 0, made
    check = ("--agreement", AGREEMENTS / "injus.yaml", "--public", world.keys / "public", "--audit", log)
    ledger = ("--ledger", world.home / "ledger.json")
    assert cli.run(["verify", *map(str, ("--delivery", world.home / "0002", *check, *ledger))])[0] == 0
    log.unlink()
    code, answer = cli.run(["verify", *map(str, ("--delivery", world.home / "0002", *check, *ledger))])
    assert (code, answer["code"]) == (13, "audit_broken")


def test_without_an_audit_key_nothing_can_be_verified(received: World, tmp_path: Path) -> None:
    PublicKeys(**{**vars(received.public), "audit": ""}).save(tmp_path)
    with pytest.raises(KeyUnavailable, match="key_missing"):
        auditpaths.verify(received.home / "audit.jsonl", tmp_path)


# Certificates of deletion --------------------------------------------------------------------------------------

ITEM = {
    "kind": "prepseudonym",
    "register": "injus",
    "sequence": 1,
    "agreement": "GLO-INJUS-SYN-01",
    "days": 90,
    "since": "2026-01-01",
    "files": 4,
    "bytes": 1000,
    "sha256": "ab" * 32,
}


def draft(world: World, items: object) -> Path:
    path = world.home / "draft.json"
    path.write_text(json.dumps({"date": "2026-11-24", "items": items}))
    return path


def certify(world: World, items: object) -> tuple[certificate.Certificate, str]:
    key = audit.load_key(world.keys / "audit")
    return certificate.certify(draft(world, items), world.home / "certificates", key, world.home / "audit.jsonl")


def test_a_certificate_is_numbered_signed_and_in_the_log(world: World) -> None:
    assert [certify(world, [ITEM])[0].number, certify(world, [ITEM, ITEM])[0].number] == [1, 2]
    path = world.home / "certificates" / "certificate-0002.json"
    assert len(certificate.read(path, world.public.audit).items) == 2
    line = json.loads((world.home / "audit.jsonl").read_text().splitlines()[-1])
    assert (line["event"], line["certificate"], line["items"], line["files"]) == ("deleted", 2, 2, 8)
    report, counts = auditpaths.verify(
        world.home / "audit.jsonl", world.keys / "public", None, world.home / "certificates"
    )
    assert (report.sound, counts["certificates"]) == (True, 2)


def test_a_changed_or_unlogged_certificate_is_a_fault(world: World) -> None:
    certify(world, [ITEM])
    path = world.home / "certificates" / "certificate-0001.json"
    where = (world.home / "audit.jsonl", world.keys / "public", None, world.home / "certificates")
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"files":4', b'"files":3'))
    with pytest.raises(DeliveryError, match="bad_certificate"):
        certificate.read(path, world.public.audit)
    assert [fault.kind for fault in auditpaths.verify(*where)[0].faults] == ["bad_certificate"]
    path.write_bytes(good)
    shutil.copy(path, path.with_name("certificate-0002.json"))
    assert [fault.kind for fault in auditpaths.verify(*where)[0].faults] == ["bad_certificate"]
    path.with_name("certificate-0002.json").unlink()
    certificate.certify(draft(world, [ITEM]), path.parent, audit.load_key(world.keys / "audit"), world.home / "other")
    assert [fault.kind for fault in auditpaths.verify(*where)[0].faults] == ["bad_certificate"]


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{**ITEM, "name": "Jan"}],
        [{**ITEM, "register": "Jan Jansen"}],
        [{**ITEM, "kind": "999990019"}],
        [{**ITEM, "agreement": "GLO-999990019"}],
        [{**ITEM, "sha256": "x"}],
        "x",
    ],
)
def test_a_certificate_can_name_no_person(world: World, items: object) -> None:
    with pytest.raises((DeliveryError, TypeError)):
        certify(world, items)
    assert not list((world.home).glob("certificates/*.sig"))


def test_the_verb_certifies(world: World) -> None:
    own = ("--audit", world.home / "audit.jsonl", "--audit-key", world.keys / "audit")
    call = ("--source", draft(world, [ITEM]), "--out", world.home / "certificates", *own)
    code, answer = cli.run(["certify", *map(str, call)])
    assert (code, answer["certificate"], answer["items"]) == (0, 1, 1)


# Boundaries inside the one verb that accepts: object, name of the function, and whether death comes before it or after.
DEATHS: tuple[tuple[Any, str, bool], ...] = (
    (audit, "append", True),
    (audit, "append", False),  # told in the log, without a receipt
    (receipt, "write", False),  # receipt signed, and the ledger does not know
    (Ledger, "_write", True),
    (Ledger, "_write", False),  # done, and nobody was told
)


def test_killed_anywhere_in_accepting_it_is_accepted_once_and_a_replay_is_refused(world: World) -> None:
    """A child gets a real SIGKILL; what it left is all the next one has. The log stays sound and tells each attempt."""
    folder, _ = world.deliver(world.injus())
    log = world.home / "audit.jsonl"
    for where, name, before in DEATHS:
        assert os.WTERMSIG(_killed(world, folder, where, name, before=before)) == signal.SIGKILL
        known = world.ledger().knows("injus", "justid", 1, seal.file_hash(folder / "manifest.json"))
        assert known is ((where, name, before) == DEATHS[-1]), (name, before)
        assert not log.exists() if (name, before) == ("append", True) else _sound(log, world)
    again = receive(world, folder)
    assert receipt.read(world.home / "receipts" / "0001", world.public).receipt == again
    assert verify(world)[0].sound
    with pytest.raises(DeliveryError, match="replay"):
        world.ledger().require_next("injus", "justid", 2, again.manifest_sha256)


def _sound(log: Path, world: World) -> bool:
    return auditpaths.verify(log, world.keys / "public")[0].sound


def _killed(world: World, folder: Path, where: Any, name: str, *, before: bool) -> int:
    """The status of a child that accepts and dies before or after its first call of a function."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    real = getattr(where, name)

    def deadly(*given: Any, **named: Any) -> None:
        if not before:
            real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        setattr(where, name, deadly)
        receive(world, folder)
    finally:
        os._exit(1)  # not reached when it works
