"""Find thousands of byte patterns in a stream at once: a table of four-byte words, then eight bytes, then all.

Cost does not depend on the number of patterns: every word at every offset goes through one small table (numpy).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pseudonymize.needles import Sign

Words = npt.NDArray[np.uint32]
_BITS = 18
_SPREAD = np.uint32(2_654_435_761)  # Knuth's multiplicative hash
CHUNK = 16 << 20


class Matcher:
    """Patterns of four bytes and more. `find` tells which signs occur in a piece of data."""

    def __init__(self, patterns: Mapping[bytes, Sign]) -> None:
        self._by_anchor: dict[int, list[tuple[bytes, int, Sign]]] = defaultdict(list)
        for pattern, sign in patterns.items():
            start = _anchor(pattern)
            width = 8 if len(pattern) >= 8 else 4
            self._by_anchor[int.from_bytes(pattern[start : start + width], "little")].append((pattern, start, sign))
        anchors = sorted(self._by_anchor)
        self._short = np.array([a for a in anchors if a < 1 << 32 and self._is_short(a)], np.uint32)
        self._long = np.array([a for a in anchors if not self._is_short(a)], np.uint64)
        heads = np.concatenate([self._short, (self._long & np.uint64(0xFFFFFFFF)).astype(np.uint32)])
        self._table = np.zeros(1 << _BITS, bool)
        self._table[_slot(heads)] = True
        self.longest = max(map(len, patterns), default=0)

    def _is_short(self, anchor: int) -> bool:
        return any(len(pattern) < 8 for pattern, _, _ in self._by_anchor[anchor])

    def find(self, data: bytes) -> set[Sign]:
        """Signs of the patterns that occur anywhere in the data."""
        found: set[Sign] = set()
        if self.longest == 0 or len(data) < 4:
            return found
        padded = data + b"\0" * 8
        for offset in range(4):
            words = np.frombuffer(padded, "<u4", (len(padded) - offset) // 4, offset)
            for place, anchor in self._candidates(words[: (len(data) - offset) // 4 + 1], words):
                found |= {
                    sign
                    for pattern, start, sign in self._by_anchor[anchor]
                    if (at := 4 * place + offset - start) >= 0 and data[at : at + len(pattern)] == pattern
                }
        return found

    def _candidates(self, words: Words, following: Words) -> Iterator[tuple[int, int]]:
        places = np.flatnonzero(self._table[_slot(words)])
        if not len(places):
            return
        heads = words[places]
        short = _among(heads, self._short)
        yield from zip(places[short].tolist(), heads[short].tolist(), strict=True)
        tails = following[np.minimum(places + 1, len(following) - 1)].astype(np.uint64)
        keys = heads.astype(np.uint64) | tails << np.uint64(32)
        long = _among(keys, self._long)
        yield from zip(places[long].tolist(), keys[long].tolist(), strict=True)

    def find_in(self, chunks: Iterable[bytes]) -> set[Sign]:
        """The same over a stream: a pattern across two chunks is found too."""
        found: set[Sign] = set()
        held = b""
        for chunk in chunks:
            data = held + chunk
            found |= self.find(data)
            held = data[-(self.longest - 1) :] if self.longest > 1 else b""
        return found


def _among(values: npt.NDArray[Any], ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which values are in a sorted array; unlike np.isin it sorts nothing, and there are many values."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[at] == values, bool)


def _slot(words: Words) -> npt.NDArray[np.uint32]:
    slots: npt.NDArray[np.uint32] = (words * _SPREAD) >> np.uint32(32 - _BITS)
    return slots


def _anchor(pattern: bytes) -> int:
    """Where the eight bytes stand that tell most: not a run of zeros, which is everywhere."""
    if len(pattern) < 4:
        raise ValueError("a pattern has at least four bytes")
    last = max(len(pattern) - 8, 0)
    return max(range(last + 1), key=lambda start: (len(set(pattern[start : start + 4])), -start))
