"""Key material that cannot be printed, pickled, copied or compared in variable time."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Never

from schemas.errors import KeyUnavailable


class Secret:
    """Bytes of a key. `reveal` is the one way to them, so every use can be found by searching for it."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The raw bytes. KeyUnavailable key_not_extractable when they never leave their device."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash of a key would be a fingerprint of it

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a key is never pickled or copied")


class Remote(Secret):
    """A key inside a device: `mac` (HMAC-SHA-256 of one message) comes out, the key does not."""

    __slots__ = ("mac",)

    def __init__(self, mac: Callable[[bytes], bytes]) -> None:
        super().__init__(b"")
        self.mac = mac

    def reveal(self) -> bytes:
        """Refused: KeyUnavailable key_not_extractable."""
        raise KeyUnavailable("key_not_extractable")

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None
