"""What was released, kept for good: the run's manifest with the hash of every linked table and released file.

No data, a few kilobytes a release, in `state/manifests/<release>/<run>.json`: what `koppel reproduce` makes again and
compares, long after retention deleted the files themselves.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows import resume
from flows.settings import Settings
from schemas.errors import ConfigError


@dataclass(frozen=True)
class Released:
    """The manifest (`run.json`), hashes by file, the key of the recipient, and what synthetic truth was judged by."""

    run: dict[str, Any]
    linked: dict[str, str]
    outputs: dict[str, str]
    recipient_key: str
    truth: str


def remember(settings: Settings) -> Path:
    """Write down the release that stands, from the journals of its steps; one that is gone leaves its part empty."""
    run = json.loads((settings.out / "run.json").read_text(encoding="utf-8"))
    journals = {name: _journal(settings, name) for name in ("link", "recipient", "release")}
    kept = Released(
        run=run,
        linked=journals["link"].get("outputs", {}),
        outputs=journals["release"].get("outputs", {}),
        recipient_key=journals["recipient"].get("facts", {}).get("key", ""),
        truth=truth_of(settings),
    )
    path = settings.state / "manifests" / settings.release / f"{run['run_id']}.json"
    if all((kept.linked, kept.outputs, kept.recipient_key)) or not path.is_file():
        resume.write_json(path, asdict(kept))
    return path


def truth_of(settings: Settings) -> str:
    """One hash over the planted truth of a synthetic run; empty for a real one."""
    if settings.truth is None:
        return ""
    return resume.combined(f"{name}:{value}" for name, value in resume.hashes(settings.truth).items())


def find(settings: Settings, name: str) -> Released:
    """By name of a release (the one that stands when there were several) or id of a run.

    ConfigError unknown_run, or bad_record for a damaged one.
    """
    records = sorted((settings.state / "manifests").glob("*/*.json"))
    found = [path for path in records if name in {path.parent.name, path.stem}]
    if len(found) > 1:
        found = [path for path in found if path.stem == _standing(settings, name)]
    if len(found) != 1:
        raise ConfigError("unknown_run", found=len(records))
    try:
        kept = Released(**json.loads(found[0].read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ConfigError("bad_record") from None
    if not kept.outputs:  # nothing to hold beside what is made would be found identical
        raise ConfigError("bad_record")
    return kept


def _standing(settings: Settings, release: str) -> str:
    path = settings.home / "releases" / release / "run.json"
    return str(json.loads(path.read_text(encoding="utf-8"))["run_id"]) if path.is_file() else ""


def _journal(settings: Settings, step: str) -> dict[str, Any]:
    try:
        return dict(json.loads((settings.state / "steps" / f"{step}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
