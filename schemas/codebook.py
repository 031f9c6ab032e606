"""Codebook pages from the declarations: docs/codebook/*.md. A test fails when the pages are stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas import codes
from schemas.column import Column
from schemas.indicators import INDICATORS, KENMERKEN, KLASSEN, MATEN_DAGEN
from schemas.linked import LINKED_TABLES
from schemas.register import OutTable, Register
from schemas.registers import REGISTERS
from schemas.target_group import DOELGROEP, MATEN, RUN_TABLES

_YES = {True: "ja", False: "nee"}


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _column_row(column: Column) -> tuple[str, ...]:
    kind = f"code ({column.codes})" if column.codes else column.kind.value
    return (column.name, kind, column.role.value, _YES[column.nullable], column.omschrijving)


def register_page(register: Register) -> str:
    """Markdown page of one register: columns, rules with reason codes, what is out of scope."""
    lines = [f"# {register.title}", "", f"Houder: {register.holder}. Grondslag: {register.legal_basis}."]
    lines += [f"Korrel: {register.grain}. Bron van deze beschrijving: {register.source}.", "", "## Kolommen", ""]
    head = ("kolom", "soort", "rol", "mag leeg", "omschrijving")
    lines += _table(head, [_column_row(column) for column in register.columns])
    lines += ["", "## Regels", "", "Een rij die een regel breekt gaat in quarantaine met deze redencode.", ""]
    rules = [(rule.code, rule.zin) for rule in register.rules]
    rules += [(f"{c.name.upper()}_LEEG", f"{c.name} moet gevuld zijn.") for c in register.columns if not c.nullable]
    lines += _table(("reden", "regel"), rules)
    if register.out_of_scope:
        lines += ["", "## Buiten bereik (geteld, niet verwerkt)", ""]
        lines += _table(("reden", "uitleg"), [(rule.code, rule.zin) for rule in register.out_of_scope])
    lists = sorted({column.codes for column in register.columns if column.codes})
    for name in lists:
        lines += ["", f"## Codelijst {name}", ""]
        rows = [(c.code, c.omschrijving, c.groep, c.bron) for c in codes.load(name).codes]
        lines += _table(("code", "omschrijving", "groep", "bron"), rows)
    return "\n".join(lines) + "\n"


def out_page(title: str, tables: tuple[OutTable, ...]) -> str:
    """Markdown page of a family of our own tables."""
    lines = [f"# {title}"]
    for table in tables:
        lines += ["", f"## {table.name}", "", f"{table.title}. Korrel: {table.grain}.", ""]
        rows = [(c.name, str(c.type), c.role.value, _YES[c.nullable], c.omschrijving) for c in table.columns]
        lines += _table(("kolom", "type", "rol", "mag leeg", "omschrijving"), rows)
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every generated page: file name -> text."""
    made = {f"{name}.md": register_page(register) for name, register in REGISTERS.items()}
    made["gekoppeld.md"] = out_page("Gekoppelde tabellen (onderzoekers)", tuple(LINKED_TABLES.values()))
    made["uitkomsten.md"] = out_page("Uitkomsten van een run", (*RUN_TABLES.values(), DOELGROEP)) + _maten()
    made["indicatoren.md"] = _indicators()
    made["README.md"] = _index(sorted(made))
    return made


def _indicators() -> str:
    """Every indicator with numerator, denominator, window and censoring; characteristics and classes of days."""
    lines = [
        "# Indicatoren",
        "",
        "Per gemeente, veiligheidsregio, arrondissement, provincie en land, per halfjaar en jaar.",
    ]
    lines += ["Ware tellingen: ze blijven binnen de TTP en gaan alleen via de onthullingscontrole naar buiten.", ""]
    head = ("indicator", "naam", "teller", "noemer", "venster", "wat niet te zien is", "tabel")
    rows = [
        (i.code, i.naam, i.teller, i.noemer or "(aantal)", i.venster, i.censurering, i.tabel.name) for i in INDICATORS
    ]
    lines += _table(head, rows)
    lines += [
        "",
        "De teller en de noemer zijn kolommen van de tabel; [uitkomsten](uitkomsten.md) beschrijft elke kolom.",
    ]
    lines += ["", "## Kenmerken", "", *_table(("kenmerk", "waarden"), list(KENMERKEN.items()))]
    lines += ["", "## Maten in dagen", "", *_table(("maat", "wat die meet"), list(MATEN_DAGEN.items()))]
    lines += ["", *_table(("maat", "klasse"), [(k.maat, k.klasse) for k in KLASSEN])]
    return "\n".join(lines) + "\n"


def _maten() -> str:
    return "\n".join(["", "## Maten", "", *_table(("maat", "wat die telt"), list(MATEN.items()))]) + "\n"


def _index(names: list[str]) -> str:
    lines = [
        "# Codeboek",
        "",
        "Gemaakt uit `schemas/` met `koppel codebook --write docs`; niet met de hand wijzigen.",
        "",
    ]
    lines += [f"- [{name.removesuffix('.md')}]({name})" for name in names]
    return "\n".join([*lines, "- [bronnen](bronnen.md): herkomst van codelijsten en cijfers"]) + "\n"


def write(folder: Path) -> list[Path]:
    """Write every page; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages()]
