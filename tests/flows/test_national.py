"""`koppel reconcile` on the whole country: `make national` makes it and runs this; `make test` has no minutes for it.

In `make test` the same figures are judged on a country of one percent, with the noise of small counts
(test_verbs_linkage.py), and the country itself at full scale, before linkage (tests/synthetic/test_calibration.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows.settings import load
from linkage import reconcile
from schemas.comparison import Line

NATIONAL = os.environ.get("KOPPEL_NATIONAL", "")
pytestmark = [
    pytest.mark.national,
    pytest.mark.skipif(not NATIONAL, reason="needs a national run: make national"),
]


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return reconcile.lines(load(Path(NATIONAL)).run / "linked")


def test_every_printed_figure_is_within_its_tolerance(lines: list[Line]) -> None:
    assert [(one.indicator, one.breakdown, one.year) for one in reconcile.outside(lines)] == []


def test_at_full_scale_nearly_every_figure_is_judged(lines: list[Line]) -> None:
    judged = {table: (n, of) for table, of, n, _, _ in reconcile.summary(lines)}
    assert all(n >= 0.85 * of for n, of in judged.values()), judged
