"""Countries so small that every whole-number table of them can be looked at, as a period of the engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from release.protect.period import Period
from release.protect.rows import Template, judge
from release.protect.spec import Spec
from release.protect.system import Floats

SPEC = Spec.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "title": "-",
        "tables": {"all": {"levels": ["gemeente", "veiligheidsregio", "land"]}},
        "population": "titel_eindes",
        "geography": 2023,
        "groupings": ["veiligheidsregio", "land"],
        "special": [],
        "measures": {"titel_eindes": 4, "met_detentie": 1},
        "partitions": [{"total": "titel_eindes", "parts": ["met_detentie", "rechtstreeks"], "sensitive": False}],
        "levels": {"gemeente": 1, "veiligheidsregio": 3, "land": 6},
        "audiences": {"vng": {"edition": "exact", "threshold": 3, "margin": 1, "width": 2}},
    }
)


def tiny(counts: Floats, groupings: Sequence[Sequence[Sequence[int]]]) -> Period:
    """A period from municipalities x (persons, of whom with detention) and groupings of municipality numbers.

    Rows: the municipalities, the regions of every grouping in order, the country.
    """
    template, rules = Template.of(SPEC), SPEC.basis
    places = len(counts)
    areas = [list(region) for grouping in groupings for region in grouping]
    printed = np.vstack([counts, *(counts[area].sum(axis=0)[None] for area in areas), counts.sum(axis=0)[None]])
    regions = [(places + number, tuple(area)) for number, area in enumerate(areas)]
    country, first = places + len(areas), places
    for grouping in groupings:
        regions.append((country, tuple(range(first, first + len(grouping)))))
        first += len(grouping)
    member = [
        tuple(next(n for n, area in enumerate(one) if place in area) for one in groupings) for place in range(places)
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(member))}
    group = np.array([*(numbers[key] for key in member), *[-1] * (len(areas) + 1)])
    level = np.array([*[1.0] * places, *[3.0] * len(areas), 6.0])
    values = template.fill(printed)
    weight = level[:, None] * np.array(list(SPEC.measures.values()))[None, :] * np.log2(2 + printed) / 4
    judged = judge(template, SPEC, rules, values, np.zeros(len(values), dtype=bool))
    insiders = np.arange(len(values)) < places
    return Period(template, rules, values, judged, tuple(regions), insiders, group, weight)
