"""Primary rules: which cells may not be derived, each with a reason code for the internal log.

One row is one area in one period; its cells are the variables of the specification, implied ones included. All
functions are vectorised over rows; counts are persons (contributors), never events.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Dominance:
    """Limits for magnitudes (hours, costs): the share of the largest, of the two largest, and p of the p% rule."""

    one: float = 0.5
    two: float = 0.85
    p: float = 0.1


def top_two(contributions: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """Per cell its total, its largest and its second largest contribution: what dominance is judged by."""
    top = [np.sort(np.concatenate([amounts, [0.0, 0.0]]))[::-1] for amounts in contributions]
    return (
        np.array([one.sum() for one in top]),
        np.array([one[0] for one in top]),
        np.array([one[1] for one in top]),
    )


def concentrated(total: Floats, largest: Floats, second: Floats, rule: Dominance) -> Flags:
    """(n, k): the largest contribution is more than its share of the total, or the two largest are more than theirs.

    SDC Handbook, 2nd edition, table of sensitivity rules in section 4.2. Shares are taken in thousandths, so amounts in
    whole units (cents, minutes) are judged exactly.
    """
    one, two = np.round(1000 * rule.one), np.round(1000 * rule.two)
    return np.asarray((1000 * largest > one * total) | (1000 * (largest + second) > two * total))


def estimable(total: Floats, largest: Floats, second: Floats, rule: Dominance) -> Flags:
    """p%: what is left beyond the two largest is less than p of the largest, so the second can estimate it within p."""
    return np.asarray(1000 * (total - largest - second) < np.round(1000 * rule.p) * largest)


def dominated(total: Floats, largest: Floats, second: Floats, rule: Dominance | None = None) -> Flags:
    """Magnitudes whose largest contributors can be estimated: (1, 50%), (2, 85%) or p% with p = 10 (rule 5)."""
    rule = rule or Dominance()
    return concentrated(total, largest, second, rule) | estimable(total, largest, second, rule)


def first_reason(current: Ints, flags: Flags, reason: Reason) -> Ints:
    """Give `reason` to the flagged cells that have none yet."""
    return np.where(flags & (current == Reason.SHOWN), int(reason), current)
