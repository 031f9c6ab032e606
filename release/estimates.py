"""Estimates for readers: a type that cannot hold an unsafe one, and the section of the page that tells them.

Estimates are not counts: they have no place in the tables of counts, their own words, and an interval always.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import DisclosureRefused
from schemas.estimates import BASES, KWALITEIT, SCHATTINGEN
from schemas.gemeente import gemeenten

BASE = 5
_NUMBER = re.compile(r"\d+(?:\.\d{3})*")
SHOWN = ("GOED", "VOORZICHTIG")
LEVELS = ("land", "provincie", "arrondissement", "veiligheidsregio")


@dataclass(frozen=True)
class Estimates:
    """A table with the SCHATTINGEN schema that passed every rule: rounded, bracketed, silent where refused."""

    table: pa.Table

    def __post_init__(self) -> None:
        if not self.table.schema.remove_metadata().equals(SCHATTINGEN.arrow_schema()):
            raise DisclosureRefused("release_schema")
        if any(not _safe(row) for row in self.table.to_pylist()):
            raise DisclosureRefused("estimate_unsafe")

    def rows(self, period: str, months: int, kind: str = "GEBRUIK", group: str = "ALLE") -> list[dict[str, Any]]:
        """The rows of one measure and period."""
        wanted = {"periode": period, "soort": kind, "groep": group, "maanden": months}
        mine = reduce(pc.and_, [pc.equal(self.table[name], value) for name, value in wanted.items()])
        return list(self.table.filter(mine).to_pylist())


def _safe(row: dict[str, Any]) -> bool:
    """Either three numbers that are multiples of 5, in order, or none; need names its assumption and use does not.

    The sentence says no other number than these; without them (it may quote the region) only multiples of 5.
    """
    numbers = [row[name] for name in ("laag", "schatting", "hoog")]
    said = {int(found.replace(".", "")) for found in _NUMBER.findall(row["weergave"])}
    if any(number % BASE for number in said) or (row["kwaliteit"] in SHOWN and not said <= set(numbers)):
        return False
    if (row["soort"] == "BEHOEFTE") != bool(row["aanname"]) or row["kwaliteit"] not in KWALITEIT:
        return False
    if row["kwaliteit"] not in SHOWN:
        return numbers == [None, None, None]
    if any(n is None or n < 0 or n % BASE for n in numbers) or row["basis"] not in BASES:
        return False
    # An interval that is a single number would be a count under another name.
    return bool(numbers[0] <= numbers[1] <= numbers[2] and numbers[0] < numbers[2])


def section(estimates: Estimates, year: str, months: int = 6) -> str:
    """A section of the VNG page (HTML, no numbers in cells of class n: those are counts, and the gate reads them)."""
    rows = estimates.rows(year, months)
    regions = sorted((r for r in rows if r["niveau"] in LEVELS), key=lambda r: (LEVELS.index(r["niveau"]), r["naam"]))
    order = {g.code: (g.provincie, g.naam.lstrip("'")) for g in gemeenten()}
    places = sorted((r for r in rows if r["niveau"] == "gemeente"), key=lambda r: order.get(r["code"], ("", r["naam"])))
    return "\n".join(
        (
            f'<section id="geschat"><h2>Geschat, {html.escape(year)}</h2>',
            f"<p>Hoeveel mensen van wie een forensische titel eindigde, gebruikten binnen {months} maanden",
            "Wmo-ondersteuning? Wat hierboven staat, is <strong>geteld</strong>. Wat hier staat, is",
            "<strong>geschat</strong>: de telling, aangevuld met wie niet te zien is. Waarschijnlijk betekent: in",
            "negen van de tien gevallen ligt het echte aantal tussen de twee genoemde getallen. Gebruik is geen",
            "behoefte: hoeveel mensen ondersteuning nodig hebben, staat hier niet.</p>",
            *_table("Per regio", regions),
            *_table("Per gemeente", places),
            "</section>",
        )
    )


def _table(title: str, rows: list[dict[str, Any]]) -> list[str]:
    lines = [f'<div class="rol" tabindex="0" role="region" aria-label="Geschat: {title.lower()}"><table>']
    lines.append(f"<caption>{title}</caption><thead><tr><th scope='col'>Gebied</th><th scope='col'>Schatting</th></tr>")
    lines.append("</thead><tbody>")
    for row in rows:
        name, words = html.escape(row["naam"]), html.escape(row["weergave"])
        lines.append(f'<tr><th scope="row">{name}</th><td class="s">{words}</td></tr>')
    return [*lines, "</tbody></table></div>"]
