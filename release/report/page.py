"""The VNG page: one self-contained HTML file from the protected table. Map and table come from the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from release.disclosure import HIDDEN, LEGEND, Protected, protect_number
from release.estimates import Estimates, section
from release.protect.edition import Protected as Edition
from release.report import land as landmap
from release.report import map as hexmap
from release.report.land import Land
from release.report.sheets import sheets
from release.report.year import HEADLINE, Year, latest
from release.report.year import words as words_of
from schemas.gemeente import gemeenten
from schemas.target_group import NIVEAUS

FOLDER = Path(__file__).parent
SCRIPT = (FOLDER / "page.js").read_text(encoding="utf-8")
HALVES = {1: "een halfjaar", 2: "som van twee halfjaren"}


@dataclass(frozen=True)
class Words:
    """What differs between the demonstration of a run and a release: the warning, and how to read numbers."""

    warning: str
    hidden: str
    numbers: str
    short: str
    synthetic: bool
    demo: bool = False


DEMO = Words(
    "Demo, niet voor publicatie. Alle personen in deze cijfers zijn verzonnen.",
    "minder dan 10 mensen. Ook nul krijgt dit teken. Zo kan niemand worden herkend.",
    f"{LEGEND}.",
    "minder dan 10 mensen",
    synthetic=True,
    demo=True,
)
SHOWN = (
    ("titel_eindes", "Titel eindigt"),
    ("wmo_180", "Met Wmo"),
    ("wmo_thuis_180", "Thuis"),
    ("wmo_opvang_180", "Opvang"),
)
STAGES = {
    "received": "ontvangen",
    "accepted": "geaccepteerd",
    "staged": "ingelezen",
    "with_identifier": "met nummer",
    "linked": "gekoppelde personen",
    "in_scope": "binnen bereik",
    "event": "gebeurtenissen",
}


def _cells(found: Year, niveau: str, code: str) -> list[str]:
    return [words_of(found.total(niveau, code, maat)) for maat, _ in SHOWN]


def _gemeenten(found: Year) -> list[dict[str, Any]]:
    places = sorted(gemeenten(), key=lambda g: (g.provincie, g.naam.lstrip("'")))
    listed = [
        {
            "code": g.code,
            "provincie": g.provincie,
            "naam": g.naam,
            "cellen": _cells(found, "gemeente", g.code),
            **_given(found, "gemeente", g.code),
        }
        for g in places
    ]
    known = {g.code for g in places}
    rest = sorted(code for niveau, code in found.names if niveau == "gemeente" and code not in known)
    return listed + [
        {
            "code": c,
            "provincie": "",
            "naam": found.names["gemeente", c],
            "cellen": _cells(found, "gemeente", c),
            **_given(found, "gemeente", c),
        }
        for c in rest
    ]


def _given(found: Year, niveau: str, code: str) -> dict[str, str]:
    return {"geleverd": "ja" if found.delivered[niveau, code] else "niet (alle)"}


def _regions(found: Year) -> list[dict[str, Any]]:
    return [
        {
            "niveau": words,
            "naam": found.names[niveau, code],
            "cellen": _cells(found, niveau, code),
            **_given(found, niveau, code),
        }
        for niveau, words in NIVEAUS.items()
        if niveau != "gemeente"
        for _, code in sorted(area for area in found.names if area[0] == niveau)
    ]


def _tiles(found: Year) -> list[hexmap.Tile]:
    made = []
    for place in gemeenten():
        count = found.total("gemeente", place.code, "titel_eindes")
        text = "verborgen, want te klein of te herleiden" if count is None else f"{words_of(count)} personen"
        delivered = found.delivered["gemeente", place.code]
        made.append(
            hexmap.Tile(
                place.code, place.naam, count, delivered, text + ("" if delivered else "; geen Wmo-gegevens geleverd")
            )
        )
    return made


def _funnel(funnel: pa.Table) -> list[dict[str, Any]]:
    first: dict[str, int] = {}
    made = []
    for row in funnel.sort_by([("register", "ascending"), ("step", "ascending")]).to_pylist():
        first.setdefault(row["register"], max(row["count"], 1))
        part = 0 if row["count"] < 10 else round(min(100.0, 100 * row["count"] / first[row["register"]]))
        made.append(
            {
                "register": row["register"],
                "stap": STAGES.get(row["stage"], row["stage"]),
                "deel": part,
                "aantal": protect_number(row["count"]),
            }
        )
    return made


def write_page(
    protected: Protected | Edition,
    funnel: pa.Table,
    out: Path,
    provenance: dict[str, str],
    *,
    estimates: Estimates | None = None,
    words: Words = DEMO,
    land: Land | None = None,
) -> Path:
    """Write doelgroep.html; needs no network and no other file, and is whole without its script.

    With estimates: a section of their own. With borders: the map once more, by land area.
    """
    found = latest(protected)
    places = _gemeenten(found)
    halves = len({row["halfjaar"] for row in protected.table.to_pylist() if row["halfjaar"].startswith(found.year)})
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("page.html.j2").render(
        css=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        jaar=found.year,
        geschat=Markup("" if estimates is None else section(estimates, found.year)),  # noqa: S704 - escaped there
        land={maat: words_of(found.total("land", "NL", maat)) for maat in HEADLINE},
        kaart=Markup(hexmap.svg(_tiles(found))),  # noqa: S704 - escaped where names enter
        land_kaart=Markup("" if land is None else landmap.svg(_tiles(found), land)),  # noqa: S704 - as above
        legenda=[(Markup(swatch), words) for swatch, words in hexmap.legend()],  # noqa: S704
        koppen=[words for _, words in SHOWN],
        script=Markup(SCRIPT),  # noqa: S704 - our own file, and the gate lets no other through
        gemeenten=places,
        bladen=sheets(found, estimates),
        regios=_regions(found),
        trechter=_funnel(funnel),
        teken=HIDDEN,
        woorden=words,
        optelling=HALVES[halves],
        herkomst=list(provenance.items()),
    )
    path = out / "doelgroep.html"
    path.write_text(text, encoding="utf-8")
    return path
