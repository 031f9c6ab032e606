"""Find numbers that must not be there, in every form a program leaves them behind.

`scan(folder, numbers)` reads every file below a folder, raw and decoded: text (ASCII, UTF-16), hex and base64 of it,
32- and 64-bit integers and doubles at every byte offset and both byte orders, members of ZIP archives (XLSX),
gzip, the cells of SQLite databases, and the values of every Parquet and Arrow column. It returns where, never what.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_DIGITS = re.compile(rb"(?=([0-9]{9}))")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){9,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
Hit = tuple[str, str]


def scan(folder: Path, numbers: Iterable[str]) -> list[Hit]:
    """(file, form) of every place where one of the nine-digit numbers is found, sorted."""
    wanted = frozenset(numbers)
    assert wanted and all(len(n) == 9 and n.isdigit() for n in wanted)
    hits: set[Hit] = set()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        hits |= {(name, f"file name: {form}") for form in _texts(name.encode(), wanted)}
        hits |= {(name, form) for form in _forms(path.read_bytes(), wanted)}
        hits |= {(name, form) for form in _decoded(path, wanted)}
    return sorted(hits)


def _forms(data: bytes, wanted: frozenset[str]) -> Iterator[str]:
    yield from _texts(data, wanted)
    yield from _binaries(data, wanted)
    if data[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from (f"zip member, {form}" for form in _texts(archive.read(member), wanted))
    if data[:2] == b"\x1f\x8b":
        yield from (f"gzip, {form}" for form in _texts(gzip.decompress(data), wanted))


def _texts(data: bytes, wanted: frozenset[str]) -> Iterator[str]:
    if _has(data, wanted):
        yield "text"
    if any(_has(data[start::2], wanted) for start in (0, 1)):
        yield "utf-16"
    for token in _HEX.findall(data):
        if any(_has(binascii.unhexlify(token[s : len(token) - (len(token) - s) % 2]), wanted) for s in (0, 1)):
            yield "hex"
    for token in _BASE64.findall(data):
        for start in range(4):
            part = token[start:].replace(b"-", b"+").replace(b"_", b"/")
            part = part[: len(part) // 4 * 4]
            if part and _has(base64.b64decode(part), wanted):
                yield "base64"


def _has(data: bytes, wanted: frozenset[str]) -> bool:
    return any(match.decode() in wanted for match in _DIGITS.findall(data))


def _binaries(data: bytes, wanted: frozenset[str]) -> Iterator[str]:
    if len(wanted) > 200:  # so many numbers match random bytes by chance; columns are decoded instead
        return
    # Four bytes occur by chance in compressed and encrypted data (one in a few dozen runs): there the decoded
    # columns tell. Eight bytes do not.
    random = data[:4] in (b"PAR1", b"PK\x03\x04") or data[:2] == b"\x1f\x8b" or data.startswith(b"age-encryption.org")
    for kind in (*(() if random else ("<i4", ">i4")), "<i8", ">i8", "<f8", ">f8"):
        width = int(kind[-1])
        values = np.array([float(n) if "f" in kind else int(n) for n in wanted], kind)
        for start in range(width):
            usable = (len(data) - start) // width * width
            if usable > 0 and np.isin(np.frombuffer(data, kind, offset=start, count=usable // width), values).any():
                yield f"binary {kind}"


def _decoded(path: Path, wanted: frozenset[str]) -> Iterator[str]:
    head = path.read_bytes()[:16]
    if head[:4] == b"PAR1":
        for column in pq.read_table(path).itercolumns():
            if _column_has(column, wanted):
                yield "parquet column"
    if head == b"SQLite format 3\x00":
        yield from _sqlite(path, wanted)


def _column_has(column: pa.ChunkedArray, wanted: frozenset[str]) -> bool:
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        return _has(str(column.to_pylist()).encode(), wanted)
    if pa.types.is_binary(column.type) or pa.types.is_fixed_size_binary(column.type):
        return any(_has(value, wanted) for value in column.to_pylist() if value)
    text = pc.cast(column, pa.string()) if not pa.types.is_string(column.type) else column
    found = pc.unique(text).to_pylist()
    return any(_has(re.sub(r"\.0$", "", value).zfill(9).encode(), wanted) for value in found if value)


def _sqlite(path: Path, wanted: frozenset[str]) -> Iterator[str]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in database.execute(f'select * from "{table}"'):
                cells = b"\n".join(c if isinstance(c, bytes) else str(c).encode() for c in row if c is not None)
                if _has(cells, wanted):
                    yield f"sqlite table {table}"
                    break
