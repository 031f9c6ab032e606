"""Read, validate and deduplicate an extract batch by batch, keeping the count of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import fallback
from pseudonymize.ahead import ahead
from pseudonymize.columns import Canonical
from pseudonymize.identify import COLUMNS, Rules, emptied, identifiers
from pseudonymize.population import Population
from pseudonymize.quarantine import EMPTIED, SET_ASIDE, Quarantine
from pseudonymize.repeats import Repeats
from pseudonymize.report import NUMBER_IN_TEXT, DeliveryReport
from pseudonymize.unique import DUPLICATE
from schemas import reading
from schemas.column import Kind, Role
from schemas.distinct import flat
from schemas.register import Register
from schemas.validate import Verdict, validate

Progress = Callable[[str, int, int | None], None]
Rows = tuple[pa.Table, pa.Array]  # accepted rows and their row numbers
LONG_NUMBER = "[0-9]([ .-]?[0-9]){6,}"  # seven digits or more, also in groups


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
    temporary: Path | None = None,
) -> Generator[Batch, None, None]:
    """Yield the accepted rows of an extract; counts land in `report`, rows to look at in `quarantine`.

    Raises what schemas.reading.batches raises, DeliveryError too_many_persons or dense_numbers for a probe, and
    QualityGate row_count_mismatch when a row got lost.
    """
    population = Population(register.name, rules.most)
    for rows in _distinct(source, register, report, quarantine, progress, temporary):
        table, numbers = _aside_numbers(register, *rows, report, quarantine)
        found = identifiers(rules, table)
        _count_identifiers(report, found, numbers, quarantine)
        population.add(found)
        if rules.columns != COLUMNS:
            found |= _fallback(table, report, numbers, quarantine)
        report.accepted += table.num_rows
        yield Batch(table, found)
    report.distinct = population.distinct
    population.require_sparse()
    report.require_balance()


def _distinct(  # noqa: PLR0917 - rows of what, and the places that are told
    source: Path,
    register: Register,
    report: DeliveryReport,
    quarantine: Quarantine,
    progress: Progress | None,
    temporary: Path | None,
) -> Iterator[Rows]:
    """Valid rows, each business key once; of a large extract some come at the end, when it is known that they count."""
    with Repeats(register.unique, folder=temporary) as repeats:
        for verdict in ahead(validate(register, text) for text in reading.batches(register, source)):
            _count(report, verdict)
            quarantine.add(verdict.quarantined["row_number"], verdict.quarantined["reason"], SET_ASIDE)
            if progress is not None:
                progress("lezen", report.rows_in, None)
            yield _aside_repeats(register, repeats, verdict, report, quarantine)
        for table, numbers, repeated in repeats.rest():
            yield _set_aside(table, numbers, repeated, DUPLICATE, report, quarantine)


def _count(report: DeliveryReport, verdict: Verdict) -> None:
    report.rows_in += verdict.rows_in
    report.quarantined += verdict.quarantined.num_rows
    report.reasons += _counted(verdict.quarantined["reason"])
    for row in verdict.out_of_scope.to_pylist():
        report.aside[row["reason"], row["year"], row["kind"]] += row["n"]
        report.out_of_scope += row["n"]


def _counted(values: pa.Array | pa.ChunkedArray) -> Counter[str]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(values).to_pylist()})


def _aside_repeats(
    register: Register, repeats: Repeats, verdict: Verdict, report: DeliveryReport, quarantine: Quarantine
) -> Rows:
    """Accepted rows whose business key was certainly not delivered before in this extract; the first one counts."""
    table, numbers = verdict.accepted, verdict.accepted_rows
    if not register.unique:
        return table, numbers
    repeated, undecided = repeats.split(table, numbers)
    if undecided.any():
        decided = pa.array(~undecided)
        table, numbers, repeated = table.filter(decided), numbers.filter(decided), repeated[~undecided]
    return _set_aside(table, numbers, repeated, DUPLICATE, report, quarantine)


def _aside_numbers(
    register: Register, table: pa.Table, numbers: pa.Array, report: DeliveryReport, quarantine: Quarantine
) -> Rows:
    """Rows without a long number in free text: a BSN typed there would otherwise reach the linker."""
    for column in register.payload_columns:
        if column.kind is Kind.TEXT and column.role is not Role.RECORD_KEY:
            encoded = flat(table[column.name]).dictionary_encode()
            hit = pc.match_substring_regex(encoded.dictionary, LONG_NUMBER)
            if not pc.any(hit).as_py():
                continue
            mask = np.asarray(pc.fill_null(hit.take(encoded.indices), False).to_numpy(zero_copy_only=False), dtype=bool)
            reason = f"{column.name.upper()}_{NUMBER_IN_TEXT}"
            table, numbers = _set_aside(table, numbers, mask, reason, report, quarantine)
    return table, numbers


def _set_aside(  # noqa: PLR0917 - rows, which, why, and the two places that are told
    table: pa.Table,
    numbers: pa.Array,
    wrong: npt.NDArray[np.bool_],
    reason: str,
    report: DeliveryReport,
    quarantine: Quarantine,
) -> Rows:
    """The rows that are not wrong; the others are counted and listed under `reason`."""
    if not wrong.any():
        return table, numbers
    count = int(wrong.sum())
    report.quarantined += count
    report.reasons[reason] += count
    quarantine.add(numbers.filter(pa.array(wrong)), pa.repeat(reason, count), SET_ASIDE)
    keep = pa.array(~wrong)
    return table.filter(keep), numbers.filter(keep)


def _count_identifiers(
    report: DeliveryReport, found: dict[str, Canonical], numbers: pa.Array, quarantine: Quarantine
) -> None:
    none = pa.array(np.ones(len(numbers), dtype=bool))
    for column in COLUMNS:
        values = found[column]
        report.usable[column] += len(values.values) - values.values.null_count
        if values.blank:
            continue
        if not values.values.null_count:
            none = pc.and_(none, False)
            continue
        hit = emptied(column, values)
        reasons = values.reasons.filter(hit)
        report.emptied += _counted(reasons)
        quarantine.add(numbers.filter(hit), reasons, EMPTIED)
        none = pc.and_(none, values.values.is_null())
    report.rows_without += none.true_count


def _fallback(
    table: pa.Table, report: DeliveryReport, numbers: pa.Array, quarantine: Quarantine
) -> dict[str, Canonical]:
    """Fallback keys of the rows; what could not be read is counted, like an unusable number."""
    derived = fallback.derive(table)
    none = pa.nulls(table.num_rows, pa.string())
    for reasons in derived.reasons.values():
        hit = pc.is_valid(reasons)
        report.emptied += _counted(reasons.filter(hit))
        quarantine.add(numbers.filter(hit), reasons.filter(hit), EMPTIED)
    keyed = np.zeros(table.num_rows, bool)
    for values in derived.keys.values():
        keyed |= np.asarray(pc.is_valid(values).to_numpy(zero_copy_only=False), dtype=bool)
    if keyed.any():
        report.usable["fallback"] += int(keyed.sum())
    return {name: Canonical(values, none) for name, values in derived.keys.items()}
