"""Indicators: what is counted per municipality and region, and what each share means.

All tables hold true counts: input for the operator, for estimation and for disclosure control, and never published
as they are. A row stands for one area (`niveau`, `code`), one period (half-year or year) and one value of one
characteristic (`kenmerk`): ALLEN, or one of sex, age band, care group and entry route. A row that is not there is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from schemas.column import Role
from schemas.register import OutColumn, OutTable

KENMERKEN: dict[str, str] = {
    "ALLEN": "Iedereen",
    "GESLACHT": "M, V, O of ONBEKEND",
    "LEEFTIJD": "Leeftijd in klassen van het CBS: jaar van de gebeurtenis min geboortejaar",
    "ZORGGROEP": "Laatste forensische zorg voor de gebeurtenis; GEEN zonder forensische zorg",
    "INSTROOMROUTE": "DETENTIE of GEEN_DETENTIE in de 24 maanden ervoor",
}


def _n(name: str, text: str) -> OutColumn:
    return OutColumn(name, pa.int64(), Role.MEASURE, text)


def _t(name: str, text: str) -> OutColumn:
    return OutColumn(name, pa.string(), Role.MEASURE, text)


_CELL = (
    _t("niveau", "gemeente, veiligheidsregio, arrondissement, provincie of land."),
    _t("code", "Code van het gebied; ONB is geen gemeente bekend."),
    _t("periode", "Halfjaar (2022H1) of jaar (2022)."),
    _t("kenmerk", "Kenmerk waarnaar is uitgesplitst; ALLEN is het totaal."),
    _t("waarde", "Waarde van het kenmerk."),
)
_KEY = tuple(column.name for column in _CELL)

TITLE_ENDS = OutTable(
    "indicator_title_ends",
    "Titeleinden: trechter, Wmo-uitkomst, aansluiting, terugkeer (ware tellingen, intern)",
    "one row per area x period x characteristic with a title end; counts title ends, except `personen`",
    (
        *_CELL,
        _n("gevonden", "Titeleinden in de periode, ook die niet meetellen."),
        _n("zonder_zorg", "Niet meegeteld: geen gerealiseerde forensische zorg."),
        _n("overleden", "Niet meegeteld: overleden voor of op het titeleinde."),
        _n("uitgezet", "Niet meegeteld: uitgezet tijdens de titel."),
        _n("titel_eindes", "Titeleinden die meetellen. Alle volgende kolommen tellen alleen deze."),
        _n("voorlopig", "Met een voorlopige einddatum."),
        _n("koppelbaar", "Van iemand met minstens een bruikbaar nummer."),
        _n("gemeente_bekend", "Met een bruikbare gemeente (niet 0000, 1999 of geen)."),
        _n("liep_al", "Wmo begon meer dan 90 dagen ervoor en liep nog."),
        _n("start_voor", "Eerste Wmo-start in de 90 dagen ervoor."),
        _n("start_0_30", "Eerste Wmo-start 0 tot en met 30 dagen erna."),
        _n("start_30_90", "Eerste Wmo-start 31 tot en met 90 dagen erna."),
        _n("start_90_180", "Eerste Wmo-start 91 tot en met 180 dagen erna."),
        _n("start_180_365", "Eerste Wmo-start 181 tot en met 365 dagen erna."),
        _n("geen_wmo", "Geen Wmo, en 180 dagen volledig te zien."),
        _n("gecensureerd", "Geen Wmo gezien; de gegevens houden op voor dag 180."),
        _n("niet_geleverd", "Geen Wmo gezien; de gemeente leverde een halfjaar niet."),
        _n("geen_gemeente", "Geen Wmo gezien en geen gemeente bekend."),
        _n("wmo_voor", "Wmo liep al of startte in de 90 dagen ervoor."),
        _n("wmo_30", "Wmo ervoor of uiterlijk op dag 30."),
        _n("wmo_90", "Wmo ervoor of uiterlijk op dag 90."),
        _n("wmo_180", "Wmo ervoor of uiterlijk op dag 180."),
        _n("wmo_365", "Wmo ervoor of uiterlijk op dag 365."),
        _n("gevolgd_30", "Wmo gezien tot en met dag 30, of 30 dagen volledig te zien."),
        _n("gevolgd_90", "Wmo gezien tot en met dag 90, of 90 dagen volledig te zien."),
        _n("gevolgd_180", "Wmo gezien tot en met dag 180, of 180 dagen volledig te zien."),
        _n("gevolgd_365", "Wmo gezien tot en met dag 365, of 365 dagen volledig te zien."),
        _n("thuis_voor", "Ondersteuning thuis liep al of startte in de 90 dagen ervoor."),
        _n("thuis_180", "Ondersteuning thuis ervoor of uiterlijk op dag 180."),
        _n("thuis_365", "Ondersteuning thuis ervoor of uiterlijk op dag 365."),
        _n("opvang_voor", "Verblijf of opvang liep al of startte in de 90 dagen ervoor."),
        _n("opvang_180", "Verblijf of opvang ervoor of uiterlijk op dag 180."),
        _n("opvang_365", "Verblijf of opvang ervoor of uiterlijk op dag 365."),
        _n("aansluitend_titel", "Wmo begon op of voor het titeleinde."),
        _n("kloof_zorg_bekend", "Wmo, en het einde van de laatste forensische zorg is bekend."),
        _n("aansluitend_zorg", "Wmo begon op of voor het einde van de laatste forensische zorg."),
        _n("toegewezen_6_weken", "Toewijzing minstens 42 dagen voor het titeleinde (Wfz 2.5)."),
        _n("toegewezen_1_jaar", "Toewijzing minstens 365 dagen voor het titeleinde (wens van het veld)."),
        _n("via_detentie", "Detentie in de 24 maanden voor, of bij, het begin van de titels."),
        _n("detentie_24m", "Detentie in de 24 maanden voor het titeleinde."),
        _n("lange_detentie", "Een detentie van meer dan 4 maanden in die 24 maanden."),
        _n("terug_gevolgd", "Koppelbaar, en teruggekeerd of 24 maanden volledig te zien."),
        _n("terug_24m", "Nieuwe detentie begonnen binnen 24 maanden. Geen recidive: die staat in geen register hier."),
        _n("regio_bekend", "Veiligheidsregio van herkomst en van vestiging (anders levering) zijn bekend."),
        _n("bovenregionaal", "Die twee veiligheidsregio's verschillen."),
        _n("personen", "Personen achter de titeleinden die meetellen."),
    ),
    key=_KEY,
)

INFLOW = OutTable(
    "indicator_inflow",
    "Instroom in de Wmo: mensen, met en zonder forensisch verleden (ware tellingen, intern)",
    "one row per area (delivering) x half-year x characteristic x Wmo group with a start; a person counts once",
    (
        *_CELL,
        _t("wmo_group", "THUIS of OPVANG."),
        _n("arrangementen", "Gestarte arrangementen. Dit zijn geen mensen."),
        _n("personen", "Mensen met een gestart arrangement."),
        _n("instroom", "Daarvan: had de dag ervoor nergens zulke ondersteuning."),
        _n("instroom_koppelbaar", "Daarvan met een bruikbaar nummer."),
        _n("forensisch_24m", "Daarvan: forensische zorg in de 24 maanden ervoor."),
        _n("forensisch_ooit", "Koppelbare instroom met forensische zorg op enig moment ervoor."),
        _n("na_titeleinde", "Koppelbare instroom van 90 dagen voor tot en met 180 dagen na een titeleinde."),
        _n("detentie_24m", "Koppelbare instroom met detentie in de 24 maanden ervoor."),
    ),
    key=(*_KEY, "wmo_group"),
)

DETENTION = OutTable(
    "indicator_detention",
    "Einden van detentie en duur van meer dan vier maanden (ware tellingen, intern)",
    "one row per area (settlement, else origin) x period x characteristic with an end of detention",
    (
        *_CELL,
        _n("einden", "Detenties die eindigden."),
        _n("begin_bekend", "Daarvan met een bekend begin."),
        _n("langer_4m", "Daarvan langer dan 4 maanden."),
        _n("personen", "Mensen van wie een detentie eindigde."),
        _n("personen_bekend", "Daarvan met een bekend begin."),
        _n("personen_4m", "Daarvan langer dan 4 maanden: kans op verlies van de woning."),
    ),
    key=_KEY,
)

SPREAD = OutTable(
    "indicator_spread",
    "Verdeling van kloof en voorsprong in klassen (ware tellingen, intern)",
    "one row per area x period x characteristic x measure x class with a title end followed by Wmo",
    (
        *_CELL,
        _t("maat", "KLOOF_TITEL, KLOOF_ZORG of VOORSPRONG."),
        OutColumn("volgorde", pa.int32(), Role.MEASURE, "Volgorde van de klasse."),
        _t("klasse", "Klasse in dagen."),
        _n("aantal", "Titeleinden."),
    ),
    key=(*_KEY, "maat", "klasse"),
)

QUANTILES = OutTable(
    "indicator_quantiles",
    "Kwantielen van kloof en voorsprong, in dagen (intern)",
    "one row per area x period x characteristic x measure with a title end followed by Wmo",
    (
        *_CELL,
        _t("maat", "KLOOF_TITEL, KLOOF_ZORG of VOORSPRONG."),
        _n("aantal", "Titeleinden."),
        *(
            OutColumn(f"p{share}", pa.int32(), Role.MEASURE, f"Kleinste waarde waar {share}% op of onder ligt, dagen.")
            for share in (10, 25, 50, 75, 90)
        ),
    ),
    key=(*_KEY, "maat"),
)

INDICATOR_TABLES: tuple[OutTable, ...] = (TITLE_ENDS, INFLOW, DETENTION, SPREAD, QUANTILES)

MATEN_DAGEN: dict[str, str] = {
    "KLOOF_TITEL": "Dagen van het titeleinde tot de start van de Wmo; negatief is overlap",
    "KLOOF_ZORG": "Dagen van het einde van de laatste forensische zorg tot de start van de Wmo; negatief is overlap",
    "VOORSPRONG": "Dagen van de toewijzing (ingangsdatum) tot het titeleinde; negatief is erna",
}
_FAR = 100_000
_EDGES: dict[str, tuple[int, ...]] = {
    "KLOOF_TITEL": (-90, -41, 1, 15, 43, 91, 181),
    "KLOOF_ZORG": (-90, -41, 1, 15, 43, 91, 181),
    "VOORSPRONG": (0, 14, 42, 91, 182, 365),
}


@dataclass(frozen=True)
class Klasse:
    """One class of a measure: whole days `vanaf` <= d < `tot`."""

    maat: str
    volgorde: int
    klasse: str
    vanaf: int
    tot: int


def _classes(maat: str) -> tuple[Klasse, ...]:
    bounds = (-_FAR, *_EDGES[maat], _FAR)
    return tuple(Klasse(maat, n, _label(low, high), low, high) for n, (low, high) in enumerate(pairwise(bounds), 1))


def _label(low: int, high: int) -> str:
    if low == -_FAR:
        return f"minder dan {high}"
    return f"{low} of meer" if high == _FAR else f"{low} t/m {high - 1}"


KLASSEN: tuple[Klasse, ...] = tuple(one for maat in _EDGES for one in _classes(maat))


@dataclass(frozen=True)
class Indicator:
    """A share or count with its definition: columns of one table, what the window is and what cannot be seen.

    `noemer` is None for a plain count. All texts are Dutch: they are the codebook.
    """

    code: str
    naam: str
    tabel: OutTable
    teller: str
    noemer: str | None
    venster: str
    censurering: str

    def __post_init__(self) -> None:
        for column in (self.teller, self.noemer):
            if column is not None and column not in self.tabel.names:
                raise ValueError(f"indicator {self.code}: {column} is not a column of {self.tabel.name}")


_ALL = "Geen: elk titeleinde telt mee."
_FOLLOW = "Wie niet tot het eind van het venster te zien was en nog geen Wmo had, valt uit de noemer."
_WMO = "Alleen titeleinden met Wmo van 90 dagen ervoor (of toen al lopend) tot en met 365 dagen erna."
_LOWER = "Wie niet te zien was telt als geen Wmo: een ondergrens."
_LINK = "Wie geen bruikbaar nummer heeft valt uit de noemer."
_DAY0 = "halfjaar of jaar van het titeleinde"


def _follow(days: int) -> Indicator:
    venster = f"tot en met {days} dagen na het titeleinde, ook ervoor"
    return Indicator(f"wmo_{days}", f"Wmo binnen {days} dagen", TITLE_ENDS, f"wmo_{days}", f"gevolgd_{days}",
                     venster, _FOLLOW)  # fmt: skip


def _share(  # noqa: PLR0917
    code: str, naam: str, teller: str, noemer: str | None, venster: str, why: str
) -> Indicator:
    return Indicator(code, naam, TITLE_ENDS, teller, noemer, venster, why)


INDICATORS: tuple[Indicator, ...] = (
    _share("gevonden", "Titeleinden gevonden", "gevonden", None, _DAY0, "Onbekende einden zijn geen gebeurtenis."),
    _share("zonder_zorg", "Zonder gerealiseerde zorg", "zonder_zorg", "gevonden", "de hele keten van titels", _ALL),
    _share("overleden", "Overleden", "overleden", "gevonden", "tot en met het titeleinde", _ALL),
    _share("uitgezet", "Uitgezet", "uitgezet", "gevonden", "van begin tot einde van de titels", _ALL),
    _share("titel_eindes", "Titeleinden die meetellen", "titel_eindes", None, _DAY0, "Onbekende einden tellen niet."),
    _share("personen", "Personen met een titeleinde", "personen", None, _DAY0, "Onbekende einden tellen niet."),
    _share("voorlopig", "Einddatum is voorlopig", "voorlopig", "titel_eindes", _DAY0, _ALL),
    _share("koppelbaar", "Koppelbaar", "koppelbaar", "titel_eindes", _DAY0, _ALL),
    _share("gemeente_bekend", "Gemeente bekend", "gemeente_bekend", "titel_eindes", _DAY0, _ALL),
    _share("wmo_voor", "Wmo al voor het titeleinde", "wmo_voor", "titel_eindes", "[-90, 0) of toen al lopend", _LOWER),
    *(_follow(days) for days in (30, 90, 180, 365)),
    _share("wmo_180_ondergrens", "Titeleinden met Wmo (ondergrens)", "wmo_180", "titel_eindes",
           "tot en met 180 dagen na het titeleinde, ook ervoor", _LOWER),
    _share("geen_wmo", "Geen Wmo", "geen_wmo", "gevolgd_180", "[0, 180]", _FOLLOW),
    _share("gecensureerd", "Niet te zien: gegevens houden op", "gecensureerd", "titel_eindes", "[0, 180]", _ALL),
    _share("niet_geleverd", "Niet te zien: gemeente leverde niet", "niet_geleverd", "titel_eindes", "[0, 180]", _ALL),
    _share("geen_gemeente", "Niet te zien: geen gemeente bekend", "geen_gemeente", "titel_eindes", "[0, 180]", _ALL),
    _share("thuis_180", "Ondersteuning thuis binnen 180 dagen", "thuis_180", "gevolgd_180",
           "tot en met 180 dagen na het titeleinde, ook ervoor", _FOLLOW),
    _share("opvang_180", "Verblijf of opvang binnen 180 dagen", "opvang_180", "gevolgd_180",
           "tot en met 180 dagen na het titeleinde, ook ervoor", _FOLLOW),
    _share("aansluitend_titel", "Wmo sluit aan op de titel", "aansluitend_titel", "wmo_365", "dag 0", _WMO),
    _share("aansluitend_zorg", "Wmo sluit aan op de zorg", "aansluitend_zorg", "kloof_zorg_bekend",
           "dag van het einde van de zorg", _WMO + " Zorg zonder bekend einde valt uit de noemer."),
    _share("toegewezen_6_weken", "Toewijzing zes weken vooraf", "toegewezen_6_weken", "wmo_365",
           "42 dagen of meer voor het titeleinde (Wfz 2.5)", _WMO),
    _share("toegewezen_1_jaar", "Toewijzing een jaar vooraf", "toegewezen_1_jaar", "wmo_365",
           "365 dagen of meer voor het titeleinde", _WMO),
    _share("via_detentie", "Instroom via detentie", "via_detentie", "titel_eindes",
           "24 maanden voor het begin van de titels, of toen lopend", _ALL),
    _share("detentie_24m", "Detentie voor het titeleinde", "detentie_24m", "titel_eindes", "24 maanden ervoor", _ALL),
    _share("lange_detentie", "Detentie van meer dan vier maanden", "lange_detentie", "titel_eindes",
           "24 maanden voor het titeleinde; een open detentie telt tot het titeleinde", _ALL),
    _share("terug_24m", "Terug in detentie", "terug_24m", "terug_gevolgd", "[0, 24 maanden)",
           "Niet koppelbaar, of niet teruggekeerd en korter te zien, valt uit de noemer. Een detentie zonder "
           "beginmelding is geen terugkeer."),
    _share("bovenregionaal", "Bovenregionaal", "bovenregionaal", "regio_bekend", _DAY0,
           "Alleen waar beide veiligheidsregio's bekend zijn."),
    Indicator("instroom", "Instroom van mensen in de Wmo", INFLOW, "instroom", None, "halfjaar van de start",
              "Alleen gemeenten die leverden. Wie de dag ervoor zulke ondersteuning had stroomt niet in."),
    Indicator("instroom_per_start", "Mensen per gestart arrangement", INFLOW, "instroom", "arrangementen",
              "halfjaar van de start", "Alleen gemeenten die leverden."),
    Indicator("forensisch_24m", "Wmo-instroom met recent forensisch verleden", INFLOW, "forensisch_24m",
              "instroom_koppelbaar", "forensische zorg in de 24 maanden voor de start", _LINK),
    Indicator("forensisch_ooit", "Wmo-instroom met forensisch verleden", INFLOW, "forensisch_ooit",
              "instroom_koppelbaar", "forensische zorg op enig moment voor de start",
              _LINK + " Zorg van voor de eerste levering is niet te zien."),
    Indicator("na_titeleinde", "Wmo-instroom rond een titeleinde", INFLOW, "na_titeleinde", "instroom_koppelbaar",
              "start van 90 dagen voor tot en met 180 dagen na een titeleinde", _LINK),
    Indicator("instroom_detentie", "Wmo-instroom met recente detentie", INFLOW, "detentie_24m",
              "instroom_koppelbaar", "detentie in de 24 maanden voor de start", _LINK),
    Indicator("personen_4m", "Detentie van meer dan vier maanden geëindigd", DETENTION, "personen_4m",
              "personen_bekend", "halfjaar of jaar van het einde", "Wie geen beginmelding heeft valt uit de noemer."),
)  # fmt: skip
