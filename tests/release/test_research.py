"""The researchers' folder: as coarse as agreed, gated, counted for anonymity, explained, and usable offline."""

from __future__ import annotations

import ast
import csv
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import types
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from release import gate, research_anonymity, research_coarsen, research_counts, research_text
from release.protect import checking, tables
from release.research import delivered
from schemas import pseudonym
from schemas import research as declared
from schemas.errors import ConfigError, DisclosureRefused
from schemas.gemeente import gemeenten
from schemas.linked import LINKED_TABLES
from schemas.register import OutColumn
from schemas.research import YEAR_OF, BirthYears, ResearchOutput
from tests.release.fixtures import OUTPUT, RUN, publish_research
from tests.release.research_country import PEOPLE, write_country

YAML = Path(declared.__file__).parents[1] / "synthetic" / "agreements" / "outputs" / "onderzoek.yaml"
YEARS = BirthYears()


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("country")
    write_country(folder)
    return folder


def publish_to(country: Path, out: Path, output: ResearchOutput = OUTPUT) -> Path:
    linked, names = country / "linked", country / "pseudonyms.parquet"
    publish_research(linked, names, out, output)
    return out


@pytest.fixture(scope="module")
def folder(country: Path) -> Path:
    return publish_to(country, country / "onderzoek")


def changed(**changes: Any) -> ResearchOutput:
    """The demo's agreement with some columns (`table__column="action"`) or parts changed."""
    content = yaml.safe_load(YAML.read_text(encoding="utf-8"))
    for name, value in changes.items():
        table, _, column = name.partition("__")
        if column:
            content["columns"][table][column] = value
        else:
            content[name] = value
    return ResearchOutput(**content)


# What was agreed -----------------------------------------------------------------------------------------------


def test_every_column_of_a_table_is_listed_or_the_agreement_is_refused() -> None:
    content = yaml.safe_load(YAML.read_text(encoding="utf-8"))
    assert set(content["columns"]) == set(LINKED_TABLES)
    del content["columns"]["persons"]["geslacht"]
    with pytest.raises(ValueError, match="list every column"):
        ResearchOutput(**content)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"persons__geboortejaar": "month"}, "does not fit"),
        ({"title_end_events__title_end": "band_5"}, "does not fit"),
        ({"title_end_events__gemeente": "week"}, "does not fit"),
        ({"title_end_events__outcome": "month"}, "does not fit"),
        ({"title_end_events__title_end": "drop"}, "part of the path"),
        ({"persons__geboortejaar": "drop"}, "not delivered"),  # a set names it
        ({"columns": {}}, "persons is not listed"),
        ({"columns": {"persons": {}}}, "list every column"),
    ],
)
def test_an_agreement_that_cannot_be_kept_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        changed(**change)


def test_an_unknown_table_is_refused() -> None:
    content = yaml.safe_load(YAML.read_text(encoding="utf-8"))
    content["columns"]["addresses"] = {"street": "keep"}
    with pytest.raises(ValueError, match="not a linked table"):
        ResearchOutput(**content)


@pytest.mark.parametrize(
    ("text", "code"),
    [(None, "unknown_output"), ("output: x\n", "bad_output"), ("a: [", "bad_output"), ("1", "bad_output")],
)
def test_a_file_that_is_no_agreement_says_what_to_do(tmp_path: Path, text: str | None, code: str) -> None:
    path = tmp_path / "onderzoek.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=code) as caught:
        declared.load(path)
    assert ": " in caught.value.message()


def test_the_demo_agreement_knows_its_own_hash() -> None:
    assert len(declared.load(YAML).sha256) == 64


# Coarsening: a second computation ------------------------------------------------------------------------------


def by_hand(value: Any, column: OutColumn, action: str) -> Any:
    """The coarsened value, from the words of the agreement."""
    if value is None or action == "keep":
        return value
    if action in research_coarsen.REGIONS:
        known = {g.code: getattr(g, f"{action}_code") for g in gemeenten()}
        return known.get(value, value if value in ("0000", "1999") else "0000")
    if action.startswith("band_"):
        width = int(action[5:])
        low, high = (year - year % width for year in (YEARS.oldest, YEARS.youngest))
        return min(max(value - value % width, low), high)
    if column.type != pa.date32():
        return value - value % 7
    if action == "week":
        return value - dt.timedelta(value.weekday())
    first = {
        "month": value.month,
        "quarter": 3 * ((value.month - 1) // 3) + 1,
        "half_year": 7 if value.month > 6 else 1,
    }
    return value.replace(month=first.get(action, 1), day=1)


def column(name: str, kind: pa.DataType) -> OutColumn:
    return OutColumn(name, kind, LINKED_TABLES["persons"].columns[1].role, "", nullable=True)


CASES: list[tuple[OutColumn, str, st.SearchStrategy[Any]]] = [
    *((column("d", pa.date32()), action, st.dates(dt.date(1990, 1, 1), dt.date(2030, 12, 31)))
      for action in sorted(declared.DATE_ACTIONS - {"drop"})),
    *((column("geboortejaar", pa.int32()), action, st.integers(1900, 2020))
      for action in ("keep", "band_5", "band_10")),
    *((column("gemeente", pa.string()), action, st.sampled_from(["0363", "0599", "0014", "0000", "1999", "zzzz"]))
      for action in research_coarsen.REGIONS),
    (column("gap_days", pa.int32()), "week", st.integers(-1000, 1000)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "action", "values"), CASES, ids=[f"{c.name}-{a}" for c, a, _ in CASES])
def test_coarsening_is_what_plain_python_makes_of_it(what: OutColumn, action: str, values: Any) -> None:
    with duckdb.connect() as con:
        con.register("places_in", research_coarsen.places())
        con.execute("create table places as from places_in")
        joins = research_coarsen.joins([what], {what.name: action})
        query = f"select {research_coarsen.expression(what, action, YEARS)} as x from source {joins} order by n"

        @settings(max_examples=25, deadline=None)
        @given(st.lists(st.none() | values, min_size=1, max_size=20))
        def agree(given_values: list[Any]) -> None:
            con.register(
                "source", pa.table({what.name: pa.array(given_values, what.type), "n": range(len(given_values))})
            )
            made = con.sql(query).to_arrow_table()["x"]
            assert made.to_pylist() == [by_hand(value, what, action) for value in given_values]
            assert research_coarsen.is_coarse(made.cast(what.type), what, action, YEARS)

        agree()


@pytest.mark.parametrize(
    ("name", "kind", "action", "value"),
    [
        ("d", pa.date32(), "month", dt.date(2022, 3, 2)),
        ("d", pa.date32(), "quarter", dt.date(2022, 2, 1)),
        ("d", pa.date32(), "half_year", dt.date(2022, 4, 1)),
        ("d", pa.date32(), "year", dt.date(2022, 7, 1)),
        ("d", pa.date32(), "week", dt.date(2022, 3, 2)),
        ("geboortejaar", pa.int32(), "band_5", 1981),
        ("geboortejaar", pa.int32(), "band_5", 1935),
        ("geboortejaar", pa.int32(), "band_10", 2010),
        ("gemeente", pa.string(), "veiligheidsregio", "0363"),
        ("gap_days", pa.int32(), "week", 8),
    ],
)
def test_the_check_sees_one_value_that_is_too_fine(name: str, kind: pa.DataType, action: str, value: Any) -> None:
    good = by_hand(value, column(name, kind), action)
    values = pa.chunked_array([pa.array([good, None], kind), pa.array([value], kind)])
    assert not research_coarsen.is_coarse(values, column(name, kind), action, YEARS)


# The files -----------------------------------------------------------------------------------------------------


def test_tables_lie_in_a_folder_per_year_of_their_day(folder: Path) -> None:
    for table, days in YEAR_OF.items():
        parts = sorted((folder / f"{table}.parquet").glob("jaar=*/deel-0.parquet"))
        assert len(parts) >= 5
        for part in parts:
            with pq.ParquetFile(part) as file:
                rows, codec = file.read(), file.metadata.row_group(0).column(0).compression
            years = {(row[days[0]] or row[days[-1]]).year for row in rows.to_pylist()}
            assert years == {int(part.parent.name.removeprefix("jaar="))}
            assert codec == "ZSTD"
            assert rows.schema.metadata[b"afspraak"] == OUTPUT.output.encode()
            assert rows.schema.metadata[b"run"] == RUN["run_id"].encode()


def test_every_row_arrives_once_and_coarsened(country: Path, folder: Path) -> None:
    """Against plain Python over the linked rows: nothing lost, nothing finer, nobody under another name."""
    told = pq.read_table(country / "pseudonyms.parquet")
    names = dict(zip(told["person_id"].to_pylist(), pseudonym.storage(told["link"]).to_pylist(), strict=True))
    for table in LINKED_TABLES.values():
        wanted: Counter[tuple[Any, ...]] = Counter()
        for row in pq.read_table(country / "linked" / f"{table.name}.parquet").to_pylist():
            cells = [by_hand(row[c.name], c, OUTPUT.columns[table.name][c.name]) for c in table.columns[1:]]
            wanted[names.get(row["person_id"]), *cells] += 1
        found = pq.read_table(folder / f"{table.name}.parquet").select(["pseudonym", *table.names[1:]])
        assert Counter(zip(*(c.to_pylist() for c in found.columns), strict=True)) == wanted, table.name


def test_polars_style_readers_find_the_year_in_the_path(folder: Path) -> None:
    read = ds.dataset(folder / "title_end_events.parquet", partitioning="hive")
    years = set(read.to_table(columns=["jaar"])["jaar"].to_pylist())
    assert years == set(range(2019, 2024))


def test_a_dropped_column_is_nowhere(country: Path, tmp_path: Path) -> None:
    output = changed(title_end_events__lead_days="drop", persons__vip_count="drop")
    out = publish_to(country, tmp_path / "out", output)
    assert "lead_days" not in pq.read_table(out / "title_end_events.parquet").column_names
    for name in ("views.sql", "codebook.html", "codebook.csv", "codebook.md"):
        assert "lead_days" not in (out / name).read_text(encoding="utf-8")


def test_a_table_that_is_not_listed_is_not_delivered(country: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(YAML.read_text(encoding="utf-8"))
    del content["columns"]["tbs_events"]
    out = publish_to(country, tmp_path / "out", ResearchOutput(**content))
    assert not (out / "tbs_events.parquet").exists()
    assert "tbs_events" not in (out / "views.sql").read_text(encoding="utf-8")


def test_the_same_tables_give_the_same_bytes(country: Path, folder: Path, tmp_path: Path) -> None:
    again = publish_to(country, tmp_path / "again")
    assert (again / "SHA256SUMS").read_bytes() == (folder / "SHA256SUMS").read_bytes()


def test_a_table_without_rows_still_has_a_view(country: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(country, tmp_path / "c", ignore=shutil.ignore_patterns("onderzoek"))
    path = copy / "linked" / "tbs_events.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    out = publish_to(copy, tmp_path / "out")
    with delivered(out, OUTPUT) as con:
        assert con.execute("select count(*) from tbs_events").fetchall() == [(0,)]


def test_provenance_names_run_agreement_and_what_was_done_to_each_column(folder: Path) -> None:
    told = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    assert (told["run"], told["agreement"]["sha256"]) == (RUN["run_id"], OUTPUT.sha256)
    assert told["columns"]["title_end_events"]["title_end"] == "month"


# Anonymity -----------------------------------------------------------------------------------------------------


def test_k_is_counted_in_people_and_equals_a_second_computation(folder: Path) -> None:
    with delivered(folder, OUTPUT) as con:
        measured = {one.name: one for one in research_anonymity.measure(con, OUTPUT)}
    persons = {r["pseudonym"]: r for r in pq.read_table(folder / "persons.parquet").to_pylist() if r["pseudonym"]}
    for name, one in OUTPUT.anonymity.sets.items():
        groups: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
        values: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
        of: dict[Any, set[tuple[Any, ...]]] = defaultdict(set)
        for i, row in enumerate(pq.read_table(folder / f"{one.table}.parquet").to_pylist()):
            full = {**persons.get(row["pseudonym"], {}), **row}
            key, who = tuple(full.get(c) for c in one.known), row["pseudonym"] or i
            groups[key].add(who)
            values[key].add(full.get(one.sensitive[0]))
            of[who].add(key)
        k = {who: min(len(groups[key]) for key in keys) for who, keys in of.items()}
        assert (measured[name].persons, measured[name].smallest) == (len(k), min(k.values()))
        assert measured[name].below == sum(n < OUTPUT.anonymity.k for n in k.values())
        assert measured[name].bands["k_1"] == sum(n == 1 for n in k.values())
        assert sum(measured[name].bands.values()) == len(k)
        telling = {key for key in groups if len(groups[key]) > 1 and len(values[key]) == 1}  # empty is a value too
        assert measured[name].alike[one.sensitive[0]] == sum(bool(keys & telling) for keys in of.values())


def test_an_agreement_can_refuse_what_is_too_fine_and_pass_what_is_not(country: Path, tmp_path: Path) -> None:
    sets = {"persoon": {"table": "persons", "known": ["geboortejaar", "geslacht"]}}
    with pytest.raises(DisclosureRefused, match="k_anonymity") as caught:
        strict = changed(anonymity={"k": 30, "below": "refuse", "sets": sets})
        publish_to(country, tmp_path / "fine", strict)
    assert caught.value.facts == {"set": "persoon", "k": 30}
    sets = {"persoon": {"table": "persons", "known": ["geslacht"]}}
    coarse = changed(anonymity={"k": 5, "below": "refuse", "sets": sets})
    assert "geweigerd" in (publish_to(country, tmp_path / "coarse", coarse) / "kanonimiteit.md").read_text("utf-8")


def test_the_report_hides_small_counts_of_people_and_what_gives_them_away(folder: Path) -> None:
    told = json.loads((folder / "kanonimiteit.json").read_text(encoding="utf-8"))
    assert {one["name"] for one in told["sets"]} == set(OUTPUT.anonymity.sets)
    for one in told["sets"]:
        shown = [*one["bands"].values(), *one["alike"].values(), one["below"], one["persons"]]
        assert all(text in {research_counts.HIDDEN, "0"} or int(text) >= 10 for text in shown)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_hidden_counts_cannot_be_recomputed_from_the_total(counts: list[int]) -> None:
    shown = research_counts.hide(counts)
    hidden = [n for n, text in zip(counts, shown, strict=True) if text == research_counts.HIDDEN]
    assert all(text == str(n) for n, text in zip(counts, shown, strict=True) if text != research_counts.HIDDEN)
    assert all(text == research_counts.HIDDEN for n, text in zip(counts, shown, strict=True) if 0 < n < 10)
    left = [n for n, text in zip(counts, shown, strict=True) if text != research_counts.HIDDEN and n >= 10]
    assert not hidden or not left or (len(hidden) >= 2 and sum(hidden) >= 10)


@given(st.integers(0, 10**11))
def test_a_written_count_is_read_back_and_never_looks_like_a_number_of_a_person(count: int) -> None:
    text = research_counts.written(count)
    assert research_counts.read(text) == count
    assert not re.search(r"\d{8}", text)


@pytest.mark.parametrize("text", ["", "x", "-4", "1 3934220", "13934220", "13,934,220", "1 000", "\u0661\u0662"])
def test_what_is_not_written_like_a_count_is_none(text: str) -> None:
    assert research_counts.read(text) is None


def test_the_gate_lets_counts_of_a_large_population_pass(folder: Path, tmp_path: Path) -> None:
    """Sixteen countries have more than ten million rows in a table: eight digits, which is not a leak."""
    copied = Path(shutil.copytree(folder, tmp_path / "large"))
    text = (copied / "codebook.csv").read_text(encoding="utf-8")
    some = next(line for line in text.splitlines()[1:] if line.rsplit(",", 1)[1].isdigit())
    for count, fits in (("13 934 220", True), ("13934220", False)):
        changed_line = f"{some.rsplit(',', 1)[0]},{count}"
        (copied / "codebook.csv").write_text(text.replace(some, changed_line, 1), encoding="utf-8")
        with nullcontext() if fits else pytest.raises(DisclosureRefused, match="identifier_in_release"):
            gate.check_research(copied, OUTPUT)


# Codebook ------------------------------------------------------------------------------------------------------


def test_the_codebook_counts_what_is_in_the_files(folder: Path) -> None:
    with (folder / "codebook.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {(one["tabel"], one["kolom"]) for one in lines} == {
        (table, name) for table in OUTPUT.tables for name in ("pseudonym", *OUTPUT.kept(table))
    }
    shown = 0
    for one in lines:
        values = pq.read_table(folder / f"{one['tabel']}.parquet")[one["kolom"]]
        text = [
            "(leeg)" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in values.to_pylist()
        ]
        count = text.count(one["waarde"]) if one["waarde"] != "(gevuld)" else len(values) - values.null_count
        if one["aantal"] == research_counts.HIDDEN:
            continue
        shown += 1
        assert int(one["aantal"]) == count and (count == 0 or count >= 10), one
    assert shown > 100


def _as_shown(value: Any) -> str:
    if value is None:
        return "(leeg)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_page_says_the_same_and_asks_nothing_from_outside(folder: Path) -> None:
    page = (folder / "codebook.html").read_text(encoding="utf-8")
    with (folder / "codebook.csv").open(encoding="utf-8", newline="") as file:
        counts = [one["aantal"] for one in csv.DictReader(file)]
    assert re.findall(r'<td class="n">([^<]*)</td>', page) == counts
    assert "http" not in page and "<script" not in page and '<html lang="nl">' in page


# Views ---------------------------------------------------------------------------------------------------------


def test_every_view_and_column_has_a_comment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with duckdb.connect() as con:
        con.execute((folder / "views.sql").read_text(encoding="utf-8"))
        found = con.execute("select view_name, comment from duckdb_views() where not internal").fetchall()
        assert {name for name, comment in found if comment} == set(OUTPUT.tables)
        rows = con.execute(
            "select table_name, column_name, comment from duckdb_columns() where not internal"
        ).fetchall()
        assert all(comment for _, _, comment in rows)
        told = {(table, name): comment for table, name, comment in rows}
        assert "eerste dag van de maand" in told["title_end_events", "title_end"]
        assert con.execute("select count(*) from wmo_arrangements where jaar = 2021").fetchall()[0][0] > 0


def test_for_every_example_of_the_readme_there_is_an_answer(folder: Path) -> None:
    with delivered(folder, OUTPUT) as con:
        answers = [con.execute(query).fetchall() for _, query in research_text.EXAMPLES]
    assert all(answers)
    assert sum(row[1] for row in answers[0]) == sum(
        row["excluded"] is None for row in pq.read_table(folder / "title_end_events.parquet").to_pylist()
    )


# The gate ------------------------------------------------------------------------------------------------------


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    with pq.ParquetFile(path) as file:
        table = file.read()
    pq.write_table(change(table), path)


def put(name: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    """Lay values in the first cells of a column."""

    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        cells = [*values, *table[name].to_pylist()[len(values) :]]
        return table.set_column(place, field, pa.array(cells, field.type))

    return change


EVENTS = "title_end_events.parquet/jaar=2021/deel-0.parquet"
FAULTS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a day in a month column": (
        "not_coarsened",
        lambda d: rewrite(d / EVENTS, put("title_end", [dt.date(2021, 3, 4)])),
    ),
    "a municipality in a region column": ("not_coarsened", lambda d: rewrite(d / EVENTS, put("gemeente", ["0363"]))),
    "an exact birth year": ("not_coarsened", lambda d: rewrite(d / "persons.parquet", put("geboortejaar", [1983]))),
    "an exact number of days": ("not_coarsened", lambda d: rewrite(d / EVENTS, put("lead_days", [13]))),
    "a person number": (
        "release_schema",
        lambda d: rewrite(d / EVENTS, lambda t: t.append_column("person_id", pa.array(range(len(t))))),
    ),
    "a column that was not agreed": (
        "release_schema",
        lambda d: rewrite(d / EVENTS, lambda t: t.append_column("woonplaats", pa.array(["x"] * len(t)))),
    ),
    "a number like a BSN in a text": (
        "identifier_in_release",
        lambda d: rewrite(d / EVENTS, put("outcome", ["bsn 999990019"])),
    ),
    "a number like a BSN in the codebook": (
        "identifier_in_release",
        lambda d: (d / "codebook.md").write_text("999990019", encoding="utf-8"),
    ),
    "a link pseudonym of half the length": (
        "identifier_in_release",
        lambda d: rewrite(d / EVENTS, put("pseudonym", [b"x" * 16])),
    ),
    "a small count in the codebook": (
        "small_count_shown",
        lambda d: replace(d / "codebook.csv", f",{research_counts.HIDDEN}\n", ",4\n"),
    ),
    "a small count on the page": (
        "small_count_shown",
        lambda d: replace(d / "codebook.html", f'"n">{research_counts.HIDDEN}<', '"n">4<'),
    ),
    "another codebook header": ("release_schema", lambda d: replace(d / "codebook.csv", "tabel,", "table,")),
    "a script on the page": ("release_schema", lambda d: replace(d / "codebook.html", "</body>", "<script></script>")),
    "a stray file": ("release_schema", lambda d: (d / "linked.duckdb").write_bytes(b"")),
    "a stray table": ("release_schema", lambda d: shutil.copy(d / "persons.parquet", d / "person_link.parquet")),
    "a table in the wrong place": (
        "release_schema",
        lambda d: shutil.copy(d / EVENTS, d / "title_end_events.parquet" / "deel-0.parquet"),
    ),
}


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_gate_stops_a_planted_fault(folder: Path, tmp_path: Path, fault: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "onderzoek")
    code, plant = FAULTS[fault]
    plant(copy)
    with pytest.raises(DisclosureRefused, match=code):
        gate.check_research(copy, OUTPUT)


def test_the_gate_passes_what_we_make_and_reads_every_file(folder: Path) -> None:
    assert gate.check_research(folder, OUTPUT) == len([p for p in folder.rglob("*") if p.is_file()])


def test_the_whole_release_passes_only_with_the_label_of_the_recipient(folder: Path, tmp_path: Path) -> None:
    """The judge of a release folder knows no agreement: it wants declared columns and one label in every file."""
    copy = shutil.copytree(folder, tmp_path / "release" / "onderzoek")
    assert gate.check_release(tmp_path / "release") == gate.check_research(folder, OUTPUT)
    rewrite(copy / EVENTS, lambda t: t.cast(pa.schema([f.remove_metadata() for f in t.schema])))
    with pytest.raises(DisclosureRefused, match="label_missing"):
        gate.check_release(tmp_path / "release")


def test_a_folder_for_two_recipients_does_not_leave(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "release" / "onderzoek")
    other = pa.field("pseudonym", pa.binary(), metadata={pseudonym.KEY: b"v1/test/recipient:gemeente/epoch-1"})
    rewrite(copy / EVENTS, lambda t: t.cast(t.schema.set(0, other)))
    with pytest.raises(DisclosureRefused, match="label_missing"):
        gate.check_release(tmp_path / "release")


# The notebook --------------------------------------------------------------------------------------------------


class Cells:
    """What the notebook asks of marimo, and no more: cells in order of what they need."""

    def __init__(self, **_: Any) -> None:
        self.cells: list[Callable[..., Any]] = []

    def cell(self, function: Callable[..., Any]) -> Callable[..., Any]:
        self.cells.append(function)
        return function

    def run(self) -> dict[str, Any]:
        """Run every cell with the names the cells before it gave."""
        names: dict[str, Any] = {}
        for function in self.cells:
            wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
            given = function(*(names[name] for name in wanted))
            names |= dict(zip(_returned(function), given if isinstance(given, tuple) else (given,), strict=True))
        return names


def _returned(function: Callable[..., Any]) -> list[str]:
    """Names a cell returns, read from the notebook's text."""
    tree = ast.parse(Path(function.__code__.co_filename).read_text(encoding="utf-8"))
    cells = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    mine = next(node for node in cells if node.decorator_list[0].lineno == function.__code__.co_firstlineno)
    value = next(node.value for node in ast.walk(mine) if isinstance(node, ast.Return))
    return [name.id for name in value.elts] if isinstance(value, ast.Tuple) else [value.id]  # type: ignore[union-attr]


def test_the_notebook_has_ten_cells_that_run_offline_on_this_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = types.ModuleType("marimo")
    stub.App, stub.md = Cells, str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "marimo", stub)
    monkeypatch.chdir(folder)
    source = (folder / "start.py").read_text(encoding="utf-8")
    space = {"__name__": "start", "__file__": str(folder / "start.py")}
    exec(compile(source, str(folder / "start.py"), "exec"), space)  # noqa: S102 - our own file
    app: Any = space["app"]
    assert len(app.cells) == 10
    found = app.run()
    events = pq.read_table(folder / "title_end_events.parquet")
    assert sum(n for _, n in found["outcomes"]) == pc.sum(pc.is_null(events["excluded"])).as_py()
    assert {name: n for name, n, _ in found["rows"]}["persons"] == PEOPLE
    assert found["missing"]["pseudonym"] == events["pseudonym"].null_count
    assert all(share is None or 0 <= share <= 1 for *_, share in found["share"])
    with pytest.raises(duckdb.Error):
        found["con"].execute("from read_csv('/etc/hostname')")
    found["con"].close()


def test_marimo_itself_runs_the_notebook_where_it_is_installed(folder: Path) -> None:
    pytest.importorskip("marimo")
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [sys.executable, "start.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# The manual ----------------------------------------------------------------------------------------------------


MANUAL = Path(declared.__file__).parents[1] / "docs" / "researcher.md"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)


def test_every_code_block_of_the_manual_has_a_language_that_is_run_here() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sql", "yaml", "console", "csv"}


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "python"])
def test_a_python_block_of_the_manual_runs_in_the_folder(folder: Path, block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "csv"])
def test_a_table_of_the_manual_is_read_and_judged_by_output_checking(tmp_path: Path, block: str) -> None:
    """Its hidden cell is the total minus the other, and might be shown: pass. With one who has most of A: fail."""
    path = tmp_path / "uren.csv"
    path.write_text(block, encoding="utf-8")
    table = tables.read(path)
    assert table.magnitude
    assert checking.check([table]).status == "pass"
    path.write_text(block.replace(";300;200;14", ";700;200;14"), encoding="utf-8")
    (found,) = checking.check([tables.read(path)]).findings
    assert found.counts["dominance"] == 1


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "sql"])
def test_an_sql_block_of_the_manual_runs(folder: Path, block: str) -> None:
    with delivered(folder, OUTPUT) as con:
        assert con.execute(block).fetchall() is not None


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "yaml"])
def test_a_yaml_block_of_the_manual_is_part_of_an_agreement(block: str) -> None:
    content = yaml.safe_load(block)
    changes = {f"{t}__{c}": a for t, cs in content.pop("columns", {}).items() for c, a in cs.items()}
    assert changed(**content, **changes).output == OUTPUT.output


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "console"])
def test_a_console_block_of_the_manual_uses_the_views_as_they_are(folder: Path, block: str) -> None:
    """The DuckDB command line may not be here; its -c arguments are statements, run as it would run them."""
    for line in block.strip().splitlines():
        command, *arguments = re.findall(r'"[^"]*"|\S+', line.removeprefix("$ "))
        if command == "duckdb":
            code = "import duckdb,sys; c=duckdb.connect(); [c.execute(s).fetchall() for s in sys.argv[1:]]"
            texts = [a.strip('"') for a in arguments if a != "-c"]
            texts = [(folder / t.split()[1]).read_text("utf-8") if t.startswith(".read") else t for t in texts]
            done = subprocess.run([sys.executable, "-c", code, *texts], cwd=folder, capture_output=True, check=False)
            assert done.returncode == 0
        else:
            assert command == "marimo" and (folder / arguments[-1]).is_file()
