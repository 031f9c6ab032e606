"""Write an edition: equal bytes for equal content, the same cells in each file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from release.deliver import sdmx
from release.deliver.face import HEADS, Face
from release.workbook import Book

WIDTHS = (16, 10, 30, 10, 18, 60, 10, 12, 14)
CSVW = "csv-metadata.json"


def write(face: Face, out: Path) -> list[Path]:
    """Every format that the audience gets, but for the page, which needs more than the cube (release/report)."""
    made: list[Path] = []
    for name in [name for name in face.rules.formats if name in FORMATS]:
        made += FORMATS[name](face, out)
    return made


def _csv(face: Face, out: Path) -> list[Path]:
    """Semicolons, CRLF and a byte order mark: what Dutch Excel opens with a double click."""
    made = []
    for name in face.tables:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
        writer.writerow(HEADS)
        writer.writerows(["" if cell is None else cell for cell in row] for row in face.rows(name))
        path = out / f"{name}.csv"
        path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8"))
        made.append(path)
    return made


def _csvw(face: Face, out: Path) -> list[Path]:
    """CSV on the Web: what the columns of the CSV files are, for machines."""
    notes = [{"@type": "rdfs:comment", "value": f"{word}: {text}"} for word, text in face.legend()]
    content = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "nl"}],
        "dc:title": face.title,
        "notes": notes,
        "dialect": {"delimiter": ";", "encoding": "utf-8-sig", "lineTerminators": ["\r\n"], "header": True},
        "tables": [
            {
                "url": f"{name}.csv",
                "tableSchema": {
                    "columns": [_column(head) for head in HEADS],
                    "primaryKey": ["niveau", "code", "halfjaar", "maat"],
                },
            }
            for name in face.tables
        ],
    }
    path = out / CSVW
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path]


def _column(head: str) -> dict[str, Any]:
    if head == "aantal":
        whole = {"base": "integer", "minimum": 10}
        return {"name": head, "titles": head, "datatype": whole, "null": "", "required": False}
    kind: object = {"base": "string", "format": "getoond|verborgen"} if head == "status" else "string"
    return {"name": head, "titles": head, "datatype": kind, "required": True}


def _parquet(face: Face, out: Path) -> list[Path]:
    """Typed, with dictionary codes for everything that repeats."""
    made = []
    told = {word.encode(): text.encode() for word, text in face.legend()}
    for name in face.tables:
        columns = list(zip(*face.rows(name), strict=True))
        arrays = [
            pa.array(values, pa.int64()) if head == "aantal" else pa.array(values, pa.string()).dictionary_encode()
            for head, values in zip(HEADS, columns, strict=True)
        ]
        path = out / f"{name}.parquet"
        pq.write_table(pa.table(arrays, names=list(HEADS)).replace_schema_metadata(told), path, compression="zstd")
        made.append(path)
    return made


def _xlsx(face: Face, out: Path) -> list[Path]:
    """A sheet per table and a legend; no formula, no hidden sheet or column, no macro."""
    path = out / "doelgroep.xlsx"
    with Book(path) as book:
        for name in face.tables:
            book.sheet(name.removeprefix("doelgroep_per_"), HEADS, face.rows(name), WIDTHS)
        book.legend(face.legend())
    return [path]


FORMATS: dict[str, Callable[[Face, Path], list[Path]]] = {
    "csv": _csv,
    "csvw": _csvw,
    "parquet": _parquet,
    "xlsx": _xlsx,
    "sdmx": sdmx.write,
}
