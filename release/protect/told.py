"""What published estimates tell of hidden counts, as bounds for the attacker.

An estimate is what was counted plus a draw of what was not seen (docs/decisions/0033), so a count is at most the upper
end of its interval; whoever takes it that little was missed, believes that it is at least the lower end. Both are taken
as known, except where they are not true: that attacker is misled. Of a year the other half-year is taken as known too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from release.protect.coarser import told
from release.protect.period import Period
from release.protect.periods import Layout
from release.protect.system import EPS, Flags, Floats

Numbers = tuple[int, int, int]
Cell = tuple[int, int]  # area and measure
LEAST, MOST = 0, 1
# (kind, group, months) -> measures that are at least, and at most, what this counts. A shorter window is a part of a
# longer one, a group a part of all; need under an assumption is never less than use in the same draw.
AT_LEAST: dict[tuple[str, str, int], tuple[str, ...]] = {
    ("TITEL_EINDES", "ALLE", 0): ("titel_eindes",),
    ("GEBRUIK", "ALLE", 3): ("wmo_180",),
    ("GEBRUIK", "THUIS", 3): ("wmo_thuis_180",),
    ("GEBRUIK", "OPVANG", 3): ("wmo_opvang_180",),
    ("GEBRUIK", "ALLE", 6): ("wmo_180",),
    ("GEBRUIK", "THUIS", 6): ("wmo_thuis_180",),
    ("GEBRUIK", "OPVANG", 6): ("wmo_opvang_180",),
    ("GEBRUIK", "ALLE", 12): ("wmo_365",),
    ("GEBRUIK", "THUIS", 12): ("wmo_365",),
    ("GEBRUIK", "OPVANG", 12): ("wmo_365",),
}
AT_MOST: dict[tuple[str, str, int], tuple[str, ...]] = {
    ("TITEL_EINDES", "ALLE", 0): ("titel_eindes",),
    ("GEBRUIK", "ALLE", 6): ("wmo_180",),
    ("GEBRUIK", "THUIS", 6): ("wmo_thuis_180",),
    ("GEBRUIK", "OPVANG", 6): ("wmo_opvang_180",),
    ("GEBRUIK", "ALLE", 12): ("wmo_365",),
    ("GEBRUIK", "THUIS", 12): ("wmo_thuis_180",),
    ("GEBRUIK", "OPVANG", 12): ("wmo_opvang_180",),
    ("BEHOEFTE", "ALLE", 6): ("wmo_180",),
    ("BEHOEFTE", "ALLE", 12): ("wmo_365",),
}


@dataclass(frozen=True)
class Link:
    """One end of one estimate and a hidden cell of it. `known`: what is known of its period beside that cell."""

    estimate: int
    side: int
    known: float


class Sheet:
    """Estimates and the hidden cells they bound, per half-year; every estimate at a step of its own (coarser.py).

    steps    per row of the table
    changed  per half-year, how often a step of an estimate that bounds it rose
    links    per half-year, the ends that bound each cell
    """

    def __init__(self, estimates: pa.Table, layout: Layout, made: list[Period], hidden: Sequence[Flags]) -> None:
        self.made = made
        self.steps = [0] * estimates.num_rows
        self.changed = [0] * len(made)
        self.numbers: dict[int, Numbers] = {}
        self.links: list[dict[Cell, list[Link]]] = [defaultdict(list) for _ in made]
        self.of: dict[int, set[int]] = {}
        at = {area: row for row, area in enumerate(layout.areas)}
        column = {name: n for n, name in enumerate(made[0].template.names[: made[0].template.measures])}
        for number, line in enumerate(estimates.to_pylist()):
            row = at.get((line["niveau"], line["code"]))
            if row is not None and line["hoog"] is not None and line["basis"] == "GETELD_EN_GESCHAT":
                self._link(number, line, row, column, layout, hidden)

    def _link(
        self,
        number: int,
        line: dict[str, Any],
        row: int,
        column: dict[str, int],
        layout: Layout,
        hidden: Sequence[Flags],
    ) -> None:
        key = (line["soort"], line["groep"], line["maanden"])
        inside = [n for n, half in enumerate(layout.halves) if half.startswith(line["periode"])]
        for side, bounded in ((LEAST, AT_LEAST), (MOST, AT_MOST)):
            for measure in (column[name] for name in bounded.get(key, ()) if name in column):
                whole = sum(self.made[n].values[row, measure] for n in inside)
                for n in inside:
                    if hidden[n][row, measure]:
                        known = whole - self.made[n].values[row, measure]
                        self.links[n][row, measure].append(Link(number, side, float(known)))
                        self.of.setdefault(number, set()).add(n)
        self.numbers[number] = (line["laag"], line["schatting"], line["hoog"])

    def end(self, link: Link) -> float | None:
        """What a link says of its cell at the estimate's present step; None where it says nothing."""
        numbers = told(self.numbers[link.estimate], self.steps[link.estimate])
        return None if numbers is None else numbers[0 if link.side == LEAST else 2] - link.known

    def bounds(self, n: int) -> tuple[Floats, Floats]:
        """Least and most of every cell (rows x measures) of half-year n; an end that is not true is left out."""
        values = self.made[n].values
        shape = (len(values), self.made[n].template.measures)
        low, high = np.zeros(shape), np.full(shape, np.inf)
        for place, links in self.links[n].items():
            for link in links:
                end = self.end(link)
                if end is not None and link.side == LEAST and end <= values[place]:
                    low[place] = max(low[place], end)
                if end is not None and link.side == MOST and end >= values[place]:
                    high[place] = min(high[place], end)
        return low, high

    def period(self, n: int) -> Period:
        """Half-year n with what the estimates tell of it now."""
        return replace(self.made[n], bounds=self.bounds(n))

    def give_way(self, n: int, row: int, measure: int, value: float) -> None:
        """Tell coarsely, or refuse, what keeps this cell from being `value`."""
        true = self.made[n].values[row, measure]
        for link in self.links[n].get((row, measure), ()):
            while (end := self.end(link)) is not None and (
                value < end - EPS <= true if link.side == LEAST else true <= end + EPS < value
            ):
                self.coarser(link.estimate)

    def near(self, n: int, rows: set[int]) -> set[int]:
        """Estimates that bound a cell of these rows."""
        return {link.estimate for (row, _), links in self.links[n].items() if row in rows for link in links}

    def coarser(self, estimate: int) -> None:
        """One estimate a step coarser; steps that are of no use to a reader are passed over."""
        self.steps[estimate] += 1
        for n in self.of.get(estimate, ()):
            self.changed[n] += 1


def known(estimates: pa.Table, layout: Layout, made: list[Period], hidden: Sequence[Flags]) -> list[Period]:
    """The periods with what these estimates (SCHATTINGEN) tell of the hidden cells; `hidden`: rows x measures each."""
    sheet = Sheet(estimates, layout, made, hidden)
    return [sheet.period(n) for n in range(len(made))]
