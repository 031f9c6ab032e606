"""Empirical-Bayes Poisson-gamma small-area model: closed-form posteriors, hyperparameters by marginal likelihood.

    y_i | lam_i ~ Poisson(e_i lam_i),   lam_i ~ Gamma(shape a, mean exp(x_i'b + u_region)),   u ~ Normal(0, tau^2)

so marginally y_i is negative binomial. Source: Clayton & Kaldor (1987), Biometrics 43, 671-681; covariates as in
Wakefield (2006), Biostatistics 8, 158-183. Uncertainty of the hyperparameters: normal (Laplace) approximation at the
maximum, drawn from, so that intervals are not the naive ones of plug-in empirical Bayes (Carlin & Gelfand 1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from estimation.arrays import Floats, Ints, Rng

LOWEST, HIGHEST = -4.0, 12.0  # bounds of log shape: from wild to as good as Poisson
ROUNDS = 8


@dataclass(frozen=True)
class Fit:
    """Hyperparameters: `coefficients` (fixed, then region effects), log shape, joint covariance, region sd."""

    coefficients: Floats
    log_shape: float
    covariance: Floats
    tau: float
    loglik: float

    @property
    def shape(self) -> float:
        """Gamma shape a; large is little variation beyond the covariates."""
        return float(np.exp(self.log_shape))

    def mean(self, x: Floats) -> Floats:
        """Prior means exp(x b) for the rows of the full design (M)."""
        return np.asarray(np.exp(x @ self.coefficients), np.float64)

    def draw(self, rng: Rng, x: Floats, count: int) -> tuple[Floats, Floats]:
        """(prior means R x M, shapes R) from the normal approximation of the hyperparameters."""
        centre = np.append(self.coefficients, self.log_shape)
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = centre + rng.standard_normal((count, len(centre))) @ root.T
        return np.exp(drawn[:, :-1] @ x.T), np.exp(np.clip(drawn[:, -1], LOWEST, HIGHEST))


def design(covariates: Floats, region: Ints | None = None) -> tuple[Floats, int]:
    """Full design: fixed columns first, then one column per region; (M x P, number of fixed columns)."""
    if region is None:
        return covariates, covariates.shape[1]
    dummies = (region[:, None] == np.arange(int(region.max(initial=-1)) + 1)).astype(np.float64)
    return np.hstack([covariates, dummies]), covariates.shape[1]


def fit(y: Floats, exposure: Floats, x: Floats, fixed: int | None = None, *, prior: bool = True) -> Fit:
    """Maximise the (penalised) marginal likelihood. Areas with zero exposure say nothing and are left out.

    `x` is the design; columns from `fixed` on are region effects with a variance of their own (EM, Laplace).
    `prior=False` is plain maximum likelihood; the default adds a half-normal(1) prior on 1/sqrt(shape) and a
    normal(0, 3) prior on the slopes, which keep a handful of areas from giving a variance of exactly zero.
    """
    keep = exposure > 0
    model = Model(y[keep], exposure[keep], x[keep], x.shape[1] if fixed is None else fixed, prior)
    tau, point = 0.3, model.start()
    for _ in range(ROUNDS if model.regions else 1):
        point = model.maximise(point, tau)
        if not model.regions:
            break
        covariance = model.covariance(point, tau)
        effects, spread = point[model.fixed : -1], np.diag(covariance)[model.fixed : -1]
        before, tau = tau, float(np.sqrt(np.clip(np.mean(effects**2 + spread), 1e-4, 4.0)))
        if abs(before - tau) < 1e-3:
            break
    return Fit(point[:-1], float(point[-1]), model.covariance(point, tau), tau, -model.value(point, tau))


def posterior(
    y: Floats, exposure: Floats, means: Floats, shape: Floats | float, dispersion: float = 1.0
) -> tuple[Floats, Floats]:
    """Gamma posterior (shape, rate) of the area rates; broadcasts over draws. No data (exposure 0): the prior."""
    return shape + y / dispersion, shape / means + exposure / dispersion


def shrinkage(exposure: Floats, means: Floats, shape: Floats | float) -> Floats:
    """Weight of an area's own data in its posterior mean, 0 (prior only) to 1 (its own rate): e / (e + a/m)."""
    return np.asarray(exposure / (exposure + shape / means), np.float64)


@dataclass(frozen=True)
class Model:
    """The (penalised) marginal likelihood of the hyperparameters: value, gradient, curvature, maximum."""

    y: Floats
    exposure: Floats
    x: Floats
    fixed: int
    prior: bool

    @property
    def regions(self) -> int:
        return int(self.x.shape[1] - self.fixed)

    def start(self) -> Floats:
        level = np.log((self.y.sum() + 0.5) / self.exposure.sum())
        first = np.zeros(self.x.shape[1] + 1)
        first[0], first[-1] = level, 1.0
        return first

    def value(self, point: Floats, tau: float) -> float:
        """Minus the log (penalised) marginal likelihood."""
        a, mu = np.exp(point[-1]), self.exposure * np.exp(np.clip(self.x @ point[:-1], -30, 30))
        y = self.y
        terms = gammaln(y + a) - gammaln(a) - gammaln(y + 1) + a * np.log(a / (a + mu)) + y * np.log(mu / (a + mu))
        return float(-terms.sum() + self._penalty(point, tau)[0])

    def gradient(self, point: Floats, tau: float) -> Floats:
        a, mu = np.exp(point[-1]), self.exposure * np.exp(np.clip(self.x @ point[:-1], -30, 30))
        by_mean = self.x.T @ (a * (self.y - mu) / (a + mu))
        by_shape = digamma(self.y + a) - digamma(a) + np.log(a / (a + mu)) + (mu - self.y) / (a + mu)
        return np.append(-by_mean, -a * by_shape.sum()) + self._penalty(point, tau)[1]

    def _penalty(self, point: Floats, tau: float) -> tuple[float, Floats]:
        slope = np.zeros(len(point))
        cost = 0.0
        if self.regions:
            effects = point[self.fixed : -1]
            cost += float((effects**2).sum() / (2 * tau**2) + self.regions * np.log(tau))
            slope[self.fixed : -1] = effects / tau**2
        if self.prior:
            inverse = np.exp(-point[-1])
            cost += 0.5 * inverse + 0.5 * point[-1] + float((point[1 : self.fixed] ** 2).sum() / 18)
            slope[-1] += 0.5 - 0.5 * inverse
            slope[1 : self.fixed] += point[1 : self.fixed] / 9
        return cost, slope

    def information(self, point: Floats, tau: float) -> Floats:
        """Observed information (minus the Hessian of the penalised log-likelihood), analytically."""
        a, mu = np.exp(point[-1]), self.exposure * np.exp(np.clip(self.x @ point[:-1], -30, 30))
        y, size = self.y, len(point)
        slope = digamma(y + a) - digamma(a) + np.log(a / (a + mu)) + (mu - y) / (a + mu)
        curve = polygamma(1, y + a) - polygamma(1, a) + 1 / a - 1 / (a + mu) - (mu - y) / (a + mu) ** 2
        found = np.empty((size, size))
        found[:-1, :-1] = (self.x.T * (a * (a + y) * mu / (a + mu) ** 2)) @ self.x
        found[:-1, -1] = found[-1, :-1] = -self.x.T @ (a * (y - mu) * mu / (a + mu) ** 2)
        found[-1, -1] = -(a**2 * curve + a * slope).sum()
        if self.regions:
            rows = np.arange(self.fixed, size - 1)
            found[rows, rows] += 1 / tau**2
        if self.prior:
            rows = np.arange(1, self.fixed)
            found[rows, rows] += 1 / 9
            found[-1, -1] += 0.5 * np.exp(-point[-1])
        return found

    def maximise(self, start: Floats, tau: float) -> Floats:
        """Damped Newton: curvature made positive, steps halved until the likelihood rises."""
        point, value = start, self.value(start, tau)
        for _ in range(200):
            gradient = self.gradient(point, tau)
            values, vectors = np.linalg.eigh(self.information(point, tau))
            step = -(vectors / np.maximum(np.abs(values), 1e-6)) @ (vectors.T @ gradient)
            step *= min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-12))
            fresh, better = self._shorten(point, step, value, tau)
            done = value - better < 1e-11 * (1 + abs(value))
            point, value = fresh, better
            if done:
                break
        return point

    def _shorten(self, point: Floats, step: Floats, value: float, tau: float) -> tuple[Floats, float]:
        for _ in range(30):
            fresh = point + step
            fresh[-1] = np.clip(fresh[-1], LOWEST, HIGHEST)
            better = self.value(fresh, tau)
            if better <= value:
                return fresh, better
            step = step / 2
        return point, value

    def covariance(self, point: Floats, tau: float) -> Floats:
        """Inverse observed information; a flat direction (no data about it) gets variance 4, not infinity."""
        values, vectors = np.linalg.eigh(self.information(point, tau))
        return np.asarray((vectors / np.maximum(values, 0.25)) @ vectors.T, np.float64)
