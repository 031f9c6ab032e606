"""The sheet of one municipality: what the released tables say of it, and nothing else."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from release import gate_edition
from release.deliver import read, write
from release.deliver.face import Face
from release.disclosure import HIDDEN
from release.estimates import Estimates
from release.protect import spec
from release.protect.edition import Protected, shown_table
from release.report import sheets
from release.report.page import Words, write_page
from release.report.year import latest, words
from schemas.errors import DisclosureRefused
from schemas.estimates import SCHATTINGEN
from schemas.gemeente import gemeenten
from schemas.target_group import MATEN, RUN_TABLES
from tests.release.additive import target_group
from tests.release.fixtures import table_of

SPEC = spec.load()
SENTENCE = "naar schatting 40, waarschijnlijk tussen 30 en 55"
ESTIMATE: dict[str, Any] = {
    **{"niveau": "gemeente", "code": "0106", "naam": "Assen", "periode": "2023", "soort": "GEBRUIK", "groep": "ALLE"},
    **{"maanden": 6, "schatting": 40, "laag": 30, "hoog": 55, "kwaliteit": "GOED", "basis": "GETELD_EN_GESCHAT"},
    **{"aanname": "", "weergave": SENTENCE},
}


def face_of(tables: dict[str, spec.Table]) -> Face:
    """An exact edition in which every count below 10 is hidden."""
    table = target_group(mean=30)
    kept = [n if n >= 10 else None for n in table["aantal"].to_pylist()]
    protected = Protected(shown_table(table, pa.array(kept, pa.int64())))
    return Face(protected, tables, SPEC.basis, SPEC.title, {"release": "r1", "gegevens": "synthetisch"})


def page_of(face: Face, folder: Path) -> str:
    funnel = table_of(RUN_TABLES["funnel"], [("injus", 0, "received", 1000), ("injus", 1, "linked", 900)])
    estimates = Estimates(pa.Table.from_pylist([ESTIMATE], schema=SCHATTINGEN.arrow_schema()))
    told = Words("Synthetisch.", "te klein of te herleiden.", "Getallen zijn exact.", "te klein", synthetic=True)
    made = write_page(face.printed, funnel, folder, face.provenance, estimates=estimates, words=told)
    return made.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def face() -> Face:
    return face_of(SPEC.tables)


@pytest.fixture(scope="module")
def text(face: Face, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(face, tmp_path_factory.mktemp("page"))


def sheet(text: str, code: str) -> str:
    found = re.search(rf'<article class="blad" id="b-{code}".*?</article>', text, re.S)
    assert found is not None
    return found[0]


def lines(text: str) -> list[list[str]]:
    """Cells of every row, heads included."""
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(?:<a[^>]*>)?([^<]*)", row) for row in rows]
    return [[html.unescape(cell) for cell in row] for row in cells]


def test_a_sheet_says_of_every_measure_what_the_table_says(face: Face, text: str) -> None:
    """Half-years, their sum, and the same for region, province and country; every measure stands in it once."""
    rows = {(r["niveau"], r["code"], r["halfjaar"], r["maat"]): r["aantal"] for r in face.protected.table.to_pylist()}
    found = latest(face.protected)
    labels = {maat: label for _, block in sheets.BLOCKS for maat, label in block}
    assert set(labels) == set(MATEN)
    shown = hidden = 0
    for place in gemeenten()[::20]:
        told = {line[0]: line[1:] for line in lines(sheet(text, place.code)) if len(line) == 7}
        regions = (("veiligheidsregio", place.veiligheidsregio_code), ("provincie", place.provincie_code))
        for maat, label in labels.items():
            own = [rows["gemeente", place.code, half, maat] for half in ("2023H1", "2023H2")]
            areas = (("gemeente", place.code), *regions, ("land", "NL"))
            sums = [found.total(niveau, code, maat) for niveau, code in areas]
            assert told[label] == [words(n) for n in (*own, *sums)]
            shown += sum(n is not None for n in own)
            hidden += sum(n is None for n in own)
    assert shown > 20 and hidden > 20


def test_hidden_cells_are_hatched_and_explained(text: str) -> None:
    for place in gemeenten()[::50]:
        found = sheet(text, place.code)
        assert found.count(f'<td class="n v">{HIDDEN}</td>') == len(re.findall(rf'<td class="n[^"]*">{HIDDEN}<', found))
        assert f"{HIDDEN}: te klein of te herleiden." in found
    assert "td.v{background:repeating-linear-gradient" in text


def test_an_interval_is_told_in_words_where_there_is_one(text: str) -> None:
    assert SENTENCE in sheet(text, "0106") and "Geschat" in sheet(text, "0106")
    assert "Geschat" not in sheet(text, "0363")


def test_a_municipality_that_did_not_deliver_reads_so(face: Face, text: str) -> None:
    found = latest(face.protected)
    for place in gemeenten():
        assert ("niet alle Wmo-gegevens" in sheet(text, place.code)) != found.delivered["gemeente", place.code]


def test_neighbours_are_neighbours_of_each_other(text: str) -> None:
    """Tiles that touch: at most six."""
    codes = [place.code for place in gemeenten()]
    near = {code: sheets.neighbours(code) for code in codes}
    assert all(code in near[other] for code, others in near.items() for other in others)
    assert max(map(len, near.values())) == 6 and sum(map(len, near.values())) > 4 * len(codes)
    for code in codes[::50]:
        assert set(re.findall(r'href="#b-(\d{4})"', sheet(text, code))) == set(near[code])


def test_the_page_stays_small_enough_to_mail(text: str) -> None:
    assert len(text.encode()) < 3_000_000


def test_who_gets_regions_alone_reads_no_municipality(tmp_path: Path) -> None:
    """The cube knows more than the tables of an audience; its page does not."""
    text = page_of(face_of({"doelgroep_per_regio": SPEC.tables["doelgroep_per_regio"]}), tmp_path)
    for place in gemeenten()[::30]:
        for line in lines(sheet(text, place.code)):
            if len(line) == 7 and line[0] in {label for _, block in sheets.BLOCKS for _, label in block}:
                assert line[1:4] == [HIDDEN] * 3
    assert next(line for line in lines(sheet(text, "0363")) if line[0] == "Titel eindigt")[-1] != HIDDEN


@pytest.mark.parametrize("number", ["3", "11.111"])
def test_the_gate_reads_the_sheets_too(face: Face, text: str, tmp_path: Path, number: str) -> None:
    """A small number, or one that no table has, in one cell of one sheet stops the release."""
    write.write(replace(face, rules=SPEC.basis.model_copy(update={"formats": ["csv"]})), tmp_path)
    page = tmp_path / "doelgroep.html"
    page.write_text(text, encoding="utf-8")
    assert gate_edition.check(tmp_path, face, read.folder(tmp_path)) == len(list(tmp_path.iterdir()))
    broken = sheet(text, "0106").replace(f">{HIDDEN}</td>", f">{number}</td>", 1)
    page.write_text(text.replace(sheet(text, "0106"), broken), encoding="utf-8")
    with pytest.raises(DisclosureRefused, match="small_count_shown"):
        gate_edition.check(tmp_path, face, read.folder(tmp_path))
