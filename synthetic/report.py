"""Published against synthetic, side by side: every national figure, and both tables per municipality.

Counted from the extracts and the truth, by each register's own definition, with code that shares nothing with
the linkage. Wmo arrangements are those of municipalities for which a figure was published.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from schemas import comparison, recount, reference
from schemas.comparison import NATIONAL, Line
from synthetic import tally

# Printed figures that no country can reproduce, since they contradict others that are printed; and why.
EXCEPTIONS = {
    ("cbs", "municipalities_never_delivered", "total"): "de tabel in bijlage A laat er minder leeg dan de tekst noemt",
    ("ifzo", "unique_persons_placed", "care_type=ambulant", "change"): "spreekt de gedrukte aantallen tegen",
    ("injus", "inflow", "total", "change"): "niet gezegd wat wordt opgeteld",
    ("injus", "outflow", "total", "change"): "niet gezegd wat wordt opgeteld",
    ("cbs", "outflow", "provision=support_at_home;municipality=Arnhem", "count", "2021"): (
        "bijlage A drukt 2.860, de tekst 2.705; hier geldt de bijlage"
    ),
}
MEAN = 0.04  # stricter than a run is judged: nothing was linked here
PLACE_FEWEST, PLACE_RELATIVE = 10, 0.02


def compare(land: Path) -> list[Line]:
    """All figures of a folder made by `make` (or of its extracts/)."""
    home = land if (land / "country.json").is_file() else land.parent
    scale = float(json.loads((home / "country.json").read_text(encoding="utf-8"))["scale"])
    counts, places = tally.national(home), tally.per_place(home)
    lines = [_national(row, counts, scale) for row in reference.national()]
    for name, rows in (("injus", reference.injus_notices()), ("wmo", reference.wmo_flows())):
        lines += [_place(name, row, places, scale) for row in rows if row["status"] in ("exact", "realigned")]
    return lines


def _national(row: dict[str, str], counts: recount.Counts, scale: float) -> Line:
    value, _ = recount.figure(row, counts)
    key = (row["source"], row["indicator"], row["breakdown"])
    notes = (EXCEPTIONS.get(k) for k in ((*key, row["kind"], row["year"]), (*key, row["kind"]), key))
    note = next((n for n in notes if n), "drukfout in het rapport" if row["kind"] == "total_misprint" else "")
    sized = comparison.sized(float(row["value"]), row["unit"], scale)
    tolerance = comparison.tolerance(row["kind"], row["unit"], sized, scale, mean=MEAN)
    return Line(NATIONAL, *key, row["year"], row["kind"], sized, value, tolerance, note)


def _place(name: str, row: dict[str, str], places: tally.Places, scale: float) -> Line:
    what = row["notice"] if name == "injus" else f"{row['provision']};{row['flow']}"
    printed = float(row["count"]) if row["count"] else 0.0
    found = places.get((name, what, row["year"], tally.place_of(row["municipality"])))
    slack = comparison.of_a_place(printed * scale, scale, fewest=PLACE_FEWEST, relative=PLACE_RELATIVE)
    note = "" if row["count"] and found else "gemeente zonder gedrukt cijfer, of sindsdien samengevoegd"
    synthetic, note = (found, "") if found is not None and row["count"] else (None, note)
    return Line(
        f"gemeenten {name}",
        name,
        what,
        row["municipality"],
        row["year"],
        "count",
        printed * scale,
        synthetic,
        slack,
        note,
    )


def text(lines: list[Line]) -> str:
    """The table for a terminal: each national figure, and a summary per table of municipalities."""
    head = f"{'':2}{'source':7}{'indicator':38}{'breakdown':58}{'year':12}{'kind':16}{'published':>12}{'synthetic':>12}"
    made = [head]
    for line in lines:
        if line.table == NATIONAL:
            value = "-" if line.counted is None else f"{line.counted:,.1f}"
            mark = " " if line.within else "!"
            made.append(
                f"{mark:2}{line.source:7}{line.indicator:38}{line.breakdown:58}{line.year:12}{line.kind:16}"
                f"{line.published:>12,.1f}{value:>12}  {line.note}"
            )
    return "\n".join([*made, "", *_summary(lines)])


def _summary(lines: list[Line]) -> list[str]:
    made = []
    for table in dict.fromkeys(line.table for line in lines):
        mine = [line for line in lines if line.table == table]
        told = [line for line in mine if not line.note]
        off = sum(not line.within for line in told)
        exact = sum(line.counted == line.published for line in told)
        made.append(
            f"{table}: {len(told)} figures compared, {exact} equal, {len(told) - off} within tolerance, {off} outside; "
            f"{len(mine) - len(told)} not compared, for a stated reason"
        )
    return made


def as_dicts(lines: list[Line]) -> list[dict[str, object]]:
    """For --json."""
    told = [asdict(line) for line in lines]
    return [
        {**one, "synthetic": one.pop("counted"), "within": line.within} for one, line in zip(told, lines, strict=True)
    ]
