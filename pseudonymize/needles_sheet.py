"""Cells of an XLSX by sheet and column, straight from its XML: bounded by the archive's size, no library."""

from __future__ import annotations

import html
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator

import pyarrow as pa

_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_CELL = re.compile(r'<c\s[^>]*?r="([A-Z]+)[0-9]+"([^>]*)>(.*?)</c>', re.DOTALL)
_VALUE = re.compile(r"<v>([^<]*)</v>")
_TEXT = re.compile(r"<t[^>]*>([^<]*)</t>")
_SHARED = re.compile(r"<si>(.*?)</si>", re.DOTALL)


def sheet_columns(archive: zipfile.ZipFile) -> Iterator[tuple[str, pa.Array]]:
    """(sheet and column letters, values as text) for every column of every sheet; nothing for another archive."""
    names = [name for name in archive.namelist() if _SHEET.fullmatch(name)]
    if not names:
        return
    shared = _shared(archive)
    for number, name in enumerate(names, 1):
        cells: dict[str, list[str]] = defaultdict(list)
        for letters, attributes, body in _CELL.findall(archive.read(name).decode("utf-8", "replace")):
            cells[letters].append(_value(attributes, body, shared))
        for letters, values in cells.items():
            yield f"sheet {number} {letters}", pa.array(values, pa.string())


def _shared(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    text = archive.read("xl/sharedStrings.xml").decode("utf-8", "replace")
    return [html.unescape("".join(_TEXT.findall(item))) for item in _SHARED.findall(text)]


def _value(attributes: str, body: str, shared: list[str]) -> str:
    found = _VALUE.search(body)
    if found is None:
        return html.unescape("".join(_TEXT.findall(body)))
    if 't="s"' in attributes and found[1].isdigit() and int(found[1]) < len(shared):
        return shared[int(found[1])]
    return html.unescape(found[1])
