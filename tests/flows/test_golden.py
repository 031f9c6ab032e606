"""A golden run: what one small synthetic country gives, kept in the repository and compared cell by cell.

Keys are drawn anew for every run, so pseudonyms and person numbers differ; no count may. To accept a change
on purpose: KOPPEL_GOLDEN=write .venv/bin/pytest tests/flows/test_golden.py, and look at the difference.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.settings import load
from release.disclosure import HIDDEN
from tests.flows.conftest import Site

GOLDEN = Path(__file__).parents[1] / "golden"


def _target_group(run: Path) -> list[list[str]]:
    rows = pq.read_table(run / "target_group.parquet").to_pylist()
    return [[str(v) for v in row.values()] for row in rows if row["aantal"]]


def _counts(run: Path) -> list[list[str]]:
    return [[str(v) for v in row.values()] for row in pq.read_table(run / "register_counts.parquet").to_pylist()]


def _sizes(run: Path) -> list[list[str]]:
    return [[path.stem, str(pq.read_metadata(path).num_rows)] for path in sorted(run.glob("*.parquet"))]


def _shown(release: Path) -> list[list[str]]:
    with (release / "vng" / "doelgroep_per_regio.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.reader(file, delimiter=";") if HIDDEN not in row]


@pytest.mark.parametrize("name", ["target_group", "register_counts", "sizes", "regio_shown"])
def test_the_golden_country_gives_the_golden_counts(finished: Site, name: str) -> None:
    settings = load(finished.config)
    linked = settings.run / "linked"
    found = {
        "target_group": lambda: _target_group(linked),
        "register_counts": lambda: _counts(linked),
        "sizes": lambda: _sizes(linked),
        "regio_shown": lambda: _shown(settings.out),
    }[name]()
    path = GOLDEN / f"{name}.csv"
    if os.environ.get("KOPPEL_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(found)
    with path.open(encoding="utf-8", newline="") as file:
        expected = list(csv.reader(file))
    assert len(expected) > 10
    assert found == expected
