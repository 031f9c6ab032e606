"""An agreement that has expired, leaves something out or contradicts itself or another is an error, never a guess."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import agreement as agreements
from schemas.agreement import Agreement
from schemas.common import FALLBACK
from schemas.errors import ConfigError
from schemas.registers import REGISTERS

AGREEMENTS = Path(agreements.__file__).parents[1] / "synthetic" / "agreements"


def content(register: str = "ifzo") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((AGREEMENTS / f"{register}.yaml").read_text(encoding="utf-8"))
    return found


def write(folder: Path, changed: dict[str, Any], name: str = "a.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return path


def columns(**change: Any) -> dict[str, Any]:
    return {**content(), "columns": {**content()["columns"], **change}}


def test_the_sketch_of_the_design_is_read_as_it_stands_there(tmp_path: Path) -> None:
    """registers.md section 9: columns as mappings with class, action, width and top."""
    rules = {
        "skn": {"class": "direct", "action": "pseudonymise"},
        "geboortejaar": {"class": "indirect", "action": "band", "width": 5, "top": 85},
        "titel_code": {"class": "criminal", "action": "keep"},
        "datum_plaatsingsbrief": {"action": "year"},
    }
    found = agreements.load(write(tmp_path, columns(**rules)))
    assert found.action("geboortejaar") == "band"
    assert (found.bands["geboortejaar"].width, found.bands["geboortejaar"].top) == (5, 85)
    assert found.classes == {"skn": "direct", "geboortejaar": "indirect", "titel_code": "criminal"}
    assert found.action("datum_plaatsingsbrief") == "year"
    assert found.lowest("geboortejaar") == 1935  # the band of 1938 = 2023 - 85
    assert (
        agreements.load(write(tmp_path, columns(geboortejaar={"action": "band", "width": 5}))).lowest("geboortejaar")
        is None
    )


@pytest.mark.parametrize(
    "change",
    [
        {"geboortejaar": "band"},  # how wide?
        {"geboortejaar": {"action": "band", "width": 1}},
        {"geboortejaar": {"action": "band", "width": 5, "top": 20}},
        {"geboortejaar": {"action": "keep", "width": 5}},
        {"geboortejaar": {"action": "year"}},  # no date
        {"geboortejaar": {"class": "indirect"}},  # no action
        {"geboortejaar": {"action": "keep", "surprise": 1}},
        {"geboortejaar": {"action": "keep", "class": "direct"}},  # contradicts the register
        {"skn": {"action": "pseudonymise", "class": "indirect"}},
        {"geboortejaar": None},
        {"titel_code": {"action": "band", "width": 5}},  # no number
        {"titel_begin": {"action": "band", "width": 5}},
        {"beveiligingsniveau": {"action": "band", "width": 2, "top": 85}},  # top is for a year of birth
        {"skn": "keep"},
        {"skn": "year"},
        {"skn_soort": "band"},
        {"skn_soort": "year"},
        {"plaatsing_id": "keep"},
        {"titel_code": "pseudonymise"},
        {"titel_code": "encrypt"},
        {"kolom_die_er_niet_is": "keep"},
    ],
)
def test_a_column_rule_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreements.load(write(tmp_path, columns(**change)))


@pytest.mark.parametrize("column", [c.name for c in REGISTERS["ifzo"].columns if c not in FALLBACK])
def test_every_column_must_be_listed(tmp_path: Path, column: str) -> None:
    """But for the direct identifiers of fallback keys: unlisted, they are refused in an extract."""
    changed = content()
    del changed["columns"][column]
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreements.load(write(tmp_path, changed))


@pytest.mark.parametrize(
    "field",
    [
        *("agreement", "source", "supplier", "project", "epoch", "synthetic", "controller", "processor", "purpose"),
        *("basis", "dpia", "valid", "period", "identifier_types", "max_persons", "columns", "outputs", "retention"),
    ],
)
def test_every_part_is_required(tmp_path: Path, field: str) -> None:
    changed = content()
    del changed[field]
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreements.load(write(tmp_path, changed))


@pytest.mark.parametrize(
    "change",
    [
        {"bands": {}},
        {"classes": {"skn": "direct"}},
        {"columns": ["skn"]},
        {"valid": {"from": "2026-01-01", "until": "2025-01-01"}},
        {"period": {"from": "2026-01-01", "until": "2025-01-01"}},
        {"dpia": {"ref": "D", "valid_until": "2019-01-01"}},
        {"dpia": {"ref": "", "valid_until": "2099-01-01"}},
        {"basis": {"avg6": "e"}},
        {"basis": {"avg6": "e", "bsn": "geen", "other": "x"}},
        {"max_persons": 0},
        {"outputs": {"vng_table": {"recipients": [], "retention_days": 1}}},
        {"outputs": {"press_release": {"recipients": ["vng"], "retention_days": 1}}},
        {"outputs": {"vng_table": {"recipients": ["vng"]}}},
        {"outputs": {"vng_table": {"recipients": ["vng"], "retention_days": 1, "geo": "straat"}}},
        {"retention": {"raw_days": 14, "prepseudonym_days": 90}},
        {"retention": {"raw_days": 0, "quarantine_days": 1, "prepseudonym_days": 1, "linked_days": 1}},
        {"synthetic": False},
        {"synthetic": False, "identifier_types": ["NL:BSN", "NL:SKN"]},  # but it has a planted truth
    ],
)
def test_an_agreement_that_contradicts_itself_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreements.load(write(tmp_path, {**content(), **change}))


@pytest.mark.parametrize("day", [dt.date(2025, 12, 31), dt.date(2027, 1, 1), dt.date(2026, 7, 1)])
def test_an_agreement_holds_between_its_dates_and_no_longer_than_its_dpia(tmp_path: Path, day: dt.date) -> None:
    change = {
        "valid": {"from": "2026-01-01", "until": "2026-12-31"},
        "dpia": {"ref": "D", "valid_until": "2026-06-30"},
    }
    found = agreements.load(write(tmp_path, {**content(), **change}))
    for good in (dt.date(2026, 1, 1), dt.date(2026, 6, 30)):
        found.require_valid(good)
    with pytest.raises(ConfigError, match="agreement_expired"):
        found.require_valid(day)


def both(tmp_path: Path, **change: Any) -> dict[str, Agreement]:
    write(tmp_path, content("ifzo"), "ifzo.yaml")
    write(tmp_path, {**content("gmsd"), **change}, "gmsd.yaml")
    return agreements.folder(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"project": "other"},
        {"epoch": "run-2"},
        {"synthetic": False, "identifier_types": ["NL:BSN"], "outputs": {}},
        {"columns": {**content("gmsd")["columns"], "geboortejaar": {"action": "band", "width": 5}}},
    ],
)
def test_agreements_that_contradict_each_other_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    assert set(both(tmp_path)) == {"ifzo", "gmsd"}
    with pytest.raises(ConfigError, match="contradicting_agreements") as caught:
        both(tmp_path, **change)
    assert caught.value.facts["field"] in {*change, "geboortejaar"}


def test_what_one_drops_another_may_band(tmp_path: Path) -> None:
    kept = content("gmsd")["columns"]
    write(tmp_path, columns(geboortejaar={"action": "band", "width": 5}), "ifzo.yaml")
    write(tmp_path, {**content("gmsd"), "columns": {**kept, "geboortejaar": "drop"}}, "gmsd.yaml")
    assert len(agreements.folder(tmp_path)) == 2


def test_an_earlier_text_is_found_by_its_hash(tmp_path: Path) -> None:
    now = agreements.load(write(tmp_path, content(), "ifzo.yaml"))
    before = agreements.load(write(tmp_path, {**content(), "max_persons": 7}, "earlier/ifzo-2025.yaml"))
    assert set(agreements.by_text(tmp_path)) == {now.sha256, before.sha256}
    assert set(agreements.folder(tmp_path)) == {"ifzo"}
    assert agreements.by_text(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("text", [b"a: " * 1_000_000, b"[" * 5_000, b"\xff", b"columns: {a: 1}", b"null", b"x"])
def test_what_is_no_agreement_is_refused_without_its_text(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(text)
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreements.load(tmp_path / "a.yaml")
