"""Ifzo (DJI): indication, match and placement in forensic care. registers.md section 5."""

from __future__ import annotations

from schemas.checks import Between, DateBetween, NotBefore
from schemas.column import Column, Kind, Role
from schemas.common import BSN, FALLBACK, GEBOORTEJAAR, GESLACHT, SKN, SKN_SOORT
from schemas.register import Register

# 9999-12-31 means "unknown end" (pseudonymisation.md section 2, Settled): read as empty, never as a date.
UNKNOWN_END = ("9999-12-31", "31-12-9999")

IFZO = Register(
    name="ifzo",
    title="Ifzo: plaatsingen forensische zorg",
    holder="DJI (divisie ForZo/JJI)",
    legal_basis="Wfz; Wjsg art. 51c lid 2",
    grain="een rij per toeleidingspoging of plaatsing en zorglijn",
    source="registers.md 5.4 (voorgesteld extract)",
    columns=(
        Column("plaatsing_id", Kind.TEXT, Role.RECORD_KEY, "Bronsleutel van de toeleidingspoging."),
        Column(
            "plaatsingsbesluitnummer", Kind.TEXT, Role.RECORD_KEY, "Nummer van de definitieve brief.", nullable=True
        ),
        SKN,
        SKN_SOORT,
        BSN,
        *FALLBACK,
        GEBOORTEJAAR,
        GESLACHT,
        Column(
            "indicatie_id", Kind.TEXT, Role.RECORD_KEY, "Indicatie van Ifzo; andere naamruimte dan 3RO.", nullable=True
        ),
        Column("datum_indicatie", Kind.DATE, Role.QUASI, "Dag van de indicatie.", nullable=True),
        Column("indicatiesteller", Kind.CODE, Role.MEASURE, "Wie indiceerde.", codes="indicatiesteller"),
        Column("plaatsende_instantie", Kind.CODE, Role.MEASURE, "Wie plaatste.", codes="plaatsende_instantie"),
        Column("zorgtype", Kind.CODE, Role.ATTRIBUTE, "Soort forensische zorg.", codes="zorgtype"),
        Column(
            "beveiligingsniveau",
            Kind.INTEGER,
            Role.ATTRIBUTE,
            "Beveiligingsniveau 1-4, alleen klinisch.",
            nullable=True,
        ),
        Column("titel_code", Kind.CODE, Role.ATTRIBUTE, "Forensische zorgtitel.", codes="zorgtitel"),
        Column("titel_begin", Kind.DATE, Role.QUASI, "Begin van de titel.", nullable=True),
        Column(
            "titel_eind",
            Kind.DATE,
            Role.QUASI,
            "Einde van de titel; leeg is onbekend.",
            nullable=True,
            sentinel_null=UNKNOWN_END,
        ),
        Column("titel_eind_status", Kind.CODE, Role.MEASURE, "Hoe zeker het einde is.", codes="titel_eind_status"),
        Column("status", Kind.CODE, Role.MEASURE, "Stand van de plaatsing.", codes="plaatsing_status"),
        Column(
            "datum_plaatsingsbrief",
            Kind.DATE,
            Role.QUASI,
            "Datum van de brief; geen bewijs van plaatsing.",
            nullable=True,
        ),
        Column("zorg_begin", Kind.DATE, Role.QUASI, "Werkelijk begin van de zorg (FZ823).", nullable=True),
        Column(
            "zorg_eind", Kind.DATE, Role.QUASI, "Einde van de zorg (FZ825).", nullable=True, sentinel_null=UNKNOWN_END
        ),
        Column(
            "reden_einde_zorg",
            Kind.CODE,
            Role.ATTRIBUTE,
            "Reden van het einde.",
            nullable=True,
            codes="reden_einde_zorg",
        ),
        Column("zorgaanbieder_agb", Kind.TEXT, Role.QUASI, "Zorgaanbieder (AGB).", nullable=True),
        Column(
            "locatie_gemeentecode", Kind.GEMEENTE, Role.QUASI, "Plaats van de zorg, niet van herkomst.", nullable=True
        ),
    ),
    unique=("plaatsing_id",),
    rules=(
        Between("geboortejaar", 1900, 2020),
        Between("beveiligingsniveau", 1, 4),
        DateBetween("titel_begin"),
        DateBetween("zorg_begin"),
        NotBefore("titel_eind", "titel_begin"),
        NotBefore("zorg_eind", "zorg_begin"),
    ),
    date_column="zorg_begin",
    kind_column="zorgtype",
)
