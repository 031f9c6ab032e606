"""Primary rules: which cells may not be derived, each with a reason code for the internal log.

One row is one area in one period; its cells are the variables of the specification, implied ones included. All
functions are vectorised over rows; counts are persons (contributors), never events.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from release.protect.system import Flags, Floats, Ints


class Reason(IntEnum):
    """Why a cell is hidden; internal, never in a public file (all hidden cells carry one symbol)."""

    SHOWN = 0
    DENOMINATOR = 1
    SMALL = 2
    ZERO = 3
    GROUP = 4
    DOMINANCE = 5
    REVISION = 6
    SECONDARY = 7
    TABLE = 8


def effective(contributors: Floats, largest: Floats | None = None) -> Floats:
    """Contributors that count against the threshold: those that the largest single source does not know already.

    n-1 knowledge: of 10 persons of whom one source knows 9, that source sees 1. A source that knows all of them has
    nothing to learn, and the cell keeps its own count.
    """
    if largest is None:
        return contributors
    rest = contributors - largest
    return np.where(rest > 0, rest, contributors)


def small(counts: Floats, threshold: int) -> Flags:
    """1 <= n < threshold."""
    return np.asarray((counts > 0) & (counts < threshold))


def small_denominator(population: Floats, threshold: int) -> Flags:
    """Rows with fewer than `threshold` persons, none included: the whole row is hidden and counts for its region."""
    return np.asarray(population < threshold)


def hidden_zero(parts: Floats, threshold: int) -> Flags:
    """Zeros of a partition (rows x parts) unless at least two other parts of the row hold `threshold` persons."""
    filled = (parts >= threshold).sum(axis=1, keepdims=True)
    return np.asarray((parts == 0) & (filled < 2))


def group_disclosed(parts: Floats, share: float) -> Flags:
    """Parts (rows x parts) of which one holds at least `share` of the row: that part, and what is left, are hidden.

    Exact in whole numbers: share is taken in thousandths.
    """
    total = parts.sum(axis=1, keepdims=True)
    most = (parts * 1000 >= np.round(share * 1000) * total) & (total > 0)
    return np.asarray(np.broadcast_to(most.any(axis=1, keepdims=True), parts.shape).copy())


def dominated(contributions: list[Floats], *, first: float = 0.5, two: float = 0.85, p: float = 0.1) -> Flags:
    """Magnitudes only (hours, cost): one flag per cell from the contributions to it.

    (1, 50%): the largest holds more than half. (2, 85%): the two largest hold more than 85%. p%: the rest beyond the
    two largest is less than p of the largest, so the second can estimate the first within p.
    """
    found = []
    for amounts in contributions:
        top = np.sort(amounts)[::-1]
        total, one, both = float(top.sum()), float(top[:1].sum()), float(top[:2].sum())
        found.append(total > 0 and (one > first * total or both > two * total or total - both < p * one))
    return np.array(found, dtype=bool)


def shares(hidden: Flags, levels: list[str]) -> dict[str, float]:
    """Share of hidden cells per level (rows x measures and the level of each row): rule 0 of the design."""
    rows = np.array(levels)
    return {level: float(hidden[rows == level].mean()) for level in dict.fromkeys(levels)}


def first_reason(current: Ints, flags: Flags, reason: Reason) -> Ints:
    """Give `reason` to the flagged cells that have none yet."""
    return np.where(flags & (current == Reason.SHOWN), int(reason), current)
