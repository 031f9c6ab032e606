"""Which values came before: eight bytes of memory for each that is different.

A value is hashed by Python's own SipHash, which is keyed at random (verbs forked from one process share the key, so
hashes stay in memory or are encrypted); 64 bits give 1e-7 expected false repeats in 2 million values, 8e-5 in 53
million. Hashes live in sorted runs that double in size.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.int64]
DUPLICATE = "DUBBELE_SLEUTEL"
_SEPARATOR = "\x1f"


class Seen:
    """Remembers hashes; `repeats` says which of a new batch were seen before, or earlier in the batch."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def repeats(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Boolean per hash, True for all but the first occurrence ever; remembers the batch."""
        distinct, first = np.unique(hashes, return_index=True)
        repeated = np.ones(len(hashes), dtype=bool)
        repeated[first] = False
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, distinct), len(run) - 1)
            repeated[first[run[place] == distinct]] = True
        new = distinct[~repeated[first]]
        if len(new):
            self._remember(new)
        return repeated

    def new(self, hashes: Hashes) -> int:
        """How many of them, each counted once, were not seen before; remembers the batch."""
        distinct = np.sort(hashes)
        distinct = distinct[np.concatenate([distinct[:1] == distinct[:1], distinct[1:] != distinct[:-1]])]
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, distinct), len(run) - 1)
            distinct = distinct[run[place] != distinct]
        if len(distinct):
            self._remember(distinct)
        return len(distinct)

    @property
    def count(self) -> int:
        """How many different ones came."""
        return sum(map(len, self._runs))

    def runs(self) -> list[Hashes]:
        """All that came, each once, in sorted runs."""
        return self._runs

    def _remember(self, run: Hashes) -> None:
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort()  # in place: the largest run lies in memory twice, not three times
        self._runs.append(run)


def keys_of(table: pa.Table, columns: tuple[str, ...]) -> Hashes:
    """Hash per row over the named columns; a row with an empty one among them gets a value of its own."""
    texts = [pc.cast(table[name], pa.string()) for name in columns]
    joined = pc.binary_join_element_wise(*texts, _SEPARATOR) if len(texts) > 1 else texts[0]
    return np.fromiter(
        (hash(text) if text is not None else secrets.randbits(63) for text in joined.to_pylist()),
        np.int64,
        table.num_rows,
    )
