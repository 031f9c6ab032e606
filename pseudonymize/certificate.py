"""Certificates of deletion: what was deleted under which agreement, in hashes and counts, signed and audited.

`certificate-0001.json` and `.sig`, numbered without gaps. Nothing in one can name a person: every text in it is one of
our own names, by the test that the facts of an error pass.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from pseudonymize import audit, signing
from pseudonymize.audit import canonical
from pseudonymize.keys import Key
from pseudonymize.manifest import Count, Sha256
from schemas.errors import DeliveryError, KoppelError

MAX_BYTES = 16 << 20
_PURPOSE = b"koppelpunt/deletion/1\n"
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Item(_Strict):
    """One thing deleted. `days` is the term, `since` the day it began."""

    kind: Word
    register_name: Word = Field(alias="register")
    sequence: Count
    agreement: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{3,64}$")]
    days: Annotated[int, Field(ge=1)]
    since: dt.date
    files: Count
    bytes: Count
    sha256: Sha256

    @field_validator("agreement")
    @classmethod
    def _ours(cls, value: str) -> str:
        KoppelError("certificate", agreement=value)  # UnsafeFact for what can be a number of a person
        return value


class Certificate(_Strict):
    """What one run of retention deleted."""

    format: Literal["koppelpunt/deletion/1"] = "koppelpunt/deletion/1"
    number: Annotated[int, Field(ge=1)]
    date: dt.date
    signed_at: dt.datetime
    items: tuple[Item, ...] = Field(min_length=1)

    def encode(self) -> bytes:
        """The bytes that are signed."""
        return canonical(self.model_dump(mode="json", by_alias=True)) + b"\n"


def certify(draft: Path, folder: Path, key: Key, log: Path) -> tuple[Certificate, str]:
    """Sign the next certificate from a draft {date, items}, and audit it; returns it and its SHA-256.

    DeliveryError bad_certificate for a draft of another shape.
    """
    number = len(list(folder.glob("certificate-*.sig"))) + 1
    try:
        content = json.loads(draft.read_bytes()[:MAX_BYTES])
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        made = Certificate(number=number, signed_at=now, **content)
    except (ValidationError, ValueError, TypeError):
        raise DeliveryError("bad_certificate") from None
    text = made.encode()
    digest = audit.sha256(text)
    counts: audit.Event = {"items": len(made.items), "files": sum(i.files for i in made.items), "sha256": digest}
    about: audit.Event = {"event": "deleted", "who": "operator", "why": "retention", "certificate": number}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"certificate-{number:04d}"
    (folder / f"{name}.json").write_bytes(text)
    audit.append(log, key, [{**about, **counts}])
    (folder / f"{name}.sig").write_bytes(signing.sign(key.secret, _PURPOSE + text))
    return made, digest


def read(path: Path, public: str) -> Certificate:
    """A certificate whose signature was checked. DeliveryError bad_certificate."""
    try:
        text = path.read_bytes()
        signing.verify(public, path.with_suffix(".sig").read_bytes(), _PURPOSE + text)
        return Certificate.model_validate(json.loads(text))
    except (DeliveryError, OSError, ValueError, ValidationError):
        raise DeliveryError("bad_certificate") from None
