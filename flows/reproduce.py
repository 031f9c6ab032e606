"""`koppel reproduce`: make a release of earlier again from its manifest, and hold every file beside the hash of then.

First everything is compared that decides about bytes: code, libraries, plan, agreements' texts, the clerical sample,
and each delivery, file by file, with what the signed log says was converted. Only when all of it is as it was, the same
steps run in a folder of their own; nothing that stands is touched.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from flows import governance, lock, manifest, pipeline, released, resume, work
from flows.released import Released
from flows.report import current
from flows.reproduce_inputs import clean, laid_out, scratch
from flows.settings import Settings
from flows.steps import log
from linkage.plan import Plan
from schemas.errors import ConfigError, Fact, KeyUnavailable, QualityGate

Compared = dict[str, str]  # file -> identical, differs, missing (not made again), extra (not made then)
IDENTICAL = "identical"


def reproduce(settings: Settings, name: str, *, sealed: bool = False, out: Path | None = None) -> dict[str, Any]:
    """Make it again and compare, file by file; `out`, a new folder, keeps the release made, and nothing else stays.

    `sealed` begins with the sealed deliveries: converted and opened again. Errors: `require_same_program`,
    `reproduce_inputs.laid_out`, and those of every step, for what holds today must allow it too.
    """
    kept = released.find(settings, name)
    if out is not None and out.exists():
        raise ConfigError("output_exists")
    with lock.held(settings), log(settings).watching("reproduce", who="operator", why="reproduce"):
        require_same_program(kept.run)
        governance.require_outputs(settings)
        try:
            compared = _again(settings, kept, sealed=sealed, out=out)
        finally:
            clean(settings)
        same = sum(found == IDENTICAL for found in compared.values())
        about: dict[str, Fact] = {"release": str(kept.run["release"]), "files": len(compared), "found": same}
        log(settings).event("reproduced", who="operator", why="reproduce", **about)
    return {"release": kept.run["release"], "run": kept.run["run_id"], "identical": same, "files": compared}


def require_same_program(run: dict[str, Any]) -> None:
    """ConfigError run_newer, other_format, other_plan, other_code or other_versions, with which."""
    if run["format"] != manifest.FORMAT:
        code = "run_newer" if run["format"] > manifest.FORMAT else "other_format"
        raise ConfigError(code, found=int(run["format"]), expected=manifest.FORMAT)
    if run["plan"]["sha256"] != Plan().digest():
        raise ConfigError("other_plan", expected=str(run["plan"]["version"]), found=str(Plan().version))
    for part, now in (("code", manifest.code()), ("versions", manifest.versions())):
        if names := sorted(one for one in run[part] if now.get(one) != run[part][one]):
            raise ConfigError(f"other_{part}", which=", ".join(names))


def require_identical(compared: Compared) -> None:
    """QualityGate not_reproduced when a file is not what it was."""
    if off := sum(found != IDENTICAL for found in compared.values()):
        raise QualityGate("not_reproduced", files=len(compared), differ=off)


def _again(settings: Settings, kept: Released, *, sealed: bool, out: Path | None) -> Compared:
    clean(settings)
    with current().doing("inputs of then") as counts:
        again = laid_out(settings, kept, scratch(settings), sealed=sealed)
        counts["deliveries"] = len(kept.run["inputs"])
    _require_same_manifest(again, kept)
    _make(again, kept)
    if out is not None:
        shutil.copytree(again.out, out)
    return compared(again, kept)


def _require_same_manifest(again: Settings, kept: Released) -> None:
    """The last net: whatever else the manifest tells must be equal too. ConfigError other_manifest, with the field."""
    now = manifest.run_manifest(again)
    if names := sorted(name for name in kept.run if now.get(name) != kept.run[name]):
        raise ConfigError("other_manifest", which=", ".join(names))


def _make(again: Settings, kept: Released) -> None:
    """The steps of a run, in the order of flows/pipeline.py, on the folder laid out."""
    with current().doing("link again"):
        work.make_linked(again)
    pipeline.together(partial(work.make_estimated, again), partial(_export, again, kept))
    with current().doing("publish again"):
        work.make_release(again)


def _export(again: Settings, kept: Released) -> None:
    with current().doing("export again"):
        made = work.make_recipient(again)
        if made.facts["key"] != kept.recipient_key != "":
            raise KeyUnavailable("key_check", expected=kept.recipient_key, found=str(made.facts["key"]))
        work.make_exported(again)


def compared(again: Settings, kept: Released) -> Compared:
    """Linked tables and released files, by name, beside the hashes of then."""
    folders = (("linked", again.run / "linked", kept.linked), ("release", again.out, kept.outputs))
    found: Compared = {}
    for part, folder, then in (one for one in folders if one[2]):
        now = resume.hashes(folder)
        found |= {f"{part}/{name}": _judged(then.get(name), now.get(name)) for name in sorted({*then, *now})}
    return found


def _judged(then: str | None, now: str | None) -> str:
    if then is None:
        return "extra"
    if now is None:
        return "missing"
    return IDENTICAL if now == then else "differs"
