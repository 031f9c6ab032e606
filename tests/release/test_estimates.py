"""The room that shows estimates refuses what should not be shown, and tells counted and modelled apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from estimation import estimate
from estimation.estimate import Choices
from release.estimates import Estimates, section
from schemas.errors import DisclosureRefused
from schemas.estimates import SCHATTINGEN
from tests.estimation import linked

ROW: dict[str, Any] = {
    "niveau": "gemeente",
    "code": "0363",
    "periode": "2022",
    "soort": "GEBRUIK",
    "groep": "ALLE",
    "maanden": 6,
    "naam": "Amsterdam",
    "schatting": 40,
    "laag": 30,
    "hoog": 55,
    "kwaliteit": "GOED",
    "basis": "GETELD_EN_GESCHAT",
    "aanname": "",
    "weergave": "naar schatting 40, waarschijnlijk tussen 30 en 55",
}


def table(**changes: Any) -> pa.Table:
    return pa.Table.from_pylist([{**ROW, **changes}], schema=SCHATTINGEN.arrow_schema())


def test_a_good_estimate_passes() -> None:
    assert Estimates(table()).rows("2022", 6)[0]["schatting"] == 40
    assert Estimates(table()).rows("2021", 6) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"schatting": 41},
        {"laag": 31},
        {"hoog": None},
        {"laag": 45},
        {"hoog": 35},
        {"laag": -5},
        {"schatting": 40, "laag": 40, "hoog": 40},
        {"kwaliteit": "GEWEIGERD"},
        {"kwaliteit": "REGIO"},
        {"kwaliteit": "MOOI"},
        {"basis": "GEVOEL"},
        {"aanname": "B75"},
        {"soort": "BEHOEFTE"},
    ],
)
def test_an_unsafe_estimate_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DisclosureRefused, match="estimate_unsafe"):
        Estimates(table(**changes))


def test_another_schema_is_refused() -> None:
    with pytest.raises(DisclosureRefused, match="release_schema"):
        Estimates(table().append_column("geteld", pa.array([37])))


def test_what_estimation_writes_passes_and_reads_as_dutch(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    estimate.estimate(linked.write(tmp_path / "linked", persons=600), out, Choices(draws=100))
    shown = Estimates(pq.read_table(out / "schattingen.parquet"))
    text = section(shown, "2021")
    assert "naar schatting" in text
    assert "waarschijnlijk tussen" in text
    assert "Geen schatting" in text
    assert "alleen geschat" in text or "geteld, aangevuld" in text
    assert '<td class="n' not in text, "cells of class n are counts"
    assert text.count("<tr>") > 30


def test_names_cannot_break_the_page() -> None:
    text = section(Estimates(table(niveau="land", code="NL", naam="<script>alert(1)</script>")), "2022")
    assert "<script" not in text


def test_the_page_gets_a_section_and_the_gate_still_reads_the_counts(tmp_path: Path) -> None:
    """An estimate of 5 may be shown (its count is refused when small); a count of 5 in the same page may not."""
    from release import gate_vng

    shown = Estimates(table(niveau="land", code="NL", schatting=5, laag=0, hoog=10, weergave="naar schatting 5"))
    page = tmp_path / "doelgroep.html"
    page.write_text(f'<table><tr><td class="n">15</td></tr></table>{section(shown, "2022")}', encoding="utf-8")
    assert gate_vng.check(tmp_path) == 1
    page.write_text('<table><tr><td class="n">5</td></tr></table>', encoding="utf-8")
    with pytest.raises(DisclosureRefused):
        gate_vng.check(tmp_path)
