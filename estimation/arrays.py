"""Names for the arrays that travel through this room. Axes: R draws, M municipalities, T half-years, A areas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rng = np.random.Generator


def streams(seed: int, *purpose: int) -> Rng:
    """A generator for one purpose: the same seed and purpose, the same draws, whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=purpose))
