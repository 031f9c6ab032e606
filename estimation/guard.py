"""Input guard: every area in the linked tables is one that is known, or nothing is estimated.

A code that nobody knows would else count as "no municipality": its people would be shared out over the country, and
no number would show that they were.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from estimation.places import DISTRICTS
from schemas import gemeente
from schemas.errors import QualityGate

NOWHERE = ("0000", "1999")  # unknown, and registered as a non-resident (RNI)


def check(coverage: pa.Table, events: pa.Table, spells: pa.Table, requests: pa.Table) -> None:
    """QualityGate unknown_area_code for the first column with codes outside its list; only their number is told.

    Municipalities are those of the classification of the estimates; people live in one that the coverage table has.
    """
    known = [g.code for g in gemeente.gemeenten()]
    _require("coverage", "gemeente", coverage, known, empty=False)
    covered = [*coverage["gemeente"].unique().to_pylist(), *NOWHERE]
    _require("title_end_events", "gemeente", events, covered)
    _require("detention_spells", "gemeente_settlement", spells, covered)
    _require("placement_requests", "arrondissement", requests, DISTRICTS)


def _require(table: str, column: str, rows: pa.Table, allowed: Iterable[str], *, empty: bool = True) -> None:
    found = rows[column]
    good = pc.is_in(found, value_set=pa.array(list(allowed), pa.string()))
    if empty:
        good = pc.or_(good, pc.is_null(found))
    wrong = len(rows) - int(pc.sum(good).as_py() or 0)
    if wrong:
        raise QualityGate("unknown_area_code", table=table, column=column, rows=wrong)
