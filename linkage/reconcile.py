"""Printed beside recounted: every national figure, and both tables per municipality, within stated tolerances.

A register is recounted by its own definition (register_counts.sql and its parts). What counts as equal stands in
schemas/comparison.py; what no register can give has its reason beside it and is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from schemas import comparison, printed, recount, reference
from schemas.comparison import INJUS, NATIONAL, WMO, Line
from schemas.printed import Printed

PLACE_FEWEST, PLACE_RELATIVE = 12.0, 0.04  # printed counts are rounded to 5, and halves merge a little differently
JJI_MARGIN = 1.5  # a municipality's share of youth notices varies around the national one
HIDDEN = "Niet gedrukt, want onder de 10."
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
    made += [_notice(one, counts, scale) for one in printed.today(reference.injus_notices(), printed.NOTICES)]
    return made + [_flow(one, counts, scale) for one in printed.today(reference.wmo_flows(), printed.FLOWS)]


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


def _notice(one: Printed, counts: recount.Counts, scale: float) -> Line:
    head = f"notice={one.row['notice']}"
    line = _place(INJUS, ("injus", "notices", head), one, counts, scale)
    share = _youth(counts, head, one.row["year"])
    return Line(**{**asdict(line), "tolerance": line.tolerance + JJI_MARGIN * share * line.published})


def _youth(counts: recount.Counts, head: str, year: str) -> float:
    """Share of youth institutions in all notices of a year: printed per municipality, out of scope for a run."""
    everything = counts.get(("injus", "notices", f"{head};level=all_municipalities", year), 0.0)
    adults = counts.get(("injus", "notices", f"{head};sector=GW+ForZo", year), 0.0)
    return 1 - adults / everything if everything else 0.0


def _flow(one: Printed, counts: recount.Counts, scale: float) -> Line:
    return _place(WMO, ("cbs", one.row["flow"], f"provision={one.row['provision']}"), one, counts, scale)


def _place(table: str, key: tuple[str, str, str], one: Printed, counts: recount.Counts, scale: float) -> Line:
    """A municipality of today: what is printed of it, or of its parts together, and the margin that this leaves."""
    source, indicator, head = key
    breakdown, year = f"{head};municipality={one.municipality}", one.row["year"]
    elsewhere = one.why == printed.ELSEWHERE
    counted = None if elsewhere else counts.get((source, indicator, breakdown, year), 0.0)
    middle, wider = (0.0, 0.0) if one.count is None else (one.count.middle * scale, _wider(one.count) * scale)
    slack = comparison.of_a_place(middle, scale, fewest=PLACE_FEWEST, relative=PLACE_RELATIVE) + wider
    remark = _remark(one)
    return Line(table, source, indicator, breakdown, year, "count", middle, counted, slack, one.why, remark)


def _wider(count: printed.Interval) -> float:
    """What an interval adds to the margin of a place, in which the rounding of one count is held already."""
    return max(count.half - printed.ROUNDED, 0.0)


def _remark(one: Printed) -> str:
    if one.parts:
        return f"Som van {', '.join(one.parts)}."
    return HIDDEN if one.count is not None and not one.row["count"] else ""


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
