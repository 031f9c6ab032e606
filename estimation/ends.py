"""Title ends per municipality and half-year: placed persons counted, the others entered as sums.

Persons of whom only the 3RO district is known, or nothing, are not shared out by a rule. They are a sum over the
municipalities of the district (or the country):  Y_a ~ Poisson(sum over i in a of mu_i).  Given the sum and the means
the split is multinomial, so every draw splits anew, with fresh means: the uncertainty stays, and the totals hold.
"""

from __future__ import annotations

import numpy as np

from estimation import smallarea
from estimation.arrays import Floats, Ints, Rng
from estimation.tables import Linked
from estimation.use import Common, covariates


def estimate(rng: Rng, linked: Linked, common: Common) -> Floats:
    """Draws (R x M x T) of persons whose title ends; sums over the country are the known and the missing ends."""
    placed = tabulate(linked)
    weights = _weights(rng, linked, placed, len(common.sensitivity))
    made = np.repeat(placed[None].astype(np.float64), len(weights), axis=0)
    units = linked.units
    for half in range(len(linked.halves)):
        loose = (units.half == half) & (units.place < 0)
        made[:, :, half] += split(rng, weights, linked.places.district, units.district[loose])
        made[:, :, half] += rng.multinomial(common.missing_ends[:, half], weights / weights.sum(axis=1)[:, None])
    return made


def tabulate(linked: Linked) -> Ints:
    """Persons with a known municipality (M x T)."""
    units = linked.units
    placed = np.zeros((len(linked.places), len(linked.halves)), np.int64)
    known = units.place >= 0
    np.add.at(placed, (units.place[known], units.half[known]), 1)
    return placed


def split(rng: Rng, means: Floats, district: Ints, persons: Ints) -> Floats:
    """Split persons by district (-1: only the country is known) over municipalities, per draw (R x M).

    The sum over each district and over the country is exactly the number of persons given.
    """
    made = np.zeros(means.shape)
    for number in np.unique(persons):
        inside = district == number
        inside |= not inside.any()  # nothing more is known than the country
        share = means[:, inside] / means[:, inside].sum(axis=1)[:, None]
        made[:, inside] += rng.multinomial(int((persons == number).sum()), share)
    return made


def _weights(rng: Rng, linked: Linked, placed: Ints, count: int) -> Floats:
    """Draws of the expected number of persons without a known municipality, per municipality (R x M).

    How persons are spread is learned from those placed by a detention, whatever followed; the rest is spread like
    them, with gamma variation of its own, less those whom Wmo data placed (they need not be placed any more).
    """
    units, size = linked.units, len(linked.places)
    by_detention = np.bincount(units.place[units.detention & (units.place >= 0)], minlength=size).astype(np.float64)
    x, fixed = covariates(linked)
    ones = np.ones(size)
    spread = smallarea.fit(by_detention, ones, x, fixed)
    means, shapes = spread.draw(rng, x, count)
    a, b = smallarea.posterior(by_detention, ones, means, shapes[:, None])
    rates = rng.gamma(a) / b
    by_support = placed.sum(axis=1) - by_detention
    expected = np.maximum(a.mean(axis=0) / b.mean(axis=0), 1e-6)
    other = smallarea.fit(by_support, expected, np.ones((size, 1)))
    rates *= rng.gamma(other.shape, size=rates.shape) / other.shape
    scale = float((~units.detention).sum()) / rates.sum(axis=1)[:, None]
    return np.asarray(np.maximum(rates * scale - by_support, 0.1 * rates * scale) + 1e-9, np.float64)
