"""The own course of a municipality: policy that goes another way than its rate and the country's level, for two years.

Counts of a block are Poisson with mean rate x level x chance to be seen, times a gamma factor of mean 1; its variance
is by moments. Given what was counted there, the factor tells of what was not (docs/decisions, 118).
"""

from __future__ import annotations

import numpy as np

from estimation.arrays import Bools, Floats, Ints, Rng

BLOCK = 4


def blocks(halves: int) -> Floats:
    """Which half-years make a block of two years, counted from the last one (T x B)."""
    number = np.arange(halves)[::-1] // BLOCK
    return np.asarray(number[:, None] == np.arange(int(number.max()) + 1), np.float64)


def freedom(used: Bools) -> int:
    """Cells less a rate per area and a level per period."""
    return int(used.sum()) - int(used.any(axis=1).sum()) - int(used.any(axis=0).sum())


def variance(y: Ints, informs: Bools, expected: Floats) -> float:
    """Squared cv of the own factor of an area in a block, beyond rate and level, by moments; tables are M x T.

    0 unless two standard errors above it. Policy lasts: over half-years the same variance is lost in Poisson noise.
    Unlike the dispersion it weighs large cells, where it matters: of a small cell Poisson noise is nearly all.
    """
    member = blocks(y.shape[1])
    counts, e = (table * informs @ member for table in (y, expected))
    used = e > 0
    counts, e, free = counts[used], e[used], freedom(used)
    if free < 30:
        return 0.0
    excess = float(((counts - e) ** 2).sum() * len(e) / free - e.sum())
    return excess / float((e**2).sum()) if excess > 2 * np.sqrt(float((2 * e**2 + e).sum())) else 0.0


def factor(rng: Rng, y: Ints, informs: Bools, seen: Floats, course: float) -> Floats:
    """Factor on the use of a cell (R x M x T), the same in a block, given what was counted there in the block.

    Gamma with mean 1 and variance `course`, conjugate with the count, whose mean is `seen` (R x M x T): cells that
    inform move the factor of their block, others draw from the prior.
    """
    member = blocks(y.shape[1])
    a = 1 / course + (y * informs) @ member
    b = 1 / course + (seen * informs) @ member
    return np.asarray((rng.gamma(np.broadcast_to(a, b.shape)) / b) @ member.T, np.float64)
