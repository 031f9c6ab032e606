"""Arbitrary CSV tables as one system: output checking of what somebody wants to take out.

A table is in long form: label columns, and one count column (the last one, or the one named). A label that means
"total" stands for the whole of its column, so tables that share labels share cells. Results follow ACRO's results.json:
one entry per file with a status of pass, review or fail, and a summary.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from release.protect.attack import Attack
from release.protect.goals import Goals
from release.protect.system import Floats, System, build
from schemas.errors import ConfigError, DisclosureRefused

TOTALS = frozenset({"totaal", "total", "alle", "allen", "all", "nl", "nederland", "t001038"})
BELOW = re.compile(r"<\s*=?\s*(\d+)")
Cell = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """One file: per cell (labels without totals) the interval that is printed; `shown` when it is one number."""

    name: str
    columns: tuple[str, ...]
    cells: dict[Cell, tuple[float, float]]
    digest: str


def read(path: Path, count: str | None = None) -> Table:
    """Read a CSV with `;` or `,`. ConfigError bad_table when columns are missing or a cell comes twice."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("bad_table", kind="unreadable") from None
    lines = list(csv.reader(text.splitlines(), delimiter=";" if text.partition("\n")[0].count(";") else ","))
    if len(lines) < 2 or any(len(line) != len(lines[0]) for line in lines):
        raise ConfigError("bad_table", kind="columns")
    heads = lines[0]
    if count is not None and count not in heads:
        raise ConfigError("bad_table", kind="count_column")
    place = heads.index(count) if count is not None else len(heads) - 1
    labels = tuple(name for number, name in enumerate(heads) if number != place)
    cells: dict[Cell, tuple[float, float]] = {}
    for number, line in enumerate(lines[1:], 2):
        named = [value.strip() for at, value in enumerate(line) if at != place]
        key = frozenset((n, v) for n, v in zip(labels, named, strict=True) if v.casefold() not in TOTALS)
        if key in cells:
            raise ConfigError("bad_table", kind="twice", line=number)
        cells[key] = printed(line[place])
    return Table(path.name, labels, cells, hashlib.sha256(path.read_bytes()).hexdigest())


def printed(text: str) -> tuple[float, float]:
    """What a printed cell says: a number, "<10" as 0 to 9, anything else is hidden (0 and up).

    >>> printed("12"), printed("<10"), printed("x")
    ((12.0, 12.0), (0.0, 9.0), (0.0, inf))
    """
    word = text.strip()
    below = BELOW.fullmatch(word)
    if below:
        return 0.0, float(below[1]) - (0 if "=" in word else 1)
    plain = word.replace(".", "") if re.fullmatch(r"\d{1,3}(\.\d{3})+", word) else word
    return (float(plain), float(plain)) if plain.isascii() and plain.isdigit() else (0.0, np.inf)


def system_of(tables: list[Table]) -> tuple[System, list[Cell], Floats, Floats]:
    """All cells of all tables as one system with the tightest interval that any table prints.

    A total is the sum over a label column's values, whenever total and values stand in one table; a combination that is
    in no table counts nobody. DisclosureRefused tables_disagree when two tables print different things for one cell.
    """
    bounds: dict[Cell, tuple[float, float]] = {}
    relations: dict[tuple[Cell, tuple[Cell, ...]], None] = {}
    for table in tables:
        for key, (low, high) in table.cells.items():
            known = bounds.get(key, (0.0, np.inf))
            bounds[key] = (max(low, known[0]), min(high, known[1]))
            if bounds[key][0] > bounds[key][1]:
                raise DisclosureRefused("tables_disagree")
        relations |= dict.fromkeys(_sums(table))
    for total, parts in relations:
        for cell in (total, *parts):
            bounds.setdefault(cell, (0.0, 0.0))
    cells = sorted(bounds, key=sorted)
    at = {cell: number for number, cell in enumerate(cells)}
    system = build(len(cells), [(at[total], [at[part] for part in parts]) for total, parts in relations])
    return system, cells, np.array([bounds[c][0] for c in cells]), np.array([bounds[c][1] for c in cells])


def _sums(table: Table) -> list[tuple[Cell, tuple[Cell, ...]]]:
    values: dict[str, set[str]] = defaultdict(set)
    for key in table.cells:
        for name, value in key:
            values[name].add(value)
    found = []
    for key, name in itertools.product(table.cells, table.columns):
        if name not in dict(key):
            parts = tuple(key | {(name, value)} for value in sorted(values[name]))
            if parts and any(part in table.cells for part in parts):
                found.append((key, parts))
    return found


def check(tables: list[Table], *, threshold: int = 10, width: int = 5, share: float = 0.9) -> dict[str, Any]:
    """ACRO-style results: per table its status, and counts of what was found. No count of a cell is in it."""
    system, cells, low, high = system_of(tables)
    closed = np.flatnonzero(high > low)
    ranges = Attack(system, low, high).run(Goals.of_width(closed, width))
    narrow = (ranges.verdict != 1) & (ranges.outer_low < threshold)
    unsafe = {cells[int(cell)] for cell, bad in zip(closed, narrow, strict=True) if bad}
    results = {table.name: _judge(table, unsafe, threshold, share) for table in tables}
    worst = max((entry["status"] for entry in results.values()), key=("pass", "review", "fail").index)
    return {"version": "1", "status": worst, "results": results, "solver_calls": ranges.work}


def _judge(table: Table, unsafe: set[Cell], threshold: int, share: float) -> dict[str, Any]:
    shown = {key: low for key, (low, high) in table.cells.items() if low == high}
    found = {
        "threshold": sum(0 < n < threshold for n in shown.values()),
        "recoverable": sum(key in unsafe for key in table.cells),
        "implied_recoverable": sum(key not in table.cells for key in unsafe),
        "zeros": sum(n == 0 for n in shown.values()),
        "group": _groups(table, shown, threshold, share),
    }
    fail = found["threshold"] + found["recoverable"] + found["implied_recoverable"]
    status = "fail" if fail else "review" if found["zeros"] + found["group"] else "pass"
    told = "; ".join(f"{name}: {number} cells" for name, number in found.items() if number) or "pass"
    return {
        "type": "table",
        "status": status,
        "summary": told,
        "outcome": found,
        "properties": {"method": "crosstab", "columns": list(table.columns), "cells": len(table.cells)},
        "files": [{"name": table.name, "sha256": table.digest}],
    }


def _groups(table: Table, shown: dict[Cell, float], threshold: int, share: float) -> int:
    """Shown totals of which one shown part holds the set share or more."""
    return sum(
        any(shown.get(part, 0.0) >= share * shown[total] for part in parts)
        for total, parts in _sums(table)
        if shown.get(total, 0.0) >= threshold and len(parts) > 1
    )
