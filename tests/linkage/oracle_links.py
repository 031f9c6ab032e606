"""The linkage of rows without a number a second time, in plain Python, and the basis of every link.

Takes the chances of the model as the run wrote them (their estimation has its own tests) and does all else again:
keys, records, candidates, patterns, chances, groups, decisions, people.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from linkage.plan import Plan
from tests.linkage.build import PARTS, Row, keys_of, pseudonym

Model = Sequence[Mapping[str, Any]]
Keys = tuple[bytes | None, ...]
NAMES = ("fb_a", "fb_b", "fb_c", "fb_d", "fb_e", "fb_f", "fb_g")
# What must agree for each key, as decision 26 writes it: part -> worst level that will do.
NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    "fb_a": {"name": ("same",), "initial": ("same",), "date": ("same",), "sex": ("same",)},
    "fb_b": {"name": ("sound", "same"), "initial": ("same",), "date": ("exchanged", "same"), "sex": ("same",)},
    "fb_c": {"name": ("sound", "same"), "initial": ("same",), "date": ("day", "exchanged", "same"),
             "postcode": ("four", "six")},
    "fb_d": {"initial": ("same",), "date": ("same",), "sex": ("same",), "postcode": ("six",)},
    "fb_e": {"name": ("sound", "same"), "date": ("same",), "postcode": ("four", "six")},
    "fb_f": {"name": ("sound", "same"), "initial": ("same",), "date": ("year", "exchanged", "same"), "sex": ("same",),
             "postcode": ("four", "six")},
    "fb_g": {"name": ("sound", "same"), "date": ("exchanged", "same"), "sex": ("same",)},
}  # fmt: skip


class Record(NamedTuple):
    """Rows with the same keys: of a person with a number, or of nobody yet."""

    owner: int | None
    keys: Keys
    rows: list[Row]


def add_keys(read: dict[str, list[Row]]) -> None:
    """Give every row its keys as pseudonyms (`_keys`), empty where its register was delivered without."""
    for register, rows in read.items():
        texts = keys_of([row if any(row.get(p) for p in PARTS) else {} for row in rows]) if rows else []
        for row, text in zip(rows, texts, strict=True):
            told = (text[name] for name in NAMES)
            row["_keys"] = tuple(
                None if t is None or register == "crosswalk" else pseudonym(name, t)
                for name, t in zip(NAMES, told, strict=True)
            )


def records(numbered: Sequence[tuple[int, Row]], bare: Sequence[Row]) -> list[Record]:
    """Those of nobody first, each part in the order of the keys, empty last."""
    found: dict[tuple[int | None, Keys], list[Row]] = defaultdict(list)
    for owner, row in [*((None, row) for row in bare), *numbered]:
        if any(row["_keys"]):
            found[owner, row["_keys"]].append(row)
    order = sorted(found, key=lambda k: (k[0] is not None, k[0] or 0, [(key is None, key or b"") for key in k[1]]))
    return [Record(owner, keys, found[owner, keys]) for owner, keys in order]


def chance(one: Keys, other: Keys, model: Model) -> float:
    """That two records are one person: the states that fit what is seen, weighed by their chances."""
    share = next(row["m"] for row in model if row["part"] == "pair")
    parts = list(dict.fromkeys(row["part"] for row in model if row["part"] != "pair"))
    levels = [[row for row in model if row["part"] == part] for part in parts]
    seen = {name: None if a is None or b is None else a == b for name, a, b in zip(NAMES, one, other, strict=True)}
    alike = unlike = 0.0
    for state in itertools.product(*levels):
        told = {row["part"]: row["level"] for row in state}
        agrees = {name: all(told[p] in enough for p, enough in needs.items()) for name, needs in NEEDS.items()}
        if all(bit is None or bit == agrees[name] for name, bit in seen.items()):
            alike += math.prod(row["m"] for row in state) * share
            unlike += math.prod(row["u"] for row in state) * (1 - share)
    return alike / (alike + unlike) if alike + unlike else 0.0


def decide(found: list[Record], plan: Plan, model: Model) -> tuple[dict[int, int], dict[int, float], list[list[int]]]:
    """(record -> person, record -> its chance, groups that belong to nobody known), by number of the record."""
    bare = [i for i, record in enumerate(found) if record.owner is None]
    enough = {i for i in bare if chance(found[i].keys, found[i].keys, model) >= plan.fallback_threshold}
    likely = {pair: chance(found[pair[0]].keys, found[pair[1]].keys, model) for pair in _candidates(found, plan)}
    sure = {pair: c for pair, c in likely.items() if c >= plan.fallback_threshold and pair[0] in enough}
    groups = _groups(bare, [p for p in sure if found[p[1]].owner is None and p[1] in enough])
    person: dict[int, int] = {}
    chances: dict[int, float] = {}
    taken: set[tuple[int, str]] = set()
    for score, group, who in _offers(found, groups, sure):
        registers = {row["_register"] for i in group for row in found[i].rows}
        if who is not None and not any((who, register) in taken for register in registers):
            taken |= {(who, register) for register in registers}
            person |= dict.fromkeys(group, who)
            chances |= dict.fromkeys(group, score)
    left = [g for g in groups if g[0] not in person and g[0] in enough and sum(len(found[i].rows) for i in g) > 1]
    for i in (i for group in left for i in group):
        mates = [c for p, c in sure.items() if i in p and found[p[1]].owner is None and p[1] in enough]
        chances[i] = max(mates, default=chance(found[i].keys, found[i].keys, model))
    return person, chances, left


def _candidates(found: list[Record], plan: Plan) -> list[tuple[int, int]]:
    """Pairs of a record of nobody and a later one that share a key that is no placeholder."""
    pairs: set[tuple[int, int]] = set()
    for place in range(len(NAMES)):
        holders: dict[bytes, list[int]] = defaultdict(list)
        for i, record in enumerate(found):
            if (key := record.keys[place]) is not None:
                holders[key].append(i)
        for mine in holders.values():
            people = {("person", found[i].owner) if found[i].owner is not None else ("record", i) for i in mine}
            if len(people) <= plan.fallback_common:
                pairs |= {(i, j) for i, j in itertools.combinations(mine, 2) if found[i].owner is None}
    return sorted(pairs)


def _groups(bare: list[int], pairs: list[tuple[int, int]]) -> list[list[int]]:
    groups = [{i} for i in bare]
    for pair in pairs:
        touched = [g for g in groups if g & set(pair)]
        groups = [g for g in groups if g not in touched] + [set().union(*touched)]
    return sorted(sorted(group) for group in groups)


def _offers(
    found: list[Record], groups: list[list[int]], sure: dict[tuple[int, int], float]
) -> list[tuple[float, list[int], int | None]]:
    """(chance, group, its best person or None when two are as good), the surest first."""
    offers: list[tuple[float, list[int], int | None]] = []
    for group in groups:
        best: dict[int, float] = {}
        for (u, v), score in sure.items():
            owner = found[v].owner
            if u in group and owner is not None:
                best[owner] = max(best.get(owner, 0.0), score)
        if best:
            top = max(best.values())
            people = [who for who, score in best.items() if score == top]
            offers.append((top, group, people[0] if len(people) == 1 else None))
    return sorted(offers, key=lambda offer: (-offer[0], offer[1]))


def links(number: int, rows: Mapping[str, list[Row]], fallen: Mapping[int, float]) -> list[tuple[Any, ...]]:
    """register_links of one person; `fallen` are the chances of rows without a number, by id of the row."""
    here = {name: mine for name, mine in rows.items() if mine}
    least = {
        name: min((fallen[id(row)] for row in mine if id(row) in fallen), default=None) for name, mine in here.items()
    }
    numbers = {
        name: {(kind, row[kind]) for row in mine for kind in ("bsn", "skn", "vip") if row.get(kind) is not None}
        for name, mine in here.items()
    }
    made: list[tuple[Any, ...]] = [(number, n, n, "FALLBACK", p) for n, p in least.items() if p is not None]
    for one, other in itertools.combinations(sorted(here), 2):
        shared = {kind for kind, _ in numbers[one] & numbers[other]}
        basis = next((kind.upper() for kind in ("bsn", "skn", "vip") if kind in shared), None)
        if basis is None and numbers[one] and numbers[other]:
            basis = "CROSSWALK"
        sides = [1.0 if numbers[name] else least[name] or 1.0 for name in (one, other)]
        made.append((number, one, other, basis or "FALLBACK", 1.0 if basis else min(sides)))
    return made
