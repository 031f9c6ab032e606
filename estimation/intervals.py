"""Predictive intervals of whole numbers, from draws, that cover what they say.

Between two quantiles of a count lies more than they say: at a spread of 2 persons the 10th and the 90th percentile have
88 percent between them, ends included. A value belongs to the interval when its mid-distribution function (what is
below it and half of what equals it) lies between the tails; over many cells that covers the level. Sources: Lancaster
(1961) JASA 56 (mid-P); Parzen (2004) Statistical Science 19 (mid-distribution function).
"""

from __future__ import annotations

import math

import numpy as np

from estimation.arrays import Floats


def interval(ordered: Floats, level: float) -> tuple[Floats, Floats]:
    """Least and most value of the interval, per row of C sorted draws of whole numbers (A x C); both of length A."""
    draws = ordered.shape[1]
    tail = (1 - level) / 2 * draws
    low, high = ordered[:, math.ceil(tail - 1e-9) - 1], ordered[:, math.ceil(draws - tail - 1e-9) - 1]
    return (
        np.asarray(low + (_middle(ordered, low) < tail - 1e-9), np.float64),
        np.asarray(high - (_middle(ordered, high) > draws - tail + 1e-9), np.float64),
    )


def around(draws: Floats, level: float) -> tuple[Floats, Floats]:
    """The same of draws of any shape (R x ...): two arrays of the shape that is left."""
    ordered = np.sort(draws.reshape(len(draws), -1).T, axis=1)
    low, high = interval(ordered, level)
    return low.reshape(draws.shape[1:]), high.reshape(draws.shape[1:])


def _middle(ordered: Floats, values: Floats) -> Floats:
    """Draws below a value of the same row, and half of those that equal it."""
    below, upto = ((compare(ordered, values[:, None])).sum(axis=1) for compare in (np.less, np.less_equal))
    return np.asarray((below + upto) / 2, np.float64)
