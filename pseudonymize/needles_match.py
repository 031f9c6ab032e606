"""Find thousands of byte patterns in a stream at once: a table of four-byte words, then eight bytes, then all.

Cost does not depend on the number of patterns: the word at every offset goes through one small table (numpy, or the
compiled pass of needles_kernel.py once enough bytes have passed to be worth loading it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from pseudonymize import fast
from pseudonymize.needles import Sign

Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
_BITS = 21  # 256 KB: what random data hits by chance costs more than a larger table
_SPREAD = np.uint32(2_654_435_761)  # Knuth's multiplicative hash
CHUNK = 16 << 20
WORTH = 64 << 20  # bytes after which the compiled pass is loaded: a second, by numpy as many bytes take half of one


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
        table = np.zeros(1 << _BITS, bool)
        table[_slot(heads)] = True
        self._table = np.packbits(table, bitorder="little")
        self._kernel: ModuleType | None = None
        self._seen, self._asked = 0, False
        self.longest = max(map(len, patterns), default=0)

    def _is_short(self, anchor: int) -> bool:
        return any(len(pattern) < 8 for pattern, _, _ in self._by_anchor[anchor])

    def find(self, data: bytes) -> set[Sign]:
        """Signs of the patterns that occur anywhere in the data."""
        found: set[Sign] = set()
        if self.longest == 0 or len(data) < 4:
            return found
        padded = np.frombuffer(data + b"\0" * 8, np.uint8)
        for place, anchor in self._candidates(padded, self._places(padded[: len(data)])):
            found |= {
                sign
                for pattern, start, sign in self._by_anchor[anchor]
                if (at := place - start) >= 0 and data[at : at + len(pattern)] == pattern
            }
        return found

    def _places(self, data: Bytes) -> Places:
        """Offsets of the words that are in the table, by the compiled pass when it is there."""
        self._seen += len(data)
        if self._seen >= WORTH and not self._asked:
            self._asked, self._kernel = True, _sound(fast.compiled("needles_kernel"), data, self._table)
        return places(data, self._table) if self._kernel is None else _compiled(self._kernel, data, self._table)

    def _candidates(self, data: Bytes, at: Places) -> Iterator[tuple[int, int]]:
        if not len(at):
            return
        heads = _word(data, at)
        short = _among(heads, self._short)
        yield from zip(at[short].tolist(), heads[short].tolist(), strict=True)
        keys = heads.astype(np.uint64) | _word(data, at + 4).astype(np.uint64) << np.uint64(32)
        long = _among(keys, self._long)
        yield from zip(at[long].tolist(), keys[long].tolist(), strict=True)

    def find_in(self, chunks: Iterable[bytes]) -> set[Sign]:
        """The same over a stream: a pattern across two chunks is found too."""
        found: set[Sign] = set()
        held = b""
        for chunk in chunks:
            data = held + chunk
            found |= self.find(data)
            held = data[-(self.longest - 1) :] if self.longest > 1 else b""
        return found


def places(data: Bytes, table: Bytes) -> Places:
    """Offsets, in order, of the little-endian words in `data` whose hash is in the bit table: the reference."""
    found = []
    for offset in range(min(4, len(data) - 3)):
        words = np.frombuffer(data, "<u4", (len(data) - offset) // 4, offset)
        slots = _slot(words)
        found.append(4 * np.flatnonzero(table[slots >> 3] >> (slots & 7).astype(np.uint8) & 1) + offset)
    return np.sort(np.concatenate(found))


def _compiled(kernel: ModuleType, data: Bytes, table: Bytes) -> Places:
    room = len(data) // 64 + 1024
    while True:
        out = np.empty(room, np.int64)
        count = kernel.hits(data, table, int(_SPREAD), 32 - _BITS, out)
        if count >= 0:
            return out[:count]
        room *= 8


def _sound(kernel: ModuleType | None, data: Bytes, table: Bytes) -> ModuleType | None:
    """The kernel, when it finds in this data what the reference finds; None otherwise."""
    same = kernel is not None and np.array_equal(_compiled(kernel, data, table), places(data, table))
    return kernel if same else None


def _word(data: Bytes, at: Places) -> Words:
    word = np.zeros(len(at), np.uint32)
    for byte in range(4):
        word |= data[at + byte].astype(np.uint32) << np.uint32(8 * byte)
    return word


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
