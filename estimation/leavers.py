"""How many leavers a municipality has beyond what its size foretells: known whether it delivers Wmo data or not.

Use is a share of leavers, and a detention places part of those whatever followed. Where a municipality delivers, its
own users tell its rate. Where it does not, its rate comes from municipalities like it, and covariates know of its size
alone: that it has fewer leavers than others of that size is seen here. Ends placed by a detention are Poisson-gamma
around the covariates (estimation/smallarea.py), with one more for municipalities of which no cell informs; a small
municipality keeps nearly what the covariates say, as it should.
"""

from __future__ import annotations

import numpy as np

from estimation import smallarea
from estimation.arrays import Bools, Floats, Ints, Rng


def relative(rng: Rng, ends: Ints, design: tuple[Floats, int], silent: Bools, count: int) -> Floats:
    """Draws (count x M) of leavers over what covariates foretell for a municipality that delivers.

    `ends` (M): title ends that a detention placed. `design`: columns, and how many stand before the region effects.
    `silent` (M) says of which municipalities no cell informs. All 1 where no end is placed.
    """
    if not ends.any():
        return np.ones((count, len(ends)))
    x, fixed = design
    apart = np.insert(x, fixed, silent.astype(np.float64), axis=1)
    counts = ends.astype(np.float64)
    fitted = smallarea.fit(counts, np.ones(len(ends)), apart, fixed + 1)
    plain = apart.copy()
    plain[:, fixed] = 0.0
    means, shapes = fitted.draw(rng, np.vstack([apart, plain]), count)
    own, foretold = np.split(means, 2, axis=1)
    a, b = smallarea.posterior(counts, np.ones(len(ends)), own, shapes[:, None])
    return np.asarray(rng.gamma(a) / b / foretold, np.float64)
