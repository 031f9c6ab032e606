"""Rows of Injus, 3RO, Ifzo and the crosswalk as their holders would export them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import codes, gemeente
from synthetic import geo, identity
from synthetic.days import COVER_BEGIN, COVER_END, YEARS, day, year_of
from synthetic.defects import Defects
from synthetic.detention import FORZO, GW, JJI, SECTORS, Spells
from synthetic.people import People
from synthetic.rand import Bools, Ints, Rng, between, choose, some
from synthetic.requests import Requests
from synthetic.tbs import EVENTS, Events
from synthetic.write import Days, Rows, join, keys, pick

KINDS = ("BEGIN_DETENTIE", "EINDE_DETENTIE", "VERLOF")
TITLES = (
    *("PREVENTIEF", "GEVANGENISSTRAF", "VERV_HECHTENIS_TAAKSTRAF", "VERV_HECHTENIS_GELDBOETE", "GIJZELING", "ISD"),
    *("PRINCIPALE_HECHTENIS", "LIJFSDWANG", "TBS_PASSANT", "OVERIG", "ONBEKEND", "VREEMDELINGENBEWARING"),
)
TITLE_WEIGHTS = (44, 24, 9, 8, 7, 3, 1, 0.3, 0.2, 2, 1.5, 0)
REASONS = ("EINDE_STRAF", "SCHORSING", "OPHEFFING", "VI", "PP", "OVERPLAATSING_FZ", "STRAFONDERBREKING", "OVERIG",
           "UITZETTING", "OVERLIJDEN", "ONTVLUCHTING")  # fmt: skip
REASON_WEIGHTS = (52, 18, 12, 5, 3, 2.5, 1, 5, 1.2, 0.2, 0.1)
LEAVES = ("KRV", "LRV", "REA", "INCIDENTEEL")
LEAVE_SHARE = 0.03
IMMIGRATION = 600  # vreemdelingenbewaring rows per year: out of scope, and in no published count
MERGER_WINDOW = 183  # days in which notices still go out under the old code


def injus(rng: Rng, people: People, spells: Spells, defects: Defects, scale: float, tag: str) -> tuple[Rows, Ints]:
    """(rows, person of every row): notices, leave, and the rows that are out of scope."""
    parts = [
        _begins(spells, spells.told_begin, spells.begin),
        _begins(spells, spells.second_begin > 0, spells.second_begin),
    ]
    parts += [_finals(spells), _leave(rng, spells)]
    odd = _odd(rng, spells, defects)
    spell, kind, when, place = (np.concatenate([p[i] for p in (*parts, odd)]) for i in range(4))
    detained = spells.person[spell]
    n = len(spell)
    title = choose(rng, TITLE_WEIGHTS, len(spells))[spell]
    title[spells.sector[spell] == FORZO] = TITLES.index("TBS_PASSANT")
    end = kind == 1
    settle = np.where(people.home[detained] >= 0, people.home[detained], place)
    # JJI is out of scope here, so nobody is followed beyond the notice
    no_settle = ~end | (settle < 0) | some(rng, n, 0.08)
    rows: Rows = {
        "melding_id": keys(f"M{tag}", np.arange(n)),
        **identity.columns(rng, people, detained, defects, bsn=0.86, skn=0.975, old=np.zeros(n, bool)),
        "nationaliteit_groep": pick(
            ("NL", "EU", "OVERIG", "ONBEKEND"), choose(rng, (80, 8, 10, 2), len(spells))[spell]
        ),
        "soort_melding": pick(KINDS, kind),
        "sector": pick(SECTORS, spells.sector[spell]),
        "detentie_id": keys(f"D{tag}", spell),
        "datum_gebeurtenis": Days(when),
        "datum_melding": Days(when + between(rng, np.zeros(n), 6)),
        "gemeentecode_brp": _unknown(rng, _places(rng, place, when, defects), kind == 2, defects),
        "gemeentecode_vestiging": pick(geo.codes_array(), np.where(no_settle, 0, settle), no_settle),
        "verblijfstitel": pick(TITLES, title),
        "inrichting_code": keys("PI", between(rng, np.ones(n), 24)),
        "soort_verlof": pick(LEAVES, between(rng, np.zeros(n), 3), kind != 2),
        "reden_einde": pick(REASONS, _reasons(rng, spells)[spell], ~end | some(rng, n, 0.1)),
    }
    if defects.out_of_scope:
        extra = _immigration(rng, scale, tag)
        rows = join([rows, extra])
        detained = np.concatenate((detained, np.full(len(extra["melding_id"]), -1)))
    return rows, detained


Notices = tuple[Ints, Ints, Ints, Ints]


def _begins(spells: Spells, told: Bools, when: Ints) -> Notices:
    spell = np.nonzero(told)[0]
    return spell, np.zeros(len(spell), np.int64), when[spell], spells.place_begin[spell]


def _finals(spells: Spells) -> Notices:
    spell = np.nonzero(spells.told_end)[0]
    return spell, np.ones(len(spell), np.int64), spells.end[spell], spells.place[spell]


def _leave(rng: Rng, spells: Spells) -> Notices:
    long = spells.told_end & (spells.end - spells.begin > 90) & (spells.sector != JJI) & (spells.begin >= COVER_BEGIN)
    spell = np.nonzero(long & some(rng, len(spells), 5 * LEAVE_SHARE))[0]
    when = between(rng, spells.begin[spell] + 30, spells.end[spell] - 5)
    return spell, np.full(len(spell), 2), when, spells.place[spell]


def _odd(rng: Rng, spells: Spells, defects: Defects) -> Notices:
    """End notices under 1999 (RNI) and 0000 (unknown), of people without an address."""
    pool = np.nonzero((spells.place < 0) & (spells.end >= COVER_BEGIN) & (spells.end < COVER_END))[0]
    count = min(round(defects.rni_or_unknown * int(spells.told_end.sum())), len(pool))
    spell = rng.permutation(pool)[:count]
    return spell, np.ones(count, np.int64), spells.end[spell], between(rng, np.full(count, -2), -1)


def _reasons(rng: Rng, spells: Spells) -> Ints:
    """Why each spell ended. Nobody is deported or dies whose later life other registers tell."""
    drawn = choose(rng, REASON_WEIGHTS, len(spells))
    last = np.zeros(len(spells), bool)
    order = np.lexsort((spells.end, spells.person))
    last[order] = np.diff(spells.person[order], append=-1) != 0
    gone = (drawn == REASONS.index("UITZETTING")) | (drawn == REASONS.index("OVERLIJDEN"))
    return np.where(gone & (~last | (spells.sector != GW)), 0, drawn)


def _places(rng: Rng, place: Ints, when: Ints, defects: Defects) -> pa.Array:
    """Codes, some as they were before a merger, some as names or aliases."""
    place = place.copy()
    for old, (new, changed) in geo.successors().items():
        mine = (place == new) & (when >= changed) & (when < changed + MERGER_WINDOW)
        place[mine & some(rng, len(place), defects.merged_municipality / 2)] = old
    text = pick(geo.codes_array(), place)
    names = np.array([*(g.naam for g in geo.places()), "1999", "0000"], object)
    named = pick(names, place)
    aliases = _aliases()
    other = pick([aliases.get(name, name) for name in names], place)
    use = some(rng, len(place), defects.names_for_codes)
    text = pc.if_else(pa.array(use), pc.if_else(pa.array(some(rng, len(place), 1 / 3)), other, named), text)
    short = pc.utf8_ltrim(text, "0")
    cut = some(rng, len(place), defects.code_zero_lost) & (place >= 0)
    return pc.if_else(pa.array(cut), short, text)


def _unknown(rng: Rng, text: pa.Array, leave: Bools, defects: Defects) -> pa.Array:
    """A name that no list knows, on some leave notices: those rows are set aside and no published count changes."""
    odd = pa.array(leave & some(rng, len(text), defects.unknown_name))
    return pc.if_else(odd, pa.scalar("Nergenshuizen"), text)


def _aliases() -> dict[str, str]:
    """Name -> one common alias that resolves to the same municipality."""
    found = {"'s-Gravenhage": "Den Haag", "'s-Hertogenbosch": "Den Bosch", "Bergen (NH.)": "Bergen (NH)"}
    return {name: alias for name, alias in found.items() if gemeente.resolve(alias)}


def _immigration(rng: Rng, scale: float, tag: str) -> Rows:
    n = max(round(IMMIGRATION * len(YEARS) * scale), 5)
    when = between(rng, np.full(n, COVER_BEGIN), COVER_END - 1)
    nothing = pa.nulls(n, pa.string())
    return {
        "melding_id": keys(f"V{tag}", np.arange(n)),
        "bsn": nothing, "skn": nothing, "skn_soort": nothing,
        **{k: v for k, v in _nobody(rng, n).items()},
        "nationaliteit_groep": pick(("OVERIG",), np.zeros(n, np.int64)),
        "soort_melding": pick(KINDS, between(rng, np.zeros(n), 1)),
        "sector": pick(("GW",), np.zeros(n, np.int64)),
        "detentie_id": keys(f"W{tag}", np.arange(n)),
        "datum_gebeurtenis": Days(when), "datum_melding": Days(when),
        "gemeentecode_brp": nothing, "gemeentecode_vestiging": nothing,
        "verblijfstitel": pick(("VREEMDELINGENBEWARING",), np.zeros(n, np.int64)),
        "inrichting_code": nothing, "soort_verlof": nothing, "reden_einde": nothing,
    }  # fmt: skip


def _nobody(rng: Rng, n: int) -> Rows:
    from synthetic.write import Whole  # noqa: PLC0415

    return {
        "geboortejaar": Whole(between(rng, np.full(n, 1960), 2003)),
        "geslacht": pick(("M",), np.zeros(n, np.int64)),
    }


def tbs(rng: Rng, people: People, events: Events, defects: Defects, tag: str) -> tuple[Rows, Ints]:
    """(rows, person of every row) of injus_tbs."""
    n = len(events.person)
    place = np.where(people.home[events.person] >= 0, people.home[events.person], -1)
    return {
        "tbs_id": keys(f"T{tag}", events.person),
        **identity.columns(rng, people, events.person, defects, bsn=0.9, skn=0.99, old=np.zeros(n, bool)),
        "gebeurtenis": pick(EVENTS, events.event),
        "datum": Days(events.day),
        "kliniek_code": keys("K", between(rng, np.ones(n), 12)),
        "gemeentecode_verblijf": pick(geo.codes_array(), place),
    }, events.person


def reclassering(
    rng: Rng, people: People, requests: Requests, person: Ints, title: Ints, defects: Defects, tag: str
) -> tuple[Rows, Ints]:
    """(rows, person of every row) of 3RO. `person` is per slot, `title` the title code position per slot."""
    from synthetic.careers import ALL_CODES  # noqa: PLC0415

    slot = requests.slot
    n = len(slot)
    who = person[slot]
    old = year_of(requests.day) <= 2020
    names = [*geo.ARRONDISSEMENTEN, "GELDERLAND"]
    district = requests.slot_district[slot]
    wrong = (district == geo.ARRONDISSEMENTEN.index("OOST_NEDERLAND")) & some(rng, n, defects.gelderland)
    supervised = requests.day + between(rng, np.zeros(n), 30)
    rows: Rows = {
        "verzoek_id": keys(f"R{tag}", np.arange(n)),
        **identity.columns(rng, people, who, defects, bsn=0.40, skn=0.985, old=old),
        "organisatie": pick(("RN", "SVG", "LDH"), choose(rng, (60, 28, 12), len(person))[slot]),
        "fase": pick(("ADVIES", "TOEZICHT"), choose(rng, (35, 65), len(person))[slot]),
        # one indication per kind of care; ambulant and clinical care are indicated apart
        "indicatie_id": keys(f"I{tag}", slot * 2 + requests.clinical),
        "datum_indicatie": Days(requests.indicated),
        "datum_verzoek": Days(requests.day),
        "indicerende_instantie": pick(("3RO", "NIFP"), requests.clinical.astype(np.int64)),
        "soort_plaatsing": pick(("AMBULANT", "KLINISCH"), requests.clinical.astype(np.int64)),
        "titel_code": pick(ALL_CODES, title[slot], some(rng, n, 0.08)),
        "arrondissement": pick(names, np.where(wrong, len(names) - 1, district)),
        "zorgaanbieder_agb": keys("AGB", between(rng, np.full(n, 1_000), 1_250)),
        "toezicht_begin": Days(supervised, some(rng, n, 0.4)),
        "toezicht_eind": Days(supervised + between(rng, np.full(n, 200), 900), some(rng, n, 0.5)),
        "uitkomst_verzoek": pa.nulls(n, pa.string()),
    }
    return rows, who


def crosswalk(people: People) -> tuple[Rows, Ints]:
    """(rows, person of every row): pairs of numbers that Justid's Matching Autoriteit knows."""
    parts = [(people.skn, people.bsn, "SKN"), (people.skn2, people.bsn, "SKN"), (people.skn, people.bsn2, "SKN")]
    parts.append((people.vip, people.bsn, "VIP"))
    found, who = [], []
    for number, bsn, kind in parts:
        mine = np.nonzero(people.in_crosswalk & (number > 0) & (bsn > 0))[0]
        text = pc.utf8_lpad(pc.cast(pa.array(bsn[mine]), pa.string()), 9, "0")
        skn = pc.cast(pa.array(number[mine]), pa.string())
        found.append({"skn": skn, "skn_soort": pick((kind,), np.zeros(len(mine), np.int64)), "bsn": text})
        who.append(mine)
    return join(found), np.concatenate(who)


START_OF_FZ82 = day(2024, 1, 1)
ZORGTYPEN = codes.load("zorgtype").values()
