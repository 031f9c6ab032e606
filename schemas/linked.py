"""The linked tables: what linkage makes and researchers query. Our outputs are declared like registers.

`person_id` is a dense number of this run only: persons ordered by their lowest link pseudonym. It becomes a
recipient pseudonym before anything leaves (release/research.py). Days are dates; intervals are half-open.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.column import Role
from schemas.link_quality import LINKS
from schemas.register import OutColumn, OutTable

_STR, _INT, _DATE, _BOOL = pa.string(), pa.int64(), pa.date32(), pa.bool_()


def _person() -> OutColumn:
    return OutColumn("person_id", _INT, Role.RECORD_KEY, "Persoon in deze run; nooit buiten de TTP.")


def _c(name: str, kind: pa.DataType, role: Role, text: str, codes: str | None = None) -> OutColumn:
    return OutColumn(name, kind, role, text, nullable=True, codes=codes)


def _r(name: str, kind: pa.DataType, role: Role, text: str, codes: str | None = None) -> OutColumn:
    return OutColumn(name, kind, role, text, nullable=False, codes=codes)


Q, A, M = Role.QUASI, Role.ATTRIBUTE, Role.MEASURE

PERSONS = OutTable(
    "persons",
    "Personen: samenhangende groepen van pseudoniemen",
    "one row per person (connected component of link pseudonyms, or one row without any identifier)",
    (
        _person(),
        _c("geboortejaar", pa.int32(), Q, "Geboortejaar: Ifzo, 3RO, Injus, GMSD in die volgorde."),
        _c("geslacht", _STR, Q, "Geslacht, zelfde volgorde.", "geslacht"),
        _r("bsn_count", pa.int32(), M, "Aantal verschillende BSN-pseudoniemen."),
        _r("skn_count", pa.int32(), M, "Aantal verschillende SKN-pseudoniemen."),
        _r("vip_count", pa.int32(), M, "Aantal verschillende VIP-pseudoniemen."),
        _r("linkable", _BOOL, M, "Heeft minstens een identificerend nummer."),
        _r("conflict_geboortejaar", _BOOL, M, "Registers verschillen meer dan 1 jaar."),
        _r("conflict_geslacht", _BOOL, M, "Registers verschillen in geslacht (M/V)."),
        _r("in_injus", _BOOL, A, "Heeft een Injus-melding."),
        _r("in_injus_tbs", _BOOL, A, "Heeft een tbs-gebeurtenis."),
        _r("in_reclassering", _BOOL, A, "Heeft een 3RO-verzoek."),
        _r("in_ifzo", _BOOL, A, "Heeft een Ifzo-rij."),
        _r("in_gmsd", _BOOL, A, "Heeft een Wmo-arrangement."),
    ),
    key=("person_id",),
)

DETENTION_SPELLS = OutTable(
    "detention_spells",
    "Detentieperioden (Injus)",
    "one row per detention: notices of one detentie_id paired, transfers merged",
    (
        _person(),
        _r("sector", _STR, M, "Sector.", "sector"),
        _c("detention_begin", _DATE, Q, "Insluiting; leeg als geen beginmelding."),
        _c("detention_end", _DATE, Q, "Ontslag; leeg als geen eindmelding (open)."),
        _r("parts", pa.int32(), M, "Aantal detentie_id's dat door overplaatsing is samengevoegd."),
        _c("gemeente_begin", _STR, Q, "BRP-gemeente van de eerste beginmelding, herkend en omgezet naar 2023."),
        _c("gemeente_settlement", _STR, Q, "Gemeente van vestiging van de laatste eindmelding, omgezet."),
        _c("verblijfstitel", _STR, A, "Verblijfstitel van de eerste melding.", "verblijfstitel"),
        _c("reden_einde", _STR, A, "Reden van het einde.", "reden_einde"),
    ),
)

TBS_EVENTS = OutTable(
    "tbs_events",
    "Tbs-gebeurtenissen (Injus); reeksen nooit optellen",
    "one row per distinct event of one tbs measure",
    (
        _person(),
        _r("gebeurtenis", _STR, A, "Gebeurtenis.", "tbs_gebeurtenis"),
        _r("datum", _DATE, Q, "Dag."),
        _c("gemeente_verblijf", _STR, Q, "Gemeente van verblijf, omgezet; geen vestiging."),
    ),
)

PLACEMENT_REQUESTS = OutTable(
    "placement_requests",
    "Plaatsingsverzoeken (3RO), per indicatie samengevoegd",
    "one row per person x indication",
    (
        _person(),
        _c("datum_indicatie", _DATE, Q, "Vroegste indicatiedatum."),
        _r("first_request", _DATE, Q, "Eerste verzoek."),
        _r("requests", pa.int32(), M, "Aantal verzoeken."),
        _r("soort_plaatsing", _STR, A, "Soort plaatsing van het eerste verzoek.", "soort_plaatsing"),
        _c("titel_code", _STR, A, "Titel van het eerste verzoek.", "zorgtitel"),
        _r("arrondissement", _STR, Q, "Arrondissement van het eerste verzoek.", "arrondissement_3ro"),
    ),
)

CARE_SPELLS = OutTable(
    "care_spells",
    "Perioden van forensische zorg (Ifzo), alleen gerealiseerd",
    "one row per person x care group x run of overlapping or touching realised care lines",
    (
        _person(),
        _r("care_group", _STR, A, "AMBULANT, VERBLIJF, KLINISCH, FPT of ONBEKEND."),
        _r("care_begin", _DATE, Q, "Begin."),
        _c("care_end", _DATE, Q, "Einde; leeg als een van de lijnen open is."),
        _r("lines", pa.int32(), M, "Aantal zorglijnen (stapelzorg blijft zichtbaar)."),
        _r("begin_by_message", _BOOL, M, "Begin is een verplicht bericht (FZ823): vanaf 2024."),
        _r("end_by_message", _BOOL, M, "Einde is een verplicht bericht (FZ825): vanaf 2024; eerder onbetrouwbaar."),
    ),
)

TITLE_CHAINS = OutTable(
    "title_chains",
    "Ketens van forensische titels (Ifzo)",
    "one row per chain: titles of one person with gaps of at most 30 days",
    (
        _person(),
        _r("chain_begin", _DATE, Q, "Begin van de eerste titel."),
        _c("title_end", _DATE, Q, "Einde van de keten; leeg is onbekend (gecensureerd)."),
        _r("status", _STR, M, "Status van het laatste einde.", "titel_eind_status"),
        _r("titles", pa.int32(), M, "Aantal titels in de keten."),
        _r("titel_code", _STR, A, "Titel met het laatste einde.", "zorgtitel"),
        _r("titel_groep", _STR, A, "Groep van die titel."),
        _r("realised", _BOOL, M, "Minstens een gerealiseerde plaatsing in de keten."),
    ),
    key=("person_id", "chain_begin"),
)

WMO_ARRANGEMENTS = OutTable(
    "wmo_arrangements",
    "Wmo-arrangementen (GMSD), halfjaren samengevoegd volgens de regel van het CBS",
    "one row per arrangement",
    (
        _person(),
        _r("gemeente_delivery", _STR, Q, "Leverende gemeente, omgezet naar 2023."),
        _c("gemeente_brp", _STR, Q, "BRP-gemeente als die is meegeleverd, omgezet."),
        _r("productcategorie", _STR, A, "Productcategorie.", "productcategorie"),
        _r("wmo_group", _STR, A, "THUIS, OPVANG of OVERIG (ook 10)."),
        _r("leveringsvorm", _STR, M, "Leveringsvorm.", "leveringsvorm"),
        _r("wmo_start", _DATE, Q, "Start: datum_start, anders ingangsdatum."),
        _c("wmo_end", _DATE, Q, "Einde volgens het laatste halfjaar; leeg is lopend."),
        _r("assigned_from", _DATE, Q, "Vroegste ingangsdatum van de toewijzing."),
        _c("reden_beeindiging", _STR, A, "Reden van het einde.", "reden_beeindiging"),
        _r("records", pa.int32(), M, "Aantal samengevoegde halfjaarregels."),
        _r("last_period", _STR, M, "Laatste halfjaar waarin het arrangement is geleverd."),
    ),
)

OUTCOMES = ("RUNNING", "START_M90_0", "START_0_30", "START_30_90", "START_90_180", "START_180_365")
OUTCOMES_REST = ("NONE", "CENSORED", "NOT_OBSERVABLE", "NO_MUNICIPALITY")

TITLE_END_EVENTS = OutTable(
    "title_end_events",
    "Einden van forensische titels, met wat er in de Wmo volgde",
    "one row per person x known title end (also those taken out, with the reason)",
    (
        _person(),
        _r("chain_begin", _DATE, Q, "Begin van de keten."),
        _r("title_end", _DATE, Q, "Einde van de titel: dag 0."),
        _r("half_year", _STR, Q, "Halfjaar van dag 0, zoals 2022H1."),
        _r("status", _STR, M, "DEFINITIEF of VOORLOPIG.", "titel_eind_status"),
        _r("titel_groep", _STR, A, "Groep van de titel."),
        _c(
            "excluded",
            _STR,
            M,
            "NO_REALISED_CARE, OVERLIJDEN, UITZETTING of CONFLICT; leeg telt mee.",
        ),
        _r("linkable", _BOOL, M, "Persoon heeft een identificerend nummer."),
        _r("entry_detention", _BOOL, A, "Detentie in de 24 maanden voor, of bij, het begin van de keten."),
        _r("detention_24m", _BOOL, A, "Detentie in de 24 maanden voor dag 0."),
        _c("last_care_group", _STR, A, "Laatste zorggroep voor dag 0."),
        _c("last_care_end", _DATE, Q, "Einde van die zorg; leeg als die nog liep of onbekend is."),
        _r("outcome", _STR, A, "Klasse van de Wmo-uitkomst (beide groepen samen)."),
        _r("outcome_thuis", _STR, A, "Klasse voor ondersteuning thuis."),
        _r("outcome_opvang", _STR, A, "Klasse voor verblijf en opvang."),
        _r("ended_before", _BOOL, M, "De start in [-90, 0) was op dag 0 al weer geëindigd."),
        _c("wmo_start", _DATE, Q, "Start van het arrangement dat de klasse bepaalt."),
        _c("wmo_group", _STR, A, "Groep van dat arrangement."),
        _c("gap_title_days", pa.int32(), M, "Wmo-start min titeleinde, in dagen; negatief is overlap."),
        _c("gap_care_days", pa.int32(), M, "Wmo-start min einde laatste zorg, in dagen."),
        _c("gemeente_origin", _STR, Q, "Gemeente van herkomst."),
        _c("gemeente_settlement", _STR, Q, "Gemeente van vestiging."),
        _c("gemeente_delivery", _STR, Q, "Gemeente die de Wmo-steun levert."),
        _c("gemeente", _STR, Q, "Gemeente waaraan het titeleinde is toegerekend; 0000 en 1999 zijn eigen rijen."),
        _r("gemeente_basis", _STR, M, "SETTLEMENT, ORIGIN, BRP, DELIVERY of NONE."),
        _c("supra_regional", _BOOL, M, "Veiligheidsregio van herkomst en vestiging (anders levering) verschillen."),
        _c("geboortejaar", pa.int32(), Q, "Geboortejaar."),
        _c("geslacht", _STR, Q, "Geslacht.", "geslacht"),
        _r("long_detention", _BOOL, A, "Detentie van meer dan 4 maanden in de 24 maanden voor dag 0."),
        _c("lead_days", pa.int32(), M, "Dag 0 min ingangsdatum van de toewijzing, in dagen; negatief is erna."),
        _r("return_detention", _STR, A, "RETURN, NONE, CENSORED of UNLINKABLE: detentie binnen 24 maanden na dag 0."),
        _c("return_days", pa.int32(), M, "Begin van die detentie min dag 0, in dagen."),
    ),
    key=("person_id", "title_end"),
)

LINKED_TABLES: dict[str, OutTable] = {
    table.name: table
    for table in (
        PERSONS,
        DETENTION_SPELLS,
        TBS_EVENTS,
        PLACEMENT_REQUESTS,
        CARE_SPELLS,
        TITLE_CHAINS,
        WMO_ARRANGEMENTS,
        TITLE_END_EVENTS,
        LINKS,
    )
}
