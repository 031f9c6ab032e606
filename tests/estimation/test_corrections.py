"""Corrections for title ends that no row shows, and for persons counted in the wrong municipality."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from estimation import corrections, course, found, tables, use
from estimation.arrays import Floats, streams
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


def settled(
    y: np.ndarray, rates: np.ndarray, right: tuple[float, float], elsewhere: np.ndarray | None = None
) -> Floats:
    """Counted use (R x M x T) with these chances that a link and a place are right."""
    told = np.zeros((0, 3), np.int64) if elsewhere is None else elsewhere
    return found.found(streams(1), y, told, rates, (np.full(R, right[0]), np.full(R, right[1])))


def test_who_was_counted_in_the_wrong_place_lives_elsewhere_and_none_is_lost() -> None:
    y = np.array([[400, 0, 8], [0, 50, 8], [0, 0, 0]])
    rates = np.tile([1.0, 1.0, 2.0], (R, 1))
    moved = settled(y, rates, (1.0, 0.9))
    assert (moved.sum(axis=1) == y.sum(axis=0)).all()
    assert moved[:, :, 0].mean(axis=0) == pytest.approx([360 + 10, 10, 20], abs=1.5)
    assert np.array_equal(settled(y, rates, (1.0, 1.0)), np.broadcast_to(y, (R, 3, 3)))


@pytest.mark.parametrize(("told", "led"), [(94, 0.5), (30, 1.0)], ids=["enough", "too few"])
def test_who_has_support_at_home_elsewhere_moves_first_and_goes_there(told: int, led: float) -> None:
    """47 of 470 are wrong. 94 have support at home in the third place: half of them live there. Or 30 have: all of
    them, and 17 of the other 440 anywhere."""
    y = np.array([[400, 0, 0], [0, 70, 0], [0, 0, 0]])
    candidates = np.tile([0, 0, 2], (told, 1))
    made = settled(y, np.tile([1.0, 1.0, 0.0], (R, 1)), (1.0, 0.9), candidates)
    assert (made.sum(axis=1) == y.sum(axis=0)).all()
    assert made[:, 2, 0].mean() == pytest.approx(led * told, rel=0.03)
    others = (made[:, 0, 0] < 400 - led * told).mean()
    assert (others > 0.9) if led == 1.0 else (made[:, 0, 0] + made[:, 2, 0] == 400).all()
    assert made[:, 1, 1].mean() == pytest.approx(70 - (17 / 440 * 70 / 2 if led == 1.0 else 0), abs=0.3)


def test_support_at_home_tells_of_another_place_and_shelter_does_not(tmp_path: Path) -> None:
    """Shelter is given by the centrumgemeente to who lives around it; support at home is given where one lives."""
    folder = linked.write(tmp_path / "linked", seed=3)
    path = folder / "title_end_events.parquet"
    events = pq.read_table(path).to_pylist()
    towns = sorted({row["gemeente"] for row in events if row["gemeente"] not in (None, "0000")})
    for row in events:
        row |= {"wmo_group": "OPVANG" if row["person_id"] % 3 else "THUIS", "gemeente_delivery": towns[0]}
    pq.write_table(pa.Table.from_pylist(events, LINKED_TABLES["title_end_events"].arrow_schema()), path)
    data = tables.read(folder)
    counts = use.counted(data, "ALLE", 6)
    placed = [row for row in events if row["gemeente"] in towns[1:] and row["excluded"] is None]
    apart = {"RUNNING", "START_M90_0", "START_0_30", "START_30_90", "START_90_180"}
    expected = [row for row in placed if row["wmo_group"] == "THUIS" and row["outcome"] in apart]
    assert len(counts.elsewhere) == len(expected) > 50
    assert (counts.elsewhere[:, 2] == data.places.index([towns[0]])[0]).all()
    assert (counts.y[counts.elsewhere[:, 0], counts.elsewhere[:, 1]] > 0).all()


def test_wrong_links_are_lost_wherever_they_were_counted() -> None:
    y = np.array([[400, 0, 8], [0, 50, 8], [0, 0, 0]])
    candidates = np.tile([0, 0, 1], (100, 1))
    for told in (None, candidates):
        made = settled(y, np.ones((R, 3)), (0.8, 0.9), told)
        assert made.sum(axis=1).mean(axis=0) == pytest.approx(0.8 * y.sum(axis=0), rel=0.02)


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
    factor = course.factor(streams(3), cells.y, cells.informs, np.full((4000, 3, 1), 20.0), 1 / 20)[:, :, 0]
    assert factor.mean(axis=0) == pytest.approx([50 / 40, 30 / 40, 1.0], rel=0.02)
    assert factor.var(axis=0) == pytest.approx([50 / 1600, 30 / 1600, 1 / 20], rel=0.1)


@pytest.mark.parametrize("planted", [0.0, 0.1])
def test_how_far_cells_go_their_own_way_is_found_and_poisson_cells_do_not(planted: float) -> None:
    rng = np.random.default_rng(5)
    mean = np.full((200, 10), 15.0)
    if planted:
        mean = mean * rng.gamma(1 / planted, planted, (200, 3))[:, [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]]
    y = rng.poisson(mean)
    data = Counted(y, np.ones(y.shape, bool), np.full(y.shape, 2), np.ones((200, 1)), 1, np.zeros(200, np.int64))
    fitted, levels, _ = use._fit(data, np.ones(10), np.ones(200))
    foretold, _ = use._foretold(data, (fitted, np.ones(200)), levels, np.ones(10))
    assert course.variance(data.y, data.informs, foretold) == pytest.approx(planted, abs=0.02)
