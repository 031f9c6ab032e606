"""Target T3 of the design as it is named: CSV, validated, pseudonymised, sorted Parquet; nothing sealed, nothing drawn apart.

The path is made of our own parts: `intake.accepted` (what `koppel deliver` does with an extract before it splits it), the
HMAC of the supplier tool, and the linkage's database, which gets pseudonyms and content, sorts and writes. The extract
is the design's: BSN and six columns, one row in two hundred unusable, four rows a person. No tool does just this: a
supplier has no database, and whoever has the database sees no number. It runs in a process of its own, so that its
CPU seconds are whole (interpreter, imports and the compiled kernel too) and its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from linkage import database
from pseudonymize import fast, prf
from pseudonymize.columns import fixed_bytes, pseudonyms
from pseudonymize.identify import Rules
from pseudonymize.intake import Batch, accepted
from pseudonymize.quarantine import Quarantine
from pseudonymize.report import DeliveryReport
from pseudonymize.secret import Secret
from schemas.distinct import flat
from schemas.gmsd import GMSD
from schemas.register import Register

COLUMNS = ("bsn", "gemeentecode", "geboortejaar", "productcategorie", "ingangsdatum", "datum_start", "datum_einde")
CODES = ("geboortejaar", "ingangsdatum", "datum_einde")  # columns whose rules are checked
NUMBERS = Rules(synthetic=True, types=frozenset({"NL:BSN-SYN"}))
EXTRACT = Register(
    name="gmsd",
    title="GMSD, zeven kolommen",
    holder=GMSD.holder,
    legal_basis=GMSD.legal_basis,
    grain=GMSD.grain,
    source="performance.md, section 4",
    columns=tuple(GMSD.by_name[name] for name in COLUMNS),
    rules=tuple(rule for rule in GMSD.rules if rule.code.lower().startswith(CODES)),
)
LIMIT_MB = 512  # of the database
KEY = Secret(bytes(range(32)))
STAGE = ("demo", "run-1", "NL:BSN-SYN")
PLACES = ("0014", "0034", "0106", "0363", "0518", "0599", "0772", "0855")
_BATCH = 131_072


def extract(path: Path, rows: int, seed: int = 1) -> None:
    """Write an extract of that many rows, 56 bytes each; one number in two hundred lacks its last two digits."""
    rng = np.random.default_rng(seed)
    known = _numbers(rng, rows // 4)
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
    with path.open("wb") as file:
        file.write(";".join(COLUMNS).encode("ascii") + b"\n")
        for start in range(0, rows, _BATCH):
            pyarrow.csv.write_csv(_batch(rng, known, min(_BATCH, rows - start)), file, write_options=options)


def _numbers(rng: np.random.Generator, count: int) -> pa.Array:
    """Different numbers that can never be a BSN (remainder 5), scattered over the space, as text."""
    eight = np.unique(rng.integers(10_000_000, 99_900_000, count + count // 4))
    last = (eight[:, None] // 10 ** np.arange(7, -1, -1) % 10 @ np.arange(9, 1, -1) - 5) % 11
    made = (10 * eight + last)[last < 10]
    return pa.array(rng.permutation(made)[:count]).cast(pa.string())


def _batch(rng: np.random.Generator, known: pa.Array, count: int) -> pa.Table:
    person = rng.integers(0, len(known), count)
    spoilt = rng.integers(0, 200, count) == 0
    numbers = known.take(pa.array(person))
    numbers = pc.if_else(pa.array(spoilt), pc.utf8_slice_codeunits(numbers, 0, 7), numbers)
    began = np.datetime64("2015-01-01", "D") + rng.integers(0, 3_000, count)
    return pa.table(
        {
            "bsn": numbers,
            "gemeentecode": pa.array(PLACES).take(pa.array(person % len(PLACES))),
            "geboortejaar": pa.array(1930 + person % 80),
            "productcategorie": pa.array([f"0{n}" for n in range(2, 8)]).take(pa.array(rng.integers(0, 6, count))),
            "ingangsdatum": _days(began - rng.integers(0, 60, count)),
            "datum_start": _days(began),
            "datum_einde": _days(began + rng.integers(30, 900, count)),
        }
    )


def _days(days: np.ndarray) -> pa.Array:
    return pa.array(days).cast(pa.string())


def pseudonymised(batches: Iterator[Batch], size: int) -> Iterator[pa.RecordBatch]:
    """What the database gets of every batch: the pseudonym cut to `size` bytes, and the columns but for the number."""
    stage = prf.pre(KEY, *STAGE)
    for batch in batches:
        key = pseudonyms(stage, batch.found["bsn"].values, size)
        table = batch.table.drop_columns(["bsn"]).add_column(0, "key", key)
        yield from table.combine_chunks().to_batches()


def schema(size: int) -> pa.Schema:
    """Of what the database gets."""
    return pa.schema([pa.field("key", pa.binary(size)), *(f for f in EXTRACT.read_schema() if f.name != "bsn")])


def ingest(source: Path, home: Path, size: int) -> DeliveryReport:
    """CSV -> `home`/sorted.parquet, by pseudonym and start; rows without a usable number are last."""
    report = DeliveryReport(EXTRACT.name)
    fast.expect(fast.THRESHOLD)  # millions are to come
    key = "key::uuid as key, * exclude (key)" if size == 16 else "*"
    with (
        Quarantine(EXTRACT, home / "aside.csv") as quarantine,
        database.connect(work=home / "work", folders=[home], memory_limit=f"{LIMIT_MB}MB", threads=fast.THREADS) as con,
    ):
        batches = accepted(source, EXTRACT, NUMBERS, report, quarantine)
        con.register("rows", pa.RecordBatchReader.from_batches(schema(size), pseudonymised(batches, size)))
        target = database.quoted(home / "sorted.parquet")
        con.execute(
            f"copy (select {key} from rows order by 1, datum_start) to {target} (format parquet, compression zstd)"
        )
    return report


def require_right(source: Path, found: Path, report: DeliveryReport, size: int) -> int:
    """The file holds every accepted row in order, under the reference's pseudonyms. Returns how many of two thousand
    numbers of the extract lie in clear in any file beside it."""
    table = pq.read_table(found)
    keys = flat(table["key"])
    plain = keys.storage if isinstance(keys.type, pa.BaseExtensionType) else keys
    raw = fixed_bytes(plain.cast(pa.binary(size)).drop_null())
    assert table.num_rows == report.accepted == report.rows_in - report.quarantined
    assert table.schema.names == ["key", *COLUMNS[1:]]
    first = np.frombuffer(raw, ">u8")[:: size // 8].astype(np.uint64)
    assert (first[1:] >= first[:-1]).all() and len(raw) == size * report.usable["bsn"]
    good, stage = _some(source), prf.pre(KEY, *STAGE)
    assert len(good) > 1_900
    for one in (stage.one(cell)[:size] for cell in good):
        place = int(np.searchsorted(first, np.uint64(int.from_bytes(one[:8], "big"))))
        assert raw[place * size : (place + 1) * size] == one
    disk = b"".join(path.read_bytes() for path in found.parent.rglob("*") if path.is_file())
    told = {str(value).encode() for name in COLUMNS[1:] for value in table[name].unique().to_pylist()}
    return len(good & (told | set(re.findall(rb"(?=(\d{9}))", disk))))


def _some(source: Path) -> set[bytes]:
    """Usable numbers of the first two thousand rows."""
    with source.open("rb") as file:
        cells = [next(file).split(b";")[0] for _ in range(2_001)][1:]
    return {cell for cell in cells if len(cell) == 9}


def peak() -> float:
    """Peak memory of this process in MiB; ru_maxrss would begin at what its parent held."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """One run, told as a line of JSON: rows, CPU and wall seconds of this process, peak memory in MiB."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("source", type=Path)
    options.add_argument("home", type=Path, help="an empty folder")
    options.add_argument("--size", type=int, default=16, choices=(16, 32), help="bytes of a pseudonym")
    options.add_argument("--began", type=float, default=time.monotonic(), help="when this process was started")
    given = options.parse_args()
    report = ingest(given.source, given.home, given.size)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"rows": report.rows_in, "cpu": used.ru_utime + used.ru_stime, "wall": time.monotonic() - given.began}
    told |= {"peak": peak(), "hmac": fast.state()["kernel"]}
    clear = require_right(given.source, given.home / "sorted.parquet", report, given.size)
    sys.stdout.write(json.dumps({**told, "clear": clear}) + "\n")


if __name__ == "__main__":
    main()
