"""Text to dates: year first or day first, and nothing that no calendar has. A bad cell is null and marked.

Dates are most of what an extract holds in distinct values, so the two notations of ten characters are read as bytes,
whole columns at a time; every other one (a short day, a time behind it) goes through the patterns, which are the
reference: a test holds the bytes to them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.distinct import flat

_ISO = r"^(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ]00:00:00)?$"
_DUTCH = r"^(?P<d>\d{1,2})[-/](?P<m>\d{1,2})[-/](?P<y>\d{4})$"
_WIDTH = 10
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Read = tuple[Numbers, Numbers, Numbers]  # year, month and day; 0 where the text is no date


def dates(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Dates (date32) and which cells hold text that is none; an empty cell is neither."""
    array = flat(text)
    (year, month, day), read = by_bytes(array)
    filled = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    rest = filled & ~read
    if rest.any():
        for whole, some in zip((year, month, day), by_patterns(array.filter(pa.array(rest))), strict=True):
            whole[rest] = some
    known = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1)
    start = (year - 1970).astype("M8[Y]").astype("M8[M]") + np.where(known, month - 1, 0)
    when = start.astype("M8[D]") + np.where(known, day - 1, 0)
    good = known & (when.astype("M8[M]") == start)
    return pa.chunked_array([pa.array(when, pa.date32(), mask=~good)]), pa.chunked_array([pa.array(filled & ~good)])


def by_bytes(array: pa.Array) -> tuple[Read, Mask]:
    """The parts of the cells written with ten characters in either notation, and which cells those are."""
    found = tuple(np.zeros(len(array), np.int64) for _ in range(3))
    read = np.asarray(pc.fill_null(pc.binary_length(array), 0)) == _WIDTH
    if read.any():
        offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array)]
        cells = np.frombuffer(array.buffers()[2], np.uint8)[offsets[read][:, None] + np.arange(_WIDTH)].T
        iso = (cells[4] == ord("-")) & (cells[7] == ord("-"))
        digits = cells - np.uint8(ord("0"))  # what is no digit is above 9
        parts = [np.where(iso, one, other) for one, other in zip(_iso(digits), _dutch(digits), strict=True)]
        separated = iso | (_mark(cells[2]) & _mark(cells[5]))
        good = separated & np.where(iso, _all_digits(digits, (4, 7)), _all_digits(digits, (2, 5)))
        for whole, part in zip(found, parts, strict=True):
            whole[read] = np.where(good, part, 0)
        read[read] = good
    return found, read  # type: ignore[return-value]  # three of them


def _iso(cells: npt.NDArray[np.uint8]) -> Read:
    return _number(cells[:4]), _number(cells[5:7]), _number(cells[8:])


def _dutch(cells: npt.NDArray[np.uint8]) -> Read:
    return _number(cells[6:]), _number(cells[3:5]), _number(cells[:2])


def _number(digits: npt.NDArray[np.uint8]) -> Numbers:
    found = np.zeros(digits.shape[1], np.int64)
    for digit in digits:
        found = 10 * found + digit
    return found


def _mark(cells: npt.NDArray[np.uint8]) -> Mask:
    return np.asarray((cells == ord("-")) | (cells == ord("/")))


def _all_digits(digits: npt.NDArray[np.uint8], apart: tuple[int, int]) -> Mask:
    """All places but those of the two marks hold a digit."""
    return np.asarray(np.delete(digits, apart, axis=0).max(axis=0) <= 9)


def by_patterns(text: pa.Array) -> Read:
    """The parts of every cell by the patterns of both notations."""
    parts = [pc.extract_regex(text, pattern) for pattern in (_ISO, _DUTCH)]
    return _pick(parts, "y"), _pick(parts, "m"), _pick(parts, "d")


def _pick(parts: list[pa.Array], name: str) -> Numbers:
    """One date part, 0 where neither notation matches."""
    found = [pc.struct_field(part, name) for part in parts]
    filled = pc.fill_null(pc.coalesce(*found), "0")
    return np.asarray(pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False))
