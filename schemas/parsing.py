"""Text to typed columns, vectorised, without ever raising on a value.

Each parser returns (typed array, bad mask): a bad cell is null in the array and True in the mask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import codes, gemeente
from schemas.column import Column, Kind
from schemas.dates import dates
from schemas.distinct import flat

Parsed = tuple[pa.ChunkedArray, pa.ChunkedArray]

_YES = ("j", "ja", "true", "1", "waar")
_NO = ("n", "nee", "false", "0", "onwaar")


def parse(column: Column, text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """Typed values and bad mask of one column, None when no cell is bad; blanks and the column's sentinels become null.

    Every distinct value is judged once, but for free text, which repeats itself too little.
    """
    if text.null_count == len(text):
        return pa.chunked_array([pa.nulls(len(text), column.kind.arrow)]), None
    if column.kind is Kind.TEXT:
        return text if not column.sentinel_null and _tidy(flat(text)) else _clean(column, text), None
    encoded = flat(text).dictionary_encode()
    values, wrong = (flat(part) for part in _parse(column, pa.chunked_array([encoded.dictionary])))
    typed = pa.chunked_array([values.take(encoded.indices)])
    if not pc.any(wrong).as_py():
        return typed, None
    return typed, pa.chunked_array([pc.fill_null(wrong.take(encoded.indices), False)])


def _tidy(text: pa.Array) -> bool:
    """True when no cell begins or ends with a blank and none holds the empty text: cleaning would change nothing."""
    offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
    filled = np.diff(offsets) > 0
    if not pc.min(pc.binary_length(text)).as_py():
        return False
    data = np.frombuffer(text.buffers()[2], np.uint8)
    edges = np.concatenate([data[offsets[:-1][filled]], data[offsets[1:][filled] - 1]])
    return not bool(((edges == ord(" ")) | (edges == ord("\t"))).any())


def _parse(column: Column, text: pa.ChunkedArray) -> Parsed:
    cleaned = _clean(column, text)
    if column.kind is Kind.CODE:
        return _code(column, cleaned)
    return _PARSERS[column.kind](cleaned)


def _clean(column: Column, text: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim(text, characters=" \t")
    empty = pc.is_in(trimmed, value_set=pa.array(["", *column.sentinel_null], pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)


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


_resolved = lru_cache(maxsize=4_096)(gemeente.resolve)  # every batch names the same few hundred


def _gemeente(text: pa.ChunkedArray) -> Parsed:
    value = pa.chunked_array([pa.array([name and _resolved(name) for name in text.to_pylist()], pa.string())])
    return value, _bad(text, pc.is_valid(value))


_PARSERS: dict[Kind, Callable[[pa.ChunkedArray], Parsed]] = {
    Kind.INTEGER: _integer,
    Kind.DATE: dates,
    Kind.BOOLEAN: _boolean,
    Kind.GEMEENTE: _gemeente,
}
