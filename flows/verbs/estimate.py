"""`koppel estimate`: the estimation step alone, and its answer for one area in the words a municipality reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from flows import report
from flows.report import Mode, Reporter
from schemas.errors import ConfigError

COLUMNS = ("periode", "soort", "groep", "maanden", "schatting", "laag", "hoog", "kwaliteit", "aanname", "weergave")


def estimate(
    *,
    gebied: str = "NL",
    maanden: int = 6,
    config: Annotated[
        Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
    ] = None,
    quiet: Annotated[bool, Parameter(name="--quiet", help="Show no progress.")] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Estimate the target group from the linked tables (when they changed) and show one area, per year.

    Every number is an estimate with a 90 percent interval, rounded outward to 5; docs/methods.md says how it is made.

    Parameters
    ----------
    gebied
        NL, or the code of a municipality (0363), veiligheidsregio (VR13), arrondissement (AR01) or province (PV27).
    maanden
        Window after the title end: 3, 6 or 12 months.
    """
    from flows import pipeline  # noqa: PLC0415 - keeps --help fast
    from flows.settings import load  # noqa: PLC0415

    if maanden not in (3, 6, 12):
        raise ConfigError("bad_call", maanden=maanden)
    report.use(Reporter(Mode.QUIET if quiet else Mode.JSON if as_json else Mode.TEXT))
    settings = load(config)
    if not (settings.run / "linked").is_dir():
        raise ConfigError("not_linked")
    done = pipeline.estimate(settings)
    rows = _rows(settings.run / "estimated" / "schattingen.parquet", gebied, maanden)
    if as_json:
        sys.stdout.write(json.dumps({**done.facts, "skipped": done.skipped, "gebied": gebied, "rows": rows}) + "\n")
        return
    _table(rows, gebied)


def _rows(path: Path, area: str, months: int) -> list[dict[str, Any]]:
    """The rows of one area, per year. ConfigError unknown_area when there are none."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    found = pq.read_table(path, filters=[("code", "=", area), ("maanden", "in", [0, months])]).to_pylist()
    if not found:
        raise ConfigError("unknown_area")
    return [{name: row[name] for name in COLUMNS} for row in found if len(row["periode"]) == 4]


def _table(rows: list[dict[str, Any]], area: str) -> None:
    table = Table(*("jaar", "wat", "groep", "schatting"), title=f"Geschat: {area}", title_justify="left", box=None)
    for row in rows:
        what = row["soort"] + (f" binnen {row['maanden']} maanden" if row["maanden"] else "")
        what += f" ({row['aanname']})" if row["aanname"] else ""
        table.add_row(row["periode"], what, row["groep"], row["weergave"])
    Console(highlight=False, soft_wrap=True).print(table)
