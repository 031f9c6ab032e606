"""How a workbook of ours ends: a sheet that explains, and no clock, so that the same table gives the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from openpyxl import Workbook

_EPOCH = (2020, 1, 1, 0, 0, 0)


def finish(book: Workbook, path: Path, legend: Iterable[tuple[str, str]], *, width: int = 100) -> Path:
    """Add the legend, word by word, as the last sheet, and write the file."""
    sheet = book.create_sheet("toelichting")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 30, width
    for line in legend:
        sheet.append(line)
    raw = io.BytesIO()
    book.save(raw)
    path.write_bytes(still(raw.getvalue()))
    return path


def still(data: bytes) -> bytes:
    """The same archive with fixed times: the same table gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _no_clock(content)
            target.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _no_clock(xml: bytes) -> bytes:
    return re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2020-01-01T00:00:00Z", xml)
