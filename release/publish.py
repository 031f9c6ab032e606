"""One function per reader: write the files. The gate re-reads all of them from disk before they leave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from release import gate
from release.disclosure import protect
from release.estimate_files import write_estimates
from release.estimates import Estimates
from release.export import BANNER, write_tables
from release.files import write_sums
from release.operator import write_operator
from release.report.page import write_page
from release.research import write_research
from release.truth import write_truth
from release.truth_links import judge
from schemas.research import ResearchOutput

WHY = (
    f"{BANNER}\n\nDeze levering heeft alleen primaire onderdrukking (minder dan 10) en afronding op 5. Zonder\n"
    "secundaire onderdrukking kan een verborgen cel soms uit totalen worden teruggerekend.\n"
)


def provenance_of(release_id: str, run: dict[str, Any]) -> dict[str, str]:
    """Where a folder comes from, word by word."""
    return {
        "release": release_id,
        "run": str(run["run_id"]),
        "periode": str(run["period"]),
        "koppelplan": str(run["plan"]["version"]),
        "gegevens": "synthetisch" if run["synthetic"] else "registers",
        "soort": "waargenomen, niet geschat",
    }


def publish_vng(
    linked: Path, out: Path, *, release_id: str, run: dict[str, Any], estimated: Path | None = None
) -> list[Path]:
    """Tables and page for VNG and municipalities, with estimates where there are any.

    DisclosureRefused when an estimate is unsafe. The gate judges the files with the rest of the release
    (`gate.check_release`); before that they have no final name.
    """
    out.mkdir(parents=True)
    provenance = provenance_of(release_id, run)
    protected = protect(pq.read_table(linked / "target_group.parquet"))
    made = write_tables(protected, out, provenance)
    estimates = None if estimated is None else Estimates(pq.read_table(estimated / "schattingen.parquet"))
    made += [] if estimates is None else write_estimates(estimates, out, provenance)
    made.append(write_page(protected, pq.read_table(linked / "funnel.parquet"), out, provenance, estimates=estimates))
    (out / "DEMO-NIET-VOOR-PUBLICATIE.txt").write_text(WHY, encoding="utf-8")
    facts = {**provenance, "cells": protected.table.num_rows, "hidden": protected.hidden}
    (out / "release.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return [*made, out / "release.json", write_sums(out)]


def export_research(
    linked: Path, pseudonyms: Path, out: Path, *, release_id: str, run: dict[str, Any], output: ResearchOutput
) -> list[Path]:
    """Linked tables as `output` agrees, under the recipient's pseudonym; a folder inside the TTP, for a release."""
    out.mkdir(parents=True, exist_ok=True)
    return write_research(linked, pseudonyms, out, provenance_of(release_id, run), output)


def rows_of(files: list[Path]) -> int:
    """Rows in the Parquet files among those."""
    return sum(pq.read_metadata(path).num_rows for path in files if path.suffix == ".parquet")


def publish_exported(exported: Path, out: Path, *, output: ResearchOutput) -> list[Path]:
    """The folder of `export_research` into a release. DisclosureRefused when the gate stops."""
    shutil.copytree(exported, out)
    gate.check_research(out, output)
    return [*(path for path in out.rglob("*") if path.is_file()), write_sums(out)]


def publish_operator(
    linked: Path, out: Path, *, run: dict[str, Any], planted: tuple[Path, Path] | None = None
) -> list[Path]:
    """Quality report with true counts; stays inside the TTP. `planted`, synthetic only: the store, and the truth."""
    out.mkdir(parents=True, exist_ok=True)
    judged = None if planted is None else judge(linked, *planted)
    return write_operator(linked, out, run, judged)


def publish_truth(linked: Path, truth: Path, out: Path, *, run: dict[str, Any]) -> list[Path]:
    """Synthetic runs only: observed against planted."""
    out.mkdir(parents=True, exist_ok=True)
    return [write_truth(linked, truth, out)]
