"""Verify by path, offline: a log with the receipts and certificates that somebody holds. Public keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pseudonymize import anchor, auditverify, certificate, keys, receipt
from pseudonymize.auditverify import Report
from pseudonymize.parties import PublicKeys
from pseudonymize.seal import file_hash
from schemas.errors import DeliveryError, KeyUnavailable


def load_public(folder: Path) -> PublicKeys:
    """Public keys that can verify. KeyUnavailable key_missing for a project without an audit key."""
    public = PublicKeys.load(folder)
    if not public.audit:
        raise KeyUnavailable("key_missing", file="public.json")
    return public


def verify(
    log: Path,
    public: Path,
    receipts: Path | None = None,
    certificates: Path | None = None,
    anchors: Sequence[Path] = (),
) -> tuple[Report, dict[str, int]]:
    """The report on a log, and counts of receipts, countersigned ones, certificates, anchors. Errors as load_public.

    A receipt, certificate or anchor that is not signed as it should be is a fault too: bad_receipt, bad_certificate,
    bad_anchor.
    """
    known = load_public(public)
    found = [_receipt(folder, known) for folder in (receipt.folders(receipts) if receipts else [])]
    good = [one for one in found if one is not None]
    held = [anchor.read(path, known.audit) for path in anchors]
    deposited = [head for head in held if head is not None]
    report = auditverify.verify(log, known.audit, [*deposited, *(one.receipt.audit.head for one in good)])
    if len(deposited) < len(anchors):
        report.fault("bad_anchor", 0)
    if len(good) < len(found):
        report.fault("bad_receipt", 0)
    papers = sorted(certificates.glob("certificate-*.json")) if certificates else []
    if not all(_certificate(path, known, report) for path in papers):
        report.fault("bad_certificate", 0)
    counts = {"receipts": len(good), "countersigned": sum(one.countersigned for one in good)}
    return report, {**counts, "certificates": len(papers), "anchors": len(deposited)}


def _receipt(folder: Path, public: PublicKeys) -> receipt.Found | None:
    try:
        return receipt.read(folder, public)
    except DeliveryError:
        return None


def _certificate(path: Path, public: PublicKeys, report: Report) -> bool:
    """Signed, and its hash is in the log."""
    try:
        certificate.read(path, public.audit)
    except DeliveryError:
        return False
    return file_hash(path) in report.told


def countersign(folder: Path, own: Path, public: Path) -> dict[str, Any]:
    """A supplier signs the head in a receipt with its own key; returns what the receipt says."""
    made = receipt.countersign(folder, keys.load(own / "sign.key", "sign"), load_public(public))
    return described(made, True)


def show(folder: Path, public: Path) -> dict[str, Any]:
    """What a receipt says, its signatures checked. DeliveryError bad_receipt."""
    found = receipt.read(folder, load_public(public))
    return described(found.receipt, found.countersigned)


def described(made: receipt.Receipt, countersigned: bool) -> dict[str, Any]:
    """For people and JSON."""
    return {
        "register": made.register_name,
        "supplier": made.supplier,
        "sequence": made.sequence,
        "accepted_at": made.accepted_at.isoformat(),
        "rows": made.rows.in_,
        "accepted": made.rows.accepted,
        "manifest_sha256": made.manifest_sha256,
        "audit_line": made.audit.n,
        "audit_hash": made.audit.hash,
        "countersigned": countersigned,
    }


def deposit(log: Path, public: Path, out: Path) -> dict[str, Any]:
    """Write the anchor of a log in the new file `out`. Errors as anchor.make and load_public."""
    return anchor.make(log, load_public(public).audit, out)
