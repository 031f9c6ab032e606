"""Indicators on the operator's page: the country per year, regions side by side, and gap and lead time as bars.

True counts, so for the operator alone; what VNG gets goes through disclosure control. Every number here stands in the
indicator tables of the run, and every drawing has its numbers as text beside it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.gemeente import gemeenten
from schemas.indicators import DETENTION, INDICATORS, INFLOW, KLASSEN, MATEN_DAGEN, TITLE_ENDS, Indicator

Section = tuple[str, str, Sequence[str], list[list[Any]]]
Row = dict[str, Any]
REGION_SHOWN = ("wmo_180", "geen_wmo", "niet_geleverd", "via_detentie", "terug_24m", "bovenregionaal")
INFLOW_SHOWN = ("forensisch_24m", "forensisch_ooit", "na_titeleinde", "instroom_detentie")
WIDTH, BAR, GAP, LABEL = 640, 18, 6, 130
# Classes that meet the norm: six weeks after at most for the gaps, six weeks before at least for the lead time.
NORM = {"KLOOF_TITEL": 43, "KLOOF_ZORG": 43}
LEAD_NORM = 42
DARK, LIGHT = "#12487a", "#8fb3d6"


def sections(linked: Path) -> tuple[list[Section], dict[str, str]]:
    """Sections in order, and the drawings that belong to some of them: section title -> SVG."""
    ends = _rows(linked, TITLE_ENDS.name, niveau="land", kenmerk="ALLEN")
    detention = _rows(linked, DETENTION.name, niveau="land", kenmerk="ALLEN")
    made = [_country({TITLE_ENDS.name: ends, DETENTION.name: detention}), _traits(linked), _regions(linked)]
    made.append(_inflow(_rows(linked, INFLOW.name, niveau="land", kenmerk="ALLEN")))
    spread = _rows(linked, "indicator_spread", niveau="land", kenmerk="ALLEN")
    quantiles = _rows(linked, "indicator_quantiles", niveau="land", kenmerk="ALLEN")
    figures = {}
    for maat, what in MATEN_DAGEN.items():
        counts = _per_class(maat, spread)
        title = f"Verdeling: {maat.lower().replace('_', ' ')}"
        figures[title] = drawing(maat, counts)
        made.append((title, f"{what}.", ("klasse in dagen", "titeleinden"), [[k, n] for k, n in counts.items()]))
    return [*made, _quantiles(quantiles)], figures


def _rows(linked: Path, table: str, **wanted: str) -> list[Row]:
    found = pq.read_table(linked / f"{table}.parquet", filters=[(name, "=", value) for name, value in wanted.items()])
    rows: list[Row] = found.to_pylist()
    return rows


def _years(rows: list[Row]) -> list[str]:
    return sorted({row["periode"] for row in rows if len(row["periode"]) == len("2022")})


def share(row: Row | None, one: Indicator) -> str:
    """Numerator, or numerator / denominator and percentage, as an operator reads it."""
    if row is None:
        return "-"
    part = int(row[one.teller])
    if one.noemer is None:
        return f"{part:,}"
    whole = int(row[one.noemer])
    return f"{part:,} / {whole:,} ({100 * part / whole:.1f}%)" if whole else "-"


def _country(tables: dict[str, list[Row]]) -> Section:
    years = _years([row for rows in tables.values() for row in rows])
    by_year = {name: {row["periode"]: row for row in rows} for name, rows in tables.items()}
    shown = [one for one in INDICATORS if one.tabel.name in tables]
    rows = [[one.naam, *(share(by_year[one.tabel.name].get(y), one) for y in years), one.venster] for one in shown]
    why = "Teller / noemer (aandeel) per jaar; docs/codebook/indicatoren.md zegt wat niet te zien is."
    return ("Indicatoren: Nederland", why, ("indicator", *years, "venster"), rows)


def _traits(linked: Path) -> Section:
    """The latest year by sex, age band, care group and entry route."""
    rows = [row for row in _rows(linked, TITLE_ENDS.name, niveau="land") if row["kenmerk"] != "ALLEN"]
    year = max(_years(rows), default="")
    shown = [one for one in INDICATORS if one.code in REGION_SHOWN and one.tabel is TITLE_ENDS]
    mine = sorted((r for r in rows if r["periode"] == year), key=lambda r: (r["kenmerk"], r["waarde"]))
    lines = [[r["kenmerk"], r["waarde"], r["titel_eindes"], *(share(r, one) for one in shown)] for r in mine]
    heads = ("kenmerk", "waarde", "titeleinden", *(one.naam for one in shown))
    return ("Indicatoren naar kenmerk", f"Nederland, {year}. Een kenmerk tegelijk.", heads, lines)


def _regions(linked: Path) -> Section:
    rows = _rows(linked, TITLE_ENDS.name, niveau="veiligheidsregio", kenmerk="ALLEN")
    year = max(_years(rows), default="")
    names = {one.veiligheidsregio_code: one.veiligheidsregio for one in gemeenten()}
    shown = [one for one in INDICATORS if one.code in REGION_SHOWN]
    mine = [r for r in rows if r["periode"] == year]
    found = [[str(names.get(r["code"])), r["titel_eindes"], *(share(r, one) for one in shown)] for r in mine]
    lines = sorted(found, key=lambda line: str(line[0]))
    heads = ("veiligheidsregio", "titeleinden", *(one.naam for one in shown))
    return ("Indicatoren per veiligheidsregio", f"{year}. Per gemeente: indicator_title_ends.parquet.", heads, lines)


def _inflow(rows: list[Row]) -> Section:
    shown = [one for one in INDICATORS if one.code in INFLOW_SHOWN]
    lines = [
        [
            r["periode"],
            r["wmo_group"],
            r["arrangementen"],
            r["personen"],
            r["instroom"],
            *(share(r, one) for one in shown),
        ]
        for r in sorted(rows, key=lambda r: (r["wmo_group"], r["periode"]))
    ]
    heads = ("halfjaar", "groep", "gestarte arrangementen", "mensen", "instroom", *(one.naam for one in shown))
    why = "Mensen, geen arrangementen: wie de dag ervoor zulke ondersteuning had stroomt niet in."
    return ("Instroom in de Wmo en forensisch verleden", why, heads, lines)


def _per_class(maat: str, spread: list[Row]) -> dict[str, int]:
    """Title ends per class over all years, empty classes included."""
    counts = {k.klasse: 0 for k in KLASSEN if k.maat == maat}
    for row in spread:
        if row["maat"] == maat and len(row["periode"]) == len("2022"):
            counts[row["klasse"]] += row["aantal"]
    return counts


def _quantiles(rows: list[Row]) -> Section:
    names = ("aantal", "p10", "p25", "p50", "p75", "p90")
    kept = [row for row in rows if len(row["periode"]) == len("2022")]
    lines = [[r["maat"], r["periode"], *(r[name] for name in names)] for r in kept]
    why = "In dagen. Een kwantiel is een waarde die voorkomt."
    return ("Kwantielen van kloof en voorsprong", why, ("maat", "jaar", *names), sorted(lines))


def drawing(maat: str, counts: dict[str, int]) -> str:
    """Horizontal bars as inline SVG; classes that meet the norm in full colour, the others lighter."""
    most = max([*counts.values(), 1])
    classes = {k.klasse: k for k in KLASSEN if k.maat == maat}
    height = len(counts) * (BAR + GAP) + GAP
    parts = [
        f'<svg role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{html.escape(MATEN_DAGEN[maat])}</title>'
    ]
    for place, (klasse, count) in enumerate(counts.items()):
        y = GAP + place * (BAR + GAP)
        k = classes[klasse]
        meets = k.vanaf >= LEAD_NORM if maat == "VOORSPRONG" else k.tot <= NORM[maat]
        width = round((WIDTH - LABEL - 70) * count / most)
        parts.append(
            f'<text x="{LABEL - 6}" y="{y + 13}" text-anchor="end" font-size="13">{html.escape(klasse)}</text>'
            f'<rect x="{LABEL}" y="{y}" width="{width}" height="{BAR}" fill="{DARK if meets else LIGHT}"/>'
            f'<text x="{LABEL + width + 6}" y="{y + 13}" font-size="13">{count:,}</text>'
        )
    norm = "minstens 42 dagen ervoor" if maat == "VOORSPRONG" else "uiterlijk na 42 dagen"
    return "".join(parts) + f"</svg><p>Donker: {norm} (zes weken, Wfz 2.5).</p>"
