"""Tables as one linear system: cells are whole numbers of 0 and up, every total is a relation that sums to zero.

All tables that share a cell share its column, so a linked table, a second regional grouping or an earlier release
is nothing but more relations. Shapes: `matrix` is relations x cells with entries +1 (part) and -1 (total).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
EPS = 1e-6


@dataclass(frozen=True)
class System:
    """`matrix @ values == 0` for the true values, and for every set of values an attacker holds possible."""

    matrix: sparse.csr_array

    @property
    def cells(self) -> int:
        """Number of cells (columns)."""
        return int(self.matrix.shape[1])

    def broken(self, values: Floats) -> int:
        """How many relations these values break."""
        return int((np.abs(self.matrix @ values) > EPS).sum())


def build(cells: int, relations: Iterable[tuple[int, Sequence[int]]]) -> System:
    """A system from (total, parts) pairs of cell numbers."""
    rows: list[int] = []
    columns: list[int] = []
    entries: list[float] = []
    number = 0
    for number, (total, parts) in enumerate(relations, 1):
        rows += [number - 1] * (len(parts) + 1)
        columns += [*parts, total]
        entries += [1.0] * len(parts) + [-1.0]
    return System(sparse.csr_array((entries, (rows, columns)), shape=(number, cells)))


def propagate(system: System, low: Floats, high: Floats, rounds: int = 500) -> tuple[Floats, Floats]:
    """Sound outer bounds: what each relation says about each of its cells, in whole numbers, until nothing changes.

    `low` and `high` have one entry per cell (high may be infinite); neither is changed. Crossing bounds mean that
    no set of values fits: the caller looks with `feasible`.
    """
    coo = system.matrix.tocoo()
    rows, columns, sign = coo.coords[0], coo.coords[1], coo.data
    low, high = low.copy(), high.copy()
    for _ in range(rounds):
        least = np.where(sign > 0, low[columns], -high[columns])
        most = np.where(sign > 0, high[columns], -low[columns])
        top = -_others(rows, least, -np.inf)
        bottom = -_others(rows, most, np.inf)
        new_high, new_low = high.copy(), low.copy()
        np.minimum.at(new_high, columns, np.floor(np.where(sign > 0, top, -bottom) + EPS))
        np.maximum.at(new_low, columns, np.ceil(np.where(sign > 0, bottom, -top) - EPS))
        if np.array_equal(new_high, high) and np.array_equal(new_low, low):
            break
        low, high = new_low, new_high
        if (low > high).any():
            break
    return low, high


def _others(rows: Ints, terms: Floats, endless: float) -> Floats:
    """For every entry, the sum of the other terms of its relation; `endless` when one of those is infinite."""
    infinite = np.isinf(terms)
    own = np.where(infinite, 0.0, terms)
    sums = np.bincount(rows, own)
    count = np.bincount(rows, infinite)
    return np.where(count[rows] - infinite > 0.5, endless, sums[rows] - own)


def parts_of(system: System, open_cells: Flags) -> tuple[int, Ints]:
    """Connected components of the open cells: their number, and per cell its component (-1 when not open)."""
    kept = np.flatnonzero(open_cells)
    piece = system.matrix[:, kept]
    graph = piece.T @ piece
    number, labels = sparse.csgraph.connected_components(graph, directed=False)
    found = np.full(system.cells, -1, dtype=np.int64)
    found[kept] = labels
    return int(number), found
