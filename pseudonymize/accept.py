"""The TTP's side of a delivery: believe nothing until signature, agreement, sequence and hashes are checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pseudonymize import audit, canary, seal, signing
from pseudonymize import manifest as manifests
from pseudonymize import receipt as receipts
from pseudonymize.ledger import Ledger
from pseudonymize.manifest import Manifest
from pseudonymize.parties import PublicKeys
from pseudonymize.population import require_at_most
from pseudonymize.receipt import Receipt
from schemas.agreement import Agreement
from schemas.errors import DeliveryError, QualityGate

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FILES = frozenset({MANIFEST, SIGNATURE, "identity.age", "payload.age"})


@dataclass(frozen=True)
class Verified:
    """A manifest that may be believed, its SHA-256, and whether this very delivery was accepted before."""

    manifest: Manifest
    sha256: str
    known: bool


def verify(
    delivery: Path,
    agreement: Agreement,
    public: PublicKeys,
    ledger: Ledger | None = None,
    *,
    waiting: int = 0,
) -> Verified:
    """Check everything that can be checked without a private key; changes nothing.

    A manifest that the ledger holds was believed under the keys and the agreement of its day, which may have been
    rotated or renewed since: of that delivery the files alone are checked again.
    Order: signature, manifest, agreement, sequence, files, hashes. Raises DeliveryError bad_signature,
    bad_manifest, agreement_mismatch, synthetic_refused, real_refused, too_many_persons, canaries_missing, replay,
    sequence_gap,
    stray_file or bad_hash; KeyUnavailable key_missing for an unknown supplier; ConfigError agreement_expired is
    the caller's to ask for. `waiting`: deliveries verified before this one and not yet recorded.
    """
    text = _read(delivery / MANIFEST, manifests.MAX_BYTES)
    digest = hashlib.sha256(text).hexdigest()
    if ledger is not None and ledger.holds(digest):
        accepted = manifests.parse(text)
        _require_files(delivery, accepted)
        return Verified(accepted, digest, known=True)
    signature = _read(delivery / SIGNATURE, signing.SIGNATURE_BYTES)
    signing.verify(public.signer(agreement.supplier), signature, text)
    found = manifests.parse(text)
    _require_agreed(found, agreement, public)
    canary.require(found)
    if ledger is not None:
        ledger.require_next(found.register_name, found.supplier, found.sequence, digest, waiting)
    _require_files(delivery, found)
    return Verified(found, digest, known=False)


def read_verified(delivery: Path) -> Manifest:
    """The manifest of a delivery that `verify` passed in an earlier step."""
    return manifests.parse(_read(delivery / MANIFEST, manifests.MAX_BYTES))


def require_hash(path: Path, expected: str | None) -> None:
    """DeliveryError bad_hash unless the file is there and has this SHA-256."""
    if expected is None or path.is_symlink() or not path.is_file() or seal.file_hash(path) != expected:
        raise DeliveryError("bad_hash", file=path.name if path.name in FILES else "other")


def require_seen(found: Manifest, log: Path) -> None:
    """QualityGate audit_broken unless our log still has the head that this supplier says it was shown."""
    if found.seen is not None and audit.line_hash(log, found.seen.n) != found.seen.hash:
        raise QualityGate("audit_broken", register=found.register_name, expected=found.seen.n)


def receive(found: Manifest, sha256: str, ledger: Ledger, *, audit_log: Path, key: Path, receipt: Path) -> Receipt:
    """Audit the acceptance and sign its receipt; the ledger is written after this, so a crash repeats it.

    DeliveryError replay or sequence_gap when the ledger would refuse it; nothing is signed then.
    """
    if not ledger.knows(found.register_name, found.supplier, found.sequence, sha256):
        ledger.require_next(found.register_name, found.supplier, found.sequence, sha256)
    signer, rows = audit.load_key(key), found.rows
    event: audit.Event = {"event": "accepted", "who": "acceptor", "why": found.agreement.id, "manifest": sha256}
    event |= {"register": found.register_name, "sequence": found.sequence, "rows": rows.in_, "accepted": rows.accepted}
    event |= {"quarantined": rows.quarantined, "out_of_scope": rows.out_of_scope, "agreement": found.agreement.sha256}
    head = audit.append(audit_log, signer, [event])
    return receipts.write(receipt, found, sha256, head, signer)


def _read(path: Path, most: int) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise DeliveryError("bad_manifest", faults=1)
    with path.open("rb") as file:
        return file.read(most + 1)


def _require_agreed(found: Manifest, agreement: Agreement, public: PublicKeys) -> None:
    """The delivery is the one this agreement is about, made with the keys everybody else uses."""
    pairs = {
        "register": (found.register_name, agreement.source),
        "supplier": (found.supplier, agreement.supplier),
        "agreement": (found.agreement.id, agreement.agreement),
        "text": (found.agreement.sha256, agreement.sha256),
        "project": (found.project, agreement.project),
        "epoch": (found.epoch, agreement.epoch),
        "key_check": (found.key_check, public.checks.get("pre")),
    }
    for field, (told, expected) in pairs.items():
        if told != expected:
            raise DeliveryError("key_check" if field == "key_check" else "agreement_mismatch", field=field)
    if set(found.identifier_types) - set(agreement.identifier_types):
        raise DeliveryError("real_refused" if agreement.synthetic else "synthetic_refused", register=agreement.source)
    require_at_most(agreement.source, found.identifiers.distinct, agreement.max_persons)
    if not (agreement.period.from_ <= found.period.from_ <= found.period.until <= agreement.period.until):
        raise DeliveryError("agreement_mismatch", field="period")


def _require_files(delivery: Path, found: Manifest) -> None:
    """Exactly the files of the manifest, each with its hash; what a stray file is called is not repeated."""
    expected = FILES if found.hashes.payload else FILES - {"payload.age"}
    if stray := sum(path.name not in expected for path in delivery.iterdir()):
        raise DeliveryError("stray_file", files=stray)
    require_hash(delivery / "identity.age", found.hashes.identity)
    if found.hashes.payload:
        require_hash(delivery / "payload.age", found.hashes.payload)
