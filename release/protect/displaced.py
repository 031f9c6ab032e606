"""One LP in displacements from the true values, of all cells or of those near one cell: how far, and at what price."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from release.protect.problem import Problem
from release.protect.solver import Push
from release.protect.system import Flags, Floats, Ints, System

HOPS = 4


def near(system: System, cell: int, hops: int = HOPS) -> Ints:
    """The cells within so many relations of a cell, in order: 4 hold the exchanges between two rows of one total."""
    reached = np.zeros(system.cells)
    reached[cell] = 1.0
    touches = abs(system.matrix)
    for _ in range(hops):
        reached = (touches.T @ (touches @ reached) > 0).astype(np.float64)
    return np.flatnonzero(reached)


class Displaced:
    """Some cells may move, all others stay. A printed cell has two columns, up and down, so that both can be paid for.

    `cells` and `targets` are cell numbers in order, the targets among the cells.
    """

    def __init__(self, problem: Problem, cells: Ints, targets: Ints) -> None:
        self.problem, self.cells = problem, cells
        self.place = np.flatnonzero(problem.published[cells])
        self.printed = cells[self.place]
        piece = problem.system.matrix[:, cells]
        piece = piece[np.flatnonzero(np.diff(piece.indptr))]
        matrix = sparse.csr_array(sparse.hstack([piece, -piece[:, self.place]]))
        least = np.minimum(problem.low - problem.values, 0.0)[cells]
        low = np.concatenate([np.where(problem.published[cells], 0.0, least), np.zeros(len(self.place))])
        self.high = np.concatenate([(problem.high - problem.values)[cells], -least[self.place]])
        bounds = (low, self.high)
        due, zero = np.zeros(matrix.shape[0]), np.zeros(len(targets))
        self.push = Push(matrix, bounds, due, np.searchsorted(cells, targets), zero, self.place)

    def best(self, want: Floats, reward: float, hidden: Flags, rng: np.random.Generator) -> Floats | None:
        """Displacements of all cells of the system for signed wants per target; no reward: shown cells stay."""
        self._close(not reward, hidden)
        price = np.where(hidden, 0.0, -self.problem.cost)[self.printed]
        price *= rng.uniform(0.95, 1.05, len(price))
        cost = np.zeros(len(self.cells))
        cost[self.place] = price
        found = self.push.best(want, np.full(len(want), reward or 1.0), np.concatenate([cost, price]))
        if found is None:
            return None
        moved = np.zeros(self.problem.system.cells)
        moved[self.cells] = found.values[: len(self.cells)]
        moved[self.printed] -= found.values[len(self.cells) :]
        return moved

    def _close(self, closed: bool, hidden: Flags) -> None:
        """Let shown cells move at their price, or not at all."""
        high = self.high.copy()
        if closed:
            still = np.flatnonzero(~hidden[self.printed])
            high[self.place[still]] = 0.0
            high[len(self.cells) + still] = 0.0
        self.push.high = high
