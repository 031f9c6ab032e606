"""The prime-order group of blind mode: ristretto255 as libsodium has it, through rbcl. No curve arithmetic of ours.

An element or scalar is 32 bytes in its one canonical encoding (RFC 9496). libsodium runs in constant time and
outside the interpreter's lock, so two threads use two cores. docs/decisions/0017 says why rbcl.
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from types import ModuleType

from schemas.errors import ConfigError, DeliveryError

BYTES = 32
WIDE = 64
IDENTITY = bytes(BYTES)


@cache
def _sodium() -> ModuleType:
    """libsodium. ConfigError blind_unavailable when the extra `blind` is not installed."""
    try:
        import rbcl  # noqa: PLC0415 - only blind mode needs it
    except ImportError:
        raise ConfigError("blind_unavailable") from None
    # rbcl unpacks its library to a temporary file and leaves it there; once loaded the name is not needed.
    with contextlib.suppress(AttributeError, OSError):
        Path(rbcl._sodium.lib_path).unlink()
    found: ModuleType = rbcl
    return found


def require_available() -> None:
    """ConfigError blind_unavailable unless the group can be used here."""
    _sodium()


def require_element(data: bytes) -> bytes:
    """The same bytes. DeliveryError bad_element for another length, a non-canonical encoding or the identity."""
    if len(data) != BYTES or data == IDENTITY or not _sodium().crypto_core_ristretto255_is_valid_point(data):
        raise DeliveryError("bad_element")
    return data


def require_scalar(data: bytes) -> bytes:
    """The same bytes. DeliveryError bad_element unless it is a canonical scalar; zero is one."""
    if len(data) != BYTES or reduce(data + bytes(WIDE - BYTES)) != data:
        raise DeliveryError("bad_element")
    return data


def from_hash(wide: bytes) -> bytes:
    """The element 64 uniform bytes stand for (RFC 9496 section 4.3.4)."""
    found: bytes = _sodium().crypto_core_ristretto255_from_hash(wide)
    return found


def reduce(wide: bytes) -> bytes:
    """64 little-endian bytes modulo the order of the group."""
    found: bytes = _sodium().crypto_core_ristretto255_scalar_reduce(wide)
    return found


def random_scalar() -> bytes:
    """A uniformly random scalar, never zero."""
    found: bytes = _sodium().crypto_core_ristretto255_scalar_random()
    return found


def invert(scalar: bytes) -> bytes:
    """The inverse of a scalar that is not zero."""
    found: bytes = _sodium().crypto_core_ristretto255_scalar_invert(scalar)
    return found


def product(one: bytes, other: bytes) -> bytes:
    """Scalar times scalar."""
    found: bytes = _sodium().crypto_core_ristretto255_scalar_mul(one, other)
    return found


def minus(one: bytes, other: bytes) -> bytes:
    """Scalar minus scalar."""
    found: bytes = _sodium().crypto_core_ristretto255_scalar_sub(one, other)
    return found


def add(one: bytes, other: bytes) -> bytes:
    """Element plus element."""
    found: bytes = _sodium().crypto_core_ristretto255_add(one, other)
    return found


def times(scalar: bytes, element: bytes) -> bytes:
    """Scalar times element. DeliveryError bad_element when that is the identity or the element is none."""
    try:
        found: bytes = _sodium().crypto_scalarmult_ristretto255(scalar, element)
    except RuntimeError:
        raise DeliveryError("bad_element") from None
    return found


def times_base(scalar: bytes) -> bytes:
    """Scalar times the generator. DeliveryError bad_element for the scalar zero."""
    try:
        found: bytes = _sodium().crypto_scalarmult_ristretto255_base(scalar)
    except RuntimeError:
        raise DeliveryError("bad_element") from None
    return found
