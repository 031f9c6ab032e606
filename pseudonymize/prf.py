"""The length-prefixed HMAC-SHA-256 of protocol v1 (pseudonymisation.md section 1), one value or a batch.

Message = fields, each preceded by its length in four big-endian bytes. All fields but the last are the same
for a whole batch, so the key block and these fields are hashed once and the state is copied per value: that is
the reference, pyca/cryptography's HMAC. Large batches go to the lanes kernel when it is there (fast.py), which
is held to the reference on a sample of every batch.
"""

from __future__ import annotations

import re
import struct
from typing import Never

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from pseudonymize import fast
from pseudonymize.secret import Remote, Secret
from schemas.errors import ConfigError

SCHEME = "v1"
PSEUDONYM = 32  # bytes; never truncated between the stages
RECORD_KEY = 16  # bytes; 1.2e-23 expected collisions over the BSN space (pseudonymisation.md section 5)
_LABEL = re.compile(r"[a-z0-9-]{1,64}")
_LONG = re.compile(r"\d{8,}")
_RECORD_LABEL = re.compile(r"[a-z0-9_]{1,64}\.[a-z0-9_]{1,64}")


def encode(*fields: bytes) -> bytes:
    """Length-prefixed fields; injective, so no two field lists give the same message."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def label(text: str) -> bytes:
    """A project, epoch or recipient name as bytes. ConfigError bad_label unless [a-z0-9-]{1,64}."""
    if not _LABEL.fullmatch(text):
        raise ConfigError("bad_label")
    return text.encode("ascii")


def told(text: str) -> str:
    """A name as an error may tell it: an epoch such as 20260101 must not look like a number of a person."""
    return _LONG.sub("+", text)[:160]


class Prf:
    """HMAC-SHA-256 under one key with constant leading bytes. No repr of the key, no pickle."""

    __slots__ = ("_key", "_lanes", "_prefix", "_state")

    def __init__(self, key: Secret, prefix: bytes = b"") -> None:
        self._key, self._prefix = key, prefix
        self._state = HMAC(key.reveal(), SHA256())
        self._state.update(prefix)
        self._lanes: fast.Lanes | None = None

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a key is never pickled or copied")

    def raw(self, message: bytes) -> bytes:
        """HMAC of prefix + message as they stand: 32 bytes."""
        state = self._state.copy()
        state.update(message)
        return state.finalize()

    def one(self, value: bytes) -> bytes:
        """The pseudonym of one value (the last, length-prefixed field): 32 bytes."""
        return self.raw(encode(value))

    def fixed(self, values: bytes, width: int, size: int = PSEUDONYM) -> bytes:
        """Pseudonyms, back to back and each `size` bytes, of values of one width lying back to back."""
        made = self._by_lanes(values, width) if fast.ready(len(values) // width) else None
        if made is None:
            made = self.reference(values, width)
        if size == PSEUDONYM:
            return made
        return np.frombuffer(made, np.uint8).reshape(-1, PSEUDONYM)[:, :size].tobytes()

    def reference(self, values: bytes, width: int) -> bytes:
        """What `fixed` gives at full size, always by the reference."""
        first = self._state.copy()
        first.update(width.to_bytes(4, "big"))
        copy = first.copy
        found: list[bytes] = []
        add = found.append
        for (value,) in struct.iter_unpack(f"{width}s", values):
            state = copy()
            state.update(value)
            add(state.finalize())
        return b"".join(found)

    def _by_lanes(self, values: bytes, width: int) -> bytes | None:
        """The same by the kernel; None when the sample shows that it cannot be trusted."""
        if self._lanes is None and fast.switch.kernel is not None:
            self._lanes = fast.Lanes(fast.switch.kernel, self._key, self._prefix)
        if self._lanes is None or not values:
            return None
        made = self._lanes.batch(values, width, width.to_bytes(4, "big"))
        return made if fast.agreed(made, values, width, self.one) else None


class RemotePrf(Prf):
    """The same function under a key that stays in its device: one call of the device per value."""

    __slots__ = ("_mac",)

    def __init__(self, key: Remote, prefix: bytes) -> None:
        self._mac, self._prefix = key.mac, prefix

    def raw(self, message: bytes) -> bytes:
        """HMAC of prefix + message as they stand: 32 bytes."""
        return self._mac(self._prefix + message)

    def reference(self, values: bytes, width: int) -> bytes:
        """As Prf.reference."""
        mac, head = self._mac, self._prefix + width.to_bytes(4, "big")
        return b"".join([mac(head + value) for (value,) in struct.iter_unpack(f"{width}s", values)])

    def _by_lanes(self, values: bytes, width: int) -> bytes | None:
        return None


def keyed(key: Secret, prefix: bytes = b"") -> Prf:
    """The function under this key, wherever the key is."""
    return RemotePrf(key, prefix) if isinstance(key, Remote) else Prf(key, prefix)


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
