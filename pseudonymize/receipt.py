"""Receipts: the TTP signs that it accepted a delivery, and how far its audit log was then; the supplier signs back.

A receipt is a folder: receipt.json, receipt.sig (the TTP) and, once the supplier has countersigned, receipt.countersig.
Whoever holds one can show that the log was cut off or written anew, because its head stands in it twice signed.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pseudonymize import signing
from pseudonymize.audit import Head, canonical, key_id
from pseudonymize.keys import Key
from pseudonymize.manifest import AgreementRef, Label, Manifest, Name, Rows, Sha256
from pseudonymize.parties import PublicKeys
from schemas.errors import ConfigError, DeliveryError

RECEIPT, SIGNATURE, COUNTERSIGNATURE = "receipt.json", "receipt.sig", "receipt.countersig"
MAX_BYTES = 65_536
_TTP, _SUPPLIER = b"koppelpunt/receipt/1\n", b"koppelpunt/countersigned-receipt/1\n"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class HeadRef(_Strict):
    """How far the audit log was."""

    n: Annotated[int, Field(ge=1)]
    hash: Sha256
    first: Sha256

    @property
    def head(self) -> Head:
        """As the verifier takes it."""
        return Head(self.n, self.hash, self.first)


class Receipt(_Strict):
    """What the TTP says it accepted."""

    format: Literal["koppelpunt/receipt/1"] = "koppelpunt/receipt/1"
    project: Label
    register_name: Name
    supplier: Label
    sequence: Annotated[int, Field(ge=1, le=999_999)]
    manifest_sha256: Sha256
    agreement: AgreementRef
    rows: Rows
    accepted_at: dt.datetime
    audit: HeadRef
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

    def encode(self) -> bytes:
        """The bytes that are signed."""
        return canonical(self.model_dump(mode="json", by_alias=True)) + b"\n"


@dataclass(frozen=True)
class Found:
    """A receipt whose signatures were checked."""

    receipt: Receipt
    countersigned: bool


def write(folder: Path, manifest: Manifest, manifest_sha256: str, head: Head, key: Key) -> Receipt:
    """Sign a receipt into `folder`; one of an earlier attempt, that nobody may have got yet, is replaced."""
    receipt = Receipt(
        project=manifest.project,
        register_name=manifest.register_name,
        supplier=manifest.supplier,
        sequence=manifest.sequence,
        manifest_sha256=manifest_sha256,
        agreement=manifest.agreement,
        rows=manifest.rows,
        accepted_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        audit=HeadRef(n=head.n, hash=head.hash, first=head.first),
        key=key_id(signing.public_half(key.secret)),
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / COUNTERSIGNATURE).unlink(missing_ok=True)
    text = receipt.encode()
    for name, content in ((SIGNATURE, signing.sign(key.secret, _TTP + text)), (RECEIPT, text)):
        part = folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)
    return receipt


def read(folder: Path, public: PublicKeys) -> Found:
    """A receipt and whether it is countersigned. DeliveryError bad_receipt when a file or signature is wrong."""
    text = _bytes(folder / RECEIPT)
    try:
        signing.verify(public.audit, _bytes(folder / SIGNATURE), _TTP + text)
        receipt = Receipt.model_validate(json.loads(text))
        countersigned = (folder / COUNTERSIGNATURE).is_file()
        if countersigned:
            own = _bytes(folder / COUNTERSIGNATURE)
            signing.verify(public.signer(receipt.supplier), own, _SUPPLIER + text)
    except (DeliveryError, ValidationError, ValueError, RecursionError):
        raise DeliveryError("bad_receipt") from None
    return Found(receipt, countersigned)


def countersign(folder: Path, key: Key, public: PublicKeys) -> Receipt:
    """The supplier's signature under the head it was shown. ConfigError agreement_mismatch for another's receipt."""
    receipt = read(folder, public).receipt
    if key.owner != receipt.supplier:
        raise ConfigError("agreement_mismatch", field="supplier")
    (folder / COUNTERSIGNATURE).write_bytes(signing.sign(key.secret, _SUPPLIER + _bytes(folder / RECEIPT)))
    return receipt


def folders(root: Path) -> list[Path]:
    """Every receipt below a folder, or the folder itself."""
    return sorted(path.parent for path in root.rglob(RECEIPT))


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise DeliveryError("bad_receipt")
    with path.open("rb") as file:
        return file.read(MAX_BYTES)
