"""Every step of a run leaves a signed event, refusals too; the log verifies offline and can hold no data."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from flows import logs, pipeline, steps
from flows.logs import EventLog
from flows.settings import load
from pseudonymize import auditpaths
from pseudonymize.ceremony import create_demo_keys
from schemas.errors import DeliveryError, Internal, KeyUnavailable, KoppelError, QualityGate, UnsafeFact
from schemas.registers import REGISTERS
from tests.flows.conftest import Site
from tests.flows.leaks import scan

BSN = "999990019"  # RvIG test range


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("k") / "keys"
    create_demo_keys(home, [], [], "demo", "epoch-1")
    return home


@pytest.fixture
def log(tmp_path: Path, keys: Path) -> EventLog:
    return EventLog(tmp_path / "state" / "audit.jsonl", keys / "audit")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_event_stands_when_the_call_returns(log: EventLog, keys: Path) -> None:
    heads = [log.event("staged", who="linker", why="plan", register=name, rows=3) for name in ("injus", "gmsd")]
    assert [head["n"] for head in heads] == [2, 3]
    assert [line["event"] for line in lines(log.path)] == ["log_opened", "staged", "staged"]
    report, _ = auditpaths.verify(log.path, keys / "public")
    assert (report.sound, report.head) == (True, heads[-1]["hash"])


def test_a_field_outside_the_allow_list_or_data_in_an_allowed_one_is_refused(log: EventLog) -> None:
    with pytest.raises(Internal):
        log.event("staged", who="linker", why="plan", bsn=1)
    for value in (BSN, "een vrije tekst, met \u20ac", f"x {BSN}"):
        with pytest.raises(UnsafeFact):
            log.event("staged", who="linker", why="plan", register=value)
    assert not log.path.exists()


def test_no_key_no_event_no_step(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="key_missing"):
        EventLog(tmp_path / "a.jsonl", tmp_path).event("staged", who="linker", why="plan")


def test_a_signer_that_died_is_started_again(log: EventLog) -> None:
    log.event("staged", who="linker", why="plan")
    process = logs._SIGNER._process
    assert process is not None
    process.kill()
    process.wait()
    assert log.event("staged", who="linker", why="plan")["n"] == 3
    logs._SIGNER.close()
    assert log.event("staged", who="linker", why="plan")["n"] == 4
    logs._SIGNER.close()


def test_a_signer_that_does_not_answer_stops_the_step(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs._Signer, "_once", lambda *_: "")
    with pytest.raises(Internal, match="audit"):
        log.event("staged", who="linker", why="plan")


def test_a_signer_that_is_gone_while_written_to_is_noticed(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = logs._Signer()
    signer._running().kill()
    signer._running().wait()

    class Dead:
        stdin = stdout = None

    log.event("staged", who="linker", why="plan")
    process = signer._running()
    process.stdin.close()  # type: ignore[union-attr]
    monkeypatch.setattr(signer, "_running", lambda: process)
    with pytest.raises(ValueError, match="closed"):
        signer._once("x\n")
    process.wait()


def test_what_stops_a_step_is_told_once_with_its_code_and_never_its_text(log: EventLog) -> None:
    def refuse() -> None:
        with log.watching("verify", who="acceptor", why="GLO", register="injus"):
            raise DeliveryError("sequence_gap", register="injus", sequence=3, missing=2)

    with pytest.raises(DeliveryError), log.watching("outer", who="operator", why="GLO"):
        refuse()
    with pytest.raises(ValueError, match=BSN), log.watching("link", who="linker", why="plan"):
        raise ValueError(f"row with {BSN}")
    refused, failed = lines(log.path)[1:]
    assert (refused["event"], refused["code"], refused["step"], refused["sequence"], refused["missing"]) == (
        "refused",
        "sequence_gap",
        "verify",
        3,
        2,
    )
    assert (failed["event"], failed["kind"], failed["step"]) == ("failed", "ValueError", "link")
    assert BSN not in log.path.read_text(encoding="utf-8")


def test_a_log_that_cannot_be_written_does_not_hide_why_the_step_stopped(tmp_path: Path) -> None:
    nowhere = EventLog(tmp_path / "a.jsonl", tmp_path / "no-key")
    with pytest.raises(DeliveryError, match="replay"), nowhere.watching("verify", who="acceptor", why="GLO"):
        raise DeliveryError("replay")


# A whole run ---------------------------------------------------------------------------------------------------


def test_a_run_leaves_an_event_per_step_that_says_who_what_when_and_why(finished: Site) -> None:
    found = lines(load(finished.config).state / "audit.jsonl")
    counts = Counter(line["event"] for line in found)
    deliveries = counts["accepted"]
    assert deliveries >= len(REGISTERS)
    assert counts["verified"] == counts["converted"] == deliveries
    assert counts["opened"] == deliveries - 1  # the crosswalk has no payload
    for once in ("log_opened", "keys_created", "linked", "recipient_converted", "exported", "released", "upkeep"):
        assert counts[once] == 1, once
    assert counts["gateway_delivered"] == 1
    assert all({"who", "what", "why", "at", "account"} - set(line) == {"what"} for line in found)
    assert {line["why"] for line in found if line["event"] == "accepted"} == {
        f"GLO-{name.upper().replace('_', '-')}-SYN-01" for name in REGISTERS
    }
    roles = {"converted": "converter", "opened": "linker", "accepted": "acceptor", "linked": "linker"}
    assert all(line["who"] == roles[str(line["event"])] for line in found if line["event"] in roles)


def test_the_log_of_a_run_verifies_offline_on_copies_with_public_keys_alone(finished: Site, tmp_path: Path) -> None:
    settings = load(finished.config)
    for name in ("audit.jsonl", "audit.head"):
        shutil.copy(settings.state / name, tmp_path / name)
    shutil.copytree(settings.keys / "public", tmp_path / "public")
    shutil.copytree(settings.receipts, tmp_path / "receipts")
    arguments = ("audit", "verify", str(tmp_path / "audit.jsonl"), "--public", str(tmp_path / "public"))
    done = finished.koppel(*arguments, "--receipts", str(tmp_path / "receipts"), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["sound"], answer["faults"]) == (True, [])
    assert answer["receipts"] == answer["counts"]["accepted"]
    cut = (tmp_path / "audit.jsonl").read_text().splitlines(keepends=True)[:-9]
    (tmp_path / "audit.jsonl").write_text("".join(cut))
    done = finished.koppel(*arguments, "--json")
    assert done.returncode == 13
    assert json.loads(done.stdout)["faults"] == [{"kind": "truncated", "line": len(cut)}]


def test_the_command_finds_the_log_by_its_settings_and_shows_text(finished: Site) -> None:
    done = finished.koppel("audit", "verify")
    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout and "none" in done.stdout


def test_a_supplier_checks_and_countersigns_its_receipt(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    folder, public = load(site.config).receipts / "ifzo" / "0001", site.folder / "keys" / "public"
    done = site.koppel("audit", "receipt", str(folder), "--public", str(public), "--json")
    assert json.loads(done.stdout)["countersigned"] is False
    own = str(site.folder / "keys" / "suppliers" / "dji")
    done = site.koppel("audit", "countersign", str(folder), "--keys", own, "--public", str(public), "--json")
    assert json.loads(done.stdout)["countersigned"] is True
    done = site.koppel("audit", "verify", "--json")
    assert json.loads(done.stdout)["countersigned"] == 1


def test_the_log_and_the_receipts_hold_no_number(finished: Site, tmp_path: Path) -> None:
    from tests.flows.test_leaks import country_numbers

    settings = load(finished.config)
    shutil.copytree(settings.receipts, tmp_path / "receipts")
    shutil.copy(settings.state / "audit.jsonl", tmp_path / "audit.jsonl")
    assert scan(tmp_path, country_numbers(finished)) == []


def test_a_refused_delivery_leaves_an_event_and_a_log_that_still_verifies(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    shutil.copytree(settings.inbox / "ifzo" / "0001", settings.inbox / "ifzo" / "0002")
    with pytest.raises(DeliveryError, match="replay"):
        pipeline.intake(settings, "ifzo")
    last = lines(settings.state / "audit.jsonl")[-1]
    assert (last["event"], last["step"], last["code"], last["register"]) == ("refused", "verify", "replay", "ifzo")
    assert last["why"] == "GLO-IFZO-SYN-01"
    assert auditpaths.verify(settings.state / "audit.jsonl", settings.keys / "public", settings.receipts)[0].sound


def test_a_probe_at_the_gateway_is_refused_and_audited(delivered: Site, tmp_path: Path) -> None:
    site = delivered.copy(tmp_path / "demo")
    settings = load(site.config)
    path = settings.agreements / "reclassering.yaml"
    text = path.read_text(encoding="utf-8")
    assert "max_persons: 6000000" in text
    path.write_text(text.replace("max_persons: 6000000", "max_persons: 5"), encoding="utf-8")
    with pytest.raises(DeliveryError, match="too_many_persons"):
        pipeline.intake(settings, "reclassering")
    last = lines(settings.state / "audit.jsonl")[-1]
    assert (last["event"], last["step"], last["code"], last["maximum"]) == (
        "refused",
        "gateway",
        "too_many_persons",
        5,
    )
    assert not list((settings.inbox / "reclassering").glob("[0-9]*"))


def test_a_step_that_fails_is_audited_by_kind_alone(
    finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    shutil.rmtree(settings.run)

    def fail(*_: object, **__: object) -> None:
        raise ValueError(BSN)

    monkeypatch.setattr("flows.work.link_deliveries", fail)
    with pytest.raises(KoppelError):
        pipeline.link(settings)
    last = lines(settings.state / "audit.jsonl")[-1]
    assert (last["event"], last["step"], last["kind"]) == ("failed", "link", "ValueError")
    assert BSN not in (settings.state / "audit.jsonl").read_text()


def test_a_log_that_was_cut_off_stops_the_next_step(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    path = settings.state / "audit.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))
    with pytest.raises(QualityGate, match="audit_broken"):
        pipeline.upkeep(settings)


def test_why_is_told_even_without_an_agreement(delivered: Site, tmp_path: Path) -> None:
    site = delivered.copy(tmp_path / "demo")
    settings = load(site.config)
    (settings.agreements / "ifzo.yaml").unlink()
    assert steps.why(settings, "ifzo") == "no agreement"
    with pytest.raises(KoppelError, match="unknown_agreement"):
        pipeline.intake(settings, "ifzo")
    assert lines(settings.state / "audit.jsonl")[-1]["why"] == "no agreement"
