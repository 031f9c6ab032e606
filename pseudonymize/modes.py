"""The ways to make a pre-pseudonym at the source, behind one interface: same type out, same partition of persons.

A `hmac`: HMAC under K_S, which all sources share. B `blind`: the oblivious PRF of an evaluator (oprf.py); the
sources share no secret. A+B `hybrid`: the oblivious PRF over A's value. What comes after (converter, linker,
recipient) is the same for all. A pseudonym's label says the mode, so modes never meet in one column, and the
key-check tag says it too, so a delivery in another mode than the project's is refused. docs/blind.md.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal, Protocol

from pseudonymize import prf
from pseudonymize.keys import Key
from schemas.errors import KeyUnavailable

Scheme = Literal["v1", "v1-blind", "v1-hybrid"]
BlindScheme = Literal["v1-blind", "v1-hybrid"]


class Stage(Protocol):
    """Identifier to pre-pseudonym for one identifier type."""

    def one(self, value: bytes) -> bytes:
        """32 bytes of one canonical identifier."""
        ...

    def fixed(self, values: bytes, width: int, size: int = prf.PSEUDONYM) -> bytes:
        """As Prf.fixed."""
        ...


class Mode(Protocol):
    """One of the three ways, ready to work for one project and epoch."""

    @property
    def scheme(self) -> Scheme:
        """Scheme version in labels and manifests."""
        ...

    @property
    def tag(self) -> str:
        """Key-check tag: equal for all sources that work with the same keys in the same mode; 16 hex digits."""
        ...

    def require(self, project: str, epoch: str) -> None:
        """ConfigError wrong_domain unless the keys are of this project and epoch."""
        ...

    def stage(self, identifier_type: str) -> Stage:
        """The function for one identifier type."""
        ...


class OwnKeys(Protocol):
    """What every source holds for itself, whatever the mode."""

    @property
    def record(self) -> Key:
        """Key of its record keys."""
        ...

    @property
    def sign(self) -> Key:
        """Its signing key."""
        ...

    @property
    def supplier(self) -> str:
        """Who it is."""
        ...


@dataclass(frozen=True)
class Shared:
    """Mode A."""

    key: Key

    @property
    def scheme(self) -> Scheme:
        """As Mode."""
        return "v1"

    @property
    def tag(self) -> str:
        """Tag of K_S."""
        return self.key.tag

    def require(self, project: str, epoch: str) -> None:
        """As Mode."""
        self.key.require(project, epoch)

    def stage(self, identifier_type: str) -> Stage:
        """HMAC under K_S."""
        return prf.pre(self.key.secret, self.key.project, self.key.epoch, identifier_type)


def require_tag(mode: Mode, expected: str) -> None:
    """KeyUnavailable key_check unless the mode's tag is the expected one; compared in constant time."""
    if not hmac.compare_digest(mode.tag.encode(), expected.encode()):
        raise KeyUnavailable("key_check", kind="pre")


def blind_scheme(pre: Key | None) -> BlindScheme:
    """The scheme of blind mode for a source without K_S, or with it."""
    return "v1-blind" if pre is None else "v1-hybrid"


def blind_tag(project: str, epoch: str, evaluator: bytes, pre: Key | None) -> str:
    """Key-check tag of blind mode (or with `pre`, of the hybrid): over the evaluator's public key, and K_S's tag."""
    return blind_tag_of(project, epoch, evaluator, "" if pre is None else pre.tag)


def blind_tag_of(project: str, epoch: str, evaluator: bytes, shared: str) -> str:
    """The same for somebody without K_S: `shared` is K_S's own tag, or empty without the hybrid."""
    kind = b"hybrid:" + shared.encode("ascii") if shared else b"blind"
    text = prf.encode(b"ttp/check/v1", kind, prf.label(project), prf.label(epoch), evaluator)
    return hashlib.sha256(text).hexdigest()[:16]
