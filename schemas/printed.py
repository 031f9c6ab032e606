"""What the report prints of a municipality as it is today: an interval, for counts are rounded, hidden, or of parts.

A municipality that took in others since is the sum of what was printed of its parts in that year. CBS prints multiples
of 5 and nothing below 10: a printed count lies within 2 of the true one, and an empty cell beside a printed one (same
municipality, year and provision) is 0 to 9. Where both are empty nothing was delivered, and nothing can be added up.
Source: limits stated with the reference files (schemas/reference), docs/codebook/bronnen.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas import gemeente
from schemas.reference import Row

READABLE = ("exact", "realigned")
ROUNDED, HIDDEN = 2.0, (0.0, 9.0)
ELSEWHERE = "Gemeente van een andere indeling: geteld bij de opvolger."
UNREADABLE = "Het rapport drukt hier geen leesbaar cijfer."
IN_PART = "Van een deel van deze gemeente is geen leesbaar cijfer gedrukt."


@dataclass(frozen=True)
class Interval:
    """Where a count lies, both ends included."""

    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    @property
    def middle(self) -> float:
        """Half-way: a printed count itself."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> float:
        """How far the count may lie from the middle."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Printed:
    """One figure of a table: the municipality of today (as printed when there is none), what is printed of it, of
    which parts if it is a sum, and why it cannot be judged (else empty; `count` is then an interval)."""

    row: Row
    municipality: str
    count: Interval | None
    parts: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Table:
    """How a table prints: `pair` tells the two figures of a municipality and year apart, `same` what they share."""

    pair: str
    same: tuple[str, ...]
    rounded: float
    hides: bool


NOTICES = Table("notice", ("year",), 0.0, hides=False)
FLOWS = Table("flow", ("year", "provision"), ROUNDED, hides=True)


def today(rows: Sequence[Row], table: Table, year: int = gemeente.CLASSIFICATION_YEAR) -> Iterator[Printed]:
    """Every row of a table (municipality, year, count, status, ...) in the classification of 1 January `year`."""
    cells = {_key(row, table): row for row in rows}
    names = {one.code: one.naam for one in gemeente.gemeenten(year)}
    now = gemeente.recode_table(year)
    for row in rows:
        code = gemeente.resolve(row["municipality"]) or ""
        if now.get(code) != code or code not in names:
            yield Printed(row, row["municipality"], None, (), ELSEWHERE)
            continue
        parts = _parts(code, int(row["year"]), now) or (code,)
        found = [_cell(part, row, cells, table) for part in parts]
        yield _sum(row, names[code], [_name(part) for part in parts], found)


def _name(code: str) -> str:
    """The name that goes with a code, whenever it was valid."""
    return next(one.naam for one in gemeente.all_gemeenten() if one.code == code)


def _parts(code: str, year: int, now: dict[str, str]) -> tuple[str, ...]:
    """Municipalities on the last day of a year that are `code` in today's classification."""
    last = dt.date(year, 12, 31)
    return tuple(sorted(one.code for one in gemeente.all_gemeenten() if now[one.code] == code and one.valid_on(last)))


def _key(row: Row, table: Table) -> tuple[str, ...]:
    return (gemeente.resolve(row["municipality"]) or "", row[table.pair], *(row[name] for name in table.same))


def _cell(code: str, like: Row, cells: dict[tuple[str, ...], Row], table: Table) -> Interval | None:
    """What is printed of municipality `code` where `like` stands; None when it cannot be read, or nothing is."""
    same = tuple(like[name] for name in table.same)
    row = cells.get((code, like[table.pair], *same))
    if row is None or row["status"] not in READABLE:
        return None
    if row["count"]:
        return Interval(float(row["count"]) - table.rounded, float(row["count"]) + table.rounded)
    beside = [one for key, one in cells.items() if key[0] == code and key[2:] == same and one["count"]]
    return Interval(*HIDDEN) if table.hides and beside else None


def _sum(row: Row, name: str, parts: Sequence[str], found: Sequence[Interval | None]) -> Printed:
    told = [one for one in found if one is not None]
    if len(told) < len(found):
        return Printed(row, name, None, (), IN_PART if len(found) > 1 else UNREADABLE)
    total = sum(told[1:], told[0])
    return Printed(row, name, total, tuple(parts) if len(parts) > 1 else (), "")
