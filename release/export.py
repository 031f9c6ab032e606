"""The protected table as CSV, XLSX and Parquet: the same rows in each, equal bytes for equal content."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from release.disclosure import HIDDEN, LEGEND, THRESHOLD, Protected, rows
from release.workbook import Book
from schemas.spreadsheet import no_formula
from schemas.target_group import DOELGROEP, MATEN, NIVEAUS

COLUMNS = ("niveau", "code", "naam", "halfjaar", "maat", "omschrijving", "weergave", "gmsd_geleverd")
HEADS = ("niveau", "code", "naam", "halfjaar", "maat", "omschrijving", "aantal", "wmo_gegevens_geleverd")
WIDTHS = (16, 10, 30, 10, 18, 60, 10, 14)
REGIONS = tuple(name for name in NIVEAUS if name != "gemeente")
BANNER = "DEMO, NIET VOOR PUBLICATIE. Alle personen zijn verzonnen."


def write_tables(protected: Protected, out: Path, provenance: dict[str, str]) -> list[Path]:
    """doelgroep_per_gemeente and doelgroep_per_regio as CSV and Parquet, and both in one XLSX."""
    made = []
    for name, levels in (("doelgroep_per_gemeente", ("gemeente",)), ("doelgroep_per_regio", REGIONS)):
        table = rows(protected, levels)
        made += [_csv(table, out / f"{name}.csv"), _parquet(table, out / f"{name}.parquet", provenance)]
    return [*made, _xlsx(protected, out / "doelgroep_per_gemeente.xlsx", provenance)]


def _lines(table: pa.Table) -> list[tuple[str | int, ...]]:
    found = []
    for row in table.to_pylist():
        count = HIDDEN if row["aantal"] is None else row["aantal"]
        text = [no_formula(row[name]) for name in COLUMNS[:6]]
        found.append((*text, count, "ja" if row["gmsd_geleverd"] else "nee"))
    return found


def _csv(table: pa.Table, path: Path) -> Path:
    """Semicolons and a byte order mark: what Dutch Excel opens with a double click."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADS)
    writer.writerows(_lines(table))
    path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8"))
    return path


def _parquet(table: pa.Table, path: Path, provenance: dict[str, str]) -> Path:
    metadata = {"title": DOELGROEP.title, "warning": BANNER, **provenance}
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd", row_group_size=122_880)
    return path


def _xlsx(protected: Protected, path: Path, provenance: dict[str, str]) -> Path:
    with Book(path) as book:
        for name, levels in (("gemeente", ("gemeente",)), ("regio", REGIONS)):
            book.sheet(name, HEADS, _lines(rows(protected, levels)), WIDTHS)
        book.legend(explanation(provenance))
    return path


def explanation(provenance: dict[str, str]) -> list[tuple[str, str]]:
    """The legend, row by row: what the symbol means, what each measure counts, where it comes from."""
    return [
        ("let op", BANNER),
        (HIDDEN, f"Verborgen: minder dan {THRESHOLD} personen. Alle verborgen cellen hebben dit teken, ook nullen."),
        ("afronding", LEGEND),
        ("waargenomen", "Geteld wat te koppelen is; niet opgehoogd voor wat ontbreekt."),
        (
            "nee bij wmo_gegevens_geleverd",
            "Niet alle gemeenten van het gebied leverden GMSD; gebruik is dan niet te zien.",
        ),
        *MATEN.items(),
        *provenance.items(),
    ]
