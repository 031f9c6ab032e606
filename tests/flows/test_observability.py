"""What a machine that watches the TTP gets: figures, alerts and reports of runs. Counts and names of ours, no data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from flows import alerts, metrics, quality, report, runreport
from flows.settings import ENV, Settings, load
from schemas.errors import DeliveryError, DisclosureRefused, QualityGate, UnsafeFact
from schemas.registers import REGISTERS
from tests.flows.conftest import Site
from tests.flows.test_leaks import country_numbers

BSN = "999990019"  # RvIG test range


@pytest.fixture
def settings(finished: Site, tmp_path: Path) -> Settings:
    """A finished site that may be spoiled."""
    return load(finished.copy(tmp_path / "demo").config)


# Figures -------------------------------------------------------------------------------------------------------


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Read by another program's parser of the format: name and label values -> value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_are_open_metrics_and_say_what_status_says(settings: Settings) -> None:
    found = samples(metrics.text(settings))
    for register in REGISTERS:
        for stage in ("received", "converted", "linked", "estimated", "released"):
            assert found["koppel_deliveries", register, stage] == (2 if register == "gmsd" else 1)
        assert found["koppel_due", register] == 0
        assert found["koppel_rows", register, "accepted"] > 0
    lines = (settings.state / "audit.jsonl").read_bytes().count(b"\n")
    assert found["koppel_audit_lines_total",] == lines
    assert found["koppel_free_bytes",] > 0
    assert {key[1] for key in found if key[0] == "koppel_step_finished_seconds"} == {
        *("link", "estimate", "recipient", "export", "release")
    }
    assert not [key for key in found if key[0] == "koppel_alerts_total"]


def test_before_the_first_run_there_are_figures_too(delivered: Site) -> None:
    found = samples(metrics.text(load(delivered.config)))
    assert found["koppel_due", "ifzo"] == 1
    assert found["koppel_audit_lines_total",] >= 0


def test_every_family_and_label_is_on_the_list(settings: Settings) -> None:
    alerts.alert(settings, "intake", "failed", "replay")
    quality.quality(settings)
    found = {family.name: family for family in text_string_to_metric_families(metrics.text(settings))}
    assert set(found) == {family.name for family in metrics.FAMILIES}
    for family in metrics.FAMILIES:
        assert {tuple(sample.labels) for sample in found[family.name].samples} <= {family.labels}, family.name


def test_a_label_that_is_not_on_the_list_or_may_be_data_is_refused() -> None:
    family = metrics.Family("koppel_x", "x", ("register",))
    with pytest.raises(ValueError, match="labels of koppel_x"):
        list(metrics._family(family, [({"bsn": "x"}, 1)]))
    with pytest.raises(UnsafeFact):
        list(metrics._family(family, [({"register": BSN}, 1)]))


def test_the_command_writes_the_file_whole_for_another_account_to_read(finished: Site, tmp_path: Path) -> None:
    target = tmp_path / "koppel.prom"
    done = finished.koppel("metrics", "--write", str(target))
    assert done.returncode == 0, done.stderr
    assert target.read_text(encoding="utf-8").endswith("# EOF\n")
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["koppel.prom"]
    assert finished.koppel("metrics").stdout.startswith("# TYPE koppel_build info")


# Alerts --------------------------------------------------------------------------------------------------------


def failed(message: str) -> tuple[SimpleNamespace, None, SimpleNamespace]:
    return SimpleNamespace(name="intake"), None, SimpleNamespace(name="Failed", message=message)


def test_a_failed_run_is_written_down_and_told_to_the_operators_command(
    finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook as Prefect calls it, with a message that holds more than it should."""
    site = finished.copy(tmp_path / "demo")
    heard = tmp_path / "heard.json"
    command = [sys.executable, "-c", f"import sys; open({str(heard)!r}, 'w').write(sys.stdin.read())"]
    with site.config.open("a", encoding="utf-8") as file:
        file.write(f"alert_command = {json.dumps(command)}\n")
    monkeypatch.setenv(ENV, str(site.config))
    alerts.hook(*failed(f"Flow run encountered an exception: DeliveryError: replay (register=ifzo) {BSN}"))
    told = json.loads(heard.read_text())
    assert {name: told[name] for name in ("flow", "outcome", "code")} == {
        "flow": "intake",
        "outcome": "failed",
        "code": "replay",
    }
    assert set(told) == {"flow", "outcome", "code", "at"}
    kept = (load(site.config).state / "alerts.jsonl").read_text()
    assert json.loads(kept) == told
    assert BSN not in kept
    assert samples(metrics.text(load(site.config)))["koppel_alerts_total", "intake", "replay"] == 1


def test_an_alert_never_stops_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Site) -> None:
    monkeypatch.setenv(ENV, str(tmp_path / "none.toml"))
    alerts.hook(*failed("anything"))
    settings = load(finished.config).model_copy(update={"home": tmp_path, "alert_command": ("/no/such/program",)})
    monkeypatch.setattr(alerts, "load", lambda: settings)
    alerts.hook(*failed("anything"))
    assert (tmp_path / "state" / "alerts.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Task failed: replay (register=ifzo)", "replay"),
        ("internal (step=link, kind=MemoryError, incident=00ff00): x", ""),
        (f"Conversion Error: could not convert '{BSN}'", ""),
        ("", ""),
    ],
)
def test_of_a_message_only_a_code_of_ours_is_taken(message: str, code: str) -> None:
    from schemas.errors import ADVICE

    assert alerts.code_in(message) in ({code} | ({"internal"} & set(ADVICE)))


def test_names_that_are_not_ours_become_other(tmp_path: Path, finished: Site) -> None:
    settings = load(finished.config).model_copy(update={"home": tmp_path})
    told = alerts.alert(settings, f"flow of {BSN}", "crashed", "")
    assert (told["flow"], told["outcome"], "code" in told) == ("other", "crashed", False)


# Reports of runs -----------------------------------------------------------------------------------------------


def test_a_run_leaves_a_report_with_its_steps(finished: Site) -> None:
    (path,) = sorted((load(finished.config).state / "reports").glob("*.json"))
    told = json.loads(path.read_text(encoding="utf-8"))
    assert (told["outcome"], told["how"]) == ("done", "direct")
    steps = [step["step"] for step in told["steps"]]
    assert sorted(steps[-6:-2]) == ["estimate", "export", "link", "recipient pseudonyms"]  # two at a time
    assert steps[-2:] == ["publish", "upkeep"]
    text = path.read_text(encoding="utf-8")
    assert not [number for number in country_numbers(finished) if number in text]


def test_a_run_that_fails_says_with_what(finished: Site, tmp_path: Path) -> None:
    settings = load(finished.config).model_copy(update={"home": tmp_path})
    report.use(report.Reporter(report.Mode.QUIET))
    with pytest.raises(DeliveryError), runreport.reporting(settings, "direct"):
        raise DeliveryError("replay", register="ifzo")
    with pytest.raises(KeyError), runreport.reporting(settings, "direct"):
        raise KeyError(BSN)
    first, second = (json.loads(p.read_text()) for p in sorted((settings.state / "reports").glob("*.json")))
    assert (first["outcome"], first["code"], first["exit"]) == ("failed", "replay", 11)
    assert (second["outcome"], second["kind"]) == ("failed", "KeyError")
    assert BSN not in json.dumps(second)


def test_old_reports_go(finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runreport, "KEPT", 2)
    settings = load(finished.config).model_copy(update={"home": tmp_path})
    for _ in range(4):
        with runreport.reporting(settings, "direct"):
            pass
    assert len(list((settings.state / "reports").glob("*.json"))) == 2


# Between runs --------------------------------------------------------------------------------------------------


def test_the_monthly_check_counts_rows_files_and_figures(settings: Settings) -> None:
    found = quality.quality(settings)
    assert int(found["rows"]) > 30_000 and int(found["figures"]) > 100 and int(found["files"]) > 50
    assert json.loads((settings.state / "quality.json").read_text())["rows"] == found["rows"]
    assert samples(metrics.text(settings))["koppel_quality", "rows"] == found["rows"]


def test_rows_that_do_not_add_up_stop_the_monthly_check(finished: Site, tmp_path: Path) -> None:
    settings = load(finished.copy(tmp_path / "demo").config)
    path = settings.store / "ifzo" / "0001" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["rows"]["quarantined"] += 1
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(QualityGate, match=r"rows_lost \(register=ifzo"):
        quality.quality(settings)
    assert not (settings.state / "quality.json").exists()


def test_a_canary_anywhere_stops_the_monthly_check(settings: Settings) -> None:
    from pseudonymize import canary

    (settings.state / "note.txt").write_text(canary.of("ifzo")[1].bsn_syn)
    with pytest.raises(DisclosureRefused, match="canary_found"):
        quality.quality(settings)


def test_the_audit_log_is_verified_and_a_changed_line_is_told(settings: Settings) -> None:
    assert int(quality.verify_audit(settings)["events"]) > 20
    path = settings.state / "audit.jsonl"
    path.write_text(path.read_text().replace('"register":"ifzo"', '"register":"gmsd"', 1))
    with pytest.raises(QualityGate, match="audit_broken"):
        quality.verify_audit(settings)
