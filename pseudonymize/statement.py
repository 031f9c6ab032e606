"""Signed statements: small JSON files that anybody can check with a public key, offline.

{"statement": {...}, "signer": name, "signature": hex}; the signature (Ed25519) is over a label and the
statement as canonical JSON: sorted keys, no blanks, ASCII. A statement holds texts, whole numbers, and lists
or objects of them, so its canonical form is its only form. Files are bounded and read strictly: no key twice,
no field more or less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudonymize import signing
from pseudonymize.prf import label, told
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, DeliveryError

MAX_BYTES = 262_144
_PREFIX = b"koppelpunt/statement/1\n"
_FIELDS = frozenset({"statement", "signer", "signature"})


@dataclass(frozen=True)
class Statement:
    """What was said, by whom, and the proof."""

    content: dict[str, Any]
    signer: str
    signature: str

    def require_signed(self, public: str) -> None:
        """ConfigError bad_statement with the signer's name, unless signed with the key of which this is the half."""
        try:
            signing.verify(public, bytes.fromhex(self.signature), _message(self.content, self.signer))
        except (DeliveryError, ValueError):
            raise ConfigError("bad_statement", party=told(self.signer)) from None


def canonical(content: object) -> bytes:
    """The one form of a statement."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def make(content: Mapping[str, Any], signer: str, secret: Secret) -> bytes:
    """The text of a signed statement."""
    plain = dict(content)
    signature = signing.sign(secret, _message(plain, signer)).hex()
    whole = {"statement": plain, "signer": signer, "signature": signature}
    return (json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


def parse(text: bytes, fields: Mapping[str, type]) -> Statement:
    """Read a statement; its fields must be exactly these, of these types. ConfigError bad_statement."""
    try:
        whole = loads(text)
        sound = whole.keys() == _FIELDS and isinstance(whole["signature"], str)
        found = Statement(whole["statement"], whole["signer"], whole["signature"])
        label(found.signer)
        sound = sound and found.content.keys() == fields.keys() and plain(found.content)
        sound = sound and all(type(found.content[name]) is kind for name, kind in fields.items())
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError, ConfigError):
        sound = False
    if not sound:
        raise ConfigError("bad_statement")
    return found


def read(path: Path, fields: Mapping[str, type]) -> Statement:
    """`parse` of a file; a symbolic link or a folder is no statement."""
    if path.is_symlink() or not path.is_file():
        raise ConfigError("bad_statement")
    with path.open("rb") as file:
        return parse(file.read(MAX_BYTES + 1), fields)


def loads(text: bytes) -> dict[str, Any]:
    """A JSON object, each key once, not too long. ValueError otherwise."""
    if len(text) > MAX_BYTES:
        raise ValueError
    found = json.loads(text.decode("ascii"), object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise TypeError
    return found


def plain(value: object) -> bool:
    """True for texts, whole numbers, and lists and objects of them."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(plain(one) for one in value)
    return type(value) in {str, int}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _message(content: object, signer: str) -> bytes:
    return _PREFIX + signer.encode("ascii") + b"\n" + canonical(content)
