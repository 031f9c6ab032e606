"""Versioned code lists: one CSV per list in codes/, each row with validity and source."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "codes"


@dataclass(frozen=True)
class Code:
    """One code; valid on days d with valid_from <= d < valid_to (valid_to None = still valid)."""

    code: str
    omschrijving: str
    groep: str
    valid_from: dt.date
    valid_to: dt.date | None
    bron: str


@dataclass(frozen=True)
class CodeList:
    """A named list of codes, in file order."""

    name: str
    codes: tuple[Code, ...]

    def values(self) -> tuple[str, ...]:
        """Every code ever valid; deliveries cover years, so validity is checked per use, not per read."""
        return tuple(dict.fromkeys(code.code for code in self.codes))

    def group(self, code: str) -> str:
        """The reporting group of a code; KeyError when the code is not in the list."""
        return self.groups()[code]

    def groups(self) -> dict[str, str]:
        """code -> reporting group (empty string where the list has none)."""
        return {code.code: code.groep for code in self.codes}

    def labels(self) -> dict[str, str]:
        """code -> Dutch description."""
        return {code.code: code.omschrijving for code in self.codes}


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


@cache
def load(name: str) -> CodeList:
    """Read codes/<name>.csv. Raises FileNotFoundError for an unknown list (a programming error)."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return CodeList(
        name,
        tuple(
            Code(
                row["code"],
                row["omschrijving"],
                row["groep"],
                _day(row["valid_from"]) or dt.date.min,
                _day(row["valid_to"]),
                row["bron"],
            )
            for row in rows
        ),
    )
