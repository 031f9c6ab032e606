"""Keys as files: one key per file, 0400, in a folder of 0700 that belongs to one party. pseudonymisation.md 2.

A key file is JSON: format, id, kind, project, epoch, owner, check (key-check tag) and key (hex). An age
identity is a file as the stock `age` program reads it. What may be public stands in public/public.json.
"""

from __future__ import annotations

import hmac
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pseudonymize.prf import check_tag, label
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, KeyUnavailable

FORMAT = "koppelpunt/key/1"
KEY_BYTES = 32
MAX_FILE = 65_536
Kind = Literal["pre", "record", "sign", "link", "recipient", "oprf"]
_FIELDS = frozenset({"format", "id", "kind", "project", "epoch", "owner", "check", "key"})


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


def read_private(path: Path) -> bytes:
    """Contents of a private file. KeyUnavailable key_missing, or key_open when others may read it.

    The open file is what is judged (no symbolic link, no exchange between test and use).
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise KeyUnavailable("key_missing", file=_name(path)) from None
    own, folder = os.fstat(handle), path.parent.stat()
    if not stat.S_ISREG(own.st_mode) or any(_open_to_others(found) for found in (own, folder)):
        os.close(handle)
        raise KeyUnavailable("key_open", file=_name(path))
    with os.fdopen(handle, "rb") as file:
        return file.read(MAX_FILE)


def _open_to_others(found: os.stat_result) -> bool:
    return bool(found.st_mode & 0o077) or found.st_uid != os.geteuid()


def _name(path: Path) -> str:
    """Our own name for a key file: its suffix alone, because a path can hold anything."""
    return "age.key" if path.name == "age.key" else "key"


def write_private(path: Path, content: bytes) -> None:
    """Write a new private file: 0400 in a folder of 0700. ConfigError output_exists when it is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    except FileExistsError:
        raise ConfigError("output_exists") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def load(path: Path, kind: Kind) -> Key:
    """Read one key file. KeyUnavailable key_missing, key_open or key_check (also for a damaged file)."""
    content = _content(read_private(path), kind)
    key = Key(
        id=content["id"],
        kind=kind,
        project=content["project"],
        epoch=content["epoch"],
        owner=content["owner"],
        secret=Secret(bytes.fromhex(content["key"])),
    )
    key.require_tag(content["check"])
    return key


def _content(text: bytes, kind: Kind) -> dict[str, Any]:
    try:
        content = json.loads(text)
        sound = (
            content.keys() == _FIELDS
            and all(isinstance(value, str) for value in content.values())
            and (content["format"], content["kind"]) == (FORMAT, kind)
            and len(bytes.fromhex(content["key"])) == KEY_BYTES
        )
        for name in ("project", "epoch", "owner"):
            label(content[name])
    except (ValueError, AttributeError, KeyError, ConfigError):
        sound = False
    if not sound:
        raise KeyUnavailable("key_check", kind=kind)
    found: dict[str, Any] = content
    return found


def save(path: Path, key: Key) -> None:
    """Write one key file, private."""
    content = {
        "format": FORMAT,
        "id": key.id,
        "kind": key.kind,
        "project": key.project,
        "epoch": key.epoch,
        "owner": key.owner,
        "check": key.tag,
        "key": key.secret.reveal().hex(),
    }
    write_private(path, (json.dumps(content, indent=1) + "\n").encode("ascii"))
