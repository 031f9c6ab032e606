"""Read what was written, from disk: what each file says of each cell, for the attacker and for the gate.

A cell is (level, code, half-year, measure); its count is a number or None where it is hidden. The same cell must be the
same in every file. Readers are not the writers: XLSX is read by calamine, Parquet by Arrow, the page by its cells.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from release.deliver.face import CLOSED, HEADS, SHOWN
from release.deliver.sdmx import COLUMNS, MISSING
from schemas.errors import DisclosureRefused

Cell = tuple[str, str, str, str]
Counts = dict[Cell, int | None]
_WHOLE = re.compile(r"\d+")


def folder(path: Path) -> Counts:
    """What all files of a folder say together. DisclosureRefused changed_count when two files differ."""
    found: Counts = {}
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        for cell, count in file_of(file).items():
            if found.setdefault(cell, count) != count:
                raise DisclosureRefused("changed_count")
    return found


def file_of(path: Path) -> Counts:
    """What one file says; nothing when it holds no cells. DisclosureRefused release_schema when it cannot be read."""
    for ending, reader in _READERS.items():
        if path.name.endswith(ending):
            return reader(path)
    return {}


def _lines(lines: list[list[str]]) -> Counts:
    if not lines or tuple(lines[0]) != HEADS:
        return {}
    found: Counts = {}
    for line in lines[1:]:
        row = dict(zip(HEADS, line, strict=True))
        _put(found, (row["niveau"], row["code"], row["halfjaar"], row["maat"]), row["aantal"], row["status"])
    return found


def _put(found: Counts, cell: Cell, count: str, status: str) -> None:
    """One cell: a whole number that is shown, or nothing that is hidden; and it comes once."""
    shown = _WHOLE.fullmatch(count) is not None
    if cell in found or status != (SHOWN if shown else CLOSED) or (count and not shown):
        raise DisclosureRefused("release_schema", kind="cells")
    found[cell] = int(count) if shown else None


def _csv(path: Path) -> Counts:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return _lines(list(csv.reader(file, delimiter=";")))


def _sdmx(path: Path) -> Counts:
    found: Counts = {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if tuple(lines[0]) != COLUMNS:
        raise DisclosureRefused("release_schema", kind="sdmx")
    for line in lines[1:]:
        row = dict(zip(COLUMNS, line, strict=True))
        status = {("A", "F"): SHOWN, ("Q", "C"): CLOSED}.get((row["OBS_STATUS"], row["CONF_STATUS"]), "")
        half = row["TIME_PERIOD"].replace("-S", "H")
        _put(
            found,
            (row["NIVEAU"].lower(), row["GEBIED"], half, row["MAAT"].lower()),
            row["OBS_VALUE"].removeprefix(MISSING),
            status,
        )
    return found


def _parquet(path: Path) -> Counts:
    table = pq.read_table(path)
    if tuple(table.column_names) != HEADS:
        return {}
    rows = [["" if cell is None else str(cell) for cell in row.values()] for row in table.to_pylist()]
    return _lines([list(HEADS), *rows])


def _xlsx(path: Path) -> Counts:
    book = CalamineWorkbook.from_path(path)
    found: Counts = {}
    for sheet in book.sheets_metadata:
        if sheet.visible != SheetVisibleEnum.Visible:
            raise DisclosureRefused("release_schema", kind="hidden_sheet")
        rows = [[_word(cell) for cell in row] for row in book.get_sheet_by_name(sheet.name).to_python()]
        found |= _lines(rows)
    return found


def _word(cell: object) -> str:
    """A cell as a spreadsheet shows it; whole numbers are floats inside."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


_READERS: dict[str, Callable[[Path], Counts]] = {
    ".sdmx.csv": _sdmx,
    ".csv": _csv,
    ".parquet": _parquet,
    ".xlsx": _xlsx,
}
