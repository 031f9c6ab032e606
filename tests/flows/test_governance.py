"""Agreements at work in a run: nothing is read, linked or published against one, and retention is carried out."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import governance, pipeline, retention, steps, work
from flows.settings import Settings, load
from pseudonymize import auditpaths
from schemas.errors import ConfigError
from schemas.registers import REGISTERS
from tests.flows.conftest import Site


@pytest.fixture
def site(finished: Site, tmp_path: Path) -> Site:
    """A finished run, to change."""
    return finished.copy(tmp_path / "demo")


def change(settings: Settings, register: str, **more: Any) -> None:
    """Another text of an agreement, in force from now on."""
    path = settings.agreements / f"{register}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**content, **more}), encoding="utf-8")


def signed_again(settings: Settings, register: str, **more: Any) -> None:
    """The same change, as if every delivery in the store had been made under that text."""
    change(settings, register, **more)
    sha256 = governance.texts(settings)[register]["sha256"]
    for path in (settings.store / register).glob("*/manifest.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        content["agreement"]["sha256"] = sha256
        path.write_text(json.dumps(content), encoding="utf-8")


EXPIRED = {"valid": {"from": dt.date(2020, 1, 1), "until": dt.date(2021, 1, 1)}}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (EXPIRED, "agreement_expired"),
        ({"dpia": {"ref": "D", "valid_until": dt.date(2021, 1, 1)}}, "agreement_expired"),
        ({"project": "other"}, "contradicting_agreements"),
        ({"columns": {"skn": "pseudonymise"}}, "bad_agreement"),
        ({"surprise": 1}, "bad_agreement"),
    ],
)
@pytest.mark.parametrize("about", ["reclassering", "gmsd"])
def test_no_row_is_read_when_an_agreement_does_not_hold(  # noqa: PLR0917 - three fixtures and three parameters
    delivered: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], code: str, about: str
) -> None:
    """Also when it is another register's: agreements are judged together."""
    settings = load(delivered.copy(tmp_path / "demo").config)
    change(settings, about, **more)
    monkeypatch.setattr("flows.rooms.pseudonymize", lambda *_: pytest.fail("a process was started"))
    with pytest.raises(ConfigError, match=code):
        steps.gateway(settings, "reclassering")
    with pytest.raises(ConfigError, match=code):
        steps.verify(settings, "ifzo")
    assert len(list((settings.gateway / "reclassering").iterdir())) == 1
    assert not settings.store.exists()


def test_nothing_is_linked_or_published_under_an_agreement_that_has_expired(site: Site) -> None:
    settings = load(site.config)
    signed_again(settings, "ifzo", **EXPIRED)
    for step in (work.link, work.recipient, work.release):
        with pytest.raises(ConfigError, match="agreement_expired"):
            step(settings)


def output(**more: Any) -> dict[str, Any]:
    base = {"recipients": ["vng"], "retention_days": 10, "min_cell": 10, "round": 5, "geo": "gemeente"}
    return {**base, **more}


def others(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((settings.agreements / "ifzo.yaml").read_text(encoding="utf-8"))["outputs"]
    return found


@pytest.mark.parametrize(
    ("vng", "field"),
    [
        (None, "outputs"),
        (output(recipients=["rijk"]), "recipients"),
        (output(geo="provincie"), "geo"),
        (output(min_cell=25), "min_cell"),
        (output(round=10), "round"),
        (output(complementary=True), "complementary"),
    ],
)
def test_one_agreement_that_forbids_an_output_stops_the_release(site: Site, vng: Any, field: str) -> None:
    settings = load(site.config)
    made = {name: rule for name, rule in others(settings).items() if name != "vng_table"}
    signed_again(settings, "ifzo", outputs={**made, **({"vng_table": vng} if vng else {})})
    shutil.rmtree(settings.out)
    with pytest.raises(ConfigError, match="output_not_agreed") as caught:
        pipeline.publish(settings)
    assert caught.value.facts == {"agreement": "GLO-IFZO-SYN-01", "kind": "vng_table", "field": field}
    assert not settings.out.exists()
    last = json.loads((settings.state / "audit.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["code"]) == ("refused", "output_not_agreed")


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"recipients": ["ministerie"], "retention_days": 1}, "recipients"),
        ({"recipients": ["onderzoek"], "domain": "ministerie", "retention_days": 1}, "domain"),
    ],
)
def test_another_recipient_or_domain_gets_nothing(site: Site, rule: dict[str, Any], field: str) -> None:
    settings = load(site.config)
    signed_again(settings, "gmsd", outputs={**others(settings), "research_parquet": rule})
    with pytest.raises(ConfigError, match=f"field={field}"):
        work.recipient(settings)


@pytest.mark.parametrize("register", ["ifzo", "gmsd"])
def test_a_folder_that_one_register_does_not_allow_stops_before_a_row_is_read(site: Site, register: str) -> None:
    settings = load(site.config)
    more = {name: rule for name, rule in others(settings).items() if name != "research_parquet"}
    signed_again(settings, register, outputs=more)
    for step in (lambda: steps.verify(settings, "injus"), lambda: work.link(settings)):
        with pytest.raises(ConfigError, match=r"contradicting_agreements.*OUT-ONDERZOEK-SYN-01.*field=outputs"):
            step()


def test_an_output_file_is_named_after_its_recipient(site: Site) -> None:
    settings = load(site.config)
    folder = settings.agreements / "outputs"
    shutil.copy(folder / "onderzoek.yaml", folder / "ministerie.yaml")
    with pytest.raises(ConfigError, match="bad_output"):
        work.link(settings)


def test_a_recipient_of_the_settings_that_no_agreement_names_gets_nothing(site: Site) -> None:
    settings = load(site.config).model_copy(update={"recipient": "gemeente"})
    with pytest.raises(ConfigError, match="output_not_agreed"):
        work.recipient(settings)


def test_data_stay_under_the_text_they_were_signed_for(site: Site) -> None:
    """The operator cannot widen an agreement afterwards: the supplier signed for a hash."""
    settings = load(site.config)
    before = (settings.agreements / "ifzo.yaml").read_bytes()
    change(settings, "ifzo", max_persons=7)
    with pytest.raises(ConfigError, match="agreement_mismatch"):
        work.link(settings)
    (settings.agreements / "earlier").mkdir()
    (settings.agreements / "earlier" / "ifzo-1.yaml").write_bytes(before)  # the older text is kept: both must allow
    assert len(governance.require_outputs(settings)) == len(REGISTERS) + 1
    (settings.agreements / "crosswalk.yaml").unlink()
    with pytest.raises(ConfigError, match="unknown_agreement"):
        work.link(settings)


def test_a_synthetic_truth_is_published_only_in_a_synthetic_run(site: Site) -> None:
    settings = load(site.config)
    assert [made.kind for made in governance.outputs(settings)] == list(governance.OUTPUTS)
    assert len(governance.outputs(settings.model_copy(update={"truth": None}))) == 3


# Retention -----------------------------------------------------------------------------------------------------


def days_of(settings: Settings) -> list[dt.date]:
    """When each thing came in; midnight may have passed while the site was made, or since."""
    return sorted(one.since for one in retention.due(settings, dt.date(9000, 1, 1))) or [governance.today()]


def retain(settings: Settings, days: int, *, dry_run: bool = False, of: int = -1) -> dict[str, Any]:
    """So many days after the last thing came in; `of=0`: after the first."""
    day = days_of(settings)[of] + dt.timedelta(days=days)
    return retention.retain(settings, steps.log(settings), day, dry_run=dry_run)


def certificate(settings: Settings, number: int) -> list[dict[str, Any]]:
    path = settings.home / "certificates" / f"certificate-{number:04d}.json"
    items: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["items"]
    return items


def test_nothing_is_due_on_the_last_day_of_a_term_and_everything_on_the_next(site: Site) -> None:
    settings = load(site.config)
    sealed = len(list(settings.inbox.glob("*/[0-9]*")))
    lists = len(list(settings.inbox.glob("*/quarantaine-*.csv")))
    assert retain(settings, 14, dry_run=True, of=0)["classes"] == {}
    assert retain(settings, 15, dry_run=True)["classes"] == {"quarantine": lists}
    assert retain(settings, 90, dry_run=True, of=0)["classes"] == {"quarantine": lists}
    assert retain(settings, 91, dry_run=True)["classes"] == {"prepseudonym": sealed, "quarantine": lists}
    everything = retain(settings, 4000, dry_run=True)["classes"]
    assert set(everything) == {
        *("linked", "operator_report", "prepseudonym", "quarantine", "research_parquet", "vng_table")
    }
    assert len(list(settings.inbox.glob("*/[0-9]*"))) == sealed  # a dry run deletes nothing
    assert not (settings.home / "certificates").exists()


def test_what_is_due_is_deleted_and_certified_in_hashes_and_counts(site: Site) -> None:
    settings = load(site.config)
    due = retain(settings, 91, dry_run=True)
    done = retain(settings, 91)
    assert done["deleted"] == due["due"] == len(certificate(settings, 1))
    assert not list(settings.inbox.glob("*/[0-9]*"))
    assert list(settings.store.glob("*/[0-9]*"))  # linked microdata have a longer term
    one = next(item for item in certificate(settings, 1) if item["register"] == "ifzo" and item["sequence"] == 1)
    assert (one["kind"], one["files"], one["days"], one["agreement"]) == ("prepseudonym", 4, 90, "GLO-IFZO-SYN-01")
    assert set(one) == {
        *("kind", "register", "sequence", "agreement", "days", "since", "files", "bytes", "sha256"),
    }
    where = (
        settings.state / "audit.jsonl",
        settings.keys / "public",
        settings.receipts,
        settings.home / "certificates",
    )
    report, counts = auditpaths.verify(*where)
    assert (report.sound, report.counts["deleted"], counts["certificates"]) == (True, 1, 1)
    assert retain(settings, 91) == {"due": 0, "classes": {}, "deleted": 0}


def test_a_number_that_was_deleted_is_still_no_number_to_deliver_again(site: Site, finished: Site) -> None:
    settings = load(site.config)
    retain(settings, 91)
    shutil.copytree(load(finished.config).inbox / "ifzo" / "0001", settings.inbox / "ifzo" / "0001")
    assert pipeline.intake(settings, "ifzo") == 0  # known: not taken in twice


def test_a_raw_extract_that_stayed_behind_goes_too(site: Site) -> None:
    settings = load(site.config)
    left = settings.gateway / "reclassering" / "vergeten 999990019.csv"
    left.write_text("skn\n", encoding="utf-8")
    assert retain(settings, 15)["classes"]["raw"] == 1
    assert not left.exists()
    text = (settings.home / "certificates" / "certificate-0001.json").read_text(encoding="utf-8")
    assert "vergeten" not in text and "999990019" not in text


def test_linked_data_go_with_the_shortest_term_and_the_next_run_starts_anew(site: Site) -> None:
    settings = load(site.config)
    retain(settings, 366)
    assert not list(settings.store.glob("*/[0-9]*"))
    assert not list(settings.run.iterdir())
    assert not (settings.out / "onderzoek").exists()
    assert (settings.out / "vng").exists()  # ten years
    assert not (settings.state / "steps" / "link.json").exists()
    assert work.upkeep(settings)["checked"] == 0


def test_a_crash_between_deletion_and_certificate_is_made_good(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(site.config)
    due = retain(settings, 91, dry_run=True)["due"]
    with monkeypatch.context() as patch:
        patch.setattr(retention, "_certify", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            retain(settings, 91)
    assert not list(settings.inbox.glob("*/[0-9]*"))
    assert not (settings.home / "certificates").exists()
    assert retain(settings, 91)["deleted"] == due == len(certificate(settings, 1))
    assert retain(settings, 91)["deleted"] == 0


def test_a_crash_halfway_the_deletion_certifies_each_thing_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(site.config)
    due = retain(settings, 91, dry_run=True)["due"]
    real, calls = retention._delete, []

    def die(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_delete", die)
        with pytest.raises(MemoryError):
            retain(settings, 91)
    assert retain(settings, 91)["deleted"] == due
    assert not list(settings.inbox.glob("*/[0-9]*"))


def test_what_nobody_agreed_on_is_not_deleted_in_silence(site: Site) -> None:
    settings = load(site.config)
    (settings.gateway / "kadaster").mkdir()
    (settings.gateway / "kadaster" / "a.csv").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown_agreement"):
        retain(settings, 1)


def test_without_agreements_nothing_shared_is_due(site: Site, tmp_path: Path) -> None:
    settings = load(site.config)
    assert list(retention._shared(settings, {})) == []


def test_the_verb_shows_what_is_due_and_deletes_it(site: Site) -> None:
    done = site.koppel("retain", "--dry-run")
    assert done.returncode == 0, done.stderr
    settings = load(site.config)
    signed_again(
        settings,
        "ifzo",
        retention={"raw_days": 1, "quarantine_days": 1, "prepseudonym_days": 1, "linked_days": 1},
    )
    old = settings.inbox / "ifzo" / "quarantaine-0001.csv"
    import os

    os.utime(old, (0, 0))
    done = site.koppel("retain", "--json")
    assert json.loads(done.stdout)["classes"] == {"quarantine": 1}
    assert not old.exists()
