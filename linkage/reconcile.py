"""Printed beside recounted: every national figure, and both tables per municipality, within stated tolerances.

A register is recounted by its own definition (register_counts.sql and its parts). What counts as equal stands in
schemas/comparison.py; what no register can give has its reason beside it and is not judged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from schemas import comparison, gemeente, recount, reference
from schemas.comparison import INJUS, NATIONAL, WMO, Line

PLACE_FEWEST, PLACE_RELATIVE = 12.0, 0.04  # printed counts are rounded to 5, and halves merge a little differently
JJI_MARGIN = 1.5  # a municipality's share of youth notices varies around the national one
CLASSIFICATION = 2023
MERGED = "Gemeente van een andere indeling: geteld bij de opvolger."
UNREADABLE = "Het rapport drukt hier geen leesbaar cijfer."
KNOWN = {
    ("cbs", "municipalities_never_delivered", "total", "count"): (
        "De tabel in bijlage A laat er minder leeg dan de tekst noemt."
    ),
    ("cbs", "outflow", "provision=support_at_home;municipality=Arnhem", "count"): (
        "Bijlage A drukt 2.860, de tekst 2.705; hier geldt de bijlage."
    ),
}
# In a small synthetic country these are a few people more or less; they are not judged there.
NOISY = frozenset({"change", "difference", "min", "max"})
TOO_SMALL = "Niet te beoordelen in een klein fictief land."


def as_dict(line: Line) -> dict[str, object]:
    """For JSON."""
    return {**asdict(line), "judged": line.judged, "within": line.within}


def lines(linked: Path, scale: float = 1.0) -> list[Line]:
    """Every printed figure beside the counts of the run in folder `linked`.

    `scale` below 1 is a synthetic country of that size: printed counts are scaled, and tolerances grow with the
    noise of small counts (four times the square root).
    """
    rows = pq.read_table(linked / "register_counts.parquet").to_pylist()
    counts: recount.Counts = {(r["source"], r["indicator"], r["breakdown"], r["year"]): float(r["value"]) for r in rows}
    told = pq.read_table(linked / "reconciliation.parquet").to_pylist()
    made = [_city(_national(row, scale), counts, scale) for row in told]
    made += [_notice(row, counts, scale) for row in reference.injus_notices()]
    return made + [_flow(row, counts, scale) for row in reference.wmo_flows()]


def _national(row: dict[str, object], scale: float) -> Line:
    source, indicator, breakdown = (str(row[name]) for name in ("source", "indicator", "breakdown"))
    kind, unit, note = str(row["kind"]), str(row["unit"]), str(row["note"])
    printed = comparison.sized(float(str(row["published"])), unit, scale)
    counted = None if row["counted"] is None else float(str(row["counted"]))
    note = KNOWN.get((source, indicator, breakdown, kind), note) or (TOO_SMALL if scale < 1 and kind in NOISY else "")
    tolerance = comparison.tolerance(kind, unit, printed, scale)
    return Line(NATIONAL, source, indicator, breakdown, str(row["year"]), kind, printed, counted, tolerance, note)


def _city(line: Line, counts: recount.Counts, scale: float) -> Line:
    """Notices of a large city in the text of the report: judged as in the table per municipality, youth included."""
    head, _, place = line.breakdown.partition(";municipality=")
    if line.source != "injus" or not place:
        return line
    slack = comparison.of_a_place(line.published, scale, fewest=PLACE_FEWEST, relative=PLACE_RELATIVE)
    slack += JJI_MARGIN * _youth(counts, head, line.year) * line.published
    return Line(**{**asdict(line), "tolerance": slack, "note": ""})


def _notice(row: dict[str, str], counts: recount.Counts, scale: float) -> Line:
    head = f"notice={row['notice']}"
    line = _place(INJUS, ("injus", "notices", head), row, counts, scale)
    share = _youth(counts, head, row["year"])
    return Line(**{**asdict(line), "tolerance": line.tolerance + JJI_MARGIN * share * line.published})


def _youth(counts: recount.Counts, head: str, year: str) -> float:
    """Share of youth institutions in all notices of a year: printed per municipality, out of scope for a run."""
    everything = counts.get(("injus", "notices", f"{head};level=all_municipalities", year), 0.0)
    adults = counts.get(("injus", "notices", f"{head};sector=GW+ForZo", year), 0.0)
    return 1 - adults / everything if everything else 0.0


def _flow(row: dict[str, str], counts: recount.Counts, scale: float) -> Line:
    return _place(WMO, ("cbs", row["flow"], f"provision={row['provision']}"), row, counts, scale)


def _place(table: str, key: tuple[str, str, str], row: dict[str, str], counts: recount.Counts, scale: float) -> Line:
    source, indicator, head = key
    name = _name(row["municipality"], row["year"])
    breakdown = f"{head};municipality={name or row['municipality']}"
    readable = row["status"] in ("exact", "realigned") and bool(row["count"])
    printed = float(row["count"]) * scale if readable else 0.0
    counted = counts.get((source, indicator, breakdown, row["year"]), 0.0) if name else None
    slack = comparison.of_a_place(printed, scale, fewest=PLACE_FEWEST, relative=PLACE_RELATIVE)
    note = "" if readable and name else UNREADABLE if name else MERGED
    return Line(table, source, indicator, breakdown, row["year"], "count", printed, counted, slack, note)


@cache
def _name(printed: str, year: str) -> str:
    """The name in today's classification of a municipality that was the same in that year; else empty."""
    code = gemeente.resolve(printed)
    names = {one.code: one.naam for one in gemeente.gemeenten(CLASSIFICATION)}
    now = gemeente.recode_table(CLASSIFICATION)
    last = dt.date(int(year), 12, 31)
    joined = any(one.code != code and now[one.code] == code and one.valid_on(last) for one in gemeente.all_gemeenten())
    return "" if joined else names.get(code or "", "")


def outside(found: Sequence[Line]) -> list[Line]:
    """The judged lines beyond their tolerance."""
    return [line for line in found if not line.within]


def summary(found: Sequence[Line]) -> Iterator[tuple[str, int, int, int, int]]:
    """Per table: figures, judged, equal, outside."""
    for table in (NATIONAL, INJUS, WMO):
        mine = [line for line in found if line.table == table]
        judged = [line for line in mine if line.judged]
        equal = sum(line.counted == line.published for line in judged)
        yield table, len(mine), len(judged), equal, len(outside(judged))
