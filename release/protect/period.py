"""One half-year: true values, primary decisions, the relations between its areas, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from release.protect.rows import Judged, Template
from release.protect.spec import Rules
from release.protect.system import Flags, Floats, Ints


@dataclass(frozen=True)
class Period:
    """True values and primary decisions of one half-year. Arrays are rows (areas) x variables.

    regions    (total row, part rows) for every relation between areas
    insiders   rows of parties that know their own row (municipalities)
    group      per row: what makes it the same to every relation (its regions); -1 for a row that is a total
    weight     what hiding a cell costs, rows x measures
    told       rows x measures that an earlier release showed: known, whether they are printed now or not
    bounds     rows x measures, least and most that published estimates leave open (release/protect/told.py)
    """

    template: Template
    rules: Rules
    values: Floats
    judged: Judged
    regions: tuple[tuple[int, tuple[int, ...]], ...]
    insiders: Flags
    group: Ints
    weight: Floats
    told: Flags | None = None
    bounds: tuple[Floats, Floats] | None = None

    def bounded(self) -> Flags:
        """Rows x measures that an estimate keeps from being anything from nobody to what a crowd needs (`_crowd`)."""
        if self.bounds is None:
            return np.zeros(self.weight.shape, dtype=bool)
        low, high = self.bounds
        return np.asarray((low > 0) | (high < self._room()))

    def _room(self) -> Floats:
        """Per row and measure, at least the reach of any crowd of its group; without end for a total."""
        measures = self.values[:, : self.template.measures]
        room = np.full(measures.shape, np.inf)
        for group in np.unique(self.group[self.insiders]):
            rows = np.flatnonzero(self.group == group)
            room[rows] = np.sort(measures[rows], axis=0)[-2:].sum(axis=0) + self.rules.margin + self.rules.width
        return room

    def known(self) -> Flags:
        """Rows x measures that everybody knows already."""
        return np.zeros(self.weight.shape, dtype=bool) if self.told is None else self.told

    def start(self) -> Flags:
        """Rows x measures hidden by the primary rules."""
        return np.asarray(self.judged.reason[:, : self.template.measures] != 0)
