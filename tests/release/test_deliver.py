"""One protected cube in every format, each opened by a reader we did not write, and searched for true small counts."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import csvw
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from pysdmx.io import get_datasets, read_sdmx

from release.deliver import read, write
from release.deliver.face import HEADS, Face
from release.protect import spec as specification
from release.protect.edition import EXACT, Protected, shown_table
from schemas.errors import DisclosureRefused
from tests.release.additive import target_group

SPEC = specification.load()
SOME = frozenset({"Zeeland", "Flevoland"})
PROVENANCE = {"release": "r1", "gegevens": "synthetisch", "run": "0123456789ab"}


def true_counts() -> pa.Table:
    return target_group(mean=12, provinces=SOME)


@pytest.fixture(scope="module")
def face() -> Face:
    """The exact edition, of which every third cell of 10 and more is hidden too; small counts are 1 to 9."""
    table = true_counts()
    kept = [n if n >= 10 and i % 3 else None for i, n in enumerate(table["aantal"].to_pylist())]
    protected = Protected(shown_table(table, pa.array(kept, pa.int64())), EXACT)
    return Face(protected, SPEC.tables, SPEC.basis, SPEC.title, PROVENANCE)


@pytest.fixture(scope="module")
def folder(face: Face, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vng")
    write.write(face, out)
    return out


def expected(face: Face) -> dict[tuple[str, str, str, str], int | None]:
    rows = face.protected.table.to_pylist()
    return {(r["niveau"], r["code"], r["halfjaar"], r["maat"]): r["aantal"] for r in rows}


def test_every_file_says_the_same_and_all_of_them_say_the_whole_cube(face: Face, folder: Path) -> None:
    whole = expected(face)
    assert read.folder(folder) == whole
    for ending in ("csv", "parquet"):
        parts = [read.file_of(folder / f"{name}.{ending}") for name in SPEC.tables]
        assert parts[0] | parts[1] == whole
    assert read.file_of(folder / "doelgroep.xlsx") == read.file_of(folder / "doelgroep.sdmx.csv") == whole


def test_equal_cubes_give_equal_bytes(face: Face, folder: Path, tmp_path: Path) -> None:
    write.write(face, tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_sdmx_is_read_back_with_its_structure_by_pysdmx(face: Face, folder: Path) -> None:
    """The structure is valid SDMX-ML 2.1 (checked against the standard's schemas), and the data belong to it."""
    structure = read_sdmx(folder / "doelgroep.structure.xml", validate=True)
    assert {c.id for c in structure.get_codelists()} >= {"CL_MAAT", "CL_GEBIED", "CL_CONF_STATUS"}
    (definition,) = structure.get_data_structure_definitions()
    assert [d.id for d in definition.components.dimensions] == ["FREQ", "NIVEAU", "GEBIED", "MAAT", "TIME_PERIOD"]
    (data,) = get_datasets(folder / "doelgroep.sdmx.csv", folder / "doelgroep.structure.xml")
    found = data.data
    whole = expected(face)
    assert len(found) == len(whole)
    hidden = found["CONF_STATUS"] == "C"
    assert int(hidden.sum()) == sum(count is None for count in whole.values())
    assert set(found.loc[hidden, "OBS_VALUE"]) == {"#N/A"}  # the standard's "missing on purpose"
    assert set(found["MAAT"]) <= {code.id for code in definition.components["MAAT"].enumeration}
    assert int(found.loc[~hidden, "OBS_VALUE"].astype(int).min()) >= 10


def test_csv_on_the_web_is_valid_and_gives_typed_rows(face: Face, folder: Path) -> None:
    group = csvw.CSVW(str(folder / write.CSVW), validate=True)
    assert group.is_valid
    rows = [
        row for table in csvw.TableGroup.from_file(folder / write.CSVW).tables for row in table.iterdicts(strict=True)
    ]
    found = {(r["niveau"], r["code"], r["halfjaar"], r["maat"]): r["aantal"] for r in rows}
    assert found == expected(face)


def test_a_count_below_ten_breaks_the_metadata_of_its_own_file(folder: Path, tmp_path: Path) -> None:
    """The smallest count stands in the metadata, so a reader that validates would see it too."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "doelgroep_per_gemeente.csv"
    path.write_bytes(re.sub(rb";\d+;getoond", b";7;getoond", path.read_bytes(), count=1))
    with pytest.raises(ValueError, match="value must be >= 10"):
        [
            row
            for table in csvw.TableGroup.from_file(tmp_path / write.CSVW).tables
            for row in table.iterdicts(strict=True)
        ]


def test_dutch_excel_opens_the_csv_and_pandas_the_parquet(face: Face, folder: Path) -> None:
    raw = (folder / "doelgroep_per_gemeente.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") and raw.count(b"\r\n") == raw.count(b"\n")
    text = pd.read_csv(folder / "doelgroep_per_gemeente.csv", sep=";", encoding="utf-8-sig", dtype={"code": str})
    table = pd.read_parquet(folder / "doelgroep_per_gemeente.parquet")
    assert list(text.columns) == list(table.columns) == list(HEADS)
    assert table["aantal"].isna().sum() == text["aantal"].isna().sum() > 0
    assert set(text["status"]) == {"getoond", "verborgen"}
    assert pa.types.is_dictionary(pq.read_schema(folder / "doelgroep_per_gemeente.parquet").field("maat").type)


def test_the_workbook_has_a_legend_and_nothing_inside_that_is_not_seen(folder: Path) -> None:
    book = load_workbook(folder / "doelgroep.xlsx")
    assert book.sheetnames == ["gemeente", "regio", "toelichting"]
    assert all(sheet.sheet_state == "visible" for sheet in book)
    assert not any(
        d.hidden for sheet in book for d in (*sheet.column_dimensions.values(), *sheet.row_dimensions.values())
    )
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not any(cell.data_type == "f" or cell.comment for cell in cells)
    assert "verborgen" in {cell.value for cell in book["toelichting"]["A"]}
    names = zipfile.ZipFile(folder / "doelgroep.xlsx").namelist()
    assert not any(word in name for name in names for word in ("pivot", "vba", "external", "comments", "calcChain"))


def test_no_true_small_count_stands_in_any_file(face: Face, folder: Path) -> None:
    """Every cell that is small in truth is searched in each file as its neighbours would stand: hidden, everywhere."""
    small = {
        (r["niveau"], r["code"], r["halfjaar"], r["maat"]): r["aantal"]
        for r in true_counts().to_pylist()
        if 0 < r["aantal"] < 10
    }
    assert len(small) > 50
    for file in folder.iterdir():
        said = read.file_of(file)
        assert all(said.get(cell) is None for cell in small), file.name
    texts = [(folder / f"{name}.csv").read_text("utf-8-sig") for name in SPEC.tables]
    texts.append((folder / "doelgroep.sdmx.csv").read_text("utf-8"))
    assert not any(re.search(r"[;,][0-9][;,](getoond|verborgen|[AQ],)", text) for text in texts)
    sheets = zipfile.ZipFile(folder / "doelgroep.xlsx")
    inside = "".join(sheets.read(name).decode() for name in sheets.namelist() if "worksheets" in name)
    assert not re.search(r"<v>[0-9]</v></c><c [^>]*><is><t>(getoond|verborgen)", inside)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("doelgroep_per_regio.csv", (rb";\d+;getoond", b";11;getoond"), "changed_count"),
        ("doelgroep_per_regio.csv", (rb";\d+;getoond", b";7;verborgen"), "release_schema"),
        ("doelgroep_per_regio.csv", (rb";;verborgen", b";;getoond"), "release_schema"),
        ("doelgroep.sdmx.csv", (rb"(\d+),A,F", rb"\1,Q,C"), "release_schema"),
        ("doelgroep.sdmx.csv", (rb"OBS_VALUE", b"VALUE"), "release_schema"),
    ],
)
def test_a_file_that_was_changed_by_hand_is_found(
    folder: Path, tmp_path: Path, name: str, change: tuple[bytes, bytes], code: str
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(re.sub(*change, before, count=1))
    assert (tmp_path / name).read_bytes() != before
    with pytest.raises(DisclosureRefused, match=code):
        read.folder(tmp_path)


def test_what_a_reader_needs_to_know_travels_with_every_file(folder: Path) -> None:
    meta = json.loads((folder / write.CSVW).read_text("utf-8"))
    assert any("verzonnen" in note["value"] for note in meta["notes"])
    told = pq.read_schema(folder / "doelgroep_per_regio.parquet").metadata
    assert "verzonnen" in told[b"let op"].decode() and b"release" in told
