"""Read, validate and deduplicate an extract batch by batch, keeping the count of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize.columns import Canonical
from pseudonymize.identify import COLUMNS, Rules, emptied, identifiers
from pseudonymize.quarantine import EMPTIED, SET_ASIDE, Quarantine
from pseudonymize.report import DeliveryReport
from pseudonymize.unique import DUPLICATE, Seen, keys_of
from schemas import reading
from schemas.register import Register
from schemas.validate import Verdict, validate

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Batch:
    """Accepted rows, typed, with their canonical identifiers."""

    table: pa.Table
    found: dict[str, Canonical]


def accepted(
    source: Path,
    register: Register,
    rules: Rules,
    report: DeliveryReport,
    quarantine: Quarantine,
    *,
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Yield the accepted rows of an extract; counts land in `report`, rows to look at in `quarantine`.

    Raises what schemas.reading.batches raises, and QualityGate row_count_mismatch when a row got lost.
    """
    seen = Seen()
    for text in reading.batches(register, source):
        verdict = validate(register, text)
        _count(report, verdict)
        quarantine.add(verdict.quarantined["row_number"], verdict.quarantined["reason"], SET_ASIDE)
        table, numbers = _first_only(register, seen, verdict, report, quarantine)
        found = identifiers(rules, table)
        _count_identifiers(report, found, numbers, quarantine)
        report.accepted += table.num_rows
        if progress is not None:
            progress("lezen", report.rows_in, None)
        yield Batch(table, found)
    report.require_balance()


def _count(report: DeliveryReport, verdict: Verdict) -> None:
    report.rows_in += verdict.rows_in
    report.quarantined += verdict.quarantined.num_rows
    report.reasons += _counted(verdict.quarantined["reason"])
    for row in verdict.out_of_scope.to_pylist():
        report.aside[row["reason"], row["year"], row["kind"]] += row["n"]
        report.out_of_scope += row["n"]


def _counted(values: pa.Array | pa.ChunkedArray) -> Counter[str]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(values).to_pylist()})


def _first_only(
    register: Register, seen: Seen, verdict: Verdict, report: DeliveryReport, quarantine: Quarantine
) -> tuple[pa.Table, pa.Array]:
    """Accepted rows whose business key was not delivered before in this extract."""
    if not register.unique:
        return verdict.accepted, verdict.accepted_rows
    repeated: npt.NDArray[np.bool_] = seen.repeats(keys_of(verdict.accepted, register.unique))
    if not repeated.any():
        return verdict.accepted, verdict.accepted_rows
    count = int(repeated.sum())
    report.quarantined += count
    report.reasons[DUPLICATE] += count
    rows = verdict.accepted_rows.filter(pa.array(repeated))
    quarantine.add(rows, pa.repeat(DUPLICATE, count), SET_ASIDE)
    keep = pa.array(~repeated)
    return verdict.accepted.filter(keep), verdict.accepted_rows.filter(keep)


def _count_identifiers(
    report: DeliveryReport, found: dict[str, Canonical], numbers: pa.Array, quarantine: Quarantine
) -> None:
    none = pa.array(np.ones(len(numbers), dtype=bool))
    for column in COLUMNS:
        values = found[column]
        hit = emptied(column, values)
        reasons = values.reasons.filter(hit)
        report.emptied += _counted(reasons)
        report.usable[column] += len(values.values) - values.values.null_count
        quarantine.add(numbers.filter(hit), reasons, EMPTIED)
        none = pc.and_(none, values.values.is_null())
    report.rows_without += none.true_count
