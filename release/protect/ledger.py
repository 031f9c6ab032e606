"""The ledger of everything ever published: one file per edition, never changed, and the attacker's starting point.

A cell is (vintage, geography version, level, code, half-year, measure). `vintage` names the population: the same linked
data under the same plan. Equal cells of one vintage are one variable: what was shown is known for ever. Cells of
another vintage are other variables, and their differences are cells too: a difference of 1 to 9 is a small cell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from release.protect import chain
from release.protect.period import Period
from release.protect.periods import Layout
from release.protect.primary import Reason, first_reason
from release.protect.rows import Judged
from release.protect.spec import Rules, Spec
from release.protect.system import Flags, Floats
from schemas.errors import DisclosureRefused
from schemas.gemeente import recode_table

SCHEMA = pa.schema(
    [
        ("release", pa.string()),
        ("audience", pa.string()),
        ("vintage", pa.string()),
        ("geography", pa.int32()),
        ("niveau", pa.string()),
        ("code", pa.string()),
        ("halfjaar", pa.string()),
        ("maat", pa.string()),
        ("shown", pa.int64()),
        ("base", pa.int32()),
    ]
)
CHEAPER = 0.5
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Ledger:
    """Earlier releases, as seen by a release of one vintage and geography version.

    known      shown exactly, same vintage and geography: constants
    earlier    every exact value shown in another vintage or geography version, per cell
    covered    cells that were hidden before: hidden again at a lower price, so that the pattern stays
    rounded    shown rounded, same vintage and geography: rounded to the same number again; and whoever saw it is taken
               to know the exact one
    elsewhere  shown exactly, same vintage, in another geography version: a constant where the count is the same
    """

    known: dict[Key, int]
    earlier: dict[Key, tuple[int, ...]]
    covered: frozenset[Key]
    rounded: dict[Key, int] = field(default_factory=dict)
    elsewhere: dict[Key, int] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, *, vintage: str, geography: int, before: str | None = None) -> Ledger:
        """Everything in the folder, or what was there before a release.

        DisclosureRefused damaged_release_ledger when it cannot be trusted.
        """
        known: dict[Key, int] = {}
        earlier: dict[Key, set[int]] = defaultdict(set)
        covered: set[Key] = set()
        rounded: dict[Key, int] = {}
        elsewhere: dict[Key, int] = {}
        for row in _rows(folder, before):
            key = (row["niveau"], row["code"], row["halfjaar"], row["maat"])
            if row["shown"] is None:
                covered.add(key)
            elif row["base"] == 1 and row["vintage"] == vintage and row["geography"] == geography:
                known[key] = row["shown"]
            elif row["base"] == 1:
                earlier[key].add(row["shown"])
                if row["vintage"] == vintage:
                    elsewhere[key] = row["shown"]
            elif row["vintage"] == vintage and row["geography"] == geography:
                rounded[key] = row["shown"]
        shown = {key: tuple(sorted(values)) for key, values in earlier.items()}
        return cls(known, shown, frozenset(covered), rounded, elsewhere)

    def apply(self, made: list[Period], layout: Layout, spec: Spec) -> list[Period]:
        """The periods with this knowledge. DisclosureRefused already_shown when a goal was given away before."""
        return [self._period(period, layout, half, spec) for period, half in zip(made, layout.halves, strict=True)]

    def _period(self, period: Period, layout: Layout, half: str, spec: Spec) -> Period:
        many, rules = len(spec.measures), period.rules
        printed = period.values[:, :many]
        told = self._flags(self.known | self.rounded, layout, half, spec) | self._same(printed, layout, half, spec)
        if (told & period.judged.target[:, :many]).any():
            raise DisclosureRefused("already_shown", cells=int((told & period.judged.target[:, :many]).sum()))
        small = np.zeros(period.values.shape, dtype=bool)
        small[:, :many] = self._differences(printed, layout, half, spec, rules) & ~told
        reason = first_reason(period.judged.reason, small, Reason.REVISION)
        judged = Judged(reason, period.judged.target | small)
        covered = self._flags(dict.fromkeys(self.covered, 0), layout, half, spec)
        return replace(period, judged=judged, told=told, weight=period.weight * np.where(covered, CHEAPER, 1.0))

    def _flags(self, keys: dict[Key, int], layout: Layout, half: str, spec: Spec) -> Flags:
        return np.array([[(*area, half, maat) in keys for maat in spec.measures] for area in layout.areas])

    def _same(self, printed: Floats, layout: Layout, half: str, spec: Spec) -> Flags:
        """Cells that another geography version showed with the count they have now: most likely the same persons."""
        keys = [[(*area, half, maat) for maat in spec.measures] for area in layout.areas]
        before = np.array([[self.elsewhere.get(key, -1) for key in row] for row in keys])
        return np.asarray(before == printed)

    def _differences(self, printed: Floats, layout: Layout, half: str, spec: Spec, rules: Rules) -> Flags:
        """Cells whose difference with something shown before is a small count: a revision, a merger, a new region."""
        old = _parts(spec.geography)
        found = np.zeros(printed.shape, dtype=bool)
        for row, (niveau, code) in enumerate(layout.areas):
            for column, maat in enumerate(spec.measures):
                before = list(self.earlier.get((niveau, code, half, maat), ()))
                if niveau == "gemeente" and code in old:
                    shown = [self.earlier.get((niveau, part, half, maat)) for part in old[code]]
                    some = [values[-1] for values in shown if values]
                    before += [sum(some)] if some else []
                found[row, column] = any(0 < abs(printed[row, column] - b) < rules.threshold for b in before)
        return found


def _parts(year: int) -> dict[str, list[str]]:
    """Municipality of a classification -> the older codes that went into it, when it is not one and the same."""
    parts: dict[str, list[str]] = defaultdict(list)
    for code, now in recode_table(year).items():
        parts[now].append(code)
    return {now: sorted(codes) for now, codes in parts.items() if len(codes) > 1}


def _rows(folder: Path, before: str | None) -> Iterable[dict[str, Any]]:
    for entry in chain.lines(folder):
        if entry["release"] == before:
            return
        yield from pq.read_table(folder / entry["file"], schema=SCHEMA).to_pylist()


def record(
    folder: Path, table: pa.Table, *, release: str, audience: str, vintage: str, geography: int, base: int = 1
) -> Path:
    """Add a protected table (DOELGROEP schema) to the ledger; the same twice changes nothing."""
    size = table.num_rows
    columns = {
        "release": [release] * size,
        "audience": [audience] * size,
        "vintage": [vintage] * size,
        "geography": [geography] * size,
        **{name: table[name] for name in ("niveau", "code", "halfjaar", "maat")},
        "shown": table["aantal"],
        "base": [base] * size,
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=SCHEMA), sink, compression="zstd")
    facts: dict[str, str | int] = {"release": release, "audience": audience, "vintage": vintage}
    facts |= {"geography": geography, "base": base, "cells": size, "shown": size - table["aantal"].null_count}
    return chain.append(folder, sink.getvalue().to_pybytes(), facts)
