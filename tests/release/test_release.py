"""What leaves: hidden and rounded, the same in every format, readable by readers we did not write, and gated."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release import gate, publish, research
from release.disclosure import HIDDEN, Protected, protect, protect_number
from release.report import map as hexmap
from release.report.page import SCRIPT
from release.report.year import latest
from schemas.errors import DisclosureRefused
from schemas.gemeente import gemeenten
from schemas.linked import LINKED_TABLES
from schemas.target_group import DOELGROEP, TARGET_GROUP
from tests.release.fixtures import OUTPUT, RUN, publish_research, table_of, target_group, write_linked, write_pseudonyms


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_linked(tmp_path_factory.mktemp("run") / "linked")


@pytest.fixture(scope="module")
def vng(linked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("release") / "vng"
    publish.publish_vng(linked, out, release_id="demo-1", run=RUN)
    return out


# Protection ----------------------------------------------------------------------------------------------------


def one(count: int) -> dict[str, object]:
    table = table_of(TARGET_GROUP, [("gemeente", "0363", "Amsterdam", "2022H1", "wmo_180", count, True)])
    return protect(table).table.to_pylist()[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("true", "shown"),
    [(0, None), (1, None), (9, None), (10, 10), (11, 10), (12, 10), (13, 15), (17, 15), (18, 20), (1002, 1000)],
)
def test_below_ten_is_hidden_and_the_rest_rounded_to_five(true: int, shown: int | None) -> None:
    row = one(true)
    assert row["aantal"] == shown
    assert row["weergave"] == (HIDDEN if shown is None else str(shown))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=30))
def test_whatever_the_counts_no_small_one_is_shown(counts: list[int]) -> None:
    rows = [("gemeente", f"{i:04d}", "x", "2022H1", "wmo_180", n, True) for i, n in enumerate(counts)]
    found = protect(table_of(TARGET_GROUP, rows)).table
    for true, shown, text in zip(counts, found["aantal"].to_pylist(), found["weergave"].to_pylist(), strict=True):
        assert (shown is None) == (true < 10) == (text == HIDDEN)
        assert shown is None or (shown >= 10 and shown % 5 == 0 and abs(shown - true) <= 2)


def test_all_hidden_cells_look_alike() -> None:
    found = protect(target_group()).table
    hidden = found.filter(pc.is_null(found["aantal"]))
    assert hidden.num_rows > 1000
    assert set(hidden["weergave"].to_pylist()) == {HIDDEN}


@pytest.mark.parametrize("count", [1, 7, 9, 12, 101])
def test_a_protected_table_cannot_hold_a_true_count(count: int) -> None:
    row = ("gemeente", "0363", "x", "2022H1", "wmo_180", "", count, str(count), True)
    with pytest.raises(DisclosureRefused, match="small_count_shown"):
        Protected(table_of(DOELGROEP, [row]))


def test_only_the_declared_table_is_protected() -> None:
    with pytest.raises(DisclosureRefused, match="release_schema"):
        protect(pa.table({"aantal": [12]}))
    with pytest.raises(DisclosureRefused, match="release_schema"):
        Protected(target_group())


def test_a_number_in_a_text_is_protected_too() -> None:
    assert [protect_number(n) for n in (3, 12, 1234567)] == [HIDDEN, "10", "1.234.565"]


# Formats -------------------------------------------------------------------------------------------------------


def test_csv_xlsx_and_parquet_hold_the_same_rows(vng: Path) -> None:
    from_csv = pd.read_csv(vng / "doelgroep_per_gemeente.csv", sep=";", encoding="utf-8-sig", dtype=str)
    from_xlsx = pd.read_excel(vng / "doelgroep_per_gemeente.xlsx", sheet_name="gemeente", dtype=str)
    pd.testing.assert_frame_equal(from_csv, from_xlsx)
    parquet = pq.read_table(vng / "doelgroep_per_gemeente.parquet")
    assert from_csv["aantal"].tolist() == parquet["weergave"].to_pylist()
    assert from_csv["code"].tolist() == parquet["code"].to_pylist()
    assert len(from_csv) == 343 * 4 * 8
    assert parquet.schema.metadata[b"run"] == RUN["run_id"].encode()


def test_duckdb_reads_the_parquet(vng: Path) -> None:
    path = vng / "doelgroep_per_regio.parquet"
    (levels,) = duckdb.execute("select count(distinct niveau) from read_parquet(?)", [str(path)]).fetchone() or (0,)
    assert levels == 4


def test_dutch_excel_opens_the_csv(vng: Path) -> None:
    raw = (vng / "doelgroep_per_gemeente.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfniveau;code;naam")
    assert raw.count(b"\r\n") == raw.count(b"\n")
    assert "Súdwest-Fryslân".encode() in raw


def test_a_cell_cannot_become_a_formula(tmp_path: Path, linked: Path) -> None:
    copy = shutil.copytree(linked, tmp_path / "linked")
    row = ("gemeente", "9998", '=HYPERLINK("x")', "2022H1", "wmo_180", 50, True)
    pq.write_table(pa.concat_tables([table_of(TARGET_GROUP, [row]), target_group()]), copy / "target_group.parquet")
    out = tmp_path / "vng"
    publish.publish_vng(copy, out, release_id="demo-1", run=RUN)
    with (out / "doelgroep_per_gemeente.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(iter(list(csv.reader(file, delimiter=";"))[1:]))[2].startswith("'=")


def test_the_workbook_has_a_legend_and_hides_nothing(vng: Path) -> None:
    book = openpyxl.load_workbook(vng / "doelgroep_per_gemeente.xlsx")
    assert [sheet.title for sheet in book] == ["gemeente", "regio", "toelichting"]
    assert {sheet.sheet_state for sheet in book} == {"visible"}
    assert not any(d.hidden for sheet in book for d in sheet.column_dimensions.values())
    legend = {row[0].value: row[1].value for row in book["toelichting"]}
    assert "DEMO" in str(legend["let op"]) and HIDDEN in legend


def test_the_same_tables_give_the_same_bytes(linked: Path, vng: Path, tmp_path: Path) -> None:
    publish.publish_vng(linked, tmp_path / "again", release_id="demo-1", run=RUN)
    assert (tmp_path / "again" / "SHA256SUMS").read_bytes() == (vng / "SHA256SUMS").read_bytes()


def test_checksums_are_what_sha256sum_expects(vng: Path) -> None:
    lines = dict(reversed(line.split("  ")) for line in (vng / "SHA256SUMS").read_text(encoding="ascii").splitlines())
    assert set(lines) == {p.name for p in vng.iterdir()} - {"SHA256SUMS"}
    for name, digest in lines.items():
        assert hashlib.sha256((vng / name).read_bytes()).hexdigest() == digest


def test_the_folder_says_demo(vng: Path) -> None:
    assert "NIET VOOR PUBLICATIE" in (vng / "DEMO-NIET-VOOR-PUBLICATIE.txt").read_text(encoding="utf-8")
    facts = json.loads((vng / "release.json").read_text(encoding="utf-8"))
    assert facts["soort"] == "waargenomen, niet geschat"
    assert facts["hidden"] > 0


# The page ------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Rows of the first table, shapes of the map, and every attribute that could fetch something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.lang = ""
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.lang = self.lang or (given.get("lang") or "" if tag == "html" else "")
        self.links += [v or "" for k, v in attrs if k in {"src", "href", "action", "poster", "data"}]
        if tag == "tr":
            self.rows.append([])
        self._cell = tag in {"td", "th"} or (self._cell and tag in {"span", "strong", "a"})
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def page(vng: Path) -> Page:
    return Page((vng / "doelgroep.html").read_text(encoding="utf-8"))


def test_the_page_is_dutch_and_stands_on_its_own(page: Page, vng: Path) -> None:
    text = (vng / "doelgroep.html").read_text(encoding="utf-8")
    assert page.lang == "nl"
    assert page.links[0] == "#inhoud" and all(link.startswith(("#b-", "#uw-gemeente")) for link in page.links[1:])
    assert text.count("<script") == 1 and f"<script>{SCRIPT}</script>" in text
    assert not re.search(r"fetch\(|XMLHttp|import|storage|cookie|eval|innerHTML", SCRIPT)
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", text)
    assert "@page" in text and "@media print" in text


def test_the_page_tells_of_the_last_year_whose_headline_is_shown() -> None:
    """A last year of which the windows are not over yet hides its headline; the year before is told then."""
    table = protect(target_group()).table
    for open_last, year in ((True, "2023"), (False, "2022")):
        counts = [
            r["aantal"] if r["niveau"] != "land" else 100 if open_last or r["halfjaar"] != "2023H2" else None
            for r in table.to_pylist()
        ]
        place = table.schema.get_field_index("aantal")
        other = table.set_column(place, table.schema.field(place), pa.array(counts, pa.int64()))
        assert latest(Protected(other)).year == year


def test_a_municipality_finds_itself_in_one_step(page: Page, vng: Path) -> None:
    """With a script by typing; without one by a link to its own sheet: from a list, the map and the table."""
    text = (vng / "doelgroep.html").read_text(encoding="utf-8")
    sheets = re.findall(r'<article class="blad" id="(b-[^"]+)"', text)
    links = [link.removeprefix("#") for link in page.links if link.startswith("#b-")]
    assert set(links) == set(sheets) == {f"b-{place.code}" for place in gemeenten()} and len(sheets) == 342
    assert min(links.count(sheet) for sheet in sheets) >= 3
    for place in ("zoek-blad", "zoek-gemeente"):
        assert f'<div class="zoek" id="{place}" hidden>' in text  # shown by the script that makes it work


def test_map_and_table_show_the_same_numbers(page: Page, linked: Path, vng: Path) -> None:
    text = (vng / "doelgroep.html").read_text(encoding="utf-8")
    titles = dict(re.findall(r"<polygon[^>]*><title>([^<:]*): ([^<]*)</title>", text))
    assert len(titles) == 342
    provinces = {place.provincie for place in gemeenten()}
    rows = {row[1]: row[2] for row in page.rows if len(row) == 7 and row[0] in provinces}
    assert len(rows) == 342
    for place in gemeenten():
        shown = rows[place.naam]
        told = titles[place.naam.replace("'", "&#x27;")]
        assert told.startswith("verborgen" if shown == HIDDEN else f"{shown} personen")


def test_a_year_is_hidden_when_one_of_its_halves_is() -> None:
    found = latest(protect(target_group()))
    assert found.year == "2023"
    some_hidden = 0
    for (niveau, code, maat), halves in found.cells.items():
        hidden = any(v is None for v in halves.values())
        some_hidden += hidden
        assert (found.total(niveau, code, maat) is None) == hidden
    assert some_hidden > 100


def test_every_tile_has_a_place_and_every_municipality_a_tile() -> None:
    assert set(hexmap.places()) == {g.code for g in gemeenten()}
    assert [hexmap.class_of(n) for n in (10, 15, 20, 35, 60, 95, 100, 5000)] == [0, 0, 1, 2, 3, 3, 4, 4]


def test_small_funnel_counts_are_hidden(page: Page) -> None:
    events = [row for row in page.rows if row[:2] == ["ifzo", "gebeurtenissen"]]
    assert events and events[0][-1] == HIDDEN


# The gate ------------------------------------------------------------------------------------------------------


def test_the_gate_passes_what_we_make(vng: Path) -> None:
    assert gate.check_release(vng.parent) == len(list(vng.iterdir()))


FAULTS = {
    "a small count in the CSV": lambda d: swap(d / "doelgroep_per_gemeente.csv", f";{HIDDEN};".encode(), b";7;"),
    "an unrounded count in the CSV": lambda d: swap(d / "doelgroep_per_regio.csv", b";10;", b";11;", b";15;"),
    "a small count in the table of the page": lambda d: swap(
        d / "doelgroep.html", f'n v">{HIDDEN}<'.encode(), b'n v">3<'
    ),
    "a small count in the headline": lambda d: swap(d / "doelgroep.html", b"<div><b>", b"<div><b>3</b></div><div><b>"),
    "a small count on the map": lambda d: swap(d / "doelgroep.html", b"<title>Assen: ", b"<title>Assen: 4 personen, "),
    "a script on the page": lambda d: swap(d / "doelgroep.html", b"</body>", b"<script></script></body>"),
    "a picture from outside": lambda d: swap(d / "doelgroep.html", b"</body>", b'<img src="//x/y.png"></body>'),
    "another header": lambda d: swap(d / "doelgroep_per_gemeente.csv", b"niveau;", b"bsn;"),
    "true counts in Parquet": lambda d: pq.write_table(target_group(), d / "doelgroep_per_gemeente.parquet"),
    "a small count in Parquet": lambda d: small_parquet(d / "doelgroep_per_gemeente.parquet"),
    "a small count in the workbook": lambda d: small_cell(d / "doelgroep_per_gemeente.xlsx"),
    "a hidden sheet": lambda d: hidden_sheet(d / "doelgroep_per_gemeente.xlsx"),
    "a stray file": lambda d: (d / "linked.duckdb").write_bytes(b""),
}


def swap(path: Path, *parts: bytes) -> None:
    data = path.read_bytes()
    for old in parts[:1] + parts[2:]:
        if old in data:
            path.write_bytes(data.replace(old, parts[1], 1))
            return
    raise AssertionError("nothing to change")


def small_parquet(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.set_column(6, "aantal", pa.array([4] * table.num_rows, pa.int64())), path)


def small_cell(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    book["gemeente"]["G5"] = 8
    book.save(path)


def hidden_sheet(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    book.create_sheet("waar").sheet_state = "hidden"
    book.save(path)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_gate_stops_a_planted_fault(vng: Path, tmp_path: Path, fault: str) -> None:
    copy = shutil.copytree(vng, tmp_path / "vng")
    FAULTS[fault](copy)
    with pytest.raises(DisclosureRefused):
        gate.check_release(tmp_path)


def test_no_small_or_unrounded_count_is_anywhere_in_the_workbook(vng: Path) -> None:
    book = openpyxl.load_workbook(vng / "doelgroep_per_gemeente.xlsx", read_only=True)
    cells = [row[6] for name in ("gemeente", "regio") for row in book[name].iter_rows(min_row=2, values_only=True)]
    book.close()
    assert len(cells) > 10_000
    assert all(c == HIDDEN or (isinstance(c, int) and c >= 10 and c % 5 == 0) for c in cells)


# Researchers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def research_folder(linked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("research")
    publish_research(linked, write_pseudonyms(base), base / "out", OUTPUT)
    return base / "out"


def test_researchers_get_a_pseudonym_and_never_a_person_number(research_folder: Path) -> None:
    for name in LINKED_TABLES:
        table = pq.read_table(research_folder / f"{name}.parquet")
        assert table.column_names[0] == "pseudonym"
        assert "person_id" not in table.column_names
        assert table.num_rows == (3 if name == "persons" else 4)
        assert table["pseudonym"].null_count == 1


def test_the_views_and_the_examples_work(research_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(research_folder)
    with duckdb.connect() as con:
        con.execute((research_folder / "views.sql").read_text(encoding="utf-8"))
        for _, query in research.EXAMPLES:
            assert con.execute(query).fetchall() is not None
        told = con.execute("select comment from duckdb_columns() where table_name = 'persons'").fetchall()
    assert all(row[0] for row in told)


def test_a_researchers_program_reads_it_from_its_folder(research_folder: Path) -> None:
    """`.read views.sql` style: a program of its own, in this folder, with nothing of ours imported."""
    code = (
        "import duckdb; con = duckdb.connect(); con.execute(open('views.sql', encoding='utf-8').read());"
        "print(con.sql('select count(*) from title_end_events').fetchall()[0][0])"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", code], cwd=research_folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"


def test_the_codebook_speaks_of_the_pseudonym(research_folder: Path) -> None:
    text = (research_folder / "codebook.md").read_text(encoding="utf-8")
    assert "person_id" not in text
    assert text.count("| pseudonym |") == len(LINKED_TABLES)


def test_a_missing_pseudonym_list_entry_is_refused(linked: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    short = pa.table({"person_id": pa.array([0], pa.int64()), "link": pa.array([b"\x01" * 32], pa.binary(32))})
    pq.write_table(short, path)
    with pytest.raises(DisclosureRefused, match="pseudonym_missing"):
        publish_research(linked, path, tmp_path / "out", OUTPUT)


# Operator ------------------------------------------------------------------------------------------------------


def test_the_operators_report_says_the_same_in_both_forms(linked: Path, tmp_path: Path) -> None:
    text, page = publish.publish_operator(linked, tmp_path, run=RUN)
    markdown, html = text.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    for heading in ("Leveringen", "Redenen", "Samenvoegingen en conflicten", "Koppelpercentages", "Dekking GMSD"):
        assert heading in markdown and heading in html
    assert "12,000" in markdown and "DATUM_GEBEURTENIS_ONGELDIG" in html
    assert "Gedrukte cijfers naast de telling" in markdown
