"""The published figures of the 2024 report, carried with the project.

Source: Significant Public, "Samenwerking tussen forensische zorg en gemeenten", 15 August 2024 (for VWS and
BO FZ), chapter 2 and appendix A; published aggregates, no personal data. Files: reference/*.csv, described in
docs/codebook/bronnen.md.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "reference"
Row = dict[str, str]


@cache
def _read(name: str) -> tuple[Row, ...]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def national() -> tuple[Row, ...]:
    """Every printed national figure: source, indicator, breakdown, year, value, unit, section, kind, base_year, ..."""
    return _read("national_figures")


def derived() -> tuple[Row, ...]:
    """Figures implied by printed ones: source, indicator, breakdown, year, value, low, high, unit, formula."""
    return _read("derived_figures")


def injus_notices() -> tuple[Row, ...]:
    """Notices per municipality, 2022 and 2023: municipality, year, notice, count, status, evidence, printed_label."""
    return _read("injus_notices_by_municipality")


def wmo_flows() -> tuple[Row, ...]:
    """Wmo flows per municipality, 2021 and 2022: municipality, year, provision, flow, count, status, ..."""
    return _read("wmo_flows_by_municipality")
