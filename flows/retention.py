"""Carry out retention: find what is due under the agreements, delete it, and sign a certificate of what was deleted.

Classes: raw extracts at the gateway, the suppliers' lists of rows to look at (quarantine), sealed deliveries (they
hold pre-pseudonyms), linked microdata (store and runs), and releases per output. A certificate holds hashes, counts
and numbers of deliveries: no name, no row. A crash between deletion and certificate is made good: what was to go is
written down first, and certified by the next run.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows import resume, rooms
from flows.logs import EventLog
from flows.settings import Settings
from schemas import agreement as agreements
from schemas.agreement import OUTPUTS, Agreement
from schemas.errors import ConfigError

SHORT = {"vng_table": "vng", "research_parquet": "onderzoek", "operator_report": "operator"}


@dataclass(frozen=True)
class Due:
    """One thing to delete: what it is, under which agreement and term, and the file or folder."""

    kind: str
    register: str
    sequence: int
    agreement: str
    days: int
    since: dt.date
    path: Path


def due(settings: Settings, today: dt.date) -> list[Due]:
    """Everything whose term has passed on that day, oldest first."""
    known = agreements.folder(settings.agreements)
    found = [*_gateway(settings, known), *_inbox(settings, known), *_store(settings, known), *_shared(settings, known)]
    return sorted((one for one in found if today > one.since + dt.timedelta(days=one.days)), key=lambda one: one.since)


def _gateway(settings: Settings, known: dict[str, Agreement]) -> Iterator[Due]:
    for path in sorted(settings.gateway.glob("*/*")):
        agreement = _of(known, path.parent.name)
        yield Due("raw", path.parent.name, 0, agreement.agreement, agreement.retention.raw_days, _day(path), path)


def _inbox(settings: Settings, known: dict[str, Agreement]) -> Iterator[Due]:
    for path in sorted(settings.inbox.glob("*/*")):
        register = path.parent.name
        agreement = _of(known, register)
        days = agreement.retention
        if path.name.startswith("quarantaine-"):
            yield Due("quarantine", register, 0, agreement.agreement, days.quarantine_days, _day(path), path)
        elif path.is_dir() and path.name.isdigit():
            since = _accepted(settings, register, path.name) or _day(path)
            most = min(days.prepseudonym_days, settings.retention_days)
            yield Due("prepseudonym", register, int(path.name), agreement.agreement, most, since, path)


def _store(settings: Settings, known: dict[str, Agreement]) -> Iterator[Due]:
    for path in sorted(settings.store.glob("*/[0-9][0-9][0-9][0-9]")):
        register = path.parent.name
        agreement = _of(known, register)
        since = _accepted(settings, register, path.name) or _day(path)
        days = agreement.retention.linked_days
        yield Due("linked", register, int(path.name), agreement.agreement, days, since, path)


def _shared(settings: Settings, known: dict[str, Agreement]) -> Iterator[Due]:
    """Runs and releases hold all registers together: the shortest term of any agreement counts."""
    if not known:
        return
    shortest = min(known.values(), key=lambda one: one.retention.linked_days)
    for path in sorted((settings.home / "runs").glob("*/*")):
        yield Due("linked", "all", 0, shortest.agreement, shortest.retention.linked_days, _day(path), path)
    for kind in OUTPUTS:
        having = [one for one in known.values() if kind in one.outputs]
        if kind in SHORT and having:
            first = min(having, key=lambda one: one.outputs[kind].retention_days)
            for path in sorted((settings.home / "releases").glob(f"*/{SHORT[kind]}")):
                yield Due(kind, "all", 0, first.agreement, first.outputs[kind].retention_days, _day(path), path)


def _of(known: dict[str, Agreement], register: str) -> Agreement:
    if register not in known:
        raise ConfigError("unknown_agreement", folder="unknown register")
    return known[register]


def _accepted(settings: Settings, register: str, number: str) -> dt.date | None:
    """The day on the signed receipt; a file's own time can be touched by anybody."""
    path = settings.receipts / register / number / "receipt.json"
    if not path.is_file():
        return None
    return dt.datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["accepted_at"]).date()


def _day(path: Path) -> dt.date:
    return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).date()


def retain(settings: Settings, log: EventLog, today: dt.date, *, dry_run: bool = False) -> dict[str, Any]:
    """Delete what is due and certify it; returns counts per class, and the certificate's number and hash.

    `dry_run` deletes and certifies nothing. Also certifies what a run that died had begun to delete.
    """
    pending = settings.state / "retention.json"
    left = json.loads(pending.read_text(encoding="utf-8")) if pending.is_file() else []
    items = [one for one in due(settings, today) if str(one.path) not in {begun["path"] for begun in left}]
    counts = {kind: sum(one.kind == kind for one in items) for kind in sorted({one.kind for one in items})}
    answer: dict[str, Any] = {"due": len(items), "classes": counts, "deleted": 0}
    if dry_run:
        return answer
    listed = [*left, *(_described(one) for one in items)]
    if not listed:
        return answer
    resume.write_json(pending, listed)
    for one in listed:
        _delete(settings, Path(one["path"]))
    answer |= {"deleted": len(listed), **_certify(settings, log, listed, today)}
    pending.unlink()
    return answer


def _described(one: Due) -> dict[str, Any]:
    """What the certificate says about an item, hashes and counts, and the path for ourselves."""
    files = [one.path] if one.path.is_file() else sorted(p for p in one.path.rglob("*") if p.is_file())
    return {
        **asdict(one),
        "path": str(one.path),
        "since": one.since.isoformat(),
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": resume.combined(resume.sha256_file(path) for path in files),
    }


def _delete(settings: Settings, path: Path) -> None:
    """Remove it, and the journal of the step whose output it was: that step can no longer be skipped."""
    of_run = {"linked": "link", "estimated": "estimate", "recipient": "recipient", "exported": "export"}
    step = "release" if path.parent == settings.out else of_run.get(path.name)
    if step is not None:
        (settings.state / "steps" / f"{step}.json").unlink(missing_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _certify(settings: Settings, log: EventLog, listed: list[dict[str, Any]], today: dt.date) -> dict[str, Any]:
    """Sign the certificate in a process that can; its hash goes into the audit log."""
    draft = settings.state / "certificate.json"
    items = [{name: value for name, value in one.items() if name != "path"} for one in listed]
    resume.write_json(draft, {"date": today.isoformat(), "items": items})
    done = rooms.pseudonymize(
        "certify",
        *("--source", draft, "--out", settings.home / "certificates"),
        *("--audit", log.path, "--audit-key", log.key),
    )
    draft.unlink()
    return {"certificate": done["certificate"], "sha256": done["sha256"]}
