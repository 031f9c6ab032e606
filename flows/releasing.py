"""A release of the target-group tables, from a signed specification: what `koppel release` does.

`koppel run` makes a demonstration with primary suppression; this makes what may leave. Nothing here holds a key: the
signature of the specification is checked, and the release signed, by processes of `pseudonymize`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

from flows import egress, governance, lock, resume, rooms
from flows.manifest import run_manifest
from flows.settings import Settings
from flows.steps import log
from release import making, publish
from release.making import Release
from release.protect import chain
from release.protect import ledger as ledgers
from release.protect import spec as specifications
from release.protect.ledger import Ledger
from release.protect.spec import Spec
from schemas.errors import ConfigError, DisclosureRefused

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
SPECIFICATION = "specification.yaml"
EVENT = "edition_released"


def ledger_of(settings: Settings) -> Path:
    """The ledger of everything ever published."""
    return settings.state / "released"


def sign(source: Path, keys: Path) -> str:
    """Sign a specification that follows its schema; returns its SHA-256. ConfigError bad_spec."""
    specifications.load(source)
    return str(rooms.pseudonymize("sign-file", "--source", source, "--keys", keys)["sha256"])


def signed(settings: Settings, source: Path) -> tuple[Spec, bytes]:
    """A specification and its text, signature checked. DeliveryError bad_signature; ConfigError bad_spec."""
    if not source.is_file():
        raise ConfigError("bad_spec", faults=1)
    told = rooms.pseudonymize("verify-file", "--source", source, "--public", settings.keys / "public")
    text = source.read_bytes()
    if hashlib.sha256(text).hexdigest() != told["sha256"]:
        raise ConfigError("bad_spec", faults=1)
    return specifications.parse(text), text


def make(settings: Settings, source: Path, name: str) -> dict[str, Any]:
    """One release, or none: `releases/<name>` stands when every file of it was re-read, attacked and signed."""
    if not NAME.fullmatch(name):
        raise ConfigError("bad_call")
    with lock.held(settings), log(settings).watching("release", who="publisher", why="specification", release=name):
        spec, text = signed(settings, source)
        _require_agreed(settings, spec)
        out = settings.home / "releases" / name
        if out.exists() or any(entry["release"] == name for entry in entries(settings)):
            raise ConfigError("output_exists")
        return _make(settings, spec, text, out)


def _require_agreed(settings: Settings, spec: Spec) -> None:
    """ConfigError output_not_agreed unless every agreement concerned allows every edition to its audience."""
    wanted = []
    for audience, rules in spec.delivered.items():
        levels = {level for table in spec.tables_of(rules).values() for level in table.levels}
        geo = "gemeente" if "gemeente" in levels else "veiligheidsregio"
        base = rules.base if rules.edition == "rounded" else None
        cell = spec.basis.threshold
        wanted.append(governance.Made("vng_table", audience, None, geo, min_cell=cell, round=base, complementary=True))
    governance.require_agreed(settings, wanted)


def _make(settings: Settings, spec: Spec, text: bytes, out: Path) -> dict[str, Any]:
    linked, estimated = _folders(settings)
    release = _protected(settings, spec, text, out.name)
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    made = making.write_release(release, linked, estimated, part, settings.boundaries)
    made += making.write_inside(linked, part, run_manifest(settings))
    (part / SPECIFICATION).write_bytes(text)
    judged: dict[str, int] = {}
    egress.passed(
        settings, part, judge=lambda folder: judged.setdefault("files", making.check(release, folder)["files"])
    )
    for audience, face in release.faces.items():
        base = face.rules.base if face.rules.edition == "rounded" else 1
        about = {"release": out.name, "audience": audience, "vintage": _vintage(linked)}
        ledgers.record(ledger_of(settings), face.protected.table, geography=spec.geography, base=base, **about)
    part.replace(out)
    hidden = sum(face.protected.hidden for face in release.faces.values())
    cells = sum(face.protected.table.num_rows for face in release.faces.values())
    told = {"release": out.name, "files": len(made), "cells": cells, "hidden": hidden}
    head = chain.head(ledger_of(settings))
    log(settings).event(EVENT, who="publisher", why="specification", sha256=head, **told)
    return {**told, "audiences": ",".join(release.faces), "specification": spec.digest[:12], "ledger": head[:12]}


def _folders(settings: Settings) -> tuple[Path, Path]:
    linked, estimated = settings.run / "linked", settings.run / "estimated"
    if not (linked / "target_group.parquet").is_file():
        raise ConfigError("not_linked")
    if not estimated.is_dir():
        raise ConfigError("not_estimated")
    return linked, estimated


def _vintage(linked: Path) -> str:
    """Names the population: the same counts of the same linked data."""
    return resume.sha256_file(linked / "target_group.parquet")[:16]


def _protected(settings: Settings, spec: Spec, text: bytes, name: str) -> Release:
    linked, _ = _folders(settings)
    chain.require_head(ledger_of(settings), _told(settings))
    known = Ledger.read(ledger_of(settings), vintage=_vintage(linked), geography=spec.geography, before=name)
    provenance = {
        **publish.provenance_of(name, run_manifest(settings)),
        "specificatie": f"{spec.name} versie {spec.version}",
        "specificatie_sha256": hashlib.sha256(text).hexdigest(),
    }
    return making.protect(linked, spec, known, provenance)


def _told(settings: Settings) -> str:
    """The head of the ledger as the audit log last signed it."""
    path, last = log(settings).path, chain.START
    if path.is_file():
        with path.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                if f'"event":"{EVENT}"' in line and (found := re.search(r'"sha256":"([0-9a-f]{64})"', line)):
                    last = found[1]
    return last


def entries(settings: Settings) -> list[dict[str, Any]]:
    """Every edition that was released, oldest first. DisclosureRefused damaged_release_ledger."""
    chain.require_head(ledger_of(settings), _told(settings))
    return chain.lines(ledger_of(settings))


def check(settings: Settings, name: str) -> dict[str, Any]:
    """A release again, as it lies on disk: signatures, sums, and the attack with the ledger as it was before it.

    DisclosureRefused outputs_changed for another file than the one that was signed; errors of making.check. ConfigError
    other_vintage when other data have been linked since: then the attack cannot be repeated.
    """
    folder = settings.home / "releases" / name
    if not NAME.fullmatch(name) or not folder.is_dir():
        raise ConfigError("unknown_release")
    recorded = [entry for entry in entries(settings) if entry["release"] == name]
    if not recorded:
        raise ConfigError("unknown_release")
    for sums in sorted(folder.glob("*/SHA256SUMS")):
        _require_sums(settings, sums)
    linked, _ = _folders(settings)
    if any(entry["vintage"] != _vintage(linked) for entry in recorded):
        raise ConfigError("other_vintage")
    text = (folder / SPECIFICATION).read_bytes()
    release = _protected(settings, specifications.parse(text), text, name)
    return {"release": name, "audiences": len(recorded), **making.check(release, folder)}


def _require_sums(settings: Settings, sums: Path) -> None:
    """Signed by the gate, and every file is there with the bytes it had; no other file is."""
    rooms.pseudonymize("verify-file", "--source", sums, "--public", settings.keys / "public")
    listed = dict(line.split("  ", 1)[::-1] for line in sums.read_text(encoding="ascii").splitlines())
    found = resume.hashes(sums.parent)
    if listed != {path: digest for path, digest in found.items() if not path.startswith("SHA256SUMS")}:
        raise DisclosureRefused("outputs_changed", step="release")
