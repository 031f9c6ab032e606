"""Given these rows, expect these rows: a runner for small table tests of the linkage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from linkage.link import link
from linkage.plan import Plan
from tests.linkage.build import Row, write_deliveries

Tables = Callable[[str], list[dict[str, Any]]]
ALL_HALVES = tuple(f"{year}H{half}" for year in range(2019, 2024) for half in (1, 2))


def everywhere(*codes: str) -> dict[str, list[str]]:
    """Coverage: these municipalities delivered every half-year."""
    return {half: list(codes) for half in ALL_HALVES}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Tables]:
    """`run(ifzo=[...], gmsd=[...], coverage=...)` links the rows and returns a reader of output tables."""
    count = 0

    def go(
        coverage: Mapping[Any, Any] | None = None,
        plan: Plan | None = None,
        seed: int = 0,
        deliveries: Mapping[str | tuple[str, int], Sequence[Row]] | None = None,
        **rows: Sequence[Row],
    ) -> Tables:
        nonlocal count
        count += 1
        home = tmp_path / f"run{count}"
        made = write_deliveries(home / "in", {**(deliveries or {}), **rows}, coverage, seed=seed)
        (home / "out").mkdir()
        link(made, home / "out", plan=plan or Plan(), work=home / "work", memory_limit="512MB", threads=1)

        def read(name: str) -> list[dict[str, Any]]:
            return pq.read_table(home / "out" / f"{name}.parquet").to_pylist()  # type: ignore[no-any-return]

        return read

    return go
