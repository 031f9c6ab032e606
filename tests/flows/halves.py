"""Extracts of a synthetic country as two rounds of deliveries: all before its last half-year, and that half-year.

In the second round each register delivers what is new: notices, requests and placements of the half-year, crosswalk
rows that Justid found since, and of GMSD first the provisional and then the final version. Rows are the country's own.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flows import steps
from flows.settings import Settings

HALF, FIRST_DAY = "2023H2", b"2023-07-01"
DAY = {
    "injus": b"datum_gebeurtenis",
    "injus_tbs": b"datum",
    "ifzo": b"datum_indicatie",
    "reclassering": b"datum_verzoek",
}
Job = tuple[str, int, Path]


def split(extracts: Path, early: Path, late: Path) -> tuple[list[Job], list[Job]]:
    """Divide `extracts/*.csv` over two folders; returns (register, sequence, file) of both rounds."""
    for folder in (early, late):
        folder.mkdir(parents=True)
    for register, column in DAY.items():
        _divide(extracts / f"{register}.csv", column, is_late, early / f"{register}.csv", late / f"{register}_2.csv")
    _divide(extracts / "crosswalk.csv", b"", found_since, early / "crosswalk.csv", late / "crosswalk_2.csv")
    _divide(extracts / "gmsd_1.csv", b"verslagperiode", is_half, early / "gmsd_1.csv", late / "gmsd_2.csv")
    (late / "gmsd_3.csv").write_bytes((extracts / "gmsd_2.csv").read_bytes())
    told = json.loads((extracts / "gmsd_1.coverage.json").read_text(encoding="utf-8"))
    _coverage(early / "gmsd_1", {name: value for name, value in told.items() if name != HALF})
    _coverage(late / "gmsd_2", {HALF: told[HALF]})
    _coverage(late / "gmsd_3", json.loads((extracts / "gmsd_2.coverage.json").read_text(encoding="utf-8")))
    return list(_jobs(early, 1)), list(_jobs(late, 2))


def seal(settings: Settings, jobs: Sequence[Job], aside: Path) -> None:
    """Deliver with the supplier's tool and lay the sealed deliveries aside, as if they were still to come.

    Before the first run: a later delivery carries the receipt of the one before, which ties it to the log of that run,
    and another folder would refuse it.
    """
    for register, number, source in jobs:
        agreement, file = steps.agreement_of(settings, register)
        steps.deliver(settings, source, register=register, agreement=file, supplier=agreement.supplier, sequence=number)
    _moved(jobs, settings.inbox, aside)


def arrive(settings: Settings, jobs: Sequence[Job], aside: Path) -> None:
    """What was laid aside is delivered."""
    _moved(jobs, aside, settings.inbox)


def _moved(jobs: Sequence[Job], source: Path, target: Path) -> None:
    for register, number, _ in jobs:
        (target / register).mkdir(parents=True, exist_ok=True)
        shutil.move(source / register / f"{number:04d}", target / register / f"{number:04d}")


def is_late(cell: bytes) -> bool:
    """A day of the last half-year or later, as 2023-12-31 or 31-12-2023; an empty cell is not."""
    parts = cell.split(b"-")
    return len(parts) == 3 and b"-".join(parts if len(parts[0]) == 4 else reversed(parts)) >= FIRST_DAY


def is_half(cell: bytes) -> bool:
    """The last half-year itself."""
    return cell == HALF.encode("ascii")


def found_since(line: bytes) -> bool:
    """One crosswalk row in eight, by its content."""
    return zlib.crc32(line) % 8 == 0


def _divide(source: Path, column: bytes, chosen: Callable[[bytes], bool], early: Path, late: Path) -> None:
    """Each line to one of two files, by the cell of a column (or the whole line), with the header in both."""
    with source.open("rb") as lines, early.open("wb") as first, late.open("wb") as second:
        head = next(lines)
        names = head.strip(b"\xef\xbb\xbf\r\n").split(b";")
        first.write(head)
        second.write(head)
        for line in lines:
            cell = line.rstrip(b"\r\n").split(b";")[names.index(column)] if column else line
            (second if chosen(cell) else first).write(line)


def _coverage(target: Path, told: dict[str, object]) -> None:
    target.with_suffix(".coverage.json").write_text(json.dumps(told), encoding="utf-8")


def _jobs(folder: Path, first: int) -> Iterator[Job]:
    for path in sorted(folder.glob("*.csv")):
        register, _, number = path.stem.rpartition("_")
        yield (register, int(number), path) if number.isdigit() else (path.stem, first, path)
