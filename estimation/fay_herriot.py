"""The Fay-Herriot area-level model: a comparator for rates with known sampling variances.

    y_i = x_i'b + u_i + e_i,   u ~ Normal(0, s),   e_i ~ Normal(0, D_i) with D_i known

Sources: Fay & Herriot (1979) JASA 74, 269-277 (moment estimator); Datta & Lahiri (2000) Statistica Sinica 10,
613-627 (mean squared error under REML and ML); formulas as in Rao & Molina (2015), Small Area Estimation, chapter 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimation.arrays import Floats

METHODS = ("REML", "ML", "FH")


@dataclass(frozen=True)
class FayHerriot:
    """EBLUPs (m), their estimated mean squared errors (m), coefficients, model variance, shrinkage weights (m)."""

    eblup: Floats
    mse: Floats
    coefficients: Floats
    variance: float
    weight: Floats
    iterations: int


def fay_herriot(y: Floats, variances: Floats, x: Floats, method: str = "REML") -> FayHerriot:
    """Fit by Fisher scoring (REML, ML) or the moment equation (FH). ValueError for an unknown method."""
    if method not in METHODS:
        raise ValueError(f"method is one of {METHODS}")
    variance, rounds = _variance(y, variances, x, method)
    coefficients, inverse = _gls(y, variances, x, variance)
    weight = variance / (variance + variances)
    fitted = x @ coefficients
    mse = _mse(variances, x, inverse, variance, method)
    return FayHerriot(fitted + weight * (y - fitted), mse, coefficients, variance, weight, rounds)


def _gls(y: Floats, d: Floats, x: Floats, variance: float) -> tuple[Floats, Floats]:
    precision = 1.0 / (variance + d)
    inverse = np.linalg.inv((x.T * precision) @ x)
    return np.asarray(inverse @ (x.T @ (precision * y)), np.float64), np.asarray(inverse, np.float64)


def _variance(y: Floats, d: Floats, x: Floats, method: str) -> tuple[float, int]:
    """Iterate to the root of the estimating equation; a negative step is cut off at zero."""
    value = float(np.median(d))
    rounds = 0
    while rounds < 500:
        rounds += 1
        step = _moment_step(y, d, x, value) if method == "FH" else _scoring_step(y, d, x, value, method)
        before, value = value, max(value + step, 0.0)
        if abs(value - before) < 1e-12 * max(before, 1e-12) or (before == 0.0 and value == 0.0):
            break
    return value, rounds


def _scoring_step(y: Floats, d: Floats, x: Floats, value: float, method: str) -> float:
    precision = 1.0 / (value + d)
    coefficients, inverse = _gls(y, d, x, value)
    residual = precision * (y - x @ coefficients)
    if method == "ML":
        return float((residual @ residual - precision.sum()) / (precision**2).sum())
    weighted = x * precision[:, None]
    projector = np.diag(precision) - weighted @ inverse @ weighted.T
    return float((residual @ residual - np.trace(projector)) / (projector**2).sum())


def _moment_step(y: Floats, d: Floats, x: Floats, value: float) -> float:
    precision = 1.0 / (value + d)
    coefficients, _ = _gls(y, d, x, value)
    squared = (y - x @ coefficients) ** 2
    excess = (precision * squared).sum() - (len(y) - x.shape[1])
    return float(excess / (precision**2 * squared).sum())


def _mse(d: Floats, x: Floats, inverse: Floats, variance: float, method: str) -> Floats:
    """g1 + g2 + 2 g3, less the bias of the variance estimator under ML and FH (Rao & Molina 2015, section 6.2)."""
    total = variance + d
    weight = variance / total
    g1, g2 = weight * d, (1 - weight) ** 2 * np.einsum("ij,jk,ik->i", x, inverse, x)
    if method == "FH":
        spread = 2 * len(d) / (1 / total).sum() ** 2
        bias = 2 * (len(d) * (1 / total**2).sum() - (1 / total).sum() ** 2) / (1 / total).sum() ** 3
    else:
        spread = 2 / (1 / total**2).sum()
        bias = 0.0 if method == "REML" else _ml_bias(x, inverse, total)
    g3 = d**2 / total**3 * spread
    return np.asarray(g1 + g2 + 2 * g3 - bias * (1 - weight) ** 2, np.float64)


def _ml_bias(x: Floats, inverse: Floats, total: Floats) -> float:
    curvature = (x.T / total**2) @ x
    return float(-np.trace(inverse @ curvature) / (1 / total**2).sum())
