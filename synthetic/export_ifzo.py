"""Rows of Ifzo: realised placements, attempts that never became one, and what the register does not know."""

from __future__ import annotations

import numpy as np

from synthetic import geo, identity
from synthetic.careers import ALL_CODES as CODES
from synthetic.careers import AMBULANT, KLINISCH, VERBLIJF, Careers
from synthetic.days import COVER_END, NEVER, day, year_of
from synthetic.defects import Defects
from synthetic.people import People
from synthetic.rand import Bools, Ints, Rng, between, choose, some
from synthetic.write import Days, Rows, Whole, join, keys, pick

EXTRACTED = day(2024, 4, 15)  # what the holder knew on that day; section 2.1.3 of the report
TYPES = (
    *("AMB_BEH", "AMB_BEG", "AMB_DAG", "AMB_DIAG", "VERBLIJF_BW", "VERBLIJF_VG"),
    *("KLIN_1", "KLIN_2", "KLIN_3", "KLIN_4", "FPT", "ONBEKEND"),
)
OF_CARE = {
    0: ((0, 1, 2, 3), (60, 27, 8, 5)),
    1: ((6, 7, 8, 9), (30, 40, 24, 6)),
    2: ((4, 5), (88, 12)),
    3: ((10,), (1,)),
}
OF_CARE[4] = ((11,), (1,))
STATUSES = ("BEEINDIGD", "IN_ZORG", "AFGEWEZEN", "INGETROKKEN", "AANGEMELD", "GEPLAATST")
REASONS = (
    "TITEL_AFGELOPEN",
    "VERVOLGPLAATSING",
    "ONTTREKKING",
    "TERUG_DETENTIE",
    "AFGEBROKEN",
    "OVERIG",
    "ONBEKEND",
    "OVERLIJDEN",
)
END_STATUSES = ("DEFINITIEF", "VOORLOPIG", "ONBEPAALD", "ONBEKEND")
DEFINITIVE, PROVISIONAL, OPEN, UNKNOWN = range(4)
ONLY_ATTEMPTS = 0.25  # of the people 3RO asked care for and whom Ifzo never placed


def make(
    rng: Rng, people: People, careers: Careers, died: Bools, asked: tuple[Ints, Ints], defects: Defects, tag: str
) -> tuple[Rows, Ints]:
    """(rows, person of every row). `asked` are (person, day) of requests that never became a placement."""
    ends = _title_ends(rng, careers, defects)
    placed = _placed(rng, careers, ends, died, defects)
    tries = _attempts(rng, careers, ends, defects)
    never = _never(rng, asked)
    parts = [placed, tries, never] if len(never["person"]) else [placed, tries]
    found = {name: np.concatenate([part[name] for part in parts]) for name in placed}
    return _rows(rng, people, found, defects, tag), found["person"]


Columns = dict[str, Ints]


def _title_ends(rng: Rng, careers: Careers, defects: Defects) -> tuple[Ints, Ints]:
    """(end as registered, position in END_STATUSES) of every title; NEVER where no end is known."""
    tbs = careers.is_tbs[careers.title_chain] & some(rng, len(careers.title_end), defects.tbs_without_end)
    unknown = some(rng, len(careers.title_end), defects.title_end_unknown) & ~tbs
    late = (careers.title_end >= EXTRACTED) | (
        (careers.title_end >= COVER_END - 183) & some(rng, len(careers.title_end), 2 * defects.title_end_provisional)
    )
    status = np.select([tbs, unknown, late], [OPEN, UNKNOWN, PROVISIONAL], DEFINITIVE)
    return np.where(tbs | unknown, NEVER, careers.title_end), status


def _placed(rng: Rng, careers: Careers, ends: tuple[Ints, Ints], died: Bools, defects: Defects) -> Columns:
    n, title = len(careers.begin), careers.title
    end, status = ends[0][title].copy(), ends[1][title].copy()
    last_of_title = np.diff(title, append=-1) != 0
    earlier = ~last_of_title & (status == DEFINITIVE) & some(rng, n, defects.title_end_provisional)
    moved = careers.title_end[title] + between(rng, np.full(n, -90), 180)
    end[earlier] = np.maximum(moved, careers.title_begin[title] + 1)[earlier]
    status[earlier] = PROVISIONAL
    last = np.diff(careers.chain, append=-1) != 0
    dead = last & died[careers.chain]
    care_end = np.where(dead, careers.chain_end[careers.chain], careers.end)
    known = (care_end < EXTRACTED) & ~((care_end < COVER_END) & some(rng, n, defects.status_not_closed) & ~dead)
    reason = np.where(last, choose(rng, (70, 0, 5, 8, 9, 5, 3), n), choose(rng, (4, 74, 5, 5, 6, 4, 2), n))
    return {
        "person": careers.person[careers.chain],
        "care": careers.care,
        "code": careers.title_code[title],
        "title_begin": careers.title_begin[title],
        "title_end": end,
        "status": status,
        "begin": careers.begin,
        "end": np.where(known, care_end, NEVER),
        "reason": np.where(known, np.where(dead, len(REASONS) - 1, reason), -1),
        "state": np.where(known, 0, 1),
    }


def _attempts(rng: Rng, careers: Careers, ends: tuple[Ints, Ints], defects: Defects) -> Columns:
    """Attempts before a placement: another provider said no, or nothing came of it."""
    mine = np.nonzero(some(rng, len(careers.begin), defects.unrealised_attempt))[0]
    n, title = len(mine), careers.title[mine]
    return {
        "person": careers.person[careers.chain[mine]],
        "care": careers.care[mine],
        "code": careers.title_code[title],
        "title_begin": careers.title_begin[title],
        "title_end": ends[0][title],
        "status": ends[1][title],
        "begin": np.full(n, NEVER),
        "end": careers.begin[mine],
        "reason": np.full(n, -1),
        "state": 2 + choose(rng, (55, 30, 15), n),
    }


def _never(rng: Rng, asked: tuple[Ints, Ints]) -> Columns:
    """People with a title and an attempt, and no care at all."""
    mine = np.nonzero(some(rng, len(asked[0]), ONLY_ATTEMPTS))[0]
    n, when = len(mine), asked[1][mine]
    return {
        "person": asked[0][mine],
        "care": np.where(some(rng, n, 0.15), KLINISCH, np.where(some(rng, n, 0.1), VERBLIJF, AMBULANT)),
        "code": choose(rng, (50, 30, 10, 10), n),
        "title_begin": when,
        "title_end": when + between(rng, np.full(n, 120), 700),
        "status": np.full(n, DEFINITIVE),
        "begin": np.full(n, NEVER),
        "end": when + 14,
        "reason": np.full(n, -1),
        "state": 2 + choose(rng, (40, 50, 10), n),
    }


def _rows(rng: Rng, people: People, found: Columns, defects: Defects, tag: str) -> Rows:
    n = len(found["person"])
    realised = found["begin"] < NEVER
    anchor = np.where(realised, found["begin"], found["end"])
    kind = np.zeros(n, np.int64)
    for care, (types, weights) in OF_CARE.items():
        mine = found["care"] == care
        kind[mine] = np.array(types)[choose(rng, weights, int(mine.sum()))]
    indicated = anchor - between(rng, np.full(n, 5), 80)
    early = some(rng, n, defects.letter_before_indication)
    prompt = np.maximum(anchor - between(rng, np.zeros(n), 30), indicated)
    letter = np.where(early, indicated - between(rng, np.ones(n), 20), prompt)
    care_end = np.where(realised & (found["end"] < NEVER), found["end"], NEVER)
    wrong = (care_end < NEVER) & some(rng, n, defects.end_before_begin)
    care_end[wrong] = found["begin"][wrong] - between(rng, np.ones(int(wrong.sum())), 40)
    clinical = found["care"] == KLINISCH
    sentinel = some(rng, n, defects.title_end_sentinel)
    return {
        "plaatsing_id": keys(f"P{tag}", np.arange(n)),
        "plaatsingsbesluitnummer": keys(f"B{tag}", np.arange(n), ~realised),
        **identity.columns(
            rng, people, found["person"], defects, bsn=0.25, skn=0.99, old=realised & (year_of(anchor) <= 2020)
        ),
        "indicatie_id": keys(f"J{tag}", np.arange(n)),
        "datum_indicatie": Days(indicated),
        "indicatiesteller": pick(("3RO", "NIFP", "PMO"), np.where(clinical, 1, choose(rng, (92, 0, 8), n))),
        "plaatsende_instantie": pick(("3RO", "DIZ", "PMO", "OM"), np.where(clinical, 1, choose(rng, (91, 0, 8, 1), n))),
        "zorgtype": pick(TYPES, kind),
        "beveiligingsniveau": Whole(kind - 5, ~clinical),
        "titel_code": pick(CODES, found["code"]),
        "titel_begin": Days(found["title_begin"]),
        "titel_eind": Days(found["title_end"], (found["title_end"] >= NEVER) & ~sentinel),
        "titel_eind_status": pick(END_STATUSES, found["status"]),
        "status": pick(STATUSES, found["state"]),
        "datum_plaatsingsbrief": Days(letter, found["state"] >= 2),
        "zorg_begin": Days(found["begin"], ~realised),
        "zorg_eind": Days(care_end, care_end >= NEVER),
        "reden_einde_zorg": pick(REASONS, np.maximum(found["reason"], 0), found["reason"] < 0),
        "zorgaanbieder_agb": keys("AGB", between(rng, np.full(n, 1_000), 1_250)),
        "locatie_gemeentecode": pick(geo.codes_array(), _located(rng, n), some(rng, n, 0.2)),
    }


def _located(rng: Rng, n: int) -> Ints:
    """Where care is given: the municipalities that exist at the end, evenly. Not where people come from."""
    alive = np.nonzero(geo.exists()[-1])[0]
    return np.asarray(alive[between(rng, np.zeros(n), len(alive) - 1)])


__all__ = ["EXTRACTED", "join", "make"]
