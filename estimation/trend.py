"""Whether large municipalities go another way than small ones over the period: one slope, log-linear in size and time.

    log rate of cell (i, t) += theta z_i tau_t,   z: size (log detention outflow, scaled), tau: -1/2 to 1/2

A level per half-year is that of the country, and most of it is a few large cities. Where they lose what others gain,
the rate of either is right on average and wrong at both ends, in what is not counted as in what is (decision 129).
Newton steps on the Poisson likelihood with the levels profiled out (McCullagh & Nelder 1989, section 6.4), prior
normal(0, 0.3); drawn from the normal approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimation.arrays import Floats, Rng

PRIOR = 0.3  # sd of theta: from the first half-year to the last, per sd of log size


@dataclass(frozen=True)
class Trend:
    """The slope with its standard error, and the size of every municipality (M)."""

    theta: float
    error: float
    size: Floats

    @classmethod
    def none(cls, size: Floats) -> Trend:
        """To begin with."""
        return cls(0.0, PRIOR, size)

    def better(self, y: Floats, expected: Floats) -> Trend:
        """One Newton step; `expected` holds the present slope, both are M x T and 0 where a cell does not inform."""
        tau, total = times(y.shape[1]), np.maximum(expected.sum(axis=0), 1e-12)
        apart = self.size[:, None] - (expected * self.size[:, None]).sum(axis=0) / total
        curve = float((expected * (apart * tau) ** 2).sum()) + PRIOR**-2
        slope = float(((y - expected) * apart * tau).sum()) - self.theta / PRIOR**2
        return Trend(self.theta + slope / curve, curve**-0.5, self.size)

    def factor(self, halves: int) -> Floats:
        """Factor on every cell (M x T)."""
        return np.asarray(np.exp(self.theta * self.size[:, None] * times(halves)), np.float64)

    def draw(self, rng: Rng, count: int) -> Floats:
        """Draws of log rate gained per unit of tau (count x M)."""
        return (self.theta + self.error * rng.standard_normal(count))[:, None] * self.size


def times(halves: int) -> Floats:
    """tau of every half-year (T)."""
    return np.asarray(np.linspace(-0.5, 0.5, halves) if halves > 1 else np.zeros(1), np.float64)
