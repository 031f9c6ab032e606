"""What `make bench-scale` says: targets held or not, growth per fourfold persons, ratios beside peers; pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from tests.bench import scale_steps as steps

SIZES = (180_000, 1_800_000, 18_000_000)
FOURFOLD = (281_250, 1_125_000, 4_500_000, 18_000_000)  # growth is judged between each two
GROWTH = 5.2  # at most so many times the CPU per fourfold persons
JUDGED_FROM = 0.2  # CPU seconds at the larger size: below it a step is the start of a query, and the grain of the clock
JUDGED = {True: "held", False: "NOT HELD", None: "not judged at this size"}
STATEMENT = "linked: "
OTHERS = {other for other, _ in steps.PEERS}  # measured beside ours, and not judged
OWN = tuple(step for step in steps.MEASURED if step not in OTHERS)
Found = dict[str, Any]
Line = tuple[str, str, str, bool | None]


def least(rounds: Sequence[Found]) -> Found:
    """Of rounds that did the same, each number of CPU seconds at its least: what else the machine did only adds."""
    best = min(rounds, key=lambda one: float(one["cpu"]))
    if not isinstance(best["answer"], dict):
        return best
    names = best["answer"]
    return {**best, "answer": {name: min(one["answer"][name] for one in rounds) for name in names}}


def ratio(found: dict[str, Found], a: str, b: str, key: str = "cpu") -> float:
    """How often a takes what b takes."""
    one, other = found.get(a, {}), found.get(b, {})
    return float("nan") if key not in one or key not in other else float(one[key] / other[key])


def equal(found: dict[str, Found], a: str, b: str) -> bool:
    """Whether two steps gave one answer; a step that failed gave none."""
    return "answer" in found.get(a, {}) and found[a]["answer"] == found.get(b, {}).get("answer")


def unequal(found: dict[int, dict[str, Found]]) -> list[str]:
    """Peers that ran, and answered otherwise than we did."""
    return [
        f"{a} at {size:,}"
        for size, one in sorted(found.items())
        for a, b in steps.PEERS
        if a in one and "answer" in one[a] and not equal(one, a, b)
    ]


def taken(found: dict[str, Found]) -> dict[str, float]:
    """CPU seconds of every step of ours, of the parts of the linkage, and of every statement and table written in it."""
    told = {step: found[step]["cpu"] for step in OWN if "cpu" in found.get(step, {})}
    statements = found.get("linked", {}).get("answer", {})
    sums: dict[str, float] = {}
    for name, cpu in statements.items():
        sums[f"linked, {steps.part_of(name)}"] = sums.get(f"linked, {steps.part_of(name)}", 0.0) + cpu
    return told | sums | {f"{STATEMENT}{name}": cpu for name, cpu in statements.items()}


def growth(found: dict[int, dict[str, Found]]) -> Iterator[tuple[str, list[float | None], list[float | None]]]:
    """Step, CPU seconds at each fourfold size measured, and the factor from each size to the next."""
    sizes = [size for size in FOURFOLD if size in found]
    took = [taken(found[size]) for size in sizes]
    for name in took[-1] if took else {}:
        cpu = [one.get(name) for one in took]
        yield name, cpu, [b / a if a and b is not None else None for a, b in pairwise(cpu)]


def judged(cpu: Sequence[float | None], factors: Sequence[float | None]) -> list[bool | None]:
    """Whether each factor is held; None where the larger of the two takes too little to be judged."""
    larger = cpu[1:]
    return [
        None if power is None or took is None or took < JUDGED_FROM else power <= GROWTH
        for power, took in zip(factors, larger, strict=True)
    ]


def targets(found: dict[int, dict[str, Found]]) -> list[Line]:
    """Id, what, measured, held: at the largest size measured. T4 and T9 are judged at 18 million only."""
    size, big = max(found), found[max(found)]
    chain, spill = big["chain"].get("wall", math.nan), big["chain"].get("spill", 0)
    national, beside = size >= SIZES[-1], set(big) >= OTHERS
    key, files = ratio(big, "interval", "interval32"), big["files"]["wmo"] / big["files"]["wmo32"]
    form, parts = ratio(big, "interval", "asof"), ratio(big, "buckets", "interval_process")
    told = f"three links and the table, at {size:,} persons: 8 s in 1 GB at 18 million, no spill"
    return [
        ("T4", told, f"{chain:.1f} s, spill {spill / 1e6:.0f} MB", (chain <= 8 and not spill) if national else None),
        ("T6", "16-byte key, join CPU at most 0.70 of a 32-byte one", f"{key:.2f}", key <= 0.7 if beside else None),
        ("T6", "16-byte key, file at most 0.76", f"{files:.2f}", files <= 0.76),
        (
            "T7",
            "interval form at most 0.50 of ASOF, equal rows",
            f"{form:.2f}",
            (form <= 0.5 and equal(big, "interval", "asof")) if beside else None,
        ),
        (
            "T9",
            "16 prefix buckets at most 1.30 of one process, equal rows",
            f"{parts:.2f}",
            (parts <= 1.3 and equal(big, "buckets", "interval")) if national else None,
        ),
        *_growth_lines(found),
    ]


def _growth_lines(found: dict[int, dict[str, Found]]) -> Iterator[Line]:
    """Steps as performance.md has them, and the parts of the linkage; then each of its statements by itself."""
    for single, what in ((False, "every step and part of the linkage"), (True, "every single statement")):
        factors = [
            (power, name, held)
            for name, cpu, powers in growth(found)
            for power, held in zip(powers, judged(cpu, powers), strict=True)
            if name.startswith(STATEMENT) == single and held is not None and power is not None
        ]
        if factors:
            above, worst = sum(not held for *_, held in factors), max(factors)
            told = f"CPU at most {GROWTH} times per fourfold persons, {what} ({len(factors)} factors, below)"
            yield "T5", told, f"{above} above it; most {worst[0]:.1f}, {worst[1]}", not above


def page(found: dict[int, dict[str, Found]]) -> str:
    """docs/performance-scale.md."""
    text = [steps.HEAD, "| target | what | measured | held |", "| --- | --- | --- | --- |"]
    text += [f"| {a} | {b} | {c} | {JUDGED[d]} |" for a, b, c, d in targets(found)]
    text += [*_beside(found), *_steps(found), *_growth(found)]
    return "\n".join([*text, "", steps.TAIL])


def _beside(found: dict[int, dict[str, Found]]) -> Iterator[str]:
    told = f"these answers differ: {', '.join(wrong)}" if (wrong := unequal(found)) else "the answers are equal"
    yield from ("", "## Beside others, in the same run", "", f"CPU seconds as a multiple of ours; {told}.", "")
    yield "| persons | " + " | ".join(f"{a} / {b}" for a, b in steps.PEERS) + " |"
    yield "| ---: |" + " ---: |" * len(steps.PEERS)
    for size in (size for size in sorted(found) if size in SIZES):
        yield f"| {size:,} | " + " | ".join(_times(found[size], a, b) for a, b in steps.PEERS) + " |"


def _times(one: dict[str, Found], a: str, b: str) -> str:
    if "failed" in one[a]:
        return "failed"
    memory = one[a].get("memory")
    return f"{ratio(one, a, b):.1f}" + (f" (given {memory}; out of memory in {steps.MEMORY})" if memory else "")


def _steps(found: dict[int, dict[str, Found]]) -> Iterator[str]:
    sizes = sorted(found)
    yield from ("", "## Every step", "", "CPU seconds / peak memory in GB. Peers are measured at three sizes.", "")
    yield "| step | " + " | ".join(f"{size:,}" for size in sizes) + " |"
    yield "| --- |" + " ---: |" * len(sizes)
    for name in steps.MEASURED:
        yield f"| {name} | " + " | ".join(_cell(found[size].get(name)) for size in sizes) + " |"


def _cell(one: Found | None) -> str:
    if one is None:
        return ""
    return f"{one['cpu']:.2f} / {one['rss'] / 1e6:.2f}" if "cpu" in one else str(one["failed"])


def _growth(found: dict[int, dict[str, Found]]) -> Iterator[str]:
    sizes = [size for size in FOURFOLD if size in found]
    yield from ("", "## Growth per fourfold persons", "")
    yield f"CPU seconds, and how many times as much at four times the persons. A factor is judged where the larger takes {JUDGED_FROM} s;"
    yield "those in brackets are not. Shown are steps, statements and tables written that take that much at the largest size."
    yield ""
    steps_to = [f"to {size:,}" for size in sizes[1:]]
    yield "| step | " + " | ".join([*(f"{size:,}" for size in sizes), *steps_to, f"at most {GROWTH}"]) + " |"
    yield "| --- |" + " ---: |" * (len(sizes) + len(steps_to)) + " --- |"
    for name, cpu, factors in growth(found):
        if (cpu[-1] or 0) >= JUDGED_FROM:
            held = judged(cpu, factors)
            cells = [*(f"{took or 0:.2f}" for took in cpu), *map(_factor, factors, held)]
            yield f"| {name} | " + " | ".join([*cells, JUDGED[False not in held]]) + " |"


def _factor(power: float | None, held: bool | None) -> str:
    if power is None:
        return ""
    return f"({power:.1f})" if held is None else f"{power:.1f}" if held else f"**{power:.1f}**"
