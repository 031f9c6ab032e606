"""What the faces of an edition have in common: rows, column names, words. Made from protected cells alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from release.protect.edition import EXACT, HIDDEN, Protected, shown_table
from release.protect.spec import Rules, Table
from release.protect.system import Flags
from schemas.errors import DisclosureRefused
from schemas.spreadsheet import no_formula
from schemas.target_group import MATEN

HEADS = ("niveau", "code", "naam", "halfjaar", "maat", "omschrijving", "aantal", "status", "wmo_gegevens_geleverd")
SHOWN, CLOSED = "getoond", "verborgen"
SYNTHETIC = "Synthetische gegevens: alle personen zijn verzonnen."
Row = tuple[str, str, str, str, str, str, int | None, str, str]


@dataclass(frozen=True)
class Face:
    """One edition for one audience: the tables it gets, and where they come from."""

    protected: Protected
    tables: dict[str, Table]
    rules: Rules
    title: str
    provenance: dict[str, str]

    @property
    def synthetic(self) -> bool:
        """Whether the persons are made up."""
        return self.provenance["gegevens"] == "synthetisch"

    def table(self, name: str) -> pa.Table:
        """The rows of one table of the specification, in the order of the cube."""
        return self.protected.table.filter(pa.array(self._mask(name)))

    def _mask(self, name: str) -> Flags:
        """Per row of the cube, whether that table prints it."""
        given, wanted = self.protected.table, self.tables[name]
        mask = np.isin(np.array(given["niveau"].to_pylist()), wanted.levels)
        return mask & np.isin(np.array(given["maat"].to_pylist()), list(wanted.measures or MATEN))

    @property
    def printed(self) -> Protected:
        """The cube as this audience sees it: a cell that is in none of its tables is hidden."""
        given = self.protected.table
        mask = np.any([self._mask(name) for name in self.tables], axis=0)
        counts = [n if seen else None for n, seen in zip(given["aantal"].to_pylist(), mask, strict=True)]
        return replace(self.protected, table=shown_table(given, pa.array(counts, pa.int64())))

    def rows(self, name: str) -> list[Row]:
        """The same as cells of a file: an empty count and a status where it is hidden."""
        return [_row(row) for row in self.table(name).to_pylist()]

    def legend(self) -> list[tuple[str, str]]:
        """Word and explanation, for whoever reads the numbers."""
        told = [("titel", self.title), *([("let op", SYNTHETIC)] if self.synthetic else [])]
        told += [
            (CLOSED, hidden_words(self.rules)),
            (HIDDEN, "Zo staat een verborgen cel op de pagina."),
            ("getallen", number_words(self.protected.edition, self.rules)),
            ("waargenomen", "Geteld wat te koppelen is; niet opgehoogd voor wat ontbreekt."),
            (
                "nee bij wmo_gegevens_geleverd",
                "Niet alle gemeenten van het gebied leverden GMSD; gebruik is dan niet te zien.",
            ),
        ]
        return [*told, *MATEN.items(), *self.provenance.items()]


def hidden_words(rules: Rules) -> str:
    """What a hidden cell means, and what it does not."""
    return (
        f"Er staat geen getal. Het aantal is kleiner dan {rules.threshold} (ook nul), of een ander klein aantal zou er "
        "uit te berekenen zijn. Welke van de twee, staat nergens."
    )


def number_words(edition: str, rules: Rules) -> str:
    """How to read a number that is shown."""
    if edition == EXACT:
        return "Getallen zijn exact."
    return (
        f"Getallen zijn afgerond op een veelvoud van {rules.base}, naar boven of naar beneden, zo dat optellingen "
        f"kloppen. Het echte aantal scheelt er bijna altijd minder dan {rules.base} van en is nooit kleiner dan "
        f"{rules.threshold}."
    )


def _row(row: dict[str, object]) -> Row:
    count = row["aantal"]
    if count is not None and not isinstance(count, int):
        raise DisclosureRefused("release_schema", kind="cells")
    texts = [no_formula(str(row[name])) for name in HEADS[:6]]
    status = CLOSED if count is None else SHOWN
    return (*texts, count, status, "ja" if row["gmsd_geleverd"] else "nee")  # type: ignore[return-value]  # six texts
