"""Printed beside recounted: every national figure, and both tables per municipality, within stated tolerances.

A register is recounted by its own definition (register_counts.sql and its parts). What counts as equal is stated
here, per kind of figure; what no register can give has its reason beside it and is not judged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from schemas import gemeente, recount, reference

RELATIVE = {"count": 0.02, "total": 0.02, "mean": 0.05, "min": 0.06, "max": 0.02, "difference": 0.05}
PERCENTAGE_POINTS, OF_A_PERCENTAGE = 1.2, 0.01
YEARS_OF_AGE = 1.0
FEWEST = 5.0
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
NATIONAL, INJUS, WMO = "landelijk", "gemeenten injus", "gemeenten wmo"


@dataclass(frozen=True)
class Line:
    """One printed figure, the recount of it, how far they may differ, and why it is not judged (else empty)."""

    table: str
    source: str
    indicator: str
    breakdown: str
    year: str
    kind: str
    published: float
    counted: float | None
    tolerance: float
    note: str

    @property
    def judged(self) -> bool:
        """False when the registers cannot give the figure, or the report contradicts itself."""
        return not self.note

    @property
    def within(self) -> bool:
        """True when not judged, or within the tolerance."""
        return not self.judged or (self.counted is not None and abs(self.counted - self.published) <= self.tolerance)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "judged": self.judged, "within": self.within}


def lines(linked: Path, scale: float = 1.0) -> list[Line]:
    """Every printed figure beside the counts of the run in folder `linked`.

    `scale` below 1 is a synthetic country of that size: printed counts are scaled, and tolerances grow with the
    noise of small counts (four times the square root).
    """
    rows = pq.read_table(linked / "register_counts.parquet").to_pylist()
    counts: recount.Counts = {(r["source"], r["indicator"], r["breakdown"], r["year"]): float(r["value"]) for r in rows}
    told = pq.read_table(linked / "reconciliation.parquet").to_pylist()
    made = [_national(row, scale) for row in told]
    made += [_notice(row, counts, scale) for row in reference.injus_notices()]
    return made + [_flow(row, counts, scale) for row in reference.wmo_flows()]


def _national(row: dict[str, object], scale: float) -> Line:
    source, indicator, breakdown = (str(row[name]) for name in ("source", "indicator", "breakdown"))
    kind, unit, note = str(row["kind"]), str(row["unit"]), str(row["note"])
    printed = float(str(row["published"])) * (1.0 if unit in ("percent", "years", "municipalities") else scale)
    counted = None if row["counted"] is None else float(str(row["counted"]))
    note = KNOWN.get((source, indicator, breakdown, kind), note) or (TOO_SMALL if scale < 1 and kind in NOISY else "")
    tolerance = _tolerance(kind, unit, printed, scale)
    return Line(NATIONAL, source, indicator, breakdown, str(row["year"]), kind, printed, counted, tolerance, note)


def _tolerance(kind: str, unit: str, printed: float, scale: float) -> float:
    """What counts as equal; see the constants above."""
    small = scale < 1
    if unit == "percent":
        return max(PERCENTAGE_POINTS, abs(printed) * OF_A_PERCENTAGE) + (60 * (1 - scale) if small else 0)
    if unit == "years":
        return 12.0 if small else YEARS_OF_AGE
    noise = 4 * max(abs(printed), 1.0) ** 0.5 if small else FEWEST
    return max(abs(printed) * RELATIVE.get(kind, 0.02), noise)


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
    slack = 3 + 4 * printed**0.5 if scale < 1 else max(PLACE_FEWEST, PLACE_RELATIVE * printed)
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
