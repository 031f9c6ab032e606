"""The room that shows estimates refuses what should not be shown, and tells counted and modelled apart."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from estimation import estimate
from estimation.estimate import Choices
from release import gate_vng
from release.estimate_files import write_estimates
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
        {"weergave": "naar schatting 40, waarschijnlijk tussen 30 en 55; er zijn er 37 geteld"},
        {"weergave": "naar schatting 45, waarschijnlijk tussen 30 en 55"},
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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files VNG gets, of what the estimator writes."""
    made = tmp_path_factory.mktemp("estimates")
    (made / "vng").mkdir()
    estimate.estimate(linked.write(made / "linked", persons=600), made, Choices(draws=100))
    write_estimates(Estimates(pq.read_table(made / "schattingen.parquet")), made / "vng", {"release": "demo-1"})
    return made / "vng"


def test_vng_gets_estimates_in_three_formats_with_the_same_rows(written: Path) -> None:
    """A file of their own, never columns beside counts; years for municipalities, half-years too for regions."""
    assert sorted(path.name for path in written.iterdir()) == [
        "schattingen.xlsx",
        "schattingen_per_gemeente.csv",
        "schattingen_per_gemeente.parquet",
        "schattingen_per_regio.csv",
        "schattingen_per_regio.parquet",
    ]
    for name in ("gemeente", "regio"):
        parquet = pq.read_table(written / f"schattingen_per_{name}.parquet")
        assert parquet.schema.remove_metadata().equals(SCHATTINGEN.arrow_schema())
        assert parquet.schema.metadata[b"soort"] == b"geschat, niet geteld"
        with (written / f"schattingen_per_{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, delimiter=";"))
        sheet = CalamineWorkbook.from_path(written / "schattingen.xlsx").get_sheet_by_name(name).to_python()
        assert lines[0] == sheet[0] == list(SCHATTINGEN.names)
        assert len(lines) == len(sheet) == parquet.num_rows + 1
        assert lines[1][-1] == sheet[1][-1] == parquet["weergave"][0].as_py()
        assert {len(text) for text in parquet["periode"].to_pylist()} == ({4} if name == "gemeente" else {4, 6})


def test_what_is_counted_is_no_column_of_the_estimates(written: Path) -> None:
    assert "geteld" not in pq.read_schema(written / "schattingen_per_gemeente.parquet").names
    bases = set(pq.read_table(written / "schattingen_per_gemeente.parquet")["basis"].to_pylist())
    assert bases == {"GETELD_EN_GESCHAT", "GESCHAT"}, "and each says whether anything was counted there"


def test_the_gate_passes_the_files_as_they_are(written: Path) -> None:
    assert gate_vng.check(written) == 5


def _in_csv(folder: Path, old: str, new: str) -> None:
    path = folder / "schattingen_per_regio.csv"
    text = path.read_text(encoding="utf-8-sig")
    assert old in text
    path.write_text("\ufeff" + text.replace(old, new, 1), encoding="utf-8")


def _in_sheet(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "schattingen.xlsx")
    cell = next(row[8] for row in book["regio"].iter_rows(min_row=2) if isinstance(row[8].value, int))
    cell.value += 1
    book.save(folder / "schattingen.xlsx")


def _in_parquet(folder: Path) -> None:
    path = folder / "schattingen_per_regio.parquet"
    found = pq.read_table(path)
    pq.write_table(found.set_column(7, found.schema.field(7), pa.array([7] * len(found), pa.int64())), path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: _in_csv(folder, "waarschijnlijk tussen", "precies 7, tussen"),
        lambda folder: _in_csv(folder, "niveau;", "bsn;"),
        lambda folder: _in_csv(folder, ";GOED;", ";MOOI;"),
        _in_sheet,
        _in_parquet,
    ],
    ids=["a number in a sentence", "another header", "an unknown label", "an unrounded cell", "unrounded in Parquet"],
)
def test_the_gate_stops_what_the_type_cannot_hold(written: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Whatever was done to a file after it was written: it is read back before it leaves."""
    folder = tmp_path / "vng"
    shutil.copytree(written, folder)
    spoil(folder)
    with pytest.raises(DisclosureRefused):
        gate_vng.check(folder)


def test_names_cannot_break_the_page() -> None:
    text = section(Estimates(table(niveau="land", code="NL", naam="<script>alert(1)</script>")), "2022")
    assert "<script" not in text


def test_the_page_gets_a_section_and_the_gate_still_reads_the_counts(tmp_path: Path) -> None:
    """An estimate of 5 may be shown (its count is refused when small); a count of 5 in the same page may not."""
    shown = Estimates(table(niveau="land", code="NL", schatting=5, laag=0, hoog=10, weergave="naar schatting 5"))
    page = tmp_path / "doelgroep.html"
    page.write_text(f'<table><tr><td class="n">15</td></tr></table>{section(shown, "2022")}', encoding="utf-8")
    assert gate_vng.check(tmp_path) == 1
    page.write_text('<table><tr><td class="n">5</td></tr></table>', encoding="utf-8")
    with pytest.raises(DisclosureRefused):
        gate_vng.check(tmp_path)
