"""`make bench-estimate`: are the intervals honest? Synthetic countries through the whole pipeline, against planted truth.

Each country is made, delivered sealed, converted, linked and estimated by the real steps, two at a time; what comes out
is scored per municipality x half-year and x year. Writes the table and plots of docs/methods.md.
`python -m tests.bench.estimate --countries 200 --scale 1 --draws 1000` is the full study (hours).
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from rich.console import Console

from tests.bench import plots, world
from tests.bench.world import Scores

ROOT = Path(__file__).parents[2]
PAGE, FIGURES = ROOT / "docs" / "methods.md", ROOT / "docs" / "figures"
BEGIN, END = "<!-- bench-estimate: begin -->", "<!-- bench-estimate: end -->"
CLASSES = (("< 1", 0.0, 1.0), ("1-5", 1.0, 5.0), ("5-20", 5.0, 20.0), (">= 20", 20.0, np.inf))
BASELINES = ("observed only", "national rate x title ends", "ratio to end-of-detention notices")
console = Console(highlight=False)


def study(countries: int, scale: float, draws: int, jobs: int, seed: int) -> list[Scores]:
    """Score every country; a line per finished one."""
    done: list[Scores] = []
    began = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(world.run, scale, seed + number, draws) for number in range(countries)]
        for number, future in enumerate(as_completed(waiting), start=1):
            done.append(future.result())
            console.print(f"country {number}/{countries}  {time.monotonic() - began:6.0f} s")
    return done


def joined(found: list[Scores]) -> Scores:
    """All cells of all countries together."""
    names = ("period", "months", "size", "true", "in80", "in90", "pit", "crps", "naive", "error")
    parts = (np.concatenate([getattr(scores, name) for scores in found]) for name in names)
    return Scores(*parts, float(np.median([scores.seconds for scores in found])))


def rows(scores: Scores, months: int = 6) -> list[list[str]]:
    """The table: one row per period x size class."""
    made = []
    for period in ("half", "year"):
        for name, low, high in CLASSES:
            cells = (scores.period == period) & (scores.months == months) & (scores.size >= low) & (scores.size < high)
            if cells.sum() < 20:
                continue
            truth = scores.true[cells]
            score = scores.crps[cells].mean()
            naive = np.abs(scores.naive[cells] - truth[:, None]).mean(axis=0)
            made.append(
                [{"half": "half-year", "year": "year"}[period], name, f"{cells.sum():,}"]
                + [f"{100 * flags[cells].mean():.1f}" for flags in (scores.in80, scores.in90)]
                + [f"{100 * scores.error[cells].sum() / max(truth.sum(), 1):+.1f}", f"{score:.2f}"]
                + [f"{value / score:.1f}" for value in naive]
            )
    return made


HEAD = (
    "period",
    "estimated size",
    "cells",
    "80% covers",
    "90% covers",
    "bias %",
    "CRPS",
    *(f"{b} / CRPS" for b in BASELINES),
)


def markdown(scores: Scores, countries: int, scale: float, draws: int) -> str:
    """The section of docs/methods.md between the marks."""
    lines = [
        f"Measured: N = {countries} (synthetic countries at scale {scale:g} of the Netherlands, whole pipeline), {draws} draws;",
        f"use within 6 months, any group. One estimation took {scores.seconds:.1f} CPU seconds. Baselines are point forecasts,",
        "so their CRPS is the mean absolute error; the last columns give how many times worse each is.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + " --- |" * len(HEAD),
        *("| " + " | ".join(row) + " |" for row in rows(scores)),
        "",
        "![Randomised PIT by size class](figures/pit.svg)",
        "",
        "![Caterpillar: municipalities with their intervals](figures/caterpillar.svg)",
        "",
        "![Funnel of shrinkage](figures/funnel.svg)",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--countries", type=int, default=20)
    parser.add_argument("--scale", type=float, default=0.25)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--scores", type=Path, default=ROOT / "bench-out" / "estimate.pickle", help="keep scores here")
    parser.add_argument("--again", action="store_true", help="only write the page anew, from the scores that were kept")
    parser.add_argument("--demo", type=Path, help="score this country, made by `koppel demo`, instead of making any")
    given = parser.parse_args()
    given.scores.parent.mkdir(exist_ok=True)
    if given.demo is not None:
        given.scale = json.loads((given.demo / "land" / "country.json").read_text(encoding="utf-8"))["scale"]
    if not given.again:
        made = given.demo and [world.standing(given.demo, given.seed, given.draws)]
        kept = made or study(given.countries, given.scale, given.draws, given.jobs, given.seed)
        given.scores.write_bytes(pickle.dumps((kept, given.scale, given.draws)))
    kept, scale, draws = pickle.loads(given.scores.read_bytes())  # noqa: S301 - our own file of a moment ago
    write(kept, scale, draws)


def write(kept: list[Scores], scale: float, draws: int) -> None:
    """Print the table and put it, with the plots, into docs/methods.md."""
    scores = joined(kept)
    text = markdown(scores, len(kept), scale, draws)
    FIGURES.mkdir(exist_ok=True)
    classes = [
        (name, (scores.size >= low) & (scores.size < high) & (scores.months == 6)) for name, low, high in CLASSES
    ]
    (FIGURES / "pit.svg").write_text(plots.pit([(n, scores.pit[c]) for n, c in classes if c.sum() >= 20]), "utf-8")
    one = kept[0].example
    assert one is not None
    (FIGURES / "caterpillar.svg").write_text(plots.caterpillar(one.mean, one.low, one.high, one.true), "utf-8")
    (FIGURES / "funnel.svg").write_text(plots.funnel(one.expected, one.raw, one.smooth), "utf-8")
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    console.print(text)


if __name__ == "__main__":
    main()
