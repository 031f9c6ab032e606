"""The scan finds a needle in every form it claims to find; otherwise no leak test could fail.

A number is planted in each form, found, and told without its value; then pseudonyms; then columns of personal numbers.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import itertools
import json
import lzma
import random
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudonymize import bsn, cli, needles, needles_density, scan
from pseudonymize.domain import Domain
from pseudonymize.needles import Needle, Sign
from pseudonymize.needles_density import Density, tail
from pseudonymize.needles_match import Matcher
from pseudonymize.scan import Scanner
from schemas.errors import DisclosureRefused

NUMBER, OTHER = "999990019", "999994669"  # RvIG test range
VALUE = int(NUMBER)
TEXT = f"xx{NUMBER}yy".encode()
PSEUDONYM = hashlib.sha256(b"nobody").digest()
LINK = Domain("v1", "demo", "link", "epoch-1")
TO_LOOK_FOR = [*needles.of_numbers([NUMBER]), Needle(LINK.label, PSEUDONYM)]


def found(folder: Path, wanted: list[Needle] | None = None, **how: object) -> set[tuple[str, str]]:
    """(form, domain) of every hit."""
    answer = Scanner(wanted or TO_LOOK_FOR).scan(folder, **how)  # type: ignore[arg-type]
    return {(hit.form, hit.domain) for hit in answer.hits}


def zipped(data: bytes, name: str = "a.xml") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("a")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def packed(data: bytes, codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def ipc(kind: str, codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"a": pa.array([NUMBER] * 50)})
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


PLAIN: dict[str, bytes] = {
    "text": TEXT,
    "utf-16 little endian": TEXT.decode().encode("utf-16-le"),
    "utf-16 big endian": TEXT.decode().encode("utf-16-be"),
    "utf-16 at an odd place": b"\x00\x00\x00" + TEXT.decode().encode("utf-16-be"),
    "hex": b"key=" + NUMBER.encode().hex().encode(),
    "hex at an odd place": b"0" + NUMBER.encode().hex().encode(),
    "hex of utf-16": NUMBER.encode("utf-16-le").hex().encode(),
    "base64, first alignment": base64.b64encode(NUMBER.encode() + b"yy"),
    "base64, second alignment": base64.b64encode(b"a" + TEXT),
    "base64, third alignment": base64.b64encode(b"ab" + NUMBER.encode() + b"\xff"),
    "base64 for addresses": base64.urlsafe_b64encode(b"ab\xff\xfe" + TEXT),
    "base64 in lines": b"\n".join(base64.b64encode(b"abcde" + TEXT)[i : i + 7] for i in range(0, 24, 7)),
    "base64 of utf-16": base64.b64encode(TEXT.decode().encode("utf-16-le")),
    "int32 little endian": b"\x01" + struct.pack("<i", VALUE),
    "int32 big endian": struct.pack(">i", VALUE),
    "int64 little endian": b"abc" + struct.pack("<q", VALUE),
    "int64 big endian": b"abcde" + struct.pack(">q", VALUE),
    "float64 little endian": b"ab" + struct.pack("<d", float(VALUE)),
    "float64 big endian": b"abc" + struct.pack(">d", float(VALUE)),
    "with dots": f"bsn {NUMBER[:3]}.{NUMBER[3:6]}.{NUMBER[6:]}".encode(),
    "with blanks": f"bsn {NUMBER[:4]} {NUMBER[4:6]} {NUMBER[6:]}".encode(),
    "as a spreadsheet writes it": b"9.99990019E8",
    "across a line end": f"{NUMBER[:5]}\r\n{NUMBER[5:]}".encode(),
    "gzip": gzip.compress(TEXT),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zstd": packed(TEXT * 9, "zstd"),
    "lz4": packed(TEXT * 9, "lz4"),
    "tar in gzip": gzip.compress(tarred(TEXT)),
    "zip": zipped(TEXT * 3),
    "zip in zip": zipped(zipped(TEXT * 3), "inner.zip"),
    "zip in gzip in tar": tarred(gzip.compress(zipped(TEXT))),
    "name of a zip member": zipped(b"", f"{NUMBER}.txt"),
    "arrow file, lz4": ipc("file", "lz4"),
    "arrow stream, zstd": ipc("stream", "zstd"),
    "json": json.dumps({"a": [VALUE]}).encode(),
    "log line": f"2026-01-01 ERROR could not convert '{NUMBER}' to int".encode(),
}

COLUMNS: dict[str, pa.Array] = {
    "text": pa.array([None, f"BSN {NUMBER}"]),
    "large text": pa.array([NUMBER], pa.large_string()),
    "view text": pa.array([NUMBER], pa.string_view()),
    "int32": pa.array([VALUE], pa.int32()),
    "int64": pa.array([VALUE, None]),
    "float64": pa.array([float(VALUE), 0.5, 1e300]),
    "decimal": pa.array([VALUE], pa.decimal128(12, 0)),
    "binary": pa.array([TEXT]),
    "large binary": pa.array([TEXT], pa.large_binary()),
    "fixed binary": pa.array([NUMBER.encode()], pa.binary(9)),
    "list": pa.array([[NUMBER], None]),
    "struct": pa.array([{"x": {"y": NUMBER}}]),
    "map": pa.array([[("a", NUMBER)]], pa.map_(pa.string(), pa.string())),
    "dictionary": pa.array([NUMBER, "a"]).dictionary_encode(),
    "base64 in text": pa.array([base64.b64encode(TEXT).decode()]),
    "extension": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([(NUMBER + "1234567").encode()], pa.binary(16))),
}


@pytest.mark.parametrize("form", PLAIN)
def test_a_number_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    (tmp_path / "x.bin").write_bytes(PLAIN[form])
    assert {domain for _, domain in found(tmp_path)} == {"number"}
    assert found(tmp_path, needles.of_numbers([OTHER])) == set()


@pytest.mark.parametrize("codec", ["zstd", "none"])
@pytest.mark.parametrize("form", COLUMNS)
def test_a_number_is_found_in_every_type_of_column(tmp_path: Path, form: str, codec: str) -> None:
    pq.write_table(pa.table({"a": COLUMNS[form], "b": pa.nulls(len(COLUMNS[form]))}), tmp_path / "x", compression=codec)
    assert any(form.startswith("parquet column") for form, _ in found(tmp_path))
    assert found(tmp_path, needles.of_numbers([OTHER])) == set()


def test_a_leading_zero_is_no_hiding_place(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([12], pa.int32())}), tmp_path / "x.parquet")
    assert found(tmp_path, needles.of_numbers(["000000012"])) != set()


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: (folder / f"export_{NUMBER}.csv").write_text(""),
        lambda folder: pq.write_table(pa.table({NUMBER: [1]}), folder / "x.parquet"),
        lambda folder: pq.write_table(
            pa.table({"a": [1]}).replace_schema_metadata({"k": NUMBER}), folder / "x.parquet"
        ),
    ],
    ids=["file name", "column name", "parquet metadata"],
)
def test_a_name_is_looked_at_too(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path)
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path)
    assert answer.hits
    assert NUMBER not in json.dumps(answer.as_dict())  # a name that holds one is not repeated


def test_the_cells_of_a_workbook_are_looked_at(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["kop", VALUE, float(VALUE) + 0.5, f"zie {NUMBER}"])
    book.save(tmp_path / "x.xlsx")
    assert ("xlsx column, text", "number") in found(tmp_path)


@pytest.mark.parametrize("value", [VALUE, NUMBER, float(VALUE), TEXT, "x" * 5_000 + NUMBER])
def test_the_cells_of_a_sqlite_database_are_looked_at(tmp_path: Path, value: object) -> None:
    database = sqlite3.connect(tmp_path / "x.db")
    database.execute('create table "t ""quoted""" (a)')
    database.execute('insert into "t ""quoted""" values (?), (null)', (value,))
    database.commit()
    database.close()
    assert any(form.startswith("sqlite table") for form, _ in found(tmp_path))


def test_a_duckdb_database_and_its_spill_are_looked_at_as_bytes(tmp_path: Path) -> None:
    """Linkage runs in memory, so there should be none; what it spills is looked at as it lies on the disk."""
    with duckdb.connect(tmp_path / "x.duckdb") as con:
        con.execute("create table t as select ? as a", [f"bsn {NUMBER}"])
    assert ("text", "number") in found(tmp_path)
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True)
    assert answer.opaque == [("x.duckdb", "duckdb database")]  # it may be compressed: it never leaves
    with pytest.raises(DisclosureRefused, match="canary_found"):
        answer.require_clean()


# Pseudonyms ----------------------------------------------------------------------------------------------------

AS_BYTES: dict[str, bytes] = {
    "raw": b"x" + PSEUDONYM,
    "cut to sixteen bytes": b"xyz" + PSEUDONYM[:16],
    "hex": b"link=" + PSEUDONYM.hex().encode(),
    "HEX": PSEUDONYM.hex().upper().encode(),
    "hex in utf-16": PSEUDONYM.hex().encode("utf-16-le"),
    "base64": base64.b64encode(PSEUDONYM),
    "base64, second alignment": base64.b64encode(b"a" + PSEUDONYM),
    "base64, third alignment": base64.b64encode(b"ab" + PSEUDONYM),
    "base64 of hex": base64.b64encode(b"k" + PSEUDONYM.hex().encode()),
    "in a zip": zipped(PSEUDONYM.hex().encode()),
}


@pytest.mark.parametrize("form", AS_BYTES)
def test_a_pseudonym_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    (tmp_path / "x.bin").write_bytes(AS_BYTES[form])
    assert {domain for _, domain in found(tmp_path)} == {LINK.label}


def link_file(path: Path, label: Domain | None = LINK) -> None:
    field = pa.field("link", pa.binary(32)) if label is None else label.field("link", 32)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table([pa.array([PSEUDONYM] * 20, pa.binary(32))], pa.schema([field])), path)


def test_a_canary_is_at_home_in_a_labelled_column_of_the_store_and_nowhere_else(tmp_path: Path) -> None:
    store = tmp_path / "store"
    link_file(store / "injus" / "link.parquet")
    assert found(tmp_path, home=store) == set()
    assert found(tmp_path) != set()  # the same file where no link file belongs
    link_file(store / "injus" / "other.parquet", Domain("v1", "demo", "link", "epoch-2"))
    assert {domain for _, domain in found(tmp_path, home=store)} == {LINK.label}


def test_a_canary_without_a_label_is_a_leak_even_in_the_store(tmp_path: Path) -> None:
    link_file(tmp_path / "store" / "link.parquet", None)
    assert found(tmp_path, home=tmp_path / "store") != set()


def test_a_canary_beside_its_own_column_is_a_leak(tmp_path: Path) -> None:
    """The payload of the same store: a link pseudonym there is out of place."""
    link_file(tmp_path / "store" / "link.parquet")
    (tmp_path / "store" / "payload.csv").write_text(f"a;b\n1;{PSEUDONYM.hex()}\n")
    assert {form for form, _ in found(tmp_path, home=tmp_path / "store")} == {"hex", "csv column, hex"}


# Columns of personal numbers -----------------------------------------------------------------------------------


def numbers(rest: int, count: int, start: int = 700_000_000) -> list[str]:
    every = (f"{n:09d}" for n in itertools.count(start, 7))
    return list(itertools.islice((n for n in every if bsn.remainder(n) == rest), count))


WRITERS: dict[str, Callable[[Path, list[str]], object]] = {
    "parquet text": lambda f, v: pq.write_table(pa.table({"a": v}), f / "x.parquet"),
    "parquet int": lambda f, v: pq.write_table(pa.table({"a": [int(n) for n in v]}), f / "x.parquet"),
    "parquet float": lambda f, v: pq.write_table(pa.table({"a": [float(n) for n in v]}), f / "x.parquet"),
    "text with .0": lambda f, v: pq.write_table(pa.table({"a": [f"{n}.0" for n in v]}), f / "x.parquet"),
    "text with dots": lambda f, v: pq.write_table(
        pa.table({"a": [f"{n[:3]}.{n[3:6]}.{n[6:]}" for n in v]}), f / "x.parquet"
    ),
    "csv": lambda f, v: (f / "x.csv").write_text("kop;a\n" + "".join(f"x;{n}\n" for n in v)),
    "html": lambda f, v: (f / "x.html").write_text("".join(f"<td>{n}</td>" for n in v)),
    "json": lambda f, v: (f / "x.json").write_text(json.dumps([int(n) for n in v])),
    "xlsx": lambda f, v: sheet(f / "x.xlsx", v),
    "xlsx text": lambda f, v: sheet(f / "x.xlsx", v, as_text=True),
}


def sheet(path: Path, values: list[str], *, as_text: bool = False) -> None:
    book = openpyxl.Workbook()
    rng = random.Random(4)
    for value in values:  # beside it a column of other numbers, that would hide it in a count over the whole sheet
        book.active.append([value if as_text else int(value), *(rng.randrange(10**8, 10**9) for _ in range(9))])
    book.save(path)


@pytest.mark.parametrize("rest", [0, bsn.SYNTHETIC_REMAINDER], ids=["real", "synthetic"])
@pytest.mark.parametrize("form", WRITERS)
def test_a_column_of_personal_numbers_stops_the_release(tmp_path: Path, form: str, rest: int) -> None:
    WRITERS[form](tmp_path, numbers(rest, 60, 700_000_000 if rest else 999_900_000))
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True)
    with pytest.raises(DisclosureRefused, match="number_density") as caught:
        answer.require_clean()
    assert caught.value.exit_code == 14
    assert Scanner(TO_LOOK_FOR).scan(tmp_path).dense == []  # inside, only canaries are looked for


@pytest.mark.parametrize("form", WRITERS)
def test_a_column_of_other_numbers_passes(tmp_path: Path, form: str) -> None:
    rng = random.Random(8)
    WRITERS[form](tmp_path, [str(rng.randrange(10**8, 10**9)) for _ in range(200)])
    Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True).require_clean()


def test_running_numbers_and_days_pass(tmp_path: Path) -> None:
    days = [int(f"20{y:02d}{m:02d}{d:02d}") for y in range(19, 24) for m in range(1, 13) for d in range(1, 29)]
    pq.write_table(pa.table({"id": np.arange(100_000_000, 100_005_000)}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"day": days}), tmp_path / "b.parquet")
    Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True).require_clean()


def test_a_repeated_number_is_one_number() -> None:
    column = needles_density.Column()
    column.add(pa.array(["700000003"] * 1000))
    column.add(pa.array([None, "x", "700000003"]))
    column.add(pa.array([True]))
    assert column.density == Density(1, 1)
    assert not column.density.alarming


@pytest.mark.parametrize(("n", "k"), [(9, 9), (60, 60), (1000, 200), (200_000, 20_000)])
def test_far_above_one_in_eleven_alarms(n: int, k: int) -> None:
    assert Density(n, k).alarming


@pytest.mark.parametrize(("n", "k"), [(0, 0), (8, 8), (60, 12), (1000, 91), (1000, 120), (200_000, 18_900)])
def test_what_chance_gives_does_not(n: int, k: int) -> None:
    assert not Density(n, k).alarming


def test_the_tail_is_that_of_the_binomial_distribution() -> None:
    """A second computation, in whole numbers."""
    from fractions import Fraction
    from math import comb

    for n, k in ((9, 9), (20, 7), (50, 30)):
        exact = sum(Fraction(comb(n, i) * 10 ** (n - i), 11**n) for i in range(k, n + 1))
        assert tail(n, k) == pytest.approx(float(exact), rel=1e-9)
    assert tail(11, 1) == 1.0


# What cannot be looked through ---------------------------------------------------------------------------------

OPAQUE: dict[str, bytes] = {
    "7z": b"7z\xbc\xaf\x27\x1c" + b"\0" * 40,
    "rar": b"Rar!" + b"\0" * 40,
    "zip": b"PK\x03\x04" + b"\0" * 40,
    "gzip": gzip.compress(TEXT)[:-9],
    "xz": lzma.compress(b"a" * 900)[:-40],
    "parquet": b"PAR1" + b"\0" * 40 + b"PAR1",
    "sqlite": b"SQLite format 3\x00" + b"\1" * 400,
    "a database in a zip": zipped(b"SQLite format 3\x00"),
    "nested too deep": zipped(zipped(zipped(zipped(zipped(b"x"))))),
}


@pytest.mark.parametrize("form", OPAQUE)
def test_what_cannot_be_looked_through_does_not_leave(tmp_path: Path, form: str) -> None:
    (tmp_path / "x.bin").write_bytes(OPAQUE[form])
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True)
    with pytest.raises(DisclosureRefused, match="opaque_file"):
        answer.require_clean()
    Scanner(TO_LOOK_FOR).scan(tmp_path).require_clean()


def test_an_archive_that_unpacks_without_end_is_opaque(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pseudonymize.needles_unpack.LIMIT", 1_000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"\0" * 100_000))
    (tmp_path / "b.zip").write_bytes(zipped(b"\0" * 100_000))
    assert len(Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True).opaque) == 2


def test_a_sealed_file_is_counted_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.age").write_bytes(b"age-encryption.org/v1\n" + bytes(200))
    (tmp_path / "to").symlink_to(tmp_path / "x.age")
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path)
    assert (answer.files, answer.sealed) == (1, 1)


def test_a_link_that_hides_something_is_told_and_none_leaves(tmp_path: Path) -> None:
    """Out of the folder, or to where the scan does not go: nobody looked there. A ring or a dead end holds nothing."""
    home, away = tmp_path / "home", tmp_path / "away"
    for folder in (home / "skipped", away / "deep"):
        folder.mkdir(parents=True)
        (folder / "x.txt").write_text(NUMBER)
    (home / "plain.txt").write_text("x")
    targets = {"file": away / "deep" / "x.txt", "folder": away, "skipped-too": home / "skipped"}
    targets |= {"inside": home / "plain.txt", "ring": home / "ring", "nothing": tmp_path / "gone"}
    for name, target in targets.items():
        (home / name).symlink_to(target)
    answer = Scanner(TO_LOOK_FOR).scan(home, skip=[home / "skipped"])
    assert answer.opaque == [("file", "link"), ("folder", "link"), ("skipped-too", "link")]
    assert (answer.files, answer.hits) == (1, set())
    with pytest.raises(DisclosureRefused, match=r"opaque_file \(file=file, kind=link"):
        answer.require_clean()
    assert {name for name, _ in Scanner(TO_LOOK_FOR).scan(home, leaving=True).opaque} == set(targets)


def test_a_link_between_two_scans_of_one_run_hides_nothing(tmp_path: Path) -> None:
    """Store and inbox are scanned by themselves: what one scan passes over, the other looks at."""
    home, out = tmp_path / "home", tmp_path / "home" / "out"
    for folder in (home / "store", out):
        folder.mkdir(parents=True)
        (folder / "x.txt").write_text("x")
    (home / "plain.txt").write_text("x")
    for name, target in {"to-store": home / "store", "to-out": out}.items():
        (home / name).symlink_to(target)
    for name, target in {"to-plain": home / "plain.txt", "to-elsewhere": tmp_path}.items():
        (home / "store" / name).symlink_to(target)
    rest = Scanner(TO_LOOK_FOR).scan(home, skip=[out, home / "store"], seen=[home / "store"])
    assert rest.opaque == [("to-out", "link")]
    store = Scanner(TO_LOOK_FOR).scan(home / "store", seen=[home])
    assert store.opaque == [("to-elsewhere", "link")]
    assert Scanner(TO_LOOK_FOR).scan(home / "store").opaque == [("to-elsewhere", "link"), ("to-plain", "link")]


def test_a_list_of_places_holds_no_formula(tmp_path: Path) -> None:
    for name in ("+1", "-2", "3"):
        (tmp_path / name).write_text(NUMBER)
    scan.write_list(Scanner(TO_LOOK_FOR).scan(tmp_path), tmp_path / "list.csv")
    names = {line.split(";")[0] for line in (tmp_path / "list.csv").read_text().splitlines()[1:]}
    assert names == {"'+1", "'-2", "3"}


def vanishing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A file of this name goes between the listing of the folder and the look at it, as a database's journal does."""
    real = scan._told

    def told(path: Path, folder: Path) -> str:
        if path.name == name:
            path.unlink()
        return real(path, folder)

    monkeypatch.setattr(scan, "_told", told)


def test_a_file_at_home_that_goes_during_the_scan_is_passed_over_and_the_rest_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.journal").write_bytes(TEXT)
    (tmp_path / "b.log").write_bytes(TEXT)
    vanishing(monkeypatch, "a.journal")
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path)
    assert {hit.file for hit in answer.hits} == {"b.log"}


def test_a_file_of_what_leaves_that_goes_during_the_scan_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was listed and not looked at may come back after the scan: nothing leaves then."""
    (tmp_path / "a.csv").write_bytes(b"nothing")
    (tmp_path / "b.csv").write_bytes(b"nothing")
    vanishing(monkeypatch, "a.csv")
    with pytest.raises(FileNotFoundError):
        Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True)
    (tmp_path / "a.csv").write_bytes(b"nothing")
    code, answer = cli.run(
        ["scan", "--leaving", str(tmp_path)]
    )  # the process: an error, and no report of what was seen
    assert (code, answer["code"]) == (20, "internal")


def test_an_empty_folder_is_clean(tmp_path: Path) -> None:
    (tmp_path / "leeg").write_bytes(b"")
    (tmp_path / "leeg.csv").write_bytes(b"")
    Scanner(TO_LOOK_FOR).scan(tmp_path, leaving=True).require_clean()


# The machinery -------------------------------------------------------------------------------------------------


@given(st.binary(min_size=4, max_size=40), st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 50))
def test_the_matcher_finds_what_a_plain_search_finds(pattern: bytes, before: bytes, after: bytes, size: int) -> None:
    matcher = Matcher({pattern: Sign("d", "f")})
    whole = before + pattern + after
    assert matcher.find(whole) == {Sign("d", "f")}
    assert matcher.find_in(whole[i : i + size] for i in range(0, len(whole), size)) == {Sign("d", "f")}
    assert bool(matcher.find(before + after)) == (pattern in before + after)


def test_a_needle_across_two_pieces_of_a_large_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pseudonymize.needles_unpack.CHUNK", 64)
    for start in range(50, 70):
        (tmp_path / f"{start}").write_bytes(b"." * start + TEXT)
    assert len({hit.file for hit in Scanner(needles.of_numbers([NUMBER])).scan(tmp_path).hits}) == 20


def test_a_pattern_is_not_too_short() -> None:
    with pytest.raises(ValueError, match="four bytes"):
        Matcher({b"abc": Sign("d", "f")})
    with pytest.raises(ValueError, match="eight ASCII"):
        needles.of_numbers(["1234567"])
    assert Matcher({}).find(b"anything") == set()


def test_many_numbers_are_not_sought_in_four_bytes(tmp_path: Path) -> None:
    """With thousands of numbers four bytes match by chance; text and columns are found as before."""
    many = needles.of_numbers([NUMBER, *numbers(5, 300)])
    assert needles.short_patterns(many) == {}
    (tmp_path / "x").write_bytes(TEXT)
    assert found(tmp_path, many) == {("text", "number")}


def test_nothing_shows_a_needle() -> None:
    assert NUMBER not in repr(needles.of_numbers([NUMBER])[0])


def test_the_list_for_the_operator_names_places_only(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(TEXT)
    (tmp_path / "in" / "b.7z").write_bytes(OPAQUE["7z"])
    WRITERS["csv"](tmp_path / "in", numbers(5, 60))
    answer = Scanner(TO_LOOK_FOR).scan(tmp_path / "in", leaving=True)
    scan.write_list(answer, tmp_path / "list.csv")
    lines = (tmp_path / "list.csv").read_text().splitlines()
    assert lines[0] == "file;what;form;domain"
    assert {line.split(";")[1] for line in lines[1:]} == {"canary", "numbers", "opaque"}
    assert NUMBER not in "".join(lines)
