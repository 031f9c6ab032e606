"""Fellegi-Sunter on composite keys: how likely two records are one person, from which keys they agree on.

A composite key agrees when all it is made of agrees, so keys are not independent and the usual model (one comparison
per column) would count the same evidence twice. What is nearly independent given the truth are the five parts: name,
initial, birth date, sex and postcode. Each part has a few levels of agreement; a combination of levels is a state,
and a state says which keys agree. Only the pattern of agreeing keys is seen, so the state is summed out: EM for a
Fellegi-Sunter model with coarsened comparisons. A missing key says nothing (missing at random).

Sources: Fellegi & Sunter, JASA 64 (1969) 1183-1210; EM as Winkler (1988); coarsened data as Heitjan & Rubin, Ann.
Statist. 19 (1991) 2244-2253. Priors are Dirichlet pseudo-counts: they matter for small data and vanish in large.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DIFFER, AGREE, MISSING = 0, 1, 2  # the three values of a key in a pattern

# Part -> levels of agreement, worst first. Which levels a key needs is told by KEYS.
LEVELS: dict[str, tuple[str, ...]] = {
    "name": ("other", "sound", "same"),
    "initial": ("other", "same"),
    "date": ("other", "year", "day", "exchanged", "same"),
    "sex": ("other", "same"),
    "postcode": ("other", "four", "six"),
}
_SOUND, _SAME = {"sound", "same"}, {"same"}
_SORTED, _YEAR, _DAY = {"exchanged", "same"}, {"year", "exchanged", "same"}, {"day", "exchanged", "same"}
_FOUR = {"four", "six"}
KEYS: dict[str, dict[str, set[str]]] = {
    "fb_a": {"name": _SAME, "initial": _SAME, "date": _SAME, "sex": _SAME},
    "fb_b": {"name": _SOUND, "initial": _SAME, "date": _SORTED, "sex": _SAME},
    "fb_c": {"name": _SOUND, "initial": _SAME, "date": _DAY, "postcode": _FOUR},
    "fb_d": {"initial": _SAME, "date": _SAME, "sex": _SAME, "postcode": {"six"}},
    "fb_e": {"name": _SOUND, "date": _SAME, "postcode": _FOUR},
    "fb_f": {"name": _SOUND, "initial": _SAME, "date": _YEAR, "sex": _SAME, "postcode": _FOUR},
    "fb_g": {"name": _SOUND, "date": _SORTED, "sex": _SAME},
}
WEIGHT_M, WEIGHT_U, WEIGHT_SHARE = 50.0, 1_000.0, 1.0  # pseudo-pairs; one match keeps the share off zero
PRIOR_M: dict[str, tuple[float, ...]] = {
    "name": (0.04, 0.06, 0.90),
    "initial": (0.05, 0.95),
    "date": (0.02, 0.02, 0.02, 0.02, 0.92),
    "sex": (0.01, 0.99),
    "postcode": (0.30, 0.10, 0.60),
}
PRIOR_U: dict[str, tuple[float, ...]] = {
    "name": (0.997, 0.001, 0.002),
    "initial": (0.92, 0.08),
    "date": (0.98, 0.0172, 0.0026, 0.00005, 0.00015),
    "sex": (0.45, 0.55),
    "postcode": (0.995, 0.004, 0.001),
}
STATES = list(itertools.product(*(range(len(levels)) for levels in LEVELS.values())))
POWERS = 3 ** np.arange(len(KEYS), dtype=np.int64)
ROUNDS, SETTLED = 2_000, 1e-10


@dataclass(frozen=True)
class Model:
    """Chances of each level of each part: `m` for pairs of one person, `u` of two; `share` of all pairs that match."""

    share: float
    m: dict[str, Floats]
    u: dict[str, Floats]

    def probability(self, patterns: Ints) -> Floats:
        """Chance that a pair with this pattern of keys is one person, per pattern code."""
        seen = _consistent(patterns)
        alike, unlike = seen @ _joint(self.m) * self.share, seen @ _joint(self.u) * (1 - self.share)
        total = alike + unlike
        return np.divide(alike, total, out=np.zeros_like(total), where=total > 0)


def code(bits: Mapping[str, int]) -> int:
    """The pattern code of key -> DIFFER, AGREE or MISSING; keys that are not named are missing."""
    return int(sum(int(power) * bits.get(key, MISSING) for key, power in zip(KEYS, POWERS, strict=True)))


def bits(patterns: Ints) -> Ints:
    """Patterns as a matrix, one column per key."""
    found: Ints = patterns[:, None] // POWERS % 3
    return found


def estimate(patterns: Ints, pairs: Floats, *, expected: float) -> Model:
    """EM over pattern codes with how many pairs show each; `expected` is a first guess of the matching pairs.

    All pairs of the comparison space belong in it, also those that agree on nothing: they tell what chance does.
    """
    seen, total = _consistent(patterns), float(pairs.sum())
    model = Model(_within(expected / max(total, 1.0)), _as_arrays(PRIOR_M), _as_arrays(PRIOR_U))
    for _ in range(ROUNDS):
        after = _round(model, seen, pairs, total)
        moved = abs(after.share - model.share) / model.share
        model = after
        if moved < SETTLED:
            break
    return model


def _round(model: Model, seen: Floats, pairs: Floats, total: float) -> Model:
    """One step: what each state is expected to hold, then the chances that follow from it."""
    m, u = _joint(model.m), _joint(model.u)
    of_m, of_u = seen * m, seen * u
    all_m, all_u = of_m.sum(axis=1), of_u.sum(axis=1)
    alike = all_m * model.share
    chance = np.divide(alike, alike + all_u * (1 - model.share), out=np.zeros_like(alike), where=alike > 0)
    held_m = _spread(of_m, all_m, pairs * chance)
    held_u = _spread(of_u, all_u, pairs * (1 - chance))
    share = _within((float((pairs * chance).sum()) + WEIGHT_SHARE) / max(total, 1.0))
    return Model(share, _levels(held_m, PRIOR_M, WEIGHT_M), _levels(held_u, PRIOR_U, WEIGHT_U))


def _spread(parts: Floats, whole: Floats, weight: Floats) -> Floats:
    """Expected pairs per state: each pattern's pairs over the states it may hide."""
    factor = np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)
    found: Floats = factor @ parts
    return found


def _levels(held: Floats, prior: Mapping[str, tuple[float, ...]], weight: float) -> dict[str, Floats]:
    states = np.array(STATES)
    made = {}
    for position, (part, levels) in enumerate(LEVELS.items()):
        counted = np.bincount(states[:, position], weights=held, minlength=len(levels))
        chances = counted + weight * np.array(prior[part])
        made[part] = chances / chances.sum()
    return made


def _joint(chances: Mapping[str, Floats]) -> Floats:
    """Chance of every state: the parts are independent given the truth."""
    found = np.ones(len(STATES))
    states = np.array(STATES)
    for position, part in enumerate(LEVELS):
        found = found * chances[part][states[:, position]]
    return found


def _implied() -> Bools:
    """Per state and key: does the key agree."""
    names = [dict(zip(LEVELS, (levels[i] for levels, i in zip(LEVELS.values(), state, strict=True)), strict=True))
             for state in STATES]  # fmt: skip
    return np.array([[all(name[part] in need for part, need in needs.items()) for needs in KEYS.values()]
                     for name in names])  # fmt: skip


def _consistent(patterns: Ints) -> Floats:
    """Patterns x states: 1 where the state may hide behind the pattern."""
    implied, shown = _implied(), bits(patterns)
    fits = (shown[:, None, :] == MISSING) | ((shown[:, None, :] == AGREE) == implied[None, :, :])
    found: Floats = fits.all(axis=2).astype(np.float64)
    return found


def _as_arrays(prior: Mapping[str, tuple[float, ...]]) -> dict[str, Floats]:
    return {part: np.array(values, np.float64) for part, values in prior.items()}


def _within(share: float) -> float:
    return min(max(share, 1e-15), 0.5)
