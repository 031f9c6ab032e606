"""Who holds which keys. No party's folder has both K_S and K_T: that separation is the security argument."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pyrage

from pseudonymize import certificates, keys, store
from pseudonymize.keys import Key, Kind
from pseudonymize.prf import label, told
from pseudonymize.private import MAX_FILE, read_private, write_private
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, KeyUnavailable

PUBLIC_FORMAT = "koppelpunt/public/1"
_PUBLIC_FIELDS = frozenset({"format", "project", "epoch", "converter", "linker", "suppliers", "checks"})
_LATER_FIELDS = frozenset({"certifiers", "audit"})
CONVERTER = "converter"
ANY = "any"  # project and epoch of what serves them all


@dataclass(frozen=True)
class SupplierKeys:
    """A source's own folder: its copy of K_S, its record key (shared with nobody) and its signing key."""

    pre: Key
    record: Key
    sign: Key

    @classmethod
    def load(cls, folder: Path, epoch: str | None = None) -> SupplierKeys:
        """Keys of one supplier: those of `epoch` while its overlap lasts, else those in use. Errors as keys.load."""

        def of(kind: Kind) -> Key:
            aside = folder / f"{kind}@{epoch}.key"
            return keys.load(aside if aside.exists() else folder / f"{kind}.key", kind)

        return cls(pre=of("pre"), record=of("record"), sign=of("sign"))

    @property
    def supplier(self) -> str:
        """Whose folder it is."""
        return self.sign.owner


@dataclass(frozen=True)
class ConverterKeys:
    """The converter's folder; every key is opened by the step that needs it and not before.

    `epoch` names another epoch than the one in use: allowed until the end of its overlap.
    """

    folder: Path
    epoch: str | None = None

    def link(self) -> Key:
        """K_T."""
        return in_epoch(self.folder, "link", "link", self.epoch)

    def recipient(self, name: str) -> Key:
        """K_R of one recipient."""
        key = in_epoch(self.folder, stem("recipient", name), "recipient", self.epoch)
        if key.owner != name:
            raise KeyUnavailable("key_check", kind="recipient")
        return key

    def sign(self) -> Key:
        """The key that signs certificates and bridges."""
        return keys.load(self.folder / "sign.key", "sign")

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
    """What everybody may know: age recipients, suppliers' public signing keys, key-check tags by kind.

    `certifiers` are the public signing keys of the TTP's own parties, which sign destruction certificates.
    """

    project: str
    epoch: str
    converter: str
    linker: str
    suppliers: dict[str, str]
    checks: dict[str, str]
    certifiers: dict[str, str] = field(default_factory=dict)
    audit: str = ""  # public half of the key that signs audit log, receipts and certificates

    @classmethod
    def load(cls, folder: Path) -> PublicKeys:
        """Read public/public.json. KeyUnavailable key_missing; ConfigError bad_public_keys when it is damaged."""
        path = folder / "public.json"
        if not path.is_file():
            raise KeyUnavailable("key_missing", file="public.json")
        try:
            content = json.loads(path.read_bytes()[:MAX_FILE])
            sound = content.keys() - _LATER_FIELDS == _PUBLIC_FIELDS and content.pop("format") == PUBLIC_FORMAT
            found = cls(**content)
            sound = sound and all(isinstance(part, dict) for part in (found.suppliers, found.checks, found.certifiers))
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


def stem(kind: str, owner: str) -> str:
    """Name of a key file, without `.key`: its kind, and whose it is where there are several. ConfigError bad_label."""
    return f"{kind}-{label(owner).decode()}" if kind in {"recipient", "bridge"} else kind


def in_epoch(folder: Path, name: str, kind: Kind, epoch: str | None) -> Key:
    """The key in use, or that of another epoch named. KeyUnavailable, also overlap_over and key_destroyed."""
    if epoch is None:
        return keys.load(folder / f"{name}.key", kind)
    aside = folder / f"{name}@{label(epoch).decode()}.key"
    if aside.exists():
        return keys.load(aside, kind)
    try:
        found = keys.load(folder / f"{name}.key", kind)
    except KeyUnavailable as error:
        if error.code == "key_missing":
            certificates.require_not_destroyed(folder, kind, aside.stem)
        raise
    if found.epoch != epoch:
        certificates.require_not_destroyed(folder, kind, aside.stem)
        raise KeyUnavailable("key_missing", kind=kind, epoch=told(epoch))
    return found


def age_identity(folder: Path) -> Secret:
    """A party's age identity: its secret line. KeyUnavailable key_missing, key_open or key_check.

    A folder without a store may hold it as the stock `age` program writes it.
    """
    if (folder / store.FILE).exists():
        return keys.load(folder / "age.key", "age").secret
    lines = read_private(folder / "age.key").decode("ascii", errors="replace").splitlines()
    found = [line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-1")]
    if len(found) != 1:
        raise KeyUnavailable("key_check", kind="age")
    return Secret(found[0].encode("ascii", errors="replace"))


def new_age_identity(folder: Path) -> str:
    """Make a party's age identity, in its store where it has one; returns the public recipient."""
    made, recipient = age_pair()
    if (folder / store.FILE).exists():
        keys.save(folder / "age.key", Key(keys.new_id(), "age", ANY, ANY, ANY, made))
    else:
        text = f"# public key: {recipient}\n".encode("ascii") + made.reveal() + b"\n"
        write_private(folder / "age.key", text)
    return recipient


def age_pair() -> tuple[Secret, str]:
    """A fresh age identity (its secret line) and the recipient that goes with it."""
    made = pyrage.x25519.Identity.generate()
    return Secret(str(made).encode("ascii")), str(made.to_public())
