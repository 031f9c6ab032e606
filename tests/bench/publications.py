"""Publications to time disclosure control on: linked tables of one made-up country, with every margin.

Persons live in municipalities, unevenly; every publication is one system. A table is a tuple of attribute sizes: (2,)
is municipality x sex, (6, 3) municipality x age x provision. Its margins and the totals of all areas are cells too.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from release.protect.system import Floats, System, build
from schemas.gemeente import gemeenten

SIZES = {"sex": 2, "age": 6, "provision": 3}
TWO_WAY = (("sex",), ("age",), ("provision",))
CROSSED = (("sex",), ("age", "provision"))
NESTED, OVERLAPPING = "nested", "overlapping"
Areas = dict[str, list[int]]
Sums = dict[str, list[list[str]]]


def areas_of(grouping: str) -> tuple[Areas, Sums]:
    """Area -> its municipalities; and per area the ways in which it is a sum of others.

    nested: safety region in province in country. overlapping: safety region, province and arrondissement, each of
    municipalities; the country is the sum of each.
    """
    members: Areas = defaultdict(list)
    sums: Sums = defaultdict(list)
    kinds: dict[str, dict[str, None]] = defaultdict(dict)
    for number, place in enumerate(gemeenten()):
        region, province, court = (f"v{place.veiligheidsregio_code}", f"p{place.provincie_code}", f"a{place.arrondissement_code}")  # fmt: skip
        for name in (f"m{number}", region, province, *([court] if grouping == OVERLAPPING else []), "NL"):
            members[name].append(number)
        kinds[province] |= {region: None} if grouping == NESTED else {f"m{number}": None}
        kinds[region][f"m{number}"] = None
        kinds["NL"][province] = None
        if grouping == OVERLAPPING:
            kinds[court][f"m{number}"] = None
            kinds["NL region"][region] = None
            kinds["NL court"][court] = None
    for name, parts in kinds.items():
        sums[name.partition(" ")[0]].append(list(parts))
    return members, sums


def publication(
    persons: int, tables: Sequence[tuple[str, ...]] = TWO_WAY, grouping: str = NESTED, seed: int = 1
) -> tuple[System, Floats]:
    """The system and its true counts."""
    rng = np.random.default_rng(seed)
    share = rng.gamma(0.6, 1.0, len(gemeenten()))
    home = rng.choice(len(share), persons, p=share / share.sum())
    is_a = {name: rng.integers(0, size, persons) for name, size in SIZES.items()}
    members, sums = areas_of(grouping)
    at: dict[tuple[str, tuple[tuple[str, int], ...]], int] = {}
    values: list[float] = []
    relations: list[tuple[int, list[int]]] = []
    for area, inside in members.items():
        here = np.isin(home, inside)
        for key in _keys(tables):
            chosen = here.copy()
            for name, value in key:
                chosen &= is_a[name] == value
            at[area, key] = len(values)
            values.append(float(chosen.sum()))
        relations += [(at[area, key], [at[area, part] for part in parts]) for key, parts in _within(tables)]
    for area, ways in sums.items():
        for parts, key in itertools.product(ways, _keys(tables)):
            relations.append((at[area, key], [at[part, key] for part in parts]))
    return build(len(values), relations), np.array(values)


def _keys(tables: Sequence[tuple[str, ...]]) -> list[tuple[tuple[str, int], ...]]:
    """Every cell of a row: the values of each table and of each of its margins, once."""
    found: dict[tuple[tuple[str, int], ...], None] = {}
    for table in tables:
        for many in range(len(table) + 1):
            for names in itertools.combinations(table, many):
                found |= dict.fromkeys(
                    tuple(zip(names, numbers, strict=True))
                    for numbers in itertools.product(*(range(SIZES[name]) for name in names))
                )
    return list(found)


def _within(
    tables: Sequence[tuple[str, ...]],
) -> list[tuple[tuple[tuple[str, int], ...], list[tuple[tuple[str, int], ...]]]]:
    """Relations of a row: a cell is the sum over each attribute of its table that it does not name."""
    keys, found, order = set(_keys(tables)), [], list(SIZES)
    for key in _keys(tables):
        for name, size in SIZES.items():
            parts = [tuple(sorted([*key, (name, v)], key=lambda one: order.index(one[0]))) for v in range(size)]
            if name not in dict(key) and set(parts) <= keys:
                found.append((key, parts))
    return found
