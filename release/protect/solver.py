"""HiGHS behind two calls: the best point of a system within bounds, in fractions or in whole numbers.

One thread, a fixed seed and node limits instead of clocks: the same question gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from release.protect.system import EPS, Flags, Floats, Ints

NODES = 2_000


@dataclass(frozen=True)
class Point:
    """A feasible point and what is proven about the optimum (`bound`); `whole` when every entry is a whole number."""

    values: Floats
    bound: float
    whole: bool


class _Quiet(highspy.Highs):
    """HiGHS without the banner that it prints on standard output when callbacks are switched on."""

    def __init__(self) -> None:
        super(highspy.Highs, self).__init__()
        self.silent()


class Solver:
    """maximise cost @ x subject to row_low <= matrix @ x <= row_high and low <= x <= high; bases stay warm."""

    def __init__(
        self,
        matrix: sparse.csr_array,
        low: Floats,
        high: Floats,
        rows: tuple[Floats, Floats] | None = None,
    ) -> None:
        self.size = int(matrix.shape[1])
        self._columns = np.arange(self.size, dtype=np.int32)
        self.calls = {"lp": 0, "mip": 0}
        self.highs = _Quiet()
        for option, value in (("threads", 1), ("simplex_strategy", 4), ("random_seed", 7), ("mip_max_nodes", NODES)):
            self.highs.setOptionValue(option, value)
        zero = np.zeros(matrix.shape[0])
        row_low, row_high = rows or (zero, zero)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.size, int(matrix.shape[0])
        lp.col_cost_ = np.zeros(self.size)
        lp.col_lower_, lp.col_upper_ = low, high
        lp.row_lower_, lp.row_upper_ = row_low, row_high
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
        lp.a_matrix_.value_ = matrix.data.astype(np.float64)
        self.highs.passModel(lp)
        self.highs.changeObjectiveSense(highspy.ObjSense.kMaximize)

    def bounds(self, low: Floats, high: Floats) -> None:
        """Other bounds for all columns."""
        self.highs.changeColsBounds(self.size, self._columns, low, high)

    def rows(self, low: Floats, high: Floats) -> None:
        """Other bounds for all rows."""
        count = len(low)
        rows = np.arange(count, dtype=np.int32)
        self.highs.changeRowsBounds(count, rows, low, high)  # type: ignore[attr-defined]  # missing in its stubs

    def best(
        self,
        cost: Floats,
        *,
        whole: bool = False,
        gap: float = 0.0,
        start: Floats | None = None,
        integers: Flags | None = None,
    ) -> Point | None:
        """The optimum; with `whole` a whole-number point within `gap` of it. None when no point was found.

        `integers` marks the columns that must be whole numbers; all of them when it is not given.
        """
        self.calls["mip" if whole else "lp"] += 1
        self.highs.changeColsCost(self.size, self._columns, cost)
        if whole:
            self._integral(np.ones(self.size, dtype=bool) if integers is None else integers)
            self.highs.setOptionValue("mip_rel_gap", gap)
            if start is not None:
                self.highs.setSolution(self.size, self._columns, start)
        self.highs.run()
        status = self.highs.getModelStatus()
        found = self._point(status, whole)
        if whole:
            self._integral(np.zeros(self.size, dtype=bool))
        return found

    def _integral(self, which: Flags) -> None:
        integer, real = int(highspy.HighsVarType.kInteger), int(highspy.HighsVarType.kContinuous)
        self.highs.changeColsIntegrality(self.size, self._columns, np.where(which, integer, real).astype(np.uint8))

    def _point(self, status: highspy.HighsModelStatus, whole: bool) -> Point | None:
        info = self.highs.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        values = np.array(self.highs.getSolution().col_value)
        near = np.round(values)
        solved = status == highspy.HighsModelStatus.kOptimal
        bound = float(info.mip_dual_bound) if whole else float(info.objective_function_value) if solved else np.inf
        exact = bool((np.abs(values - near) < EPS).all())
        return Point(near if exact else values, bound, exact)


class Push:
    """Many targets at once: each is rewarded for moving away from where it stands, up to what it still needs.

    Beside the columns x of the system there is one column u per target, with u between 0 and the need, and one row
    x - u >= here (or, for a move down, x - u <= here with u between minus the need and 0). Beyond its need a target
    may move freely, so that one target's move is not stopped by another's.
    """

    def __init__(
        self,
        matrix: sparse.csr_array,
        bounds: tuple[Floats, Floats],
        due: Floats,
        targets: Ints,
        here: Floats,
        split: Ints | None = None,
    ) -> None:
        self.size, self.targets, self.here, self.due = int(matrix.shape[1]), targets, here, due
        count = len(targets)
        pick = sparse.csr_array((np.ones(count), (np.arange(count), targets)), shape=(count, self.size))
        if split is not None:  # columns of `split` have their downward part at the end of the matrix
            inside = np.isin(targets, split)
            place = self.size - len(split) + np.searchsorted(split, targets[inside])
            minus = sparse.csr_array((-np.ones(len(place)), (np.flatnonzero(inside), place)), shape=(count, self.size))
            pick = sparse.csr_array(pick + minus)
        whole = sparse.block_array([[matrix, None], [pick, -sparse.eye_array(count)]], format="csr")
        self.low, self.high = bounds
        zero = np.zeros(count)
        free = np.full(count, np.inf)
        self.solver = Solver(
            whole,
            np.concatenate([self.low, zero]),
            np.concatenate([self.high, zero]),
            (np.concatenate([due, -free]), np.concatenate([due, free])),
        )

    def best(self, want: Floats, reward: Floats, cost: Floats | None = None, **how: Any) -> Point | None:
        """Optimum for signed wants per target (0 = none); `cost` (per column of the system) joins the objective."""
        up, down = want > 0, want < 0
        u_low, u_high = np.where(down, want, 0.0), np.where(up, want, 0.0)
        self.solver.bounds(np.concatenate([self.low, u_low]), np.concatenate([self.high, u_high]))
        low, high = np.where(up, self.here, -np.inf), np.where(down, self.here, np.inf)
        self.solver.rows(np.concatenate([self.due, low]), np.concatenate([self.due, high]))
        base = np.zeros(self.size) if cost is None else cost
        found = self.solver.best(np.concatenate([base, reward * np.sign(want)]), **how)
        if found is None:
            return None
        values = found.values[: self.size]
        near = np.round(values)
        exact = bool((np.abs(values - near) < EPS).all())
        return Point(near if exact else values, found.bound, exact)
