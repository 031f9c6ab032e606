"""Controlled rounding: every printed number to a neighbouring multiple of the base, and every sum still a sum.

One mixed-integer program (HiGHS): each number goes down or up, the sum of the changes is least, all relations hold in
the rounded numbers. Where no such rounding exists (possible from three dimensions on) a number may go one step further.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from scipy import sparse

from release.protect.periods import Layout, relations
from release.protect.rows import Template
from release.protect.solver import Point, Solver
from release.protect.spec import Rules, Spec
from release.protect.system import Flags, Floats, System, build
from schemas.errors import DisclosureRefused

GAP = 0.0
Key = tuple[str, str, str, str]


def controlled(
    system: System,
    values: Floats,
    base: int,
    given: Flags | None = None,
    floor: int = 0,
    fixed: Floats | None = None,
) -> Floats:
    """Rounded values, multiples of `base`, additive over every relation of the system.

    `given` marks cells that are printed; the others are unknown (their values are not read) and only have to exist, as
    numbers of at least 0. A printed number stays at or above `floor`; where `fixed` is a number (else nan) it becomes
    that one: what was rounded before is rounded the same way again. DisclosureRefused not_additive if impossible.
    """
    given = np.ones(system.cells, dtype=bool) if given is None else given
    fixed = np.full(system.cells, np.nan) if fixed is None else fixed
    for further in (0, 1, 2):
        found = _solve(system, np.where(given, values, 0.0), base, given, further, floor, fixed)
        if found is not None:
            return found
    raise DisclosureRefused("not_additive")


def _solve(
    system: System, values: Floats, base: int, given: Flags, further: int, floor: int, fixed: Floats
) -> Floats | None:
    """Steps k with base * k printed, in whole numbers; |base * k - value| is paid per printed cell.

    Between the two neighbouring multiples that price is linear in k, and the program is the relations alone; one step
    further it takes two more columns per printed cell.
    """
    down, up = np.floor(values / base), np.ceil(values / base)
    low = np.where(given, np.maximum(down - further, np.ceil(floor / base)), 0.0)
    high = np.where(given, up + further, np.inf)
    kept = given & ~np.isnan(fixed)
    low[kept] = high[kept] = fixed[kept] / base
    if further:
        found = _beyond(system, values / base, given, (low, high))
    else:
        price = np.where(given & ~kept & (up > down), (up + down) * base - 2 * values, 0.0)
        found = Solver(system.matrix, low, high).best(-price, whole=True, gap=GAP, integers=given)
    if found is None:
        return None
    steps = np.round(found.values[: system.cells])
    return np.where(given, steps * base, np.nan)


def _beyond(system: System, steps: Floats, given: Flags, bounds: tuple[Floats, Floats]) -> Point | None:
    """The same where a number may pass its neighbours: k - down + up = steps, and down + up is paid."""
    printed = np.flatnonzero(given)
    count = len(printed)
    pick = sparse.csr_array((np.ones(count), (np.arange(count), printed)), shape=(count, system.cells))
    apart = sparse.eye_array(count)
    matrix = sparse.block_array([[system.matrix, None, None], [pick, -apart, apart]], format="csr")
    rows = np.concatenate([np.zeros(system.matrix.shape[0]), steps[printed]])
    none, most = np.zeros(count), np.full(count, np.inf)
    low, high = (np.concatenate([one, end, end]) for one, end in zip(bounds, (none, most), strict=True))
    whole = np.concatenate([given, np.zeros(2 * count, dtype=bool)])
    cost = np.concatenate([np.zeros(system.cells), -np.ones(2 * count)])
    return Solver(matrix, low, high, (rows, rows)).best(cost, whole=True, gap=GAP, integers=whole)


def interval(rounded: Floats, base: int) -> tuple[Floats, Floats]:
    """What an outsider concludes from controlled rounding: strictly within one base of what is printed."""
    return np.maximum(rounded - base + 1, 0.0), rounded + base - 1


def round_table(table: pa.Table, spec: Spec, rules: Rules, before: Mapping[Key, int] | None = None) -> pa.Array:
    """The counts of a protected table (null = hidden), rounded period by period; hidden cells stay hidden.

    `before`: what an earlier release of the same data showed for (level, code, half-year, measure).
    """
    layout, template = Layout.of(table, spec), Template.of(spec)
    counts = table["aantal"].to_numpy().astype(np.float64)
    cube = np.full((len(layout.halves), len(layout.areas), len(spec.measures)), np.nan)
    cube[layout.place] = counts
    system = _whole(layout, template, spec)
    many = len(template.names)
    made = []
    for half, printed in zip(layout.halves, cube, strict=True):
        values = np.full((len(layout.areas), many), np.nan)
        values[:, : len(spec.measures)] = printed
        given = ~np.isnan(values)
        found = controlled(
            system,
            np.nan_to_num(values).ravel(),
            rules.base,
            given.ravel(),
            floor=rules.threshold,
            fixed=_fixed(before or {}, layout, half, spec, many),
        )
        made.append(found.reshape(values.shape)[:, : len(spec.measures)])
    flat = np.array(made)[layout.place]
    return pa.array(np.nan_to_num(flat).astype(np.int64), pa.int64(), mask=np.isnan(flat))


def _fixed(before: Mapping[Key, int], layout: Layout, half: str, spec: Spec, many: int) -> Floats:
    fixed = np.full((len(layout.areas), many), np.nan)
    for row, area in enumerate(layout.areas):
        fixed[row, : len(spec.measures)] = [before.get((*area, half, maat), np.nan) for maat in spec.measures]
    return fixed.ravel()


def _whole(layout: Layout, template: Template, spec: Spec) -> System:
    """All areas and all variables of one period, nothing merged."""
    many, areas = len(template.names), len(layout.areas)
    between = [
        (total * many + v, [part * many + v for part in parts])
        for total, parts in relations(layout.areas, spec)
        for v in range(many)
    ]
    within = [
        (row * many + total, [row * many + part for part in parts])
        for row in range(areas)
        for total, parts in template.relations
    ]
    return build(areas * many, [*between, *within])
