"""Magnitudes (hours, costs): what a cell's largest contributors let somebody estimate, in the open and behind a mark.

Shown cells are judged by dominance (release/protect/primary.py). A hidden cell must stay so uncertain that the same
rules hold at the largest value it can have (SDC Handbook, 2nd edition, section 4.2: upper protection levels), and,
where it has few contributors or none were stated, its range must be wide beside its value (sliding protection level).
Amounts are real numbers, so the linear programs are the attack itself, without whole-number witnesses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from release.protect.primary import Dominance
from release.protect.printed import Interval, NotUnderstood, amount
from release.protect.solver import Solver
from release.protect.system import EPS, Floats, Ints, System
from schemas.errors import DisclosureRefused

COLUMNS = ("grootste", "tweede", "bijdragers")
FAR = 4.0


@dataclass(frozen=True)
class Contributions:
    """Of one cell: its largest and second largest contribution, and how many contributors it has."""

    largest: float
    second: float
    number: int

    def reach(self, rule: Dominance) -> float:
        """What the cell must be able to be for no rule to be broken there: the value plus its upper protection level.

        p%: (1 + p) x1 + x2, since the second contributor subtracts x2; (1, k): x1 / k; (2, k): (x1 + x2) / k.
        """
        one, both = self.largest, self.largest + self.second
        return max((1 + rule.p) * one + self.second, one / rule.one, both / rule.two)


def contributions(told: list[str], value: Interval) -> Contributions | None:
    """The three columns of one cell, held against its value. None where a hidden cell has none.

    NotUnderstood contributions when a shown cell has none, or when the numbers cannot be those of one cell.
    """
    if not any(text.strip() for text in told) and value[0] < value[1]:
        return None
    amounts = [amount(text) for text in told]
    if any(low < high for low, high in amounts) or amounts[2][0] % 1:
        raise NotUnderstood("contributions")
    found = Contributions(amounts[0][0], amounts[1][0], int(amounts[2][0]))
    if not _possible(found, value):
        raise NotUnderstood("contributions")
    return found


def _possible(given: Contributions, value: Interval) -> bool:
    """Whether a cell with this value can have these: two of them in it, and the rest no larger than the second."""
    one, two, number = given.largest, given.second, given.number
    slack = EPS * max(1.0, one)
    least = one + two
    most = least + max(number - 2, 0) * two
    named = one >= two and (number > 0 or one == 0) and (number > 1 or two == 0)
    return named and least <= value[1] + slack and most >= value[0] - slack


def intervals(system: System, low: Floats, high: Floats, cells: Ints) -> tuple[Floats, Floats]:
    """Least and most that each of `cells` can be, over the reals. `low`, `high`: what is known of all cells.

    Infinite where nothing limits it. DisclosureRefused tables_disagree when nothing fits what is known.
    """
    free = np.flatnonzero(high > low)
    due = -(system.matrix @ np.where(high > low, 0.0, low))
    if len(free) == 0 and (np.abs(due) > EPS * (1.0 + np.abs(low).max(initial=0.0))).any():
        raise DisclosureRefused("tables_disagree")
    if len(free) == 0:
        return low[cells], high[cells]
    top = FAR * (1.0 + float(np.where(np.isfinite(high), high, low).sum()))
    solver = Solver(system.matrix[:, free], low[free], np.minimum(high[free], top), (due, due))
    if solver.best(np.zeros(len(free))) is None:
        raise DisclosureRefused("tables_disagree")
    least, most = low[cells].copy(), high[cells].copy()
    for place, column in enumerate(np.searchsorted(free, cells)):
        if column < len(free) and free[column] == cells[place]:
            for sign, edge in ((-1.0, least), (1.0, most)):
                cost = np.zeros(len(free))
                cost[column] = sign
                found = solver.best(cost)
                edge[place] = edge[place] if found is None else found.values[column]
    return least, np.where(most >= top * (1 - EPS), np.inf, most)


def narrow(
    system: System,
    bounds: tuple[Floats, Floats],
    cells: Ints,
    given: list[Contributions | None],
    *,
    rule: Dominance,
    threshold: int,
) -> Ints:
    """The hidden `cells` that somebody can estimate too well: the outsider, or the only contributor of another one.

    `given`: their contributions, where stated.
    """
    low, high = bounds
    bad = _too_narrow(system, low, high, cells, given, (rule, threshold))
    for cell, one in zip(cells, given, strict=True):
        if one is not None and one.number == 1:  # who knows this cell, because it is all theirs
            told = low.copy(), high.copy()
            told[0][cell] = told[1][cell] = one.largest
            others = cells != cell
            rest = [other for other, kept in zip(given, others, strict=True) if kept]
            bad = np.union1d(bad, _too_narrow(system, *told, cells[others], rest, (rule, threshold)))
    return bad


def _too_narrow(
    system: System,
    low: Floats,
    high: Floats,
    cells: Ints,
    given: list[Contributions | None],
    limits: tuple[Dominance, int],
) -> Ints:
    rule, threshold = limits
    least, most = intervals(system, low, high, cells)
    reach = np.array([0.0 if one is None else one.reach(rule) for one in given])
    few = np.array([one is None or one.number < threshold for one in given], dtype=bool)
    with np.errstate(invalid="ignore"):
        wide = np.isinf(most) | ((most - least >= rule.p * most - EPS) & (most > least + EPS))
    return np.asarray(cells[(most < reach - EPS) | (few & ~wide)])
