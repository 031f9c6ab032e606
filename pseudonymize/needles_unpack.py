"""Everything an artefact holds, as streams of bytes and columns of values: raw, unpacked and decoded.

Archives and compressed files are opened to a bounded size and depth; what cannot be looked through is Opaque, and the
caller decides what that means. Nothing is written to disk.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pseudonymize import domain
from pseudonymize.needles_sheet import sheet_columns
from schemas.errors import ConfigError

CHUNK = 16 << 20
LIMIT = 1 << 30  # bytes unpacked of one archive or compressed file
DEPTH = 4
ROWS = 65_536
SEALED = b"age-encryption.org/"


@dataclass(frozen=True)
class Stream:
    """Bytes. `random`: compressed or encrypted, where four bytes match by chance."""

    form: str
    chunks: Iterable[bytes]
    random: bool = False
    sealed: bool = False


@dataclass(frozen=True)
class Column:
    """Values of one column, with the label of the domain it says it is of."""

    form: str
    name: str
    label: str | None
    arrays: Iterable[pa.Array]


@dataclass(frozen=True)
class Opaque:
    """Something that cannot be looked through."""

    form: str


Piece = Stream | Column | Opaque


def pieces(path: Path) -> Iterator[Piece]:
    """All there is in one file. OSError when it cannot be read."""
    with path.open("rb") as file:
        head = file.read(512)
    kind = _kind(head)
    yield Stream("", _chunks(path), random=kind in _RANDOM, sealed=head.startswith(SEALED))
    if kind == "sqlite":
        yield from _sqlite(path)
    elif kind == "duckdb":
        yield Opaque("duckdb database")
    elif kind is not None:
        # Arrow reads its own files without coming back to Python for every page.
        with pa.OSFile(str(path)) if kind == "parquet" else path.open("rb") as file:
            yield from _open(kind, file, 0)
    elif path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        yield from _csv(path)


_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PAR1", "parquet"),
    (0, b"ARROW1", "arrow file"),
    (0, b"\xff\xff\xff\xff", "arrow stream"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"SQLite format 3\x00", "sqlite"),
    (8, b"DUCK", "duckdb"),
    (257, b"ustar", "tar"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!", "rar"),
    (0, SEALED, "sealed"),
)
_RANDOM = frozenset(("parquet", "zip", "gzip", "bzip2", "xz", "zstd", "lz4", "7z", "rar", "sealed"))


def _kind(head: bytes) -> str | None:
    return next((kind for at, magic, kind in _MAGIC if head[at : at + len(magic)] == magic), None)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _open(kind: str, file: BinaryIO, depth: int) -> Iterator[Piece]:
    """Pieces of a container. A damaged one is opaque: what cannot be read cannot be judged."""
    if kind == "sealed":
        return
    opener = _OPENERS.get(kind)
    if opener is None or depth >= DEPTH:
        yield Opaque(kind)
        return
    try:
        yield from opener(file, depth)
    except (OSError, EOFError, ValueError, RuntimeError, KeyError, zipfile.BadZipFile, tarfile.TarError):
        yield Opaque(kind)
    except (lzma.LZMAError, pa.ArrowException, NotImplementedError):
        yield Opaque(kind)


def _inside(form: str, data: bytes, depth: int) -> Iterator[Piece]:
    """A member of an archive: its bytes, and what they hold in turn."""
    kind = _kind(data[:512])
    yield Stream(form, [data], random=kind in _RANDOM)
    if kind in {"sqlite", "duckdb"}:
        yield Opaque(kind)
    elif kind is not None:
        yield from _open(kind, io.BytesIO(data), depth + 1)


def _bounded(file: Any) -> bytes:
    data: bytes = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise OSError
    return data


def _zip(file: BinaryIO, depth: int) -> Iterator[Piece]:
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > LIMIT:
            raise OSError
        for member in archive.infolist():
            yield Stream("zip member name", [member.filename.encode(), member.comment, archive.comment])
            with archive.open(member) as opened:
                yield from _inside("zip member", _bounded(opened), depth)
        for name, values in sheet_columns(archive):
            yield Column("xlsx column", name, None, [values])


def _tar(file: BinaryIO, depth: int) -> Iterator[Piece]:
    with tarfile.open(fileobj=file) as archive:
        for member in archive:
            opened = archive.extractfile(member)
            if opened is not None:
                yield from _inside("tar member", _bounded(opened), depth)


def _packed(form: str, unpack: Callable[[BinaryIO], Any]) -> Callable[[BinaryIO, int], Iterator[Piece]]:
    def opener(file: BinaryIO, depth: int) -> Iterator[Piece]:
        with unpack(file) as opened:
            yield from _inside(form, _bounded(opened), depth)

    return opener


def _arrow_codec(codec: str) -> Callable[[BinaryIO], Any]:
    return lambda file: pa.CompressedInputStream(pa.PythonFile(file, "r"), codec)


def _parquet(file: BinaryIO, depth: int) -> Iterator[Piece]:
    text = [field.name for field in pq.read_schema(file) if pa.types.is_string(field.type)]
    with pq.ParquetFile(file, read_dictionary=text) as opened:  # of text each value once per batch is enough
        schema = opened.schema_arrow
        for name in schema.names:
            yield Column("parquet column", name, _label(schema, name), _values(opened, name))


def _values(file: pq.ParquetFile, name: str) -> Iterator[pa.Array]:
    """Batches of one column; none of dates and truth values, which hold no number."""
    kind = file.schema_arrow.field(name).type
    if pa.types.is_temporal(kind) or pa.types.is_boolean(kind):
        return
    for batch in file.iter_batches(batch_size=ROWS, columns=[name]):
        yield from batch.columns


def _arrow(reader: Callable[[BinaryIO], Any]) -> Callable[[BinaryIO, int], Iterator[Piece]]:
    def opener(file: BinaryIO, depth: int) -> Iterator[Piece]:
        table = reader(file).read_all()
        for name in table.schema.names:
            yield Column("arrow column", name, _label(table.schema, name), table[name].chunks)

    return opener


def _label(schema: pa.Schema, name: str) -> str | None:
    try:
        return domain.of_field(schema, name).label
    except ConfigError:
        return None


def _csv(path: Path) -> Iterator[Piece]:
    """Columns of delimited text; a file that is none has no columns, and its bytes were looked at anyway."""
    from pyarrow import csv  # noqa: PLC0415 - only for leaving text files

    with path.open("rb") as file:
        first = file.readline(1 << 16)
    mark = max(b";,\t", key=first.count)
    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(autogenerate_column_names=True, encoding="latin-1"),
            parse_options=csv.ParseOptions(delimiter=chr(mark), newlines_in_values=True),
        )
    except pa.ArrowException:
        return
    for name in table.column_names:
        yield Column("csv column", name, None, table[name].chunks)


def _sqlite(path: Path) -> Iterator[Piece]:
    """Cells of every table, read from a copy in memory so that a database in use is not disturbed."""
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = [row[0] for row in source.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            yield Stream("sqlite table", _cells(source, table))
    except sqlite3.Error:
        yield Opaque("sqlite")
    finally:
        source.close()


def _cells(source: sqlite3.Connection, table: str) -> Iterator[bytes]:
    quoted = table.replace('"', '""')
    cursor = source.execute(f'select * from "{quoted}"')  # noqa: S608 - a name from the database itself, quoted
    while rows := cursor.fetchmany(1_000):
        cells = (cell for row in rows for cell in row if cell is not None)
        yield b"\n".join(c if isinstance(c, bytes) else str(c).encode("utf-8", "replace") for c in cells) + b"\n"


_OPENERS: dict[str, Callable[[BinaryIO, int], Iterator[Piece]]] = {
    "parquet": _parquet,
    "zip": _zip,
    "tar": _tar,
    "gzip": _packed("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    "bzip2": _packed("bzip2", bz2.BZ2File),
    "xz": _packed("xz", lzma.LZMAFile),
    "zstd": _packed("zstd", _arrow_codec("zstd")),
    "lz4": _packed("lz4", _arrow_codec("lz4")),
    "arrow file": _arrow(pa.ipc.open_file),
    "arrow stream": _arrow(pa.ipc.open_stream),
}
