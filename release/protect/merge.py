"""One period as a system: what each kind of attacker sees of it, with crowds as one row each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from release.protect.crowds import Crowd, crowds_of
from release.protect.goals import Goals
from release.protect.period import Period
from release.protect.problem import Problem
from release.protect.system import Flags, Floats, Ints, System, build, propagate


@dataclass(frozen=True)
class Merged:
    """The merged problem: areas that keep a row of their own (`rows`), then the crowds.

    `wide`: what is known of every cell without what estimates tell, which the problem has too.
    """

    problem: Problem
    rows: Ints
    crowds: tuple[Crowd, ...]
    wide: tuple[Floats, Floats]


def outsider(period: Period, hidden: Flags) -> Merged:
    """Everything may move. Members of crowds are answered too: a crowd never falls below what its largest member knows,
    and reaches so far that the others stay wide for that member."""
    return _merge(period, hidden, None)


def singles(period: Period, hidden: Flags) -> Merged:
    """All municipalities that stand alone, together: their rows are known. Goals are the regions and the crowds."""
    return _merge(period, hidden, -1)


def alone(period: Period, hidden: Flags, row: int) -> Merged:
    """The same, against one municipality `row` that is not of their number; goals are its cells alone."""
    return _merge(period, hidden, row)


def _merge(period: Period, hidden: Flags, free: int | None) -> Merged:
    """free: None = nobody's row is known, -1 = those of all single municipalities are, else of all but this one."""
    crowds, own = crowds_of(period, hidden)
    rows = np.concatenate([np.flatnonzero(~period.insiders), own])
    values = np.vstack([period.values[rows], *(crowd.values[None] for crowd in crowds)])
    first, margin = len(rows), period.rules.margin
    told = np.zeros(len(values), dtype=bool)
    told[:first] = (free is not None) & period.insiders[rows] & (rows != free)
    low, high = np.minimum(values, 0.0), np.full(values.shape, np.inf)
    low[told], high[told] = values[told], values[told]
    already = spread(period, rows, values.shape, period.known()) > 0
    low[already], high[already] = values[already], values[already]
    width, reach_low, reach_high = np.zeros(values.shape), np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    target = np.zeros(values.shape, dtype=bool)
    for place, crowd in enumerate(crowds, first):
        target[place] = crowd.target
        if free is None:
            low[place], reach_high[place] = crowd.low, crowd.reach
        else:
            reach_high[place] = np.maximum(crowd.low + margin, period.rules.width)
    system = _system(period, rows, crowds)
    floor = propagate(system, low.ravel(), high.ravel())[0].reshape(values.shape)
    target[:first] = period.judged.target[rows] & ~told[:first, None]
    width[:first], reach_high[:first] = period.rules.width, values[:first] + margin
    reach_low[:first] = np.minimum(values, np.maximum(floor, values - margin))[:first]
    if free is not None and free >= 0:
        target[np.append(rows, np.full(len(crowds), -1)) != free] = False
    goals = _goals(target, width, reach_low, reach_high)
    told_too = narrowed(period, rows, low, high)  # after the goals: what an estimate tells excuses nothing
    problem = _problem(period, hidden, rows, system, values, told_too, goals)
    return Merged(problem, rows, tuple(crowds), (low.ravel(), high.ravel()))


def _goals(target: Flags, width: Floats, reach_low: Floats, reach_high: Floats) -> Goals:
    cells = np.flatnonzero(target)
    return Goals(cells, width.ravel()[cells], reach_low.ravel()[cells], reach_high.ravel()[cells])


def _problem(
    period: Period,
    hidden: Flags,
    rows: Ints,
    system: System,
    values: Floats,
    bounds: tuple[Floats, Floats],
    goals: Goals,
) -> Problem:
    """The problem of these rows (and of crowds behind them), with the pattern that hides it so far."""
    printed = spread(period, rows, values.shape, ~period.known()) > 0
    secret = spread(period, rows, values.shape, hidden & ~period.known()) > 0
    cost = spread(period, rows, values.shape, period.weight)
    low, high = bounds
    return Problem(
        system, values.ravel(), printed.ravel(), secret.ravel(), cost.ravel(), low.ravel(), high.ravel(), goals
    )


def blocks(period: Period, hidden: Flags) -> Merged:
    """Every single municipality by itself, exchanging persons with the crowd of its own group; no other row moves.

    A block is safe only by moves inside it, so from all other single municipalities together; blocks share no relation,
    so one problem holds them all. Not enough room in a block proves nothing: `alone` looks further.
    """
    crowds, own = crowds_of(period, hidden)
    many, rules = len(period.template.names), period.rules
    values = period.values[own]
    spare = {int(period.group[crowd.members[0]]): crowd.values for crowd in crowds}
    nothing = np.zeros(many)
    room = np.array([spare.get(int(period.group[row]), nothing) for row in own]).reshape(values.shape)
    still = np.array([int(period.group[row]) not in spare for row in own], dtype=bool)[:, None] | np.zeros(many, bool)
    already = spread(period, own, values.shape, period.known()) > 0
    low = np.where(still | already, values, np.minimum(values, 0))
    high = np.where(already, values, values + room)
    relations = [
        (row * many + total, [row * many + part for part in parts])
        for row in range(len(own))
        for total, parts in period.template.relations
    ]
    told_too = narrowed(period, own, low, high)
    target = np.flatnonzero(period.judged.target[own])
    goals = Goals.around(target, values.ravel(), margin=rules.margin, width=rules.width, floor=0)
    system = build(values.size, relations)
    problem = _problem(period, hidden, own, system, values, told_too, goals)
    return Merged(problem, own, tuple(crowds), (low.ravel(), high.ravel()))


def narrowed(period: Period, rows: Ints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Bounds (rows x variables) with what estimates tell of the measures of these rows."""
    low, high = low.copy(), high.copy()
    if period.bounds is not None:
        inside = (slice(len(rows)), slice(period.template.measures))
        low[inside] = np.maximum(low[inside], period.bounds[0][rows])
        high[inside] = np.minimum(high[inside], period.bounds[1][rows])
    return low, high


def spread(period: Period, rows: Ints, shape: tuple[int, ...], given: Floats | Flags) -> Floats:
    """Rows x measures of the areas, laid out as rows x variables of the merged system; 0 elsewhere."""
    made = np.zeros(shape)
    made[: len(rows), : period.template.measures] = given[rows]
    return made


def _system(period: Period, rows: Ints, crowds: list[Crowd]) -> System:
    """Relations between areas for every variable, and relations within every row."""
    place = {int(row): number for number, row in enumerate(rows)}
    for number, crowd in enumerate(crowds, len(rows)):
        place |= {int(row): number for row in crowd.members}
    many = len(period.template.names)
    count = len(rows) + len(crowds)
    between = [
        (place[total] * many + v, [p * many + v for p in dict.fromkeys(place[part] for part in parts)])
        for total, parts in period.regions
        for v in range(many)
    ]
    within = [
        (row * many + total, [row * many + part for part in parts])
        for row in range(count)
        for total, parts in period.template.relations
    ]
    return build(count * many, [*between, *within])
