"""Resumable steps: a step whose inputs, code and outputs are unchanged is not done again.

The fingerprint is a hash over input hashes, parameters and the source of the rooms that do the work. The
journal of a step is written only after its outputs stand complete, so a killed step is simply redone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
_SUFFIXES = {".py", ".sql", ".csv", ".j2", ".css", ".js", ".yaml"}
Facts = dict[str, str | int | bool]


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file below a folder, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256_file(path) for path in files}


@cache
def code_hash(rooms: tuple[str, ...]) -> str:
    """One hash over the source of the named packages."""
    digest = hashlib.sha256()
    for room in rooms:
        for path in sorted(p for p in (PROJECT / room).rglob("*") if p.suffix in _SUFFIXES):
            digest.update(f"{path.relative_to(PROJECT)}:{sha256_file(path)}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Done:
    """What a step left: its fingerprint, facts to report, and whether it was skipped."""

    fingerprint: str
    facts: Facts
    skipped: bool


def step(
    name: str,
    *,
    journal: Path,
    inputs: Mapping[str, str],
    rooms: tuple[str, ...],
    out: Path,
    work: Callable[[Path], Facts],
) -> Done:
    """Run `work(folder)` unless `out` already holds its result; the folder appears whole or not at all."""
    fingerprint = _fingerprint(name, inputs, rooms)
    record = journal / f"{name}.json"
    if (earlier := _earlier(record, fingerprint, out)) is not None:
        return Done(fingerprint, earlier, skipped=True)
    record.unlink(missing_ok=True)
    fresh = out.with_name(out.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    facts = work(fresh)
    shutil.rmtree(out, ignore_errors=True)
    fresh.replace(out)
    write_json(record, {"fingerprint": fingerprint, "facts": facts, "inputs": dict(inputs), "outputs": hashes(out)})
    return Done(fingerprint, facts, skipped=False)


def _fingerprint(name: str, inputs: Mapping[str, str], rooms: tuple[str, ...]) -> str:
    body = json.dumps([name, sorted(inputs.items()), code_hash(rooms)])
    return hashlib.sha256(body.encode()).hexdigest()


def _earlier(record: Path, fingerprint: str, out: Path) -> Facts | None:
    if not record.is_file() or not out.is_dir():
        return None
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        told, outputs, facts = content["fingerprint"], content["outputs"], content["facts"]
    except (ValueError, KeyError, TypeError):
        return None  # a damaged journal is a lost one: the step is done again
    return dict(facts) if told == fingerprint and outputs == hashes(out) else None


def write_json(path: Path, content: object) -> None:
    """Write JSON under a temporary name and rename: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
    part.replace(path)


def combined(values: Iterable[str]) -> str:
    """One hash over several."""
    return hashlib.sha256("\n".join(sorted(values)).encode()).hexdigest()


def without_pseudonyms(linked: Mapping[str, str]) -> str:
    """One hash over the linked tables that hold no pseudonym (name -> hash): estimation reads no other."""
    return combined(f"{name}:{value}" for name, value in linked.items() if name != "person_link.parquet")
