"""A release of earlier is made again, bit for bit, years of changes later.

What is not as it was then is told before a row is read.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import governance, manifest, pipeline, released, reproduce, reproduce_inputs, resume
from flows.settings import Settings, load
from schemas.errors import ConfigError, DeliveryError, KoppelError, QualityGate
from tests import pages
from tests.flows.conftest import Site


@pytest.fixture
def site(finished: Site, tmp_path: Path) -> Site:
    """A finished site that may be spoiled."""
    return finished.copy(tmp_path / "demo")


@pytest.fixture
def settings(site: Site) -> Settings:
    return load(site.config)


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Other bytes in a file, whatever its mode."""
    data = change(path.read_bytes())
    path.unlink()
    path.write_bytes(data)


def flipped(data: bytes) -> bytes:
    """One bit in the middle is another."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def record(settings: Settings) -> Path:
    (path,) = (settings.state / "manifests" / settings.release).iterdir()
    return path


# Made again ----------------------------------------------------------------------------------------------------


def test_a_release_is_made_again_to_the_bit_after_years_of_changes(site: Site) -> None:
    """Since then: the next period was begun, a delivery came, another is gone from the store, a text was renewed."""
    settings = load(site.config)
    shutil.copytree(settings.store / "ifzo" / "0001", settings.store / "ifzo" / "0002")
    shutil.rmtree(settings.store / "injus_tbs")
    shutil.rmtree(settings.out / "onderzoek")
    shutil.rmtree(settings.run)
    text = settings.agreements / "gmsd.yaml"
    (settings.agreements / "earlier").mkdir()
    shutil.copyfile(text, settings.agreements / "earlier" / "gmsd-1.yaml")
    rewrite(text, lambda data: b"# renewed\n" + data)
    with site.config.open("a", encoding="utf-8") as file:
        file.write('period = "2019H1-2024H1"\nrelease = "demo-2"\nseed = 1\n')
    before = resume.hashes(settings.home)
    (line,) = pages.lines("operator.md", "bash reproduce")
    done = site.koppel(*shlex.split(line)[1:], "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert set(answer["files"].values()) == {"identical"} and answer["identical"] == len(answer["files"]) > 80
    now = resume.hashes(settings.home)
    assert {name for name in {*before, *now} if before.get(name) != now.get(name)} == {
        *("state/audit.jsonl", "state/audit.head", "state/lock")
    }
    assert '"event":"reproduced"' in (settings.state / "audit.jsonl").read_text().splitlines()[-1]
    kept = json.loads(record(settings).read_text())
    assert resume.hashes(site.folder / "again") == kept["outputs"]


def test_a_file_that_is_not_what_it_was_is_named(settings: Settings) -> None:
    kept = released.find(settings, settings.release)
    outputs = dict(kept.outputs)
    del outputs["run.json"]
    outputs |= {"vng/doelgroep.html": "0" * 64, "vng/weg.csv": "0" * 64}
    compared = reproduce.compared(settings, dataclasses.replace(kept, outputs=outputs))
    assert {name: found for name, found in compared.items() if found != "identical"} == {
        "release/run.json": "extra",
        "release/vng/doelgroep.html": "differs",
        "release/vng/weg.csv": "missing",
    }
    with pytest.raises(QualityGate, match=r"not_reproduced \(files=\d+, differ=3"):
        reproduce.require_identical(compared)
    reproduce.require_identical(reproduce.compared(settings, kept))


def test_what_a_killed_reproduction_left_is_gone_before_the_next_release(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds a copy of the store, in which the gate would find canaries."""
    left = reproduce_inputs.scratch(settings)
    shutil.copytree(settings.store, left / "store")
    pipeline.publish(settings)
    assert not left.exists()


def test_a_journal_that_was_lost_does_not_empty_the_record(settings: Settings) -> None:
    before = record(settings).read_bytes()
    (settings.state / "steps" / "recipient.json").unlink()
    (settings.state / "steps" / "link.json").write_text("{")
    pipeline.publish(settings)
    assert record(settings).read_bytes() == before
    record(settings).unlink()
    pipeline.publish(settings)
    kept = released.find(settings, "demo-1")
    assert (kept.linked, kept.recipient_key) == ({}, "")
    assert set(reproduce.compared(settings, kept).values()) == {"identical"}


# Not as it was -------------------------------------------------------------------------------------------------


def refused(settings: Settings, name: str = "demo-1", *, sealed: bool = False) -> KoppelError:
    """The error, with nothing made: linking would be the first to read a row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce, "_make", lambda *_: pytest.fail("a row was read"))
        with pytest.raises(KoppelError) as caught:
            reproduce.reproduce(settings, name, sealed=sealed)
    assert not reproduce_inputs.scratch(settings).exists()
    return caught.value


def told_otherwise(settings: Settings, *way: str | int, value: object) -> KoppelError:
    """What is said when the record of then says something else at this place."""
    path = record(settings)
    content = json.loads(path.read_text())
    place = content
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    resume.write_json(path, content)
    return refused(settings)


PROGRAM: dict[str, tuple[tuple[str, ...], object, str]] = {
    "code": (("run", "code", "linkage"), "0" * 64, "other_code (which=linkage)"),
    "a library": (("run", "versions", "duckdb"), "1.0.0", "other_versions (which=duckdb)"),
    "the plan": (("run", "plan", "sha256"), "0" * 64, "other_plan (expected="),
    "schemas": (("run", "code", "schemas"), "0" * 64, "other_code (which=schemas)"),
    "a newer format": (("run", "format"), 99, f"run_newer (found=99, expected={manifest.FORMAT})"),
    "an older format": (("run", "format"), 1, "other_format (found=1"),
    "what else is told": (("run", "synthetic"), False, "other_manifest (which=synthetic)"),
    "the clerical sample": (("run", "estimation", "sample"), "0" * 64, "other_input (kind=clerical)"),
    "the planted truth": (("truth",), "0" * 64, "other_input (kind=truth)"),
    "what the recipient gets": (("run", "output"), "0" * 64, "text_gone (file=outputs/onderzoek.yaml)"),
    "an agreement": (("run", "agreements", "ifzo", "sha256"), "0" * 64, "text_gone (file=ifzo.yaml)"),
}


@pytest.mark.parametrize("what", PROGRAM)
def test_another_program_or_text_than_then_is_refused_with_its_name(settings: Settings, what: str) -> None:
    way, value, expected = PROGRAM[what]
    error = told_otherwise(settings, *way, value=value)
    assert isinstance(error, ConfigError) and str(error).startswith(expected), error


def test_one_changed_byte_of_a_delivery_is_told_and_the_sealed_one_serves(settings: Settings) -> None:
    stored = settings.store / "injus_tbs" / "0001"
    for name in ("payload.parquet", "link.parquet", "manifest.json"):
        good = (stored / name).read_bytes()
        rewrite(stored / name, flipped if name != "manifest.json" else lambda data: data + b" ")
        error = refused(settings)
        assert isinstance(error, DeliveryError)
        assert str(error).startswith(f"input_differs (file={name}, register=injus_tbs, sequence=1)"), error
        rewrite(stored / name, lambda _, good=good: good)  # type: ignore[misc]
    (stored / "payload.parquet").unlink()
    assert str(refused(settings)).startswith("input_gone (file=payload.parquet, register=injus_tbs")


def test_a_delivery_that_is_nowhere_is_named(settings: Settings) -> None:
    shutil.rmtree(settings.store / "injus_tbs")
    shutil.rmtree(settings.inbox / "injus_tbs")
    assert str(refused(settings)).startswith("input_gone (register=injus_tbs, sequence=1)")


def test_a_changed_sealed_delivery_is_not_opened(settings: Settings) -> None:
    shutil.rmtree(settings.store / "injus_tbs")
    rewrite(settings.inbox / "injus_tbs" / "0001" / "payload.age", flipped)
    assert refused(settings).code == "bad_hash"


def test_a_log_that_was_changed_is_not_believed(settings: Settings) -> None:
    path = settings.state / "audit.jsonl"
    rewrite(path, lambda data: data.replace(b'"register":"ifzo"', b'"register":"gmsd"', 1))
    assert refused(settings).code == "audit_broken"


def test_what_holds_today_must_allow_it_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governance, "today", lambda: dt.date(9999, 1, 1))
    assert refused(settings).code == "agreement_expired"


def test_a_run_nobody_knows_a_damaged_record_and_a_folder_in_use(settings: Settings, tmp_path: Path) -> None:
    path = record(settings)
    assert released.find(settings, path.stem) == released.find(settings, "demo-1")
    assert str(refused(settings, "demo-9")).startswith("unknown_run (found=1)")
    with pytest.raises(ConfigError, match="output_exists"):
        reproduce.reproduce(settings, "demo-1", out=tmp_path)
    other = path.with_name("000000000000.json")
    shutil.copyfile(path, other)
    assert released.find(settings, "demo-1").run["run_id"] == path.stem  # the one that stands
    shutil.rmtree(settings.out)
    assert refused(settings).code == "unknown_run"  # two of that name: by id
    content = json.loads(path.read_text())
    for damaged in ("[]", "{", json.dumps({**content, "outputs": {}})):
        path.write_text(damaged)
        assert refused(settings, path.stem).code == "bad_record"


def test_the_command_tells_in_one_line_and_by_exit_code(site: Site) -> None:
    settings = load(site.config)
    path = record(settings)
    path.write_text(path.read_text().replace(manifest.code()["release"], "0" * 64))
    done = site.koppel("reproduce", "demo-1")
    assert done.returncode == ConfigError.exit_code
    assert done.stderr == f"koppel: {ConfigError('other_code', which='release')}\n"


def test_which_code_computed_the_pseudonyms_is_told_and_decides_nothing(settings: Settings) -> None:
    """Another machine, with or without the compiled kernel: the same run, and what was told then is told again."""
    run = manifest.run_manifest(settings)
    steps = [one[step] for one in run["computed"] for step in ("source", "converter")]
    assert len(run["computed"]) == len(run["inputs"]) > 5
    assert {how["hmac"] for how in steps} <= {"fast", "reference"} and all(how["fallback"] for how in steps)
    page = (settings.out / "operator" / "kwaliteit.md").read_text(encoding="utf-8")
    assert len(re.findall(r"\| (?:bron|omzetting) \| (?:snel|referentie) \|", page)) == len(steps)
    told = settings.store / "ifzo" / "0001" / manifest.COMPUTED
    other = {"hmac": "reference", "fallback": "sample_differed"}
    rewrite(told, lambda _: json.dumps(other).encode())
    changed = manifest.run_manifest(settings)
    assert changed["run_id"] == run["run_id"] and changed["computed"] != run["computed"]
    reproduce_inputs._computed(settings, released.find(settings, settings.release))
    assert manifest.run_manifest(settings) == run
