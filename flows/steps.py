"""Intake: from what suppliers sent to pseudonymised deliveries in the store. Plain functions, no Prefect.

None of them holds a key: everything that needs one runs in a process of `pseudonymize` (flows/rooms.py).
The steps after intake are in flows/work.py; flows/pipeline.py puts both in order.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import governance, rooms
from flows.logs import EventLog
from flows.manifest import COMPUTED
from flows.resume import sha256_file, write_json
from flows.settings import Settings
from schemas import agreement as agreements
from schemas.agreement import Agreement
from schemas.errors import ConfigError, DeliveryError, Fact, KoppelError

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
    """The audit log of this TTP."""
    return EventLog(settings.state / "audit.jsonl", settings.keys / "audit")


def why(settings: Settings, register: str) -> str:
    """What a step about a register is allowed by: its agreement, if there is one that can be read."""
    try:
        return agreement_of(settings, register)[0].agreement
    except KoppelError:
        return "no agreement"


def agreement_of(settings: Settings, register: str) -> tuple[Agreement, Path]:
    """The agreement about a register and its file. ConfigError unknown_agreement."""
    for file in sorted(settings.agreements.glob("*.yaml")):
        found = agreements.load(file)
        if found.source == register:
            return found, file
    raise ConfigError("unknown_agreement", register=register)


def valid_agreement(settings: Settings, register: str) -> tuple[Agreement, Path]:
    """The same, when it and every other agreement in the folder hold today: asked before a row is read.

    ConfigError agreement_expired, contradicting_agreements, bad_agreement or unknown_agreement.
    """
    governance.in_force(settings)
    return agreement_of(settings, register)


def gateway(settings: Settings, register: str) -> int:
    """Deliver raw extracts that lie at the gateway, in a process and folder of their own; returns how many.

    Only where the agreement says so. The raw file is deleted once its sealed delivery stands in the inbox.
    """
    with log(settings).watching("gateway", who="gateway", why=why(settings, register), register=register):
        return _gateway(settings, register)


def _gateway(settings: Settings, register: str) -> int:
    agreement, file = valid_agreement(settings, register)
    waiting = raw_files(settings.gateway / register)
    if waiting and not agreement.gateway:
        raise DeliveryError("gateway_refused", register=register, files=len(waiting))
    for raw in waiting:
        sequence, claim = _claimed(raw, settings.inbox / register)
        if not (settings.inbox / register / f"{sequence:04d}").is_dir():
            deliver(settings, raw, register=register, agreement=file, supplier=agreement.supplier, sequence=sequence)
        _tell_delivered(settings, register, sequence)
        raw.unlink()
        claim.unlink()
    return len(waiting)


def _tell_delivered(settings: Settings, register: str, sequence: int) -> None:
    """Once, from its manifest: a run killed before would leave a delivery of which the log knows nothing."""
    if not _logged(settings, '"event":"gateway_delivered"', f'"register":"{register}"', f'"sequence":{sequence},'):
        path = settings.inbox / register / f"{sequence:04d}" / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        told = {"sequence": sequence, **_counted(manifest["rows"]), **(manifest["computed"] or {})}
        _tell(settings, "gateway_delivered", "gateway", register, told)


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
    receipt = settings.receipts / register / f"{sequence - 1:04d}"  # what the TTP told about the delivery before
    extra = [("--coverage", coverage)] if coverage.is_file() else []
    extra += [("--receipt", receipt)] if receipt.is_dir() else []
    return rooms.pseudonymize(
        "deliver",
        *("--source", source, "--agreement", agreement, "--sequence", sequence, "--out", out),
        *("--keys", settings.keys / "suppliers" / supplier, "--public", settings.keys / "public"),
        *(part for option in extra for part in option),
    )


def verify(settings: Settings, register: str) -> list[Parcel]:
    """Check signature, agreement, hashes and sequence of what lies in the inbox; returns what is new, in order.

    A delivery accepted before, unchanged, is skipped: that is a resumed run. DeliveryError replay when a
    sequence number comes back with other content or in another folder, sequence_gap when one is missing.
    """
    with log(settings).watching("verify", who="acceptor", why=why(settings, register), register=register):
        return _verify(settings, register)


def _verify(settings: Settings, register: str) -> list[Parcel]:
    _, agreement = valid_agreement(settings, register)
    _require_ledger(settings, register)
    found: list[Parcel] = []
    for folder in sorted((settings.inbox / register).glob("[0-9]*")):
        answer = rooms.pseudonymize(
            "verify",
            *("--delivery", folder, "--agreement", agreement, "--public", settings.keys / "public"),
            *("--ledger", settings.state / "ledger" / f"{register}.json", "--waiting", len(found)),
            *("--audit", log(settings).path),
        )
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if int(manifest["sequence"]) != int(folder.name):  # a delivery laid in again under another number
            raise DeliveryError("replay", register=register, sequence=int(manifest["sequence"]))
        if not answer["known"]:
            found.append(Parcel(register, folder, manifest, sha256_file(folder / "manifest.json")))
            told: dict[str, Fact] = {"sequence": found[-1].sequence, "manifest": found[-1].manifest_hash}
            _tell(settings, "verified", "acceptor", register, told)
    return found


def _require_ledger(settings: Settings, register: str) -> None:
    """DeliveryError lost_ledger: none stands there, and the audit log says that deliveries were accepted."""
    if (settings.state / "ledger" / f"{register}.json").exists():
        return
    if _logged(settings, '"event":"accepted"', f'"register":"{register}"'):
        raise DeliveryError("lost_ledger", register=register)


def _logged(settings: Settings, *parts: str) -> bool:
    """Whether one line of the audit log has all of these."""
    if not log(settings).path.is_file():
        return False
    with log(settings).path.open(encoding="ascii", errors="replace") as lines:
        return any(all(part in line for part in parts) for line in lines)


def _tell(settings: Settings, event: str, who: str, register: str, facts: Mapping[str, Fact]) -> None:
    log(settings).event(event, who=who, why=why(settings, register), register=register, **facts)


def _counted(rows: Mapping[str, int]) -> dict[str, Fact]:
    """Row accounting of a manifest or report, under the names of the log."""
    return {"rows": int(rows["in"]), **{name: int(rows[name]) for name in ("accepted", "quarantined", "out_of_scope")}}


def hmac_path(answer: Mapping[str, Any]) -> dict[str, Fact]:
    """Which code computed the pseudonyms of a step, and why the fast one did not if it should have (pseudonymize/fast).

    `fallback` is `none`, `few_values` (not worth loading it), or what was wrong with it.
    """
    found = answer["hmac"]
    reason = str(found["reason"]) or ("few_values" if found["kernel"] == "waiting" else "none")
    return {"hmac": "fast" if found["kernel"] == "on" else "reference", "fallback": reason}


def convert(settings: Settings, parcel: Parcel) -> dict[str, Any]:
    """Identity file to link pseudonyms: a process with the converter's key, no payload, no database."""
    with _watching(settings, "convert", "converter", parcel):
        done = rooms.pseudonymize(
            "convert",
            *("--delivery", parcel.folder, "--keys", settings.keys / "converter"),
            *("--out", _part(settings, parcel) / "link.parquet"),
        )
        facts: dict[str, Fact] = {"converted": int(done["rows"]), "key_check": str(done["key_check"])}
        facts |= {"sequence": parcel.sequence, "sha256": str(done["sha256"]), **hmac_path(done)}
        _tell(settings, "converted", "converter", parcel.register, facts)
        write_json(_part(settings, parcel) / COMPUTED, hmac_path(done))
    return done


def _watching(settings: Settings, step: str, who: str, parcel: Parcel) -> AbstractContextManager[None]:
    about: dict[str, Fact] = {"register": parcel.register, "sequence": parcel.sequence}
    return log(settings).watching(step, who=who, why=why(settings, parcel.register), **about)


def open_payload(settings: Settings, parcel: Parcel) -> dict[str, Any]:
    """Payload file to Parquet: a process with the linker's key, no pseudonymisation key."""
    if not (parcel.folder / "payload.age").is_file():
        return {"rows": 0}  # a crosswalk has no payload
    with _watching(settings, "open", "linker", parcel):
        done = rooms.pseudonymize(
            "open",
            *("--delivery", parcel.folder, "--keys", settings.keys / "linker"),
            *("--agreement", agreement_of(settings, parcel.register)[1]),
            *("--out", _part(settings, parcel) / "payload.parquet"),
        )
        facts: dict[str, Fact] = {"rows": int(done["rows"]), "sha256": str(done["sha256"])}
        _tell(settings, "opened", "linker", parcel.register, {"sequence": parcel.sequence, **facts})
    return done


def prepare(settings: Settings, parcel: Parcel) -> None:
    """An empty folder in the store where this delivery is being made; a killed run's leftovers go."""
    part = _part(settings, parcel)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)


def accept(settings: Settings, parcel: Parcel) -> int:
    """Put the delivery in the store, whole, audit it, sign its receipt, and note its number in the ledger.

    Returns the rows accepted. The receipt (for the supplier) appears in `receipts/<register>/<number>/`.
    """
    with _watching(settings, "accept", "acceptor", parcel):
        return _accept(settings, parcel)


def _accept(settings: Settings, parcel: Parcel) -> int:
    part = _part(settings, parcel)
    shutil.copyfile(parcel.folder / "manifest.json", part / "manifest.json")
    final = settings.store / parcel.register / f"{parcel.sequence:04d}"
    shutil.rmtree(final, ignore_errors=True)  # stands there only when a run died before the ledger was written
    part.replace(final)
    rooms.pseudonymize(
        "record",
        *("--delivery", parcel.folder, "--ledger", settings.state / "ledger" / f"{parcel.register}.json"),
        *("--audit", log(settings).path, "--audit-key", settings.keys / "audit"),
        *("--receipt", settings.receipts / parcel.register / f"{parcel.sequence:04d}"),
    )
    return parcel.accepted


def _part(settings: Settings, parcel: Parcel) -> Path:
    return settings.store / parcel.register / f"{parcel.sequence:04d}.part"
