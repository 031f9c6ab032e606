"""The attacker: everything that fits what is known, per cell, in whole numbers.

In the order of docs/disclosure.md: interval propagation, fixed cells dropped and components, shared witnesses, single
LPs for what is left, whole-number witnesses before anything is called safe. A cell is SAFE only by two whole-number
points that the attacker cannot tell apart, and UNSAFE only by a proven bound; what neither settles counts as unsafe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from release.protect.goals import Goals, Ranges, Verdict
from release.protect.search import Search
from release.protect.solver import Solver
from release.protect.system import Floats, System, propagate
from schemas.errors import DisclosureRefused


@dataclass
class Attack:
    """One attacker on one system: `low` and `high` are what is known of each cell before any relation is used."""

    system: System
    low: Floats
    high: Floats
    seed: int = 0

    def fits(self, point: Floats) -> bool:
        """Whether this attacker holds a whole-number point possible: a certificate is checked, whoever found it."""
        if len(point) != self.system.cells:
            return False
        inside = bool((point >= self.low).all() and (point <= self.high).all())
        return inside and bool((point == np.round(point)).all()) and not self.system.broken(point)

    def run(
        self, goals: Goals, start: Floats | None = None, *, points: Sequence[Floats] = (), singles: bool = True
    ) -> Ranges:
        """Ranges of the target cells. `start` is a whole-number point that fits, such as the truth.

        `points` are whole-number points of the system found before; those that fit what this attacker knows count.

        DisclosureRefused tables_disagree when nothing fits what is known.
        """
        low, high = propagate(self.system, self.low, self.high)
        if (low > high).any():
            raise DisclosureRefused("tables_disagree")
        ranges = Ranges(
            goals,
            low[goals.cells],
            high[goals.cells],
            np.full(len(goals.cells), np.inf),
            np.full(len(goals.cells), -np.inf),
            np.zeros(len(goals.cells), dtype=np.int64),
        )
        start = _start(self.system, low, high, ranges.work) if start is None else start
        ranges.see(start)
        ranges.points.append(start)
        for point in points:
            if self.fits(point):
                ranges.see(point)
        if (ranges.verdict == Verdict.OPEN).any():
            search = Search(self.system, low, high, start, ranges, np.random.default_rng(self.seed))
            search.shared()
            if singles:
                search.singles()
        return ranges


def _start(system: System, low: Floats, high: Floats, work: dict[str, int]) -> Floats:
    """Any whole-number point that fits. DisclosureRefused tables_disagree when there is none."""
    free = np.flatnonzero(high > low)
    start = low.copy()
    if len(free) == 0:
        if system.broken(start):
            raise DisclosureRefused("tables_disagree")
        return start
    due = -(system.matrix @ np.where(high > low, 0.0, low))
    piece = system.matrix[:, free]
    solver = Solver(piece, low[free], high[free], (due, due))
    found = solver.best(np.zeros(len(free)), whole=True, gap=1.0)
    work["mip"] = work.get("mip", 0) + 1
    if found is None or not found.whole:
        raise DisclosureRefused("tables_disagree")
    start[free] = found.values
    return start
