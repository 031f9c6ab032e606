"""Counted use without wrong links, and with those who were counted in the wrong municipality moved to another one."""

from __future__ import annotations

import numpy as np

from estimation.arrays import Floats, Ints, Rng


def found(rng: Rng, y: Ints, elsewhere: Ints, rates: Floats, right: tuple[Floats, Floats]) -> Floats:
    """Counted use without wrong links, and with who was counted in the wrong municipality moved (R x M x T).

    Who has support at home from another municipality is moved first, to that one: support at home is given where one
    lives. They move with the chance that makes the share of wrong places that of the sample; where they are too few,
    the rest of the wrong ones are anybody, moved in proportion to the area rates. The total of a half-year stays.

    `y` is M x T; `elsewhere` (K x 3) those of y whose support says so: counted in, half-year, where; `right` are the
    chances (R) that a link is right and that the place is.
    """
    precision, placed = right
    at, half, named = elsewhere.T
    plain = y.copy()
    np.subtract.at(plain, (at, half), 1)
    wrong = (1 - placed) * y.sum()
    led = np.minimum(wrong / max(len(at), 1), 1.0)
    rest = np.clip((wrong - led * len(at)) / max(int(plain.sum()), 1), 0.0, 1.0)
    made = _anywhere(rng, plain, rates, (precision, rest))
    fate = rng.random((len(rates), len(at)))
    moves = fate < (precision * led)[:, None]
    draw, who = np.nonzero(fate < precision[:, None])
    np.add.at(made, (draw, np.where(moves[draw, who], named[who], at[who]), half[who]), 1.0)
    return made


def _anywhere(rng: Rng, y: Ints, rates: Floats, chance: tuple[Floats, Floats]) -> Floats:
    """Counts without wrong links and with a share of the rest moved at random (R x M x T); `chance`: right, moved."""
    precision, moved = chance
    stays, elsewhere = precision * (1 - moved), precision * moved
    lost = rng.binomial(y, np.broadcast_to((1 - stays)[:, None, None], (len(stays), *y.shape)))
    draw, place, half = np.nonzero(lost)
    share = np.divide(elsewhere, 1 - stays, out=np.zeros_like(stays), where=stays < 1)
    many = rng.binomial(lost[draw, place, half], np.minimum(share[draw], 1.0))
    draw, half = np.repeat(draw, many), np.repeat(half, many)
    cumulative = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    # One search for all draws: those of draw r lie between r and r + 1.
    ladder = (cumulative + np.arange(len(rates))[:, None]).ravel()
    at = np.searchsorted(ladder, draw + rng.random(len(draw)), side="right") - draw * y.shape[0]
    made = (y - lost).astype(np.float64)
    np.add.at(made, (draw, np.clip(at, 0, y.shape[0] - 1), half), 1.0)
    return made
