"""Text to typed columns, vectorised, without ever raising on a value.

Each parser returns (typed array, bad mask): a bad cell is null in the array and True in the mask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import codes, gemeente
from schemas.column import Column, Kind
from schemas.distinct import per_distinct

Parsed = tuple[pa.ChunkedArray, pa.ChunkedArray]

_YES = ("j", "ja", "true", "1", "waar")
_NO = ("n", "nee", "false", "0", "onwaar")
_ISO = r"^(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ]00:00:00)?$"
_DUTCH = r"^(?P<d>\d{1,2})[-/](?P<m>\d{1,2})[-/](?P<y>\d{4})$"


def parse(column: Column, text: pa.ChunkedArray) -> Parsed:
    """Typed values and bad mask of one column; blanks and the column's sentinels become null."""
    if column.kind is Kind.TEXT:  # free text repeats itself too little
        return _parse(column, text)
    value, wrong = per_distinct(text, lambda distinct: _parse(column, distinct))
    return value, pc.fill_null(wrong, False)


def _parse(column: Column, text: pa.ChunkedArray) -> Parsed:
    cleaned = _clean(column, text)
    if column.kind is Kind.CODE:
        return _code(column, cleaned)
    return _PARSERS[column.kind](cleaned)


def _clean(column: Column, text: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim(text, characters=" \t")
    empty = pc.is_in(trimmed, value_set=pa.array(["", *column.sentinel_null], pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)


def _text(text: pa.ChunkedArray) -> Parsed:
    return text, pc.and_(pc.is_valid(text), False)


def _bad(text: pa.ChunkedArray, good: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.is_valid(text), pc.invert(pc.fill_null(good, False)))


def _only(text: pa.ChunkedArray, good: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.fill_null(good, False), text, pa.scalar(None, pa.string()))


def _integer(text: pa.ChunkedArray) -> Parsed:
    good = pc.match_substring_regex(text, r"^-?[0-9]{1,9}$")
    return pc.cast(_only(text, good), pa.int32()), _bad(text, good)


def _boolean(text: pa.ChunkedArray) -> Parsed:
    lower = pc.utf8_lower(text)
    yes, no = pc.is_in(lower, value_set=pa.array(_YES)), pc.is_in(lower, value_set=pa.array(_NO))
    value = pc.if_else(yes, True, pc.if_else(no, False, pa.scalar(None, pa.bool_())))
    return value, _bad(text, pc.or_(yes, no))


@cache
def _code_set(name: str) -> tuple[pa.Array, int]:
    values = codes.load(name).values()
    width = len(values[0]) if all(v.isdigit() and len(v) == len(values[0]) for v in values) else 0
    return pa.array(values, pa.string()), width


def _code(column: Column, text: pa.ChunkedArray) -> Parsed:
    values, width = _code_set(str(column.codes))
    upper = pc.utf8_upper(text)
    if width:  # leading zeros get lost in spreadsheets: 2 is category 02
        upper = pc.utf8_lpad(upper, width=width, padding="0")
    good = pc.is_in(upper, value_set=values)
    good = pc.and_(good, pc.is_valid(text))
    return _only(upper, good), _bad(text, good)


def _gemeente(text: pa.ChunkedArray) -> Parsed:
    value = pa.chunked_array([pa.array([name and gemeente.resolve(name) for name in text.to_pylist()], pa.string())])
    return value, _bad(text, pc.is_valid(value))


def _date(text: pa.ChunkedArray) -> Parsed:
    parts = [pc.extract_regex(text, pattern) for pattern in (_ISO, _DUTCH)]
    year, month, day = (_pick(parts, name) for name in "ymd")
    known = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1)
    start = (year - 1970).astype("M8[Y]").astype("M8[M]") + np.where(known, month - 1, 0)
    when = start.astype("M8[D]") + np.where(known, day - 1, 0)
    good = known & (when.astype("M8[M]") == start)
    value = pa.chunked_array([pa.array(when, pa.date32(), mask=~good)])
    return value, _bad(text, pa.chunked_array([pa.array(good)]))


def _pick(parts: list[pa.ChunkedArray], name: str) -> np.ndarray:
    """One date part as int64, 0 where neither notation matches."""
    found = [pc.struct_field(part, name) for part in parts]
    filled = pc.fill_null(pc.coalesce(*found), "0")
    return np.asarray(pc.cast(filled, pa.int64()).to_numpy())


_PARSERS: dict[Kind, Callable[[pa.ChunkedArray], Parsed]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DATE: _date,
    Kind.BOOLEAN: _boolean,
    Kind.GEMEENTE: _gemeente,
}
