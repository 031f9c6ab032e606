"""Key files: what a key is for, and where it is held. One per key, 0400, in a folder of 0700 of one party.

A key file is JSON of texts: format, id, kind, project, epoch, owner, check (key-check tag), created, until, and
how the key is held (store, kek, secret: wrapped bytes, or the object id in a device). The tag is made with
the key over kind, project, epoch and owner, so none of these can be changed without it showing.
`until` is empty for the key in use and the last day of the overlap for one that was rotated out.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from pseudonymize import certificates, clock
from pseudonymize.prf import check_tag, label, told
from pseudonymize.private import read_private, replace_private, write_private
from pseudonymize.secret import Secret
from pseudonymize.store import Held, Store
from schemas.errors import ConfigError, KeyUnavailable

FORMAT = "koppelpunt/key/2"
KEY_BYTES = 32
Kind = Literal["pre", "record", "sign", "link", "recipient", "age", "contribution", "bridge", "audit"]
KINDS: tuple[str, ...] = get_args(Kind)
IDENTITIES = frozenset({"age", "bridge"})  # age identities: text of their own length
_FIELDS = frozenset(
    {"format", "id", "kind", "project", "epoch", "owner", "check", "created", "until", "store", "kek", "secret"}
)


@dataclass(frozen=True)
class Key:
    """One key with what it is for. `tag` shows which key it is without showing the key."""

    id: str
    kind: Kind
    project: str
    epoch: str
    owner: str
    secret: Secret

    @property
    def tag(self) -> str:
        """Key-check tag, 16 hex digits."""
        return check_tag(self.secret, self.kind, self.project, self.epoch, self.owner)

    def require(self, project: str, epoch: str) -> None:
        """ConfigError wrong_domain unless the key is of this project and epoch."""
        if (self.project, self.epoch) != (project, epoch):
            raise ConfigError("wrong_domain", kind=self.kind)

    def require_tag(self, expected: str) -> None:
        """KeyUnavailable key_check unless the tag is the expected one; compared in constant time."""
        if not hmac.compare_digest(self.tag.encode(), expected.encode()):
            raise KeyUnavailable("key_check", kind=self.kind)


@dataclass(frozen=True)
class KeyFile:
    """What a key file says; nothing in it is secret but the wrapped bytes."""

    id: str
    kind: Kind
    project: str
    epoch: str
    owner: str
    check: str
    created: str
    until: str
    held: Held

    @classmethod
    def read(cls, path: Path, kind: Kind | None = None) -> KeyFile:
        """Read without opening the key. KeyUnavailable key_missing, key_open, or key_check for a damaged file."""
        text = read_private(path)
        try:
            content = json.loads(text)
            sound = content.keys() == _FIELDS and all(isinstance(value, str) for value in content.values())
            sound = (
                sound and content.pop("format") == FORMAT and content["kind"] in {kind or content["kind"]} & {*KINDS}
            )
            for name in ("project", "epoch", "owner"):
                label(content[name])
            bytes.fromhex(content["secret"] + content["id"] + content["check"])
            held = Held(content.pop("store"), content.pop("kek"), content.pop("secret"))
            found = cls(**content, held=held)
            found.last_day()
        except (ValueError, AttributeError, KeyError, TypeError, ConfigError):
            sound = False
        if not sound:
            raise KeyUnavailable("key_check", kind=kind or "key")
        return found

    def last_day(self) -> dt.date | None:
        """Last day of the overlap; None for the key in use."""
        return dt.date.fromisoformat(self.until) if self.until else None

    def text(self) -> bytes:
        """The file."""
        content = {name: value for name, value in vars(self).items() if name != "held"}
        return (json.dumps({"format": FORMAT, **content, **vars(self.held)}, indent=1) + "\n").encode("ascii")

    def open(self, folder: Path) -> Key:
        """The key itself. KeyUnavailable key_destroyed when it has a certificate, overlap_over, key_check."""
        certificates.require_alive(folder, self.check, self.kind, self.epoch)
        last = self.last_day()
        if last is not None and clock.today() > last:
            raise KeyUnavailable("overlap_over", kind=self.kind, epoch=told(self.epoch))
        store = Store.of(folder)
        secret = store.holding(self.held).open(self.held)
        key = Key(self.id, self.kind, self.project, self.epoch, self.owner, secret)
        key.require_tag(self.check)
        return key


def load(path: Path, kind: Kind) -> Key:
    """Open the key in one file. KeyUnavailable, also key_destroyed for one that was."""
    try:
        return KeyFile.read(path, kind).open(path.parent)
    except KeyUnavailable as error:
        if error.code == "key_missing":
            certificates.require_not_destroyed(path.parent, kind, path.stem)
        raise


def save(path: Path, key: Key, until: str = "") -> KeyFile:
    """Put a key in its party's store and write its file. KeyUnavailable store_missing; ConfigError output_exists."""
    if path.exists():
        raise ConfigError("output_exists")
    held = Store.of(path.parent).of_kind(key.kind).keep(key.secret)
    made = KeyFile(key.id, key.kind, key.project, key.epoch, key.owner, key.tag, clock.today().isoformat(), until, held)
    write_private(path, made.text())
    return made


def make(path: Path, kind: Kind, project: str, epoch: str, owner: str) -> KeyFile:
    """A new random key of 32 bytes, made where it is to stay (in the device, where there is one), and its file."""
    for name in (project, epoch, owner):
        label(name)
    if path.exists():
        raise ConfigError("output_exists")
    vault = Store.of(path.parent).of_kind(kind)
    held = vault.keep(None)
    tag = check_tag(vault.open(held), kind, project, epoch, owner)
    made = KeyFile(new_id(), kind, project, epoch, owner, tag, clock.today().isoformat(), "", held)
    write_private(path, made.text())
    return made


def retire(path: Path, until: dt.date) -> Path:
    """Set a key aside for the overlap: a second file, usable to the end of `until`; the first stays as it is."""
    found = KeyFile.read(path)
    aside = path.with_name(f"{path.stem}@{found.epoch}.key")
    replace_private(aside, replace(found, until=until.isoformat()).text())
    return aside


def renew_keks(folder: Path) -> bool:
    """Wrap every key file anew under a fresh KEK and erase the older KEKs; False when the KEK is a credential."""
    files = Store.of(folder).files
    if files.credential:
        return False
    files.new_kek()
    for path in sorted(folder.glob("*.key")):
        found = KeyFile.read(path)
        if found.held.store == "file":
            replace_private(path, replace(found, held=files.keep(files.open(found.held))).text())
    files.end_keks_but_newest()
    return True


def new_id() -> str:
    """Id of a new key or share set: eight hex digits, the first a letter, so that it never looks like a number."""
    return f"{secrets.choice('abcdef')}{secrets.token_hex(4)[1:]}"
