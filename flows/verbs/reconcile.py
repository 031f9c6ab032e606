"""`koppel reconcile`: every printed figure beside the recount of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from flows.settings import load
from schemas.comparison import Line
from schemas.errors import ConfigError, QualityGate

HEAD = f"{'':2}{'bron':6}{'indicator':36}{'uitsplitsing':58}{'jaar':11}{'soort':15}{'gedrukt':>12}{'geteld':>12}"


def reconcile(
    *,
    linked: Path | None = None,
    scale: float = 1.0,
    everything: Annotated[bool, Parameter(name="--all")] = False,
    config: Annotated[
        Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Print each published figure that the registers can give beside the recount. Exit code 13 when one is off.

    Parameters
    ----------
    linked
        Folder with linked tables; default that of the settings' run.
    scale
        Size of a synthetic country: printed counts are scaled to it, tolerances follow.
    everything
        Print every municipality too, not only those outside their tolerance.
    """
    from linkage import reconcile as room  # noqa: PLC0415 - keeps `koppel check` fast

    if not 0 < scale <= 1:
        raise ConfigError("bad_call", option="scale")
    folder = linked or load(config).run / "linked"
    if not (folder / "register_counts.parquet").is_file():
        raise ConfigError("not_linked")
    found = room.lines(folder, scale)
    if as_json:
        sys.stdout.write(json.dumps([room.as_dict(line) for line in found]) + "\n")
    else:
        _print(found, list(room.summary(found)), everything)
    if off := room.outside(found):
        raise QualityGate("figures_differ", outside=len(off), judged=sum(line.judged for line in found))


def _print(found: list[Line], summary: list[tuple[str, int, int, int, int]], everything: bool) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print(HEAD, markup=False)
    for line in found:
        if everything or line.table == "landelijk" or not line.within:
            out.print(_row(line), markup=False)
    for table, figures, judged, equal, outside in summary:
        out.print(
            f"{table}: {figures} cijfers, {judged} beoordeeld, {equal} gelijk, {judged - outside} binnen de marge, "
            f"{outside} erbuiten; {figures - judged} niet te beoordelen, met reden",
            markup=False,
        )


def _row(line: Line) -> str:
    mark = " " if line.within else "!"
    counted = "-" if line.counted is None else f"{line.counted:,.1f}"
    return (
        f"{mark:2}{line.source:6}{line.indicator:36}{line.breakdown:58}{line.year:11}{line.kind:15}"
        f"{line.published:>12,.1f}{counted:>12}  {line.note or line.remark}"
    )
