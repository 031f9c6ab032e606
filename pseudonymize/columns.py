"""Whole columns of identifiers: canonical form and reason per row, and the HMAC of every value.

Vectorised twins of bsn.canonical and prf.Prf.one; a test holds them equal. Work is done on distinct values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import bsn, fast
from pseudonymize.modes import Stage
from pseudonymize.prf import PSEUDONYM
from schemas.distinct import flat

Bytes = npt.NDArray[np.uint8]
_REASONS = pa.array(bsn.REASONS, pa.string())
_DENIED = np.array(sorted(int(number) for number in bsn.DENIED), np.int64)
_PERHAPS = np.isin(np.arange(4_096), _DENIED & 4_095)
_TEST_LOW = int(bsn.TEST_RANGE.ljust(9, "0"))
_USABLE = 255


@dataclass(frozen=True)
class Canonical:
    """`values`: canonical bytes, null where unusable; `reasons`: code where unusable, null where usable.

    `blank`: every cell was empty, so there is nothing to use, to refuse or to count.
    """

    values: pa.Array
    reasons: pa.Array
    blank: bool = False


def canonical_bsn(text: pa.Array | pa.ChunkedArray, *, synthetic: bool) -> Canonical:
    """Canonical BSNs of a text column, fixed_size_binary(9), with the reason per unusable row."""
    cells = flat(text).cast(pa.string())
    trimmed = pc.ascii_trim(pc.fill_null(cells, ""), characters=bsn.OUTER_BLANKS)
    digits, codes = _judge(trimmed, synthetic)
    usable = codes == _USABLE
    reasons = _REASONS.take(pa.array(np.where(usable, 0, codes), mask=usable))
    return Canonical(fixed_size(digits.tobytes(), 9, usable), reasons)


def _judge(trimmed: pa.Array, synthetic: bool) -> tuple[Bytes, Bytes]:
    """Nine digits (as text bytes) per value and the position of its reason in bsn.REASONS, or _USABLE."""
    width = np.asarray(pc.binary_length(trimmed))
    numeric = pc.ascii_is_decimal(trimmed)
    shaped = pc.and_(numeric, pa.array((width == 8) | (width == 9)))
    nine = pc.if_else(
        shaped, pc.ascii_lpad(trimmed, 9, "0"), "0" * 9
    )  # so all of them lie back to back, nine bytes each
    digits = np.frombuffer(nine.buffers()[2] or b"", np.uint8)[: 9 * len(nine)].reshape(-1, 9)
    codes = _content(digits, synthetic)
    if not pc.all(shaped, min_count=0).as_py():
        is_shaped, is_numeric = (np.asarray(one.to_numpy(zero_copy_only=False), bool) for one in (shaped, numeric))
        codes[~is_shaped] = bsn.REASONS.index(bsn.LENGTH)
        codes[~is_numeric] = bsn.REASONS.index(bsn.NOT_NUMERIC)
        codes[width == 0] = bsn.REASONS.index(bsn.EMPTY)
    return digits, codes


def _content(digits: Bytes, synthetic: bool) -> Bytes:
    """bsn._content for a matrix of digits."""
    weighted, number = np.zeros(len(digits), np.int16), np.zeros(len(digits), np.int32)
    for weight, column in zip(bsn.WEIGHTS, digits.T, strict=True):  # whole columns: faster than a matrix product
        digit = column - np.uint8(ord("0"))
        weighted += np.int16(weight) * digit
        number *= 10
        number += digit
    rest = weighted % np.int16(11)
    made, wrong, test = rest == bsn.SYNTHETIC_REMAINDER, rest != 0, number >= _TEST_LOW
    code = {name: position for position, name in enumerate(bsn.REASONS)}
    codes = np.full(len(digits), code[bsn.REAL_NUMBER] if synthetic else _USABLE, np.uint8)
    np.copyto(codes, np.uint8(_USABLE if synthetic else code[bsn.TEST_NUMBER]), where=test)  # what comes later counts
    np.copyto(codes, np.uint8(code[bsn.ELEVEN]), where=wrong)
    np.copyto(codes, np.uint8(_USABLE if synthetic else code[bsn.SYNTHETIC_NUMBER]), where=made)
    codes[_denied(number)] = code[bsn.PLACEHOLDER]
    return codes


def _denied(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Places of the numbers that nobody has: most others are told apart by their last bits."""
    perhaps = np.flatnonzero(_PERHAPS[numbers & (len(_PERHAPS) - 1)])
    return perhaps[np.isin(numbers[perhaps], _DENIED)]


def canonical_opaque(text: pa.Array | pa.ChunkedArray, name: str) -> Canonical:
    """Canonical SKN or VIP numbers: outer blanks stripped, 1 to 32 printable ASCII characters, else a reason."""
    if text.null_count == len(text):
        return Canonical(pa.nulls(len(text), pa.binary()), pa.repeat(f"{name}_LEEG", len(text)), blank=True)
    encoded = flat(text).cast(pa.string()).dictionary_encode()
    trimmed = pc.ascii_trim(encoded.dictionary, characters=bsn.OUTER_BLANKS)
    empty = pc.equal(pc.binary_length(trimmed), 0)
    printable = pc.match_substring_regex(trimmed, "^[ -~]+$")
    fits = pc.less_equal(pc.binary_length(trimmed), 32)
    usable = pc.and_(printable, fits)
    reason = pc.if_else(empty, f"{name}_LEEG", pc.if_else(printable, f"{name}_LENGTE", f"{name}_TEKENS"))
    values = pc.if_else(usable, trimmed, pa.scalar(None, pa.string())).cast(pa.binary())
    reasons = pc.if_else(usable, pa.scalar(None, pa.string()), reason)
    return Canonical(
        values.take(encoded.indices),
        pc.if_else(encoded.indices.is_null(), f"{name}_LEEG", reasons.take(encoded.indices)),
    )


def pseudonyms(prf: Stage, values: pa.Array | pa.ChunkedArray, size: int = PSEUDONYM) -> pa.Array:
    """HMAC of every value, null for null, as fixed_size_binary(size). Input text, binary or fixed size binary.

    Work is done on distinct values, unless the kernel is on: it is faster than looking for them.
    """
    given = flat(values)
    if given.null_count == len(given):
        return pa.nulls(len(given), pa.binary(size))
    if not fast.running():
        encoded = given.dictionary_encode()
        return fixed_size(_made(prf, encoded.dictionary, size), size).take(encoded.indices)
    if not given.null_count:
        return fixed_size(_made(prf, given, size), size)
    valid = np.asarray(given.is_valid())
    rows = np.zeros(len(given), f"V{size}")  # each one value: those are copied in runs
    rows[valid] = np.frombuffer(_made(prf, given.drop_null(), size), rows.dtype)
    return fixed_size(rows.tobytes(), size, valid)


def _made(prf: Stage, values: pa.Array, size: int) -> bytes:
    """HMACs back to back of an array without nulls."""
    if pa.types.is_fixed_size_binary(values.type):
        return prf.fixed(fixed_bytes(values), values.type.byte_width, size)
    return _by_width(prf, values.cast(pa.binary()), size)


def _by_width(prf: Stage, values: pa.Array, size: int) -> bytes:
    """HMACs back to back; values of one width go through the fast path together."""
    width = np.asarray(pc.binary_length(values))
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values)]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    widths = np.flatnonzero(np.bincount(width))
    if len(widths) == 1 and widths[0]:  # they lie back to back already
        return prf.fixed(data[offsets[0] : offsets[-1] + widths[0]].tobytes(), int(widths[0]), size)
    made = np.empty((len(values), size), np.uint8)
    for one in widths:
        hit = width == one
        raw = data[offsets[hit].astype(np.int64)[:, None] + np.arange(one)].tobytes()
        found = prf.fixed(raw, int(one), size) if one else prf.one(b"")[:size]
        made[hit] = np.frombuffer(found, np.uint8).reshape(-1, size)
    return made.tobytes()


def fixed_bytes(values: pa.Array) -> bytes:
    """The bytes of a fixed_size_binary array without nulls."""
    if not len(values):
        return b""
    width, start = values.type.byte_width, values.offset
    raw: bytes = values.buffers()[1].slice(start * width, len(values) * width).to_pybytes()
    return raw


def fixed_size(raw: bytes, size: int, valid: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """A fixed_size_binary array over bytes lying back to back, null where not valid."""
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.binary(size), len(raw) // size, [bitmap, pa.py_buffer(raw)])
