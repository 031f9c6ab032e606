"""An anchor with somebody outside shows what a receipt shows: a log cut off, or written anew, with the real key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flows.cli import app
from pseudonymize import anchor, audit, auditpaths
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.keys import Key
from schemas.errors import ConfigError, KoppelError, QualityGate

STEP: audit.Event = {"event": "linked", "who": "linker", "why": "plan"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("anchor") / "keys"
    create_demo_keys(made, [], [], "demo", "epoch-1")
    return made


@pytest.fixture
def key(home: Path) -> Key:
    return audit.load_key(home / "audit")


@pytest.fixture
def log(tmp_path: Path, key: Key) -> Path:
    path = tmp_path / "audit.jsonl"
    for rows in range(4):
        audit.append(path, key, [{**STEP, "rows": rows}])
    return path


def faults(log: Path, home: Path, *anchors: Path) -> list[str]:
    report, counts = auditpaths.verify(log, home / "public", anchors=anchors)
    assert counts["anchors"] <= len(anchors)
    return [fault.kind for fault in report.faults]


def test_a_log_that_grew_still_holds_its_anchors(log: Path, home: Path, key: Key, tmp_path: Path) -> None:
    told = auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    audit.append(log, key, [STEP])
    auditpaths.deposit(log, home / "public", tmp_path / "b.json")
    assert told["line"] == 5 and told["hash"] == audit.line_hash(log, 5)
    assert faults(log, home, tmp_path / "a.json", tmp_path / "b.json") == []


def test_it_holds_a_number_hashes_and_a_signature_and_is_small(log: Path, home: Path, tmp_path: Path) -> None:
    told = auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    text = (tmp_path / "a.json").read_bytes()
    content = json.loads(text)
    assert len(text) < 512
    assert set(content) == {"format", "head", "key"}
    assert set(content["head"]) == {"n", "hash", "first", "sig"}
    assert told["sha256"] == audit.sha256(text)  # what a time-stamping authority gets to see


def test_a_log_cut_off_with_its_head_put_back_is_found(log: Path, home: Path, key: Key, tmp_path: Path) -> None:
    """The one case the log and its head cannot show by themselves."""
    for name in ("audit.jsonl", "audit.head"):
        shutil.copy(tmp_path / name, tmp_path / f"{name}.before")
    audit.append(log, key, [{**STEP, "event": "refused", "code": "replay"}])
    auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    for name in ("audit.jsonl", "audit.head"):
        shutil.copy(tmp_path / f"{name}.before", tmp_path / name)
    assert faults(log, home) == []
    assert faults(log, home, tmp_path / "a.json") == ["truncated"]


def test_a_chain_written_anew_with_the_real_key_is_found(log: Path, home: Path, key: Key, tmp_path: Path) -> None:
    auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    for name in ("audit.jsonl", "audit.head"):
        (tmp_path / name).unlink()
    for rows in (7, 8, 9, 10, 11):
        audit.append(log, key, [{**STEP, "rows": rows}])
    assert faults(log, home) == []
    assert faults(log, home, tmp_path / "a.json") == ["rewritten"]


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[1]", b'{"format":"koppelpunt/audit-anchor/1","head":null,"key":""}', b"\xff" * 9, b"x" * 9000],
)
def test_what_is_no_anchor_is_a_fault(log: Path, home: Path, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.json").write_bytes(text)
    assert faults(log, home, tmp_path / "a.json") == ["bad_anchor"]
    assert faults(log, home, tmp_path / "none.json") == ["bad_anchor"]


@pytest.mark.parametrize("change", [{"n": 3}, {"hash": "0" * 64}, {"first": "0" * 64}, {"sig": "00" * 64}, {"n": "x"}])
def test_an_anchor_that_was_changed_is_a_fault(
    log: Path, home: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_bytes())
    content["head"] |= change
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="ascii")
    assert faults(log, home, tmp_path / "a.json") == ["bad_anchor"]


def test_an_anchor_of_another_log_under_the_same_key_does_not_pass(
    log: Path, home: Path, key: Key, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "audit.jsonl"
    for rows in (1, 2):
        audit.append(other, key, [{**STEP, "rows": rows}])
    auditpaths.deposit(other, home / "public", tmp_path / "a.json")
    assert faults(log, home, tmp_path / "a.json") == ["rewritten"]


def test_a_log_that_does_not_verify_is_not_anchored(log: Path, home: Path, tmp_path: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"rows":2', b'"rows":3'))
    with pytest.raises(QualityGate, match="audit_broken"):
        auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    log.write_bytes(b"")
    (tmp_path / "audit.head").unlink()
    with pytest.raises(QualityGate, match="audit_broken"):
        auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_an_anchor_is_never_written_over(log: Path, home: Path, tmp_path: Path) -> None:
    auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    with pytest.raises(ConfigError, match="output_exists"):
        auditpaths.deposit(log, home / "public", tmp_path / "a.json")
    assert anchor.read(tmp_path / "a.json", "00" * 32) is None


def test_both_commands(log: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As docs/audit.md writes them, on copies and without settings."""
    public, out = ("--public", str(home / "public")), str(tmp_path / "a.json")
    app(["audit", "anchor", str(log), *public, "--out", out, "--json"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["line"] == 5
    app(
        ["audit", "verify", str(log), *public, "--anchor", out, "--anchor", out, "--json"], result_action="return_value"
    )
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sound"], answer["anchors"], answer["heads_checked"]) == (True, 2, 3)
    (tmp_path / "a.json").write_text("{}", encoding="ascii")
    with pytest.raises(KoppelError, match="audit_broken"):
        app(["audit", "verify", str(log), *public, "--anchor", out, "--json"], result_action="return_value")
