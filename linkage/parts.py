"""Large statements in parts, so that what must be held in memory follows the memory limit and not the country.

Grouping keys, joining rows to their person and merging arrangements hold rows in memory that DuckDB cannot put aside.
Each is done for one part of the rows at a time, and its rows are added: for keys a range of first bytes (hashes, so
ranges are equal and their order is that of the keys), for deliveries one delivery and a range of row ids, for
arrangements a range of person numbers (all rows of a person stand in one part). Same rows, whatever the parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from linkage import queries
from linkage.database import Connection
from linkage.delivery import Delivery
from linkage.plan import Parameter

Values = dict[str, Parameter]
# Bytes of the limit per row, beside what a query holds whatever its rows: measured (docs/decisions/0100 and 0132).
KEY_ROW, STAGED_ROW, MERGED_ROW = 64, 350, 256
FIXED = 80e6
RANGE = 500_000  # persons
NUMBERS = 500_000  # key numbers in a range: DuckDB finds up to a million consecutive numbers by their place, unhashed
ALL = 2**62
WHOLE: Values = {"first_person": 0, "last_person": ALL}
_SIZE = re.compile(r"([\d.]+)\s*([KMGT])?i?B?", re.IGNORECASE)
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Room:
    """How many bytes a statement may hold."""

    memory: float

    @classmethod
    def of(cls, memory_limit: str) -> Room:
        """What a limit as DuckDB takes it, such as 1GB, leaves for rows. ValueError when it is none."""
        found = _SIZE.fullmatch(memory_limit.strip())
        if found is None:
            raise ValueError("memory_limit")
        limit = float(found[1]) * 1000 ** _POWER[(found[2] or "").upper()]
        return cls(max(limit - FIXED, limit / 4))

    def parts(self, rows: int, each: int) -> int:
        """How many parts of as many rows as fit: 1, 2, 4 .. 256."""
        wanted = rows * each / self.memory
        return next((n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n >= wanted), 256)

    def keys(self, rows: int) -> Iterator[Values]:
        """Ranges of 32-byte pseudonyms."""
        return _bytes(self.parts(rows, KEY_ROW), 32, "key")

    def rows(self, deliveries: Sequence[Delivery]) -> Iterator[Values]:
        """Small deliveries together, large ones in ranges of row ids; the last part has what is not linked."""
        for group in self._groups(deliveries):
            held = sum(one.rows("accepted") for one in group)
            ends = {"first_sequence": group[0].sequence, "last_sequence": group[-1].sequence}
            for part in _bytes(self.parts(held, STAGED_ROW), 16, "row"):
                yield {**ends, **part, "unlinked": False}
        yield {"first_sequence": 0, "last_sequence": -1, "first_row": b"", "last_row": b"", "unlinked": True}

    def _groups(self, deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
        """Deliveries in their order, as many together as make one part."""
        group: list[Delivery] = []
        for one in sorted(deliveries, key=lambda d: d.sequence):
            if group and self.parts(sum(d.rows("accepted") for d in (*group, one)), STAGED_ROW) > 1:
                yield group
                group = []
            group.append(one)
        if group:
            yield group

    def persons(self, rows: int, persons: int) -> Iterator[Values]:
        """Ranges of person numbers: which follow hashes, so ranges are about equal. Never of many more than RANGE: what
        is looked up for each then stays near the processor, however many ranges there are."""
        parts = max(self.parts(rows, MERGED_ROW), -(-persons // RANGE))
        edges = [persons * n // parts for n in range(parts)]
        for first, after in zip(edges, [*edges[1:], ALL], strict=True):
            yield {"first_person": first, "last_person": after - 1}


def numbers(count: int) -> Iterator[Values]:
    """Ranges of key numbers, at least one."""
    for first in range(0, max(count, 1), NUMBERS):
        yield {"first_node": first, "last_node": first + NUMBERS - 1}


def _bytes(parts: int, size: int, name: str) -> Iterator[Values]:
    """Ranges of byte strings of `size`, by their first byte."""
    step = 256 // parts
    for first in range(0, 256, step):
        low, high = bytes([first]).ljust(size, b"\x00"), bytes([first + step - 1]).ljust(size, b"\xff")
        yield {f"first_{name}": low, f"last_{name}": high}


def count(con: Connection, table: str) -> int:
    """Rows of a table of ours."""
    return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])  # noqa: S608 - a name in our own code


def each(
    con: Connection,
    name: str,
    values: Values,
    parts: Iterator[Values],
    counted: str = "",
    *,
    after: Callable[[], None] = lambda: None,
) -> None:
    """The statement part by part: the first makes its table, the others add to it; `counted` is the parameter that
    gets the number of rows there are already. `after` is called after every part."""
    table = queries.made(name)
    for number, part in enumerate(parts):
        held = {counted: count(con, table) if number else 0} if counted else {}
        queries.run(con, name, {**values, **part, **held}, more=number > 0)
        after()
