"""A made-up country whose sums hold: what disclosure control must keep, an attacker knows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from schemas.gemeente import gemeenten
from schemas.target_group import MATEN, TARGET_GROUP
from tests.release.fixtures import table_of

HALVES = ("2023H1", "2023H2")


def target_group(
    seed: int = 1, mean: float = 3.0, halves: tuple[str, ...] = HALVES, provinces: frozenset[str] = frozenset()
) -> pa.Table:
    """A country of counts whose sums hold: persons per municipality, their measures, and the regions added up.

    About one municipality in ten did not deliver; `mean` is the average number of persons per municipality. With
    `provinces` (names) the country is no larger than those.
    """
    rng = np.random.default_rng(seed)
    places = [place for place in gemeenten() if not provinces or place.provincie in provinces]
    codes = [*(g.code for g in places), "ONB"]
    size = (len(codes), len(halves))
    people = rng.poisson(rng.gamma(0.6, mean / 0.6, size[0])[:, None] * np.ones(size))
    people[-1] = 400
    unseen = rng.binomial(people, 0.03)
    unseen[-1] = people[-1]
    year = rng.binomial(people - unseen, 0.5)
    half = rng.binomial(year, 0.92)
    home = rng.binomial(half, 0.65)
    counts = {
        "titel_eindes": people,
        "wmo_180": half,
        "wmo_365": year,
        "wmo_liep_al": rng.binomial(half, 0.35),
        "wmo_thuis_180": home,
        "wmo_opvang_180": half - home,
        "met_detentie": rng.binomial(people, 0.4),
        "niet_waarneembaar": unseen,
    }
    delivered = rng.random(len(codes)) > 0.1
    members: dict[tuple[str, str, str], list[int]] = {}
    for number, place in enumerate(places):
        members["gemeente", place.code, place.naam] = [number]
    members["gemeente", "ONB", "Onbekend"] = [len(codes) - 1]
    for niveau in ("veiligheidsregio", "arrondissement", "provincie"):
        for number, place in enumerate(places):
            region = (niveau, str(getattr(place, f"{niveau}_code")), str(getattr(place, niveau)))
            members.setdefault(region, []).append(number)
    members["land", "NL", "Nederland"] = list(range(len(codes)))
    rows = [
        (*area, half_year, maat, int(counts[maat][numbers, h].sum()), bool(delivered[numbers].all()))
        for area, numbers in members.items()
        for h, half_year in enumerate(halves)
        for maat in MATEN
    ]
    return table_of(TARGET_GROUP, rows)
