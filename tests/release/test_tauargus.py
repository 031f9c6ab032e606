"""Our attack and our suppression beside those of tau-ARGUS (Statistics Netherlands; pytauargus), on the same tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytauargus import protect

from release.protect.attack import Attack
from release.protect.goals import Goals, Verdict
from release.protect.magnitudes import Contributions
from release.protect.primary import Dominance, dominated, top_two
from release.protect.problem import Problem
from release.protect.secondary import cheapest, suppress
from release.protect.system import Flags, Floats, System
from tests.release.tauargus import Table
from tests.release.test_protect import grid

MARGIN = 3.0


@pytest.fixture(autouse=True)
def _its_logs_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tau-ARGUS and its solvers write logs into the folder they are run in."""
    monkeypatch.chdir(tmp_path)


def random_table(seed: int) -> tuple[System, Floats]:
    return grid(np.random.default_rng(seed).poisson(5, (4, 4)).astype(float))


def task_of(system: System, values: Floats, primary: Flags) -> tuple[Problem, tuple[Floats, Floats]]:
    """3 up and 3 down (to no less than 0), no width: what the JJ format can say."""
    cost, zero = np.round(10 * np.log1p(values) + 10), np.zeros(system.cells)
    down, up = np.where(primary, np.minimum(values, MARGIN), 0), np.where(primary, MARGIN, 0)
    goals = Goals(np.flatnonzero(primary), zero[primary], (values - down)[primary], (values + up)[primary])
    return Problem(system, values, zero == 0, primary, cost, zero, zero + np.inf, goals), (down, up)


@pytest.mark.parametrize("seed", range(6))
def test_the_same_interval_for_every_hidden_cell(tmp_path: Path, seed: int) -> None:
    """Two-way tables have whole corners, so intervals in fractions and in whole numbers are one."""
    system, values = random_table(seed)
    rng = np.random.default_rng(seed)
    hidden = rng.random(system.cells) < 0.5
    hidden[-1] = False  # the grand total: nothing is without bound
    low, high = Table(tmp_path, system, values).intervals(hidden)
    cells = np.flatnonzero(hidden)
    known = np.where(hidden, 0.0, values), np.where(hidden, np.inf, values)
    for wider, verdict in ((0, Verdict.SAFE), (1, Verdict.UNSAFE)):  # as wide as theirs, and no wider
        goals = Goals(cells, (high - low)[cells] + wider, np.full(len(cells), np.nan), np.full(len(cells), np.nan))
        assert (Attack(system, *known).run(goals, values).verdict == verdict).all()
    exact = Goals(cells, np.zeros(len(cells)), low[cells], high[cells])
    assert (Attack(system, *known).run(exact, values).verdict == Verdict.SAFE).all()


def test_cost_beside_the_optimum(tmp_path: Path) -> None:
    """On the tables together within 2 percent of the cheapest pattern there is; one start alone is not."""
    theirs = ours = first = 0.0
    for seed in range(20):
        system, values = random_table(seed)
        primary = (values > 0) & (values < 3)
        if not primary.any():
            continue
        problem, need = task_of(system, values, primary)
        found = cheapest(problem)
        assert len(found.ranges.unsafe) == 0
        theirs += problem.cost[Table(tmp_path, system, values).optimum(primary, problem.cost, need)].sum()
        ours += problem.cost[found.hidden].sum()
        first += problem.cost[suppress(problem).hidden].sum()
    assert theirs <= ours <= 1.02 * theirs < first


def test_our_attack_finds_their_pattern_safe(tmp_path: Path) -> None:
    for seed in (3, 8, 17):
        system, values = random_table(seed)
        primary = (values > 0) & (values < 3)
        problem, need = task_of(system, values, primary)
        hidden = Table(tmp_path, system, values).optimum(primary, problem.cost, need)
        assert len(Attack(system, *problem.known(hidden)).run(problem.goals, values).unsafe) == 0


@pytest.mark.parametrize(
    ("rule", "ours"), [("NK(1,50)", (0.5, 9, 0)), ("NK(2,85)", (9, 0.85, 0)), ("P(10,100,1)", (9, 9, 0.1))]
)
def test_the_same_sensitive_magnitudes_and_protection_levels(
    tmp_path: Path, rule: str, ours: tuple[float, float, float]
) -> None:
    """Hours of 30 persons by two labels, with all margins: what is unsafe, and how much it must hide upwards."""
    limit, unsafe = Dominance(*ours), 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        hours = np.round(np.exp(rng.normal(3, 1.2, 30))).astype(int) + 1
        rows, columns = rng.choice(list("abc"), 30), rng.choice(list("xyz"), 30)
        records = {"rij": rows.tolist(), "kol": columns.tolist(), "uren": hours.tolist()}
        found = protect(records, ["rij", "kol"], "uren", rule, "MOD(1,5,1,0,0)", workdir=str(tmp_path)).tables[0]
        for cell in found.dataframe().to_dict("records"):
            inside = np.isin(rows, [cell["rij"]]) | (cell["rij"] == "Total")
            inside &= np.isin(columns, [cell["kol"]]) | (cell["kol"] == "Total")
            if inside.any():
                total, one, two = top_two([hours[inside].astype(float)])
                reach = Contributions(float(one[0]), float(two[0]), int(inside.sum())).reach(limit)
                assert (cell["status"] == "U") == dominated(total, one, two, limit)[0]
                level = max(reach - total[0], 1)  # theirs are whole numbers, from 1
                assert cell["status"] != "U" or abs(cell["upper"] - level) <= 0.5
                unsafe += cell["status"] == "U"
    assert unsafe > 3
