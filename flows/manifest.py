"""The run manifest: what went in, with which agreements, plan, code and versions. The same run, the same bytes."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

from flows import governance, resume
from flows.settings import Settings
from linkage.plan import Plan
from schemas import research

LIBRARIES = ("cryptography", "duckdb", "koppelpunt", "numpy", "pandas", "prefect", "pyarrow", "pyrage", "scipy")
FORMAT = 2  # of run.json; `koppel reproduce` refuses a newer one
ROOMS = ("schemas", "pseudonymize", "linkage", "estimation", "release", "flows")


def run_manifest(settings: Settings) -> dict[str, Any]:
    """Facts of this run without a clock in them; `run_id` is a hash over all the rest."""
    facts: dict[str, Any] = {
        "format": FORMAT,
        "period": settings.period,
        "release": settings.release,
        "recipient": settings.recipient,
        "synthetic": settings.truth is not None,
        "plan": {"version": Plan().version, "sha256": Plan().digest()},
        "estimation": _estimation(settings),
        "agreements": governance.texts(settings),
        "output": research.load(settings.agreements / "outputs" / f"{settings.recipient}.yaml").sha256,
        "inputs": [_input(settings, register, folder) for register, folder in _stored(settings)],
        "code": code(),
        "versions": versions(),
    }
    return {"run_id": resume.combined([json.dumps(facts, sort_keys=True)])[:12], **facts}


def code() -> dict[str, str]:
    """One hash per room of this program."""
    return {room: resume.code_hash((room,)) for room in ROOMS}


def versions() -> dict[str, str]:
    """Python and the libraries that decide about bytes."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def sample(settings: Settings) -> str:
    """Hash of the clerical sample; empty without one."""
    return "" if settings.clerical is None else resume.sha256_file(settings.clerical)


def _estimation(settings: Settings) -> dict[str, Any]:
    """What the estimates depend on beside the linked tables."""
    told = {"seed": settings.seed, "draws": settings.draws, "full_bayes": settings.full_bayes}
    return {**told, "sample": sample(settings)}


def _stored(settings: Settings) -> list[tuple[str, str]]:
    found = sorted(settings.store.glob("*/[0-9][0-9][0-9][0-9]/manifest.json"))
    return [(path.parent.parent.name, path.parent.name) for path in found]


def _input(settings: Settings, register: str, folder: str) -> dict[str, Any]:
    path = settings.store / register / folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    return {
        "register": register,
        "sequence": manifest["sequence"],
        "manifest_sha256": resume.sha256_file(path),
        "agreement": manifest["agreement"],
        "rows": manifest["rows"],
        "reasons": manifest["reasons"],
        "identifiers": manifest["identifiers"],
        "period": manifest["period"],
        "key_check": manifest["key_check"],
    }
