"""Files made to take all memory, all time, or the place of another file. All are read in one process with half a
gigabyte for data: whatever got through would end it.
"""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import reading
from schemas.errors import DeliveryError
from tests.fuzz.test_parsers import CROSSWALK, parquet

MEMORY = 512 << 20
LONG = "7" * (1 << 20)
READER = """
import json, sys
from pathlib import Path
from schemas import reading
from schemas.errors import DeliveryError
from schemas.registers import REGISTERS
for name in sys.argv[1:]:
    try:
        answer = sum(batch.table.num_rows for batch in reading.batches(REGISTERS["crosswalk"], Path(name)))
    except DeliveryError as error:
        answer = [error.code, error.facts.get("kind", "")]
    print(json.dumps([Path(name).stem, answer]))
"""


def columns(**given: object) -> pa.Table:
    """The crosswalk's columns, as given or empty."""
    rows = len(next(iter(given.values())))  # type: ignore[arg-type]
    return pa.table({name: given.get(name, pa.nulls(rows, pa.string())) for name in ("skn", "skn_soort", "bsn")})


def write(path: Path, table: pa.Table, **how: object) -> None:
    pq.write_table(table, path, compression="zstd", store_schema=False, write_statistics=False, **how)


def dictionary(path: Path) -> None:
    """A megabyte once, and four thousand rows that point at it: 4 GB."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000, pa.int32()), pa.array([LONG]))
    write(path, columns(skn=column))


def dictionaries(path: Path) -> None:
    """The same in the second row group, after a sound one."""
    sound = columns(skn=pa.array(["S1"] * 2_000).dictionary_encode())
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), pa.array([LONG]))
    write(path, pa.concat_tables([sound, columns(skn=column)], promote_options="default").unify_dictionaries())


def page(path: Path) -> None:
    """64 MB of one byte in one page: some kilobytes in the file."""
    write(path, columns(skn=[LONG] * 64), use_dictionary=False, data_page_size=1 << 30)


def rows(path: Path) -> None:
    """Twenty million rows of nothing."""
    table = columns(skn=pa.nulls(1_000_000, pa.string()))
    with pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as writer:
        for _ in range(20):
            writer.write_table(table, row_group_size=1_000_000)


def lists(path: Path) -> None:
    """One row, which is a list of a hundred million."""
    write(path, columns(skn=pa.array([["S1"] * 100_000])))


def width(path: Path) -> None:
    """A type whose every value is a megabyte."""
    write(path, columns(skn=pa.array([bytes(1 << 20)] * 4, pa.binary(1 << 20))))


def footer(path: Path) -> None:
    """The footer is as long as two gigabytes, it says."""
    path.write_bytes(parquet()[:-8] + struct.pack("<i", 2**31 - 1) + b"PAR1")


def huge_group(path: Path) -> None:
    """A row group that says it has 2**40 rows (in place of two: every 2 in the footer, so the length of it changes)."""
    data = parquet()
    start = len(data) - 8 - struct.unpack("<i", data[-8:-4])[0]
    lie = data[start:-8].replace(b"\x16\x04", b"\x16\x80\x80\x80\x80\x80\x40")
    path.write_bytes(data[:start] + lie + struct.pack("<i", len(lie)) + b"PAR1")


def long_field(start: bytes, size: int = 1 << 30) -> Callable[[Path], None]:
    """A gigabyte without a separator; on disk it takes no room."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size)

    return make


HEAD = b"skn;skn_soort;bsn\nS1;SKN;"
HOSTILE: dict[str, tuple[str, Callable[[Path], None], set[str]]] = {
    "dictionary": (".parquet", dictionary, {"value"}),
    "dictionaries": (".parquet", dictionaries, {"value"}),
    "page": (".parquet", page, {"page"}),
    "rows": (".parquet", rows, {"rows"}),
    "lists": (".parquet", lists, {"column"}),
    "width": (".parquet", width, {"column"}),
    "footer": (".parquet", footer, {"ArrowInvalid"}),
    "huge group": (".parquet", huge_group, {"rows", "OSError", "ArrowInvalid"}),
    "header without end": (".csv", long_field(b"", 64 << 20), {"", "ArrowInvalid"}),
    "field without end": (".csv", long_field(HEAD), {"ArrowInvalid"}),
    "quoted field without end": (".csv", long_field(HEAD + b'"', 64 << 20), {"ArrowInvalid"}),
}
CODES = {"file_too_large", "unreadable_file", "unlisted_column"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """What the reader says of each, in a process that may not have more memory than MEMORY."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = []
    for name, (suffix, make, _) in HOSTILE.items():
        paths.append(folder / f"{name}{suffix}")
        make(paths[-1])
    done = subprocess.run(
        [sys.executable, "-c", READER, *paths],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    yield dict(json.loads(line) for line in done.stdout.splitlines())
    for path in paths:
        path.unlink()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_half_a_gigabyte(answers: dict[str, list[str]], name: str) -> None:
    code, kind = answers[name]
    assert code in CODES
    assert kind in HOSTILE[name][2]


def test_sound_files_of_the_same_forms_are_read(tmp_path: Path) -> None:
    """Long columns in dictionaries, several groups, an empty file."""
    names = pa.array([f"S{number % 9_000}" for number in range(30_000)])
    numbers = pa.array([str(number) for number in range(30_000)])
    for table in (columns(skn=names, bsn=numbers), columns(skn=names.dictionary_encode()), columns(skn=names[:0])):
        write(tmp_path / "x.parquet", table, row_group_size=10_000)
        read = [batch.table for batch in reading.batches(CROSSWALK, tmp_path / "x.parquet")]
        assert pa.concat_tables(read)["skn"].to_pylist() == table["skn"].to_pylist()


def test_a_parquet_file_that_lies_about_its_rows_is_refused(tmp_path: Path) -> None:
    """The footer says one row more than there is: Thrift's zigzag varint for 2 rows is 4, for 3 it is 6."""
    data = parquet()
    footer = len(data) - 8 - struct.unpack("<i", data[-8:-4])[0]
    refused = 0
    for at in (i for i in range(footer, len(data) - 8) if data[i] == 4):
        path = tmp_path / "lie.parquet"
        path.write_bytes(data[:at] + b"\x06" + data[at + 1 :])
        try:
            rows = sum(batch.table.num_rows for batch in reading.batches(CROSSWALK, path))
            assert rows == 2  # another field than the one that counts rows
        except DeliveryError as error:
            refused += error.code in {"row_count_mismatch", "unreadable_file"}
    assert refused >= 2
