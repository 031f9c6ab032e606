"""What a workbook of ours is to a reader we did not write: text stays text, and there is no clock in it."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import openpyxl
import pytest

from release.workbook import Book

LINES = [["=1+1", "007", 10], ["http://example.org", "x", None]]


def made(path: Path) -> Path:
    with Book(path) as book:
        book.sheet("gemeente", ("naam", "code", "aantal"), LINES, (30, 10, 10))
        book.legend([("x", "Verborgen.")])
    return path


def test_text_is_no_formula_no_number_and_no_link(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(made(tmp_path / "a.xlsx"))
    sheet = book["gemeente"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)] == LINES
    assert {cell.data_type for row in sheet.iter_rows(min_row=2, max_col=2) for cell in row} == {"s"}
    assert all(cell.hyperlink is None for row in sheet.iter_rows() for cell in row)


def test_the_heads_are_bold_frozen_and_filtered_and_the_last_sheet_explains(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(made(tmp_path / "a.xlsx"))
    sheet = book["gemeente"]
    assert all(cell.font.bold for cell in sheet[1])
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:C3")
    assert sheet.column_dimensions["A"].width == pytest.approx(30, abs=1)
    assert book.sheetnames == ["gemeente", "toelichting"]
    assert all(sheet.sheet_state == "visible" for sheet in book.worksheets)


def test_the_same_table_gives_the_same_bytes_whenever_it_is_written(tmp_path: Path) -> None:
    first = made(tmp_path / "a.xlsx").read_bytes()
    time.sleep(1.1)  # the clock of the file's properties counts seconds, that of the archive two
    assert made(tmp_path / "b.xlsx").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "b.xlsx") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_a_book_that_failed_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), Book(tmp_path / "a.xlsx"):
        raise ValueError("broken")
    assert not list(tmp_path.iterdir())
