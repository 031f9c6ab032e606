"""The gate's judge of what VNG and municipalities get: every count in every format is hidden or a multiple of 5.

Files of estimates are told by their columns and read back into the type that cannot hold an unsafe one.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from release import estimate_files
from release.disclosure import BASE, HIDDEN, THRESHOLD
from release.estimates import Estimates
from release.export import HEADS
from release.report.page import SCRIPT
from schemas.errors import DisclosureRefused
from schemas.estimates import SCHATTINGEN
from schemas.target_group import DOELGROEP

_NUMBER_CELL = re.compile(r'<td class="n[^"]*">(?:<[^>]*>)?([^<]*)<')
# The headline numbers and the words on the map are counts too.
_NUMBER_TEXT = re.compile(r"<div><b>([^<]*)</b>|<title>[^<]*?: (\d[\d.]*) personen")


def check(folder: Path) -> int:
    """Number of files checked. DisclosureRefused small_count_shown or release_schema."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in files:
        if path.suffix == ".sql":
            raise DisclosureRefused("release_schema", kind="file")
        for count in _READERS.get(path.suffix, _none)(path):
            require_safe(count)
    return len(files)


def require_safe(shown: str) -> None:
    """One count as it is shown: the symbol, or a multiple of 5 from 10 up."""
    text = shown.strip().replace(".", "")
    if text == HIDDEN:
        return
    if not text.isdigit() or int(text) < THRESHOLD or int(text) % BASE:
        raise DisclosureRefused("small_count_shown")


def _none(path: Path) -> list[str]:
    return []


def _csv(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file, delimiter=";"))
    return _counts(lines)


def _xlsx(path: Path) -> list[str]:
    book = CalamineWorkbook.from_path(path)  # a reader other than the writer
    found = []
    for sheet in book.sheets_metadata:
        if sheet.visible != SheetVisibleEnum.Visible:
            raise DisclosureRefused("release_schema", kind="hidden_sheet")
        if sheet.name != "toelichting":
            found += _counts([[_shown(cell) for cell in row] for row in book.get_sheet_by_name(sheet.name).to_python()])
    return found


def _shown(cell: object) -> str:
    """A cell as a spreadsheet shows it; whole numbers are floats inside."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _counts(lines: list[list[str]]) -> list[str]:
    if lines and tuple(lines[0]) == estimate_files.HEADS:
        estimate_files.judge(lines[1:])
        return []
    if not lines or tuple(lines[0]) != HEADS:
        raise DisclosureRefused("release_schema")
    return [line[HEADS.index("aantal")] for line in lines[1:]]


def _parquet(path: Path) -> list[str]:
    table = pq.read_table(path)
    if table.column_names == list(SCHATTINGEN.names):
        Estimates(table)
        return []
    if table.column_names != list(DOELGROEP.names):
        raise DisclosureRefused("release_schema")
    counts = [HIDDEN if value is None else str(value) for value in table["aantal"].to_pylist()]
    shown: list[str] = table["weergave"].to_pylist()
    return counts + shown


def numbers_of_page(path: Path) -> list[int | None]:
    """Every count on a page; None where it is hidden. DisclosureRefused release_schema, small_count_shown."""
    found: list[int | None] = []
    for shown in _html(path):
        text = shown.strip().replace(".", "")
        if text != HIDDEN and not text.isdigit():
            raise DisclosureRefused("small_count_shown")
        found.append(None if text == HIDDEN else int(text))
    return found


def _html(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8").replace(f"<script>{SCRIPT}</script>", "", 1)
    if re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//|@import|url\(\s*[\"']?http|<script", text):
        raise DisclosureRefused("release_schema", kind="outside_request")
    return _NUMBER_CELL.findall(text) + [a or b for a, b in _NUMBER_TEXT.findall(text)]


_READERS = {".csv": _csv, ".xlsx": _xlsx, ".parquet": _parquet, ".html": _html}
