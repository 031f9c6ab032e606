"""Arbitrary CSV tables as one system: what a file prints, and how the cells of several files add up.

A table is in long form: label columns, and one value column (the last one, or the one named). A label that means
"total" stands for the whole of its column, so tables that share labels share cells. A table of magnitudes (hours,
costs) says of every shown cell what dominance is judged by, in three more columns: `grootste`, `tweede`, `bijdragers`.
A table of counts may say in `grootste_bron` how many of a cell's persons one source (a provider of care) knows already.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from release.protect import printed
from release.protect.magnitudes import COLUMNS, Contributions, contributions
from release.protect.printed import Interval
from release.protect.system import Floats, System, build
from schemas.errors import ConfigError, DisclosureRefused

TOTALS = frozenset({"totaal", "total", "alle", "allen", "all", "nl", "nederland", "t001038"})
SOURCE = "grootste_bron"
MEASURE = "\n"  # the label of a magnitude's own name: no line of a CSV has such a column
Cell = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """One file. Cells are in the order of its lines; a cell's name is its labels without totals.

    cells    per cell the interval that is printed, one number when it is shown
    place    which column of `lines` has the value
    lines    header and cells as text, without the columns of contributions: those are not to leave
    given    of a magnitude, per cell its contributions (of hidden cells, where they were stated)
    sources  of a count, per cell the persons that its largest source knows, where that was stated
    """

    name: str
    columns: tuple[str, ...]
    measure: str
    cells: dict[Cell, Interval]
    digest: str
    place: int
    lines: list[list[str]] = field(repr=False)
    magnitude: bool = False
    given: dict[Cell, Contributions] = field(default_factory=dict, repr=False)
    sources: dict[Cell, float] = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> dict[Cell, float]:
        """Cells that are printed as one number."""
        return {key: low for key, (low, high) in self.cells.items() if low == high}


def read(path: Path, count: str | None = None, *, magnitude: bool = False, known: bool = False) -> Table:
    """Read a CSV with `;` or `,`. With `magnitude` its values are hours or costs, whether it says so or not.

    ConfigError bad_table: columns are missing, a cell comes twice or is not understood, or a magnitude lacks the
    contributions of a shown cell. A table that others published (`known`) needs none: it is not judged.
    """
    heads, lines = _lines(path)
    named = [head.strip().casefold() for head in heads]
    magnitude = magnitude or any(name in COLUMNS for name in named)
    wanted = COLUMNS if magnitude else (SOURCE,)
    extra = [named.index(name) for name in wanted if name in named]
    if magnitude and not known and len(extra) != len(COLUMNS):
        raise ConfigError("bad_table", kind="contributions")
    place = _value_column(heads, count, extra)
    kept = [number for number in range(len(heads)) if number not in extra]
    labels = tuple(heads[number] for number in kept if number != place)
    table = Table(path.name, labels, heads[place], {}, hashlib.sha256(path.read_bytes()).hexdigest(),
                  kept.index(place), [[line[at] for at in kept] for line in (heads, *lines)], magnitude)  # fmt: skip
    for number, line in enumerate(lines, 2):
        values = [line[at].strip() for at in kept if at != place]
        labelled = [(n, v) for n, v in zip(labels, values, strict=True) if v.casefold() not in TOTALS]
        key = frozenset([*labelled, *([(MEASURE, heads[place])] if magnitude else [])])
        if key in table.cells:
            raise ConfigError("bad_table", kind="twice", line=number)
        try:
            _take(table, key, line[place], [line[at] for at in extra])
        except printed.NotUnderstood as error:
            raise ConfigError("bad_table", kind=error.kind, line=number) from None
    return table


def _take(table: Table, key: Cell, text: str, told: list[str]) -> None:
    """One cell with what is told of it beside its value. NotUnderstood."""
    value = table.cells[key] = printed.amount(text) if table.magnitude else printed.count(text)
    if table.magnitude and told:
        stated = contributions(told, value)
        table.given.update({} if stated is None else {key: stated})
    elif told and told[0].strip():
        low, high = printed.count(told[0])
        if low < high or low > value[1]:
            raise printed.NotUnderstood("contributions")
        table.sources[key] = low


def rounded(table: Table, base: float) -> Table:
    """A table of others, its numbers rounded to the nearest multiple of a base: known is half a base around each."""
    half = base / 2 if table.magnitude else base // 2
    cells = {key: (max(one - half, 0.0), one + half) if one == other else (one, other)
             for key, (one, other) in table.cells.items()}  # fmt: skip
    return replace(table, cells=cells)


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("bad_table", kind="unreadable") from None
    lines = list(csv.reader(text.splitlines(), delimiter=";" if text.partition("\n")[0].count(";") else ","))
    if len(lines) < 2 or any(len(line) != len(lines[0]) for line in lines):
        raise ConfigError("bad_table", kind="columns")
    return lines[0], lines[1:]


def _value_column(heads: list[str], count: str | None, extra: list[int]) -> int:
    found = [number for number, head in enumerate(heads) if number not in extra and count in (None, head)]
    if not found:
        raise ConfigError("bad_table", kind="count_column")
    return found[-1]


def system_of(tables: list[Table]) -> tuple[System, list[Cell], Floats, Floats]:
    """All cells of all tables as one system with the tightest interval that any table prints.

    A total is the sum over a label column's values, whenever total and values stand in one table; a combination that is
    in no table counts nobody. DisclosureRefused tables_disagree when two tables print different things for one cell.
    """
    bounds: dict[Cell, Interval] = {}
    relations: dict[tuple[Cell, tuple[Cell, ...]], None] = {}
    for table in tables:
        for key, (low, high) in table.cells.items():
            known = bounds.get(key, printed.HIDDEN)
            bounds[key] = (max(low, known[0]), min(high, known[1]))
            if bounds[key][0] > bounds[key][1]:
                raise DisclosureRefused("tables_disagree")
        relations |= dict.fromkeys(sums(table))
    for total, parts in relations:
        for cell in (total, *parts):
            bounds.setdefault(cell, (0.0, 0.0))
    cells = sorted(bounds, key=sorted)
    at = {cell: number for number, cell in enumerate(cells)}
    system = build(len(cells), [(at[total], [at[part] for part in parts]) for total, parts in relations])
    return system, cells, np.array([bounds[c][0] for c in cells]), np.array([bounds[c][1] for c in cells])


def sums(table: Table) -> list[tuple[Cell, tuple[Cell, ...]]]:
    """(total, parts) for every cell without a label in some column, over the values that column has."""
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
