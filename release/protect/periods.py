"""The target-group table as periods: areas, groupings and weights out of the declared schema."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from release.protect.period import Period
from release.protect.primary import Reason, first_reason
from release.protect.rows import Judged, Template, judge
from release.protect.spec import Rules, Spec
from release.protect.system import Floats, Ints
from schemas.errors import DisclosureRefused
from schemas.gemeente import gemeenten

Area = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """Where each (area, period, measure) of a table stands: row -> (period, area, measure) positions."""

    areas: tuple[Area, ...]
    halves: tuple[str, ...]
    place: tuple[Ints, Ints, Ints]

    @classmethod
    def of(cls, table: pa.Table, spec: Spec) -> Layout:
        """The layout of a table with niveau, code, halfjaar, maat. DisclosureRefused when a cell lacks or repeats."""
        listed = list(zip(table["niveau"].to_pylist(), table["code"].to_pylist(), strict=True))
        halves, measures = table["halfjaar"].to_pylist(), table["maat"].to_pylist()
        areas, periods = tuple(dict.fromkeys(listed)), tuple(sorted(set(halves)))
        if set(measures) != set(spec.measures) or len(areas) * len(periods) * len(spec.measures) != len(listed):
            raise DisclosureRefused("release_schema", kind="cells")
        at = {area: number for number, area in enumerate(areas)}
        half_at = {half: number for number, half in enumerate(periods)}
        measure_at = {maat: number for number, maat in enumerate(spec.measures)}
        place = (
            np.array([half_at[half] for half in halves]),
            np.array([at[area] for area in listed]),
            np.array([measure_at[maat] for maat in measures]),
        )
        return cls(areas, periods, place)

    def cube(self, column: Floats, measures: int) -> Floats:
        """periods x areas x measures from one value per table row. DisclosureRefused when a cell is given twice."""
        made = np.full((len(self.halves), len(self.areas), measures), np.nan)
        made[self.place] = column
        if np.isnan(made).any():
            raise DisclosureRefused("release_schema", kind="cells")
        return made


def relations(areas: tuple[Area, ...], spec: Spec) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(total row, part rows): each region from its municipalities, the country from each grouping and the specials."""
    at = {area: number for number, area in enumerate(areas)}
    parts: dict[Area, list[int]] = defaultdict(list)
    whole: dict[str, dict[int, None]] = defaultdict(dict)
    inner = [name for name in spec.groupings if name != "land"]
    special = [at["gemeente", code] for code in spec.special if ("gemeente", code) in at]
    for place in gemeenten(spec.geography):
        for niveau in inner:
            region = (niveau, str(getattr(place, f"{niveau}_code")))
            if ("gemeente", place.code) in at and region in at:
                parts[region].append(at["gemeente", place.code])
                whole[niveau][at[region]] = None
    found = [(at[region], tuple(rows)) for region, rows in parts.items()]
    country = at.get(("land", "NL"))
    if country is not None:
        found += [(country, (*rows, *special)) for rows in whole.values()]
    return tuple(found)


def periods(table: pa.Table, spec: Spec, rules: Rules) -> tuple[Layout, list[Period]]:
    """Every half-year of a TARGET_GROUP table. DisclosureRefused tables_disagree when sums do not hold."""
    layout, template = Layout.of(table, spec), Template.of(spec)
    cube = layout.cube(table["aantal"].to_numpy().astype(np.float64), len(spec.measures))
    between = relations(layout.areas, spec)
    codes = {place.code: place for place in gemeenten(spec.geography)}
    known = [niveau == "gemeente" and code in codes for niveau, code in layout.areas]
    special = np.array([niveau == "gemeente" and code not in codes for niveau, code in layout.areas])
    group = _groups(layout.areas, spec)
    level = np.array([spec.levels[niveau] for niveau, _ in layout.areas])
    worth = np.array(list(spec.measures.values()))
    made = []
    for printed in cube:
        values = template.fill(printed)
        for total, parts in between:
            if (values[total] != values[list(parts)].sum(axis=0)).any():
                raise DisclosureRefused("tables_disagree")
        weight = level[:, None] * worth[None, :] * np.log2(2 + printed) / 4
        judged = judge(template, spec, rules, values, special)
        made.append(Period(template, rules, values, judged, between, np.array(known), group, weight))
    return layout, withdraw(_unprinted(made, layout, spec), layout, spec, rules)


def _unprinted(made: list[Period], layout: Layout, spec: Spec) -> list[Period]:
    """A measure that no table of the specification prints at a level is hidden there."""
    printed = {niveau: spec.printed(niveau) for niveau, _ in layout.areas}
    gone = np.array([[maat not in printed[niveau] for maat in spec.measures] for niveau, _ in layout.areas])
    away = np.zeros(made[0].judged.reason.shape, dtype=bool)
    away[:, : gone.shape[1]] = gone
    judged = [Judged(first_reason(p.judged.reason, away, Reason.TABLE), p.judged.target) for p in made]
    return [replace(period, judged=one) for period, one in zip(made, judged, strict=True)]


def withdraw(made: list[Period], layout: Layout, spec: Spec, rules: Rules) -> list[Period]:
    """Rule 0: a measure of which more than the set share of a level would be hidden is not printed at that level."""
    level = np.array([niveau for niveau, _ in layout.areas])
    reasons = np.array([period.judged.reason for period in made])
    for niveau, most in rules.max_hidden_share.items():
        at = np.flatnonzero(level == niveau)
        hidden = reasons[:, at, : len(spec.measures)] != Reason.SHOWN
        gone = np.flatnonzero(hidden.mean(axis=(0, 1)) > most)
        for column in gone:
            block = reasons[:, at, column]
            reasons[:, at, column] = np.where(block == Reason.SHOWN, int(Reason.TABLE), block)
    return [replace(p, judged=Judged(r, p.judged.target)) for p, r in zip(made, reasons, strict=True)]


def _groups(areas: tuple[Area, ...], spec: Spec) -> Ints:
    """Number of the combination of regions a municipality lies in; -1 for what is no municipality."""
    inner = [name for name in spec.groupings if name != "land"]
    key = {p.code: tuple(str(getattr(p, f"{name}_code")) for name in inner) for p in gemeenten(spec.geography)}
    numbers: dict[tuple[str, ...], int] = {}
    found = []
    for niveau, code in areas:
        inside = niveau == "gemeente" and code in key
        found.append(numbers.setdefault(key[code], len(numbers)) if inside else -1)
    return np.array(found)
