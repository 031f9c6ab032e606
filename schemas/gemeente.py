"""Dutch municipalities over time: names, aliases, mergers, regions, and recoding to one classification year.

Sources: codes/municipalities.csv, municipality_mergers.csv, municipality_aliases.csv (CBS, Kadaster, RvIG open
data; docs/codebook/bronnen.md). Codes are four digits; 0000 is unknown and 1999 is RNI (RvIG Tabel 33).
"""

from __future__ import annotations

import csv
import datetime as dt
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "codes"
UNKNOWN = "0000"
RNI = "1999"
SPECIAL = (UNKNOWN, RNI)
CLASSIFICATION_YEAR = 2023


@dataclass(frozen=True)
class Gemeente:
    """One municipality; valid on days d with valid_from <= d < valid_to (None = still valid)."""

    code: str
    naam: str
    valid_from: dt.date
    valid_to: dt.date | None
    provincie_code: str
    provincie: str
    arrondissement_code: str
    arrondissement: str
    parket: str
    veiligheidsregio_code: str
    veiligheidsregio: str
    centrumgemeente_mo_2011: bool

    def valid_on(self, day: dt.date) -> bool:
        """True when the municipality exists on that day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class Merger:
    """`old` became (partly) `new` on `date`; `main` marks the largest part of a split."""

    old: str
    new: str
    date: dt.date
    main: bool


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


@cache
def all_gemeenten() -> tuple[Gemeente, ...]:
    """Every municipality valid at some moment in 2019-2026 and those that ended on 2019-01-01; 394 rows."""
    return tuple(
        Gemeente(
            row["code"],
            row["name"],
            _day(row["valid_from"]) or dt.date.min,
            _day(row["valid_to"]),
            row["province_code"],
            row["province"],
            row["arrondissement_code"],
            row["arrondissement"],
            row["parket_police_unit"],
            row["veiligheidsregio_code"],
            row["veiligheidsregio"],
            row["centrumgemeente_mo_2011"] == "1",
        )
        for row in _rows("municipalities")
    )


@cache
def gemeenten(year: int = CLASSIFICATION_YEAR) -> tuple[Gemeente, ...]:
    """Municipalities on 1 January of `year`, by code (342 in 2023)."""
    day = dt.date(year, 1, 1)
    return tuple(sorted((g for g in all_gemeenten() if g.valid_on(day)), key=lambda g: g.code))


@cache
def mergers() -> tuple[Merger, ...]:
    """Every merger and split with its date."""
    return tuple(
        Merger(row["old_code"], row["new_code"], dt.date.fromisoformat(row["date"]), row["main_successor"] == "1")
        for row in _rows("municipality_mergers")
    )


@cache
def recode_table(year: int = CLASSIFICATION_YEAR) -> dict[str, str]:
    """Every known code -> its code in the classification of 1 January `year`; splits go to the main successor.

    0000 and 1999 stay as they are. Codes that only begin after `year` map to themselves.
    """
    day = dt.date(year, 1, 1)
    step = {m.old: m.new for m in mergers() if m.main and m.date <= day}
    table = {code: code for code in SPECIAL}
    for gemeente in all_gemeenten():
        code = gemeente.code
        while code in step:
            code = step[code]
        table[gemeente.code] = code
    return table


def _fold(name: str) -> str:
    """Spelling without case, accents, apostrophe variants, points and double spaces: for matching only."""
    plain = unicodedata.normalize("NFKD", name.replace("\u2019", "'").replace("`", "'"))
    letters = "".join(ch for ch in plain if not unicodedata.combining(ch)).casefold()
    return " ".join(letters.replace(".", "").replace("-", " ").split())


@cache
def names() -> dict[str, str]:
    """Folded name or alias -> code. A name that means two municipalities is not in it (quarantine, not a guess)."""
    found: dict[str, set[str]] = {}
    for gemeente in all_gemeenten():
        found.setdefault(_fold(gemeente.naam), set()).add(gemeente.code)
    for row in _rows("municipality_aliases"):
        found.setdefault(_fold(row["alias"]), set()).add(row["code"])
    return {name: next(iter(codes)) for name, codes in found.items() if len(codes) == 1}


@cache
def known_codes() -> frozenset[str]:
    """Every code a source may use, with 0000 and 1999."""
    return frozenset(g.code for g in all_gemeenten()) | frozenset(SPECIAL)


def resolve(text: str) -> str | None:
    """Code for a code, a GM-code, a code that lost its leading zeros, a name or an alias; None when unknown.

    >>> resolve("363"), resolve("GM0363"), resolve("Den Haag"), resolve("Atlantis")
    ('0363', '0363', '0518', None)
    """
    word = text.strip()
    digits = word[2:] if word[:2].upper() == "GM" else word
    if digits.isascii() and digits.isdigit() and len(digits) <= 4:
        code = digits.zfill(4)
        return code if code in known_codes() else None
    return names().get(_fold(word))
