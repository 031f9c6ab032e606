"""A municipality's own sheet: its shown cells beside its regions', its neighbours, its estimate in words.

Made from the released table and the released estimates alone: what is hidden there is hatched here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from release.estimates import Estimates
from release.report import map as hexmap
from release.report.year import Year, words
from schemas.gemeente import Gemeente, gemeenten

BLOCKS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "De groep",
        (("titel_eindes", "Titel eindigt"), ("niet_waarneembaar", "Niet te zien of er Wmo-ondersteuning was")),
    ),
    ("Hoe kwam men in de zorg?", (("met_detentie", "Via detentie"),)),
    (
        "Loopt de zorg door?",
        (
            ("wmo_liep_al", "Wmo-ondersteuning liep al"),
            ("wmo_180", "Wmo-ondersteuning liep al, of begon binnen 180 dagen"),
            ("wmo_365", "Hetzelfde, binnen 365 dagen"),
        ),
    ),
    (
        "Welke zorg, binnen 180 dagen?",
        (("wmo_thuis_180", "Ondersteuning thuis"), ("wmo_opvang_180", "Verblijf of opvang")),
    ),
)
ESTIMATED = (
    ("TITEL_EINDES", 0, "Mensen van wie een titel eindigde"),
    ("GEBRUIK", 6, "Van hen: met Wmo-ondersteuning, binnen 6 maanden"),
)
NEAR = 1.01  # tiles that touch are one tile width apart


@dataclass(frozen=True)
class Line:
    """One measure of a sheet, cell by cell."""

    label: str
    cells: list[str]


def sheets(found: Year, estimates: Estimates | None) -> list[dict[str, Any]]:
    """One per municipality, by name."""
    told = _estimated(found, estimates)
    names = {place.code: place.naam for place in gemeenten()}
    return [_sheet(found, place, names, told) for place in by_name()]


def by_name() -> list[Gemeente]:
    """Municipalities as a reader looks them up: 's-Hertogenbosch under s."""
    return sorted(gemeenten(), key=lambda place: place.naam.lstrip("'").casefold())


def _sheet(
    found: Year, place: Gemeente, names: dict[str, str], told: dict[str, list[tuple[str, str]]]
) -> dict[str, Any]:
    count = found.total("gemeente", place.code, "titel_eindes")
    areas = (
        ("veiligheidsregio", place.veiligheidsregio_code),
        ("provincie", place.provincie_code),
        ("land", "NL"),
    )
    return {
        "code": place.code,
        "naam": place.naam,
        "aantal": words(count),
        "verborgen": count is None,
        "geleverd": found.delivered.get(("gemeente", place.code), False),
        "koppen": [*_own_heads(found), f"Regio {place.veiligheidsregio}", f"Provincie {place.provincie}", "Nederland"],
        "blokken": [(title, [_line(found, place.code, areas, *one) for one in lines]) for title, lines in BLOCKS],
        "geschat": told.get(place.code, []),
        "buren": [_neighbour(found, code, names[code]) for code in neighbours(place.code)],
    }


def _own_heads(found: Year) -> list[str]:
    halves = [f"{found.year}, {'eerste' if half.endswith('1') else 'tweede'} helft" for half in found.halves]
    return [*halves, f"Heel {found.year}"] if len(halves) > 1 else halves


def _line(found: Year, code: str, areas: tuple[tuple[str, str], ...], maat: str, label: str) -> Line:
    halves = found.halves
    own = [found.half("gemeente", code, maat, half) for half in halves] if len(halves) > 1 else []
    totals = [found.total(niveau, area, maat) for niveau, area in (("gemeente", code), *areas)]
    return Line(label, [words(value) for value in (*own, *totals)])


def _neighbour(found: Year, code: str, name: str) -> dict[str, str]:
    counts = {maat: words(found.total("gemeente", code, maat)) for maat in ("titel_eindes", "wmo_180")}
    return {"code": code, "naam": name, **counts}


def neighbours(code: str) -> list[str]:
    """Codes of the tiles that touch this one on the hexagon map: about the neighbours on land."""
    x, y = hexmap.places()[code]
    return [
        other
        for other, (x2, y2) in hexmap.places().items()
        if other != code and (x - x2) ** 2 + (y - y2) ** 2 < NEAR**2
    ]


def _estimated(found: Year, estimates: Estimates | None) -> dict[str, list[tuple[str, str]]]:
    """Per municipality what is estimated, in the sentences of the released table of estimates."""
    made: dict[str, list[tuple[str, str]]] = {}
    if estimates is None:
        return made
    for kind, months, label in ESTIMATED:
        for row in estimates.rows(found.year, months, kind):
            if row["niveau"] == "gemeente":
                made.setdefault(row["code"], []).append((label, row["weergave"]))
    return made
