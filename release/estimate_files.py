"""Estimates for VNG and municipalities as CSV, XLSX and Parquet: files of their own, never columns beside counts.

Municipalities per year (per half-year nearly every one is refused), regions per half-year and year. The gate reads
what stands on disk back into `Estimates`, so a file cannot hold what the type cannot.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from release.estimates import Estimates
from release.export import BANNER
from release.files import write_parquet
from release.workbook import Book
from schemas.errors import DisclosureRefused
from schemas.estimates import AANNAMEN, BASES, ESTIMAND, GROEPEN, KWALITEIT, SCHATTINGEN, SOORTEN
from schemas.spreadsheet import no_formula

HEADS = SCHATTINGEN.names
PARQUET, CSV = "schattingen.parquet", "schattingen.csv"
WIDTHS = (*[12] * (len(HEADS) - 1), 110)  # the sentence comes last
_WHOLE = {column.name for column in SCHATTINGEN.columns if pa.types.is_integer(column.type)}
_YEAR, _HEADLINE = 4, (0, 6)  # digits of a year; window of 6 months, and title ends, which have none


def write_estimates(estimates: Estimates, out: Path, provenance: dict[str, str]) -> list[Path]:
    """schattingen_per_gemeente and schattingen_per_regio as CSV and Parquet, and both in schattingen.xlsx."""
    told = {**provenance, "soort": "geschat, niet geteld", "title": SCHATTINGEN.title, "warning": BANNER}
    sheets = {name: _lines(chosen(estimates, name)) for name in ("gemeente", "regio")}
    made = []
    for name, lines in sheets.items():
        made.append(_csv(lines, out / f"schattingen_per_{name}.csv"))
        made.append(write_parquet(chosen(estimates, name), out / f"schattingen_per_{name}.parquet", told))
    return [*made, _xlsx(sheets, out / "schattingen.xlsx", told)]


def write_rows(estimates: Estimates, out: Path) -> list[Path]:
    """All rows as they are, for machines and for Dutch Excel: what a release from a specification holds."""
    pq.write_table(estimates.table, out / PARQUET, compression="zstd")
    return [out / PARQUET, _csv(_lines(estimates.table), out / CSV)]


def read_rows(folder: Path) -> pa.Table:
    """What `write_rows` left on disk. DisclosureRefused changed_count when its two files differ, or an unsafe one."""
    table = Estimates(pq.read_table(folder / PARQUET).replace_schema_metadata(None)).table
    with (folder / CSV).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file, delimiter=";"))
    if lines != [list(HEADS), *([str(cell) for cell in line] for line in _lines(table))]:
        raise DisclosureRefused("changed_count")
    return table


def chosen(estimates: Estimates, name: str) -> pa.Table:
    """What one reader gets: the headline window; of regions also the other windows, in years and not by group."""
    table = estimates.table
    place, year = pc.equal(table["niveau"], "gemeente"), pc.equal(pc.utf8_length(table["periode"]), _YEAR)
    headline = pc.is_in(table["maanden"], value_set=pa.array(_HEADLINE, pa.int32()))
    if name == "gemeente":
        return table.filter(pc.and_(pc.and_(place, year), headline))
    other = pc.and_(year, pc.and_(pc.equal(table["groep"], "ALLE"), pc.equal(table["soort"], "GEBRUIK")))
    return table.filter(pc.and_(pc.invert(place), pc.or_(headline, other)))


def _lines(table: pa.Table) -> list[list[str | int]]:
    return [
        ["" if value is None else no_formula(value) if isinstance(value, str) else value for value in row.values()]
        for row in table.select(HEADS).to_pylist()
    ]


def _csv(lines: list[list[str | int]], path: Path) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADS)
    writer.writerows(lines)
    path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8"))
    return path


def _xlsx(sheets: dict[str, list[list[str | int]]], path: Path, told: dict[str, str]) -> Path:
    with Book(path) as book:
        for name, lines in sheets.items():
            book.sheet(name, HEADS, lines, WIDTHS)
        book.legend(explanation(told), width=120)
    return path


def explanation(told: dict[str, str]) -> list[tuple[str, str]]:
    """The legend: what is estimated, what every word in a column means, where it comes from."""
    return [
        ("let op", BANNER),
        ("geschat", "Dit zijn schattingen. Wat is geteld, staat in doelgroep_per_gemeente; tel beide nooit op."),
        ("wat", ESTIMAND),
        ("laag, hoog", "In negen van de tien gevallen ligt het echte aantal hiertussen; naar buiten afgerond op 5."),
        *(pair for words in (SOORTEN, GROEPEN, BASES, KWALITEIT, AANNAMEN) for pair in words.items()),
        *told.items(),
    ]


def judge(lines: list[list[str]]) -> None:
    """The gate's reading of a CSV or sheet, as text: DisclosureRefused estimate_unsafe or release_schema."""
    try:
        rows = [{name: _value(name, text) for name, text in zip(HEADS, line, strict=True)} for line in lines]
    except ValueError:
        raise DisclosureRefused("release_schema") from None
    Estimates(pa.Table.from_pylist(rows, schema=SCHATTINGEN.arrow_schema()))


def _value(name: str, text: str) -> str | int | None:
    if name not in _WHOLE:
        return text
    return int(text) if text else None
