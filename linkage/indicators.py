"""Indicators: true counts per area, period and characteristic, from the linked tables of the run.

Each count is defined once, as a 0 or 1 in `indicator_events` and its kin; the other statements add up. What they
mean stands in schemas/indicators.py. These tables never leave the TTP: releases go through disclosure control.
"""

from __future__ import annotations

import pyarrow as pa

from linkage import queries, stage
from linkage.database import Connection
from linkage.plan import Plan
from schemas.indicators import KLASSEN

STATEMENTS = (
    *("event_seen", "indicator_events", "indicator_groups", "indicator_title_ends"),
    *("indicator_days", "indicator_spread", "indicator_quantiles"),
    *("inflow_starts", "inflow_people", "inflow_past", "indicator_inflow", "indicator_detention"),
)


def compute(con: Connection, plan: Plan) -> None:
    """Make every table of schemas.indicators; the linked tables and coverage of the run must stand in `con`."""
    stage.table_from_arrow(con, "ref_klasse", _classes())
    values = plan.parameters()
    for name in STATEMENTS:
        queries.run(con, name, values)


def _classes() -> pa.Table:
    """Measure, order, label, first day and the day after the last, per class."""
    names = ("maat", "volgorde", "klasse", "vanaf", "tot")
    rows = [(k.maat, k.volgorde, k.klasse, k.vanaf, k.tot) for k in KLASSEN]
    kinds = (pa.string(), pa.int32(), pa.string(), pa.int32(), pa.int32())
    cells = [pa.array(cell, kind) for cell, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    return pa.table(dict(zip(names, cells, strict=True)))
