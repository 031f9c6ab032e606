"""What an audit did and how narrow it got: for release.json, where the owners of the data read it.

No cell is named. A range is what whole-number points prove, so the true one is at least as wide.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from release.protect.goals import Goals, Ranges, Verdict
from release.protect.system import Floats


@dataclass
class Evidence:
    """Of one audit or several: attacks, goals (a cell against an attacker), solver calls, and the narrowest range.

    width    the narrowest range of a cell of which a width is asked
    of_rule  the narrowest range of any, as a part of what its own rule asks: below 1 is never published
    """

    attacks: int = 0
    goals: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    width: float = np.inf
    of_rule: float = np.inf
    seconds: float = 0.0
    _begun: float = field(default_factory=time.perf_counter, repr=False)

    def add(self, ranges: Ranges) -> Ranges:
        """Count one attack. A cell that it left open counts where another attack settles it."""
        safe = ranges.verdict == Verdict.SAFE
        seen = (ranges.seen_high - ranges.seen_low)[safe]
        asked = _asked(ranges.goals)[safe]
        self.attacks += 1
        self.goals += int(safe.sum())
        for kind, number in ranges.work.items():
            self.calls[kind] = self.calls.get(kind, 0) + number
        self.width = min(self.width, np.min(seen[ranges.goals.width[safe] > 0], initial=np.inf))
        self.of_rule = min(self.of_rule, np.min(seen[asked > 0] / asked[asked > 0], initial=np.inf))
        self.seconds = time.perf_counter() - self._begun
        return ranges

    def __add__(self, other: Self) -> Evidence:
        calls = {kind: self.calls.get(kind, 0) + other.calls.get(kind, 0) for kind in {*self.calls, *other.calls}}
        return Evidence(
            self.attacks + other.attacks,
            self.goals + other.goals,
            calls,
            min(self.width, other.width),
            min(self.of_rule, other.of_rule),
            self.seconds + other.seconds,
        )

    def told(self) -> dict[str, Any]:
        """For a reader; None where nothing had to be protected."""
        return {
            "attacks": self.attacks,
            "cells_attacked": self.goals,
            "lps": self.calls.get("lp", 0),
            "mips": self.calls.get("mip", 0),
            "narrowest_range": _finite(self.width),
            "narrowest_part_of_rule": _finite(round(self.of_rule, 2)),
            "seconds": round(self.seconds, 1),
        }


def _asked(goals: Goals) -> Floats:
    """How wide a range must be at least: its width, or from one bound that it must reach to the other."""
    reach = np.nan_to_num(goals.reach_high - goals.reach_low, nan=0.0)
    return np.asarray(np.maximum(goals.width, reach))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
