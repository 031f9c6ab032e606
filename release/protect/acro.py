"""What was found, as a folder that output checkers know: ACRO's results.json with the files, checksums and config.json.

Facts of the format: `finalise_json`, `write_checksums` and `load_records` of ACRO's acro/record.py, and the viewer's
sacro/models.py (github.com/AI-SDC, MIT). The viewer takes this version and later ones, ACRO's own loader this alone.
The files are copies without the columns of contributions: what a checker approves in the viewer is what leaves.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from release.protect.checking import TO_REVIEW, Checked, Finding, Limits
from release.protect.tables import Cell, read
from schemas.errors import ConfigError, DisclosureRefused

VERSION = "1.0.2"
TOOL = {"@type": "SoftwareApplication", "name": "koppel audit-tables"}
RESULTS, CONFIG, CHECKSUMS = "results.json", "config.json", "checksums"


def document(checked: Checked, when: datetime) -> dict[str, Any]:
    """results.json as ACRO writes it. Indices and names of rules only: no number of any cell."""
    results = {f"output_{number}": _entry(f"output_{number}", one, when) for number, one in enumerate(checked.findings)}
    return {"version": VERSION, "tool": TOOL, "results": results}


def _entry(uid: str, found: Finding, when: datetime) -> dict[str, Any]:
    table = found.table
    method = "magnitude" if table.magnitude else "crosstab"
    told = {"method": method, "columns": list(table.columns), "cells": len(table.cells), "found": found.counts}
    return {
        "uid": uid,
        "status": found.status,
        "type": "table",
        "properties": told,
        "files": [{"name": file_name(found), "sdc": _sdc(found)}],
        "outcome": _outcome(found),
        "command": f"koppel audit-tables {table.name}",
        "summary": found.summary,
        "timestamp": when.isoformat(timespec="seconds"),
        "comments": [],
        "exception": "",
        "fair": {"method": method, "variables": list(table.columns), "measure": table.measure},
    }


def file_name(found: Finding) -> str:
    """Name of a table's copy beside results.json."""
    return f"{Path(found.table.name).stem}.csv"


def _rules(found: Finding) -> dict[str, list[Cell]]:
    """Rule -> cells that break it, under ACRO's names where it has the rule."""
    ours = {name: found.cells[name] for name in ("recoverable", *TO_REVIEW)}
    return {"threshold": found.cells["threshold"], "p-ratio": found.p, "nk-rule": found.nk, **ours}


def _sdc(found: Finding) -> dict[str, Any]:
    """Per rule the number of cells and where they stand: [line below the header, column after the first]."""
    row = {key: number for number, key in enumerate(found.table.cells)}
    rules = _rules(found)
    none = ("negative", "missing", "all-values-are-same")  # of ACRO; cells cannot have them here
    hidden = len(found.table.shown) < len(found.table.cells)
    summary = {"suppressed": hidden, **dict.fromkeys(none, 0), **{name: len(cells) for name, cells in rules.items()}}
    column = found.table.place - 1
    cells = {name: [[row[key], column] for key in broken] for name, broken in rules.items()}
    return {"summary": summary, "cells": {**{name: [] for name in none}, **cells}}


def _outcome(found: Finding) -> dict[str, dict[str, str]]:
    """Per line the rules that its cell breaks, as ACRO's `outcome`: a table with the words "ok" or "threshold; "."""
    rules = {name: set(cells) for name, cells in _rules(found).items()}
    told = ["".join(f"{name}; " for name, cells in rules.items() if key in cells) for key in found.table.cells]
    return {found.table.measure: {str(number): words or "ok" for number, words in enumerate(told)}}


def config(limits: Limits) -> dict[str, Any]:
    """The limits, under the names of ACRO's config where it has them."""
    return {
        "safe_threshold": limits.threshold,
        "safe_nk_n": 2,
        "safe_nk_k": limits.dominance.two,
        "safe_pratio_p": limits.dominance.p,
        "zeros_are_disclosive": True,
        "largest_share": limits.dominance.one,
        "width": limits.width,
        "group_share": limits.share,
    }


def write(checked: Checked, folder: Path, told: dict[str, Any]) -> list[Path]:
    """The folder for the viewer: every table, results.json (`told`), config.json, and checksums of all.

    ConfigError output_exists when something lies there, bad_table when two tables have one name. Every copy is read
    back: DisclosureRefused changed_count unless it says what was judged.
    """
    names = [file_name(one) for one in checked.findings]
    if len(set(names)) < len(names) or {RESULTS, CONFIG} & set(names):
        raise ConfigError("bad_table", kind="same_name")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError("output_exists")
    (folder / CHECKSUMS).mkdir(parents=True)
    made = [_copy(one, folder / name) for one, name in zip(checked.findings, names, strict=True)]
    for name, content in ((RESULTS, told), (CONFIG, config(checked.limits))):
        made.append(folder / name)
        made[-1].write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    for path in made:
        (folder / CHECKSUMS / f"{path.name}.txt").write_text(hashlib.sha256(path.read_bytes()).hexdigest(), "ascii")
    return made


def _copy(found: Finding, path: Path) -> Path:
    """Comma-separated, as the loader and the viewer read a CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(found.table.lines)
    path.write_text(text.getvalue(), encoding="utf-8")
    table = found.table
    again = read(path, table.measure, magnitude=table.magnitude, known=True)
    if again.cells != table.cells or again.given:
        raise DisclosureRefused("changed_count")
    return path
