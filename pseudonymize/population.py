"""Is this an extract of a register, or a probe? Distinct persons against the agreement, and density of the numbers.

Whoever can have every possible number converted holds a table of them all (pseudonymisation.md 7.5). So a delivery may
hold as many persons as its agreement says and no more, counted where the numbers are (source or gateway) and again
by the converter on pre-pseudonyms. And numbers of real people lie scattered: a stretch of the number space that is
half full is an enumeration. At most one check digit fits eight digits, so eight digits stand for a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize.columns import Canonical, fixed_bytes
from pseudonymize.identify import COLUMNS
from pseudonymize.unique import Seen, keys_of
from schemas.distinct import flat
from schemas.errors import DeliveryError
from schemas.pseudonym import PSEUDONYM, storage

STRETCH = 1_024  # eight-digit prefixes; about 931 of them have a check digit
MOST_IN_STRETCH = 466  # half; the whole population fills a fifth of the space (18 of 91 million)
ROW_ID = 16  # bytes, as split.ROW_ID
_PREFIXES = 10**8
_TEST = 99_990_000  # first prefix of the test range, bsn.TEST_RANGE
Bits = npt.NDArray[np.uint8]


class Stretches:
    """Which numbers were seen: a map of the number space in 12.5 MB, whatever the size of the extract.

    Eight digits stand for a number: at most one check digit fits them. Only in the test range are numbers of both
    remainders usable in one extract, so the numbers themselves are marked there as well, to be counted apart.
    """

    def __init__(self) -> None:
        self._map: Bits | None = None
        self._test = np.zeros(_PREFIXES // 10_000 * 10 // 8, np.uint8)
        self.distinct = 0

    def add(self, numbers: pa.Array) -> None:
        """Canonical nine-digit numbers, fixed_size_binary(9), without nulls; repeated ones count once."""
        if not len(numbers):
            return
        if self._map is None:
            self._map = np.zeros(-(-_PREFIXES // STRETCH) * STRETCH // 8, np.uint8)
        eight, last = _read(numbers)
        test = eight >= _TEST
        self.distinct += _mark(self._map, eight[~test]) if test.any() else _mark(self._map, eight)
        if test.any():
            _mark(self._map, eight[test])
            self.distinct += _mark(self._test, (eight[test] - _TEST) * 10 + last[test])

    def fullest(self) -> int:
        """Most prefixes seen in one stretch."""
        if self._map is None:
            return 0
        return int(np.bitwise_count(self._map).reshape(-1, STRETCH // 8).sum(axis=1, dtype=np.int32).max())


def _read(numbers: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The first eight digits of every number, and its last."""
    digits = np.frombuffer(fixed_bytes(numbers), np.uint8).reshape(-1, 9)
    eight = np.zeros(len(digits), np.int32)
    for place in range(8):  # whole columns: faster than a matrix product
        eight = 10 * eight + (digits[:, place] - ord("0"))
    return eight, (digits[:, 8] - ord("0")).astype(np.int32)


def _mark(bits: Bits, places: npt.NDArray[np.int32]) -> int:
    """Set bits; returns how many were not set before."""
    new = (bits[places >> 3] & np.left_shift(1, places & 7).astype(np.uint8)) == 0
    places = np.sort(places[new])  # and not np.unique, which costs several times as much
    places = places[np.diff(places, prepend=-1) != 0]
    np.bitwise_or.at(bits, places >> 3, np.left_shift(1, places & 7).astype(np.uint8))
    return len(places)


class Population:
    """Distinct identifiers of one extract, by column, and the stretches its BSNs fill."""

    def __init__(self, register: str, most: int | None) -> None:
        self._register = register
        self._most = most
        self._seen = {name: Seen() for name in COLUMNS[1:]}
        self._stretches = Stretches()
        self.distinct = dict.fromkeys(COLUMNS, 0)

    def add(self, found: dict[str, Canonical]) -> None:
        """Count a batch. DeliveryError too_many_persons as soon as there are more than the agreement says."""
        self._stretches.add(flat(found["bsn"].values).drop_null())
        self.distinct["bsn"] = self._stretches.distinct
        for name, seen in self._seen.items():
            values = flat(found[name].values).drop_null().unique()
            self.distinct[name] += seen.new(keys_of(pa.table({"value": pc.cast(values, pa.binary())}), ("value",)))
        require_at_most(self._register, self.distinct, self._most)

    def require_sparse(self) -> None:
        """DeliveryError dense_numbers when the numbers fill half of a stretch of the number space."""
        fullest = self._stretches.fullest()
        if fullest >= MOST_IN_STRETCH:
            raise DeliveryError("dense_numbers", register=self._register, found=fullest, maximum=MOST_IN_STRETCH - 1)


def require_at_most(register: str, distinct: Mapping[Any, int], most: int | None) -> None:
    """DeliveryError too_many_persons when a column has more distinct identifiers than `most`."""
    persons = max(distinct.values(), default=0)
    if most is not None and persons > most:
        raise DeliveryError("too_many_persons", register=register, persons=persons, maximum=most)


class Converted:
    """Distinct pre-pseudonyms of a delivery as the converter sees them, by their first 64 bits; canaries apart.

    Counted in eight bytes a person: 18 million distinct values give 1e-5 expected ties.
    """

    def __init__(self, canaries: Sequence[str] = ()) -> None:
        self._seen = {name: Seen() for name in COLUMNS}
        self._planted = pa.array([bytes.fromhex(text) for text in canaries], pa.binary(ROW_ID))
        self.distinct = dict.fromkeys(COLUMNS, 0)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the pre-pseudonyms of a batch of an identity file."""
        real = pc.invert(pc.is_in(batch["row_id"], value_set=self._planted))
        for name in COLUMNS:
            raw = fixed_bytes(flat(storage(batch[name]).filter(real)).drop_null())
            hashes = np.frombuffer(raw, np.int64).reshape(-1, PSEUDONYM // 8)[:, 0]
            self.distinct[name] += self._seen[name].new(hashes)

    def require_declared(self, declared: Mapping[Any, int]) -> None:
        """DeliveryError row_count_mismatch unless exactly the declared numbers of persons came."""
        for name in COLUMNS:
            if self.distinct[name] != declared[name]:
                raise DeliveryError(
                    "row_count_mismatch", column=name, declared=declared[name], read=self.distinct[name]
                )
