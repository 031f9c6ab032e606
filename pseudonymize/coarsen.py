"""Columns that an agreement lets through in a coarser form: a number as its band, a date as its year.

Done at the source, before the payload is sealed; the TTP checks on opening that it was done. A band is written as
its lowest value, so a year of birth stays a number; a date becomes a whole number, the year.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.agreement import Agreement
from schemas.column import Column
from schemas.errors import DeliveryError

YEAR = pa.int32()


def type_of(column: Column, agreement: Agreement) -> pa.DataType:
    """The type the column has in a payload under this agreement."""
    return YEAR if agreement.action(column.name) == "year" else column.kind.arrow


def coarsened(column: str, agreement: Agreement, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as the agreement lets them through; null stays null. As they are for any other action."""
    action = agreement.action(column)
    if action == "year":
        return pc.cast(pc.year(values), YEAR)
    if action != "band":
        return values
    width, lowest = agreement.bands[column].width, agreement.lowest(column)
    banded = _floor(values, width)
    return banded if lowest is None else pc.if_else(pc.less(banded, lowest), pa.scalar(lowest, values.type), banded)


def _floor(values: pa.ChunkedArray, width: int) -> pa.ChunkedArray:
    """The lowest value of each value's band. Values are not negative: a year, a level."""
    by = pa.scalar(width, values.type)
    return pc.multiply(pc.divide(values, by), by)


def require_coarse(agreement: Agreement, batch: pa.RecordBatch) -> None:
    """DeliveryError not_coarsened when a banded column holds a value that is not the lowest of an allowed band."""
    for name in agreement.bands:
        values = pa.chunked_array([batch[name]])
        if not pc.all(pc.equal(coarsened(name, agreement, values), values), min_count=0).as_py():
            raise DeliveryError("not_coarsened", register=agreement.source, column=name)
