"""Output checking: what is wrong with tables that somebody wants to take out, read together as a reader of all would.

Counts and magnitudes never share a cell; each kind is attacked as one system, with what others published beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from release.protect.attack import Attack
from release.protect.goals import Goals, Verdict
from release.protect.magnitudes import narrow
from release.protect.primary import Dominance, concentrated, dominated, effective, estimable
from release.protect.tables import Cell, Table, sums, system_of

PASS, REVIEW, FAIL = "pass", "review", "fail"
TO_FAIL = ("threshold", "dominance", "recoverable", "elsewhere")
TO_REVIEW = ("zeros", "group")
UNIT = 1e4  # dominance is judged in ten-thousandths, which are whole numbers


@dataclass(frozen=True)
class Limits:
    """The smallest count (and number of contributors) to be shown, the range of a hidden one, group and dominance."""

    threshold: int = 10
    width: int = 5
    share: float = 0.9
    dominance: Dominance = field(default_factory=Dominance)


@dataclass(frozen=True)
class Finding:
    """What one table has: per rule the cells that break it. `elsewhere`: hidden by others, and computable with these.

    threshold    shown, with fewer persons (contributors) than the threshold
    dominance    shown magnitudes; `nk` and `p` say by which rule
    recoverable  hidden, and the range that is left is too narrow
    zeros, group shown, and to be looked at
    """

    table: Table
    cells: dict[str, list[Cell]]
    nk: list[Cell]
    p: list[Cell]

    @property
    def status(self) -> str:
        """pass, review or fail."""
        if any(self.cells[name] for name in TO_FAIL):
            return FAIL
        return REVIEW if any(self.cells[name] for name in TO_REVIEW) else PASS

    @property
    def counts(self) -> dict[str, int]:
        """How many cells break each rule."""
        return {name: len(cells) for name, cells in self.cells.items()}

    @property
    def summary(self) -> str:
        """The status, and what led to it."""
        told = [f"{name}: {number} cells" for name, number in self.counts.items() if number]
        return "; ".join([self.status, *told])


@dataclass(frozen=True)
class Checked:
    """All findings, the worst status, and the limits they were judged by."""

    findings: list[Finding]
    limits: Limits

    @property
    def status(self) -> str:
        """The worst status of any table."""
        return max((one.status for one in self.findings), key=(PASS, REVIEW, FAIL).index)


def check(tables: list[Table], known: Sequence[Table] = (), limits: Limits | None = None) -> Checked:
    """Judge tables together, beside what others published (`known`). No count of a cell is in the answer.

    DisclosureRefused tables_disagree when sums do not hold or two tables print different things for one cell.
    """
    limits = limits or Limits()
    unsafe: set[Cell] = set()
    elsewhere: set[Cell] = set()
    for magnitude in (False, True):
        mine = [table for table in tables if table.magnitude == magnitude]
        theirs = [table for table in known if table.magnitude == magnitude]
        if mine:
            found = _unsafe([*mine, *theirs], limits)
            own = {key for table in mine for key in table.cells}
            unsafe |= found & own
            elsewhere |= found - own - (_unsafe(theirs, limits) if found - own else set())
    return Checked([_judge(table, unsafe, elsewhere, limits) for table in tables], limits)


def _unsafe(tables: list[Table], limits: Limits) -> set[Cell]:
    """Cells that are not shown as one number, of which the range that is left is too narrow."""
    system, cells, low, high = system_of(tables)
    closed = np.flatnonzero(high > low)
    if tables[0].magnitude:
        given = {key: one for table in tables for key, one in table.given.items()}
        stated = [given.get(cells[cell]) for cell in closed]
        bad = narrow(system, (low, high), closed, stated, rule=limits.dominance, threshold=limits.threshold)
    else:
        ranges = Attack(system, low, high).run(Goals.of_width(closed, limits.width))
        bad = closed[(ranges.verdict != Verdict.SAFE) & (ranges.outer_low < limits.threshold)]
    return {cells[cell] for cell in bad.tolist()}


def _judge(table: Table, unsafe: set[Cell], elsewhere: set[Cell], limits: Limits) -> Finding:
    shown = table.shown
    dominance, nk, p = _dominance(table, limits.dominance)
    persons = {key: _persons(table, key, value) for key, value in shown.items()}
    found = {
        "threshold": [key for key, number in persons.items() if 0 < number < limits.threshold],
        "dominance": dominance,
        "recoverable": [key for key in table.cells if key in unsafe],
        "elsewhere": sorted(elsewhere, key=sorted),
        "zeros": [key for key, value in shown.items() if value == 0],
        "group": [] if table.magnitude else _groups(table, shown, limits),
    }
    return Finding(table, found, nk, p)


def _persons(table: Table, key: Cell, value: float) -> float:
    """What counts against the threshold: contributors, less those that one source knows already (rule 2)."""
    if table.magnitude:
        return table.given[key].number
    return float(effective(np.array([value]), np.array([table.sources.get(key, 0.0)]))[0])


def _dominance(table: Table, rule: Dominance) -> tuple[list[Cell], list[Cell], list[Cell]]:
    """Shown magnitudes that break any rule of dominance, those that break (n, k), and those that break p%."""
    keys = list(table.shown) if table.magnitude else []
    rows = [(table.shown[key], table.given[key].largest, table.given[key].second) for key in keys]
    total, largest, second = np.round(UNIT * np.array(rows).reshape(-1, 3)).T
    judged = (judge(total, largest, second, rule) for judge in (dominated, concentrated, estimable))
    any_rule, nk, p = ([keys[row] for row in np.flatnonzero(bad)] for bad in judged)
    return any_rule, nk, p


def _groups(table: Table, shown: dict[Cell, float], limits: Limits) -> list[Cell]:
    """Shown totals of which one shown part holds the set share or more."""
    return [
        total
        for total, parts in sums(table)
        if shown.get(total, 0.0) >= limits.threshold
        and len(parts) > 1
        and any(shown.get(part, 0.0) >= limits.share * shown[total] for part in parts)
    ]
