"""Given these rows of an extract, these are accepted, quarantined with a reason, or counted as out of scope."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from schemas import reading
from schemas.column import Role
from schemas.errors import DeliveryError
from schemas.reading import TextBatch, batches
from schemas.registers import REGISTERS
from schemas.validate import Verdict, validate

INJUS = REGISTERS["injus"]
GOOD = {
    "melding_id": "M1",
    "skn": "S1",
    "geboortejaar": "1980",
    "geslacht": "M",
    "soort_melding": "EINDE_DETENTIE",
    "sector": "GW",
    "detentie_id": "D1",
    "datum_gebeurtenis": "2022-03-01",
    "datum_melding": "2022-03-02",
    "gemeentecode_brp": "0363",
    "verblijfstitel": "GEVANGENISSTRAF",
    "reden_einde": "EINDE_STRAF",
}


def judge(*changes: dict[str, str | None], register: str = "injus", good: dict[str, str] | None = None) -> Verdict:
    """One row per change, each the good row with those cells replaced."""
    declared = REGISTERS[register]
    rows = [{**(good or GOOD), **change} for change in changes]
    table = pa.table({c.name: pa.array([row.get(c.name) for row in rows], pa.string()) for c in declared.columns})
    return validate(declared, TextBatch(table, pa.array(range(1, len(rows) + 1), pa.int64())))


def reasons(verdict: Verdict) -> list[str]:
    return verdict.quarantined["reason"].to_pylist()


def test_a_good_row_is_accepted_and_typed() -> None:
    verdict = judge({})
    row = verdict.accepted.to_pylist()[0]
    assert row["datum_gebeurtenis"] == dt.date(2022, 3, 1)
    assert row["geboortejaar"] == 1980
    assert row["bsn"] is None
    assert verdict.quarantined.num_rows == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"datum_gebeurtenis": "30-02-2022"}, "DATUM_GEBEURTENIS_ONGELDIG"),
        ({"datum_gebeurtenis": "2022-13-01"}, "DATUM_GEBEURTENIS_ONGELDIG"),
        ({"datum_gebeurtenis": "gisteren"}, "DATUM_GEBEURTENIS_ONGELDIG"),
        ({"datum_gebeurtenis": None}, "DATUM_GEBEURTENIS_LEEG"),
        ({"datum_gebeurtenis": "1022-03-01"}, "DATUM_GEBEURTENIS_BUITEN_BEREIK"),
        ({"datum_melding": "2022-02-28"}, "DATUM_MELDING_VOOR_DATUM_GEBEURTENIS"),
        ({"geslacht": "X"}, "GESLACHT_ONGELDIG"),
        ({"geboortejaar": "0000"}, "GEBOORTEJAAR_BUITEN_BEREIK"),
        ({"geboortejaar": "198O"}, "GEBOORTEJAAR_ONGELDIG"),
        ({"gemeentecode_brp": "Atlantis"}, "GEMEENTECODE_BRP_ONGELDIG"),
        ({"gemeentecode_brp": "9999"}, "GEMEENTECODE_BRP_ONGELDIG"),
        ({"gemeentecode_brp": "Bergen"}, "GEMEENTECODE_BRP_ONGELDIG"),  # two municipalities are called so
        ({"soort_verlof": "KRV"}, "SOORT_VERLOF_NIET_TOEGESTAAN"),
        ({"soort_melding": None}, "SOORT_MELDING_LEEG"),
    ],
)
def test_a_broken_rule_puts_the_row_in_quarantine_with_its_reason(change: dict[str, str | None], reason: str) -> None:
    verdict = judge({}, change)
    assert reasons(verdict) == [reason]
    assert verdict.quarantined["row_number"].to_pylist() == [2]
    assert verdict.accepted_rows.to_pylist() == [1]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("363", "0363"),
        ("GM0363", "0363"),
        ("Amsterdam", "0363"),
        ("Den Haag", "0518"),
        ("s-Gravenhage", "0518"),
        ("\u2019s-Gravenhage", "0518"),
        ("Bergen (NH)", "0373"),
        ("Súdwest-Fryslân", "1900"),
        ("SUDWEST FRYSLAN", "1900"),
        ("0000", "0000"),
        ("1999", "1999"),
        ("Beemster", "0370"),  # ended in 2022; recoded by linkage, by date, not here
    ],
)
def test_a_municipality_may_be_written_as_code_or_name(written: str, code: str) -> None:
    assert judge({"gemeentecode_brp": written}).accepted["gemeentecode_brp"].to_pylist() == [code]


def test_a_planned_leave_may_be_announced_before_it_starts() -> None:
    leave = {"soort_melding": "VERLOF", "reden_einde": None, "datum_melding": "2022-02-20"}
    assert judge(leave).accepted.num_rows == 1


@pytest.mark.parametrize("written", ["2022-03-01", "01-03-2022", "1-3-2022", "01/03/2022", "2022-03-01 00:00:00"])
def test_dutch_and_iso_dates_read_alike(written: str) -> None:
    assert judge({"datum_gebeurtenis": written}).accepted["datum_gebeurtenis"].to_pylist() == [dt.date(2022, 3, 1)]


def test_youth_and_immigration_detention_are_counted_and_set_aside() -> None:
    verdict = judge({"sector": "JJI"}, {"verblijfstitel": "VREEMDELINGENBEWARING"}, {})
    assert verdict.accepted.num_rows == 1
    assert verdict.out_of_scope.to_pylist() == [
        {"reason": "JJI_BUITEN_BEREIK", "year": 2022, "kind": "EINDE_DETENTIE", "n": 1},
        {"reason": "VREEMDELINGENBEWARING", "year": 2022, "kind": "EINDE_DETENTIE", "n": 1},
    ]


IFZO = {
    "plaatsing_id": "P1",
    "skn": "S1",
    "indicatiesteller": "NIFP",
    "plaatsende_instantie": "DIZ",
    "zorgtype": "AMB_BEH",
    "titel_code": "FZT08",
    "titel_begin": "2021-01-01",
    "titel_eind": "9999-12-31",
    "titel_eind_status": "ONBEKEND",
    "status": "IN_ZORG",
}


def test_9999_means_an_unknown_end_and_not_a_date() -> None:
    assert judge({}, register="ifzo", good=IFZO).accepted["titel_eind"].to_pylist() == [None]


def test_care_may_begin_before_the_title_does() -> None:
    """Voorgenomen indicatiestelling makes that legal (registers.md section 10)."""
    assert judge({"zorg_begin": "2020-12-01"}, register="ifzo", good=IFZO).accepted.num_rows == 1


def test_an_end_before_its_begin_is_quarantined() -> None:
    assert reasons(judge({"titel_eind": "2020-12-31"}, register="ifzo", good=IFZO)) == ["TITEL_EIND_VOOR_TITEL_BEGIN"]


GMSD = {
    "verslagperiode": "2022H1",
    "gemeentecode": "0363",
    "bsn": "1",
    "productcategorie": "2",
    "leveringsvorm": "ZIN",
    "ingangsdatum": "2022-01-10",
    "publicatie_toestemming": "J",
}


def test_a_lost_leading_zero_of_a_product_category_is_put_back() -> None:
    assert judge({}, register="gmsd", good=GMSD).accepted["productcategorie"].to_pylist() == ["02"]


def test_a_reporting_period_is_a_half_year() -> None:
    assert reasons(judge({"verslagperiode": "2022"}, register="gmsd", good=GMSD)) == ["VERSLAGPERIODE_ONBEKEND"]


def test_an_unusable_identifier_is_no_reason_for_quarantine() -> None:
    """linkage.md section 7: it is emptied with a reason at the source, and the row stays."""
    assert judge({"bsn": "abc"}, {"bsn": None, "skn": None}).accepted.num_rows == 2


def test_a_crosswalk_row_without_any_number_says_nothing() -> None:
    assert reasons(judge({}, register="crosswalk", good={"x": ""})) == ["GEEN_NUMMER"]


cell = st.one_of(st.none(), st.text(max_size=8), st.sampled_from([*GOOD.values(), "JJI", "VERLOF", "9999-12-31"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries({name: cell for name in GOOD}), max_size=6))
def test_no_row_is_ever_lost_whatever_it_holds(rows: list[dict[str, str | None]]) -> None:
    verdict = judge(*rows)
    aside = sum(verdict.out_of_scope["n"].to_pylist())
    assert verdict.accepted.num_rows + verdict.quarantined.num_rows + aside == len(rows)
    assert verdict.accepted_rows.to_pylist() == sorted(set(verdict.accepted_rows.to_pylist()))


# Reading files -------------------------------------------------------------------------------------------------


def write_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8", separator: str = ";") -> Path:
    path.write_bytes("\n".join(separator.join(row) for row in rows).encode(encoding) + b"\n")
    return path


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"abcdefgh", "utf8"),
        (b"abc\xc3\xabfgh", "utf8"),  # a letter of two bytes, cut in half where a piece of four ends
        (b"abc\xc3defgh", "windows-1252"),  # half a letter, and then a piece that by itself is fine
        (b"abcdefg\xc3", "windows-1252"),  # half a letter at the end of the file
        (b"abcd\xabfgh", "windows-1252"),
        (b"", "utf8"),
    ],
)
def test_the_encoding_is_that_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, encoding: str
) -> None:
    """It is read in pieces; a piece of plain ASCII is not decoded, unless a letter is still open."""
    monkeypatch.setattr(reading, "CHUNK", 4)
    (tmp_path / "x.csv").write_bytes(content)
    assert reading.encoding_of(tmp_path / "x.csv") == encoding


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252"])
def test_csv_is_read_as_text_in_either_encoding(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [["skn", "bsn"], ["Sé1", "012345678"], ["", "8"]]
    path = write_csv(tmp_path / "x.csv", rows, encoding, separator)
    (batch,) = batches(REGISTERS["crosswalk"], path)
    assert batch.table["skn"].to_pylist() == ["Sé1", None]
    assert batch.table["bsn"].to_pylist() == ["012345678", "8"]
    assert batch.table.column_names == ["skn", "skn_soort", "bsn"]


def test_a_row_with_the_wrong_number_of_cells_is_reported_by_number(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [["skn", "bsn"], ["S1", "1"], ["S2"], ["S3", "3", "extra"], ["S4", "4"]])
    found = list(batches(REGISTERS["crosswalk"], path))
    assert [number for batch in found for number in batch.row_numbers.to_pylist()] == [1, 4]
    assert [number for batch in found for number in batch.misshapen] == [2, 3]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), max_size=80), st.integers(24, 200), st.integers(1, 5))
def test_every_row_keeps_its_number_however_the_file_is_cut(shape: list[bool], block: int, blocks: int) -> None:
    """A batch is some of the blocks that Arrow reads: rows with a cell too few lie anywhere, also at a cut."""
    lines = ["skn;bsn", *(f"S{n};{n}" if good else f"S{n}" for n, good in enumerate(shape, start=1))]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CSV_BLOCK", block)
        patch.setattr(reading, "CSV_BLOCKS", blocks)
        path = Path(folder, "x.csv")
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        found = list(batches(REGISTERS["crosswalk"], path))
    told = [number for batch in found for number in batch.row_numbers.to_pylist()]
    assert told == [n for n, good in enumerate(shape, start=1) if good]
    assert [name for batch in found for name in batch.table["skn"].to_pylist()] == [f"S{n}" for n in told]
    assert sorted(n for batch in found for n in batch.misshapen) == [n for n, good in enumerate(shape, 1) if not good]


def test_parquet_and_xlsx_give_the_same_text_as_csv(tmp_path: Path) -> None:
    pq.write_table(pa.table({"skn": ["S1", None], "bsn": [12345678, None]}), tmp_path / "x.parquet")
    book = Workbook()
    for row in (["skn", "bsn"], ["S1", 12345678], [None, None], ["S2", 1.5]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    (from_parquet,) = batches(REGISTERS["crosswalk"], tmp_path / "x.parquet")
    (from_xlsx,) = batches(REGISTERS["crosswalk"], tmp_path / "x.xlsx")
    assert from_parquet.table["bsn"].to_pylist() == ["12345678", None]
    assert from_xlsx.table["bsn"].to_pylist() == ["12345678", "1.5"]
    assert from_xlsx.row_numbers.to_pylist() == [1, 3]


def test_an_unlisted_column_is_a_hard_error_that_does_not_repeat_the_header(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [["skn", "999990019"], ["S1", "1"]])
    with pytest.raises(DeliveryError) as caught:
        list(batches(REGISTERS["crosswalk"], path))
    assert caught.value.code == "unlisted_column"
    assert caught.value.facts == {"register": "crosswalk", "position": 2}
    assert "999990019" not in repr(caught.value) + str(caught.value)


def test_a_column_that_comes_twice_is_an_error_too(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [["skn", "SKN "], ["S1", "S2"]])
    with pytest.raises(DeliveryError, match="unlisted_column"):
        list(batches(REGISTERS["crosswalk"], path))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [["melding_id"], ["M1"]])
    with pytest.raises(DeliveryError) as caught:
        list(batches(INJUS, path))
    assert caught.value.facts["column"] == "geboortejaar"


@pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.doc"])
def test_a_file_that_is_not_what_it_says_is_refused_without_its_content(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"bsn 999990019 is here")
    with pytest.raises(DeliveryError) as caught:
        list(batches(REGISTERS["crosswalk"], tmp_path / name))
    assert caught.value.code == "unreadable_file"
    assert "999990019" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_empty_parquet_file_is_zero_rows_and_no_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"skn": pa.array([], pa.string())}), tmp_path / "x.parquet")
    assert [batch.table.num_rows for batch in batches(REGISTERS["crosswalk"], tmp_path / "x.parquet")] == [0]


def test_every_register_says_which_columns_identify() -> None:
    for register in REGISTERS.values():
        assert register.identifiers
        assert not {c.name for c in register.payload_columns} & set(register.identifiers)
        assert all(c.identifying for c in register.columns if c.role is Role.RECORD_KEY)
