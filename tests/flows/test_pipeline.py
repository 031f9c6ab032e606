"""The whole pipeline on a small country: same bytes with and without Prefect, resumable, refusing what it must."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import sqlite3
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows import governance, pipeline, resume, steps, work
from flows.settings import load
from schemas.errors import ConfigError, DeliveryError, KoppelError, QualityGate
from schemas.linked import LINKED_TABLES
from schemas.registers import REGISTERS
from schemas.target_group import RUN_TABLES
from tests.flows.conftest import Site


def outputs(site: Site) -> dict[str, str]:
    settings = load(site.config)
    found = {f"linked/{name}": value for name, value in resume.hashes(settings.run / "linked").items()}
    found |= {f"estimated/{name}": value for name, value in resume.hashes(settings.run / "estimated").items()}
    return found | {f"release/{name}": value for name, value in resume.hashes(settings.out).items()}


def test_every_reader_gets_something(finished: Site) -> None:
    out = load(finished.config).out
    for name in (
        "vng/doelgroep_per_gemeente.csv",
        "vng/doelgroep_per_gemeente.xlsx",
        "vng/doelgroep_per_gemeente.parquet",
        "vng/doelgroep_per_regio.csv",
        "vng/doelgroep.html",
        "onderzoek/views.sql",
        "onderzoek/README.md",
        "operator/kwaliteit.html",
        "operator/truth.md",
        "run.json",
    ):
        assert (out / name).stat().st_size > 0, name


def test_linked_tables_are_as_declared(finished: Site) -> None:
    folder = load(finished.config).run / "linked"
    for name, table in {**LINKED_TABLES, **RUN_TABLES}.items():
        assert pq.read_schema(folder / f"{name}.parquet").equals(table.arrow_schema()), name


def test_rows_add_up_at_every_step(finished: Site) -> None:
    settings = load(finished.config)
    for register in REGISTERS:
        for folder in sorted((settings.store / register).glob("[0-9]*")):
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            rows, planted = manifest["rows"], manifest["canaries"]["rows"]
            assert rows["in"] == rows["accepted"] + rows["quarantined"] + rows["out_of_scope"]
            assert pq.read_metadata(folder / "link.parquet").num_rows == rows["accepted"] + planted
            if register != "crosswalk":
                assert pq.read_metadata(folder / "payload.parquet").num_rows == rows["accepted"] + planted
            assert rows["accepted"] > 0


def test_prefect_and_direct_give_the_same_bytes(delivered: Site, finished: Site, tmp_path: Path) -> None:
    """Also shows that Prefect remembers no data: parameters are register names, logs stay local."""
    site = delivered.copy(tmp_path / "demo", port=4311)
    shutil.rmtree(site.ttp / "inbox")
    shutil.copytree(finished.ttp / "inbox", site.ttp / "inbox")  # the same sealed deliveries, gateway's included
    shutil.rmtree(site.ttp / "gateway")
    done = site.koppel("run", "--json")
    assert done.returncode == 0, done.stderr
    assert outputs(site) == outputs(finished)
    database = site.ttp / "prefect" / "prefect.db"
    with sqlite3.connect(database) as connection:
        parameters = {row[0] for row in connection.execute("select parameters from flow_run")}
        states = {row[0] for row in connection.execute("select state_type from flow_run")}
    assert parameters == {json.dumps({"register_name": name}) for name in REGISTERS} | {"{}"}
    assert states == {"COMPLETED"}
    assert stat.S_IMODE(database.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((site.ttp / "prefect").stat().st_mode) == 0o700


def test_a_second_run_does_nothing_again(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    before = outputs(site)
    done = site.koppel("run", "--direct", "--json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    skipped = {line["step"] for line in lines if line.get("skipped")}
    assert {"link", "estimate", "export", "publish"} <= skipped
    assert not [line for line in lines if line["step"].startswith("intake")]
    assert outputs(site) == before


def test_quiet_says_nothing(finished: Site, tmp_path: Path) -> None:
    done = finished.copy(tmp_path / "demo").koppel("run", "--direct", "--quiet")
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize(
    "step", ["convert", "open_payload", "accept", "link", "estimate", "recipient", "export", "release"]
)
def test_a_run_that_dies_is_resumed(
    delivered: Site, finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Kill each step once; the next run completes, with the same counts and nothing half-made left."""
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    shutil.rmtree(settings.home / "runs")
    shutil.rmtree(settings.home / "releases")
    if step in {"convert", "open_payload", "accept"}:
        shutil.rmtree(settings.store)
        shutil.rmtree(settings.state)
    room = steps if hasattr(steps, step) else work
    real = getattr(room, step)

    def die(*arguments: object, **named: object) -> None:
        real(*arguments, **named)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(room, step, die)
        with pytest.raises(KoppelError):
            pipeline.run_direct(settings)
    pipeline.run_direct(settings)
    assert not list(settings.home.rglob("*.part"))
    assert outputs(site) == outputs(finished)


def test_a_replayed_delivery_is_refused(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    shutil.copytree(settings.inbox / "ifzo" / "0001", settings.inbox / "ifzo" / "0002")
    with pytest.raises(DeliveryError) as caught:
        pipeline.intake(settings, "ifzo")
    assert caught.value.code in {"replay", "sequence_mismatch"}


@pytest.mark.parametrize("name", ["identity.age", "payload.age", "manifest.json", "manifest.sig"])
def test_a_changed_delivery_is_refused_before_anything_is_opened(delivered: Site, tmp_path: Path, name: str) -> None:
    site = delivered.copy(tmp_path / "demo")
    settings = load(site.config)
    path = settings.inbox / "ifzo" / "0001" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with pytest.raises(DeliveryError):
        pipeline.intake(settings, "ifzo")
    assert not settings.store.exists()


def test_a_raw_extract_is_refused_where_the_agreement_has_no_gateway(delivered: Site, tmp_path: Path) -> None:
    site = delivered.copy(tmp_path / "demo")
    settings = load(site.config)
    (settings.gateway / "ifzo").mkdir(parents=True)
    (settings.gateway / "ifzo" / "raw.csv").write_text("skn\n", encoding="utf-8")
    with pytest.raises(DeliveryError, match="gateway_refused"):
        pipeline.intake(settings, "ifzo")


def test_the_gateway_leaves_no_raw_extract_behind(delivered: Site, finished: Site) -> None:
    assert list((load(delivered.config).gateway / "reclassering").iterdir())
    assert not list((load(finished.config).gateway / "reclassering").iterdir())


def test_linking_without_a_delivery_says_what_to_do(delivered: Site, tmp_path: Path) -> None:
    site = delivered.copy(tmp_path / "demo")
    with pytest.raises(DeliveryError, match="run its intake first"):
        pipeline.link(load(site.config))


@pytest.mark.parametrize(("made", "code"), [("estimated", "not_estimated"), ("exported", "not_exported")])
def test_nothing_is_published_before_what_it_is_made_of(finished: Site, tmp_path: Path, made: str, code: str) -> None:
    settings = load(finished.copy(tmp_path / "demo").config)
    shutil.rmtree(settings.run / made)
    with pytest.raises(ConfigError, match=code):
        pipeline.publish(settings)


def test_upkeep_notices_a_changed_output_and_deletes_what_is_due(
    finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = finished.copy(tmp_path / "demo")
    settings = load(site.config)
    assert work.upkeep(settings) == {"checked": 4, "deleted": 0}
    later = governance.today() + dt.timedelta(days=91)
    monkeypatch.setattr(governance, "today", lambda: later)
    assert int(work.upkeep(settings)["deleted"]) >= len(REGISTERS)
    assert not list(settings.inbox.glob("*/[0-9]*"))
    (settings.out / "vng" / "doelgroep.html").write_text("x", encoding="utf-8")
    with pytest.raises(QualityGate, match="outputs_changed"):
        work.upkeep(settings)


def test_the_manifest_of_a_run_has_no_clock_and_names_its_inputs(finished: Site) -> None:
    run = json.loads((load(finished.config).out / "run.json").read_text(encoding="utf-8"))
    assert {item["register"] for item in run["inputs"]} == set(REGISTERS)
    for item in run["inputs"]:  # the hash of the agreement stands in both manifests
        text = (load(finished.config).agreements / f"{item['register']}.yaml").read_bytes()
        told = {"id": item["agreement"]["id"], "sha256": hashlib.sha256(text).hexdigest()}
        assert item["agreement"] == run["agreements"][item["register"]] == told
    assert run["synthetic"] is True
    assert len(run["run_id"]) == 12


def test_unused_delivered_fixture_is_pristine(delivered: Site) -> None:
    """Other tests work on copies; if this fails, one of them does not."""
    assert not load(delivered.config).store.exists()
