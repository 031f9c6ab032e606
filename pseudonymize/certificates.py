"""Destruction certificates: signed statements in a party's certificates/ folder, and what they forbid.

A certificate is written before the key goes (as .pending) and takes its name when the key is gone, so a process
killed in between leaves a key that is refused, and destroying it again finishes the work. A restored key
(custody.py) has a signed statement of its own beside the certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pseudonymize import statement
from pseudonymize.prf import told
from pseudonymize.statement import Statement
from schemas.errors import KeyUnavailable

FOLDER = "certificates"
DESTRUCTION = "koppelpunt/destruction/1"
RESTORATION = "koppelpunt/restoration/1"
CLOSURE = "koppelpunt/closure/1"
DESTRUCTION_FIELDS: dict[str, type] = {
    "format": str,
    "id": str,
    "kind": str,
    "project": str,
    "epoch": str,
    "owner": str,
    "check": str,
    "file": str,
    "store": str,
    "wrapping_key": str,
    "reason": str,
    "at": str,
    "outstanding": list,
}
LATER_FIELDS: dict[str, type] = {"format": str, "id": str, "check": str, "set": str, "at": str}


def require_alive(folder: Path, check: str, kind: str, epoch: str) -> None:
    """KeyUnavailable key_destroyed when a key of this key-check tag was destroyed (and not restored since)."""
    for _, found in destroyed(folder):
        if found["check"] == check:
            raise KeyUnavailable("key_destroyed", kind=kind, epoch=told(epoch), id=found["id"])


def require_not_destroyed(folder: Path, kind: str, stem: str) -> None:
    """KeyUnavailable key_destroyed when the key of this file name (NAME or NAME@EPOCH) was: clearer than `missing`."""
    name, _, epoch = stem.partition("@")
    for _, found in destroyed(folder):
        same = found["epoch"] == epoch if epoch else found["file"] == name
        if found["kind"] == kind and found["file"].partition("@")[0] == name and same:
            raise KeyUnavailable("key_destroyed", kind=kind, epoch=told(found["epoch"]), id=found["id"])


def destroyed(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Certificates, done or pending, of keys that are not restored. ConfigError bad_statement for a damaged one."""
    for path in sorted((folder / FOLDER).glob("destroyed-*")):
        found = read(path)
        if not path.with_name(later_name("restored", found.content["id"], "")).exists():
            yield path, found.content


def later_name(what: str, ident: str, set_: str) -> str:
    """File name of a restoration (one per certificate) or a closure (one per certificate and share set)."""
    return f"restored-{ident}.json" if what == "restored" else f"{what}-{ident}-{set_}.json"


def read(path: Path) -> Statement:
    """One destruction certificate. ConfigError bad_statement."""
    return statement.read(path, DESTRUCTION_FIELDS)
