"""What a run tells about its own linkage: bases of links, strata, merges and conflicts, and the fallback model.

Internal: these tables stay in the run's folder; the operator's page shows counts of them.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.column import Role
from schemas.register import OutColumn, OutTable

_STR, _INT, _DBL, _ROW = pa.string(), pa.int64(), pa.float64(), pa.binary(16)
M = Role.MEASURE

# How a row or a register was tied to a person, surest first.
BASES = ("BSN", "SKN", "VIP", "CROSSWALK", "FALLBACK")
# What became of a row without a number that has fallback keys.
OUTCOMES: dict[str, str] = {
    "LINKED": "Gekoppeld aan een persoon met een nummer.",
    "GROUPED": "Alleen gekoppeld aan andere rijen zonder nummer.",
    "BELOW_THRESHOLD": "De beste kandidaat haalt de drempel niet.",
    "TIED": "Twee kandidaten zijn even waarschijnlijk.",
    "TAKEN": "De beste kandidaat heeft in dit register al een andere rij.",
    "TOO_LITTLE": "Te weinig gegevens om iemand te herkennen.",
    "NO_CANDIDATE": "Niemand anders deelt een sleutel.",
}
# Measure -> Dutch label, in the order of the operator's page.
PERSON_MEASURES: dict[str, str] = {
    "persons": "personen",
    "unlinkable": "zonder bruikbaar nummer",
    "by_fallback": "met rijen die via terugvalsleutels zijn gekoppeld",
    "by_crosswalk": "met registers die alleen via de koppeltabel of een rij met twee nummers samenkomen",
    "merged_bsn": "met meer dan een BSN-pseudoniem",
    "merged_skn": "met meer dan een SKN-pseudoniem",
    "merged_vip": "met meer dan een VIP-pseudoniem",
    "conflict_birth_year": "geboortejaar in strijd",
    "conflict_sex": "geslacht in strijd",
    "conflict_any": "in strijd, een van beide",
    "conflict_events": "titeleindes van personen in strijd (wat uitsluiten zou schelen)",
    "conflict_events_wmo": "daarvan met Wmo-ondersteuning binnen 180 dagen",
}
STRATA: dict[str, str] = {
    "ALLEN": "alle",
    "geslacht": "geslacht",
    "leeftijd": "leeftijdsgroep",
    "sector": "sector of soort zorg",
    "regio": "veiligheidsregio (3RO: arrondissement)",
}


def _c(name: str, kind: pa.DataType, text: str, nullable: bool = False) -> OutColumn:
    return OutColumn(name, kind, M, text, nullable=nullable)


LINKS = OutTable(
    "register_links",
    "Koppelingen: waarop registers van een persoon samenkomen",
    "one row per person x two registers that both hold it (one register twice: by fallback only)",
    (
        OutColumn("person_id", _INT, Role.RECORD_KEY, "Persoon in deze run; nooit buiten de TTP."),
        _c("register", _STR, "Register."),
        _c("other", _STR, "Ander register."),
        _c("basis", _STR, "BSN, SKN, VIP, CROSSWALK (rij met twee nummers) of FALLBACK (terugvalsleutels)."),
        _c("probability", _DBL, "Kans dat het een persoon is: 1 bij nummers, die van het model bij FALLBACK."),
    ),
    key=("person_id", "register", "other"),
)

FALLBACK_LINKS = OutTable(
    "fallback_links",
    "Rijen zonder nummer: beste kandidaat, kans en besluit",
    "one row per row without a number that has a fallback key",
    (
        _c("register", _STR, "Register."),
        _c("sequence", pa.int32(), "Levering."),
        OutColumn("row_id", _ROW, Role.RECORD_KEY, "Willekeurig rijnummer van de levering."),
        _c("other_register", _STR, "Register van een rij van de kandidaat.", nullable=True),
        _c("other_sequence", pa.int32(), "Levering van die rij.", nullable=True),
        OutColumn("other_row_id", _ROW, Role.RECORD_KEY, "Rijnummer van die rij.", nullable=True),
        _c("probability", _DBL, "Kans dat beide rijen over een persoon gaan.", nullable=True),
        _c("outcome", _STR, "Wat er is besloten: " + ", ".join(OUTCOMES) + "."),
    ),
    key=("register", "sequence", "row_id"),
)

FALLBACK_MODEL = OutTable(
    "fallback_model",
    "Het model van de terugvalkoppeling (Fellegi-Sunter)",
    "one row per part of a key x level of agreement",
    (
        _c("part", _STR, "Onderdeel: naam, voorletter, datum, geslacht of postcode."),
        _c("level", _STR, "Mate van overeenkomst."),
        _c("m", _DBL, "Kans bij rijen van een en dezelfde persoon."),
        _c("u", _DBL, "Kans bij rijen van twee personen."),
    ),
    key=("part", "level"),
)

FALLBACK_CURVE = OutTable(
    "fallback_curve",
    "Wat het model zelf verwacht bij elke drempel",
    "one row per threshold",
    (
        _c("threshold", _DBL, "Drempel."),
        _c("records", _INT, "Records zonder nummer met een kandidaat vanaf deze kans."),
        _c("precision", _DBL, "Verwacht aandeel juist.", nullable=True),
        _c("recall", _DBL, "Verwacht aandeel gevonden, onder wie een kandidaat heeft.", nullable=True),
    ),
    key=("threshold",),
)

PERSON_QUALITY = OutTable(
    "person_quality",
    "Samenvoegingen en conflicten",
    "one row per measure",
    (_c("measure", _STR, "Wat is geteld: " + ", ".join(PERSON_MEASURES) + "."), _c("n", _INT, "Aantal.")),
    key=("measure",),
)

LINK_STRATA = OutTable(
    "link_strata",
    "Koppelbaarheid per register, jaar en stratum",
    "one row per register x year x stratum x value: persons with a row of that register in that year",
    (
        _c("register", _STR, "Register."),
        _c("year", pa.int32(), "Jaar van de rij."),
        _c("stratum", _STR, "Waarnaar is gesplitst: " + ", ".join(STRATA) + "."),
        _c("value", _STR, "Waarde van het stratum; ONBEKEND als die leeg is."),
        _c("persons", _INT, "Personen."),
        _c("matched", _INT, "Daarvan ook in een ander register."),
        _c("unlinkable", _INT, "Daarvan zonder bruikbaar nummer."),
        _c("by_fallback", _INT, "Daarvan met een koppeling op terugvalsleutels in dit register."),
    ),
    key=("register", "year", "stratum", "value"),
)

QUALITY_TABLES = (FALLBACK_LINKS, FALLBACK_MODEL, FALLBACK_CURVE, PERSON_QUALITY, LINK_STRATA)
