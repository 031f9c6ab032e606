"""What a supplier is told about an extract: counts per reason and what to do. Dutch, and never a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudonymize.unique import DUPLICATE
from schemas.errors import QualityGate
from schemas.reading import WRONG_WIDTH
from schemas.register import Register
from schemas.registers import register as find

NUMBER_IN_TEXT = "BEVAT_NUMMER"
_IDENTIFIERS = {
    "BSN_NIET_NUMERIEK": "een bsn bevat andere tekens dan cijfers (bijvoorbeeld punten, spaties of .0 uit Excel). "
    "Lever de kolom als tekst.",
    "BSN_LENGTE": "een bsn heeft niet 8 of 9 cijfers. Voorloopnullen raken kwijt als de kolom een getal is.",
    "BSN_PLAATSHOUDER": "een bsn is een opvulnummer, zoals 000000000. Laat de cel leeg als het bsn onbekend is.",
    "BSN_ELFPROEF": "een bsn voldoet niet aan de elfproef. Controleer het nummer bij de bron.",
    "BSN_TESTREEKS": "een bsn komt uit de testreeks van RvIG. Haal proefpersonen uit het extract.",
    "BSN_SYNTHETISCH": "een bsn heeft het controlegetal van een verzonnen nummer: een tikfout, of proefdata.",
    "BSN_NIET_SYNTHETISCH": "een bsn kan echt zijn, maar de afspraak staat alleen verzonnen nummers toe. "
    "Controleer of dit het goede bestand is.",
    "BSN_NIET_OVEREENGEKOMEN": "de afspraak noemt het bsn niet. De waarde is niet gebruikt.",
}
_OPAQUE = {
    "TEKENS": "bevat tekens die niet in een nummer horen. Lever de kolom als tekst zonder bijzondere tekens.",
    "LENGTE": "is langer dan 32 tekens.",
    "NIET_OVEREENGEKOMEN": "staat niet in de afspraak. De waarde is niet gebruikt.",
}
_GENERAL = {
    WRONG_WIDTH: "De rij heeft niet zoveel kolommen als de kop. Controleer scheidingstekens en aanhalingstekens.",
    DUPLICATE: "De sleutel van deze rij komt vaker voor. De eerste rij telt; de andere staan apart.",
}


@dataclass
class DeliveryReport:
    """Counts of one check or delivery. `delivery` and `manifest_sha256` are empty after a check."""

    register: str
    rows_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    out_of_scope: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    emptied: Counter[str] = field(default_factory=Counter)
    usable: Counter[str] = field(default_factory=Counter)
    distinct: dict[str, int] = field(default_factory=dict)
    rows_without: int = 0
    aside: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    quarantine_file: Path | None = None
    delivery: Path | None = None
    sequence: int | None = None
    manifest_sha256: str = ""

    def require_balance(self) -> None:
        """QualityGate row_count_mismatch unless every row in is accounted for, once."""
        out = self.accepted + self.quarantined + self.out_of_scope
        told = sum(self.reasons.values()) == self.quarantined and sum(self.aside.values()) == self.out_of_scope
        if out != self.rows_in or not told:
            raise QualityGate("row_count_mismatch", register=self.register, rows_in=self.rows_in, rows_out=out)

    def advice(self) -> list[str]:
        """One sentence per reason, most frequent first: what is wrong, how often, what to do. In Dutch."""
        register = find(self.register)
        told = [(n, code, sentence(register, code)) for code, n in self.reasons.items()]
        told += [
            (n, code, f"Nummer niet gebruikt, de rij blijft: {sentence(register, code)}")
            for code, n in self.emptied.items()
        ]
        return [f"{code} ({n} keer): {text}" for n, code, text in sorted(told, key=lambda r: (-r[0], r[1]))]

    def text(self) -> str:
        """The report for people, in Dutch: counts, reasons, what to do. It names no file and no value."""
        numbers = ", ".join(f"{self.usable[name]} x {name}" for name in sorted(self.usable))
        lines = [
            f"Register {self.register}: {self.rows_in} rijen gelezen.",
            f"  {self.accepted} rijen goed",
            f"  {self.quarantined} rijen apart gezet (ze gaan niet mee)",
            f"  {self.out_of_scope} rijen buiten bereik (alleen geteld)",
            f"Bruikbare nummers: {numbers or 'geen'}. Rijen zonder bruikbaar nummer: {self.rows_without}.",
        ]
        if advice := self.advice():
            lines += ["Wat u kunt doen:", *(f"  - {line}" for line in advice)]
        if self.quarantine_file is not None and advice:
            lines.append("De rijnummers staan in het quarantainebestand naast de levering. Houd dat bij uzelf.")
        if self.manifest_sha256:
            lines.append(f"Levering {self.sequence} is verzegeld en getekend (manifest {self.manifest_sha256[:12]}).")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers, codes and hashes only."""
        return {
            "register": self.register,
            "rows": {
                "in": self.rows_in,
                "accepted": self.accepted,
                "quarantined": self.quarantined,
                "out_of_scope": self.out_of_scope,
            },
            "reasons": dict(sorted(self.reasons.items())),
            "identifiers": {
                "usable": dict(sorted(self.usable.items())),
                "distinct": dict(sorted(self.distinct.items())),
                "emptied": dict(sorted(self.emptied.items())),
                "rows_without": self.rows_without,
            },
            "out_of_scope": [
                {"reason": reason, "year": year, "kind": kind, "n": n}
                for (reason, year, kind), n in sorted(self.aside.items())
            ],
            "advice": self.advice(),
            "sequence": self.sequence,
            "manifest_sha256": self.manifest_sha256,
        }


def sentence(register: Register, code: str) -> str:
    """What a reason code means and what to do, in Dutch."""
    rules = {rule.code: rule.zin for rule in register.rules}
    known = {**rules, **_GENERAL, **_IDENTIFIERS}
    if code in known:
        return known[code]
    column = column_of(register, code)
    ending = code.removeprefix(f"{column.upper()}_")
    if column in {"skn", "vip"} and ending in _OPAQUE:
        return f"een {column}-nummer {_OPAQUE[ending]}"
    if ending == NUMBER_IN_TEXT:
        return f"{column} bevat een lang getal. Een persoonsnummer mag niet in een tekstveld staan."
    if ending == "LEEG":
        return f"{column} moet gevuld zijn."
    return f"{column} is niet te lezen: controleer schrijfwijze of code in het codeboek."


def column_of(register: Register, code: str) -> str:
    """The column a reason code is about, empty when it is about the row."""
    names = [name for name in (*register.by_name, "vip") if code.startswith(f"{name.upper()}_")]
    return max(names, key=len, default="")
