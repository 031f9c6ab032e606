"""Cells of one country: every estimate (area x period x window) held against what was planted. Arrays, one per fact."""

from __future__ import annotations

import numpy as np

from estimation import ends, tables, use
from estimation.arrays import Floats, Ints
from estimation.intervals import around
from estimation.projection import Tried
from estimation.use import Use
from tests.estimation import scoring

LEVELS = ("gemeente", "veiligheidsregio", "land")
PERIODS = ("half-year", "year")
BASELINES = ("observed only", "national rate x title ends", "ratio to end-of-detention notices")
BASE = 5


def of_country(
    data: tables.Linked, found: dict[int, Use | None], true: dict[int, Ints], seed: int
) -> dict[str, np.ndarray]:
    """All cells of all windows, levels and periods."""
    rng = np.random.default_rng([seed, 5])
    parts = []
    for months, use_ in found.items():
        assert use_ is not None
        # Half-years whose window passes the end of the synthetic world have no truth: left out.
        halves = len(data.halves) - {3: 1, 6: 1, 12: 2}[months]
        naive = np.stack(baselines(data, months))
        for period in range(len(PERIODS)):
            for level, name in enumerate(LEVELS):
                at = [
                    _summed(table, halves, period, _members(data, name)) for table in (use_.draws, true[months], naive)
                ]
                facts = {"months": months, "period": period, "level": level}
                parts.append(_scored(at[0], at[1], at[2], facts, rng))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def of_backtest(data: tables.Linked, tried: Tried) -> dict[str, np.ndarray]:
    """The projection tried on the last four half-years: predicted and counted, in areas that could be counted."""
    parts = []
    for level, name in enumerate(LEVELS):
        members = _members(data, name)
        used = (members.T @ tried.informs) > 0
        draws = np.einsum("rmt,ma->rat", tried.draws * tried.informs, members, optimize=True)[:, used]
        true = (members.T @ (tried.counted * tried.informs))[used]
        covers = {f"in{share}": scoring.covered(draws, true, share / 100) for share in (80, 95)}
        facts = {"level": np.full(len(true), level, np.int8), "area": np.nonzero(used)[0].astype(np.int16)}
        facts |= {"size": draws.mean(axis=0), "true": true}
        parts.append({**facts, **covers})
    return {f"ahead_{name}": np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _members(data: tables.Linked, level: str) -> Floats:
    if level == "gemeente":
        return np.eye(len(data.places))
    areas, number = data.places.areas(level)
    return (number[:, None] == np.arange(len(areas))).astype(np.float64)


def _summed(table: np.ndarray, halves: int, period: int, members: Floats) -> np.ndarray:
    """(..., M, T) to (..., areas x periods): the whole years, or the half-years, that have a truth."""
    used = table[..., : halves // 2 * 2] if period else table[..., :halves]
    if period:
        used = used.reshape(*used.shape[:-1], -1, 2).sum(axis=-1)
    areas = used if members.shape[0] == members.shape[1] else np.einsum("...mt,ma->...at", used, members, optimize=True)
    return np.asarray(areas.reshape(*areas.shape[:-2], -1))


def _scored(
    draws: Floats, true: np.ndarray, naive: Floats, facts: dict[str, int], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    low, high = around(draws, 0.9)
    wide = (np.floor(low / BASE + 1e-9) * BASE <= true) & (true <= np.ceil(high / BASE - 1e-9) * BASE)
    return {
        **{name: np.full(len(true), value, np.int8) for name, value in facts.items()},
        "size": draws.mean(axis=0).astype(np.float32),
        "true": true.astype(np.int32),
        "in80": scoring.covered(draws, true, 0.8),
        "in90": scoring.covered(draws, true, 0.9),
        "shown90": wide,
        "pit": scoring.pit(draws, true, rng).astype(np.float32),
        "crps": scoring.crps(draws, true).astype(np.float32),
        "naive": np.abs(naive - true).T.astype(np.float32),
    }


def baselines(linked: tables.Linked, months: int) -> tuple[Floats, Floats, Floats]:
    """Observed only; national rate x persons whose title ends there; national ratio to end-of-detention notices."""
    y = use.counted(linked, "ALLE", months).y.astype(np.float64)
    placed, notices = ends.tabulate(linked).astype(np.float64), linked.outflow.astype(np.float64)
    return (
        y,
        placed * (linked.units.use["ALLE", months].sum() / max(len(linked.units.half), 1)),
        notices * (y.sum() / max(notices.sum(), 1.0)),
    )


def for_plots(data: tables.Linked, found: Use, true: Ints) -> dict[str, Floats]:
    """Headline measure per municipality, the year before the last; and rates raw and smoothed, over the prior mean."""
    year = found.draws[:, :, -4:-2].sum(axis=2)
    low, high = around(year, 0.9)
    x, _ = use.covariates(data)
    counted, prior = use.counted(data, "ALLE", 6), found.fit.mean(x)
    y = (counted.y * counted.informs).sum(axis=1)
    seen = found.exposure > 0
    raw = np.divide(y, found.exposure * prior, out=np.ones(len(y)), where=seen)
    return {
        "mean": year.mean(axis=0),
        "low": low,
        "high": high,
        "true": true[:, -4:-2].sum(axis=1).astype(np.float64),
        "expected": (found.exposure * prior)[seen],
        "raw": raw[seen],
        "smooth": (found.rates.mean(axis=0) / prior / found.leavers)[seen],
    }
