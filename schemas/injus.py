"""Injus (Justid, fed by DJI): notices to municipalities, and tbs events. registers.md section 3."""

from __future__ import annotations

from schemas.checks import Between, DateBetween, NotBefore, OnlyWith
from schemas.column import Column, Kind, Role
from schemas.common import BSN, FALLBACK, GEBOORTEJAAR, GESLACHT, SKN, SKN_SOORT
from schemas.register import OutOfScope, Register

JJI = OutOfScope("JJI_BUITEN_BEREIK", "sector", ("JJI",), "Jeugdinrichtingen vallen buiten deze koppeling.")
VREEMDELINGEN = OutOfScope(
    "VREEMDELINGENBEWARING",
    "verblijfstitel",
    ("VREEMDELINGENBEWARING",),
    "Vreemdelingenbewaring valt buiten deze koppeling.",
)

INJUS = Register(
    name="injus",
    title="Injus-meldingen aan gemeenten",
    holder="Justid / DJI",
    legal_basis="Wjsg art. 51c lid 2; Besluit justitiële en strafvorderlijke gegevens",
    grain="een rij per melding",
    source="registers.md 3.2 (voorgesteld extract)",
    columns=(
        Column("melding_id", Kind.TEXT, Role.RECORD_KEY, "Bronsleutel van de melding."),
        BSN,
        SKN,
        SKN_SOORT,
        *FALLBACK,
        GEBOORTEJAAR,
        GESLACHT,
        Column(
            "nationaliteit_groep",
            Kind.CODE,
            Role.QUASI,
            "Nationaliteit in vier groepen (RvIG Tabel 32).",
            nullable=True,
            codes="nationaliteit_groep",
        ),
        Column("soort_melding", Kind.CODE, Role.MEASURE, "Soort melding.", codes="soort_melding"),
        Column("sector", Kind.CODE, Role.MEASURE, "Sector van DJI.", codes="sector"),
        Column("detentie_id", Kind.TEXT, Role.RECORD_KEY, "Sleutel die begin en einde van een detentie paart."),
        Column("datum_gebeurtenis", Kind.DATE, Role.QUASI, "Insluiting, ontslag of start verlof."),
        Column("datum_melding", Kind.DATE, Role.MEASURE, "Dag waarop de gemeente bericht kreeg.", nullable=True),
        Column("gemeentecode_brp", Kind.GEMEENTE, Role.QUASI, "BRP-gemeente; 0000 onbekend, 1999 RNI.", nullable=True),
        Column(
            "gemeentecode_vestiging", Kind.GEMEENTE, Role.QUASI, "Gemeente van vestiging na detentie.", nullable=True
        ),
        Column("verblijfstitel", Kind.CODE, Role.ATTRIBUTE, "Titel van het verblijf.", codes="verblijfstitel"),
        Column("inrichting_code", Kind.TEXT, Role.QUASI, "Inrichting, lijst van de bron.", nullable=True),
        Column("soort_verlof", Kind.CODE, Role.ATTRIBUTE, "Soort verlof.", nullable=True, codes="soort_verlof"),
        Column("reden_einde", Kind.CODE, Role.ATTRIBUTE, "Reden van het einde.", nullable=True, codes="reden_einde"),
    ),
    unique=("melding_id",),
    rules=(
        Between("geboortejaar", 1900, 2020),
        DateBetween("datum_gebeurtenis"),
        NotBefore("datum_melding", "datum_gebeurtenis", "soort_melding", "VERLOF"),
        OnlyWith("soort_verlof", "soort_melding", ("VERLOF",)),
        OnlyWith("reden_einde", "soort_melding", ("EINDE_DETENTIE",)),
    ),
    out_of_scope=(JJI, VREEMDELINGEN),
    date_column="datum_gebeurtenis",
    kind_column="soort_melding",
)

INJUS_TBS = Register(
    name="injus_tbs",
    title="Injus: gebeurtenissen in de tbs",
    holder="Justid / DJI",
    legal_basis="Wjsg art. 51c lid 2",
    grain="een rij per gebeurtenis; reeksen mogen niet worden opgeteld",
    source="registers.md 3.3 (voorgesteld extract)",
    columns=(
        Column("tbs_id", Kind.TEXT, Role.RECORD_KEY, "Bronsleutel van de tbs-maatregel."),
        BSN,
        SKN,
        SKN_SOORT,
        *FALLBACK,
        GEBOORTEJAAR,
        GESLACHT,
        Column("gebeurtenis", Kind.CODE, Role.ATTRIBUTE, "Gebeurtenis in de tbs.", codes="tbs_gebeurtenis"),
        Column("datum", Kind.DATE, Role.QUASI, "Dag van de gebeurtenis."),
        Column("kliniek_code", Kind.TEXT, Role.QUASI, "Kliniek, lijst van de bron.", nullable=True),
        Column("gemeentecode_verblijf", Kind.GEMEENTE, Role.QUASI, "Gemeente van verblijf.", nullable=True),
    ),
    unique=("tbs_id", "gebeurtenis", "datum"),
    rules=(Between("geboortejaar", 1900, 2020), DateBetween("datum")),
    date_column="datum",
    kind_column="gebeurtenis",
)

__all__ = ["INJUS", "INJUS_TBS"]
