"""The engine by itself: the attack against brute force, suppression, elimination, rounding, rules, ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release.protect import gauss, primary, search
from release.protect import spec as specification
from release.protect.attack import Attack
from release.protect.design import audit, protect
from release.protect.displaced import near
from release.protect.edition import shown_table
from release.protect.goals import Goals, Verdict
from release.protect.ledger import Ledger, record
from release.protect.merge import blocks, outsider
from release.protect.period import Period
from release.protect.periods import periods
from release.protect.problem import Problem
from release.protect.rounding import controlled, interval
from release.protect.rows import Judged
from release.protect.secondary import suppress
from release.protect.system import Floats, System, build, propagate
from schemas.errors import ConfigError, DisclosureRefused
from tests.release.additive import target_group


def grid(inner: np.ndarray) -> tuple[System, Floats]:
    """A two-way table with its margins."""
    rows, columns = inner.shape
    full = np.zeros((rows + 1, columns + 1))
    full[:-1, :-1] = inner
    full[-1], full[:, -1] = full.sum(axis=0), full.sum(axis=1)
    full[-1, -1] = inner.sum()
    at = np.arange(full.size).reshape(full.shape)
    relations = [(int(at[r, -1]), at[r, :-1].tolist()) for r in range(rows + 1)]
    relations += [(int(at[-1, c]), at[:-1, c].tolist()) for c in range(columns + 1)]
    return build(full.size, relations), full.ravel()


def everything_that_fits(system: System, values: Floats, hidden: np.ndarray) -> Floats:
    """Brute force: every whole-number table up to the grand total that agrees with what is shown."""
    cells = np.flatnonzero(hidden)
    top = int(values.max())
    guesses = np.indices((top + 1,) * len(cells)).reshape(len(cells), -1).T
    tables = np.tile(values, (len(guesses), 1))
    tables[:, cells] = guesses
    return np.asarray(tables[(system.matrix @ tables.T == 0).all(axis=0)])


SMALL = st.lists(st.integers(0, 5), min_size=6, max_size=6)


@settings(max_examples=60, deadline=None)
@given(SMALL, st.sets(st.integers(0, 11), min_size=1, max_size=4), st.integers(1, 5))
def test_the_attack_agrees_with_brute_force(counts: list[int], hide: set[int], width: int) -> None:
    system, values = grid(np.array(counts, dtype=float).reshape(2, 3))
    hidden = np.isin(np.arange(12), list(hide))
    low, high = np.where(hidden, 0.0, values), np.where(hidden, np.inf, values)
    cells = np.flatnonzero(hidden)
    outer_low, outer_high = propagate(system, low, high)
    if np.isinf(outer_high).any():
        return  # a whole row, column and total hidden: without bound, and out of reach of brute force
    found = Attack(system, low, high).run(Goals.of_width(cells, width))
    tables = everything_that_fits(system, values, hidden)
    least, most = tables.min(axis=0), tables.max(axis=0)
    assert (outer_low <= least).all() and (outer_high >= most).all()
    wide = (most - least)[cells] >= width
    assert (found.verdict == np.where(wide, Verdict.SAFE, Verdict.UNSAFE)).all()
    assert (found.seen_low >= least[cells]).all() and (found.seen_high <= most[cells]).all()


def test_two_hidden_cells_in_each_line_and_one_is_exact_all_the_same() -> None:
    """The table of sdcTable's tests in kind: each row and column hides two cells, yet one cell is given away."""
    inner = np.array([[1.0, 20, 3, 20], [20, 2, 20, 4], [5, 20, 0, 20], [20, 6, 20, 7]])
    system, values = grid(inner)
    hidden = np.zeros(25, dtype=bool)
    hidden[[0, 2, 6, 8, 10, 12, 16, 18]] = True
    low, high = np.where(hidden, 0, values), np.where(hidden, np.inf, values)
    found = Attack(system, low, high).run(Goals.of_width(np.flatnonzero(hidden), 5))
    assert len(found.unsafe) > 0


def test_tables_that_do_not_add_up_are_refused() -> None:
    system, values = grid(np.array([[1.0, 2], [3, 4]]))
    values[0] = 9
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        Attack(system, values, values).run(Goals.of_width(np.array([0]), 5))


def test_a_cell_that_nothing_limits_is_safe_and_needs_no_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is hidden, so no cell has a largest value; the search by single cells must say safe all the same."""
    system, values = grid(np.array([[1.0, 2], [3, 4]]))
    monkeypatch.setattr(search, "SHARED", 0)
    found = Attack(system, values * 0, values + np.inf).run(Goals.of_width(np.arange(9), 5), values)
    assert len(found.unsafe) == 0
    few = Attack(system, values * 0, np.where(np.arange(9) == 8, values, np.inf)).run(Goals.of_width(np.arange(8), 11))
    assert len(few.unsafe) == 8  # the grand total is 10: nothing in it can be 11 wide


def problem(counts: np.ndarray, threshold: int = 3) -> Problem:
    system, values = grid(counts)
    size = system.cells
    small = values < threshold
    goals = Goals.around(np.flatnonzero(small), values, margin=3, width=5, floor=0)
    cost = np.log1p(values) + 1
    return Problem(system, values, np.ones(size, dtype=bool), small, cost, np.zeros(size), np.full(size, np.inf), goals)


@pytest.mark.parametrize("seed", range(15))
def test_after_suppression_every_hidden_cell_keeps_its_range(seed: int) -> None:
    """Fixed tables: on rare random ones a cell stays unsafe, which the pattern says (docs/disclosure.md, State)."""
    given_problem = problem(np.random.default_rng(seed).poisson(4, (4, 5)).astype(float))
    pattern = suppress(given_problem)
    assert len(pattern.ranges.unsafe) == 0
    low, high = given_problem.known(pattern.hidden)
    again = Attack(given_problem.system, low, high, seed=99).run(given_problem.goals)  # from scratch, truth unknown
    assert len(again.unsafe) == 0


@pytest.mark.parametrize("seed", range(6))
def test_what_large_systems_do_protects_as_well(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of the targets pushed at once, and moves near a target first (so near here, that most do not get there)."""
    given_problem = problem(np.random.default_rng(seed).poisson(4, (4, 5)).astype(float))
    low, high = given_problem.known(given_problem.primary)
    attack, goals = Attack(given_problem.system, low, high), given_problem.goals
    plain = set(attack.run(goals).unsafe)
    monkeypatch.setattr("release.protect.goals.MANY", 0)
    monkeypatch.setattr("release.protect.moves.LARGE", 0)
    monkeypatch.setattr("release.protect.moves.near", lambda system, cell: near(system, cell, hops=1))
    assert set(attack.run(goals).unsafe) == plain
    low, high = given_problem.known(suppress(given_problem).hidden)
    monkeypatch.undo()
    assert len(Attack(given_problem.system, low, high, seed=99).run(goals).unsafe) == 0


def test_elimination_alone_leaves_nothing_exact() -> None:
    for seed in range(5):
        task = problem(np.random.default_rng(seed).poisson(4, (4, 5)).astype(float))
        secret = np.flatnonzero(task.primary)
        added = gauss.eliminate(task.system, secret, np.flatnonzero(~task.primary), task.cost)
        hidden = np.isin(np.arange(task.system.cells), [*secret, *added])
        columns = task.system.matrix.toarray()[:, hidden]
        for place, cell in enumerate(np.flatnonzero(hidden)):
            if cell in secret:  # exact means: its column is independent of the other hidden ones
                others = np.delete(columns, place, axis=1)
                assert np.linalg.matrix_rank(others) == np.linalg.matrix_rank(columns)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=12, max_size=12))
def test_controlled_rounding_adds_up_and_stays_within_the_base(counts: list[int]) -> None:
    system, values = grid(np.array(counts, dtype=float).reshape(3, 4))
    rounded = controlled(system, values, 5)
    low, high = interval(rounded, 5)
    assert not system.broken(rounded)
    assert (rounded % 5 == 0).all()
    assert ((low <= values) & (values <= high)).all()


def test_the_rules_in_numbers() -> None:
    assert primary.small(np.array([0.0, 1, 9, 10]), 10).tolist() == [False, True, True, False]
    assert primary.small_denominator(np.array([9.0, 10]), 10).tolist() == [True, False]
    assert primary.effective(np.array([10.0, 50, 50]), np.array([9.0, 50, 0])).tolist() == [1, 50, 50]
    assert primary.group_disclosed(np.array([[9.0, 1], [8, 2], [0, 0]]), 0.9).tolist() == [
        [True] * 2,
        [False] * 2,
        [False] * 2,
    ]
    assert primary.hidden_zero(np.array([[0.0, 10, 10], [0, 10, 9]]), 10).tolist() == [
        [False] * 3,
        [True, False, False],
    ]
    amounts = [np.array([60.0, 20, 20]), np.array([30.0, 30, 20, 20]), np.array([45.0, 45, 5, 5])]
    assert primary.dominated(*primary.top_two(amounts)).tolist() == [True, False, True]


SPEC = specification.load()


@pytest.fixture(scope="module")
def half() -> tuple[pa.Table, Period, np.ndarray]:
    table = target_group(halves=("2023H2",), mean=1.5)
    _, made = periods(table, SPEC, SPEC.basis)
    return table, made[0], protect(made[0]).hidden


def test_two_municipalities_that_know_their_own_row_learn_nothing(
    half: tuple[pa.Table, Period, np.ndarray],
) -> None:
    """The pooled views say safe; so does an attack with one row known, tried for two of them."""
    _, period, hidden = half
    assert audit(period, hidden) == 0
    view = outsider(period, hidden)
    many = len(period.template.names)
    for place in np.flatnonzero(period.insiders[view.rows])[:2]:
        task = view.problem
        low, high = task.known(task.primary)
        own = slice(place * many, (place + 1) * many)
        low[own] = high[own] = task.values[own]
        kept = np.flatnonzero(task.goals.cells // many != place)
        goals = Goals(*(part[kept] for part in (task.goals.cells, task.goals.width)), *[np.full(len(kept), np.nan)] * 2)
        found = Attack(task.system, np.minimum(low, task.values), high).run(goals, task.values)
        assert len(found.unsafe) == 0


def test_without_secondary_suppression_the_audit_fails(half: tuple[pa.Table, Period, np.ndarray]) -> None:
    _, period, _ = half
    assert audit(period, period.start()) > 0


def test_blocks_hold_only_single_municipalities(half: tuple[pa.Table, Period, np.ndarray]) -> None:
    _, period, hidden = half
    view = blocks(period, hidden)
    assert period.insiders[view.rows].all()
    assert not hidden[view.rows].all(axis=1).any() or len(view.crowds) < 25


def show(table: pa.Table, threshold: int = 10) -> pa.Table:
    return shown_table(
        table, pa.array([n if n >= threshold else None for n in table["aantal"].to_pylist()], pa.int64())
    )


def test_one_revised_person_hides_the_cell(tmp_path: Path, half: tuple[pa.Table, Period, np.ndarray]) -> None:
    """Differencing over releases: 3 persons more than was shown before is a small cell of its own."""
    table = half[0]
    before = table["aantal"].to_pylist()
    place = next(i for i, r in enumerate(table.to_pylist()) if r["niveau"] == "land" and r["maat"] == "titel_eindes")
    before[place] -= 3
    old = table.set_column(table.schema.get_field_index("aantal"), "aantal", pa.array(before, pa.int64()))
    record(tmp_path, show(old), release="r1", audience="vng", vintage="a", geography=2023)
    layout, made = periods(table, SPEC, SPEC.basis)
    (found,) = Ledger.read(tmp_path, vintage="b", geography=2023).apply(made, layout, SPEC)
    row = layout.areas.index(("land", "NL"))
    assert found.judged.reason[row, 0] == primary.Reason.REVISION
    assert (found.judged.reason == primary.Reason.REVISION).sum() == 1
    (same,) = Ledger.read(tmp_path, vintage="a", geography=2023).apply(made, layout, SPEC)
    assert (same.judged.reason != primary.Reason.REVISION).all() and same.known().sum() > 0


def test_a_merged_municipality_does_not_give_away_its_small_part() -> None:
    """Weesp joined Amsterdam in 2022: Amsterdam shown before and the merged one now would show Weesp."""
    table = target_group(halves=("2023H2",), mean=1.5)
    layout, made = periods(table, SPEC, SPEC.basis)
    row, column = layout.areas.index(("gemeente", "0363")), list(SPEC.measures).index("titel_eindes")
    made[0].values[row, column] = 104
    nothing = np.zeros(made[0].values.shape, dtype=np.int64)
    open_period = replace(made[0], judged=Judged(nothing, nothing > 0))
    for shown in ("0363", "0457"):  # Amsterdam before, or Weesp before
        earlier = {("gemeente", shown, "2023H2", "titel_eindes"): (100,)}
        (found,) = Ledger({}, earlier, frozenset()).apply([open_period], layout, SPEC)
        assert found.judged.reason[row, column] == primary.Reason.REVISION


def test_what_was_shown_before_stays_known(tmp_path: Path, half: tuple[pa.Table, Period, np.ndarray]) -> None:
    table = half[0]
    record(tmp_path, show(table, 1), release="r1", audience="vng", vintage="a", geography=2023)
    layout, made = periods(table, SPEC, SPEC.basis)
    with pytest.raises(DisclosureRefused, match="already_shown"):
        Ledger.read(tmp_path, vintage="a", geography=2023).apply(made, layout, SPEC)


def test_a_changed_ledger_is_refused(tmp_path: Path, half: tuple[pa.Table, Period, np.ndarray]) -> None:
    path = record(tmp_path, show(half[0]), release="r1", audience="vng", vintage="a", geography=2023)
    assert record(tmp_path, show(half[0]), release="r1", audience="vng", vintage="a", geography=2023) == path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DisclosureRefused, match="damaged_release_ledger"):
        Ledger.read(tmp_path, vintage="a", geography=2023)


@pytest.mark.parametrize("fault", ["unknown: 1", "measures: {x: 1}", "levels: {maan: 1}", "population: x", "[", "-"])
def test_a_faulty_specification_is_refused(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "spec.yaml"
    key = fault.split(":", maxsplit=1)[0]
    kept = [line for line in specification.DEFAULT.read_text(encoding="utf-8").splitlines() if not line.startswith(key)]
    path.write_text("\n".join([*kept, fault]), encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_spec"):
        specification.load(path)


def test_no_audience_may_be_given_the_operators_folder() -> None:
    """It holds true counts, and the gate does not sign it to leave."""

    def called(name: str) -> bytes:
        text = specification.DEFAULT.read_text(encoding="utf-8")
        return text.replace("  bron: {", f"  {name}: {{").replace("source: bron", f"source: {name}").encode()

    assert set(specification.parse(called("kern")).audiences) == {"kern", "vng"}
    with pytest.raises(ConfigError, match="bad_spec"):
        specification.parse(called("operator"))
