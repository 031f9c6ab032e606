"""Fallback linking: rows without a number find their person by keys of name, birth date, sex and postcode.

Only where an agreement let the source make such keys. This room sees the keys' pseudonyms and nothing else: which
agree is all that is scored (fellegi_sunter.py). Numbers go first: two people with numbers are never joined here.

One-to-one: records without a number that are surely each other form a group; a group links to at most one person,
its best; a person takes at most one group per register; a group whose two best people are equally likely is left
alone, and so is a record that holds too little to be sure even of itself. What was decided is kept per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from linkage import fellegi_sunter as fs
from linkage import queries, stage
from linkage.components import components
from linkage.database import Connection
from linkage.fellegi_sunter import Floats, Ints, Model
from linkage.plan import Parameter, Plan

LINKED, GROUPED, UNSURE, TIED, TAKEN, TOO_LITTLE, ALONE = (
    *("LINKED", "GROUPED", "BELOW_THRESHOLD", "TIED", "TAKEN", "TOO_LITTLE", "NO_CANDIDATE"),
)
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
NOBODY = -1


@dataclass(frozen=True)
class Records:
    """Profiles without a number, by number 0..n-1: rows, registers as bits, pattern with itself."""

    rows: Ints
    registers: Ints
    itself: Ints


@dataclass(frozen=True)
class Pairs:
    """Candidates: `u` a record; `v` another profile; `person` of v or NOBODY; their pattern of keys."""

    u: Ints
    v: Ints
    person: Ints
    pattern: Ints


@dataclass
class Decisions:
    """Per record: its group (the lowest record of it) and person (NOBODY when unlinked), the chance of that, its best
    candidate profile with its chance, and the outcome."""

    group: Ints
    person: Ints
    probability: Floats
    other: Ints
    best: Floats
    outcome: list[str]


def link(con: Connection, plan: Plan, values: Mapping[str, Parameter], first_free: int) -> int:
    """Decide and give linked rows their person; returns the first free person number. Needs `key_person`.

    Makes fallback_links, fallback_model and fallback_curve, empty when no delivery holds fallback keys.
    """
    for name in ("fallback_profiles", "fallback_rows", "fallback_pairs"):
        queries.run(con, name, values)
    records, pairs = _records(con), _pairs(con)
    model = fs.estimate(*_patterns(con), expected=max(len(records.rows) / 2, 1.0))
    chance, itself = model.probability(pairs.pattern), model.probability(records.itself)
    found = decide(records, pairs, chance, itself, plan.fallback_threshold)
    free = _number_groups(found, first_free)
    _keep(con, found)
    for name in ("fallback_person", "fallback_keys", "fallback_links"):
        queries.run(con, name, values)
    stage.table_from_arrow(con, "fallback_model", model_table(model, len(records.rows)))
    stage.table_from_arrow(con, "fallback_curve", curve(found))
    return free


def _records(con: Connection) -> Records:
    found = con.execute(
        "select rows, registers, missing from fallback_profiles where person_id is null order by profile"
    ).fetchnumpy()
    missing = _ints(found["missing"])
    places = 2 ** np.arange(len(fs.KEYS), dtype=np.int64)
    itself = np.where(missing[:, None] & places, fs.MISSING, fs.AGREE) @ fs.POWERS
    return Records(_ints(found["rows"]), _ints(found["registers"]), itself)


def _pairs(con: Connection) -> Pairs:
    found = con.execute(
        f"select u, v, coalesce(person_id, {NOBODY}) as person, pattern from fallback_pairs order by u, v"  # noqa: S608
    ).fetchnumpy()
    return Pairs(*(_ints(found[name]) for name in ("u", "v", "person", "pattern")))


def _patterns(con: Connection) -> tuple[Ints, Floats]:
    """Every pattern of the comparison space with its pairs, those that agree on nothing included."""
    shown = con.execute("select pattern, missing, count(*) as n from fallback_pairs group by all").fetchnumpy()
    masks = con.execute(queries.text("fallback_masks")).fetchall()
    total = _all_pairs(masks)
    for missing, pairs in zip(shown["missing"].tolist(), shown["n"].tolist(), strict=True):
        total[missing] -= pairs
    rest = {mask: pairs for mask, pairs in sorted(total.items()) if pairs > 0}
    none = [fs.code({key: fs.DIFFER for i, key in enumerate(fs.KEYS) if not mask >> i & 1}) for mask in rest]
    codes = np.concatenate((_ints(shown["pattern"]), _ints(none)))
    pairs = np.concatenate((np.asarray(shown["n"], np.float64), np.array(list(rest.values()), np.float64)))
    order = np.argsort(codes, kind="stable")  # a grouping has no order of its own; sums must not depend on it
    return codes[order], pairs[order]


def _all_pairs(masks: list[tuple[bool, int, int]]) -> dict[int, int]:
    """Pairs per set of missing keys: a record with any other profile, each pair once."""
    found: dict[int, int] = {}
    records = [(mask, n) for owned, mask, n in masks if not owned]
    for place, (mask, n) in enumerate(records):
        found[mask] = found.get(mask, 0) + n * (n - 1) // 2
        others = records[place + 1 :] + [(m, k) for owned, m, k in masks if owned]
        for other, k in others:
            found[mask | other] = found.get(mask | other, 0) + n * k
    return found


def decide(records: Records, pairs: Pairs, chance: Floats, itself: Floats, threshold: float) -> Decisions:
    """What becomes of every record; see the module. Equal input, equal decisions."""
    n = len(records.rows)
    enough = itself >= threshold
    owned = pairs.person != NOBODY
    sure = (chance >= threshold) & enough[pairs.u] & (owned | enough[np.where(owned, 0, pairs.v)])
    u, v = pairs.u[sure & ~owned], pairs.v[sure & ~owned]
    group = components(n, u.astype(np.int32), v.astype(np.int32)).astype(np.int64)
    person, likely, via, refused = _match(group, records.registers, pairs, np.where(sure, chance, 0.0))
    rows = np.bincount(group, weights=records.rows, minlength=n)
    best, other = _best(n, pairs, chance)
    other = np.where(via[group] != NOBODY, via[group], other)
    mate = np.zeros(n)  # a row is sure of its group through its best mate in it, or through rows with the same keys
    np.maximum.at(mate, np.concatenate((u, v)), np.tile(chance[sure & ~owned], 2))
    linked = person[group] != NOBODY
    probability = np.where(linked, likely[group], np.where(mate > 0, mate, itself))
    outcome = [
        LINKED if linked[i] else TOO_LITTLE if not enough[i]
        else refused.get(int(group[i])) or (GROUPED if rows[group[i]] > 1 else ALONE if best[i] == 0 else UNSURE)
        for i in range(n)
    ]  # fmt: skip
    several = np.where(enough & (rows[group] > 1), group, NOBODY)
    return Decisions(several, person[group], probability, other, best, outcome)


def _match(root: Ints, registers: Ints, pairs: Pairs, chance: Floats) -> tuple[Ints, Floats, Ints, dict[int, str]]:
    """Per group (by its root) its person, the chance and the profile it goes by, and why a group was refused."""
    n = len(root)
    held = np.zeros(n, np.int64)
    np.bitwise_or.at(held, root, registers)
    person, likely, via = np.full(n, NOBODY, np.int64), np.zeros(n), np.full(n, NOBODY, np.int64)
    refused: dict[int, str] = {}
    taken: dict[int, int] = {}
    for score, group, who, profile, tied in _proposals(root, pairs, chance):
        if tied:
            refused[group] = TIED
        elif taken.get(who, 0) & int(held[group]):
            refused[group] = TAKEN
        else:
            taken[who] = taken.get(who, 0) | int(held[group])
            person[group], likely[group], via[group] = who, score, profile
    return person, likely, via, refused


def _proposals(root: Ints, pairs: Pairs, chance: Floats) -> list[tuple[float, int, int, int, bool]]:
    """(chance, group, best person, by which profile, another is as good) of every group, the surest first."""
    best: dict[int, dict[int, tuple[float, int]]] = {}
    for place in np.nonzero((chance > 0) & (pairs.person != NOBODY))[0]:
        mine = best.setdefault(int(root[pairs.u[place]]), {})
        who, offer = int(pairs.person[place]), (float(chance[place]), int(pairs.v[place]))
        mine[who] = max(mine.get(who, offer), offer, key=lambda found: (found[0], -found[1]))
    found = []
    for group, people in best.items():
        (who, (score, profile)), *rest = sorted(people.items(), key=lambda item: (-item[1][0], item[0]))
        found.append((score, group, who, profile, bool(rest) and rest[0][1][0] == score))
    return sorted(found, key=lambda item: (-item[0], item[1]))


def _best(n: int, pairs: Pairs, chance: Floats) -> tuple[Floats, Ints]:
    """Chance and profile of the likeliest candidate of every record; 0 and NOBODY without any."""
    u = np.concatenate((pairs.u, pairs.v[pairs.person == NOBODY]))
    v = np.concatenate((pairs.v, pairs.u[pairs.person == NOBODY]))
    likely = np.concatenate((chance, chance[pairs.person == NOBODY]))
    best, other = np.zeros(n), np.full(n, NOBODY, np.int64)
    order = np.lexsort((-v, likely))  # the last one written is the likeliest, then the lowest profile
    best[u[order]], other[u[order]] = likely[order], v[order]
    return best, other


def _number_groups(found: Decisions, first_free: int) -> int:
    """Groups of several rows that belong to nobody with a number become people; returns the next free number."""
    alone = (found.person == NOBODY) & (found.group != NOBODY)
    groups, place = np.unique(found.group[alone], return_inverse=True)
    found.person[alone] = first_free + place
    return first_free + len(groups)


def _keep(con: Connection, found: Decisions) -> None:
    people = pa.array(found.person, pa.int64(), mask=found.person == NOBODY)
    sure = np.array([outcome == LINKED for outcome in found.outcome], bool)
    table = {
        "profile": pa.array(np.arange(len(found.person)), pa.int32()),
        "person_id": people,
        "probability": pa.array(found.probability, pa.float64()),
        "other": pa.array(found.other, pa.int32(), mask=found.other == NOBODY),
        "best": pa.array(np.where(sure, found.probability, found.best), pa.float64(), mask=found.other == NOBODY),
        "outcome": pa.array(found.outcome, pa.string()),
    }
    stage.table_from_arrow(con, "fallback_decisions", pa.table(table))


def model_table(model: Model, records: int) -> pa.Table:
    """The model in the open: part, level, m, u; nothing when there was nothing to link. Part `pair` is the share of all
    pairs that match."""
    rows = [("pair", "same", model.share, 1 - model.share)] if records else []
    rows += [
        (part, level, float(model.m[part][i]), float(model.u[part][i]))
        for part, levels in fs.LEVELS.items()
        for i, level in enumerate(levels)
        if records
    ]
    names = [("part", pa.string()), ("level", pa.string()), ("m", pa.float64()), ("u", pa.float64())]
    return pa.table([pa.array([row[i] for row in rows], kind) for i, (_, kind) in enumerate(names)],
                    schema=pa.schema(names))  # fmt: skip


def curve(found: Decisions) -> pa.Table:
    """What the model itself expects at each threshold: records linked, precision, recall among the candidates."""
    best = found.best[found.other != NOBODY]
    rows = [(t, int((best >= t).sum()), best[best >= t]) for t in THRESHOLDS if len(best)]
    total = float(best.sum())
    return pa.table(
        {
            "threshold": pa.array([t for t, _, _ in rows], pa.float64()),
            "records": pa.array([n for _, n, _ in rows], pa.int64()),
            "precision": pa.array([float(p.mean()) if n else None for _, n, p in rows], pa.float64()),
            "recall": pa.array([float(p.sum()) / total if total else None for _, _, p in rows], pa.float64()),
        }
    )


def _ints(values: object) -> Ints:
    return np.asarray(values, np.int64)
