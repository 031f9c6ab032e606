"""Where the keys of one party are held, behind one interface: wrapped files, or a PKCS#11 device. Decision 10.

`store.json` in a party's folder names places and no secret: the folder (or systemd credential) with the
key-encryption key (KEK), and the device with the file (or credential) that holds its PIN. Keys that only make
HMACs go to the device where there is one; signing seeds and age identities are wrapped files, always.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from pseudonymize.prf import Prf
from pseudonymize.private import erase, own_folder, read_credential, read_private, write_private
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, KeyUnavailable

FORMAT = "koppelpunt/store/1"
FILE = "store.json"
KEK_BYTES = 32
CREDENTIAL = "credential:"
IN_DEVICE = frozenset({"pre", "record", "link", "recipient"})
_FIELDS = frozenset({"format", "kek", "module", "token", "pin"})


@dataclass(frozen=True)
class Held:
    """How a key is held, as its file says: by which store, under which KEK, and the wrapped bytes or object id."""

    store: str
    kek: str
    secret: str


class Vault(Protocol):
    """A place for keys. `keep` makes a random one when given none."""

    def keep(self, secret: Secret | None) -> Held:
        """Take a key in."""
        ...

    def open(self, held: Held) -> Secret:
        """The key, to use. KeyUnavailable when it cannot be had."""
        ...

    def erase(self, held: Held) -> None:
        """End a key."""
        ...


@dataclass(frozen=True)
class Files:
    """Key files wrapped with AES-KWP (RFC 5649) under a KEK that lies elsewhere."""

    kek: Path
    credential: bool

    def keep(self, secret: Secret | None) -> Held:
        """Wrap under the newest KEK."""
        name, kek = self._newest()
        wrapped = aes_key_wrap_with_padding(kek.reveal(), (secret or random()).reveal())
        return Held("file", name, wrapped.hex())

    def open(self, held: Held) -> Secret:
        """Unwrap. KeyUnavailable kek_missing, key_check."""
        name, kek = self._named(held.kek)
        if name != held.kek:
            raise KeyUnavailable("kek_missing")
        try:
            return Secret(aes_key_unwrap_with_padding(kek.reveal(), bytes.fromhex(held.secret)))
        except (InvalidUnwrap, ValueError):
            raise KeyUnavailable("key_check", kind="wrapped") from None

    def erase(self, held: Held) -> None:
        """Nothing here: the file goes with its folder's entry, the KEK with `renew`."""

    def new_kek(self) -> None:
        """Make the next KEK."""
        kek, names = random(), self._names()
        number = int(names[-1][:4]) + 1 if names else 1
        write_private(self.kek / f"{number:04d}-{_tag(kek)}.kek", kek.reveal().hex().encode("ascii"))

    def end_keks_but_newest(self) -> None:
        """Erase every older KEK: what was wrapped under it cannot be opened any more, in any copy."""
        for name in self._names()[:-1]:
            erase(self.kek / f"{name}.kek")

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self.kek.glob("[0-9]*.kek"))

    def _newest(self) -> tuple[str, Secret]:
        names = [""] if self.credential else self._names()
        if not names:
            raise KeyUnavailable("kek_missing")
        return self._named(names[-1])

    def _named(self, name: str) -> tuple[str, Secret]:
        """The KEK and its own name; a credential is the only one of its party."""
        try:
            if self.credential:
                kek = _kek(read_credential(self.kek))
                return f"credential-{_tag(kek)}", kek
            kek = _kek(read_private(self.kek / f"{Path(name).name}.kek"))
        except KeyUnavailable as error:
            if error.code != "key_missing":
                raise
            raise KeyUnavailable("kek_missing") from None
        if not name.endswith(_tag(kek)):
            raise KeyUnavailable("kek_missing")
        return name, kek


@dataclass(frozen=True)
class Device:
    """Keys in a PKCS#11 token; the file keeps the object id only."""

    module: str
    token: str
    pin: Callable[[], Secret]

    def keep(self, secret: Secret | None) -> Held:
        """Make the key in the device, or import it; it never leaves again."""
        from pseudonymize.hsm import Token  # noqa: PLC0415 - only who has a device loads its library

        name = secrets.token_hex(16)
        Token(self.module, self.token).new(name, secret, self.pin())
        return Held("hsm", self.token, name)

    def open(self, held: Held) -> Secret:
        """A key that makes MACs and cannot be revealed."""
        from pseudonymize.hsm import Token  # noqa: PLC0415

        return Token(self.module, self.token).open(held.secret, self.pin())

    def erase(self, held: Held) -> None:
        """Destroy it in the device."""
        from pseudonymize.hsm import Token  # noqa: PLC0415

        Token(self.module, self.token).erase(held.secret, self.pin())


@dataclass(frozen=True)
class Store:
    """The stores of one party's folder."""

    files: Files
    device: Device | None

    @classmethod
    def of(cls, folder: Path) -> Store:
        """Read store.json. KeyUnavailable store_missing; ConfigError bad_store when it is damaged."""
        try:
            content = json.loads(read_private(folder / FILE))
            sound = content.keys() == _FIELDS and all(isinstance(value, str) for value in content.values())
            sound = sound and content.pop("format") == FORMAT and bool(content["module"]) == bool(content["token"])
        except KeyUnavailable as error:
            if error.code != "key_missing":
                raise
            raise KeyUnavailable("store_missing") from None
        except (ValueError, AttributeError, KeyError):
            sound = False
        if not sound:
            raise ConfigError("bad_store")
        files = Files(_place(folder, content["kek"]), content["kek"].startswith(CREDENTIAL))
        if not content["module"]:
            return cls(files, None)
        return cls(files, Device(content["module"], content["token"], lambda: _pin(folder, content["pin"])))

    def of_kind(self, kind: str) -> Vault:
        """Where a new key of this kind goes."""
        return self.device if self.device and kind in IN_DEVICE else self.files

    def holding(self, held: Held) -> Vault:
        """Where a key that exists is. KeyUnavailable hsm_unavailable when its device is not configured."""
        if held.store == "file":
            return self.files
        if self.device is None or held.kek != self.device.token:
            raise KeyUnavailable("hsm_unavailable", kind="NotConfigured")
        return self.device


def create(folder: Path, *, kek: str, module: str = "", token: str = "", pin: str = "") -> Store:
    """Set up a party's folder: write store.json, and a first KEK unless `kek` is `credential:NAME`.

    Places are relative to the folder. ConfigError output_exists when the folder has a store, or the KEK
    folder a KEK; bad_store when the KEK would lie among the keys, or a device lacks its token label or PIN file.
    """
    if len({bool(module), bool(token), bool(pin)}) != 1 or not kek:
        raise ConfigError("bad_store")
    own_folder(folder)
    place = _place(folder, kek)
    if not kek.startswith(CREDENTIAL) and place.resolve().is_relative_to(folder.resolve()):
        raise ConfigError("bad_store")
    if not kek.startswith(CREDENTIAL) and place.is_dir() and any(place.iterdir()):
        raise ConfigError("output_exists")
    content = {"format": FORMAT, "kek": kek, "module": module, "token": token, "pin": pin}
    write_private(folder / FILE, (json.dumps(content, indent=1) + "\n").encode("utf-8"))
    made = Store.of(folder)
    if not made.files.credential:
        own_folder(place)
        made.files.new_kek()
    return made


def random() -> Secret:
    """A new key: 32 bytes from the operating system, derived from nothing."""
    return Secret(secrets.token_bytes(KEK_BYTES))


def _place(folder: Path, text: str) -> Path:
    if not text.startswith(CREDENTIAL):
        return folder / text
    name = Path(text.removeprefix(CREDENTIAL)).name
    return Path(os.environ.get("CREDENTIALS_DIRECTORY", os.devnull)) / name


def _pin(folder: Path, text: str) -> Secret:
    read = read_credential if text.startswith(CREDENTIAL) else read_private
    return Secret(read(_place(folder, text)).strip())


def _kek(text: bytes) -> Secret:
    """A KEK file: 64 hex digits, or 32 raw bytes (what `openssl rand 32` makes)."""
    if len(text) == KEK_BYTES:
        return Secret(text)
    try:
        found = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        found = b""
    if len(found) != KEK_BYTES:
        raise KeyUnavailable("key_check", kind="kek")
    return Secret(found)


def _tag(kek: Secret) -> str:
    return Prf(kek).raw(b"koppelpunt/kek/1")[:5].hex()
