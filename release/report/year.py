"""The year a page tells of: per area and measure its half-years, each shown or hidden."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from release.disclosure import HIDDEN, Protected
from release.protect.edition import Protected as Edition

HEADLINE = ("titel_eindes", "wmo_180", "niet_waarneembaar")

Cells = dict[tuple[str, str, str], dict[str, int | None]]


@dataclass(frozen=True)
class Year:
    """Per area and measure, the two half-years of one year, each as shown (None = hidden)."""

    year: str
    cells: Cells
    names: dict[tuple[str, str], str]
    delivered: dict[tuple[str, str], bool]

    def total(self, niveau: str, code: str, maat: str) -> int | None:
        """Sum of the shown half-years; None as soon as one of them is hidden, so that nothing is recomputed."""
        values = list(self.cells.get((niveau, code, maat), {}).values())
        # What no table has is not zero persons.
        return None if not values or any(v is None for v in values) else sum(v for v in values if v is not None)

    @cached_property
    def halves(self) -> list[str]:
        """The half-years that there are, in order."""
        return sorted({half for cell in self.cells.values() for half in cell})

    def half(self, niveau: str, code: str, maat: str, half: str) -> int | None:
        """One half-year; None where it is hidden or in no table."""
        return self.cells.get((niveau, code, maat), {}).get(half)


def latest(protected: Protected | Edition) -> Year:
    """The last year of the table of which the headline is shown, or else the last one."""
    listed = protected.table.to_pylist()
    year = _year(listed)
    cells: Cells = defaultdict(dict)
    names: dict[tuple[str, str], str] = {}
    delivered: dict[tuple[str, str], bool] = {}
    for row in listed:
        if row["halfjaar"].startswith(year):
            area = (row["niveau"], row["code"])
            cells[*area, row["maat"]][row["halfjaar"]] = row["aantal"]
            names[area] = row["naam"]
            delivered[area] = delivered.get(area, True) and row["gmsd_geleverd"]
    return Year(year, cells, names, delivered)


def _year(listed: list[dict[str, Any]]) -> str:
    years: list[str] = sorted({row["halfjaar"][:4] for row in listed}, reverse=True)
    closed = {
        row["halfjaar"][:4]
        for row in listed
        if row["niveau"] == "land" and row["maat"] in HEADLINE and row["aantal"] is None
    }
    return next((year for year in years if year not in closed), years[0])


def words(value: int | None) -> str:
    """A number as a Dutch reader writes it, or the symbol."""
    return HIDDEN if value is None else f"{value:,}".replace(",", ".")
