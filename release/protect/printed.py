"""What a printed cell says, as an interval: counts of persons, and magnitudes (hours, costs), which may be fractions.

Dutch and English numbers: `1.234` is a thousand and some, `1234,5` and `1234.5` have a decimal. Text with a digit in it
that is none of these is an error: an attacker reads it, and whoever checks must not take it for a hidden cell.
"""

from __future__ import annotations

import re

import numpy as np

Interval = tuple[float, float]
HIDDEN: Interval = (0.0, float(np.inf))
_BELOW = re.compile(r"<\s*=?\s*(\d+)")
_THOUSANDS = re.compile(r"\d{1,3}(\.\d{3})+")
_WHOLE = re.compile(r"\d+")
_FRACTION = re.compile(r"(\d+|\d{1,3}(?:\.\d{3})+),\d+|\d+\.\d+")


class NotUnderstood(ValueError):
    """A cell that is neither a number nor plainly hidden; `kind` names what is wrong with it, never its text."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


def count(text: str) -> Interval:
    """A count: a whole number, "<10" as 0 to 9, text without digits is hidden (0 and up). NotUnderstood otherwise.

    >>> count("1.234"), count("<10"), count("x")
    ((1234.0, 1234.0), (0.0, 9.0), (0.0, inf))
    """
    word = text.strip()
    below = _BELOW.fullmatch(word)
    if below:
        return 0.0, float(below[1]) - (0 if "=" in word else 1)
    if _THOUSANDS.fullmatch(word) or (_WHOLE.fullmatch(word) and word.isascii()):
        return (number(word),) * 2
    return _hidden(word, "contributions" if _FRACTION.fullmatch(word) else "number")


def amount(text: str) -> Interval:
    """A magnitude: as a count, but "<10" ends at 10, and fractions are read. NotUnderstood otherwise.

    >>> amount("1.234,5"), amount("0.25"), amount("x")
    ((1234.5, 1234.5), (0.25, 0.25), (0.0, inf))
    """
    word = text.strip()
    below = _BELOW.fullmatch(word)
    if below:
        return 0.0, float(below[1])
    if word.isascii() and any(form.fullmatch(word) for form in (_THOUSANDS, _WHOLE, _FRACTION)):
        return (number(word),) * 2
    return _hidden(word, "number")


def number(word: str) -> float:
    """The value of a number in one of the forms above."""
    if _THOUSANDS.fullmatch(word) or "," in word:
        word = word.replace(".", "").replace(",", ".")
    return float(word)


def _hidden(word: str, kind: str) -> Interval:
    if any(letter.isdigit() for letter in word):
        raise NotUnderstood(kind)
    return HIDDEN
