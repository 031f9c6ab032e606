"""What published estimates tell of hidden counts, as bounds for the attack.

An estimate is what was counted plus a draw of what was not seen (docs/decisions/0033), so a count is at most the upper
end of its interval; whoever takes it that little was missed, believes that it is at least the lower end. Both are taken
as known, except where they are not true: that attacker is misled. Of a year the other half-year is taken as known too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from release.protect.design import Points, findings
from release.protect.period import Period
from release.protect.periods import Area, Layout
from release.protect.system import Flags
from schemas.errors import DisclosureRefused

OF = {
    ("TITEL_EINDES", "ALLE", 0): "titel_eindes",
    ("GEBRUIK", "ALLE", 6): "wmo_180",
    ("GEBRUIK", "ALLE", 12): "wmo_365",
    ("GEBRUIK", "THUIS", 6): "wmo_thuis_180",
    ("GEBRUIK", "OPVANG", 6): "wmo_opvang_180",
}
REFUSED = "Geen schatting: het aantal is klein en zou te herleiden zijn."
UNCERTAIN = "Te onzeker voor deze gemeente."
_NUMBERS = ("schatting", "laag", "hoog")


def known(estimates: pa.Table, layout: Layout, made: list[Period], hidden: list[Flags]) -> list[Period]:
    """The periods with what these estimates (SCHATTINGEN) tell of the hidden cells; `hidden`: rows x measures each."""
    at = {area: row for row, area in enumerate(layout.areas)}
    column = {name: n for n, name in enumerate(made[0].template.names[: made[0].template.measures])}
    low = [np.zeros(pattern.shape) for pattern in hidden]
    high = [np.full(pattern.shape, np.inf) for pattern in hidden]
    for line in _given(estimates):
        measure = column.get(OF.get((line["soort"], line["groep"], line["maanden"]), ""))
        row = at.get((line["niveau"], line["code"]))
        if measure is None or row is None:
            continue
        inside = [n for n, half in enumerate(layout.halves) if half.startswith(line["periode"])]
        whole = sum(made[n].values[row, measure] for n in inside)
        for n in inside:
            true = made[n].values[row, measure]
            least, most = line["laag"] - (whole - true), line["hoog"] - (whole - true)
            if hidden[n][row, measure] and least <= true:
                low[n][row, measure] = max(low[n][row, measure], least)
            if hidden[n][row, measure] and most >= true:
                high[n][row, measure] = min(high[n][row, measure], most)
    return [replace(period, bounds=(one, other)) for period, one, other in zip(made, low, high, strict=True)]


def _given(estimates: pa.Table) -> list[dict[str, Any]]:
    """Estimates that rest on a count and have numbers."""
    shown = pc.and_(pc.is_valid(estimates["hoog"]), pc.equal(estimates["basis"], "GETELD_EN_GESCHAT"))
    return list(estimates.filter(shown).to_pylist())


def without_leaks(
    estimates: pa.Table, layout: Layout, made: list[Period], hidden: list[Flags], points: list[Points]
) -> pa.Table:
    """The same table without the numbers that, beside this pattern, let somebody narrow a hidden cell too far.

    First those of the narrowed area itself go, then those of every area that shares a total with it, then all of the
    period. DisclosureRefused unsafe_tables when the pattern is unsafe without any estimate.
    """
    for times in range(4):
        now = known(estimates, layout, made, hidden)
        gone: dict[str, set[Area]] = defaultdict(set)
        for period, half, pattern, proof in zip(now, layout.halves, hidden, points, strict=True):
            if period.bounds is not None and (period.bounds[0].any() or np.isfinite(period.bounds[1]).any()):
                for row, _ in findings(period, pattern, proof):
                    gone[half] |= {layout.areas[one] for one in _around(period, row, times)}
        if not gone:
            return estimates
        estimates = _refuse(estimates, gone)
    raise DisclosureRefused("unsafe_tables", cells=sum(map(len, gone.values())))


def _around(period: Period, row: int, times: int) -> list[int]:
    if times == 0:
        return [row]
    if times >= 2:
        return list(range(len(period.values)))
    return sorted({row}.union(*({total, *parts} for total, parts in period.regions if row in (total, *parts))))


def _refuse(estimates: pa.Table, gone: dict[str, set[Area]]) -> pa.Table:
    """Numbers away, also where another row quotes them: in those half-years and in their years."""
    wanted: dict[str, set[Area]] = defaultdict(set)
    for half, areas in gone.items():
        wanted[half] |= areas
        wanted[half[:4]] |= areas
    rows = estimates.to_pylist()
    said = set()
    for row in rows:
        if (row["niveau"], row["code"]) in wanted[row["periode"]] and row["hoog"] is not None:
            said.add((row["periode"], row["soort"], row["groep"], row["maanden"], row["weergave"]))
            row.update(dict.fromkeys(_NUMBERS), kwaliteit="GEWEIGERD", weergave=REFUSED)
    quoted = {one[:4] for one in said}
    for row in rows:
        key = (row["periode"], row["soort"], row["groep"], row["maanden"])
        if key in quoted and any(row["weergave"].endswith(f": {one[4]}") for one in said if one[:4] == key):
            row["weergave"] = UNCERTAIN
    return pa.Table.from_pylist(rows, schema=estimates.schema)
