"""Corrections for title ends that no row shows, and for persons counted in the wrong municipality."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from estimation import corrections, tables, use
from estimation.arrays import streams
from estimation.corrections import Sample
from estimation.use import Common, Counted
from schemas.linked import LINKED_TABLES
from tests.estimation import linked

ALL_IN_CHAINS = Sample({"keten": 100_000}, {"keten": 100_000})
R = 300


@pytest.fixture(scope="module")
def returns(tmp_path_factory: pytest.TempPathFactory) -> tables.Linked:
    """1500 persons, one end each, one in eight unknown; one in three of the others came back and ended again a year
    later. Where the first end is unknown, the second lies in the same chain: its own end is written nowhere."""
    folder = linked.write(tmp_path_factory.mktemp("returns") / "linked", seed=3)
    chains = pq.read_table(folder / "title_chains.parquet").to_pylist()
    again = [row for row in chains if row["person_id"] % 3 == 0]
    second = [
        {**row, "chain_begin": row["title_end"] + dt.timedelta(200), "title_end": row["title_end"] + dt.timedelta(365)}
        for row in again
        if row["title_end"] is not None
    ]
    rows = [*chains, *second]
    schema = LINKED_TABLES["title_chains"].arrow_schema()
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "title_chains.parquet")
    return tables.read(folder)


def test_the_end_before_is_that_of_the_same_person(returns: tables.Linked) -> None:
    pairs = returns.chain_before >= 0
    assert pairs.sum() == sum(1 for n in range(1500) if n % 3 == 0 and n % 8)
    assert (returns.chain_end[pairs] - returns.chain_before[pairs] == 2).all()


def test_an_unknown_end_hides_the_ends_before_it(returns: tables.Linked) -> None:
    """Who came back after an unknown end has one chain and two ends: a share of the missing, learned from the known."""
    counted = np.bincount(returns.units.half, minlength=len(returns.halves)).astype(np.float64)
    missing = np.zeros((R, len(returns.halves)), np.int64)
    missing[:, 4] = 1000
    hidden = corrections._hidden(streams(1), returns, missing, counted)
    later = int(((returns.chain_end >= 0) & (returns.chain_before >= 0)).sum())
    ends = int((returns.chain_end >= 0).sum())
    known = counted.sum() / (counted.sum() + 1000)
    assert hidden[:, [0, 1, 3, 4, 5]].sum(axis=1).mean() < 5
    assert hidden[:, 2].mean() == pytest.approx(1000 * later / ends / known, rel=0.25)


def test_ends_that_stand_in_no_chain_are_a_share_of_all(returns: tables.Linked) -> None:
    few = Sample({"keten": 4000}, {"keten": 3600})
    found = [corrections.known_ends(streams(1), returns, sample, R) for sample in (ALL_IN_CHAINS, few)]
    ends = [len(returns.units.half) + missing.sum(axis=1).mean() for _, missing in found]
    assert ends[0] / ends[1] == pytest.approx(0.9, abs=0.01)
    assert found[1][0].mean() == pytest.approx(0.9 * found[0][0].mean(), rel=0.02)


def common(precision: float, placed: float) -> Common:
    ones = np.ones((R, 3))
    return Common(ones, ones.astype(np.int64), np.ones(R), np.full(R, precision), ones, np.full(R, placed))


def test_who_was_counted_in_the_wrong_place_lives_elsewhere_and_none_is_lost() -> None:
    y = np.array([[400, 0, 8], [0, 50, 8], [0, 0, 0]])
    rates = np.tile([1.0, 1.0, 2.0], (R, 1))
    found = use._found(streams(1), y, rates, common(1.0, 0.9))
    assert (found.sum(axis=1) == y.sum(axis=0)).all()
    assert found[:, :, 0].mean(axis=0) == pytest.approx([360 + 10, 10, 20], abs=1.5)
    assert np.array_equal(use._found(streams(1), y, rates, common(1.0, 1.0)), np.broadcast_to(y, (R, 3, 3)))


def test_wrong_links_are_lost_wherever_they_were_counted() -> None:
    y = np.array([[400, 0, 8], [0, 50, 8], [0, 0, 0]])
    found = use._found(streams(1), y, np.ones((R, 3)), common(0.8, 0.9))
    assert found.sum(axis=1).mean(axis=0) == pytest.approx(0.8 * y.sum(axis=0), rel=0.02)


def test_new_kinds_of_a_clerical_sample_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("soort,onderzocht,goed\nketen,400,396\nplaats,400,394\n", encoding="utf-8")
    sample = Sample.read(path)
    assert sample.posterior("keten", corrections.ONE_PERCENT) == (396.5, 4.5)
    assert sample.posterior("plaats", corrections.ONE_PERCENT) == (394.5, 6.5)


def test_use_among_missing_ends_is_binomial_for_the_country_and_stays_where_it_was_expected() -> None:
    """1000 missing ends of whom a quarter uses support: variance 187.5, not 250; places as expected, none lost."""
    ones, draws = np.ones((4000, 1)), 4000
    corrected = Common(0.5 * ones, np.full((draws, 1), 1000), ones[:, 0], ones[:, 0], ones, ones[:, 0])
    expected = np.tile(np.array([[50.0], [200.0], [0.0]]), (draws, 1, 1))
    made = use._unseen(streams(2), expected, (500 * ones, corrected))
    assert made.sum(axis=1)[:, 0].var() == pytest.approx(187.5, rel=0.1)
    assert made[:, :, 0].mean(axis=0) == pytest.approx([50, 200, 0], rel=0.03, abs=0.01)
    without = Common(ones, np.zeros((draws, 1), np.int64), ones[:, 0], ones[:, 0], ones, ones[:, 0])
    total = use._unseen(streams(2), expected, (500 * ones, without)).sum(axis=1)[:, 0]
    assert total.var() == pytest.approx(250, rel=0.1)


def test_a_cell_with_more_than_foretold_has_more_unseen_too_as_far_as_cells_go_their_own_way() -> None:
    """Factors with variance 1/20 and counts of mean 20: half of what a count is above its mean is the cell's own."""
    cells = Counted(
        np.array([[30], [10], [0]]),
        np.array([[True], [True], [False]]),
        np.array([[2], [2], [0]]),
        np.ones((3, 1)),
        1,
        np.zeros(3, np.int64),
    )
    factor = use._own_course(streams(3), cells, np.full((4000, 3, 1), 20.0), 1 / 20)[:, :, 0]
    assert factor.mean(axis=0) == pytest.approx([50 / 40, 30 / 40, 1.0], rel=0.02)
    assert factor.var(axis=0) == pytest.approx([50 / 1600, 30 / 1600, 1 / 20], rel=0.1)


@pytest.mark.parametrize("planted", [0.0, 0.1])
def test_how_far_cells_go_their_own_way_is_found_and_poisson_cells_do_not(planted: float) -> None:
    rng = np.random.default_rng(5)
    mean = np.full((200, 10), 15.0)
    if planted:
        mean = mean * rng.gamma(1 / planted, planted, mean.shape)
    y = rng.poisson(mean)
    data = Counted(y, np.ones(y.shape, bool), np.full(y.shape, 2), np.ones((200, 1)), 1, np.zeros(200, np.int64))
    fitted, levels, _ = use._fit(data, np.ones(10))
    assert use._course(data, fitted, levels, np.ones(10)) == pytest.approx(planted, abs=0.015)
