"""GMSD (CBS, delivered by municipalities): Wmo arrangements per half-year. registers.md section 6."""

from __future__ import annotations

from schemas.checks import Between, DateBetween, HalfYear, NotBefore
from schemas.column import Column, Kind, Role
from schemas.common import BSN, FALLBACK, GEBOORTEJAAR, GESLACHT
from schemas.register import Register

GMSD = Register(
    name="gmsd",
    title="GMSD: Wmo-maatwerkarrangementen zoals aangeleverd",
    holder="gemeenten / CBS",
    legal_basis="Wmo 2015 art. 5.3.6; CBS-wet",
    grain="een rij per arrangement per halfjaar waarin het liep",
    source="registers.md 6.1-6.4 (protocol 2015, voorgesteld extract)",
    columns=(
        Column("verslagperiode", Kind.TEXT, Role.MEASURE, "Halfjaar van de levering, zoals 2022H1."),
        Column("gemeentecode", Kind.GEMEENTE, Role.QUASI, "Leverende gemeente (bij 15-18 de centrumgemeente)."),
        Column("gemeentecode_brp", Kind.GEMEENTE, Role.QUASI, "BRP-gemeente, als CBS die toevoegt.", nullable=True),
        BSN,
        *FALLBACK,
        GEBOORTEJAAR,
        GESLACHT,
        Column("toewijzingsnummer", Kind.TEXT, Role.RECORD_KEY, "Nummer per gemeente.", nullable=True),
        Column("productcategorie", Kind.CODE, Role.ATTRIBUTE, "iWmo-productcategorie.", codes="productcategorie"),
        Column("leveringsvorm", Kind.CODE, Role.MEASURE, "Zorg in natura of pgb.", codes="leveringsvorm"),
        Column("ingangsdatum", Kind.DATE, Role.QUASI, "Ingang van de toewijzing."),
        Column(
            "beoogde_einddatum",
            Kind.DATE,
            Role.QUASI,
            "Beoogd einde.",
            nullable=True,
            sentinel_null=("9999-12-31", "31-12-9999"),
        ),
        Column("datum_start", Kind.DATE, Role.QUASI, "Werkelijke start van de ondersteuning.", nullable=True),
        Column(
            "datum_einde",
            Kind.DATE,
            Role.QUASI,
            "Werkelijk einde; leeg is lopend.",
            nullable=True,
            sentinel_null=("9999-12-31", "31-12-9999"),
        ),
        Column(
            "reden_beeindiging",
            Kind.CODE,
            Role.ATTRIBUTE,
            "Reden van beëindiging.",
            nullable=True,
            codes="reden_beeindiging",
        ),
        Column("type_aanbieder", Kind.TEXT, Role.QUASI, "Soort aanbieder.", nullable=True),
        Column("publicatie_toestemming", Kind.BOOLEAN, Role.MEASURE, "Mag de gemeente worden gepubliceerd."),
    ),
    rules=(
        Between("geboortejaar", 1900, 2023),
        HalfYear("verslagperiode"),
        DateBetween("ingangsdatum"),
        NotBefore("datum_einde", "datum_start"),
    ),
    date_column="ingangsdatum",
    kind_column="productcategorie",
)
