"""Validate rows of a register: accepted, quarantined with a reason, or out of scope and counted.

rows in = accepted + quarantined + out of scope, checked here for every batch. A row is quarantined for the
first rule it breaks (declared column order, then row rules). Identifier columns are never a reason: they
stay text and pseudonymize empties what it cannot use (linkage.md section 7, Persons).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.column import Role
from schemas.errors import QualityGate
from schemas.parsing import parse
from schemas.reading import WRONG_WIDTH, TextBatch
from schemas.register import Register

QUARANTINE = pa.schema([("row_number", pa.int64()), ("reason", pa.string())])
OUT_OF_SCOPE = pa.schema([("reason", pa.string()), ("year", pa.int32()), ("kind", pa.string()), ("n", pa.int64())])


@dataclass(frozen=True)
class Verdict:
    """What became of one batch.

    `accepted`: the register's columns, typed (identifier columns still text); `accepted_rows`: their row
    numbers; `quarantined`: row_number, reason; `out_of_scope`: reason, year, kind, n.
    """

    rows_in: int
    accepted: pa.Table
    accepted_rows: pa.Array
    quarantined: pa.Table
    out_of_scope: pa.Table

    def __post_init__(self) -> None:
        aside = int(pc.sum(self.out_of_scope["n"]).as_py() or 0)
        out = self.accepted.num_rows + self.quarantined.num_rows + aside
        if out != self.rows_in:
            raise QualityGate("row_count_mismatch", rows_in=self.rows_in, rows_out=out)


def validate(register: Register, batch: TextBatch) -> Verdict:
    """Type and check one batch of text. Never raises on a value; QualityGate when the rows do not add up."""
    table, reasons, bad = _typed(register, batch.table)
    for rule in register.rules:
        bad = _blame(bad, rule.broken(table), reasons, rule.code)
    aside = _aside(register, table)
    keep = (bad < 0) & (aside < 0)
    wrong = (bad >= 0) & (aside < 0)
    numbers = batch.row_numbers
    return Verdict(
        rows_in=table.num_rows + len(batch.misshapen),
        accepted=table if keep.all() else table.filter(pa.array(keep)),
        accepted_rows=numbers if keep.all() else numbers.filter(pa.array(keep)),
        quarantined=_quarantine(numbers, wrong, bad, reasons, batch.misshapen),
        out_of_scope=_count_aside(register, table, aside),
    )


def _typed(register: Register, text: pa.Table) -> tuple[pa.Table, list[str], np.ndarray]:
    reasons: list[str] = []
    bad = np.full(text.num_rows, -1, np.int32)
    columns = []
    for column in register.columns:
        if column.role is Role.IDENTIFIER:
            columns.append(text[column.name])
            continue
        values, wrong = parse(column, text[column.name])
        columns.append(values)
        if wrong is not None:
            bad = _blame(bad, wrong, reasons, f"{column.name.upper()}_ONGELDIG")
        if not column.nullable and values.null_count:
            bad = _blame(bad, pc.is_null(values), reasons, f"{column.name.upper()}_LEEG")
    return pa.table(columns, schema=register.read_schema()), reasons, bad


def _mask(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def _blame(bad: np.ndarray, broken: pa.ChunkedArray, reasons: list[str], code: str) -> np.ndarray:
    """Give rows that break this rule, and no earlier one, its reason."""
    if not pc.any(broken).as_py():
        return bad
    reasons.append(code)
    return np.where((bad < 0) & _mask(broken), np.int32(len(reasons) - 1), bad).astype(np.int32)


def _aside(register: Register, table: pa.Table) -> np.ndarray:
    found = np.full(table.num_rows, -1, np.int32)
    for number, rule in enumerate(register.out_of_scope):
        hit = _mask(pc.is_in(table[rule.column], value_set=pa.array(rule.values, pa.string())))
        found = np.where((found < 0) & hit, np.int32(number), found).astype(np.int32)
    return found


def _quarantine(
    numbers: pa.Array, wrong: np.ndarray, bad: np.ndarray, reasons: list[str], misshapen: tuple[int, ...]
) -> pa.Table:
    rows = [*numbers.filter(pa.array(wrong)).to_pylist(), *misshapen]
    codes = [*(reasons[i] for i in bad[wrong]), *(WRONG_WIDTH for _ in misshapen)]
    return pa.table({"row_number": rows, "reason": codes}, schema=QUARANTINE)


def _count_aside(register: Register, table: pa.Table, aside: np.ndarray) -> pa.Table:
    hit = pa.array(aside >= 0)
    chosen = table.filter(hit)
    if not chosen.num_rows or register.date_column is None or register.kind_column is None:
        return OUT_OF_SCOPE.empty_table()
    codes = [register.out_of_scope[i].code for i in aside[aside >= 0]]
    year = pc.cast(pc.fill_null(pc.year(chosen[register.date_column]), 0), pa.int32())
    kind = pc.fill_null(chosen[register.kind_column], "ONBEKEND")
    counted = pa.table({"reason": codes, "year": year, "kind": kind}).group_by(["reason", "year", "kind"])
    result = counted.aggregate([([], "count_all")]).rename_columns(["reason", "year", "kind", "n"])
    return result.sort_by([(name, "ascending") for name in ("reason", "year", "kind")]).cast(OUT_OF_SCOPE)
