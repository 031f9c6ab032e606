"""The linkage twice: the statements of linkage/sql against plain Python, row by row, on random small countries.

Each example holds up to eight towns, four or five as a rule, so that sixty examples are hundreds of small countries;
half have names and rows that only a name can link, half are linked in two ranges of keys and persons. For a night run:
KOPPEL_EXAMPLES=1000 .venv/bin/pytest tests/linkage/test_oracle.py
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkage.link import link
from linkage.parts import Room
from linkage.plan import Plan
from schemas.indicators import INDICATOR_TABLES
from schemas.link_quality import FALLBACK_MODEL
from schemas.linked import LINKED_TABLES
from schemas.target_group import COVERAGE, TARGET_GROUP
from tests.linkage.build import write_deliveries
from tests.linkage.countries import Country, countries
from tests.linkage.oracle import nulls_last, oracle
from tests.linkage.oracle_indicators import indicators

COMPARED = {table.name: table for table in (*LINKED_TABLES.values(), COVERAGE, TARGET_GROUP, *INDICATOR_TABLES)}
MOST_LINES = 12
EXAMPLES = int(os.environ.get("KOPPEL_EXAMPLES", "60"))


def by_sql(country: Country, home: Path, plan: Plan) -> dict[str, list[tuple[Any, ...]]]:
    """Every compared table of a run, as tuples in declared column order."""
    made = write_deliveries(home / "in", {k: v for k, v in country.rows.items() if k[0] != "gmsd"})
    for key, given_rows in country.rows.items():
        if key[0] == "gmsd":
            status = country.status[int(key[1])]
            made += write_deliveries(home / "in", {key: given_rows}, country.coverage, status=status)
    (home / "out").mkdir()
    link(made, home / "out", plan=plan, work=home / "work", memory_limit="512MB", threads=1)
    found: dict[str, list[tuple[Any, ...]]] = {}
    model = pq.read_table(home / "out" / "fallback_model.parquet")
    found["fallback_model"] = list(zip(*(column.to_pylist() for column in model.columns), strict=True))
    for name, table in COMPARED.items():
        read = pq.read_table(home / "out" / f"{name}.parquet", columns=list(table.names))
        found[name] = list(zip(*(column.to_pylist() for column in read.columns), strict=True))
    return found


def differences(country: Country, sql: dict[str, list[tuple[Any, ...]]], plan: Plan) -> list[str]:
    """Lines that say which rows only one of the two has; none when they agree."""
    model = [dict(zip(FALLBACK_MODEL.names, row, strict=True)) for row in sql["fallback_model"]]
    given_country = (country.rows, country.coverage, plan, country.status, model)
    expected = {**oracle(*given_country), **indicators(*given_country)}
    lines: list[str] = []
    for name, table in COMPARED.items():
        here, there = (Counter(map(_rounded, rows)) for rows in (sql[name], expected.get(name, [])))
        for label, extra in (("only in SQL", here - there), ("only in oracle", there - here)):
            rows = sorted(extra.elements(), key=nulls_last)
            lines += [f"{name}, {label}: {_row(table.names, row)}" for row in rows[:MOST_LINES]]
            lines += [f"{name}, {label}: and {len(rows) - MOST_LINES} more"] if len(rows) > MOST_LINES else []
    return lines


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Chances are sums of products in two orders: equal to nine decimals."""
    return tuple(round(cell, 9) if isinstance(cell, float) else cell for cell in row)


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


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(countries(), st.sampled_from((1, 2)))
def test_sql_and_plain_python_agree_row_by_row(country: Country, ranges: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Room, "parts", lambda *_: ranges)
        found = by_sql(country, Path(folder), Plan())
    different = differences(country, found, Plan())
    assert not different, "\n".join(["", *different, "", *_told(country)])
