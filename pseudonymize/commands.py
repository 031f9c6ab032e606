"""The supplier's verbs by path: what `koppel check`, `koppel deliver` and `koppel keys init` call."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pseudonymize import canary, needles, signing
from pseudonymize import deliver as tool
from pseudonymize import keys as key_files
from pseudonymize import receipt as receipts
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.intake import Progress
from pseudonymize.parties import ConverterKeys, PublicKeys, SupplierKeys
from pseudonymize.report import DeliveryReport
from pseudonymize.scan import Found, Scanner
from schemas import agreement as agreements
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable
from schemas.registers import register as find

MAX_COVERAGE = 4 << 20


def check(
    source: Path, register: str | None, agreement: Path | None, synthetic: bool, quarantine: Path | None
) -> DeliveryReport:
    """Validate an extract under an agreement, or bare for a register. Errors as deliver.check."""
    agreed = agreements.load(agreement) if agreement else None
    declared = agreed.declared if agreed else find(register or "")
    return tool.check(source, declared, agreed, synthetic=synthetic, quarantine_to=quarantine)


def deliver(  # noqa: PLR0917 - the order of `koppel deliver`
    source: Path,
    agreement: Path,
    keys: Path,
    public: Path,
    sequence: int,
    out: Path,
    coverage: Path | None = None,
    period_from: dt.date | None = None,
    period_until: dt.date | None = None,
    receipt: Path | None = None,
    progress: Progress | None = None,
) -> DeliveryReport:
    """Make a delivery in folder `out`; the period is the agreement's unless named. Errors as deliver.deliver.

    `receipt`: folder of the TTP's receipt of your last delivery; its audit head is countersigned in this manifest.
    """
    agreed = agreements.load(agreement)
    public_keys = PublicKeys.load(public)
    return tool.deliver(
        source,
        agreed.declared,
        agreed,
        SupplierKeys.load(keys, agreed.epoch),
        public_keys,
        out,
        sequence=sequence,
        period=(period_from or agreed.period.from_, period_until or agreed.period.until),
        coverage=read_coverage(coverage),
        seen=None if receipt is None else receipts.read(receipt, public_keys).receipt.audit.head,
        progress=progress,
    )


def read_coverage(path: Path | None) -> dict[str, Any] | None:
    """Half-year -> {status, gemeenten}. ConfigError bad_coverage when it is not a JSON object."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_COVERAGE))
    except (OSError, ValueError):
        raise ConfigError("bad_coverage") from None
    if not isinstance(found, dict):
        raise ConfigError("bad_coverage")
    return found


def create_keys(  # noqa: PLR0917 - the order of `koppel keys init`
    home: Path, project: str, epoch: str, suppliers: list[str], recipients: list[str], pre_epoch: str = ""
) -> dict[str, Any]:
    """Keys for every party under `home`; returns how many suppliers, and the key-check tags."""
    public = create_demo_keys(home, suppliers, recipients, project, epoch, pre_epoch=pre_epoch)
    return {"suppliers": len(public.suppliers), "checks": public.checks}


def scan(  # noqa: PLR0917 - the order of the verb
    folder: Path | None,
    leaving: Path | None,
    store: Path | None,
    keys: Path | None,
    recipients: str | None,
    skip: Sequence[Path] = (),
    seen: Sequence[Path] = (),
) -> Found:
    """Scan what stays (`folder`, canaries' links at home in `store`) and what leaves (`leaving`), but not `skip`.

    `seen`: what another scan of the same run looks at, so that a link to it hides nothing.

    With `store` and the converter's `keys` for the canaries in every domain; without, for their numbers alone.
    Errors of needles.of_canaries; ConfigError bad_call when there is nothing to scan.
    """
    if folder is None and leaving is None:
        raise ConfigError("bad_call")
    if store is not None and keys is not None:
        names = recipients.split(",") if recipients else []
        scanner = Scanner(needles.of_canaries(store, ConverterKeys(keys), names))
    else:
        listed = {text for one in canary.listed() for text in (one.bsn, one.bsn_syn, one.skn)}
        scanner = Scanner(needles.of_numbers(listed))
    found = Found()
    if leaving is not None:
        found = scanner.scan(leaving, leaving=True, skip=skip)
    if folder is not None:
        found.add(scanner.scan(folder, home=store, skip=[*skip, *([leaving] if leaving else [])], seen=seen))
    return found


def sign_release(folder: Path, keys: Path) -> int:
    """Sign every SHA256SUMS one level below a release folder with the gate's key; returns how many.

    The signature (64 bytes, Ed25519, beside the list as SHA256SUMS.sig) says: this passed the gate.
    """
    key = key_files.load(keys / "sign.key", "sign")
    sums = sorted(folder.glob("*/SHA256SUMS"))
    for path in sums:
        path.with_name("SHA256SUMS.sig").write_bytes(signing.sign(key.secret, path.read_bytes()))
    return len(sums)


def sign_file(source: Path, keys: Path) -> str:
    """Sign one file's exact bytes with the gate's key, as `source`.sig; returns the file's SHA-256."""
    key = key_files.load(keys / "sign.key", "sign")
    text = source.read_bytes()
    source.with_name(f"{source.name}.sig").write_bytes(signing.sign(key.secret, text))
    return hashlib.sha256(text).hexdigest()


def verify_file(source: Path, public: Path) -> str:
    """SHA-256 of a file that carries the gate's signature. DeliveryError bad_signature; KeyUnavailable key_missing.

    `public` is the folder with gate.pem; stock tools check the same: openssl pkeyutl -verify -pubin -rawin.
    """
    text, signature = source.read_bytes(), source.with_name(f"{source.name}.sig")
    if not signature.is_file():
        raise DeliveryError("bad_signature", file="sig")
    if not (public / "gate.pem").is_file():
        raise KeyUnavailable("key_missing", file="gate.pem")
    signing.verify_pem((public / "gate.pem").read_bytes(), signature.read_bytes(), text)
    return hashlib.sha256(text).hexdigest()
