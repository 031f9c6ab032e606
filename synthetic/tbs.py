"""Tbs events to the published yearly counts. Series of one measure are never added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic import targets
from synthetic.careers import Careers
from synthetic.days import YEARS, first_day, last_day
from synthetic.detention import FORZO, Spells
from synthetic.rand import Ints, Streams, between, sample

EVENTS = tuple(targets.TBS)
NOT_OUT = ("OVERLIJDEN", "UITZETTING")
NEW_SHARE = 0.3  # people whom no other register here knows


@dataclass
class Events:
    """One row per event."""

    person: Ints
    event: Ints  # position in EVENTS
    day: Ints


def make(streams: Streams, scale: float, careers: Careers, spells: Spells, first: int) -> tuple[Events, int]:
    """All events, and the number of people so far."""
    rng = streams("tbs")
    known = np.unique(np.concatenate((careers.person[careers.is_tbs], spells.person[spells.sector == FORZO])))
    fresh = first + np.arange(round(max(sum(map(sum, targets.TBS.values())) * scale * NEW_SHARE, 4)), dtype=np.int64)
    person, event, day = [], [], []
    for number, name in enumerate(EVENTS):
        pool = fresh if name in NOT_OUT else np.concatenate((known, fresh))
        for year, count in zip(YEARS, targets.TBS[name], strict=True):
            who = sample(rng, pool, round(count * scale))
            person.append(who)
            event.append(np.full(len(who), number))
            day.append(between(rng, np.full(len(who), first_day(year)), last_day(year)))
    rows = Events(*(np.concatenate(part) for part in (person, event, day)))
    return rows, first + len(fresh)
