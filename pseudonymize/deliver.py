"""The supplier tool: an extract in, a sealed and signed delivery out. Streaming, memory bounded.

What lands on disk: sealed files, a signed manifest with counts, and beside it the supplier's own list of rows
to look at. Nothing identifying in clear: when memory is too small, the shuffle spills encrypted.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from pseudonymize import canary, fast, seal, signing
from pseudonymize import manifest as manifests
from pseudonymize.audit import Head
from pseudonymize.columns import Canonical
from pseudonymize.folder import appearing, require_free
from pseudonymize.identify import Rules
from pseudonymize.intake import Batch, Progress, accepted
from pseudonymize.manifest import Manifest
from pseudonymize.modes import Mode, OwnKeys, Shared, require_tag
from pseudonymize.parties import PublicKeys, SupplierKeys
from pseudonymize.quarantine import Quarantine
from pseudonymize.report import DeliveryReport
from pseudonymize.shuffle import LIMIT, Shuffle
from pseudonymize.split import RowSet, Splitter, payload_columns
from schemas.agreement import Agreement
from schemas.errors import ConfigError, KeyUnavailable
from schemas.register import Register

ROW_BYTES = 128  # of an extract: a guess, to know beforehand whether many values are to come


def check(
    source: Path,
    register: Register,
    agreement: Agreement | None = None,
    *,
    synthetic: bool = False,
    quarantine_to: Path | None = None,
    progress: Progress | None = None,
) -> DeliveryReport:
    """Validate an extract and deliver nothing. Errors as intake.accepted."""
    rules = Rules.bare(synthetic) if agreement is None else Rules.of(agreement)
    report = DeliveryReport(register.name, quarantine_file=quarantine_to)
    with Quarantine(register, quarantine_to) as quarantine:
        for _ in accepted(source, register, rules, report, quarantine, progress=progress):
            pass
    return report


def deliver(  # noqa: PLR0917 - who, what, under which agreement, whose keys, where to
    source: Path,
    register: Register,
    agreement: Agreement,
    keys: SupplierKeys | OwnKeys,
    public: PublicKeys,
    out: Path,
    *,
    mode: Mode | None = None,
    sequence: int,
    period: tuple[dt.date, dt.date],
    coverage: dict[str, Any] | None = None,
    seen: Head | None = None,
    progress: Progress | None = None,
    limit: int = LIMIT,
    temporary: Path | None = None,
) -> DeliveryReport:
    """Make the delivery folder `out`: manifest.json, manifest.sig, identity.age, payload.age. All or nothing.

    `seen` is the head of the TTP's audit log in your last receipt: the manifest countersigns it. Without `mode`:
    mode A, under the K_S of `keys`.
    The list of rows to look at becomes `quarantaine-<out>.csv` beside it. Raises ConfigError
    (bad_sequence, agreement_mismatch, agreement_expired, wrong_domain, output_exists), KeyUnavailable key_check and
    what `check` raises.
    """
    if not 1 <= sequence <= manifests.MAX_SEQUENCE:
        raise ConfigError("bad_sequence")
    mode = mode or _shared(keys)
    _require(register, agreement, keys, mode, public, period)
    require_free(out)
    listing = out.with_name(f"quarantaine-{out.name}.csv")
    listing.unlink(missing_ok=True)  # of an attempt that was killed: its delivery does not exist
    report = DeliveryReport(register.name, quarantine_file=listing, sequence=sequence)
    with appearing(out) as part, Quarantine(register, listing) as quarantine:
        splitter = Splitter(register, agreement, keys, mode)
        expected = _expected(source)
        fast.expect(splitter.hmacs * expected // ROW_BYTES)
        with (
            Shuffle(splitter.identity_schema, expected=expected, limit=limit, folder=temporary) as identity,
            Shuffle(splitter.payload_schema, expected=expected, limit=limit, folder=temporary) as payload,
        ):
            wanted = (source, register, Rules.of(agreement), report, quarantine)
            with closing(accepted(*wanted, progress=progress, temporary=temporary)) as batches:
                rows = _split(batches, splitter, identity, payload)
            planted = _plant(canary.rows(register, Rules.of(agreement)), splitter, rows, identity, payload)
            report.planted = int(planted["rows"])
            files = {"identity": (public.converter, identity)}
            if payload_columns(register, agreement):
                files["payload"] = (public.linker, payload)
            hashes = _sealed(part, files, report.accepted + report.planted, progress)
        also = {
            "coverage": coverage,
            "canaries": planted,
            "computed": fast.told(),
            "seen": None if seen is None else {"n": seen.n, "hash": seen.hash},
        }
        described = _describe(agreement, mode, report, period=period, hashes=hashes, total=rows.text, also=also)
        report.manifest_sha256 = _sign(part, described, keys)
    report.delivery = out
    return report


def _shared(keys: SupplierKeys | OwnKeys) -> Mode:
    if not isinstance(keys, SupplierKeys):
        raise KeyUnavailable("key_missing", kind="pre")
    return Shared(keys.pre)


def _require(  # noqa: PLR0917
    register: Register,
    agreement: Agreement,
    keys: OwnKeys,
    mode: Mode,
    public: PublicKeys,
    period: tuple[dt.date, dt.date],
) -> None:
    """Everything that can be wrong before the first row is read."""
    if agreement.source != register.name:
        raise ConfigError("agreement_mismatch", field="register")
    if agreement.supplier != keys.supplier:
        raise ConfigError("agreement_mismatch", field="supplier")
    if not (agreement.period.from_ <= period[0] <= period[1] <= agreement.period.until):
        raise ConfigError("agreement_mismatch", field="period")
    agreement.require_valid(dt.datetime.now(dt.UTC).date())
    for key in (mode, keys.record, keys.sign):
        key.require(agreement.project, agreement.epoch)
    require_tag(mode, public.checks.get("pre", ""))


def _split(batches: Iterator[Batch], splitter: Splitter, identity: Shuffle, payload: Shuffle) -> RowSet:
    """Split every batch into the two shuffles; returns the row set of the extract."""
    rows = RowSet()
    for batch in batches:
        parts = splitter.split(batch.table, batch.found)
        rows.add(parts.payload["row_id"])
        identity.add(parts.identity)
        payload.add(parts.payload)
    return rows


def _plant(
    rows: tuple[pa.Table, dict[str, Canonical]], splitter: Splitter, total: RowSet, identity: Shuffle, payload: Shuffle
) -> dict[str, Any]:
    """Add the canaries, in both files and in the row set; returns what the manifest says of them."""
    parts = splitter.split(*rows)
    total.add(parts.payload["row_id"])
    identity.add(parts.identity)
    payload.add(parts.payload)
    return canary.declared(parts.payload["row_id"])


def _expected(source: Path) -> int:
    """A guess of the bytes to shuffle: compressed formats hold about ten times their size."""
    size = source.stat().st_size if source.is_file() else 0
    return size * (1 if source.suffix.lower() in {".csv", ".txt"} else 10)


def _sealed(part: Path, files: dict[str, tuple[str, Shuffle]], total: int, progress: Progress | None) -> dict[str, str]:
    """Seal NAME.age to its recipient, for all files at the same time; returns the hash of each."""
    with ThreadPoolExecutor(len(files)) as pool:
        made = {
            name: pool.submit(_seal, part / f"{name}.age", recipient, rows, total, progress)
            for name, (recipient, rows) in files.items()
        }
    return {name: one.result() for name, one in made.items()}


def _seal(path: Path, recipient: str, rows: Shuffle, total: int, progress: Progress | None) -> str:
    def told() -> Iterator[pa.Table]:
        done = 0
        for table in rows.tables():
            done += table.num_rows
            if progress is not None:
                progress("verzegelen", done, total)
            yield table

    return seal.seal(path, recipient, rows.schema, told())


def _describe(
    agreement: Agreement,
    mode: Mode,
    report: DeliveryReport,
    *,
    period: tuple[dt.date, dt.date],
    hashes: dict[str, str],
    total: str,
    also: dict[str, Any],
) -> Manifest:
    counts = report.as_dict()
    content = {
        "format": manifests.FORMAT,
        "scheme": mode.scheme,
        "project": agreement.project,
        "epoch": agreement.epoch,
        "register": report.register,
        "supplier": agreement.supplier,
        "agreement": {"id": agreement.agreement, "sha256": agreement.sha256},
        "period": {"from": period[0], "until": period[1]},
        "sequence": report.sequence,
        "identifier_types": agreement.identifier_types,
        **{name: counts[name] for name in ("rows", "reasons", "out_of_scope", "identifiers")},
        "row_set": total,
        "hashes": hashes,
        "key_check": mode.tag,
        **also,
    }
    return manifests.build(content)


def _sign(part: Path, described: Manifest, keys: OwnKeys) -> str:
    """Write manifest and signature; returns the manifest's SHA-256."""
    text = described.encode()
    (part / "manifest.json").write_bytes(text)
    (part / "manifest.sig").write_bytes(signing.sign(keys.sign.secret, text))
    return hashlib.sha256(text).hexdigest()
