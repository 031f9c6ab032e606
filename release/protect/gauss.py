"""Gaussian elimination: which cells must join the primary ones so that none can be computed exactly.

Langsrud's method (GaussSuppression, MIT; documented in doi 10.57805/revstat.v22i1.511 and the package's help): the
shown cells enter in order of value; one that would make a protected cell a linear combination of shown cells is hidden
instead. It works on a basis of the null space of the relations, exactly, in arithmetic modulo a large prime.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from release.protect.system import Floats, Ints, System

PRIME = (1 << 61) - 1
Row = dict[int, int]


class _Rows:
    """Sparse rows modulo PRIME with an index from column to the rows that hold it."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.holders: dict[int, set[int]] = defaultdict(set)

    def put(self, name: int, row: Row) -> None:
        self.rows[name] = row
        for column in row:
            self.holders[column].add(name)

    def drop(self, name: int) -> Row:
        row = self.rows.pop(name)
        for column in row:
            self.holders[column].discard(name)
        return row

    def add(self, name: int, factor: int, other: Row) -> None:
        """rows[name] += factor * other"""
        row = self.rows[name]
        for column, value in other.items():
            total = (row.get(column, 0) + factor * value) % PRIME
            if total:
                row[column] = total
                self.holders[column].add(name)
            elif column in row:
                del row[column]
                self.holders[column].discard(name)


def basis(system: System) -> dict[int, Row]:
    """Every cell as a combination of free cells: a basis of all values that keep every relation."""
    solved = _Rows()
    for relation in range(system.matrix.shape[0]):
        begin, end = system.matrix.indptr[relation], system.matrix.indptr[relation + 1]
        left: Row = defaultdict(int)
        for column, value in zip(system.matrix.indices[begin:end], system.matrix.data[begin:end], strict=True):
            for free, share in solved.rows.get(int(column), {int(column): 1}).items():
                left[free] = (left[free] + int(value) * share) % PRIME
        row = {column: value for column, value in left.items() if value}
        if row:
            total = _pivot(row, int(system.matrix.indices[begin:end][system.matrix.data[begin:end] < 0][0]), solved)
            _solve(solved, total, row)
    return {cell: solved.rows.get(cell, {cell: 1}) for cell in range(system.cells)}


def _pivot(row: Row, total: int, solved: _Rows) -> int:
    """The total of the relation, or else the column that the fewest solved rows use."""
    return total if total in row else min(row, key=lambda column: (len(solved.holders[column]), column))


def _solve(solved: _Rows, pivot: int, row: Row) -> None:
    inverse = pow(-row.pop(pivot), -1, PRIME)
    answer = {column: value * inverse % PRIME for column, value in row.items()}
    for name in sorted(solved.holders[pivot]):
        factor = solved.rows[name].pop(pivot)
        solved.add(name, factor, answer)
    solved.holders[pivot].clear()
    solved.put(pivot, answer)


def eliminate(system: System, protected: Ints, candidates: Ints, value: Floats) -> Ints:
    """The candidates that must be hidden so that no protected cell is exact; the most valuable enter first.

    `protected` and `candidates` are cell numbers without overlap, `value` has one entry per cell.
    """
    space = basis(system)
    active = _Rows()
    secret = {int(cell) for cell in protected}
    for cell in (*secret, *(int(c) for c in candidates)):
        active.put(cell, dict(space[cell]))
    exact_already = {cell for cell in secret if not active.rows[cell]}
    secret -= exact_already
    hidden = []
    for cell in sorted((int(c) for c in candidates), key=lambda c: (-value[c], c)):
        row = active.drop(cell)
        if row and not _enter(active, row, secret):
            hidden.append(cell)
    return np.array(sorted(hidden), dtype=np.int64)


def _enter(active: _Rows, row: Row, secret: set[int]) -> bool:
    """Show this cell: false, and nothing changed, when a secret row is a multiple of it."""
    pivot = min(row, key=lambda column: (len(active.holders[column]), column))
    inverse = pow(row[pivot], -1, PRIME)
    users = sorted(active.holders[pivot])
    factors = {name: -active.rows[name][pivot] * inverse % PRIME for name in users}
    for name in users:
        if name in secret and _multiple(active.rows[name], row, -factors[name]):
            return False
    for name in users:
        active.add(name, factors[name], row)
    return True


def _multiple(row: Row, other: Row, factor: int) -> bool:
    return len(row) == len(other) and all(
        (value - factor * other.get(column, 0)) % PRIME == 0 for column, value in row.items()
    )
