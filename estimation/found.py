"""Counted use without wrong links, and with those who were counted in the wrong municipality moved to another one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from estimation.arrays import Bools, Floats, Ints, Rng


@dataclass(frozen=True)
class Hints:
    """What Wmo data say of where the counted live.

    `elsewhere` (K x 3): who has support at home from another municipality, or shelter from another region: counted in,
    half-year, where. `sheltered` (M x T): of whom nothing is known but that the municipality gives them shelter, as a
    centrumgemeente does to who lives around it. `region` (M): what lies around what; `centre` (M): which municipalities
    are centrumgemeenten, who keep their own clients.
    """

    elsewhere: Ints
    sheltered: Ints
    region: Ints
    centre: Bools

    @classmethod
    def none(cls, y: Ints) -> Hints:
        """Nothing is said of who is counted in `y` (M x T)."""
        nobody, one = np.zeros((0, 3), np.int64), np.zeros(len(y), np.int64)
        return cls(nobody, np.zeros(y.shape, np.int64), one, one > 0)

    def first(self, halves: int) -> Hints:
        """Those of the first half-years."""
        early = self.elsewhere[:, 1] < halves
        return replace(self, elsewhere=self.elsewhere[early], sheltered=self.sheltered[:, :halves])

    def around(self, rates: Floats) -> tuple[Floats, Floats]:
        """(rates of the municipalities that leave shelter to a centrumgemeente, chance that who has shelter in a
        municipality lives in another of its region: their share of the use that is its care), both R x M."""
        member = (self.region[:, None] == np.arange(int(self.region.max(initial=0)) + 1)).astype(np.float64)
        small = np.where(self.centre, 0.0, rates)
        hubs = np.maximum(self.centre @ member, 1.0)[self.region]
        others = ((small @ member)[:, self.region] - small) / hubs
        return small, others / np.maximum(others + rates, 1e-300)


def found(rng: Rng, y: Ints, hints: Hints, rates: Floats, right: tuple[Floats, Floats]) -> Floats:
    """Counted use without wrong links, and with who was counted in the wrong municipality moved (R x M x T).

    The chances make the share of wrong places that of the sample. Who is said to live elsewhere moves first, to that
    municipality. Where they are too few, those in shelter move to a municipality of the region without shelter of its
    own (`Hints.around`). What is left of the wrong ones are anybody, moved anywhere. Where to: in proportion to the
    area rates. The total of a half-year stays.

    `y` is M x T; `right` are the chances (R) that a link is right and that the place is.
    """
    precision, placed = right
    at, half, named = hints.elsewhere.T
    plain = y - hints.sheltered
    np.subtract.at(plain, (at, half), 1)
    wrong = (1 - placed) * y.sum()
    led, wrong = _spend(wrong, np.float64(len(at)))
    small, others = hints.around(rates)
    around, wrong = _spend(wrong, others @ hints.sheltered.sum(axis=1))
    rest, _ = _spend(wrong, plain.sum())
    made = _moved(rng, plain, rates, (precision, np.repeat(rest[:, None], len(y), axis=1)), np.zeros_like(hints.region))
    made += _moved(rng, hints.sheltered, small, (precision, around[:, None] * others), hints.region)
    fate = rng.random((len(rates), len(at)))
    moves = fate < (precision * led)[:, None]
    draw, who = np.nonzero(fate < precision[:, None])
    np.add.at(made, (draw, np.where(moves[draw, who], named[who], at[who]), half[who]), 1.0)
    return made


def _spend(wrong: Floats, persons: Floats | np.float64) -> tuple[Floats, Floats]:
    """(chance that one of so many `persons` is wrong, wrong ones that are left)."""
    chance = np.where(persons > 0, np.minimum(wrong / np.maximum(persons, 1e-9), 1.0), 0.0)
    return chance, np.maximum(wrong - chance * persons, 0.0)


def _moved(rng: Rng, y: Ints, rates: Floats, chance: tuple[Floats, Floats], group: Ints) -> Floats:
    """Counts without wrong links and with a share of the rest moved within their group (R x M x T).

    `chance`: right (R), moved (R x M). To another municipality of the `group` (M), in proportion to the rates; who has
    none stays.
    """
    precision, moved = chance
    stays, elsewhere = precision[:, None] * (1 - moved), precision[:, None] * moved
    lost = rng.binomial(y, np.broadcast_to((1 - stays)[:, :, None], (*stays.shape, y.shape[1])))
    draw, place, half = np.nonzero(lost)
    share = np.divide(elsewhere, 1 - stays, out=np.zeros_like(stays), where=stays < 1)
    many = rng.binomial(lost[draw, place, half], np.minimum(share[draw, place], 1.0))
    draw, place, half = (np.repeat(part, many) for part in (draw, place, half))
    made = (y - lost).astype(np.float64)
    np.add.at(made, (draw, _another(rng, rates, draw, place, group), half), 1.0)
    return made


def _another(rng: Rng, rates: Floats, draw: Ints, place: Ints, group: Ints) -> Ints:
    """Another municipality of the same group per person, by the rates of its draw; the same one if there is none."""
    order = np.argsort(group, kind="stable")
    rank = np.argsort(order, kind="stable")
    upto = np.cumsum((rates / np.maximum(rates.sum(axis=1, keepdims=True), 1e-300))[:, order], axis=1)
    before = np.hstack([np.zeros((len(rates), 1)), upto[:, :-1]])
    first, last = (np.searchsorted(group[order], group[place], side=side) for side in ("left", "right"))
    at = rank[place]
    own, low = upto[draw, at] - before[draw, at], before[draw, first]
    rest = upto[draw, last - 1] - low - own
    value = low + rng.random(len(draw)) * rest
    value += np.where(value >= before[draw, at], own, 0.0)
    # One search for all draws: those of draw r lie between 2r and 2r + 1.
    ladder = (upto + 2 * np.arange(len(rates))[:, None]).ravel()
    where = np.searchsorted(ladder, 2 * draw + value, side="right") - draw * len(group)
    return np.where(rest > 1e-12, order[np.clip(where, first, last - 1)], place)
