"""The length-prefixed HMAC-SHA-256 of protocol v1 (pseudonymisation.md section 1), one value or a batch.

Message = fields, each preceded by its length in four big-endian bytes. All fields but the last are the same
for a whole batch, so the key block and these fields are hashed once and the state is copied per value.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pseudonymize.secret import Remote, Secret
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from hashlib import _Hash

SCHEME = "v1"
PSEUDONYM = 32  # bytes; never truncated between the stages
RECORD_KEY = 16  # bytes; 1.2e-23 expected collisions over the BSN space (pseudonymisation.md section 5)
_BLOCK = 64
_LABEL = re.compile(r"[a-z0-9-]{1,64}")
_RECORD_LABEL = re.compile(r"[a-z0-9_]{1,64}\.[a-z0-9_]{1,64}")
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def encode(*fields: bytes) -> bytes:
    """Length-prefixed fields; injective, so no two field lists give the same message."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def label(text: str) -> bytes:
    """A project, epoch or recipient name as bytes. ConfigError bad_label unless [a-z0-9-]{1,64}."""
    if not _LABEL.fullmatch(text):
        raise ConfigError("bad_label")
    return text.encode("ascii")


class Prf:
    """HMAC-SHA-256 under one key with constant leading bytes. No repr of the key, no pickle."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: Secret, prefix: bytes = b"") -> None:
        raw = key.reveal()
        block = (raw if len(raw) <= _BLOCK else hashlib.sha256(raw).digest()).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER) + prefix)
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def raw(self, message: bytes) -> bytes:
        """HMAC of prefix + message as they stand: 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def one(self, value: bytes) -> bytes:
        """The pseudonym of one value (the last, length-prefixed field): 32 bytes."""
        return self.raw(encode(value))

    def fixed(self, values: bytes, width: int, size: int = PSEUDONYM) -> bytes:
        """Pseudonyms, back to back and each `size` bytes, of values of one width lying back to back."""
        state = self._inner.copy()
        state.update(width.to_bytes(4, "big"))
        digests = _digests(state, self._outer, struct.iter_unpack(f"{width}s", values))
        return b"".join(digests) if size == PSEUDONYM else b"".join(digest[:size] for digest in digests)


class RemotePrf(Prf):
    """The same function under a key that stays in its device: one call of the device per value."""

    __slots__ = ("_mac", "_prefix")

    def __init__(self, key: Remote, prefix: bytes = b"") -> None:
        self._mac, self._prefix = key.mac, prefix

    def raw(self, message: bytes) -> bytes:
        """HMAC of prefix + message as they stand: 32 bytes."""
        return self._mac(self._prefix + message)

    def fixed(self, values: bytes, width: int, size: int = PSEUDONYM) -> bytes:
        """As Prf.fixed."""
        mac, head = self._mac, self._prefix + width.to_bytes(4, "big")
        return b"".join([mac(head + value)[:size] for (value,) in struct.iter_unpack(f"{width}s", values)])


def keyed(key: Secret, prefix: bytes = b"") -> Prf:
    """The function under this key, wherever the key is."""
    return RemotePrf(key, prefix) if isinstance(key, Remote) else Prf(key, prefix)


def _digests(inner: _Hash, outer: _Hash, messages: Iterable[tuple[bytes]]) -> list[bytes]:
    copy_inner, copy_outer = inner.copy, outer.copy
    found: list[bytes] = []
    add = found.append
    for (message,) in messages:
        first = copy_inner()
        first.update(message)
        second = copy_outer()
        second.update(first.digest())
        add(second.digest())
    return found


def pre(key: Secret, project: str, epoch: str, identifier_type: str) -> Prf:
    """Stage pre: canonical identifier -> pre-pseudonym, at the source, under K_S."""
    return keyed(key, encode(b"ttp/pre/v1", label(project), label(epoch), identifier_type.encode("ascii")))


def link(key: Secret, project: str, epoch: str) -> Prf:
    """Stage link: pre-pseudonym (32 bytes) -> link pseudonym, at the converter, under K_T."""
    return keyed(key, encode(b"ttp/link/v1", label(project), label(epoch)))


def recipient(key: Secret, project: str, name: str, epoch: str) -> Prf:
    """Stage recipient: link pseudonym (32 bytes) -> pseudonym of one recipient, under that recipient's K_R."""
    return keyed(key, encode(b"ttp/recipient/v1", label(project), label(name), label(epoch)))


def record(key: Secret, project: str, epoch: str, column: str) -> Prf:
    """Stage record: a source's own record key, `column` written as register.column; used cut to 16 bytes."""
    if not _RECORD_LABEL.fullmatch(column):
        raise ConfigError("bad_label")
    return keyed(key, encode(b"ttp/record/v1", label(project), label(epoch), column.encode("ascii")))


def check_tag(key: Secret, kind: str, project: str, epoch: str, owner: str) -> str:
    """Key-check tag: shows that two parties hold the same key and tells nothing about it; 16 hex digits."""
    fields = (kind.encode("ascii"), label(project), label(epoch), owner.encode("ascii"))
    return keyed(key, encode(b"ttp/check/v1", *fields[:-1])).one(fields[-1])[:8].hex()
