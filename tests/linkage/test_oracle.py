"""The linkage twice: the statements of linkage/sql against plain Python, row by row, on random small countries."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings

from linkage.link import link
from linkage.plan import Plan
from schemas.indicators import INDICATOR_TABLES
from schemas.linked import LINKED_TABLES
from schemas.target_group import COVERAGE, TARGET_GROUP
from tests.linkage.build import write_deliveries
from tests.linkage.countries import Country, countries
from tests.linkage.oracle import nulls_last, oracle
from tests.linkage.oracle_indicators import indicators

COMPARED = {table.name: table for table in (*LINKED_TABLES.values(), COVERAGE, TARGET_GROUP, *INDICATOR_TABLES)}
MOST_LINES = 12


def by_sql(country: Country, home: Path, plan: Plan) -> dict[str, list[tuple[Any, ...]]]:
    """Every compared table of a run, as tuples in declared column order."""
    made = write_deliveries(home / "in", {k: v for k, v in country.rows.items() if k[0] != "gmsd"})
    for key, given_rows in country.rows.items():
        if key[0] == "gmsd":
            status = country.status[int(key[1])]
            made += write_deliveries(home / "in", {key: given_rows}, country.coverage, status=status)
    (home / "out").mkdir()
    link(made, home / "out", plan=plan, work=home / "work", memory_limit="512MB", threads=1)
    found = {}
    for name, table in COMPARED.items():
        read = pq.read_table(home / "out" / f"{name}.parquet", columns=list(table.names))
        found[name] = list(zip(*(column.to_pylist() for column in read.columns), strict=True))
    return found


def differences(country: Country, sql: dict[str, list[tuple[Any, ...]]], plan: Plan) -> list[str]:
    """Lines that say which rows only one of the two has; none when they agree."""
    given_country = (country.rows, country.coverage, plan, country.status)
    expected = {**oracle(*given_country), **indicators(*given_country)}
    lines: list[str] = []
    for name, table in COMPARED.items():
        here, there = Counter(sql[name]), Counter(expected.get(name, []))
        for label, extra in (("only in SQL", here - there), ("only in oracle", there - here)):
            rows = sorted(extra.elements(), key=nulls_last)
            lines += [f"{name}, {label}: {_row(table.names, row)}" for row in rows[:MOST_LINES]]
            lines += [f"{name}, {label}: and {len(rows) - MOST_LINES} more"] if len(rows) > MOST_LINES else []
    return lines


def _row(names: tuple[str, ...], row: tuple[Any, ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))


def _told(country: Country) -> list[str]:
    """The input rows without their empty cells."""
    lines = [
        f"{key}: { {name: str(value) for name, value in row.items() if value is not None} }"
        for key, rows in country.rows.items()
        for row in rows
    ]
    return [*lines, f"coverage: {country.coverage}", f"status: {country.status}"]


@settings(max_examples=60, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(countries())
def test_sql_and_plain_python_agree_row_by_row(country: Country) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = by_sql(country, Path(folder), Plan())
    different = differences(country, found, Plan())
    assert not different, "\n".join(["", *different, "", *_told(country)])
