"""`make bench-release`: audit, suppression and rounding beside the bounds of the design; writes docs/performance-release.md.

`ONLY="age x provision, nested"` (part of a publication's name, or of "6000 NAME") measures those publications again and
keeps the other lines of the page. CPU seconds of one thread, so that other work on the machine does not count. Exit code 1 when a bound is broken, when a
pattern is not safe or a rounding not additive. The bounds were set for two cores; nothing here uses more than one.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console

from release.protect.attack import Attack
from release.protect.goals import Goals, Ranges
from release.protect.problem import Pattern, Problem
from release.protect.rounding import controlled
from release.protect.secondary import suppress
from release.protect.system import Flags, Floats, System
from tests.bench.publications import CROSSED, NESTED, OVERLAPPING, TWO_WAY, publication

PAGE = Path(__file__).parents[2] / "docs" / "performance-release.md"
THRESHOLD, MARGIN, WIDTH, BASE = 10, 3, 5, 5
T = TypeVar("T")
console = Console(highlight=False, width=160)


@dataclass(frozen=True)
class Case:
    """A publication with its bounds in CPU seconds (None: the design sets none)."""

    name: str
    persons: int
    tables: Sequence[tuple[str, ...]]
    grouping: str
    audit: float
    suppress: float | None
    rounding: float | None


@dataclass(frozen=True)
class Line:
    """One measurement: met is None where the design sets no bound."""

    case: Case
    what: str
    seconds: float
    bound: float | None
    told: str
    right: bool

    @property
    def met(self) -> bool:
        return self.right and (self.bound is None or self.seconds <= self.bound)


CASES = [  # the longest last: the page is written after every line
    Case(f"{name}, {grouping}", persons, tables, grouping, audit, secondary, rounding)
    for name, tables, grouping, audit, secondary, rounding in (
        ("two-way", TWO_WAY, NESTED, 3, 15, 2),
        ("two-way", TWO_WAY, OVERLAPPING, 45, None, None),
        ("age x provision", CROSSED, NESTED, 60, 150, None),
    )
    for persons in (6_000, 30_000)
]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The answer and the CPU seconds."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def problem_of(system: System, values: Floats) -> Problem:
    """What the design asks: 1 to 9 protected up to 3 more and 3 less, and 5 wide; zeros are shown."""
    small = (values > 0) & (values < THRESHOLD)
    goals = Goals.around(np.flatnonzero(small), values, margin=MARGIN, width=WIDTH, floor=1)
    every, zero = np.ones(system.cells, dtype=bool), np.zeros(system.cells)
    return Problem(system, values, every, small, np.log1p(values) + 1, zero, zero + np.inf, goals)


def attack(problem: Problem, hidden: Flags) -> Ranges:
    """From scratch: the attacker knows the relations and what is shown, and nobody gave points away."""
    low, high = problem.known(hidden)
    return Attack(problem.system, low, high).run(Goals.of_width(np.flatnonzero(problem.primary), WIDTH))


def measure(case: Case) -> Iterator[Line]:
    """All steps on one publication."""
    system, values = publication(case.persons, case.tables, case.grouping)
    problem = problem_of(system, values)
    cells = f"{system.cells:,} cells, {problem.primary.sum():,} small"
    ranges, seconds = timed(lambda: attack(problem, problem.primary))
    yield Line(case, "audit, primary only", seconds, case.audit, f"{cells}; {_told(ranges)}", len(ranges.unsafe) > 0)
    pattern, seconds = timed(lambda: suppress(problem, tries=0))
    yield Line(case, "secondary suppression", seconds, case.suppress, _steps(pattern), _safe(pattern))
    ranges, seconds = timed(lambda: attack(problem, pattern.hidden))
    yield Line(case, "audit, suppressed", seconds, case.audit, _told(ranges), len(ranges.unsafe) == 0)
    if case.rounding is not None:
        rounded, seconds = timed(lambda: controlled(system, values, BASE))
        off = np.abs(rounded - values)
        told = f"mean change {off.mean():.2f}, largest {off.max():.0f}"
        yield Line(case, "controlled rounding", seconds, case.rounding, told, not system.broken(rounded))


def _told(ranges: Ranges) -> str:
    return f"{len(ranges.unsafe)} unsafe; {ranges.work.get('lp', 0)} LPs, {ranges.work.get('mip', 0)} MIPs"


def _steps(pattern: Pattern) -> str:
    return f"{pattern.steps['gauss']} by elimination, {pattern.steps['repair']} by repair"


def _safe(pattern: Pattern) -> bool:
    return len(pattern.ranges.unsafe) == 0


def row(one: Line) -> str:
    """A line of the page."""
    return (
        f"| {one.case.persons:,} | {one.case.name} | {one.what} | {one.seconds:.1f} | "
        f"{'-' if one.bound is None else f'{one.bound:g}'} | {'yes' if one.met else 'NO'} | {one.told} |"
    )


def page(rows: Sequence[str]) -> str:
    """The page that is kept."""
    solver = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("highspy", "scipy", "numpy"))
    return "\n".join(
        (
            "# Performance of disclosure control",
            "",
            "Made by `make bench-release`, which fails when a bound is broken. CPU seconds of one thread on a shared",
            f"machine; Python {platform.python_version()}, {solver}. 342 municipalities, synthetic persons; nested: safety region in",
            "province in country; overlapping: safety regions, provinces and arrondissements. Two-way: area x sex, x age and",
            "x provision together; age x provision: area x age x provision with its margins, and area x sex. Bounds are those",
            "of the design (disclosure.md section 6); protection is up to 3 more and 3 less, and 5 wide. The audits start",
            "from what is printed alone, without any point that suppression found.",
            "",
            "| persons | publication | step | CPU s | bound | met | outcome |",
            "| ---: | --- | --- | ---: | ---: | --- | --- |",
            *rows,
            "",
        )
    )


def kept(text: str, again: Case) -> dict[Case, list[str]]:
    """The rows of the page as it stands, of all publications but the one that is measured again."""
    starts = {case: f"| {case.persons:,} | {case.name} |" for case in CASES if case != again}
    return {case: [row for row in text.splitlines() if row.startswith(start)] for case, start in starts.items()}


def main() -> None:
    """The cases asked for (all when none is named), in order; the page; exit code 1 when something is not met."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    cases = [case for case in CASES if asked in f"{case.persons} {case.name}"]
    if not cases:
        sys.exit("no publication of that name")
    lines: list[Line] = []
    for case in cases:
        mine = []
        for line in measure(case):
            lines.append(line)
            bound = "-" if line.bound is None else f"{line.bound:g}"
            console.print(
                f"{case.persons:>6} {case.name:<24} {line.what:<22} {line.seconds:7.1f} s  bound {bound:>4}  "
                f"{'met' if line.met else 'NOT MET'}  {line.told}"
            )
            mine.append(row(line))
            rows = kept(PAGE.read_text(encoding="utf-8"), case) | {case: mine}
            PAGE.write_text(page([one for each in CASES for one in rows[each]]), encoding="utf-8")
    sys.exit(any(not line.met for line in lines))


if __name__ == "__main__":
    main()
