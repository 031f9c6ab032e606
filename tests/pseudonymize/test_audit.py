"""The audit log: what was written stays as it was, and whoever holds the public key and one receipt can see it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import stat
from pathlib import Path

import pytest

from pseudonymize import audit, auditverify, keys, signer, signing
from pseudonymize.audit import Head
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.keys import Key
from schemas.errors import KeyUnavailable, QualityGate, UnsafeFact

BSN = "999990019"  # RvIG test range


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("k") / "keys"
    create_demo_keys(folder, ["justid"], ["onderzoek"], "demo", "epoch-1")
    return folder


@pytest.fixture(scope="module")
def key(home: Path) -> Key:
    return audit.load_key(home / "audit")


@pytest.fixture(scope="module")
def public(key: Key) -> str:
    return signing.public_half(key.secret)


def event(number: int, **more: int | str) -> audit.Event:
    return {"event": "accepted", "who": "acceptor", "why": "GLO-X-01", "sequence": number, **more}


@pytest.fixture
def log(tmp_path: Path, key: Key) -> Path:
    """Six lines: the opening and five events."""
    path = tmp_path / "state" / "audit.jsonl"
    for number in range(1, 6):
        audit.append(path, key, [event(number)])
    return path


def kinds(log: Path, public: str, heads: tuple[Head, ...] = ()) -> set[str]:
    return {fault.kind for fault in auditverify.verify(log, public, heads).faults}


def lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True)


def head_at(log: Path, number: int) -> Head:
    return Head(number, audit.line_hash(log, number) or "", audit.line_hash(log, 1) or "")


# Writing -------------------------------------------------------------------------------------------------------


def test_a_log_is_a_private_file_of_chained_signed_lines(log: Path, key: Key, public: str) -> None:
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    found = [json.loads(line) for line in lines(log)]
    assert [line["n"] for line in found] == [1, 2, 3, 4, 5, 6]
    assert [line["event"] for line in found] == ["log_opened"] + ["accepted"] * 5
    assert found[0]["prev"] == audit.FIRST
    for before, line in zip(lines(log), found[1:], strict=False):
        assert line["prev"] == hashlib.sha256(before.rstrip(b"\n")).hexdigest()
    assert {line["key"] for line in found} == {hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]}
    report = auditverify.verify(log, public)
    assert (report.sound, report.events, report.counts) == (True, 6, {"accepted": 5, "log_opened": 1})
    report.require_sound()
    assert report.as_dict()["sound"] is True
    assert report.head == audit.append(log, key, []).hash


def test_the_signature_can_be_checked_without_our_code(log: Path, public: str) -> None:
    """docs/audit.md describes it: the purpose line, then the line as canonical JSON without `sig`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for line in lines(log):
        content = json.loads(line)
        signature = bytes.fromhex(content.pop("sig"))
        text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, b"koppelpunt/audit/1\n" + text)


def test_several_events_are_one_write(tmp_path: Path, key: Key, public: str) -> None:
    head = audit.append(tmp_path / "a.jsonl", key, [event(1), event(2), event(3)])
    assert (head.n, auditverify.verify(tmp_path / "a.jsonl", public).events) == (4, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": "accepted", "who": "acceptor"},
        {"event": "accepted", "who": "acceptor", "why": "x", "bsn": 1},
        {"event": "accepted", "who": "acceptor", "why": "x", "n": 7},
    ],
)
def test_a_field_outside_the_allow_list_is_refused(tmp_path: Path, key: Key, wrong: audit.Event) -> None:
    with pytest.raises(ValueError, match="allow-list"):
        audit.append(tmp_path / "a.jsonl", key, [wrong])
    assert not (tmp_path / "a.jsonl").exists()


@pytest.mark.parametrize("value", [BSN, f"bsn {BSN}", "vrije tekst, met \u20ac", 'a"b', "x" * 200])
def test_data_in_an_allowed_field_is_refused_too(tmp_path: Path, key: Key, value: str) -> None:
    with pytest.raises(UnsafeFact):
        audit.append(tmp_path / "a.jsonl", key, [event(1, register=value)])


def test_a_pseudonym_of_a_person_has_no_field_and_a_hash_of_a_file_has(tmp_path: Path, key: Key) -> None:
    audit.append(tmp_path / "a.jsonl", key, [event(1, sha256="ab" * 32)])
    with pytest.raises(ValueError, match="allow-list"):
        audit.append(tmp_path / "a.jsonl", key, [event(1, pseudonym="ab" * 32)])


def test_a_key_that_others_can_read_signs_nothing(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "audit", tmp_path / "audit")
    (tmp_path / "audit").chmod(0o755)
    with pytest.raises(KeyUnavailable, match="key_open"):
        audit.load_key(tmp_path / "audit")


# A crash, and two writers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_a_torn_last_line_is_seen_and_the_next_event_says_what_was_lost(
    log: Path, key: Key, public: str, cut: int
) -> None:
    whole = log.read_bytes()
    audit.append(log, key, [event(6)])
    torn = log.read_bytes()[len(whole) : -cut]
    audit.head_file(log).unlink()
    log.write_bytes(whole + torn)
    assert "torn" in kinds(log, public)
    audit.append(log, key, [event(7)])
    assert auditverify.verify(log, public).sound
    recovered = json.loads(lines(log)[-2])
    assert (recovered["event"], recovered["bytes"]) == ("log_recovered", len(torn))
    assert recovered["sha256"] == hashlib.sha256(torn).hexdigest()
    assert lines(log)[:6] == whole.splitlines(keepends=True)


def test_the_very_first_line_may_be_torn(tmp_path: Path, key: Key, public: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"account":0')
    audit.append(path, key, [event(1)])
    assert auditverify.verify(path, public).sound
    assert [json.loads(line)["event"] for line in lines(path)] == ["log_opened", "log_recovered", "accepted"]


def test_a_crash_after_the_line_and_before_the_head_is_no_fault(log: Path, key: Key, public: str) -> None:
    told = audit.head_file(log).read_bytes()
    audit.append(log, key, [event(6)])
    audit.head_file(log).write_bytes(told)
    assert auditverify.verify(log, public).sound
    audit.append(log, key, [event(7)])
    assert auditverify.verify(log, public).sound


def _write(arguments: tuple[Path, Path, int]) -> None:
    log, folder, first = arguments
    for number in range(first, first + 10):
        audit.append(log, audit.load_key(folder), [event(number)])


def test_two_writers_make_one_chain(tmp_path: Path, home: Path, public: str) -> None:
    log = tmp_path / "a.jsonl"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_write, [(log, home / "audit", 100), (log, home / "audit", 200)])
    report = auditverify.verify(log, public)
    assert (report.sound, report.events) == (True, 21)


# Attacks on the log --------------------------------------------------------------------------------------------


def test_an_edit_anywhere_is_found(log: Path, public: str) -> None:
    good = log.read_bytes()
    for old, new in ((b"acceptor", b"acceptee"), (b'"sequence":3', b'"sequence":4'), (b'"at":"2', b'"at":"1')):
        log.write_bytes(good.replace(old, new, 1))
        assert {"edited", "unchained"} <= kinds(log, public)
    for place in range(0, len(good) - 1, 97):
        changed = bytes([good[place] ^ 1])
        if changed == b"\n" or good[place : place + 1] == b"\n":
            continue
        log.write_bytes(good[:place] + changed + good[place + 1 :])
        assert kinds(log, public)
    log.write_bytes(good)
    assert not kinds(log, public)


def test_an_edit_of_the_last_line_is_found_and_nothing_is_written_after_it(log: Path, key: Key, public: str) -> None:
    *before, last = lines(log)
    log.write_bytes(b"".join(before) + last.replace(b'"sequence":5', b'"sequence":9'))
    assert "edited" in kinds(log, public)
    with pytest.raises(QualityGate, match="audit_broken"):
        audit.append(log, key, [event(6)])


def test_a_line_taken_out_is_a_gap(log: Path, public: str) -> None:
    found = lines(log)
    log.write_bytes(b"".join(found[:2] + found[3:]))
    assert {"gap", "unchained"} <= kinds(log, public)
    (gap,) = [f for f in auditverify.verify(log, public).faults if f.kind == "gap"]
    assert gap.line == 3
    log.write_bytes(b"".join(found[1:]))  # the first one
    assert "gap" in kinds(log, public)


def test_lines_in_another_order_are_found(log: Path, public: str) -> None:
    found = lines(log)
    log.write_bytes(b"".join([*found[:2], found[3], found[2], *found[4:]]))
    assert {"reordered", "unchained"} <= kinds(log, public)
    assert "gap" not in kinds(log, public)


def test_a_line_twice_is_found(log: Path, public: str) -> None:
    found = lines(log)
    log.write_bytes(b"".join([*found[:3], found[2], *found[3:]]))
    assert {"repeated", "unchained"} <= kinds(log, public)


def test_a_log_cut_off_shows_against_the_head_beside_it(log: Path, key: Key, public: str) -> None:
    log.write_bytes(b"".join(lines(log)[:4]))
    assert kinds(log, public) == {"truncated"}
    with pytest.raises(QualityGate, match="audit_broken"):
        audit.append(log, key, [event(6)])


def test_a_log_cut_off_with_its_head_shows_against_a_head_that_somebody_else_holds(log: Path, public: str) -> None:
    held = head_at(log, 6)
    old = head_at(log, 4)
    log.write_bytes(b"".join(lines(log)[:4]))
    audit.head_file(log).unlink()
    assert kinds(log, public) == {"bad_head"}  # the head itself is missed; the lines alone tell nothing
    assert {"truncated"} <= kinds(log, public, (held,))
    assert "truncated" not in kinds(log, public, (old,))


def test_a_whole_chain_written_anew_with_the_real_key_shows_against_a_receipt(log: Path, key: Key, public: str) -> None:
    """The insider who holds the signing key rewrites everything, without the event he dislikes."""
    held = head_at(log, 4)
    log.unlink()
    audit.head_file(log).unlink()
    for number in (1, 2, 4, 5, 6, 7):
        audit.append(log, key, [event(number)])
    assert auditverify.verify(log, public).sound  # the chain alone cannot know
    assert kinds(log, public, (held,)) == {"rewritten"}


def test_lines_of_another_log_under_the_same_key_do_not_pass(tmp_path: Path, log: Path, key: Key, public: str) -> None:
    held = head_at(log, 2)
    other = tmp_path / "other.jsonl"
    audit.append(other, key, [event(1)])
    mixed = lines(other)[:1] + lines(log)[1:]
    log.write_bytes(b"".join(mixed))
    assert "unchained" in kinds(log, public)
    assert "rewritten" in kinds(log, public, (held,))


def test_a_line_signed_by_another_key_is_an_edit(tmp_path: Path, log: Path, public: str) -> None:
    create_demo_keys(tmp_path / "foreign", [], [], "demo", "epoch-1")
    foreign = audit.load_key(tmp_path / "foreign" / "audit")
    audit.append(tmp_path / "f.jsonl", foreign, [event(n) for n in range(1, 6)])
    log.write_bytes(b"".join(lines(log)[:5] + lines(tmp_path / "f.jsonl")[5:6]))
    assert "edited" in kinds(log, public)
    assert kinds(log, signing.public_half(foreign.secret)) >= {"edited"}


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"\xff", b"[" * 50_000, b'{"n":1}', b'{"sig":1}', b'{"sig":"zz"}', b"null"]
)
def test_a_line_that_is_none_is_an_edit(log: Path, public: str, line: bytes) -> None:
    log.write_bytes(b"".join(lines(log)) + line + b"\n")
    assert "edited" in kinds(log, public)


def test_a_line_written_in_another_way_is_an_edit_though_its_content_is_signed(log: Path, public: str) -> None:
    found = lines(log)
    log.write_bytes(b"".join(found[:-1]) + json.dumps(json.loads(found[-1])).encode() + b"\n")
    assert "edited" in kinds(log, public)


def test_no_log_is_a_fault_and_an_empty_one_holds_nothing(tmp_path: Path, public: str) -> None:
    report = auditverify.verify(tmp_path / "none.jsonl", public)
    with pytest.raises(QualityGate, match="audit_broken"):
        report.require_sound()
    (tmp_path / "empty.jsonl").touch()
    assert kinds(tmp_path / "empty.jsonl", public) == set()
    assert kinds(tmp_path / "empty.jsonl", public, (Head(1, "a" * 64, "a" * 64),)) == {"truncated"}
    assert audit.line_hash(tmp_path / "none.jsonl", 1) is None
    assert audit.line_hash(tmp_path / "empty.jsonl", 1) is None


def test_faults_are_counted_to_an_end(log: Path, public: str) -> None:
    log.write_bytes(b"x\n" * 300)
    assert len(auditverify.verify(log, public).faults) == auditverify.MOST


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"n":1,"hash":"a","first":"b"}'])
def test_a_damaged_head_is_seen_and_stops_the_next_event(log: Path, key: Key, public: str, text: bytes) -> None:
    audit.head_file(log).write_bytes(text)
    assert kinds(log, public) == {"bad_head"}
    if len(text) < 10:
        with pytest.raises(QualityGate, match="audit_broken"):
            audit.append(log, key, [event(6)])


# The signer process --------------------------------------------------------------------------------------------


def test_the_signer_answers_with_the_head_or_with_an_error_and_never_with_data(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"

    def ask(**change: object) -> dict[str, object]:
        asked = {"log": str(log), "key": str(home / "audit"), "event": event(1), **change}
        return signer.answer(json.dumps(asked))

    assert ask()["n"] == 2
    assert ask(key=str(tmp_path))["code"] == "key_missing"
    for wrong in (ask(event={"bsn": BSN}), ask(event=event(1, register=BSN)), signer.answer(BSN), signer.answer("{")):
        assert wrong["code"] == "internal"
        assert BSN not in json.dumps(wrong)
    assert len(lines(log)) == 2


def test_the_signer_serves_until_nobody_asks(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    asked = json.dumps({"log": str(tmp_path / "a"), "key": str(home / "audit"), "event": event(1)})
    assert signer.serve([asked, asked], sys.stdout) == 2
    assert [json.loads(line)["n"] for line in capsys.readouterr().out.splitlines()] == [2, 3]


def test_the_audit_key_is_one_of_its_own(home: Path) -> None:
    with pytest.raises(KeyUnavailable, match="key_check"):
        keys.load(home / "audit" / "audit.key", "sign")
