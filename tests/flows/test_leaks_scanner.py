"""The scanner finds a number in every form it claims to find; otherwise the leak tests could not fail."""

from __future__ import annotations

import base64
import gzip
import sqlite3
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.flows.leaks import scan

NUMBER = "999990019"  # RvIG test range
VALUE = int(NUMBER)


def plant(folder: Path, form: str) -> None:
    path = folder / "x.bin"
    text = f"xx{NUMBER}yy".encode()
    simple = {
        "text": text,
        "utf-16-le": text.decode().encode("utf-16-le"),
        "utf-16-be": b"\x00" + text.decode().encode("utf-16-be"),
        "hex": b"key=" + NUMBER.encode().hex().encode(),
        "hex-odd": b"0" + NUMBER.encode().hex().encode(),
        "base64-0": base64.b64encode(text),
        "base64-1": base64.b64encode(b"a" + text),
        "base64-2": base64.urlsafe_b64encode(b"ab\xff\xfe" + text),
        "int32": b"\x01" + struct.pack("<i", VALUE),
        "int32-be": struct.pack(">i", VALUE),
        "int64": b"abc" + struct.pack("<q", VALUE),
        "float64": b"ab" + struct.pack("<d", float(VALUE)),
        "gzip": gzip.compress(text),
    }
    if form in simple:
        path.write_bytes(simple[form])
    elif form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.xml", text * 3)
    elif form == "file name":
        (folder / f"export_{NUMBER}.csv").write_text("")
    elif form == "sqlite":
        database = sqlite3.connect(path)
        database.execute("create table t (a)")
        database.execute("insert into t values (?)", (VALUE,))
        database.commit()
        database.close()
    else:
        column = {
            "parquet-text": pa.array([None, f"BSN {NUMBER}"]),
            "parquet-int": pa.array([VALUE]),
            "parquet-float": pa.array([float(VALUE)]),
            "parquet-binary": pa.array([text]),
            "parquet-list": pa.array([[NUMBER]]),
        }[form]
        pq.write_table(pa.table({"a": column}), path, compression="zstd")


FORMS = (
    *("text", "utf-16-le", "utf-16-be", "hex", "hex-odd", "base64-0", "base64-1", "base64-2", "int32", "int32-be"),
    *("int64", "float64", "gzip", "zip", "file name", "sqlite"),
    *("parquet-text", "parquet-int", "parquet-float", "parquet-binary", "parquet-list"),
)


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_number_is_found(tmp_path: Path, form: str) -> None:
    assert scan(tmp_path, [NUMBER]) == []
    plant(tmp_path, form)
    assert scan(tmp_path, [NUMBER]) != []


@pytest.mark.parametrize("form", FORMS)
def test_another_number_is_not(tmp_path: Path, form: str) -> None:
    plant(tmp_path, form)
    assert scan(tmp_path, ["999994669"]) == []
