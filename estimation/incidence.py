"""Cumulative incidence with competing risks (Aalen-Johansen). Ties are exact: everything of one day is one step.

Sources: Aalen & Johansen (1978) Scand. J. Statist. 5, 141-150; variance: Aalen's formula as printed in Pintilie (2006),
Competing Risks, eq. 4.5; interval on the log(-log) scale. Left truncation by delayed entry into the risk set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from estimation.arrays import Bools, Floats, Ints

CENSORED = 0


@dataclass(frozen=True)
class Incidence:
    """Steps at distinct days (D): at risk just before (D), incidence and its variance per cause (K x D)."""

    days: Ints
    at_risk: Ints
    incidence: Floats
    variance: Floats

    def at(self, day: int, cause: int, level: float = 0.9) -> tuple[float, float, float]:
        """(incidence, low, high) of a cause (1..K) on a day; before the first step all are 0."""
        step = int(np.searchsorted(self.days, day, side="right")) - 1
        if step < 0:
            return 0.0, 0.0, 0.0
        value, variance = float(self.incidence[cause - 1, step]), float(self.variance[cause - 1, step])
        if not 0.0 < value < 1.0 or variance <= 0.0:
            return value, value, value
        width = float(ndtri((1 + level) / 2)) * np.sqrt(variance) / abs(value * np.log(value))
        return value, float(value ** np.exp(width)), float(value ** np.exp(-width))

    def risk_set(self, day: int) -> int:
        """Persons at risk just before the last step on or before a day."""
        step = int(np.searchsorted(self.days, day, side="right")) - 1
        return int(self.at_risk[max(step, 0)]) if len(self.days) else 0


def aalen_johansen(days: Ints, cause: Ints, entry: Ints | None = None, causes: int = 0) -> Incidence:
    """Estimate from exit days, causes (0 is censored, 1..K) and, for left truncation, days of entry.

    `causes` is the least K: a cause that never came has incidence 0 throughout.

    Someone who enters on a day is at risk after it (entry < exit counts); without `entry` everyone is from the start.
    Censorings on a day come after its events, as is usual. ValueError when a person enters on or after the exit.
    """
    if entry is not None and (entry >= days).any():
        raise ValueError("a person enters before the exit")
    causes = int(cause.max(initial=causes))
    steps = np.unique(days[cause > CENSORED])
    at_risk = _at_risk(steps, days, entry)
    events = np.array([_counts(steps, days[cause == k]) for k in range(1, causes + 1)]).reshape(causes, len(steps))
    hazard = events / np.maximum(at_risk, 1)
    left = np.cumprod(1 - hazard.sum(axis=0))
    before = np.concatenate([[1.0], left[:-1]]) if len(steps) else left
    incidence = np.cumsum(before * hazard, axis=1)
    return Incidence(steps, at_risk, incidence, _variance(incidence, before, events, at_risk))


def _at_risk(steps: Ints, days: Ints, entry: Ints | None) -> Ints:
    exits = np.sort(days)
    still = len(days) - np.searchsorted(exits, steps, side="left")
    if entry is None:
        return np.asarray(still, np.int64)
    return np.asarray(still - (len(days) - np.searchsorted(np.sort(entry), steps, side="left")), np.int64)


def _counts(steps: Ints, days: Ints) -> Ints:
    where = np.searchsorted(steps, days)
    return np.bincount(where, minlength=len(steps)).astype(np.int64)


def _variance(incidence: Floats, before: Floats, events: Ints, at_risk: Ints) -> Floats:
    """Aalen's variance at every step: three cumulative sums, so that K x D values cost K x D operations."""
    total = events.sum(axis=0)
    n = np.maximum(at_risk, 1).astype(np.float64)
    all_causes = total / np.maximum((n - 1) * (n - total), 1.0)
    made = np.empty_like(incidence)
    for k in range(len(incidence)):
        f, d = incidence[k], events[k]
        own = before**2 * d * (n - d) / (n**2 * np.maximum(n - 1, 1.0))
        cross = before * d * (n - d) / (n * np.maximum(n - total, 1.0) * np.maximum(n - 1, 1.0))
        sum0, sum1, sum2 = np.cumsum(all_causes), np.cumsum(f * all_causes), np.cumsum(f**2 * all_causes)
        quadratic = f**2 * sum0 - 2 * f * sum1 + sum2
        made[k] = np.maximum(quadratic + np.cumsum(own) - 2 * (f * np.cumsum(cross) - np.cumsum(f * cross)), 0.0)
    return made


def first_of(events: dict[int, Ints], until: Ints) -> tuple[Ints, Ints]:
    """Earliest of several causes per person, or censored at `until`: (day, cause). Ties go to the lowest cause.

    `events` maps cause -> day (a very large number where it never came).
    """
    day, cause = until.copy(), np.zeros(len(until), np.int64)
    for number in sorted(events, reverse=True):
        sooner: Bools = events[number] <= day
        day, cause = np.where(sooner, events[number], day), np.where(sooner, number, cause)
    return day, cause
