"""Estimates: what is modelled, kept apart from what is counted. Declared like every table of ours.

`ESTIMATES` holds exact numbers and never leaves the TTP; `SCHATTINGEN` is the table a reader may get: rounded
outward to 5, refused where the data do not carry a number, with the sentence a municipality reads.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.column import Role
from schemas.register import OutColumn, OutTable

_STR, _INT, _BOOL, _DBL = pa.string(), pa.int64(), pa.bool_(), pa.float64()
M = Role.MEASURE

GROEPEN: dict[str, str] = {
    "ALLE": "ondersteuning thuis of verblijf en opvang",
    "THUIS": "ondersteuning thuis",
    "OPVANG": "verblijf en opvang",
}
MAANDEN: dict[int, int] = {3: 90, 6: 180, 12: 365}  # months -> days after the title end that count
SOORTEN: dict[str, str] = {
    "TITEL_EINDES": "personen van wie een forensische titel eindigt",
    "GEBRUIK": "van hen: met Wmo-ondersteuning die liep of begon van 90 dagen voor tot h maanden na het einde",
    "BEHOEFTE": "van hen: met behoefte aan ondersteuning, onder de genoemde aanname; geen gebruik",
}
KWALITEIT: dict[str, str] = {
    "GOED": "onzekerheid (CV) hoogstens 15 procent",
    "VOORZICHTIG": "onzekerheid tussen 15 en 30 procent: voorzichtig gebruiken",
    "REGIO": "onzekerheid boven 30 procent: alleen per regio te gebruiken",
    "GEWEIGERD": "geen schatting: de gegevens dragen haar niet, of zij zou een klein aantal verraden",
}
BASES: dict[str, str] = {
    "GETELD_EN_GESCHAT": "geteld, aangevuld met een schatting van wat niet te zien is",
    "GESCHAT": "alleen geschat: hier is in deze periode niets geteld dat meedoet",
}
REDENEN: dict[str, str] = {
    "": "geen",
    "KLEIN_AANTAL": "de schatting volgt een telling onder de 10 en zou die verraden",
    "GEEN_GEGEVENS": "er zijn te weinig gegevens om een model op te bouwen",
    "ONZEKER": "het interval is te breed voor dit gebied",
}
ESTIMAND = (
    "Personen die in de gemeente wonen (BRP), van wie een forensische titel eindigt in de periode, en die binnen h "
    "maanden (h = 3, 6, 12) Wmo-ondersteuning gebruiken: lopend op de dag van het einde, of gestart van 90 dagen "
    "ervoor tot h maanden erna. Per groep: ondersteuning thuis, verblijf en opvang, een van beide. Gebruik is geen "
    "behoefte: behoefte staat apart, met de aanname erbij."
)
AANNAMEN: dict[str, str] = {
    "B75": "Overal heeft minstens zo'n groot deel behoefte als er gebruikt in het kwart van de mensen dat woont waar "
    "het aandeel met Wmo het hoogst is."
}


def _c(name: str, kind: pa.DataType, text: str, nullable: bool = False) -> OutColumn:
    return OutColumn(name, kind, M, text, nullable=nullable)


_WHERE = (
    _c("niveau", _STR, "gemeente, veiligheidsregio, arrondissement, provincie of land."),
    _c("code", _STR, "Code van het gebied (gemeente-indeling 2023)."),
    _c("periode", _STR, "Halfjaar (2022H1) of jaar (2022) waarin de titel eindigt."),
    _c("soort", _STR, "TITEL_EINDES, GEBRUIK of BEHOEFTE; nooit opgeteld."),
    _c("groep", _STR, "ALLE, THUIS of OPVANG."),
    _c("maanden", pa.int32(), "Venster h in maanden; 0 bij TITEL_EINDES."),
)
_KEY = ("niveau", "code", "periode", "soort", "groep", "maanden")

ESTIMATES = OutTable(
    "estimates",
    "Schattingen met hun onzekerheid, onafgerond (intern)",
    "one row per area x period x kind x group x window",
    (
        *_WHERE,
        _c("geteld", _INT, "Waargenomen aantal personen; leeg bij BEHOEFTE.", nullable=True),
        _c("schatting", _DBL, "Gemiddelde van de trekkingen."),
        _c("sd", _DBL, "Standaardafwijking van de trekkingen."),
        _c("cv", _DBL, "sd gedeeld door schatting.", nullable=True),
        _c("laag80", _DBL, "10e percentiel."),
        _c("hoog80", _DBL, "90e percentiel."),
        _c("laag90", _DBL, "5e percentiel."),
        _c("hoog90", _DBL, "95e percentiel."),
        _c("gewicht", _DBL, "Deel van de schatting dat op de eigen telling rust, 0 tot 1."),
        _c("basis", _STR, "GETELD_EN_GESCHAT of GESCHAT."),
        _c("kwaliteit", _STR, "GOED, VOORZICHTIG, REGIO of GEWEIGERD."),
        _c("reden", _STR, "Waarom geen getal; leeg als er een is."),
    ),
    key=_KEY,
)

SCHATTINGEN = OutTable(
    "schattingen",
    "Schattingen voor de lezer: naar buiten afgerond op 5, met woorden",
    "one row per area x period x kind x group x window",
    (
        *_WHERE,
        _c("naam", _STR, "Naam van het gebied."),
        _c("schatting", _INT, "Schatting, afgerond op 5; leeg als die niet wordt gegeven.", nullable=True),
        _c("laag", _INT, "Ondergrens van het 90%-interval, naar beneden op 5.", nullable=True),
        _c("hoog", _INT, "Bovengrens van het 90%-interval, naar boven op 5.", nullable=True),
        _c("kwaliteit", _STR, "GOED, VOORZICHTIG, REGIO of GEWEIGERD."),
        _c("basis", _STR, "Is er geteld en aangevuld, of alleen geschat."),
        _c("aanname", _STR, "Naam van de aanname; leeg behalve bij BEHOEFTE."),
        _c("weergave", _STR, "De zin die een gemeente leest."),
    ),
    key=_KEY,
)

INCIDENCE = OutTable(
    "incidence",
    "Cumulatieve incidentie: van titeleinde tot Wmo-ondersteuning; concurrenten: detentie, overlijden, uitzetting",
    "one row per cohort (calendar year of the title end, or ALLE) x cause x day",
    (
        _c("cohort", _STR, "Jaar van het titeleinde, of ALLE."),
        _c("oorzaak", _STR, "WMO, DETENTIE, OVERLIJDEN of UITZETTING; de laatste twee alleen zoals Injus ze meldt."),
        _c("dag", pa.int32(), "Dagen na het titeleinde; dag 0 bevat wie al ondersteuning had."),
        _c("onder_risico", _INT, "Personen nog onder risico vlak voor deze dag."),
        _c("kans", _DBL, "Cumulatieve incidentie."),
        _c("laag90", _DBL, "Ondergrens (log-log, Aalen-variantie)."),
        _c("hoog90", _DBL, "Bovengrens."),
    ),
    key=("cohort", "oorzaak", "dag"),
)

PROJECTION = OutTable(
    "projection",
    "Vooruitblik op vier halfjaren, en de proef op de laatste vier",
    "one row per level x area x half-year (back-test: counts that were predicted; projection: use within 6 months)",
    (
        _c("soort", _STR, "VOORUIT of TERUGTOETS."),
        _c("niveau", _STR, "gemeente, veiligheidsregio of land."),
        _c("code", _STR, "Code van het gebied."),
        _c("halfjaar", _STR, "Voorspeld halfjaar."),
        _c("verwacht", _DBL, "Gemiddelde van de voorspelling."),
        _c("laag80", _DBL, "10e percentiel."),
        _c("hoog80", _DBL, "90e percentiel."),
        _c("laag95", _DBL, "2,5e percentiel."),
        _c("hoog95", _DBL, "97,5e percentiel."),
        _c("geteld", _INT, "Wat er werd geteld; leeg bij VOORUIT.", nullable=True),
    ),
    key=("soort", "niveau", "code", "halfjaar"),
)

RECAPTURE = OutTable(
    "recapture",
    "Vangst-hervangst (Injus, 3RO, Ifzo, desgewenst GMSD): gevoeligheidsanalyse, geen hoofdcijfer",
    "one row per area x lists x model within delta 10 of the best; one row with the refusal where there is none",
    (
        _c("niveau", _STR, "land of veiligheidsregio."),
        _c("code", _STR, "Code van het gebied."),
        _c("lijsten", _STR, "Gebruikte lijsten; alleen op GMSD staan telt niet mee."),
        _c("model", _STR, "Termen van het log-lineaire model."),
        _c("gezien", _INT, "Personen op minstens een justitiële lijst (Injus, 3RO, Ifzo)."),
        _c("schatting", _DBL, "Geschatte populatie.", nullable=True),
        _c("laag95", _DBL, "Profielinterval van dit model.", nullable=True),
        _c("hoog95", _DBL, "Profielinterval van dit model.", nullable=True),
        _c("delta_bic", _DBL, "BIC boven het beste model.", nullable=True),
        _c("gekozen", _BOOL, "Het beste model."),
        _c("her_laag95", _DBL, "Bootstrapinterval met herselectie; alleen bij het beste model.", nullable=True),
        _c("her_hoog95", _DBL, "Bootstrapinterval met herselectie.", nullable=True),
        _c("chao_ondergrens", _DBL, "Ondergrens volgens Chao.", nullable=True),
        _c("oordeel", _STR, "GEVOELIGHEID, of de reden van weigering."),
    ),
    key=("niveau", "code", "lijsten", "model"),
)

ESTIMATE_FACTS = OutTable(
    "estimate_facts",
    "Gegevens over de schatting zelf: correcties, modelparameters, vergelijkingen",
    "one row per group x window x fact",
    (
        _c("groep", _STR, "ALLE, THUIS, OPVANG of - voor de hele schatting."),
        _c("maanden", pa.int32(), "Venster, of 0."),
        _c("feit", _STR, "Naam van het feit (docs/methods.md)."),
        _c("waarde", _DBL, "Waarde."),
        _c("laag90", _DBL, "5e percentiel, als het feit onzeker is.", nullable=True),
        _c("hoog90", _DBL, "95e percentiel.", nullable=True),
    ),
    key=("groep", "maanden", "feit"),
)

ESTIMATE_TABLES: dict[str, OutTable] = {
    table.name: table for table in (ESTIMATES, SCHATTINGEN, INCIDENCE, PROJECTION, RECAPTURE, ESTIMATE_FACTS)
}
