"""`make bench-release`: audit, suppression and rounding of three linked two-way tables over all municipalities.

CPU seconds beside the bounds of the design (section 6). Synthetic persons, one nested grouping; nothing is asserted.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from rich.console import Console

from release.protect.attack import Attack, Goals
from release.protect.rounding import controlled
from release.protect.secondary import Problem, suppress
from release.protect.system import Floats, System, build
from schemas.gemeente import gemeenten

CATEGORIES = (2, 6, 3)
console = Console(highlight=False)


def country(persons: int, seed: int = 1) -> tuple[System, Floats]:
    """Municipality, safety region, province and country x sex, x age and x provision, with every margin."""
    rng = np.random.default_rng(seed)
    places = gemeenten()
    share = rng.gamma(0.6, 1.0, len(places))
    home = rng.choice(len(places), persons, p=share / share.sum())
    groups: dict[str, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        for name in (f"m{number}", place.veiligheidsregio_code, place.provincie_code, "NL"):
            groups[name].append(number)
    above = {p.veiligheidsregio_code: p.provincie_code for p in places} | {p.provincie_code: "NL" for p in places}
    above |= {f"m{number}": p.veiligheidsregio_code for number, p in enumerate(places)}
    at: dict[tuple[str, int, int], int] = {}
    values: list[float] = []
    relations: list[tuple[int, list[int]]] = []
    for table, size in enumerate(CATEGORIES):
        kind = rng.integers(0, size, persons)
        for name, members in groups.items():
            inside = np.isin(home, members)
            for category in range(size):
                at[name, table, category] = len(values)
                values.append(float((inside & (kind == category)).sum()))
            if table == 0:
                at[name, -1, 0] = len(values)
                values.append(float(inside.sum()))
            relations.append((at[name, -1, 0], [at[name, table, c] for c in range(size)]))
    parts: dict[str, list[str]] = defaultdict(list)
    for name, parent in above.items():
        parts[parent].append(name)
    for parent, names in parts.items():
        for key in [(-1, 0), *((t, c) for t, size in enumerate(CATEGORIES) for c in range(size))]:
            relations.append((at[parent, *key], [at[name, *key] for name in names]))
    return build(len(values), relations), np.array(values)


def timed(name: str, bound: float, work: Callable[[], str]) -> None:
    """One line: what, CPU seconds, bound, outcome."""
    began = time.process_time()
    told = work()
    console.print(f"{name:<34} {time.process_time() - began:8.1f} s   bound {bound:5.0f} s   {told}")


def main() -> None:
    """Both country sizes of the design."""
    for persons in (6_000, 30_000):
        system, values = country(persons)
        small = (values > 0) & (values < 10)
        cells = np.flatnonzero(small)
        low, high = np.where(small, 0.0, values), np.where(small, np.inf, values)
        console.print(
            f"{persons} persons, {system.cells} cells, {system.matrix.shape[0]} relations, {small.sum()} small"
        )

        def audit(low: Floats = low, high: Floats = high, cells: object = cells, system: System = system) -> str:
            found = Attack(system, low, high).run(Goals.of_width(np.asarray(cells), 5))
            return f"{len(found.unsafe)} unsafe, {found.work}"

        def protect(system: System = system, values: Floats = values, small: object = small) -> str:
            flags = np.asarray(small)
            goals = Goals.around(np.flatnonzero(flags), values, margin=3, width=5, floor=1)
            ones, zero = np.ones(system.cells, dtype=bool), np.zeros(system.cells)
            task = Problem(system, values, ones, flags, np.log1p(values) + 1, zero, zero + np.inf, goals)
            pattern = suppress(task, tries=0)
            return f"{pattern.steps}, {len(pattern.ranges.unsafe)} unsafe"

        def rounding(system: System = system, values: Floats = values) -> str:
            rounded = controlled(system, values, 5)
            return f"mean change {np.abs(rounded - values).mean():.2f}, largest {np.abs(rounded - values).max():.0f}"

        timed("audit, primary only", 3, audit)
        timed("controlled rounding", 2, rounding)
        timed("secondary suppression", 15, protect)


if __name__ == "__main__":
    main()
