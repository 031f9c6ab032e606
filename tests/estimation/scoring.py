"""Scores of predictive draws against what is true: randomised PIT and CRPS.

Sources: Czado, Gneiting & Held (2009) Biometrics 65 (randomised PIT for counts); Gneiting & Raftery (2007) JASA 102
(CRPS as E|X - y| - E|X - X'| / 2, estimated from draws).
"""

from __future__ import annotations

import numpy as np

from estimation.arrays import Floats, Ints
from estimation.intervals import around


def pit(draws: Floats, true: Ints, rng: np.random.Generator) -> Floats:
    """Randomised probability integral transform per cell (R x C draws, C truths): uniform when calibrated."""
    below, equal = (draws < true).sum(axis=0), (draws == true).sum(axis=0)
    return np.asarray((below + rng.random(len(true)) * (equal + 1)) / (len(draws) + 1), np.float64)


def crps(draws: Floats, true: Ints) -> Floats:
    """Continuous ranked probability score per cell; of a point forecast it is the absolute error."""
    count = len(draws)
    ordered = np.sort(draws, axis=0)
    weight = (2 * np.arange(1, count + 1) - count - 1)[:, None]
    spread = 2 * (weight * ordered).sum(axis=0) / count**2
    return np.asarray(np.abs(draws - true).mean(axis=0) - spread / 2, np.float64)


def covered(draws: Floats, true: Ints, level: float) -> np.ndarray:
    """True where the interval of that level, as we give it, holds the truth (before any rounding)."""
    low, high = around(draws, level)
    return np.asarray((low <= true) & (true <= high), np.bool_)
