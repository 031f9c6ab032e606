"""One synthetic country through the real steps, and what its planted truth says about the estimates.

Suppliers' tool, gateway, sealed deliveries, conversion, linkage: the processes of `koppel run`, up to and with link.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from estimation import ends, tables, use
from estimation import estimate as room
from estimation.arrays import Bools, Floats, Ints
from estimation.corrections import Sample
from flows import demo, pipeline, report
from flows.report import Mode, Reporter
from flows.settings import Settings
from schemas.estimates import MAANDEN
from schemas.registers import REGISTERS
from tests.estimation import scoring

WINDOWS = (3, 6, 12)
TRUE_ENDS = """
select t.person, p.geboortejaar, p.geslacht, t.gemeente, t.chain_begin, t.title_end, t.running, t.wmo_start,
  (year(t.title_end) - 2019) * 2 + (month(t.title_end) > 6)::integer as half
from '{truth}/title_ends.parquet' t join '{truth}/persons.parquet' p on p.person = t.person where not t.died
"""
# A clerical review needs dossiers; here the truth plays them. Only pairs that content identifies, at most `most` each.
REVIEW = """
with planted as ({ends}), seen as (
  select *, outcome in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180') as used
  from '{linked}/title_end_events.parquet' where excluded is null
), pairs as (
  select coalesce(p.running or p.wmo_start - p.title_end between -90 and 180, false) as truly, s.used,
    coalesce(c.delivered, true) as delivered, p.title_end
  from planted p join seen s on s.chain_begin = p.chain_begin and s.title_end = p.title_end
    and s.geboortejaar is not distinct from p.geboortejaar and s.geslacht = p.geslacht
  left join '{linked}/coverage.parquet' c on c.gemeente = p.gemeente and c.half_year = s.half_year
  qualify count(*) over (partition by p.chain_begin, p.title_end, p.geboortejaar, p.geslacht) = 1
), ordered as (select *, row_number() over (partition by truly order by hash(title_end, used)) as n from pairs)
select
  count(*) filter (where truly and delivered and n <= {most}) as examined,
  count(*) filter (where truly and delivered and n <= {most} and used) as found,
  count(*) filter (where used and n <= {most}) as linked,
  count(*) filter (where used and truly and n <= {most}) as right_links
from ordered where title_end < date '2023-06-01'
"""


@dataclass(frozen=True)
class Example:
    """One country's last whole year, for the plots: estimates and truth per municipality, raw and smoothed rates."""

    mean: Floats
    low: Floats
    high: Floats
    true: Ints
    expected: Floats
    raw: Floats
    smooth: Floats


@dataclass(frozen=True)
class Scores:
    """Per cell (municipality x period) of one country: everything the tables and plots need."""

    period: np.ndarray  # "half" or "year"
    months: Ints
    size: Floats  # posterior mean
    true: Ints
    in80: Bools
    in90: Bools
    pit: Floats
    crps: Floats
    naive: Floats  # cells x 3 baselines
    error: Floats
    seconds: float
    example: Example | None = None


def link(folder: Path, scale: float, seed: int) -> Settings:
    """Make and link a country; `folder` must not exist yet."""
    report.use(Reporter(Mode.QUIET))
    settings = demo.prepare(folder, port=4299)
    demo.make_country(folder, scale=scale, seed=seed)
    demo.suppliers_deliver(settings, folder)
    for register in REGISTERS:
        pipeline.intake(settings, register)
    pipeline.link(settings)
    return settings


def standing(demo_folder: Path, seed: int, draws: int) -> Scores:
    """Estimate and score a country that `koppel demo` made and linked."""
    linked = next((demo_folder / "ttp" / "runs").glob("*/linked"))
    return score(linked, demo_folder / "land" / "truth", seed, draws)


def run(scale: float, seed: int, draws: int) -> Scores:
    """Make, link, estimate and score one country; its folder is deleted afterwards."""
    home = Path(tempfile.mkdtemp(prefix="koppel-bench-"))
    try:
        link(home / "demo", scale, seed)
        return standing(home / "demo", seed, draws)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def score(linked: Path, truth: Path, seed: int, draws: int) -> Scores:
    """Estimate from the linked tables and hold every municipality cell against the truth."""
    sample = review(linked, truth)
    began = time.process_time()
    data = tables.read(linked)
    found = room.compute(data, room.Choices(seed=seed, draws=draws, sample=sample))
    took = time.process_time() - began
    example = _example(found, truth_of(truth, data)[6])
    parts = [_cells(found, truth_of(truth, data), months, seed) for months in WINDOWS]
    return Scores(*(np.concatenate([p[i] for p in parts]) for i in range(10)), took, example)  # type: ignore[arg-type]


def review(linked: Path, truth: Path, most: int = 400) -> Sample:
    """The clerical sample: sensitivity and precision from at most `most` dossiers each."""
    ends = TRUE_ENDS.format(truth=truth)
    with duckdb.connect(config={"threads": 1}) as con:
        row = con.execute(REVIEW.format(ends=ends, linked=linked, most=most)).fetchone()
    assert row is not None
    examined, found, used, right = row
    return Sample({"gevoeligheid": examined, "precisie": used}, {"gevoeligheid": found, "precisie": right})


def truth_of(truth: Path, data: tables.Linked) -> dict[int, Ints]:
    """Planted use per window (M x T): persons by true home and half-year."""
    made = {months: np.zeros((len(data.places), len(data.halves)), np.int64) for months in WINDOWS}
    columns = ", ".join(
        f"count(distinct person) filter (where running or wmo_start - title_end between -90 and {MAANDEN[m]})"
        for m in WINDOWS
    )
    with duckdb.connect(config={"threads": 1}) as con:
        rows = con.execute(
            f"with e as ({TRUE_ENDS.format(truth=truth)}) select gemeente, half, {columns} from e group by all"
        ).fetchall()
    for code, half, *counts in rows:
        place = int(data.places.index([code])[0])
        if place >= 0:
            for months, count in zip(WINDOWS, counts, strict=True):
                made[months][place, half] += count
    return made


def _cells(found: room.Estimated, true: dict[int, Ints], months: int, seed: int) -> tuple[np.ndarray, ...]:
    """Cells of one window. Half-years whose window passes the end of the synthetic world have no truth: left out."""
    use_ = found.uses["ALLE", months]
    assert use_ is not None
    halves = len(found.linked.halves) - {3: 1, 6: 1, 12: 2}[months]
    years = halves // 2
    half_draws, half_true = use_.draws[:, :, :halves], true[months][:, :halves]
    naive = np.stack(baselines(found.linked, months), axis=-1)[:, :halves]
    made = []
    for name, draws, planted, base in (
        ("half", half_draws, half_true, naive),
        (
            "year",
            _pairs(half_draws, years),
            _pairs(half_true, years),
            _pairs(naive.transpose(2, 0, 1), years).transpose(1, 2, 0),
        ),
    ):
        flat, truth = draws.reshape(len(draws), -1), planted.ravel()
        rng = np.random.default_rng([seed, months])
        made.append(
            (
                np.full(len(truth), name),
                np.full(len(truth), months),
                flat.mean(axis=0),
                truth,
                scoring.covered(flat, truth, 0.8),
                scoring.covered(flat, truth, 0.9),
                scoring.pit(flat, truth, rng),
                scoring.crps(flat, truth),
                base.reshape(-1, 3),
                flat.mean(axis=0) - truth,
            )
        )
    return tuple(np.concatenate([part[i] for part in made]) for i in range(10))


def _example(found: room.Estimated, true: Ints) -> Example:
    """Headline measure, the year before the last."""
    used = found.uses["ALLE", 6]
    assert used is not None
    year = used.draws[:, :, -4:-2].sum(axis=2)
    low, high = np.quantile(year, [0.05, 0.95], axis=0)
    x, _ = use.covariates(found.linked)
    data, prior = use.counted(found.linked, "ALLE", 6), used.fit.mean(x)
    y = (data.y * data.informs).sum(axis=1)
    seen = used.exposure > 0
    raw = np.divide(y, used.exposure * prior, out=np.ones(len(y)), where=seen)
    return Example(
        year.mean(axis=0), low, high, true[:, -4:-2].sum(axis=1),
        (used.exposure * prior)[seen], raw[seen], (used.rates.mean(axis=0) / prior)[seen],
    )  # fmt: skip


def _pairs(table: np.ndarray, years: int) -> np.ndarray:
    """Half-years added up to years along the last axis."""
    return table[..., : 2 * years].reshape(*table.shape[:-1], years, 2).sum(axis=-1)


def baselines(linked: tables.Linked, months: int) -> tuple[Floats, Floats, Floats]:
    """Observed only; national rate x persons whose title ends there; national ratio to end-of-detention notices."""
    y = use.counted(linked, "ALLE", months).y.astype(np.float64)
    placed, notices = ends.tabulate(linked).astype(np.float64), linked.outflow.astype(np.float64)
    return (
        y,
        placed * (linked.units.use["ALLE", months].sum() / max(len(linked.units.half), 1)),
        notices * (y.sum() / max(notices.sum(), 1.0)),
    )
