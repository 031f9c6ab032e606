"""Numbers about the estimate itself: corrections, hyperparameters, comparators, back-test. Rows of ESTIMATE_FACTS."""

from __future__ import annotations

from typing import Any

import numpy as np

from estimation import smallarea
from estimation.arrays import Floats
from estimation.fay_herriot import fay_herriot
from estimation.intervals import around
from estimation.projection import Tried
from estimation.summary import Grid
from estimation.tables import Linked
from estimation.use import Common, Counted, Use

Row = dict[str, Any]


def fact(name: str, values: Floats | float, group: str = "-", months: int = 0) -> Row:
    """One row: a number, or the mean and 90% interval of draws."""
    row: Row = {"groep": group, "maanden": months, "feit": name, "laag90": None, "hoog90": None}
    if isinstance(values, np.ndarray):
        low, high = np.quantile(values, [0.05, 0.95])
        return {**row, "waarde": float(values.mean()), "laag90": float(low), "hoog90": float(high)}
    return {**row, "waarde": float(values)}


def corrections(linked: Linked, common: Common, sampled: bool) -> list[Row]:
    """What was corrected for, and by how much."""
    units = linked.units
    return [
        fact("titeleindes_bekend", float(len(units.half))),
        fact("titeleindes_onbekend", common.missing_ends.sum(axis=1).astype(np.float64)),
        fact("gevoeligheid", common.sensitivity),
        fact("precisie", common.precision),
        fact("plaats", common.placed),
        fact("steekproef_gebruikt", float(sampled)),
        fact("zonder_koppelbaar_nummer", float((~units.has_bsn).sum())),
        fact("zonder_gemeente", float((units.place < 0).sum())),
        fact("zonder_gemeente_met_arrondissement", float(((units.place < 0) & (units.district >= 0)).sum())),
        fact("voorlopige_einden", float(units.provisional.sum())),
        fact("gemeente_halfjaren_niet_geleverd", float((~linked.delivered).sum())),
        fact("gemeente_halfjaren_contractronde", float((linked.delivered & linked.suspicious).sum())),
    ]


def model(found: Use, data: Counted, group: str, months: int) -> list[Row]:
    """Hyperparameters, and the Fay-Herriot comparator on the same rates and fixed covariates."""
    seen = found.exposure > 0
    y = (data.y * data.informs).sum(axis=1)[seen].astype(np.float64)
    exposure, x = found.exposure[seen], data.x[seen][:, : data.fixed]
    direct = y / exposure
    # A sampling variance per area that does not follow the area's own noise: that of the covariate mean.
    expected = found.fit.mean(data.x)[seen]
    other = fay_herriot(direct, expected / exposure, x)
    a, b = smallarea.posterior(y, exposure, expected, found.fit.shape)
    gap = np.average(np.abs(other.eblup - a / b), weights=exposure) / np.average(a / b, weights=exposure)
    told = {
        "vorm": found.fit.shape,
        "regio_sd": found.fit.tau,
        "spreiding": found.dispersion,
        "helling_detentie": float(found.fit.coefficients[1]),
        "gewicht_mediaan": float(np.median(smallarea.shrinkage(exposure, expected, found.fit.shape))),
        "fay_herriot_variantie": other.variance,
        "fay_herriot_verschil": float(gap),
    }
    told |= {} if found.worth is None else {"volledige_bayes_waarde": found.worth}
    rows = [fact(name, value, group, months) for name, value in told.items()]
    rows += [
        fact(f"eigen_koers_{long}", found.own[:, i], group, months) for i, long in enumerate(("twee_jaar", "jaar"))
    ]
    rows.append(fact("koers_naar_omvang", found.gained @ _per_size(data), group, months))
    total = found.draws.sum(axis=(1, 2))
    return [*rows, fact("ongezien_deel", np.asarray(1 - data.y.sum() / np.maximum(total, 1.0)), group, months)]


def _per_size(data: Counted) -> Floats:
    """Weights (M) that turn what each municipality gained into the slope of all: log rate per sd of log size."""
    size = data.x[:, 1]
    return np.asarray(size / (size**2).sum(), np.float64)


def coverage(tried: Tried, grid: Grid) -> list[Row]:
    """Share of counts inside the predicted intervals, per level (cells that were delivered)."""
    made = []
    for level, inside80, inside95 in _inside(tried, grid):
        made += [
            fact(f"terugtoets_dekking80_{level}", inside80, "ALLE", 6),
            fact(f"terugtoets_dekking95_{level}", inside95, "ALLE", 6),
        ]
    return made


def _inside(tried: Tried, grid: Grid) -> list[tuple[str, float, float]]:
    members = grid.members
    draws = members.T @ (tried.draws * tried.informs)
    truth = members.T @ (tried.counted * tried.informs)
    used = (members.T @ tried.informs) > 0
    (low80, high80), (low95, high95) = (around(draws, level) for level in (0.8, 0.95))
    found = []
    for level in ("gemeente", "veiligheidsregio", "land"):
        cells = used & np.array([area[0] == level for area in grid.areas])[:, None]
        if cells.any():
            inside = ((low80 <= truth) & (truth <= high80), (low95 <= truth) & (truth <= high95))
            found.append((level, float(inside[0][cells].mean()), float(inside[1][cells].mean())))
    return found
