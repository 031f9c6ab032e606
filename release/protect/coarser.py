"""An estimate told more coarsely: its numbers outward to multiples of 15, 40 or 100 in place of 5, or none at all.

Who knows that an end was rounded outward, knows no more of it than that it lies within what is printed, and that is
what the attack takes as known (release/protect/told.py). Steps are no multiples of one another, so that a count just
beside a multiple of one is not beside one of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from schemas.estimates import BASES

STEPS = (5, 15, 40, 100)
REFUSED = len(STEPS)
WIDEST = 1.5  # an interval wider than this many times its estimate tells a reader nothing
NO_NUMBER = "Geen schatting: het aantal is klein en zou te herleiden zijn."
UNCERTAIN = "Te onzeker voor deze gemeente."
COARSE = "Grover afgerond, zodat geen klein aantal te herleiden is."
_NUMBERS = ("laag", "schatting", "hoog")


def told(numbers: tuple[int, int, int], step: int) -> tuple[int, int, int] | None:
    """(low, estimate, high) at a step (index in STEPS); None where that is refused or of no use to a reader."""
    if step == 0:
        return numbers
    if step >= REFUSED:
        return None
    low, middle, high = numbers
    base = STEPS[step]
    down, up = low // base * base, -(-high // base) * base
    near = min(max(down, (2 * middle + base) // (2 * base) * base), up)
    return (down, near, up) if up - down <= WIDEST * middle else None


def rewritten(estimates: pa.Table, steps: Sequence[int]) -> pa.Table:
    """The table with every row told at its own step, and the same in sentences that quote it.

    A row is refused where `told` is None. Rows of a municipality that quote their region say what the region says now.
    """
    rows = estimates.to_pylist()
    changed: dict[tuple[Any, ...], str | None] = {}
    for row, step in zip(rows, steps, strict=True):
        if step and row["hoog"] is not None:
            before = (*_where(row), row["weergave"])
            _retell(row, told(tuple(row[name] for name in _NUMBERS), step))
            changed[before] = row["weergave"] if row["hoog"] is not None else None
    for row in rows if changed else ():
        quote = row["weergave"].partition(": ")[2]
        if row["kwaliteit"] == "REGIO" and (*_where(row), quote) in changed:
            said = changed[*_where(row), quote]
            row["weergave"] = UNCERTAIN if said is None else f"{row['weergave'][: -len(quote)]}{said}"
    return pa.Table.from_pylist(rows, schema=estimates.schema)


def _where(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["periode"], row["soort"], row["groep"], row["maanden"]


def _retell(row: dict[str, Any], numbers: tuple[int, int, int] | None) -> None:
    """The row with other numbers in its columns and in its sentence, or with none."""
    if numbers is None:
        row.update(dict.fromkeys(_NUMBERS), kwaliteit="GEWEIGERD", weergave=NO_NUMBER)
        return
    row.update(zip(_NUMBERS, numbers, strict=True))
    low, middle, high = (f"{number:,}".replace(",", ".") for number in numbers)
    text = f"naar schatting {middle}, waarschijnlijk tussen {low} en {high} ({BASES[row['basis']]}). {COARSE}"
    care = " Wees voorzichtig met dit getal." if row["kwaliteit"] == "VOORZICHTIG" else ""
    row["weergave"] = f"{text}{care}"
