"""Corrections for title ends that no row shows, and for half-years that were delivered in part or in name."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from estimation import corrections, tables, use
from estimation.arrays import streams
from estimation.corrections import Sample
from estimation.use import Common
from schemas.linked import LINKED_TABLES
from schemas.target_group import RUN_TABLES
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
    ends = int(((returns.chain_end >= 0) & (returns.chain_after == tables.NONE)).sum())
    known = counted.sum() / (counted.sum() + 1000)
    assert hidden[:, [0, 1, 3, 4, 5]].sum(axis=1).mean() < 5
    assert hidden[:, 2].mean() == pytest.approx(1000 * later / ends / known, rel=0.25)


def test_who_is_in_care_again_at_the_end_of_the_period_may_have_an_unknown_end_behind(returns: tables.Linked) -> None:
    """Some known ends were followed by a chain that runs on. Of unknown ends as many per end, which nothing shows."""
    again = (returns.chain_after >= 0) & (returns.chain_end == tables.half_index(returns.halves[0]) + 4)
    running = dataclasses.replace(
        returns,
        chain_after=np.where(again, -1, returns.chain_after),
        chain_care=np.where(again, -1, returns.chain_care),
    )
    counted = np.bincount(returns.units.half, minlength=len(returns.halves)).astype(np.float64)
    missing = np.full((R, len(returns.halves)), 500)
    shown = corrections._inside_again(streams(1), running, missing, counted)
    assert again.sum() > 20
    assert shown[:, 4].mean() == pytest.approx(500 * again.sum() / counted[4], rel=0.1)
    assert shown[:, [0, 1, 2, 3, 5, 6]].sum(axis=1).mean() < 3


def test_whether_care_is_closed_is_learned_from_the_last_chain_of_a_person(returns: tables.Linked) -> None:
    """A chain that was followed by another has the care of both on its person: it tells nothing of one chain alone."""
    later = returns.chain_after != tables.NONE
    turned = dataclasses.replace(returns, chain_care=np.where(later, -1, returns.chain_care))
    one, other = (corrections._unknown(streams(1), data, R) for data in (returns, turned))
    assert later.sum() > 400
    assert (one == other).all()


def test_ends_that_stand_in_no_chain_are_a_share_of_all(returns: tables.Linked) -> None:
    few = Sample({"keten": 4000}, {"keten": 3600})
    shown = [corrections.known_ends(streams(1), returns, sample, R) for sample in (ALL_IN_CHAINS, few)]
    ends = [len(returns.units.half) + missing.sum(axis=1).mean() for _, missing in shown]
    assert ends[0] / ends[1] == pytest.approx(0.9, abs=0.01)
    assert shown[1][0].mean() == pytest.approx(0.9 * shown[0][0].mean(), rel=0.02)


def test_of_unknown_ends_as_many_were_deaths_as_of_known_ones(returns: tables.Linked) -> None:
    """Who died in care leaves nothing to support, with a known end or without: one in four here, of either."""
    some = dataclasses.replace(returns, departed=(3000, 9000))
    shown = [corrections.known_ends(streams(1), data, ALL_IN_CHAINS, R) for data in (returns, some)]
    assert returns.departed == (8, len(returns.units.half)), "those who died before the end, and all others"
    missing = [counts.sum(axis=1).mean() for _, counts in shown]
    assert missing[1] == pytest.approx(0.75 * missing[0], rel=0.03)
    assert shown[1][0].mean() > shown[0][0].mean()


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


def delivered(folder: Path, quiet: dict[int, int]) -> tuple[tables.Linked, int]:
    """A country of which every municipality delivers 30 starts and 30 ends per half-year, but the third one as `quiet`
    says: starts per number of the half-year. With the number of the third one."""
    linked.write(folder, seed=3)
    path = folder / "coverage.parquet"
    rows = pq.read_table(path).to_pylist()
    third = sorted({row["gemeente"] for row in rows})[2]
    for row in rows:
        number = linked.HALVES.index(row["half_year"])
        hushed = row["gemeente"] == third and number in quiet
        row |= {"delivered": True, "suspicious": False, "inflow": quiet[number] if hushed else 30}
        row |= {"outflow": 0 if hushed else 30}
    pq.write_table(pa.Table.from_pylist(rows, RUN_TABLES["coverage"].arrow_schema()), path)
    return tables.read(folder), 2


def test_a_half_year_that_is_delivered_without_anything_in_it_is_not_delivered(tmp_path: Path) -> None:
    """60 starts and ends are usual. None is a file in name alone; few is a quiet half-year, and really few users."""
    data, third = delivered(tmp_path / "linked", {3: 0, 5: 1, 7: 16})
    assert np.nonzero(~data.delivered[third])[0].tolist() == [3]
    assert np.delete(data.delivered, third, axis=0).all()


def test_small_municipalities_may_have_a_half_year_without_any(tmp_path: Path) -> None:
    """Where fewer than 20 starts and ends are usual, none at all is chance."""
    data, third = delivered(tmp_path / "linked", dict.fromkeys(range(10), 10) | {4: 0})
    assert data.delivered[third].all()


def test_the_window_reaches_into_the_half_year_before_and_after(tmp_path: Path) -> None:
    """Support that began in a half-year that was not delivered is not seen to run on: the next one informs nothing."""
    data, third = delivered(tmp_path / "linked", {4: 0})
    kinds = corrections.delivery_class(data, 180)
    assert kinds[third].tolist() == [2, 2, 2, 1, 1, 1, 2, 2, 2, 2]
    assert (np.delete(kinds, third, axis=0) == 2).all()
    assert (corrections.delivery_class(data, 365)[third, [2, 3, 5]] == 1).all()
