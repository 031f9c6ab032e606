"""Row rules as small frozen dataclasses: a reason code, a Dutch sentence and a vectorised test.

`broken(table)` returns a boolean array, True where a row breaks the rule; empty cells never break a rule
about values. The sentence is what the supplier's report shows; it holds no value.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from schemas.distinct import per_distinct


class Check(Protocol):
    """A rule about one row."""

    @property
    def code(self) -> str:
        """Reason code, upper case."""
        ...

    @property
    def zin(self) -> str:
        """What is wrong and what to do, in Dutch, without a value."""
        ...

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        """Boolean per row: True where the rule is broken."""
        ...


def _false_for_null(mask: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(mask, False)


@dataclass(frozen=True)
class Between:
    """A whole number lies in [low, high]."""

    column: str
    low: int
    high: int

    @property
    def code(self) -> str:
        return f"{self.column.upper()}_BUITEN_BEREIK"

    @property
    def zin(self) -> str:
        return f"{self.column} ligt niet tussen {self.low} en {self.high}."

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        values = table[self.column]
        return _false_for_null(pc.or_(pc.less(values, self.low), pc.greater(values, self.high)))


@dataclass(frozen=True)
class DateBetween:
    """A date lies in [low, high]; catches two-digit years and typing errors, not real history."""

    column: str
    low: dt.date = dt.date(1990, 1, 1)
    high: dt.date = dt.date(2099, 12, 31)

    @property
    def code(self) -> str:
        return f"{self.column.upper()}_BUITEN_BEREIK"

    @property
    def zin(self) -> str:
        return f"{self.column} is geen aannemelijke datum."

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        values = table[self.column]
        low, high = pa.scalar(self.low, pa.date32()), pa.scalar(self.high, pa.date32())
        return _false_for_null(pc.or_(pc.less(values, low), pc.greater(values, high)))


@dataclass(frozen=True)
class NotBefore:
    """`later` is not before `earlier` (both known), unless `unless_column` holds `unless_value`."""

    later: str
    earlier: str
    unless_column: str | None = None
    unless_value: str | None = None

    @property
    def code(self) -> str:
        return f"{self.later.upper()}_VOOR_{self.earlier.upper()}"

    @property
    def zin(self) -> str:
        return f"{self.later} ligt voor {self.earlier}."

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        mask = pc.less(table[self.later], table[self.earlier])
        if self.unless_column is not None:
            excused = pc.equal(table[self.unless_column], self.unless_value)
            mask = pc.and_(mask, pc.invert(pc.fill_null(excused, False)))
        return _false_for_null(mask)


@dataclass(frozen=True)
class OnlyWith:
    """`column` is filled only where `other` holds one of `values`."""

    column: str
    other: str
    values: tuple[str, ...]

    @property
    def code(self) -> str:
        return f"{self.column.upper()}_NIET_TOEGESTAAN"

    @property
    def zin(self) -> str:
        return f"{self.column} mag alleen gevuld zijn bij {self.other} {' of '.join(self.values)}."

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        allowed = pc.is_in(table[self.other], value_set=pa.array(self.values, pa.string()))
        return pc.and_(pc.is_valid(table[self.column]), pc.invert(allowed))


@dataclass(frozen=True)
class AnyOf:
    """At least one of the columns is filled."""

    columns: tuple[str, ...]
    label: str

    @property
    def code(self) -> str:
        return self.label

    @property
    def zin(self) -> str:
        return f"Minstens een van {', '.join(self.columns)} moet gevuld zijn."

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        mask = pc.is_null(table[self.columns[0]])
        for name in self.columns[1:]:
            mask = pc.and_(mask, pc.is_null(table[name]))
        return mask


@dataclass(frozen=True)
class HalfYear:
    """A reporting period is written as 2022H1 or 2022H2."""

    column: str

    @property
    def code(self) -> str:
        return f"{self.column.upper()}_ONBEKEND"

    @property
    def zin(self) -> str:
        return f"{self.column} is niet geschreven als 2022H1 of 2022H2."

    def broken(self, table: pa.Table) -> pa.ChunkedArray:
        (matched,) = per_distinct(table[self.column], lambda text: (pc.match_substring_regex(text, r"^20\d\dH[12]$"),))
        return _false_for_null(pc.invert(matched))
