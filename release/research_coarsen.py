"""Linked columns made as coarse as the recipient's agreement says: SQL for each, and the check of each.

`expression` makes the value, `is_coarse` says of a column read back from disk whether every value is one that the
action can give. The two are written apart: the gate does not trust the writer.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.gemeente import CLASSIFICATION_YEAR, SPECIAL, UNKNOWN, gemeenten
from schemas.register import OutColumn
from schemas.research import BirthYears

_STARTS: dict[str, tuple[int, ...]] = {"quarter": (1, 4, 7, 10), "half_year": (1, 7), "year": (1,)}
_MONDAY = 1
_DAYS_IN_WEEK = 7
REGIONS = ("veiligheidsregio", "arrondissement", "provincie")


def places() -> pa.Table:
    """Municipality code and the code of each region it lies in; 0000 and 1999 stay themselves."""
    known = gemeenten(CLASSIFICATION_YEAR)
    cells = {"code": [*(g.code for g in known), *SPECIAL]}
    cells |= {name: [*(getattr(g, f"{name}_code") for g in known), *SPECIAL] for name in REGIONS}
    return pa.table(cells)


def expression(column: OutColumn, action: str, years: BirthYears) -> str:
    """SQL for the coarsened value of `source.<column>`; needs the macro set of `macros()`."""
    name = f"source.{column.name}"
    if action == "keep":
        return name
    if action in REGIONS:
        return f"case when {name} is not null then coalesce(to_{action}({name}), '{UNKNOWN}') end"
    if action.startswith("band_"):
        width = int(action.removeprefix("band_"))
        floor = f"{name} // {width} * {width}"
        low, high = _band(years.oldest, width), _band(years.youngest, width)
        # greatest() and least() pass over nulls: without the case an empty year would become the oldest one.
        return f"case when {name} is not null then greatest(least({floor}, {high}), {low})::integer end"
    if column.type != pa.date32():
        return f"(floor({name} / {_DAYS_IN_WEEK}.0) * {_DAYS_IN_WEEK})::integer"
    if action == "half_year":
        return f"make_date(year({name}), case when month({name}) > 6 then 7 else 1 end, 1)"
    return f"date_trunc('{action}', {name})::date"


def _band(year: int, width: int) -> int:
    return year // width * width


def macros() -> list[str]:
    """Macros that look a municipality up in the table `places`: one map per region level."""
    text = "create macro to_{0}(gemeente) as (select map_from_entries(list((code, {0}))) from places)[gemeente]"
    return [text.format(name) for name in REGIONS]


def is_coarse(values: pa.ChunkedArray, column: OutColumn, action: str, years: BirthYears) -> bool:
    """True when every value (nulls apart) is one that the action can give."""
    found = pc.unique(pc.drop_null(values.combine_chunks()))
    if action == "keep":
        return True
    if action in REGIONS:
        known = pa.array(sorted({*places()[action].to_pylist()}))
        return bool(pc.all(pc.is_in(found, value_set=known)).as_py() is not False)
    numbers = found.to_pylist()
    if action.startswith("band_"):
        width = int(action.removeprefix("band_"))
        low, high = _band(years.oldest, width), _band(years.youngest, width)
        return all(year % width == 0 and low <= year <= high for year in numbers)
    if column.type != pa.date32():
        return all(days % _DAYS_IN_WEEK == 0 for days in numbers)
    if action == "week":
        return all(day.isoweekday() == _MONDAY for day in numbers)
    return all(day.day == 1 and day.month in _STARTS.get(action, range(1, 13)) for day in numbers)
