"""What protection asks of a cell's range, and what an attack has found of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from release.protect.system import Flags, Floats, Ints

MANY = 500
SHARE = 0.3


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


def crowded(open_now: Flags) -> bool:
    """Whether so many targets are open that they hold each other: see `some`."""
    return int(open_now.sum()) > MANY


def some(open_now: Flags, rng: np.random.Generator) -> Flags:
    """A random part of the open targets, to be pushed at once.

    A target that is pushed cannot give way (solver.Push). Pushed together, thousands of linked cells hold each other:
    30 pushes closed 900 of 5,086, and ten pushes of a third closed 4,700 (docs/decisions/0124).
    """
    return np.asarray(open_now & (rng.random(len(open_now)) < SHARE))
