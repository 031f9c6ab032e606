"""Random streams by name and the few vectorised draws that everything here is built of."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rng = np.random.Generator


class Streams:
    """One independent generator per name: switching one defect off leaves every other draw as it was."""

    def __init__(self, seed: int, block: int) -> None:
        self.seed, self.block = seed, block

    def __call__(self, name: str) -> Rng:
        """The generator of that name, always from its start."""
        entropy = [self.seed, self.block, zlib.crc32(name.encode("ascii"))]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def choose(rng: Rng, weights: Any, n: int) -> Ints:
    """`n` positions drawn with the given weights."""
    bounds = np.cumsum(np.asarray(weights, np.float64))
    found: Ints = np.searchsorted(bounds, rng.random(n) * bounds[-1], side="right").astype(np.int64)
    return found


def some(rng: Rng, n: int, rate: float) -> Bools:
    """True for about `rate` of `n` rows; all draws are made, so the stream does not depend on the rate."""
    return rng.random(n) < rate


def between(rng: Rng, low: Any, high: Any) -> Ints:
    """Whole numbers, uniform in [low, high] per element; low where high is smaller."""
    low, high = np.broadcast_arrays(np.asarray(low, np.int64), np.asarray(high, np.int64))
    span = np.maximum(high - low + 1, 1)
    found: Ints = low + np.floor(rng.random(low.shape) * span).astype(np.int64)
    return found


def sample(rng: Rng, pool: Ints, n: int) -> Ints:
    """`n` different elements of `pool` (all of it when it is smaller), in random order."""
    return rng.permutation(pool)[: max(n, 0)]


def apportion(total: int, weights: Any) -> Ints:
    """Whole numbers with exactly this total, as near to the weights as can be (largest remainders)."""
    shares = np.asarray(weights, np.float64)
    exact = shares / shares.sum() * total
    floor: Ints = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - floor), kind="stable")
    floor[order[: total - int(floor.sum())]] += 1
    return floor


def scaled(counts: Ints, scale: float) -> Ints:
    """Counts times scale in whole numbers, such that the total is the rounded scaled total."""
    edges: Ints = np.floor(np.cumsum(counts) * scale + 0.5).astype(np.int64)
    found: Ints = np.diff(edges, prepend=0)
    return found


def runs(counts: Ints) -> tuple[Ints, Ints]:
    """(group, rank in group) of every element when group g has counts[g] elements."""
    group = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return group, np.arange(len(group), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)


def rank_in(keys: Ints) -> Ints:
    """Rank (0, 1, ..) of every element among equal keys, in the order given."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(keys) else np.zeros(0, bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys)) - start
    return rank


def nearest_free(keys: Ints, wanted: Ints) -> Ints:
    """For each wanted key a position in the sorted `keys`, at or after it, each used once; -1 past the end.

    Both are sort keys such as group * SPAN + day. The caller checks that the group fits.
    """
    order = np.argsort(wanted, kind="stable")
    at = np.searchsorted(keys, wanted[order])
    step = np.arange(len(at))
    at = np.maximum.accumulate(at - step) + step if len(at) else at
    found = np.empty(len(at), np.int64)
    found[order] = np.where(at < len(keys), at, -1)
    return found


def follow(successor: Ints) -> Ints:
    """First element of each element's chain, where successor[i] is the element that continues i (or -1)."""
    root = np.arange(len(successor), dtype=np.int64)
    has = successor >= 0
    root[successor[has]] = np.nonzero(has)[0]
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further
