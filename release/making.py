"""A release from its specification: protect, write, re-read, attack. Every step can only pass or stop.

What leaves this module are folders of files, one per audience, and counts. True values stay in memory, for the attack.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from release import estimate_files, gate, gate_edition, publish
from release.deliver import read, write
from release.deliver.face import SYNTHETIC, Face, hidden_words, number_words
from release.estimates import Estimates
from release.protect.edition import HIDDEN, Outcome, audit_counts, editions, protect_all, safe_estimates
from release.protect.ledger import Ledger
from release.protect.spec import Spec
from release.report.land import read as read_land
from release.report.page import Words, write_page
from schemas.errors import DisclosureRefused

LOOSE = frozenset({"run.json", "specification.yaml", "specification.yaml.sig"})
SOLVERS = ("highspy", "scipy", "numpy")


@dataclass(frozen=True)
class Release:
    """Protected in memory: what the files are made from, and what they will be attacked with."""

    spec: Spec
    outcome: Outcome
    faces: dict[str, Face]


def protect(linked: Path, spec: Spec, ledger: Ledger, provenance: dict[str, str]) -> Release:
    """The protected cube of every audience. DisclosureRefused when nothing safe can be made."""
    outcome = protect_all(pq.read_table(linked / "target_group.parquet"), spec, ledger)
    faces = {
        name: Face(edition, spec.tables_of(spec.audiences[name]), spec.audiences[name], spec.title, provenance)
        for name, edition in editions(outcome, spec, ledger).items()
    }
    return Release(spec, outcome, faces)


def write_release(
    release: Release, linked: Path, estimated: Path, out: Path, boundaries: Path | None = None
) -> list[Path]:
    """A folder per audience. With a file of borders its page has a map by land area too; ConfigError bad_boundaries."""
    land = None if boundaries is None else read_land(boundaries)
    made = []
    for name, face in release.faces.items():
        folder = out / name
        folder.mkdir(parents=True)
        made += write.write(face, folder)
        estimates = _safe(release.outcome, estimated) if face.rules.estimates else None
        if estimates is not None:
            made += estimate_files.write_rows(estimates, folder)
        if "html" in face.rules.formats:
            funnel = pq.read_table(linked / "funnel.parquet")
            made.append(
                write_page(
                    face.printed, funnel, folder, face.provenance, estimates=estimates, words=_words(face), land=land
                )
            )
        made.append(_evidence(release, face, folder))
    return made


def _words(face: Face) -> Words:
    return Words(
        SYNTHETIC if face.synthetic else "",
        hidden_words(face.rules),
        number_words(face.protected.edition, face.rules),
        "te klein, of te herleiden",
        face.synthetic,
    )


def _safe(outcome: Outcome, estimated: Path) -> Estimates:
    """Estimates without those that would narrow a hidden count."""
    table = pq.read_table(estimated / "schattingen.parquet").replace_schema_metadata(None)
    return Estimates(safe_estimates(outcome, table))


def _evidence(release: Release, face: Face, folder: Path) -> Path:
    """What an owner of the data wants to know of the protection; counts of cells, no true value."""
    table = face.protected.table
    facts: dict[str, Any] = {
        **face.provenance,
        "edition": face.protected.edition,
        "protection": release.outcome.log,
        "cells": {name: face.table(name).num_rows for name in face.tables},
        "hidden": {name: face.table(name)["aantal"].null_count for name in face.tables},
        "shown": table.num_rows - face.protected.hidden,
        "solvers": {name: version(name) for name in SOLVERS},
        "symbol": HIDDEN,
    }
    path = folder / "release.json"
    path.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def write_inside(linked: Path, out: Path, run: dict[str, Any]) -> list[Path]:
    """The second page, for the operator: quality and reconciliation of what the release was made from.

    True counts: it lies beside the audiences' folders, is judged and scanned as they are, and not signed to leave.
    """
    (name,) = gate.INSIDE
    return publish.publish_operator(linked, out / name, run=run)


def check(release: Release, folder: Path) -> dict[str, int]:
    """Re-read every file and attack what they say together. DisclosureRefused when anything is not as it should be.

    unsafe_tables with the number of cells that are not proven safe; changed_count when a file says something else than
    the protected table; errors of gate_edition.check.
    """
    inside = {path.name for path in folder.iterdir() if path.is_dir()} & gate.INSIDE
    if {path.name for path in folder.iterdir()} - LOOSE - inside != set(release.faces):
        raise DisclosureRefused("release_schema", kind="stray")
    files = sum(gate.JUDGES[name](folder / name) for name in inside)
    said = {name: read.folder(folder / name) for name in release.faces}
    files += sum(gate_edition.check(folder / name, face, said[name]) for name, face in release.faces.items())
    told = [estimate_files.read_rows(folder / name) for name, face in release.faces.items() if face.rules.estimates]
    unsafe = attack(release, said, told[0] if told else None)
    if unsafe:
        raise DisclosureRefused("unsafe_tables", cells=unsafe)
    return {"files": files}


def attack(release: Release, said: dict[str, read.Counts], estimates: pa.Table | None = None) -> int:
    """Cells that somebody with the files of all audiences could narrow down too far; exact counts are assumed known.

    `estimates` (SCHATTINGEN) are the same for every audience that gets them.
    """
    table = release.outcome.protected.table
    keys = [tuple(row[name] for name in ("niveau", "code", "halfjaar", "maat")) for row in table.to_pylist()]
    shown: set[Any] = set()
    for name, counts in said.items():
        expected = dict(zip(keys, release.faces[name].protected.table["aantal"].to_pylist(), strict=True))
        if any(cell not in expected or expected[cell] != count for cell, count in counts.items()):
            raise DisclosureRefused("changed_count")
        shown |= {cell for cell, count in counts.items() if count is not None}
    exact = [n if key in shown else None for key, n in zip(keys, table["aantal"].to_pylist(), strict=True)]
    return audit_counts(release.outcome, pa.array(exact, pa.int64()), estimates)
