"""Full Bayes for the Poisson-gamma model, as an option: draws from the posterior of all hyperparameters.

Empirical Bayes draws them from a normal law at the maximum, with the sd of the regions fixed at its estimate. Here that
sd is on a grid, with a normal law at the maximum for each value (nested Laplace: Rue, Martino & Chopin 2009, JRSSB 71),
and the draws of that mixture are weighted by the exact posterior (importance resampling: Rubin 1988). The effective
number of draws says how near the mixture was; nothing is believed where it is low. Priors: those of the default engine
(estimation/smallarea.py), and half-normal(1) on the sd of the regions. No library is needed: docs/decisions/0055.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from estimation.arrays import Floats, Rng
from estimation.smallarea import HIGHEST, LOWEST, Model

TAUS: Floats = np.geomspace(0.02, 2.0, 15)
OVERSAMPLE, SPREAD = 8, 1.1  # proposals per draw wanted; how much wider than the normal law they are
LEAST = 0.5  # effective draws per draw wanted


@dataclass(frozen=True)
class Posterior:
    """Draws (R x P, the last is log shape) and the share of the proposals that they are worth, 0 to 1."""

    points: Floats
    worth: float

    @property
    def believed(self) -> bool:
        """Enough different draws; else the normal law at the maximum is the better answer."""
        return self.worth * OVERSAMPLE > LEAST

    def draw(self, x: Floats) -> tuple[Floats, Floats]:
        """(prior means R x M, shapes R) for the rows of the full design, as `smallarea.Fit.draw` gives them."""
        return np.exp(self.points[:, :-1] @ x.T), np.exp(self.points[:, -1])


def sample(rng: Rng, y: Floats, exposure: Floats, x: Floats, fixed: int, *, count: int) -> Posterior:
    """`count` draws from the posterior given areas with some exposure (the others say nothing)."""
    keep = exposure > 0
    model = Model(y[keep], exposure[keep], x[keep], fixed, prior=True)
    taus = TAUS if model.regions else TAUS[-1:]
    laws = _laws(model, taus)
    which = rng.choice(len(taus), count * OVERSAMPLE, p=laws.share)
    noise = rng.standard_normal((len(which), x.shape[1] + 1))
    points = laws.centre[which] + SPREAD * np.einsum("sij,sj->si", laws.root[which], noise)
    proposed = np.log(laws.share[which]) - 0.5 * (noise**2).sum(axis=1) - laws.log_det[which]
    weight = -values(model, points, taus[which]) + _prior(taus[which]) - proposed
    weight = np.exp(weight - logsumexp(weight))
    places = np.searchsorted(np.cumsum(weight), (np.arange(count) + rng.random()) / count)
    order = rng.permutation(np.minimum(places, len(which) - 1))
    return Posterior(points[order], float(1 / ((weight**2).sum() * len(which))))


@dataclass(frozen=True)
class _Laws:
    """The normal laws, one per sd of the regions: centre, root of the covariance, log determinant of it, share."""

    centre: Floats
    root: Floats
    log_det: Floats
    share: Floats


def _laws(model: Model, taus: Floats) -> _Laws:
    point, found = model.start(), []
    for tau in taus:
        point = model.maximise(point, float(tau))
        spectrum, vectors = np.linalg.eigh(model.covariance(point, float(tau)))
        half = 0.5 * float(np.log(spectrum).sum())
        found.append((point, vectors * np.sqrt(spectrum), half, -model.value(point, float(tau)) + half))
    centre, root, log_det, evidence = (np.array(parts) for parts in zip(*found, strict=True))
    share = np.exp(evidence + _prior(taus) - logsumexp(evidence + _prior(taus)))
    return _Laws(centre, root, log_det, share)


def _prior(tau: Floats) -> Floats:
    """Log density of half-normal(1) on tau, for points that lie evenly in log tau."""
    return np.asarray(-0.5 * tau**2 + np.log(tau), np.float64)


def values(model: Model, points: Floats, tau: Floats) -> Floats:
    """`Model.value` (minus the log posterior density) of many points at once; infinite outside the shape's bounds."""
    log_shape = np.clip(points[:, -1], LOWEST, HIGHEST)[:, None]
    a, y = np.exp(log_shape), model.y
    mu = model.exposure * np.exp(np.clip(points[:, :-1] @ model.x.T, -30, 30))
    terms = gammaln(y + a) - gammaln(a) - gammaln(y + 1) - a * np.log1p(mu / a) + y * np.log(mu / (a + mu))
    effects, slopes = points[:, model.fixed : -1], points[:, 1 : model.fixed]
    cost = 0.5 * np.exp(-points[:, -1]) + 0.5 * points[:, -1] + (slopes**2).sum(axis=1) / 18
    if model.regions:
        cost = cost + (effects**2).sum(axis=1) / (2 * tau**2) + model.regions * np.log(tau)
    outside = (points[:, -1] < LOWEST) | (points[:, -1] > HIGHEST)
    return np.where(outside, np.inf, cost - terms.sum(axis=1))


def quadrature(
    y: Floats, exposure: Floats, log_prior: Callable[[Floats, Floats], Floats], points: int = 400
) -> tuple[float, float, Floats]:
    """Two hyperparameters exactly, on a grid: posterior means of gamma shape and rate, and of every area's rate.

    For models without covariates and any prior on (shape, rate); what `sample` and published analyses are held against.
    """
    shape, rate = (g[..., None] for g in np.meshgrid(*[np.geomspace(1e-3, 1e3, points)] * 2, indexing="ij"))
    loglik = (
        gammaln(y + shape) - gammaln(shape) + shape * np.log(rate / (rate + exposure)) - y * np.log(rate + exposure)
    )
    logs = loglik.sum(axis=-1) + (log_prior(shape, rate) + np.log(shape) + np.log(rate))[..., 0]
    weight = np.exp(logs - logsumexp(logs))[..., None]
    mean = (weight * (y + shape) / (exposure + rate)).sum(axis=(0, 1))
    return float((weight * shape).sum()), float((weight * rate).sum()), np.asarray(mean, np.float64)
