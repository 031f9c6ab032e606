"""How an attack searches: shared witnesses first, then each cell that is still open by itself.

Steps 2 to 5 of the attack (docs/disclosure.md section 4): components, shared LPs, single LPs, whole-number witnesses.
"""

from __future__ import annotations

import numpy as np

from release.protect.goals import Ranges, Verdict, crowded, some, wants
from release.protect.solver import Point, Push, Solver
from release.protect.system import Floats, Ints, System, parts_of

SHARED = 30
PATIENCE = 4
GAP = 0.1
BEYOND = 1.0


class Search:
    """Steps 2 to 5 on the cells that are not fixed and can matter to an open target."""

    def __init__(
        self, system: System, low: Floats, high: Floats, start: Floats, ranges: Ranges, rng: np.random.Generator
    ) -> None:
        self.ranges, self.start, self.rng = ranges, start, rng
        self.low, self.high = low, high
        _, self.label = parts_of(system, high > low)
        wanted = np.unique(self.label[ranges.goals.cells[ranges.verdict == Verdict.OPEN]])
        self.columns = np.flatnonzero(np.isin(self.label, wanted[wanted >= 0]))
        self.place = np.full(system.cells, -1)
        self.place[self.columns] = np.arange(len(self.columns))
        self.piece = system.matrix[:, self.columns]
        kept = np.diff(self.piece.indptr) > 0
        self.piece = self.piece[np.flatnonzero(kept)]
        self.due = self.piece @ start[self.columns]

    def _open(self) -> Ints:
        return np.flatnonzero(self.ranges.verdict == Verdict.OPEN)

    def shared(self) -> None:
        """Some LPs that push all open targets at once; each solution widens the range of every cell."""
        ranges, columns = self.ranges, self.columns
        open_now = self._open()
        targets = open_now[self.place[ranges.goals.cells[open_now]] >= 0]
        cells = ranges.goals.cells[targets]
        bounds = (self.low[columns], self.high[columns])
        push = Push(self.piece, bounds, self.due, self.place[cells], self.start[cells])
        idle, many = 0, crowded(ranges.verdict[targets] == Verdict.OPEN)
        for _ in range(SHARED):
            left = ranges.verdict[targets] == Verdict.OPEN
            if not left.any() or idle >= PATIENCE:
                break
            towards = wants(ranges.goals, self.start[ranges.goals.cells], ranges.seen_low, ranges.seen_high, self.rng)
            want = np.where(some(left, self.rng) if many else left, towards[targets], 0.0)
            self._take(self._whole(push, want))
            now = int((ranges.verdict[targets] == Verdict.OPEN).sum())
            idle = 0 if now < left.sum() else idle + 1
        self._count(push.solver)

    def _whole(self, push: Push, want: Floats) -> Point | None:
        """An LP corner when it is whole, else a MIP with the same objective and a wide gap."""
        reward = self.rng.uniform(0.5, 1.5, len(want))
        found = push.best(want, reward)
        if found is not None and not found.whole:
            start = np.concatenate([self.start[self.columns], np.zeros(len(want))])
            found = push.best(want, reward, whole=True, gap=GAP, start=start)
        return found

    def _take(self, found: Point | None) -> None:
        if found is not None and found.whole:
            point = self.start.copy()
            point[self.columns] = found.values
            self.ranges.see(point)
            self.ranges.points.append(point)

    def singles(self) -> None:
        """Each target that is still open by itself: a bound by LP, then by MIP; unsettled counts as unsafe."""
        for target in self._open():
            if self.ranges.verdict[target] == Verdict.OPEN:
                self._single(int(target))
        self.ranges.verdict[self._open()] = Verdict.UNSAFE

    def _single(self, target: int) -> None:
        cell = self.ranges.goals.cells[target]
        inside = np.flatnonzero(self.label[self.columns] == self.label[cell])
        piece = self.piece[:, inside]
        due = piece @ self.start[self.columns[inside]]
        local = int(np.flatnonzero(inside == self.place[cell])[0])
        high = self.high[self.columns[inside]].copy()
        high[local] = min(high[local], self._enough(target))
        solver = Solver(piece, self.low[self.columns[inside]], high, (due, due))
        for whole in (False, True):
            for sign in (1.0, -1.0):
                if self.ranges.verdict[target] == Verdict.OPEN:
                    cost = np.zeros(len(inside))
                    cost[local] = sign
                    start = self.start[self.columns[inside]] if whole else None
                    self._bound(target, inside, solver.best(cost, whole=whole, start=start), sign)
        self._count(solver)

    def _enough(self, target: int) -> float:
        """A value beyond every goal of a target: a cell that nothing limits has no largest value to find."""
        goals, start = self.ranges.goals, self.start[self.ranges.goals.cells[target]]
        return float(np.fmax(goals.reach_high[target], start + goals.width[target]) + BEYOND)

    def _bound(self, target: int, inside: Ints, found: Point | None, sign: float) -> None:
        ranges = self.ranges
        if found is None:
            return
        if np.isfinite(found.bound):
            edge = np.floor(found.bound + 1e-6)
            if sign < 0:
                ranges.outer_low[target] = max(ranges.outer_low[target], -edge)
            elif edge < self._enough(target):  # else it is how far was looked, not how far it goes
                ranges.outer_high[target] = min(ranges.outer_high[target], edge)
        if found.whole:
            point = self.start.copy()
            point[self.columns[inside]] = found.values
            ranges.see(point)
            ranges.points.append(point)
        ranges.judge()

    def _count(self, solver: Solver) -> None:
        for kind, number in solver.calls.items():
            self.ranges.work[kind] = self.ranges.work.get(kind, 0) + number
