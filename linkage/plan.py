"""The linkage plan: every window and choice of the linkage in one declaration, versioned and named in each run.

Source: linkage.md, section 7 (settled readings). A changed value is another plan: its digest goes into the run
manifest and into the fingerprint of the link step.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass

Parameter = int | str | dt.date | bytes
REGISTERS = ("ifzo", "reclassering", "injus", "gmsd")  # injus and injus_tbs are one holder
CARE = ("KLINISCH", "VERBLIJF", "AMBULANT", "FPT", "ONBEKEND")
PLACES = {
    "SETTLEMENT": "vestiging",
    "ORIGIN": "herkomst",
    "BRP": "BRP in de Wmo-gegevens",
    "DELIVERY": "levering",
}
CONFLICTS = {
    "KEEP": "blijven gekoppeld, tellen mee en worden geteld",
    "EXCLUDE": "tellen niet mee (reden CONFLICT)",
}


@dataclass(frozen=True)
class Plan:
    """One linkage plan. Days are whole days; `*_until` dates are the last day that counts."""

    version: str = "2026.2"
    period_from: dt.date = dt.date(2019, 1, 1)
    period_until: dt.date = dt.date(2023, 12, 31)
    coverage_from: dt.date = dt.date(2019, 1, 1)
    coverage_until: dt.date = dt.date(2023, 12, 31)
    classification_year: int = 2023
    chain_gap_days: int = 30
    transfer_gap_days: int = 1
    lookback_months: int = 24
    before_days: int = 90
    window_1_days: int = 30
    window_2_days: int = 90
    headline_days: int = 180
    follow_up_days: int = 365
    join_margin_days: int = 3
    reuse_gap_days: int = 183
    birth_year_margin: int = 1
    care_messages_from: dt.date = dt.date(2024, 1, 1)
    return_months: int = 24
    long_detention_months: int = 4
    lead_least_days: int = 42
    lead_wanted_days: int = 365
    suspicious_tenths: int = 25
    suspicious_least: int = 20
    attribute_order: tuple[str, ...] = REGISTERS
    care_order: tuple[str, ...] = CARE
    municipality_order: tuple[str, ...] = tuple(PLACES)
    conflict_rule: str = "KEEP"
    fallback_threshold: float = 0.95
    fallback_common: int = 50

    def __post_init__(self) -> None:
        windows = (self.window_1_days, self.window_2_days, self.headline_days, self.follow_up_days)
        if self.before_days <= 0 or sorted(set(windows)) != list(windows) or windows[0] <= 0:
            raise ValueError("windows of a plan grow from day 0 on")
        if self.period_from > self.period_until or self.coverage_from > self.coverage_until:
            raise ValueError("a plan's period ends before it begins")
        orders = {"attribute_order": REGISTERS, "care_order": CARE, "municipality_order": tuple(PLACES)}
        for name, every in orders.items():
            if sorted(getattr(self, name)) != sorted(every):
                raise ValueError(f"{name} of a plan names each of its elements once")
        if self.conflict_rule not in CONFLICTS or not 0.5 <= self.fallback_threshold < 1 or self.fallback_common < 2:
            raise ValueError("a plan keeps or excludes conflicts, and links above an even chance only")

    def digest(self) -> str:
        """Hex SHA-256 of the plan: equal plans have equal digests on every machine."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def parameters(self) -> dict[str, Parameter]:
        """The values a query can ask for as $name."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, int | str | dt.date)}

    def half_years(self) -> tuple[int, ...]:
        """Half-years of the period as numbers: 2 x year, plus 1 for the second half."""
        return tuple(range(half_of(self.period_from), half_of(self.period_until) + 1))

    def years(self) -> tuple[int, ...]:
        """Calendar years of the period."""
        return tuple(range(self.period_from.year, self.period_until.year + 1))

    def as_dict(self) -> dict[str, object]:
        """Every entry and the digest, for JSON; dates as text."""
        told = {name: str(value) if isinstance(value, dt.date) else value for name, value in asdict(self).items()}
        return {**told, "sha256": self.digest()}

    def in_words(self) -> tuple[str, ...]:
        """The plan in plain Dutch, one choice per line; every entry is in it (a test looks)."""
        places = ", ".join(PLACES[name] for name in self.municipality_order)
        return (
            f"Koppelplan {self.version}. Titeleindes van {self.period_from} tot en met {self.period_until}.",
            "Een persoon is een samenhangende groep van BSN-, SKN- en VIP-pseudoniemen, ook via de koppeltabel.",
            "Volgorde voor geboortejaar en geslacht: " + ", ".join(self.attribute_order) + ".",
            f"Geboortejaren die meer dan {self.birth_year_margin} verschillen, of man en vrouw, zijn een conflict: "
            f"zulke personen {CONFLICTS[self.conflict_rule]}.",
            "Rijen zonder nummer koppelen alleen op terugvalsleutels (waar de afspraak die geeft) met een kans van "
            f"minstens {self.fallback_threshold}; een sleutel van meer dan {self.fallback_common} mensen telt niet.",
            f"Titels met hoogstens {self.chain_gap_days} dagen ertussen zijn één keten; onbekend einde: open.",
            f"Detenties met hoogstens {self.transfer_gap_days} dag ertussen in één sector zijn één detentie.",
            f"Eerdere detentie: binnen {self.lookback_months} maanden voor het begin van de keten, of dan lopend.",
            "Laatste zorg die op dezelfde dag eindigt: " + ", ".join(self.care_order) + ".",
            f"Wmo: liep al, of start {self.before_days} dagen voor tot {self.follow_up_days} dagen na het titeleinde; "
            f"klassen tot en met dag {self.window_1_days}, {self.window_2_days}, {self.headline_days} en later.",
            f"Kerncijfer: tot en met {self.headline_days} dagen na het titeleinde.",
            f"Wmo-halfjaren worden samengevoegd volgens het CBS, met een marge van {self.join_margin_days} dagen.",
            f"Een toewijzingsnummer dat na meer dan {self.reuse_gap_days} dagen terugkomt is een nieuw arrangement.",
            f"Begin en einde van zorg zijn een verplicht bericht (FZ823, FZ825) vanaf {self.care_messages_from}.",
            f"Volgorde voor de gemeente: {places}; een bruikbare code gaat voor 0000 en 1999.",
            f"Terugkeer: een detentie die begint binnen {self.return_months} maanden na het titeleinde.",
            f"Lange detentie: meer dan {self.long_detention_months} maanden (kans op verlies van de woning).",
            f"Voorsprong van de toewijzing: minstens {self.lead_least_days} of {self.lead_wanted_days} dagen.",
            f"Gemeenten volgens de indeling van {self.classification_year}.",
            f"Wmo-gegevens kunnen bekend zijn van {self.coverage_from} tot en met {self.coverage_until}.",
            f"Verdachte levering: de een {self.suspicious_tenths / 10:g} keer de ander (in- en uitstroom), en de "
            f"grootste minstens {self.suspicious_least}.",
        )


def half_of(day: dt.date) -> int:
    """Number of the half-year a day lies in."""
    return 2 * day.year + (day.month > 6)


def half_name(half: int) -> str:
    """Name of a half-year: 4044 is 2022H1."""
    return f"{half // 2}H{half % 2 + 1}"


def half_first(half: int) -> dt.date:
    """First day of a half-year."""
    return dt.date(half // 2, 7 if half % 2 else 1, 1)
