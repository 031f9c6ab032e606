"""The operator's indicators: the page says what the tables hold, in words, numbers and bars that agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from release import operator_indicators, publish
from schemas.indicators import DETENTION, INDICATORS, INFLOW, KLASSEN, MATEN_DAGEN, QUANTILES, SPREAD, TITLE_ENDS
from schemas.register import OutTable
from tests.release.fixtures import RUN, table_of, write_linked

SVG = "{http://www.w3.org/2000/svg}"


def line(table: OutTable, cell: tuple[str, ...], **counts: Any) -> tuple[Any, ...]:
    """A row of an indicator table: the cell, then the counts named, the others zero."""
    head = dict(zip(table.names, cell, strict=False))
    return tuple(counts.get(name, head.get(name, 0)) for name in table.names)


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_linked(tmp_path_factory.mktemp("run") / "linked")
    land = ("land", "NL")
    ends = [
        line(
            TITLE_ENDS,
            (*land, "2022", "ALLEN", "ALLEN"),
            gevonden=1300,
            titel_eindes=1234,
            wmo_180=250,
            gevolgd_180=1000,
        ),
        line(TITLE_ENDS, (*land, "2023", "ALLEN", "ALLEN"), titel_eindes=7, terug_24m=1),
        line(TITLE_ENDS, (*land, "2022H1", "ALLEN", "ALLEN"), titel_eindes=600),
        line(TITLE_ENDS, (*land, "2023", "GESLACHT", "V"), titel_eindes=3),
        line(TITLE_ENDS, ("veiligheidsregio", "VR13", "2023", "ALLEN", "ALLEN"), titel_eindes=5),
    ]
    inflow = [line(INFLOW, (*land, "2022H1", "ALLEN", "ALLEN", "THUIS"), arrangementen=90, personen=60, instroom=50,
                   instroom_koppelbaar=40, forensisch_24m=4)]  # fmt: skip
    detention = [line(DETENTION, (*land, "2022", "ALLEN", "ALLEN"), personen_bekend=200, personen_4m=50)]
    spread = [
        line(
            SPREAD,
            (*land, year, "ALLEN", "ALLEN", k.maat),
            volgorde=k.volgorde,
            klasse=k.klasse,
            aantal=10 * k.volgorde,
        )
        for year in ("2022", "2023", "2022H1")
        for k in KLASSEN
    ]
    quantiles = [line(QUANTILES, (*land, "2022", "ALLEN", "ALLEN", "VOORSPRONG"), aantal=9, p50=12)]
    tables = ((TITLE_ENDS, ends), (INFLOW, inflow), (DETENTION, detention), (SPREAD, spread), (QUANTILES, quantiles))
    for table, rows in tables:
        pq.write_table(table_of(table, rows), folder / f"{table.name}.parquet")
    return folder


@pytest.fixture(scope="module")
def page(linked: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("operator")
    return publish.publish_operator(linked, out, run=RUN)[1].read_text(encoding="utf-8")


def section(linked: Path, title: str) -> list[list[Any]]:
    found, _ = operator_indicators.sections(linked)
    (rows,) = (rows for name, _, _, rows in found if name == title)
    return rows


def test_every_indicator_of_title_ends_and_detention_has_a_line_with_its_years(linked: Path) -> None:
    rows = {row[0]: row[1:3] for row in section(linked, "Indicatoren: Nederland")}
    assert set(rows) == {one.naam for one in INDICATORS if one.tabel in (TITLE_ENDS, DETENTION)}
    assert rows["Titeleinden die meetellen"] == ["1,234", "7"]
    assert rows["Wmo binnen 180 dagen"] == ["250 / 1,000 (25.0%)", "-"]  # nobody could be followed in 2023
    assert rows["Detentie van meer dan vier maanden geëindigd"] == ["50 / 200 (25.0%)", "-"]


def test_regions_and_characteristics_show_the_latest_year(linked: Path) -> None:
    assert [row[:2] for row in section(linked, "Indicatoren per veiligheidsregio")] == [["Amsterdam-Amstelland", 5]]
    assert [row[:3] for row in section(linked, "Indicatoren naar kenmerk")] == [["GESLACHT", "V", 3]]


def test_inflow_is_of_people_and_says_how_many_were_forensic(linked: Path) -> None:
    (row,) = section(linked, "Instroom in de Wmo en forensisch verleden")
    assert row[:6] == ["2022H1", "THUIS", 90, 60, 50, "4 / 40 (10.0%)"]


@pytest.mark.parametrize("maat", MATEN_DAGEN)
def test_a_drawing_shows_the_numbers_beside_it(linked: Path, page: str, maat: str) -> None:
    title = f"Verdeling: {maat.lower().replace('_', ' ')}"
    counts = dict(section(linked, title))
    assert counts == {k.klasse: 20 * k.volgorde for k in KLASSEN if k.maat == maat}  # years, not half-years
    (svg,) = re.findall(rf"<h2>{title}</h2>.*?(<svg.*?</svg>)", page)
    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own drawing
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts == [text for k, n in counts.items() for text in (k, f"{n:,}")]
    widths = [float(rect.get("width", "")) for rect in tree.iter(f"{SVG}rect")]
    assert widths == sorted(widths) and widths[0] > 0  # twice the count, twice the bar
    assert widths[1] == pytest.approx(2 * widths[0], abs=1)
    assert tree.findtext(f"{SVG}title") == MATEN_DAGEN[maat]


@pytest.mark.parametrize(
    ("maat", "dark"),
    [("KLOOF_TITEL", ["minder dan -90", "-90 t/m -42", "-41 t/m 0", "1 t/m 14", "15 t/m 42"]),
     ("VOORSPRONG", ["42 t/m 90", "91 t/m 181", "182 t/m 364", "365 of meer"])],
)  # fmt: skip
def test_dark_bars_meet_the_six_weeks(maat: str, dark: list[str]) -> None:
    counts = {k.klasse: 1 for k in KLASSEN if k.maat == maat}
    tree = ElementTree.fromstring(operator_indicators.drawing(maat, counts).partition("<p>")[0])  # noqa: S314
    fills = [rect.get("fill") for rect in tree.iter(f"{SVG}rect")]
    assert [k for k, fill in zip(counts, fills, strict=True) if fill == operator_indicators.DARK] == dark


def test_a_run_without_title_ends_has_a_page_too(linked: Path, tmp_path: Path) -> None:
    for table in (TITLE_ENDS, INFLOW, DETENTION, SPREAD, QUANTILES):
        pq.write_table(table_of(table, []), tmp_path / f"{table.name}.parquet")
    found, figures = operator_indicators.sections(tmp_path)
    assert len(figures) == 3 and all("<svg" in one for one in figures.values())
    assert {title for title, *_ in found} >= {"Indicatoren: Nederland", "Kwantielen van kloof en voorsprong"}


def test_the_page_asks_nothing_from_outside(page: str) -> None:
    assert not re.search(r"(src|href)=|<script|@import", page)
