"""A suppression problem and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from release.protect.goals import Goals, Ranges
from release.protect.system import Flags, Floats, System


@dataclass(frozen=True)
class Problem:
    """What is to be protected. All arrays have one entry per cell.

    values     true counts (for an implied cell too)
    published  the cell is printed unless hidden; the others are implied: never printed, only derivable
    primary    must not be derivable (printed or implied)
    cost       what hiding it costs; higher is hidden later
    low, high  what an attacker knows of the cell even when it is hidden
    goals      the ranges that the primary cells need
    """

    system: System
    values: Floats
    published: Flags
    primary: Flags
    cost: Floats
    low: Floats
    high: Floats
    goals: Goals

    def known(self, hidden: Flags) -> tuple[Floats, Floats]:
        """What an attacker knows before using relations: shown values, and the lower bounds of the rest."""
        shown = self.published & ~hidden
        return np.where(shown, self.values, self.low), np.where(shown, self.values, self.high)


@dataclass
class Pattern:
    """Which cells are hidden, how many by which step, and the attacker's ranges on the result."""

    hidden: Flags
    ranges: Ranges
    steps: dict[str, int] = field(default_factory=dict)
