"""Rows of the tables beside the estimates: cumulative incidence, projection and back-test, capture-recapture."""

from __future__ import annotations

import numpy as np

from estimation import corrections, sensitivity
from estimation.arrays import Bools
from estimation.incidence import aalen_johansen, first_of
from estimation.intervals import around
from estimation.projection import Prediction, Tried
from estimation.sensitivity import Analysis
from estimation.summary import Grid, Row
from estimation.tables import FORENSIC, Linked, half_index, half_name

DAYS = (0, 30, 90, 180, 270, 365)
CAUSES = {1: "WMO", 2: "DETENTIE", 3: "OVERLIJDEN", 4: "UITZETTING"}
LISTS = ("Injus", "3RO", "Ifzo", "GMSD")
LEVELS = ("gemeente", "veiligheidsregio", "land")
LEAST_SEEN = 50


def incidence(linked: Linked) -> list[Row]:
    """Time from title end to first Wmo support, per calendar year and over all. Competing, as far as a linked table
    tells of them: return to detention, death, deportation; all causes of a cohort together add up to at most 1.

    In it: persons who can be linked, of a municipality that delivered throughout, or whose municipality nobody knows
    (most municipalities deliver; leaving them out would keep those who found support). Censored at the end of coverage.
    """
    units = linked.units
    delivered = corrections.delivery_class(linked, 365) == 2
    inside = units.has_bsn & ((units.place < 0) | delivered[units.place, units.half])
    until = np.maximum(linked.coverage_end - units.day, 0)
    start = np.maximum(units.offset, 0)
    start = np.where(units.use["ALLE", 12], start, until + 1)
    later = {2: units.detained, 3: units.died, 4: units.deported}
    events = {1: start, **{number: np.maximum(when, 1) for number, when in later.items()}}
    day, cause = first_of(events, np.minimum(until, DAYS[-1]))
    years = np.array([linked.halves[half][:4] for half in units.half])
    rows = []
    for cohort in ("ALLE", *sorted(set(years.tolist()))):
        mine: Bools = inside & ((years == cohort) | (cohort == "ALLE"))
        if not (cause[mine] > 0).any():
            continue
        found = aalen_johansen(day[mine], cause[mine], causes=len(CAUSES))
        for number, name in CAUSES.items():
            for at in DAYS:
                value, low, high = found.at(at, number)
                rows.append(
                    {"cohort": cohort, "oorzaak": name, "dag": at, "onder_risico": found.risk_set(at)}
                    | {"kans": value, "laag90": low, "hoog90": high}
                )
    return rows


def projected(made: Prediction, linked: Linked, grid: Grid) -> list[Row]:
    """Rows of a projection or a back-test; in a back-test only areas and half-years that could be counted."""
    tried = isinstance(made, Tried)
    informs = made.informs if isinstance(made, Tried) else np.ones(made.draws.shape[1:])
    draws = grid.members.T @ (made.draws * informs)
    counted = grid.members.T @ (made.counted * informs) if isinstance(made, Tried) else None
    used = (grid.members.T @ informs) > 0
    last = half_index(linked.halves[-1])
    first = last - made.draws.shape[2] + 1 if tried else last + 1
    (low80, high80), (low95, high95) = (around(draws, level) for level in (0.8, 0.95))
    rows = []
    for area, (level, code, _) in enumerate(grid.areas):
        for step in range(made.draws.shape[2]):
            if level not in LEVELS or not used[area, step]:
                continue
            at = (float(bound[area, step]) for bound in (low80, high80, low95, high95))
            rows.append(
                {"soort": "TERUGTOETS" if tried else "VOORUIT", "niveau": level, "code": code}
                | {"halfjaar": half_name(first + step), "verwacht": float(draws[:, area, step].mean())}
                | dict(zip(("laag80", "hoog80", "laag95", "hoog95"), at, strict=True))
                | {"geteld": None if counted is None else int(counted[area, step])}
            )
    return rows


def recaptures(linked: Linked, seed: int, *, gmsd: bool = False) -> list[Row]:
    """The sensitivity analysis for the country and every region with enough persons.

    `gmsd`: once more with GMSD as a fourth list, in rows of its own (`lijsten` tells which lists were used).
    """
    rows: list[Row] = []
    for count in (FORENSIC, FORENSIC + 1) if gmsd else (FORENSIC,):
        lists = linked.lists[:, :count]
        rows += _recapture_rows("land", "NL", lists, seed)
        for number, (code, _) in enumerate(linked.places.areas("veiligheidsregio")[0]):
            member = lists[linked.list_region == number]
            if len(member) >= LEAST_SEEN:
                rows += _recapture_rows("veiligheidsregio", code, member, seed + number + 1)
    return rows


def _recapture_rows(level: str, code: str, member: Bools, seed: int) -> list[Row]:
    names = LISTS[: member.shape[1]]
    found = sensitivity.judge(member, seed=seed, wide=member.shape[1] > FORENSIC)
    if not found.near:
        return [_empty(level, code, names, found)]
    rows = []
    for place, (fit, (low, high)) in enumerate(zip(found.near, found.intervals, strict=True)):
        best = place == 0
        again = found.interval if best else None
        rows.append(
            _empty(level, code, names, found)
            | {"model": fit.model.label(names), "gekozen": best, "delta_bic": fit.bic - found.near[0].bic}
            | {"schatting": fit.total, "laag95": low, "hoog95": high}
            | {"her_laag95": again[0] if again else None, "her_hoog95": again[1] if again else None}
        )
    return rows


def _empty(level: str, code: str, names: tuple[str, ...], found: Analysis) -> Row:
    nothing = dict.fromkeys(("schatting", "laag95", "hoog95", "delta_bic", "her_laag95", "her_hoog95"))
    told: Row = {"niveau": level, "code": code, "lijsten": ", ".join(names), "model": "-", "gezien": found.seen}
    return told | nothing | {"gekozen": False, "chao_ondergrens": found.bound, "oordeel": found.verdict}
