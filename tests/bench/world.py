"""One synthetic country through the real steps, and what its planted truth says about the estimates.

Suppliers' tool, gateway, sealed deliveries, conversion, linkage: the steps of `koppel run`, up to and with link. What
the estimator reads of a country is kept with its truth, a few megabytes, so that an estimator that changed is scored
anew without making and linking the countries again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from estimation import estimate as room
from estimation import tables, use
from estimation.arrays import Floats, Ints
from estimation.corrections import Sample
from flows import demo, pipeline, report
from flows.report import Mode, Reporter
from schemas.estimates import MAANDEN
from schemas.registers import REGISTERS
from synthetic import country
from tests.bench import cells

WINDOWS = (3, 6, 12)
TRUE_ENDS = """
select t.person, p.geboortejaar, p.geslacht, t.gemeente, t.chain_begin, t.title_end, t.running, t.wmo_start,
  (year(t.title_end) - 2019) * 2 + (month(t.title_end) > 6)::integer as half
from '{truth}/title_ends.parquet' t join '{truth}/persons.parquet' p on p.person = t.person where not t.died
"""
# A clerical review needs dossiers; here the truth plays them: at most `most` of a kind, drawn anew in every country.
# `pairs` are those that content identifies; `chains` are title ends, right when the run has a chain for them.
REVIEW = """
with planted as ({ends}), seen as (
  select *, outcome in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180') as used
  from '{linked}/title_end_events.parquet' where excluded is null
), pairs as (
  select p.person, coalesce(p.running or p.wmo_start - p.title_end between -90 and 180, false) as truly, s.used,
    coalesce(c.delivered, true) as delivered, p.title_end, s.gemeente is not distinct from p.gemeente as placed
  from planted p join seen s on s.chain_begin = p.chain_begin and s.title_end = p.title_end
    and s.geboortejaar is not distinct from p.geboortejaar and s.geslacht = p.geslacht
  left join '{linked}/coverage.parquet' c on c.gemeente = p.gemeente and c.half_year = s.half_year
  qualify count(*) over (partition by p.chain_begin, p.title_end, p.geboortejaar, p.geslacht) = 1
), ordered as (
  select *, row_number() over (partition by truly, used and truly order by hash(person, title_end, {seed})) as m,
    row_number() over (partition by truly order by hash(person, title_end, {seed})) as n
  from pairs where title_end < date '2023-06-01'
), open_chains as (
  select c.chain_begin, p.geboortejaar, p.geslacht
  from '{linked}/title_chains.parquet' c join '{linked}/persons.parquet' p using (person_id)
  where c.title_end is null and c.realised
), own as (
  select p.person, p.title_end, p.chain_begin,
    exists (from seen s where s.chain_begin = p.chain_begin and s.title_end = p.title_end
      and s.geslacht = p.geslacht) as known,
    exists (from open_chains o where o.chain_begin = p.chain_begin and o.geslacht = p.geslacht
      and o.geboortejaar = p.geboortejaar) or
    exists (from open_chains o where o.chain_begin = p.chain_begin and o.geslacht = p.geslacht
      and o.geboortejaar is null) as stands_open
  from planted p
), chains as (
  select *, known or bool_or(stands_open) over (partition by person order by title_end, chain_begin) as found,
    row_number() over (order by hash(person, title_end, {seed} + 1)) as n
  from own where title_end < date '2023-06-01'
)
select
  count(*) filter (where truly and delivered and n <= {most}) as examined,
  count(*) filter (where truly and delivered and n <= {most} and used) as found,
  count(*) filter (where used and n <= {most}) as linked,
  count(*) filter (where used and truly and n <= {most}) as right_links,
  count(*) filter (where used and truly and m <= {most}) as persons,
  count(*) filter (where used and truly and m <= {most} and placed) as right_places,
  (select count(*) from chains where n <= {most}) as ends,
  (select count(*) from chains where n <= {most} and found) as right_ends
from ordered
"""


def make(kept: Path, scale: float, seed: int, about: dict[str, object]) -> None:
    """Make and link a country in a folder that is deleted; put in `kept` what the estimator reads, and the truth."""
    home = Path(tempfile.mkdtemp(prefix="koppel-bench-"))
    began = time.monotonic()
    try:
        link(home / "demo", scale, seed)
        keep(home / "demo", kept, {**about, "scale": scale, "seed": seed, "seconds": time.monotonic() - began})
    finally:
        shutil.rmtree(home, ignore_errors=True)


def link(folder: Path, scale: float, seed: int) -> None:
    """Make and link a country; `folder` must not exist yet."""
    report.use(Reporter(Mode.QUIET))
    settings = demo.prepare(folder, port=4299)
    country.make(folder / "land", scale=scale, seed=seed)
    demo.suppliers_deliver(settings, folder)
    for register in REGISTERS:
        pipeline.intake(settings, register)
    pipeline.link(settings)


def keep(demo_folder: Path, kept: Path, about: dict[str, object]) -> None:
    """From a country as `koppel demo` lays it out: the tables the estimator reads, planted use, a clerical sample."""
    linked, truth = next((demo_folder / "ttp" / "runs").glob("*/linked")), demo_folder / "land" / "truth"
    part = kept.with_name(f"{kept.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in tables.FILES:
        shutil.copyfile(linked / f"{name}.parquet", part / f"{name}.parquet")
    np.savez_compressed(part / "truth.npz", **{f"m{months}": use for months, use in truth_of(truth, linked).items()})
    sample = review(linked, truth, int(str(about["seed"])))
    told = {**about, "examined": sample.examined, "right": sample.right}
    (part / "about.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
    shutil.rmtree(kept, ignore_errors=True)
    part.rename(kept)


def review(linked: Path, truth: Path, seed: int, most: int = 400) -> Sample:
    """The clerical sample: at most `most` dossiers of every kind but provisional ends."""
    ends = TRUE_ENDS.format(truth=truth)
    with duckdb.connect(config={"threads": 1}) as con:
        row = con.execute(REVIEW.format(ends=ends, linked=linked, most=most, seed=seed)).fetchone()
    assert row is not None
    kinds = ("gevoeligheid", "precisie", "plaats", "keten")
    return Sample(dict(zip(kinds, row[0::2], strict=True)), dict(zip(kinds, row[1::2], strict=True)))


def truth_of(truth: Path, linked: Path) -> dict[int, Ints]:
    """Planted use per window (M x T): persons by true home and half-year."""
    data = tables.read(linked)
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


def score(kept: Path, draws: int) -> dict[str, np.ndarray]:
    """Estimate a kept country and hold every cell against the truth; what tests/bench/cells.py says of each."""
    about = json.loads((kept / "about.json").read_text(encoding="utf-8"))
    sample = Sample(about["examined"], about["right"])
    choices = room.Choices(seed=about["seed"], draws=draws, sample=sample)
    began = time.process_time()
    data = tables.read(kept)
    common = room.common(data, choices)
    found = {months: room.use_of(data, choices, common, "ALLE", months) for months in WINDOWS}
    took = time.process_time() - began
    with np.load(kept / "truth.npz") as truth:
        true = {months: np.asarray(truth[f"m{months}"]) for months in WINDOWS}
    scored = cells.of_country(data, found, true, about["seed"])
    tried = room.backtest(data, choices, common, use.counted(data, *room.HEADLINE))
    assert tried is not None
    return {
        **scored,
        **cells.of_backtest(data, tried),
        "seconds": np.array(took),
        "made": np.array(about.get("seconds", 0.0)),
    }


def example(kept: Path, draws: int) -> dict[str, Floats]:
    """The year before the last of one country, for the plots: estimates, truth, raw and smoothed rates."""
    about = json.loads((kept / "about.json").read_text(encoding="utf-8"))
    choices = room.Choices(seed=about["seed"], draws=draws, sample=Sample(about["examined"], about["right"]))
    data = tables.read(kept)
    found = room.use_of(data, choices, room.common(data, choices), "ALLE", 6)
    assert found is not None
    with np.load(kept / "truth.npz") as truth:
        return cells.for_plots(data, found, np.asarray(truth["m6"]))
