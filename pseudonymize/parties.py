"""Who holds which keys. No party's folder has both K_S and K_T: that separation is the security argument."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyrage

from pseudonymize import keys
from pseudonymize.keys import Key
from pseudonymize.prf import label
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, KeyUnavailable

PUBLIC_FORMAT = "koppelpunt/public/1"
_PUBLIC_FIELDS = frozenset({"format", "project", "epoch", "converter", "linker", "suppliers", "checks", "audit"})


@dataclass(frozen=True)
class SupplierKeys:
    """A source's own folder: its copy of K_S, its record key (shared with nobody) and its signing key."""

    pre: Key
    record: Key
    sign: Key

    @classmethod
    def load(cls, folder: Path) -> SupplierKeys:
        """Keys of one supplier. KeyUnavailable as keys.load."""
        return cls(
            pre=keys.load(folder / "pre.key", "pre"),
            record=keys.load(folder / "record.key", "record"),
            sign=keys.load(folder / "sign.key", "sign"),
        )

    @property
    def supplier(self) -> str:
        """Whose folder it is."""
        return self.sign.owner


@dataclass(frozen=True)
class ConverterKeys:
    """The converter's folder; every key is opened by the step that needs it and not before."""

    folder: Path

    def link(self) -> Key:
        """K_T."""
        return keys.load(self.folder / "link.key", "link")

    def recipient(self, name: str) -> Key:
        """K_R of one recipient."""
        key = keys.load(self.folder / f"recipient-{label(name).decode()}.key", "recipient")
        if key.owner != name:
            raise KeyUnavailable("key_check", kind="recipient")
        return key

    def identity(self) -> Secret:
        """The age identity that opens identity files."""
        return age_identity(self.folder)


@dataclass(frozen=True)
class LinkerKeys:
    """The linker's folder: the age identity that opens payload files, and nothing else."""

    folder: Path

    def identity(self) -> Secret:
        """The age identity that opens payload files."""
        return age_identity(self.folder)


@dataclass(frozen=True)
class PublicKeys:
    """What everybody may know: age recipients, suppliers' public signing keys, key-check tags by kind."""

    project: str
    epoch: str
    converter: str
    linker: str
    suppliers: dict[str, str]
    checks: dict[str, str]
    audit: str = ""  # public half of the key that signs audit log, receipts and certificates

    @classmethod
    def load(cls, folder: Path) -> PublicKeys:
        """Read public/public.json. KeyUnavailable key_missing; ConfigError bad_public_keys when it is damaged."""
        path = folder / "public.json"
        if not path.is_file():
            raise KeyUnavailable("key_missing", file="public.json")
        try:
            content = json.loads(path.read_bytes()[: keys.MAX_FILE])
            sound = content.keys() == _PUBLIC_FIELDS and content.pop("format") == PUBLIC_FORMAT
            found = cls(**content)
            sound = sound and all(isinstance(part, dict) for part in (found.suppliers, found.checks))
        except (ValueError, AttributeError, TypeError):
            sound = False
        if not sound:
            raise ConfigError("bad_public_keys")
        return found

    def save(self, folder: Path) -> None:
        """Write public.json, readable by all."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": PUBLIC_FORMAT, **vars(self)}, indent=1, sort_keys=True)
        (folder / "public.json").write_text(text + "\n", encoding="ascii")

    def signer(self, supplier: str) -> str:
        """A supplier's public signing key. KeyUnavailable key_missing for a supplier we do not know."""
        if supplier not in self.suppliers:
            raise KeyUnavailable("key_missing", file="public.json")
        return self.suppliers[supplier]


def age_identity(folder: Path) -> Secret:
    """The secret line of an age identity file. KeyUnavailable key_missing, key_open or key_check."""
    lines = keys.read_private(folder / "age.key").decode("ascii", errors="replace").splitlines()
    found = [line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-1")]
    if len(found) != 1:
        raise KeyUnavailable("key_check", kind="age")
    return Secret(found[0].encode("ascii", errors="replace"))


def new_age_identity(folder: Path) -> str:
    """Make an age identity file in a party's folder; returns the public recipient."""
    made = pyrage.x25519.Identity.generate()
    recipient = str(made.to_public())
    keys.write_private(folder / "age.key", f"# public key: {recipient}\n{made}\n".encode("ascii"))
    return recipient
