"""The attacker: everything that fits what is known, per cell, in whole numbers.

In the order of docs/disclosure.md: interval propagation, fixed cells dropped and components, shared witnesses, single
LPs for what is left, whole-number witnesses before anything is called safe. A cell is SAFE only by two whole-number
points that the attacker cannot tell apart, and UNSAFE only by a proven bound; what neither settles counts as unsafe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from release.protect.solver import Point, Push, Solver
from release.protect.system import Flags, Floats, Ints, System, parts_of, propagate
from schemas.errors import DisclosureRefused

SHARED = 30
PATIENCE = 4
GAP = 0.1
BEYOND = 1.0


class Verdict(IntEnum):
    """What is known about one cell."""

    OPEN = 0
    SAFE = 1
    UNSAFE = 2


@dataclass(frozen=True)
class Goals:
    """What protection asks, per target cell: a width, and bounds its range must reach (nan when none is asked)."""

    cells: Ints
    width: Floats
    reach_low: Floats
    reach_high: Floats

    @classmethod
    def of_width(cls, cells: Ints, width: float) -> Goals:
        """A width only: what can be asked of a file whose true values are unknown."""
        none = np.full(len(cells), np.nan)
        return cls(cells, np.full(len(cells), float(width)), none, none.copy())

    @classmethod
    def around(cls, cells: Ints, values: Floats, *, margin: int, width: int, floor: int) -> Goals:
        """[<= max(floor, v - margin), >= v + margin] and a width, for true values v of all cells of the system."""
        true = values[cells]
        low = np.minimum(true, np.maximum(floor, true - margin))
        return cls(cells, np.full(len(cells), float(width)), low, true + margin)


@dataclass
class Ranges:
    """Per target: proven outer bounds, the range seen in whole-number points, and the verdict; with the work done."""

    goals: Goals
    outer_low: Floats
    outer_high: Floats
    seen_low: Floats
    seen_high: Floats
    verdict: Ints
    work: dict[str, int] = field(default_factory=dict)
    points: list[Floats] = field(default_factory=list)

    @property
    def unsafe(self) -> Ints:
        """Cells that are not proven safe."""
        return np.asarray(self.goals.cells[self.verdict != Verdict.SAFE])

    def see(self, point: Floats) -> None:
        """Widen the seen ranges by one whole-number point of the whole system."""
        self.seen_low = np.minimum(self.seen_low, point[self.goals.cells])
        self.seen_high = np.maximum(self.seen_high, point[self.goals.cells])
        self.judge()

    def judge(self) -> None:
        """Safe when what was seen meets the goals, unsafe when the outer bounds cannot."""
        goals = self.goals
        self.verdict[meets(goals, self.seen_low, self.seen_high)] = Verdict.SAFE
        self.verdict[~meets(goals, self.outer_low, self.outer_high)] = Verdict.UNSAFE


def meets(goals: Goals, low: Floats, high: Floats) -> Flags:
    """Which targets' goals a range fulfils."""
    with np.errstate(invalid="ignore"):
        wide = high - low >= goals.width
    down = np.isnan(goals.reach_low) | (low <= goals.reach_low)
    up = np.isnan(goals.reach_high) | (high >= goals.reach_high)
    return np.asarray(wide & down & up)


def wants(goals: Goals, here: Floats, seen_low: Floats, seen_high: Floats, rng: np.random.Generator) -> Floats:
    """How far each target should move from `here`, signed: towards what it lacks, at random when it lacks both."""
    no_low, no_high = np.isnan(goals.reach_low), np.isnan(goals.reach_high)
    down = np.where(no_low, 0.0, np.fmin(goals.reach_low - here, 0.0))
    up = np.where(no_high, 0.0, np.fmax(goals.reach_high - here, 0.0))
    short = np.maximum(goals.width - (seen_high - seen_low), 0.0)
    lacks_up, lacks_down = seen_high < here + up, seen_low > here + down
    sign = np.where(rng.random(len(here)) < 0.5, 1.0, -1.0)
    sign = np.where(lacks_up & ~lacks_down, 1.0, np.where(lacks_down & ~lacks_up, -1.0, sign))
    further_up = np.maximum(up, seen_high - here + short)
    further_down = np.minimum(down, seen_low - here - short)
    return np.asarray(np.where(sign > 0, further_up, further_down))


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
            search = _Search(self.system, low, high, start, ranges, np.random.default_rng(self.seed))
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


class _Search:
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
        idle = 0
        for _ in range(SHARED):
            left = ranges.verdict[targets] == Verdict.OPEN
            if not left.any() or idle >= PATIENCE:
                break
            towards = wants(ranges.goals, self.start[ranges.goals.cells], ranges.seen_low, ranges.seen_high, self.rng)
            want = np.where(left, towards[targets], 0.0)
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
