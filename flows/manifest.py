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
COMPUTED = "computed.json"  # beside a delivery in the store: which code converted it
ROOMS = ("schemas", "pseudonymize", "linkage", "estimation", "release", "flows")


def run_manifest(settings: Settings) -> dict[str, Any]:
    """Facts of this run without a clock in them; `run_id` is a hash over all that decides about bytes.

    Beside it, `computed` tells which code made the pseudonyms of each delivery at the source and at the converter: the
    result is the same whichever it was, so it is no part of the identity of a run.
    """
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
    run_id = resume.combined([json.dumps(facts, sort_keys=True)])[:12]
    return {"run_id": run_id, **facts, "computed": [_computed(settings, *one) for one in _stored(settings)]}


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
    told = {name: getattr(settings, name) for name in ("seed", "draws", "full_bayes", "recapture_gmsd")}
    return {**told, "sample": sample(settings)}


def _stored(settings: Settings) -> list[tuple[str, str]]:
    found = sorted(settings.store.glob("*/[0-9][0-9][0-9][0-9]/manifest.json"))
    return [(path.parent.parent.name, path.parent.name) for path in found]


def _computed(settings: Settings, register: str, folder: str) -> dict[str, Any]:
    """Which HMAC and why, by step; a step that did not tell is left out."""
    place = settings.store / register / folder
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    told = {"source": manifest.get("computed")}
    if (place / COMPUTED).is_file():
        told["converter"] = json.loads((place / COMPUTED).read_text(encoding="utf-8"))
    return {"register": register, "sequence": manifest["sequence"], **{step: how for step, how in told.items() if how}}


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
