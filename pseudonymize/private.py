"""Files that only their owner reads: 0400 in a folder of 0700; and their end, overwritten before they go."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from schemas.errors import ConfigError, KeyUnavailable

MAX_FILE = 65_536
_ALL, _OTHERS = 0o077, 0o007


def read_private(path: Path) -> bytes:
    """Contents of a private file. KeyUnavailable key_missing, or key_open when others may read it.

    The open file is what is judged (no symbolic link, no exchange between test and use).
    """
    return _read(path, own=True)


def read_credential(path: Path) -> bytes:
    """Contents of a file that the service manager hands out (systemd LoadCredential): root's, closed to the world.

    KeyUnavailable key_missing, key_open.
    """
    return _read(path, own=False)


def _read(path: Path, *, own: bool) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise KeyUnavailable("key_missing", file=_name(path)) from None
    found, folder = os.fstat(handle), path.parent.stat()
    if not stat.S_ISREG(found.st_mode) or any(_open(one, own=own) for one in (found, folder)):
        os.close(handle)
        raise KeyUnavailable("key_open", file=_name(path))
    with os.fdopen(handle, "rb") as file:
        return file.read(MAX_FILE)


def _open(found: os.stat_result, *, own: bool) -> bool:
    if not own:
        return bool(found.st_mode & _OTHERS)
    return bool(found.st_mode & _ALL) or found.st_uid != os.geteuid()


def _name(path: Path) -> str:
    """Our own name for a private file: its suffix alone, because a path can hold anything."""
    return "age.key" if path.name == "age.key" else "kek" if path.suffix == ".kek" else "key"


def own_folder(path: Path) -> None:
    """Make a folder that is its owner's alone (0700)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a new private file: 0400 in a folder of 0700. ConfigError output_exists when it is there."""
    own_folder(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    except FileExistsError:
        raise ConfigError("output_exists") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        to_disk(file)


def to_disk(file: BinaryIO) -> None:
    """Wait until the disk has it: a key that a power cut takes away takes its pseudonyms along."""
    file.flush()
    os.fsync(file.fileno())


def replace_private(path: Path, content: bytes) -> None:
    """Put new content in the place of a private file, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # what a killed process left
    write_private(fresh, content)
    fresh.replace(path)


def erase(path: Path) -> None:
    """Overwrite a file with noise and remove it; nothing when it is gone already.

    A flash disk or a snapshot may keep the old blocks: what makes a key unrecoverable is that its wrapping
    key goes too (store.py), not this.
    """
    if not path.is_file() or path.is_symlink():
        return
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        to_disk(file)
    path.unlink()
