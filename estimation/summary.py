"""Draws to rows: areas, periods, moments, intervals, labels. One row per area x period of a measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from estimation import quality
from estimation.arrays import Bools, Floats, Ints
from estimation.intervals import interval
from estimation.places import LEVELS, Places

Row = dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """One measure to summarise: draws (R x M x T), counts (M x T), and the part of it that is counted."""

    kind: str
    group: str
    months: int
    draws: Floats
    counted: Ints
    weight: Floats  # M x T, chance that a member is counted in its own area
    expected: Floats  # M x T, weights of `weight` when areas are added up
    informs: Bools  # M x T


@dataclass(frozen=True)
class Grid:
    """Areas and periods: indicator matrices from municipalities and half-years."""

    areas: tuple[tuple[str, str, str], ...]  # level, code, name
    members: Floats  # M x A
    periods: tuple[str, ...]
    spans: Floats  # T x P
    sums: Any  # A x M, the members again, sparse: an area has few

    @classmethod
    def of(cls, places: Places, halves: tuple[str, ...]) -> Grid:
        """Every level of `LEVELS`; every half-year and every year with both halves."""
        areas: list[tuple[str, str, str]] = []
        columns = []
        for level in LEVELS:
            found, number = places.areas(level)
            areas += [(level, code, name) for code, name in found]
            columns.append((number[:, None] == np.arange(len(found))).astype(np.float64))
        years = sorted({half[:4] for half in halves})
        whole = [year for year in years if {f"{year}H1", f"{year}H2"} <= set(halves)]
        periods = (*halves, *whole)
        spans = np.array([[float(half.startswith(period)) for period in periods] for half in halves])
        members = np.hstack(columns)
        return cls(tuple(areas), members, periods, spans, sparse.csr_array(members.T))

    def add(self, table: Floats) -> Floats:
        """M x T (or R x M x T) added up to A x P (R x A x P)."""
        *draws, places, halves = table.shape
        by_place = np.moveaxis(table, -2, 0).reshape(places, -1)
        added = (self.sums @ by_place).reshape(-1, *draws, halves)
        return np.asarray(np.moveaxis(added, 0, -2) @ self.spans, np.float64)


def rows(measure: Measure, grid: Grid) -> Iterator[Row]:
    """Rows of the ESTIMATES table, in area and period order."""
    total = grid.add(measure.draws)
    ordered = np.sort(total.reshape(len(total), -1).T, axis=1)
    mean, sd = ordered.mean(axis=1), ordered.std(axis=1)
    (low80, high80), (low90, high90) = (interval(ordered, level) for level in (0.8, 0.9))
    counted = grid.add(measure.counted.astype(np.float64)).round().astype(np.int64).ravel()
    expected = grid.add(measure.expected).ravel()
    weight = np.clip(grid.add(measure.expected * measure.weight).ravel() / np.maximum(expected, 1e-12), 0.0, 1.0)
    informs = (grid.add(measure.informs.astype(np.float64)).ravel() > 0) | (counted > 0)
    shown_count = measure.kind != "BEHOEFTE"
    for i, (area, period) in enumerate((a, p) for a in grid.areas for p in grid.periods):
        cv = float(sd[i] / mean[i]) if mean[i] > 0 else float("inf")
        label, reason = quality.quality(cv, int(counted[i]), float(weight[i]), area[0])
        yield {
            "niveau": area[0],
            "code": area[1],
            "periode": period,
            "soort": measure.kind,
            "groep": measure.group,
            "maanden": measure.months,
            "geteld": int(counted[i]) if shown_count else None,
            "schatting": float(mean[i]),
            "sd": float(sd[i]),
            "cv": cv if np.isfinite(cv) else None,
            "laag80": float(low80[i]),
            "hoog80": float(high80[i]),
            "laag90": float(low90[i]),
            "hoog90": float(high90[i]),
            "gewicht": float(weight[i]),
            "basis": "GETELD_EN_GESCHAT" if informs[i] else "GESCHAT",
            "kwaliteit": label,
            "reden": reason,
        }


def reader_rows(estimates: list[Row], places: Places, assumption: str) -> list[Row]:
    """Rows of the SCHATTINGEN table: rounded outward, or the reason why not, in Dutch."""
    said: dict[tuple[Any, ...], str] = {}
    names = {(level, code): name for level in LEVELS for code, name in places.areas(level)[0]}
    region = {g.code: (g.veiligheidsregio_code, g.veiligheidsregio) for g in places.known}
    made = []
    for row in sorted(estimates, key=lambda r: LEVELS.index(r["niveau"]) == 0):  # regions first
        where = (row["periode"], row["soort"], row["groep"], row["maanden"])
        low, middle, high = quality.outward(row["laag90"], row["schatting"], row["hoog90"])
        shown = row["kwaliteit"] in {"GOED", "VOORZICHTIG"}
        text = quality.sentence(low, middle, high, row["basis"], row["kwaliteit"]) if shown else _refusal(row)
        if shown:
            said[row["niveau"], row["code"], *where] = text
        if row["kwaliteit"] == "REGIO":
            code, name = region[row["code"]]
            text = quality.instead(name, said.get(("veiligheidsregio", code, *where)))
        made.append(
            {
                **{name: row[name] for name in ("niveau", "code", "periode", "soort", "groep", "maanden")},
                "naam": names[row["niveau"], row["code"]],
                "schatting": middle if shown else None,
                "laag": low if shown else None,
                "hoog": high if shown else None,
                "kwaliteit": row["kwaliteit"],
                "basis": row["basis"],
                "aanname": assumption if row["soort"] == "BEHOEFTE" else "",
                "weergave": text,
            }
        )
    return made


def _refusal(row: Row) -> str:
    return {"KLEIN_AANTAL": quality.REFUSED, "GEEN_GEGEVENS": quality.NO_DATA}.get(row["reden"], quality.UNCERTAIN)
