"""The estimation as a whole: linked tables in, the tables of schemas/estimates.py out. Same input and seed, same bytes.

Order: read, draw the corrections once, model every measure with a stream of draws of its own, summarise, label, write.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from estimation import corrections, ends, facts, projection, reports, summary, tables, use
from estimation.arrays import Floats, streams
from estimation.corrections import Sample
from estimation.projection import Tried
from estimation.summary import Grid, Measure, Row
from estimation.tables import GROUPS, WINDOWS, Linked
from estimation.use import Common, Counted, Use
from schemas.estimates import AANNAMEN, ESTIMAND, ESTIMATE_TABLES, MAANDEN

ASSUMPTION = "B75"
HEADLINE = ("ALLE", 6)
MEASURES = tuple((group, months) for group in GROUPS for months in WINDOWS)
DECIMALS = 12  # what is written: the last bits of a float differ by processor, and a run is to be the same on each
_COMMON, _ENDS, _NEED, _AHEAD, _BACK, _USE = range(6)


@dataclass(frozen=True)
class Choices:
    """What a run may be told: seed, number of draws, a clerical sample, full Bayes, GMSD in capture-recapture."""

    seed: int = 2024
    draws: int = 1000
    sample: Sample = Sample()  # noqa: RUF009 - frozen
    full_bayes: bool = False
    recapture_gmsd: bool = False


@dataclass(frozen=True)
class Estimated:
    """Rows per table, and per measure the draws (None where nothing could be modelled)."""

    rows: dict[str, list[Row]]
    uses: dict[tuple[str, int], Use | None]
    ends: Floats
    linked: Linked
    grid: Grid


def estimate(linked_folder: Path, out: Path, choices: Choices | None = None) -> dict[str, int]:
    """Write every estimate table into `out`; returns rows per table."""
    chosen = choices or Choices()
    with threadpool_limits(1, "blas"):  # two threads add up in another order than one: other last bits
        made = compute(tables.read(linked_folder), chosen)
    for name, table in ESTIMATE_TABLES.items():
        told = {"estimand": ESTIMAND, "aannamen": f"{ASSUMPTION}: {AANNAMEN[ASSUMPTION]}", "soort": "geschat"}
        told |= {"zaad": str(chosen.seed), "trekkingen": str(chosen.draws), "indeling": "2023"}
        told |= {"motor": "volledig bayesiaans" if chosen.full_bayes else "empirisch bayesiaans"}
        told |= {"interval": "90 procent, voorspellend; afgerond naar buiten op 5 in `schattingen`"}
        columns = {c.name: _column([row[c.name] for row in made.rows[name]], c.type) for c in table.columns}
        found = pa.table(columns, schema=table.arrow_schema().with_metadata(told))
        keys = [(name_, "ascending") for name_ in table.key]
        pq.write_table(found.sort_by(keys), out / f"{name}.parquet", compression="zstd", row_group_size=122_880)
    return {name: len(rows) for name, rows in made.rows.items()}


def _column(values: list[object], kind: pa.DataType) -> pa.Array:
    found = pa.array(values, kind)
    return pc.round(found, DECIMALS) if pa.types.is_floating(kind) else found


def common(linked: Linked, choices: Choices) -> Common:
    """The corrections of a run, drawn once for all measures."""
    return Common.draw(streams(choices.seed, _COMMON), linked, choices.sample, choices.draws)


def use_of(linked: Linked, choices: Choices, corrected: Common, group: str, months: int) -> Use | None:
    """One measure, with its own stream of draws: the same whichever other measures are made."""
    rng = streams(choices.seed, _USE, MEASURES.index((group, months)))
    return use.estimate(rng, linked, group, months, corrected, full=choices.full_bayes)


def compute(linked: Linked, choices: Choices) -> Estimated:
    """Everything but the files."""
    grid, corrected = Grid.of(linked.places, linked.halves), common(linked, choices)

    finish = ends.estimate(streams(choices.seed, _ENDS), linked, corrected)

    def one(measure: tuple[str, int]) -> tuple[Use | None, Counted, list[Row]]:
        group, months = measure
        found = use_of(linked, choices, corrected, group, months)
        data = use.counted(linked, group, months)
        if found is None:
            return None, data, []
        made = [*summary.rows(_measure(group, months, found, data), grid)]
        if group == "ALLE":
            made += summary.rows(_need(choices.seed, months, found, data, finish), grid)
        return found, data, made

    with ThreadPoolExecutor(2) as pool:  # draws and sorts leave the interpreter; each measure has its own stream
        begun = {measure: pool.submit(one, measure) for measure in MEASURES}
        # Last in the queue, so what it waits for is under way.
        later = pool.submit(lambda: _project(choices, linked, corrected, begun[HEADLINE].result()[:2], grid))
    done = {measure: made.result() for measure, made in begun.items()}
    rows = list(summary.rows(_ends_measure(linked, finish), grid))
    told = facts.corrections(linked, corrected, bool(choices.sample.examined))
    for (group, months), (found, data, mine) in done.items():
        rows += mine
        if found is not None:
            told += facts.model(found, data, group, months)
    ahead, more = later.result()
    result = {
        "estimates": rows,
        "schattingen": summary.reader_rows(rows, linked.places, ASSUMPTION),
        "incidence": reports.incidence(linked),
        "projection": ahead,
        "recapture": reports.recaptures(linked, choices.seed, gmsd=choices.recapture_gmsd),
        "estimate_facts": told + more,
    }
    return Estimated(result, {key: value[0] for key, value in done.items()}, finish, linked, grid)


def _measure(group: str, months: int, found: Use, data: Counted) -> Measure:
    expected = found.rates.mean(axis=0)[:, None] * found.levels.mean(axis=0)
    return Measure("GEBRUIK", group, months, found.draws, data.y, found.seen, expected, data.informs)


def _ends_measure(linked: Linked, draws: Floats) -> Measure:
    placed = ends.tabulate(linked)
    mean = draws.mean(axis=0)
    weight = placed / np.maximum(mean, 1e-9)
    return Measure("TITEL_EINDES", "ALLE", 0, draws, placed, weight, np.maximum(mean, 1e-9), placed > 0)


def _need(seed: int, months: int, found: Use, data: Counted, finish: Floats) -> Measure:
    """Need under assumption B75: at least the share that uses support where a quarter of the people have the most."""
    people, users = finish.sum(axis=2), found.draws.sum(axis=2)
    share = users / np.maximum(people, 1.0)
    order = np.argsort(share, axis=1)
    weight = np.cumsum(np.take_along_axis(people, order, 1), axis=1)
    at = (weight < 0.75 * weight[:, -1:]).sum(axis=1)
    top = np.minimum(np.take_along_axis(np.take_along_axis(share, order, 1), at[:, None], 1), 1.0)
    rng = streams(seed, _NEED, months)
    draws = np.maximum(found.draws, rng.binomial(finish.astype(np.int64), top[:, :, None]))
    expected = found.rates.mean(axis=0)[:, None] * found.levels.mean(axis=0)
    return Measure("BEHOEFTE", "ALLE", months, draws, data.y, found.seen, expected, data.informs)


def _project(
    choices: Choices, linked: Linked, corrected: Common, headline: tuple[Use | None, Counted], grid: Grid
) -> tuple[list[Row], list[Row]]:
    found, data = headline
    if found is None:
        return [], []
    rows = reports.projected(projection.ahead(streams(choices.seed, _AHEAD), found, data), linked, grid)
    tried = backtest(linked, choices, corrected, data)
    if tried is None:
        return rows, []
    return rows + reports.projected(tried, linked, grid), facts.coverage(tried, grid)


def backtest(linked: Linked, choices: Choices, corrected: Common, data: Counted) -> Tried | None:
    """The projection tried on the last four half-years of the headline measure; None when the series is too short."""
    rng = streams(choices.seed, _BACK)
    group, months = HEADLINE
    follow = corrections.followed(rng, linked, linked.units.use[group, months], MAANDEN[months], choices.draws)
    return projection.backtest(rng, data, corrected, follow)
