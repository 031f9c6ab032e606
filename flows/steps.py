"""Intake: from what suppliers sent to pseudonymised deliveries in the store. Plain functions, no Prefect.

None of them holds a key: everything that needs one runs in a process of `pseudonymize` (flows/rooms.py).
The steps after intake are in flows/work.py; flows/pipeline.py puts both in order.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import rooms
from flows.logs import EventLog
from flows.resume import sha256_file
from flows.settings import Settings
from schemas import agreement as agreements
from schemas.agreement import Agreement
from schemas.errors import ConfigError, DeliveryError

RAW_SUFFIXES = (".csv", ".txt", ".parquet", ".xlsx")
SEALED = ("manifest.json", "manifest.sig", "identity.age")


@dataclass(frozen=True)
class Parcel:
    """One sealed delivery in the inbox, verified: where it is, what its manifest says."""

    register: str
    folder: Path
    manifest: dict[str, Any]
    manifest_hash: str

    @property
    def sequence(self) -> int:
        """The supplier's sequence number."""
        return int(self.manifest["sequence"])

    @property
    def accepted(self) -> int:
        """Rows the supplier says are inside: the quota of the conversion."""
        return int(self.manifest["rows"]["accepted"])


def log(settings: Settings) -> EventLog:
    """The event log of this TTP."""
    return EventLog(settings.state / "events.jsonl")


def agreement_of(settings: Settings, register: str) -> tuple[Agreement, Path]:
    """The agreement about a register and its file. ConfigError unknown_agreement."""
    for file in sorted(settings.agreements.glob("*.yaml")):
        found = agreements.load(file)
        if found.source == register:
            return found, file
    raise ConfigError("unknown_agreement", register=register)


def gateway(settings: Settings, register: str) -> int:
    """Deliver raw extracts that lie at the gateway, in a process and folder of their own; returns how many.

    Only where the agreement says so. The raw file is deleted once its sealed delivery stands in the inbox.
    """
    agreement, file = agreement_of(settings, register)
    waiting = raw_files(settings.gateway / register)
    if waiting and not agreement.gateway:
        raise DeliveryError("gateway_refused", register=register, files=len(waiting))
    for raw in waiting:
        sequence, claim = _claimed(raw, settings.inbox / register)
        if not (settings.inbox / register / f"{sequence:04d}").is_dir():
            deliver(settings, raw, register=register, agreement=file, supplier=agreement.supplier, sequence=sequence)
        raw.unlink()
        claim.unlink()
    return len(waiting)


def _claimed(raw: Path, inbox: Path) -> tuple[int, Path]:
    """The sequence number of a raw extract, written down before it is delivered.

    Without it, a run killed between the delivery and the deletion would deliver the same extract twice, under a
    new number that no check could call a replay.
    """
    claim = raw.with_name(f".{raw.name}.sequence")
    if not claim.is_file():
        part = claim.with_name(f"{claim.name}.part")
        part.write_text(str(_next_sequence(inbox)), encoding="ascii")
        part.replace(claim)
    return int(claim.read_text(encoding="ascii")), claim


def raw_files(folder: Path) -> list[Path]:
    """Raw extracts that lie in a register's gateway folder, sorted."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in RAW_SUFFIXES) if folder.is_dir() else []


def _next_sequence(folder: Path) -> int:
    taken = [int(p.name) for p in folder.glob("[0-9]*")] if folder.is_dir() else []
    return max(taken, default=0) + 1


def deliver(
    settings: Settings, source: Path, *, register: str, agreement: Path, supplier: str, sequence: int
) -> dict[str, Any]:
    """Run the supplier tool on one extract, in its own process; the sealed delivery appears in the inbox whole."""
    out = settings.inbox / register / f"{sequence:04d}"
    coverage = source.with_suffix(".coverage.json")
    extra = ("--coverage", coverage) if coverage.is_file() else ()
    return rooms.pseudonymize(
        "deliver",
        *("--source", source, "--agreement", agreement, "--sequence", sequence, "--out", out),
        *("--keys", settings.keys / "suppliers" / supplier, "--public", settings.keys / "public"),
        *extra,
    )


def verify(settings: Settings, register: str) -> list[Parcel]:
    """Check signature, agreement, hashes and sequence of what lies in the inbox; returns what is new, in order.

    A delivery accepted before, unchanged, is skipped: that is a resumed run. DeliveryError replay when a
    sequence number comes back with other content or in another folder, sequence_gap when one is missing.
    """
    _, agreement = agreement_of(settings, register)
    found: list[Parcel] = []
    for folder in sorted((settings.inbox / register).glob("[0-9]*")):
        answer = rooms.pseudonymize(
            "verify",
            *("--delivery", folder, "--agreement", agreement, "--public", settings.keys / "public"),
            *("--ledger", settings.state / "ledger" / f"{register}.json", "--waiting", len(found)),
        )
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if int(manifest["sequence"]) != int(folder.name):  # a delivery laid in again under another number
            raise DeliveryError("replay", register=register, sequence=int(manifest["sequence"]))
        if not answer["known"]:
            found.append(Parcel(register, folder, manifest, sha256_file(folder / "manifest.json")))
    return found


def convert(settings: Settings, parcel: Parcel) -> dict[str, Any]:
    """Identity file to link pseudonyms: a process with the converter's key, no payload, no database."""
    return rooms.pseudonymize(
        "convert",
        *("--delivery", parcel.folder, "--keys", settings.keys / "converter"),
        *("--out", _part(settings, parcel) / "link.parquet"),
    )


def open_payload(settings: Settings, parcel: Parcel) -> dict[str, Any]:
    """Payload file to Parquet: a process with the linker's key, no pseudonymisation key."""
    if not (parcel.folder / "payload.age").is_file():
        return {"rows": 0}  # a crosswalk has no payload
    return rooms.pseudonymize(
        "open",
        *("--delivery", parcel.folder, "--keys", settings.keys / "linker"),
        *("--agreement", agreement_of(settings, parcel.register)[1]),
        *("--out", _part(settings, parcel) / "payload.parquet"),
    )


def prepare(settings: Settings, parcel: Parcel) -> None:
    """An empty folder in the store where this delivery is being made; a killed run's leftovers go."""
    part = _part(settings, parcel)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)


def accept(settings: Settings, parcel: Parcel) -> int:
    """Put the delivery in the store, whole, and its number in the ledger; returns the rows accepted."""
    part = _part(settings, parcel)
    shutil.copyfile(parcel.folder / "manifest.json", part / "manifest.json")
    final = settings.store / parcel.register / f"{parcel.sequence:04d}"
    shutil.rmtree(final, ignore_errors=True)  # stands there only when a run died before the ledger was written
    part.replace(final)
    rooms.pseudonymize(
        "record",
        *("--delivery", parcel.folder, "--ledger", settings.state / "ledger" / f"{parcel.register}.json"),
    )
    log(settings).event(
        "accepted",
        register=parcel.register,
        sequence=parcel.sequence,
        rows=int(parcel.manifest["rows"]["in"]),
        accepted=parcel.accepted,
        quarantined=int(parcel.manifest["rows"]["quarantined"]),
        out_of_scope=int(parcel.manifest["rows"]["out_of_scope"]),
        manifest=parcel.manifest_hash,
    )
    return parcel.accepted


def _part(settings: Settings, parcel: Parcel) -> Path:
    return settings.store / parcel.register / f"{parcel.sequence:04d}.part"
