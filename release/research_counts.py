"""Small counts in the texts beside researchers' tables: hidden, with as many others that no total gives them away."""

from __future__ import annotations

from collections.abc import Sequence

SMALL = 10
HIDDEN = "\u00d7"
LARGE = 10_000_000  # from here on a bare count has as many digits as a BSN


def hide(counts: Sequence[int]) -> list[str]:
    """Counts whose total is known, as text: 1-9 hidden, and then the next smallest until the rest says nothing.

    One hidden count alone is the total minus the others; several that add up to less than ten are known to be
    small. So at least two are hidden, and together at least ten, wherever there is something left to hide.

    >>> [one.count(HIDDEN) for one in (hide([995, 5]), hide([500, 400, 12, 3]), hide([0, 12]))]
    [2, 2, 0]
    """
    hidden = {i for i, count in enumerate(counts) if 0 < count < SMALL}
    rest = sorted((i for i, count in enumerate(counts) if count >= SMALL), key=lambda i: counts[i])
    while hidden and rest and (len(hidden) < 2 or sum(counts[i] for i in hidden) < SMALL):
        hidden.add(rest.pop(0))
    return [HIDDEN if i in hidden else written(count) for i, count in enumerate(counts)]


def hide_one(count: int) -> str:
    """A count of its own, whose total is not told."""
    return HIDDEN if 0 < count < SMALL else written(count)


def written(count: int) -> str:
    """A count as text. From ten million on in groups of three: eight digits in a row are what the gate takes for a BSN.

    >>> written(9999999), written(13934220), read("13 934 220")
    ('9999999', '13 934 220', 13934220)
    """
    return f"{count:,}".replace(",", " ") if count >= LARGE else str(count)


def read(text: str) -> int | None:
    """The count that `written` wrote; None for anything else."""
    plain = text.replace(" ", "")
    return int(plain) if plain.isascii() and plain.isdigit() and text == written(int(plain)) else None
