"""The audit against oracles that know nothing of the engine: brute force, and tau-ARGUS."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from release.protect.design import audit, protect
from release.protect.period import Period
from release.protect.system import Flags, Floats
from schemas.errors import DisclosureRefused
from tests.release import brute
from tests.release.tiny import tiny

SIZE = 26  # no row of these countries, moved by what any goal asks, comes near it
OUTSIDER = -1


def narrow(
    period: Period, hidden: Flags, grouping: list[list[int]], *, own: bool = False
) -> list[tuple[int, int, int]]:
    """(attacker, row, variable) of every goal that enumeration finds broken.

    The rule as docs/disclosure.md section 4 states it: width and upward margin in full for everybody; the downward
    margin from nothing for the outsider and for cells of municipalities, and, with `own`, for areas from what the
    attacker itself knows; without it an insider's downward look at areas is left out (the pool knows more).
    """
    values, rules, places = period.values, period.rules, int(period.insiders.sum())
    found = []
    for attacker in (OUTSIDER, *range(places)):
        seen = hidden.copy()
        if attacker != OUTSIDER:
            seen[attacker] = False
        rows = [brute.allowed(values[row], seen[row], SIZE) for row in range(len(values))]
        if period.bounds is not None:
            rows = [brute.within(*one) for one in zip(rows, *period.bounds, strict=True)]
        low, high = brute.ranges(brute.possible(rows, grouping, SIZE))
        known = np.zeros(values.shape)
        if attacker != OUTSIDER:
            above = [total for total, parts in period.regions if attacker in parts] + [len(values) - 1]
            known[above] = values[attacker] if own else values[above]
        down = low <= np.maximum(known, values - rules.margin)
        fine = (high - low >= rules.width) & (high >= values + rules.margin) & down
        asked = period.judged.target.copy()
        if attacker != OUTSIDER:
            asked[attacker] = False
        found += [(attacker, int(row), int(variable)) for row, variable in np.argwhere(asked & ~fine)]
    return found


def random_country(rng: np.random.Generator) -> tuple[Period, list[list[int]], Flags]:
    """Two or three regions of two to five municipalities of 0 to 6 persons, and a pattern that hides what must be."""
    sizes = rng.integers(2, 6, rng.integers(2, 4))
    edges = np.cumsum([0, *sizes])
    grouping = [list(range(start, stop)) for start, stop in itertools.pairwise(edges)]
    persons = np.minimum(rng.poisson(rng.choice([0.8, 1.5, 3.0]), edges[-1]), 6)
    while persons.sum() > 20:
        persons[rng.integers(len(persons))] = 0
    counts: Floats = np.stack([persons, rng.binomial(persons, 0.4)], axis=1).astype(float)
    period = tiny(counts, [grouping])
    return period, grouping, pattern(rng, period)


def pattern(rng: np.random.Generator, period: Period) -> Flags:
    """What the engine would hide, or anything, with a cell or two of it shown after all: the edge of what is safe."""
    start = period.start()
    try:
        hidden = protect(period).hidden.copy()
    except DisclosureRefused:
        hidden = start | (rng.random(start.shape) < rng.choice([0.5, 0.8, 0.95]))
    extra = np.argwhere(hidden & ~start)
    shown = extra[rng.permutation(len(extra))[: rng.integers(0, 3)]]
    hidden[tuple(shown.T)] = False
    return hidden


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_cell_that_enumeration_can_narrow_is_called_safe(seed: int) -> None:
    """Crowds, single municipalities and the outsider: the audit pools and merges, enumeration does neither."""
    period, grouping, hidden = random_country(np.random.default_rng(seed))
    assert audit(period, hidden) > 0 or narrow(period, hidden, grouping) == []


def test_the_audit_tells_safe_from_unsafe() -> None:
    """The other way round, on fixed countries: it says safe where it should, and enumeration does find leaks."""
    told = []
    for seed in range(10):
        period, grouping, hidden = random_country(np.random.default_rng(seed))
        told.append((audit(period, hidden) == 0, narrow(period, hidden, grouping) == []))
    assert (True, False) not in told
    assert told.count((True, True)) >= 2
    assert told.count((False, False)) >= 2


def with_estimates(rng: np.random.Generator, period: Period, hidden: Flags) -> Period:
    """Estimates of two hidden cells, with ends up to 6 below and 10 above the count."""
    true = period.values[:, : hidden.shape[1]]
    told = np.zeros(hidden.shape, dtype=bool)
    told[tuple(rng.choice(np.argwhere(hidden), 2).T)] = True
    low = np.where(told, np.maximum(true - rng.integers(0, 7, hidden.shape), 0), 0.0)
    return replace(period, bounds=(low, np.where(told, true + rng.integers(0, 11, hidden.shape), np.inf)))


def test_no_cell_that_estimates_narrow_is_called_safe() -> None:
    """The same oracle with bounds in it, on patterns that are safe without: all that the audit accepts are."""
    told = []
    for seed in (1, 7, 21, 37):
        rng = np.random.default_rng(seed)
        period, grouping, hidden = random_country(rng)
        for _ in range(4):
            bounded = with_estimates(rng, period, hidden)
            told.append((audit(bounded, hidden) == 0, narrow(bounded, hidden, grouping) == []))
    assert (True, False) not in told
    assert told.count((True, True)) >= 4 and (False, False) in told


def test_enumeration_by_area_is_enumeration_of_all_tables() -> None:
    """The oracle itself: two regions of two, every whole-number table written out."""
    period = tiny(np.array([[2.0, 1], [1, 0], [1, 1], [0, 0]]), [[[0, 1], [2, 3]]])
    hidden = np.ones(period.start().shape, dtype=bool)
    hidden[[4, 6], 0] = False
    size = 6
    pairs = [(n, a) for n in range(size) for a in range(n + 1)]
    tables = []
    for rows in itertools.product(pairs, repeat=4):
        whole = np.array(rows)
        if whole[:2, 0].sum() == 3 and whole[:, 0].sum() == 4:
            regions = np.array([whole[:2].sum(axis=0), whole[2:].sum(axis=0)])
            tables.append(np.vstack([whole, regions, regions.sum(axis=0)]))
    seen = np.array(tables)
    rows = [brute.allowed(period.values[row], hidden[row], size) for row in range(7)]
    low, high = brute.ranges(brute.possible(rows, [[0, 1], [2, 3]], size))
    assert (low[:, :2] == seen.min(axis=0)).all() and (high[:, :2] == seen.max(axis=0)).all()


def exact(period: Period, hidden: Flags, attacker: int) -> tuple[Floats, Floats]:
    """Ranges by one small MIP of SciPy per cell, for overlapping groupings, where enumeration has no tree to follow."""
    rows, many = period.values.shape
    relations = []
    for total, parts in period.regions:
        for v in range(many):
            line = np.zeros((rows, many))
            line[total, v] = -1
            line[list(parts), v] = 1
            relations.append(line.ravel())
    for row in range(rows):
        line = np.zeros((rows, many))
        line[row] = (-1, 1, 1)
        relations.append(line.ravel())
    open_cells = np.hstack([hidden, np.ones((rows, 1), dtype=bool)])
    if attacker != OUTSIDER:
        open_cells[attacker] = False
    true = period.values
    box = Bounds(np.where(open_cells, 0, true).ravel(), np.where(open_cells, 4 * SIZE, true).ravel())
    sums = LinearConstraint(np.array(relations), 0, 0)
    found = np.empty((2, rows * many))
    for cell in range(rows * many):
        for place, sign in enumerate((1.0, -1.0)):
            cost = np.zeros(rows * many)
            cost[cell] = sign
            solved = milp(cost, constraints=sums, bounds=box, integrality=np.ones(rows * many))
            found[place, cell] = round(sign * solved.fun)
    return found[0].reshape(rows, many), found[1].reshape(rows, many)


@pytest.mark.parametrize("seed", (0, 3))
def test_overlapping_groupings_against_one_program_per_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    persons = np.minimum(rng.poisson(1.2, 9), 4)
    counts = np.stack([persons, rng.binomial(persons, 0.4)], axis=1).astype(float)
    across = [[0, 1, 2, 3], [4, 5, 6, 7, 8]], [[0, 1, 2, 4, 5, 6], [3, 7, 8]]
    period = tiny(counts, across)
    hidden = pattern(rng, period)
    safe = audit(period, hidden) == 0
    for attacker in (OUTSIDER, 0):
        low, high = exact(period, hidden, attacker)
        known = np.zeros(period.values.shape)
        asked = period.judged.target.copy()
        if attacker != OUTSIDER:
            above = [total for total, parts in period.regions if attacker in parts] + [len(known) - 1]
            known[above] = period.values[above]
            asked[attacker] = False
        values, rules = period.values, period.rules
        fine = (high - low >= rules.width) & (high >= values + rules.margin)
        fine &= low <= np.maximum(known, values - rules.margin)
        assert not safe or fine[asked].all()
