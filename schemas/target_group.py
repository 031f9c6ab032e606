"""Counts that come out of a run: quality tables for the operator and the target group for VNG.

`TARGET_GROUP` holds true counts and never leaves the TTP; `DOELGROEP` is the protected table that does.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.column import Role
from schemas.indicators import INDICATOR_TABLES
from schemas.link_quality import QUALITY_TABLES
from schemas.register import OutColumn, OutTable

_STR, _INT, _BOOL, _DBL = pa.string(), pa.int64(), pa.bool_(), pa.float64()
M = Role.MEASURE

# Measure code -> Dutch label. All count persons with a title end in the half-year, in scope only.
MATEN: dict[str, str] = {
    "titel_eindes": "Personen van wie een forensische titel eindigt",
    "wmo_180": "Daarvan met Wmo-ondersteuning: liep al, of start van 90 dagen voor tot 180 dagen na het einde",
    "wmo_365": "Daarvan met Wmo-ondersteuning: liep al, of start van 90 dagen voor tot 365 dagen na het einde",
    "wmo_liep_al": "Daarvan: Wmo-ondersteuning liep al",
    "wmo_thuis_180": "Daarvan met ondersteuning thuis binnen 180 dagen",
    "wmo_opvang_180": "Daarvan met verblijf of opvang binnen 180 dagen",
    "met_detentie": "Personen die via detentie in de zorg kwamen",
    "niet_waarneembaar": "Personen van wie niet te zien is of zij Wmo-ondersteuning kregen",
}

NIVEAUS: dict[str, str] = {
    "gemeente": "Gemeente",
    "veiligheidsregio": "Veiligheidsregio",
    "arrondissement": "Arrondissement",
    "provincie": "Provincie",
    "land": "Nederland",
}


def _c(name: str, kind: pa.DataType, text: str, nullable: bool = False) -> OutColumn:
    return OutColumn(name, kind, M, text, nullable=nullable)


TARGET_GROUP = OutTable(
    "target_group",
    "Waargenomen doelgroep, ware tellingen (intern)",
    "one row per level x area x half-year x measure; observed, not modelled",
    (
        _c("niveau", _STR, "gemeente, veiligheidsregio, arrondissement, provincie of land."),
        _c("code", _STR, "Code van het gebied."),
        _c("naam", _STR, "Naam van het gebied."),
        _c("halfjaar", _STR, "Halfjaar van het titeleinde."),
        _c("maat", _STR, "Wat is geteld."),
        _c("aantal", _INT, "Aantal personen, waargenomen."),
        _c("gmsd_geleverd", _BOOL, "Leverden alle gemeenten van het gebied GMSD over dit halfjaar."),
    ),
    key=("niveau", "code", "halfjaar", "maat"),
)

DOELGROEP = OutTable(
    "doelgroep_per_gemeente",
    "Doelgroep per gemeente en halfjaar (demo, niet voor publicatie)",
    "one row per area x half-year x measure, protected",
    (
        _c("niveau", _STR, "Gebiedsniveau."),
        _c("code", _STR, "Code van het gebied (gemeente-indeling 2023)."),
        _c("naam", _STR, "Naam van het gebied."),
        _c("halfjaar", _STR, "Halfjaar waarin de titel eindigde."),
        _c("maat", _STR, "Code van de maat."),
        _c("omschrijving", _STR, "Wat de maat telt."),
        _c("aantal", _INT, "Aantal personen, afgerond op 5; leeg als verborgen.", nullable=True),
        _c("weergave", _STR, "Wat er in de tabel staat: het getal, of het teken voor verborgen."),
        _c("gmsd_geleverd", _BOOL, "Leverden alle gemeenten van het gebied Wmo-gegevens over dit halfjaar."),
    ),
    key=("niveau", "code", "halfjaar", "maat"),
)

COVERAGE = OutTable(
    "coverage",
    "Dekking GMSD per gemeente en halfjaar",
    "one row per municipality (classification 2023) x half-year of the run's period",
    (
        _c("gemeente", _STR, "Gemeentecode 2023."),
        _c("half_year", _STR, "Halfjaar."),
        _c("delivered", _BOOL, "Heeft GMSD geleverd."),
        _c("status", _STR, "Status van de levering.", nullable=True),
        _c("inflow", _INT, "Gestarte arrangementen (thuis en opvang)."),
        _c("outflow", _INT, "Geëindigde arrangementen (thuis en opvang)."),
        _c("suspicious", _BOOL, "In- en uitstroom verschillen een factor 2,5 of meer (minstens 20)."),
    ),
    key=("gemeente", "half_year"),
)

GMSD_HISTORY = OutTable(
    "gmsd_history",
    "Leveringen GMSD: wat een latere levering verving",
    "one row per delivery x half-year x municipality that the delivery lists or has rows of",
    (
        _c("half_year", _STR, "Halfjaar."),
        _c("gemeentecode", _STR, "Gemeentecode zoals geleverd."),
        _c("sequence", pa.int32(), "Volgnummer van de levering."),
        _c(
            "status",
            _STR,
            "voorlopig, nader_voorlopig of definitief; leeg als de levering de gemeente niet noemt.",
            True,
        ),
        _c("rows_delivered", _INT, "Rijen in deze levering."),
        _c(
            "replaced_by",
            pa.int32(),
            "Volgnummer van de eerste levering die deze vervangt; leeg als ze nog geldt.",
            True,
        ),
        _c("replaced_status", _STR, "Status van die levering.", True),
        _c("rows_replaced", _INT, "Rijen die daardoor vervielen."),
    ),
    key=("half_year", "gemeentecode", "sequence"),
)

FUNNEL = OutTable(
    "funnel",
    "Trechter: van rij naar gebeurtenis, per register",
    "one row per register x stage, in order",
    (
        _c("register", _STR, "Register."),
        _c("step", pa.int32(), "Volgorde van de stap."),
        _c("stage", _STR, "received, accepted, staged, with_identifier, linked, in_scope, event."),
        _c("count", _INT, "Aantal rijen (of personen en gebeurtenissen bij de laatste stappen)."),
    ),
    key=("register", "step"),
)

MATCH_RATES = OutTable(
    "match_rates",
    "Koppelpercentages per registerpaar en jaar",
    "one row per register pair x year x sex: persons of `register` (with a row in that year) also found in `other`",
    (
        _c("register", _STR, "Register."),
        _c("other", _STR, "Ander register."),
        _c("year", pa.int32(), "Jaar van de rij in het eerste register."),
        _c("geslacht", _STR, "Geslacht of ALLEN."),
        _c("persons", _INT, "Personen."),
        _c("matched", _INT, "Ook in het andere register."),
        _c("unlinkable", _INT, "Personen zonder bruikbaar nummer."),
    ),
    key=("register", "other", "year", "geslacht"),
)

REGISTER_COUNTS = OutTable(
    "register_counts",
    "Hertelling naar de eigen definitie van elk register",
    "one row per source x indicator x breakdown x year, keyed as schemas/reference/national_figures.csv",
    (
        _c("source", _STR, "injus, 3ro, ifzo of cbs."),
        _c("indicator", _STR, "Zoals in national_figures.csv."),
        _c("breakdown", _STR, "Zoals in national_figures.csv."),
        _c("year", _STR, "Jaar."),
        _c("value", _DBL, "Wat de run telt."),
    ),
    key=("source", "indicator", "breakdown", "year"),
)

RECONCILIATION = OutTable(
    "reconciliation",
    "Elk gedrukt landelijk cijfer naast wat de run telt",
    "one row per row of national_figures.csv",
    (
        _c("source", _STR, "Bron."),
        _c("indicator", _STR, "Indicator."),
        _c("breakdown", _STR, "Uitsplitsing."),
        _c("year", _STR, "Jaar of jaren."),
        _c("kind", _STR, "Soort cijfer."),
        _c("unit", _STR, "Eenheid."),
        _c("published", _DBL, "Gedrukt."),
        _c("counted", _DBL, "Geteld door de run; leeg als het register dit niet kan geven.", nullable=True),
        _c("difference", _DBL, "Geteld min gedrukt.", nullable=True),
        _c("note", _STR, "Waarom niet telbaar, of wat opvalt."),
    ),
)

RUN_TABLES: dict[str, OutTable] = {
    table.name: table
    for table in (
        *(TARGET_GROUP, COVERAGE, GMSD_HISTORY, FUNNEL, MATCH_RATES, REGISTER_COUNTS, RECONCILIATION),
        *(*QUALITY_TABLES, *INDICATOR_TABLES),
    )
}
