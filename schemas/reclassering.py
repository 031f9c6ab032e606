"""3RO (probation, IRIS): placement requests. No municipality exists here. registers.md section 4."""

from __future__ import annotations

from schemas.checks import Between, DateBetween, NotBefore
from schemas.column import Column, Kind, Role
from schemas.common import BSN, FALLBACK, GEBOORTEJAAR, GESLACHT, SKN, SKN_SOORT
from schemas.register import Register

RECLASSERING = Register(
    name="reclassering",
    title="3RO: plaatsingsverzoeken forensische zorg",
    holder="3RO (Reclassering Nederland, SVG, Leger des Heils)",
    legal_basis="Wfz; Reclasseringsregeling",
    grain="een rij per plaatsingsverzoek; meer verzoeken per indicatie en per persoon",
    source="registers.md 4.2 (voorgesteld extract)",
    columns=(
        Column("verzoek_id", Kind.TEXT, Role.RECORD_KEY, "Bronsleutel van het verzoek (IRIS)."),
        SKN,
        SKN_SOORT,
        BSN,
        *FALLBACK,
        GEBOORTEJAAR,
        GESLACHT,
        Column("organisatie", Kind.CODE, Role.MEASURE, "Reclasseringsorganisatie.", codes="reclasseringsorganisatie"),
        Column("fase", Kind.CODE, Role.ATTRIBUTE, "Fase van het reclasseringswerk.", codes="fase"),
        Column("indicatie_id", Kind.TEXT, Role.RECORD_KEY, "Indicatie; meer verzoeken delen er een."),
        Column("datum_indicatie", Kind.DATE, Role.QUASI, "Dag van de indicatie.", nullable=True),
        Column("datum_verzoek", Kind.DATE, Role.QUASI, "Dag van het verzoek."),
        Column("indicerende_instantie", Kind.CODE, Role.MEASURE, "Wie indiceerde.", codes="indicerende_instantie"),
        Column(
            "soort_plaatsing",
            Kind.CODE,
            Role.ATTRIBUTE,
            "AMBULANT (incl. verblijf) of KLINISCH.",
            codes="soort_plaatsing",
        ),
        Column("titel_code", Kind.CODE, Role.ATTRIBUTE, "Forensische zorgtitel.", nullable=True, codes="zorgtitel"),
        Column("arrondissement", Kind.CODE, Role.QUASI, "Arrondissement, tien waarden.", codes="arrondissement_3ro"),
        Column("zorgaanbieder_agb", Kind.TEXT, Role.QUASI, "Gevraagde zorgaanbieder (AGB).", nullable=True),
        Column("toezicht_begin", Kind.DATE, Role.QUASI, "Begin van het toezicht.", nullable=True),
        Column("toezicht_eind", Kind.DATE, Role.QUASI, "Einde van het toezicht, mag gepland zijn.", nullable=True),
        Column("uitkomst_verzoek", Kind.TEXT, Role.ATTRIBUTE, "Niet af te leiden in IRIS; leeg.", nullable=True),
    ),
    unique=("verzoek_id",),
    rules=(
        Between("geboortejaar", 1900, 2020),
        DateBetween("datum_verzoek"),
        NotBefore("toezicht_eind", "toezicht_begin"),
    ),
    date_column="datum_verzoek",
    kind_column="soort_plaatsing",
)
