"""`koppel audit-tables`: output checking of arbitrary CSV tables, as one system, by the attacker of a release."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

app = App(name="audit-tables", help="Check CSV tables for cells that can be computed from what they show.")


@app.default
def audit_tables(
    *files: Path,
    count: str | None = None,
    magnitude: bool = False,
    known: list[Path] | None = None,
    known_base: int = 1,
    threshold: int = 10,
    width: int = 5,
    results: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Attack the tables together, as a reader with all of them would. Exit code 14 when a table fails.

    Parameters
    ----------
    files
        CSV tables in long form: label columns and a value column; "totaal" as a label is the whole of its column. A
        table of magnitudes (hours, costs) has the columns grootste, tweede and bijdragers too: of every shown cell the
        largest and second largest contribution, and the number of contributors. A table of counts may have
        grootste_bron: the persons of a cell that one source knows already.
    count
        Name of the value column; default the last one.
    magnitude
        All tables are magnitudes: one without those three columns is refused.
    known
        A table that others published, of the same persons: taken as what the reader knows already, and not judged.
    known_base
        Numbers in those tables were rounded to the nearest multiple of this.
    threshold
        The smallest count, or number of contributors, that may be shown.
    width
        How wide the range of a hidden small count must stay.
    results
        A new folder for the output checker: the tables without contributions, results.json, config.json and checksums,
        as ACRO writes them and its viewer opens them.
    """
    from release.protect import acro, checking, tables  # noqa: PLC0415 - keeps `koppel check` fast
    from schemas.errors import ConfigError, DisclosureRefused  # noqa: PLC0415

    if not files or known_base < 1 or threshold < 1 or width < 1:
        raise ConfigError("bad_call")
    own = [tables.read(file, count, magnitude=magnitude) for file in files]
    theirs = [tables.read(file, count, magnitude=magnitude, known=True) for file in known or ()]
    beside = [tables.rounded(table, known_base) if known_base > 1 else table for table in theirs]
    checked = checking.check(own, beside, checking.Limits(threshold, width))
    found = acro.document(checked, datetime.now(UTC))
    if results is not None:
        acro.write(checked, results, found)
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        out = Console(highlight=False, soft_wrap=True)
        for one in checked.findings:
            out.print(f"{one.status:<7} {one.table.name}  {one.summary}", markup=False)
    if checked.status == checking.FAIL:
        raise DisclosureRefused("unsafe_tables", files=sum(one.status == checking.FAIL for one in checked.findings))
