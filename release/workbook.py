"""A workbook of ours: sheets of rows below a frozen head, a sheet that explains, and no clock.

The same table gives the same bytes. Text is text: nothing becomes a formula, a link or a number by how it looks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

Cell = str | int | None
_EPOCH = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_PLAIN = {
    "in_memory": True,  # no temporary file anywhere
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


class Book:
    """One XLSX file, written when its `with` block ends without an error."""

    def __init__(self, path: Path) -> None:
        self._book = Workbook(str(path), _PLAIN)
        self._book.set_properties({"created": _EPOCH})
        self._bold = self._book.add_format({"bold": True})

    def sheet(
        self, name: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[float] = ()
    ) -> None:
        """A table: bold heads that stay in sight, a filter per column, widths in characters."""
        sheet = self._sheet(name, widths)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(rows), len(heads) - 1)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, self._bold)
        _fill(sheet, rows, 1)

    def legend(self, lines: Iterable[tuple[str, str]], width: float = 100) -> None:
        """The last sheet: word by word, what the others mean."""
        _fill(self._sheet("toelichting", (30, width)), lines, 0)

    def _sheet(self, name: str, widths: Sequence[float]) -> Worksheet:
        sheet = self._book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        return sheet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if failed is None:
            self._book.close()


def _fill(sheet: Worksheet, rows: Iterable[Sequence[Cell]], first: int) -> None:
    for number, row in enumerate(rows, start=first):
        for column, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(number, column, value)
            elif value is not None:
                sheet.write_number(number, column, value)
