"""`koppel audit-tables`: output checking of arbitrary CSV tables, as one system, by the attacker of a release."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

app = App(name="audit-tables", help="Check CSV tables for cells that can be computed from what they show.")


@app.default
def audit_tables(
    *files: Path,
    count: str | None = None,
    threshold: int = 10,
    width: int = 5,
    results: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Attack the tables together, as a reader with all of them would. Exit code 14 when a table fails.

    Parameters
    ----------
    files
        CSV tables in long form: label columns and a count column; "totaal" as a label is the whole of its column.
    count
        Name of the count column; default the last one.
    threshold
        The smallest count that may be shown.
    width
        How wide the range of a hidden small count must stay.
    results
        Where to write the results in the form of ACRO's results.json.
    """
    from release.protect import tables  # noqa: PLC0415 - keeps `koppel check` fast
    from schemas.errors import ConfigError, DisclosureRefused  # noqa: PLC0415

    if not files:
        raise ConfigError("bad_call")
    found = tables.check([tables.read(file, count) for file in files], threshold=threshold, width=width)
    if results is not None:
        results.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        out = Console(highlight=False, soft_wrap=True)
        for name, entry in found["results"].items():
            out.print(f"{entry['status']:<7} {name}  {entry['summary']}", markup=False)
    if found["status"] == "fail":
        raise DisclosureRefused("unsafe_tables", files=sum(e["status"] == "fail" for e in found["results"].values()))
