"""Small tables that the field prints, with what it says of them: known answers for attack, suppression and rounding."""

from __future__ import annotations

import numpy as np
import pytest

from release.protect import gauss
from release.protect.attack import Attack
from release.protect.goals import Goals, Verdict
from release.protect.problem import Problem
from release.protect.rounding import controlled
from release.protect.secondary import cheapest
from release.protect.system import Flags, Floats, System, build
from tests.release.test_protect import grid

# Counts of delinquent children by county and education of the head of the household. Federal Committee on Statistical
# Methodology, Statistical Policy Working Paper 22 (1994, revised 2005), chapter II, table 1.
COUNTY = np.array([[15.0, 1, 3, 1], [20, 10, 10, 15], [3, 10, 10, 2], [12, 14, 7, 2]])
# Its table of suppressions that "appears to be protected": at least two in each row and column that has any.
APPEARS_SAFE = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 0), (2, 3), (3, 0), (3, 3)]
# Its controlled rounding to base 5.
COUNTY_ROUNDED = np.array([[15.0, 0, 5, 0], [20, 10, 10, 15], [5, 10, 10, 0], [10, 15, 5, 5]])

# Activity by region. Fischetti and Salazar, Solving the cell suppression problem on tabular data with linear
# constraints, Management Science 47 (2001) 1008-1027, figure 1; the same in Willenborg and De Waal, Elements of
# Statistical Disclosure Control (2001). The sensitive cell is 22; with three others hidden it can be 5 to 30.
INVESTMENT = np.array([[20.0, 50, 10], [8, 19, 22], [17, 32, 12]])
INVESTMENT_HIDDEN = [(1, 0), (1, 2), (2, 0), (2, 2)]

# sdcTable (Meindl; tests/testthat/test-simpleheuristic.R): two or more hidden in every line, and (w, b) is 47 all the
# same. With (x, b) hidden too its range is 0 to 141.
FOUR = np.array([[30.0, 47, 64, 89], [90, 124, 5, 31], [92, 100, 59, 85], [800, 991, 651, 685]])
FOUR_HIDDEN = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 1), (2, 3), (3, 1), (3, 3)]


def flags(inner: Floats, places: list[tuple[int, int]]) -> Flags:
    """Hidden cells of a table with its margins."""
    found = np.zeros((inner.shape[0] + 1, inner.shape[1] + 1), dtype=bool)
    found[tuple(np.array(places).T)] = True
    return found.ravel()


def ranges(system: System, values: Floats, hidden: Flags) -> dict[int, tuple[int, int]]:
    """The attacker's exact range per hidden cell: the farthest of which the attack says that it can be reached."""
    attack = Attack(system, np.where(hidden, 0.0, values), np.where(hidden, np.inf, values))

    def reaches(cell: int, low: float, high: float) -> bool:
        goals = Goals(np.array([cell]), np.zeros(1), np.array([low]), np.array([high]))
        return attack.run(goals, values).verdict[0] == Verdict.SAFE

    def farthest(cell: int, sign: int) -> int:
        here, never = int(values[cell]), int(values.sum()) + 1 if sign > 0 else -1
        while abs(never - here) > 1:
            middle = (here + never) // 2
            low, high = (middle, np.nan) if sign < 0 else (np.nan, middle)
            here, never = (middle, never) if reaches(cell, low, high) else (here, middle)
        return here

    return {cell: (farthest(cell, -1), farthest(cell, 1)) for cell in np.flatnonzero(hidden).tolist()}


def test_working_paper_22_two_in_each_line_and_one_is_exact() -> None:
    """Rows Alpha and Beta less columns Medium and High leave the 1 in Alpha, Very High."""
    system, values = grid(COUNTY)
    hidden = flags(COUNTY, APPEARS_SAFE)
    lines = hidden.reshape(5, 5)[:4, :4]
    assert (lines.sum(axis=0)[lines.any(axis=0)] >= 2).all() and (lines.sum(axis=1) >= 2).all()
    given_away = 0 * 5 + 3
    assert ranges(system, values, hidden)[given_away] == (1, 1)
    added = gauss.eliminate(system, np.array([given_away]), np.flatnonzero(~hidden), np.log1p(values))
    assert len(added) > 0
    assert ranges(system, values, hidden | np.isin(np.arange(25), added))[given_away] != (1, 1)


def test_working_paper_22_suppression_protects_all_of_it() -> None:
    system, values = grid(COUNTY)
    small = (values > 0) & (values < 5)
    goals = Goals.around(np.flatnonzero(small), values, margin=3, width=5, floor=0)
    cost, zero = np.log1p(values) + 1, np.zeros(system.cells)
    pattern = cheapest(Problem(system, values, zero == 0, small, cost, zero, zero + np.inf, goals))
    assert len(pattern.ranges.unsafe) == 0
    for cell, (low, high) in ranges(system, values, pattern.hidden).items():
        if small[cell]:
            assert low <= max(0, values[cell] - 3) and high >= values[cell] + 3 and high - low >= 5


def test_working_paper_22_controlled_rounding() -> None:
    """As good as the printed one: additive, within the base, totals that are multiples stay, and no greater change."""
    system, values = grid(COUNTY)
    _, printed = grid(COUNTY_ROUNDED)
    assert not system.broken(printed)
    ours = controlled(system, values, 5)
    assert not system.broken(ours) and (ours % 5 == 0).all() and (np.abs(ours - values) < 5).all()
    assert (ours[values % 5 == 0] == values[values % 5 == 0]).all()
    assert np.abs(ours - values).sum() <= np.abs(printed - values).sum()


def test_fischetti_and_salazar_the_range_of_the_sensitive_cell() -> None:
    system, values = grid(INVESTMENT)
    found = ranges(system, values, flags(INVESTMENT, INVESTMENT_HIDDEN))
    assert found[1 * 4 + 2] == (5, 30)


def test_fischetti_and_salazar_three_more_are_enough() -> None:
    """One sensitive cell, protection on both sides: the cheapest is a rectangle of four cells of the least sum."""
    system, values = grid(INVESTMENT)
    sensitive = np.zeros(system.cells, dtype=bool)
    sensitive[1 * 4 + 2] = True
    goals = Goals.around(np.flatnonzero(sensitive), values, margin=5, width=10, floor=0)
    zero = np.zeros(system.cells)
    pattern = cheapest(Problem(system, values, zero == 0, sensitive, values, zero, zero + np.inf, goals))
    rectangles = [
        values[[a * 4 + b, a * 4 + 2, 1 * 4 + b]].sum() for a in (0, 2, 3) for b in (0, 1, 3) if len({a, b}) < 3
    ]
    assert len(pattern.ranges.unsafe) == 0 and pattern.hidden.sum() == 4
    assert values[pattern.hidden & ~sensitive].sum() == min(rectangles)


def test_sdctable_one_cell_is_exact_until_another_is_hidden() -> None:
    system, values = grid(FOUR)
    place = 0 * 5 + 1
    hidden = flags(FOUR, FOUR_HIDDEN)
    low, high = np.where(hidden, 0.0, values), np.where(hidden, np.inf, values)
    found = Attack(system, low, high).run(Goals.of_width(np.array([place]), 1), values)
    assert found.verdict.tolist() == [Verdict.UNSAFE]
    assert ranges(system, values, hidden)[place] == (47, 47)
    assert ranges(system, values, flags(FOUR, [*FOUR_HIDDEN, (1, 1)]))[place] == (0, 141)


@pytest.mark.parametrize(("also", "expected"), [([], (3, 3)), ([7], (0, 10))])
def test_sdctable_two_groupings_of_the_same_regions(also: list[int], expected: tuple[int, int]) -> None:
    """sdcTable (test-linked-tables.r): A B I J / K L M N, and L M against the rest. Safe apart; together K is 3.

    What county 1 and "small" differ in is K and N, 10 together; N is 7. Hiding N makes both of them 0 to 10.
    """
    regions = np.array([2.0, 2, 8, 8, 3, 3, 3, 7])
    counties, groups = [[0, 1, 2, 3], [4, 5, 6, 7]], [[5, 6], [0, 1, 2, 3, 4, 7]]
    values = np.array([*regions, *(regions[part].sum() for part in (*counties, *groups)), regions.sum()])
    relations = [(8 + number, part) for number, part in enumerate([*counties, *groups])] + [
        (12, [8, 9]),
        (12, [10, 11]),
    ]
    system = build(13, relations)
    hidden = np.isin(np.arange(13), [*np.flatnonzero(regions <= 3), *also])
    for grouping in (relations[:2], relations[2:4]):
        alone = build(13, [*grouping, (12, [total for total, _ in grouping])])
        assert ranges(alone, values, hidden)[4] != (3, 3)
    assert ranges(system, values, hidden)[4] == expected
