"""Keys inside a PKCS#11 device (HSM): made or imported as sensitive and non-extractable, used as CKM_SHA256_HMAC.

One session per token and process: a token has one login per process. The PIN stands in a private file or a
systemd credential, never in an argument or a variable.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from pseudonymize.secret import Remote, Secret
from schemas.errors import KeyUnavailable

KEY_BITS: Final = 256
USE: Final = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.VERIFY: False,
    Attribute.ENCRYPT: False,
    Attribute.DECRYPT: False,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}
_sessions: dict[tuple[str, str], Any] = {}


@dataclass(frozen=True)
class Token:
    """Which device: path of its PKCS#11 module, and the token's label."""

    module: str
    label: str

    def new(self, name: str, value: Secret | None, pin: Secret) -> None:
        """Make a key under object id `name` (hex): inside the device, or imported when `value` is given.

        KeyUnavailable hsm_unavailable, with the kind of refusal.
        """
        with _told():
            session, ident = self._session(pin), bytes.fromhex(name)
            label = {Attribute.ID: ident, Attribute.LABEL: f"koppelpunt-{name}"}
            if value is None:
                session.generate_key(KeyType.GENERIC_SECRET, KEY_BITS, template={**USE, **label})
                return
            kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.GENERIC_SECRET}
            session.create_object({**kind, **USE, **label, Attribute.VALUE: value.reveal()})

    def open(self, name: str, pin: Secret) -> Remote:
        """A key by its object id. KeyUnavailable key_missing; hsm_weak_key when the device would give it away."""
        with _told():
            key = self._find(name, pin)
            if not key[Attribute.SENSITIVE] or key[Attribute.EXTRACTABLE]:
                raise KeyUnavailable("hsm_weak_key")
        sign, mechanism = key.sign, Mechanism.SHA256_HMAC

        def mac(message: bytes) -> bytes:
            with _told():
                return bytes(sign(message, mechanism=mechanism))

        return Remote(mac)

    def erase(self, name: str, pin: Secret) -> None:
        """Destroy a key in the device; nothing when it is gone already."""
        with _told(), contextlib.suppress(KeyUnavailable):
            self._find(name, pin).destroy()

    def _find(self, name: str, pin: Secret) -> Any:
        try:
            return self._session(pin).get_key(object_class=ObjectClass.SECRET_KEY, id=bytes.fromhex(name))
        except pkcs11.NoSuchKey:
            raise KeyUnavailable("key_missing", file="hsm") from None

    def _session(self, pin: Secret) -> Any:
        place = (self.module, self.label)
        if place not in _sessions:
            token = pkcs11.lib(self.module).get_token(token_label=self.label)
            _sessions[place] = token.open(user_pin=pin.reveal().decode("utf-8"), rw=True)
        return _sessions[place]


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Whatever the module says comes out as one of our errors; its text is not repeated."""
    try:
        yield
    except (pkcs11.PKCS11Error, pkcs11.NoSuchToken) as error:
        raise KeyUnavailable("hsm_unavailable", kind=type(error).__name__) from None
