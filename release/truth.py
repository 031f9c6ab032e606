"""Synthetic runs only: how close the observed target group is to the planted one, and why it differs.

Events are matched to the truth on their content (chain begin, title end, birth year, sex), never on a number:
this room sees no identifier. What matches more than once is left out and counted.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

QUERIES = Path(__file__).parent / "sql"
CAUSES = {
    "seen": "gezien, in dezelfde periode",
    "late": "gezien, maar met een andere start of klasse",
    "not_delivered": "de gemeente leverde over dit halfjaar geen Wmo-gegevens",
    "not_linked": "Wmo-rijen niet aan deze persoon gekoppeld (geen brug tussen SKN en BSN, of een onbruikbaar nummer)",
    "excluded": "titeleinde telt niet mee (geen gerealiseerde zorg gezien, overlijden of uitzetting gemeld)",
    "ambiguous": "niet te duiden: meer dan één persoon met dezelfde dagen, leeftijd en geslacht",
    "unknown_end": "titeleinde niet bekend in Ifzo (onbekend, onbepaald, voorlopig met andere dag) of rij opzijgezet",
}
Rows = list[tuple[object, ...]]


def write_truth(linked: Path, truth: Path, out: Path) -> Path:
    """Write truth.md: country, causes, half-years and municipalities. Shares in percent, counts of title ends."""
    with duckdb.connect() as con:
        for name in ("title_ends", "persons"):
            con.execute(f"create view true_{name} as from read_parquet({_path(truth, name)})")
        for name in ("title_end_events", "coverage", "persons"):
            con.execute(f"create view {name} as from read_parquet({_path(linked, name)})")
        con.execute(f"create view register_rows as from read_parquet({_path(truth, 'rows_*')})")
        for step in ("truth_pairs", "truth_matched"):
            con.execute((QUERIES / f"{step}.sql").read_text(encoding="utf-8"))
        text = _page(con)
    path = out / "truth.md"
    path.write_text(text, encoding="utf-8")
    return path


def _path(folder: Path, name: str) -> str:
    return "'" + str(folder / f"{name}.parquet").replace("'", "''") + "'"


def _ask(con: duckdb.DuckDBPyConnection, name: str) -> Rows:
    return con.execute((QUERIES / f"{name}.sql").read_text(encoding="utf-8")).fetchall()


def _page(con: duckdb.DuckDBPyConnection) -> str:
    lines = [
        "# Waargenomen naast geplant (synthetisch)",
        "",
        "Deze pagina bestaat alleen bij synthetische gegevens: daar is bekend wie wie is en wat er echt volgde.",
        "Wmo-ondersteuning telt mee als zij liep op de dag van het titeleinde, of startte van 90 dagen ervoor tot en",
        "met 180 dagen erna. Aantallen zijn titeleindes, niet beschermd: deze pagina blijft bij de operator.",
        "",
        *_table("Nederland", ("wat", "geplant", "waargenomen", "waargenomen in %"), _ask(con, "truth_country")),
        *_table(
            "Waar blijven de geplante titeleindes met Wmo?",
            ("oorzaak", "titeleindes", "%"),
            _causes(con, "truth_causes"),
        ),
        "Andersom, zonder geplante Wmo maar wel waargenomen, telt de laatste regel van de eerste tabel: dat zijn",
        "koppelingen met de verkeerde persoon, of rijen van een eerdere of latere periode van dezelfde persoon.",
        "",
        *_table(
            "Per halfjaar",
            ("halfjaar", "titeleindes", "waargenomen", "met Wmo", "waargenomen"),
            _ask(con, "truth_halves"),
        ),
        *_table(
            "De twintig gemeenten met de meeste geplante titeleindes",
            ("gemeente", "titeleindes", "waargenomen", "met Wmo", "waargenomen", "GMSD geleverd"),
            _ask(con, "truth_places"),
        ),
        *WHY,
    ]
    return "\n".join(lines)


WHY = (
    "## Waarom het verschilt",
    "",
    "- Titeleindes: Ifzo kent een deel van de einden niet; die blijven open en zijn geen gebeurtenis.",
    "- Wmo: een titeleinde staat op SKN, de Wmo op BSN. Zonder rij in de koppeltabel en zonder BSN in Ifzo of Injus",
    "  is er geen brug, en lijkt het alsof er geen Wmo was.",
    "- Gemeenten die niets leverden: de uitkomst is NOT_OBSERVABLE, en die telt hier als niet gezien.",
    "- Gemeente: zonder detentie en zonder Wmo kent geen register de woonplaats; het telt dan alleen landelijk.",
    "- Dit zijn waarnemingen. Er is nog niets geschat of bijgeteld; dat hoort bij de schatting.",
    "",
)


def _causes(con: duckdb.DuckDBPyConnection, name: str) -> Rows:
    return [(CAUSES[str(cause)], count, share) for cause, count, share in _ask(con, name)]


def _table(title: str, heads: tuple[str, ...], rows: Rows) -> list[str]:
    lines = [f"## {title}", "", "| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    return [*lines, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows), ""]


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.1f}".replace(".", ",")
    if isinstance(value, bool):
        return "ja" if value else "nee"
    return "" if value is None else str(value)
