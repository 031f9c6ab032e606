"""Counted persons without wrong links and in their right place: who moves, where to, and that nobody is lost."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimation import found, tables, use
from estimation.arrays import Floats, streams
from schemas.linked import LINKED_TABLES
from tests.estimation import linked

R = 300


def settled(
    y: np.ndarray, rates: np.ndarray, right: tuple[float, float], elsewhere: np.ndarray | None = None
) -> Floats:
    """Counted use (R x M x T) with these chances that a link and a place are right."""
    hints = found.Hints.none(y) if elsewhere is None else dataclasses.replace(found.Hints.none(y), elsewhere=elsewhere)
    return found.found(streams(1), y, hints, rates, (np.full(R, right[0]), np.full(R, right[1])))


def test_who_was_counted_in_the_wrong_place_lives_elsewhere_and_none_is_lost() -> None:
    y = np.array([[400, 0, 8], [0, 50, 8], [0, 0, 0]])
    rates = np.tile([1.0, 1.0, 2.0], (R, 1))
    moved = settled(y, rates, (1.0, 0.9))
    assert (moved.sum(axis=1) == y.sum(axis=0)).all()
    assert moved[:, :, 0].mean(axis=0) == pytest.approx([360, 40 / 3, 80 / 3], abs=1.5), "to the others, by their rates"
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
    assert made[:, 1, 1].mean() == pytest.approx(70 - (17 / 440 * 70 if led == 1.0 else 0), abs=0.3)


# Two regions: Hub (a centrumgemeente), Near and Far of the first, Town and Field of the second.
HUB, NEAR, FAR, TOWN, FIELD = range(5)
REGION, CENTRE = np.array([0, 0, 0, 1, 1]), np.array([True, False, False, True, False])
RATES = np.tile([60.0, 30.0, 10.0, 50.0, 50.0], (R, 1))


def sheltered(counts: list[int], wrong: float, plain: int = 0, centre: np.ndarray = CENTRE) -> Floats:
    """Settled counts of one half-year (R x 5): so many in shelter per municipality, and `plain` others in Town."""
    shelter = np.array(counts)[:, None]
    y = shelter + plain * (np.arange(5) == TOWN)[:, None]
    hints = found.Hints(np.zeros((0, 3), np.int64), shelter, REGION, centre)
    return found.found(streams(1), y, hints, RATES, (np.ones(R), np.full(R, 1 - wrong)))[:, :, 0]


def test_who_is_known_by_shelter_alone_may_live_around_the_centrumgemeente() -> None:
    """40 of 200 wrong, all in the region: three quarters of them in the larger of the two others."""
    made = sheltered([200, 0, 0, 0, 0], 0.2)
    assert (made.sum(axis=1) == 200).all()
    assert made.mean(axis=0) == pytest.approx([160, 30, 10, 0, 0], abs=1.0)


def test_no_more_live_around_it_than_the_share_of_the_others_in_the_region() -> None:
    """At most 40 percent of the use in the region of Hub is that of others, and half of it in the other region. What is
    wrong beyond them is anybody else, anywhere."""
    made = sheltered([100, 0, 0, 100, 0], 0.9)
    assert made.mean(axis=0) == pytest.approx([60, 30, 10, 50, 50], abs=1.5)
    more = sheltered([100, 0, 0, 0, 0], 0.5, plain=100)
    assert more[:, HUB].mean() == pytest.approx(60 + 60 * 60 / 150, abs=1.5)
    assert more[:, TOWN].mean() == pytest.approx(40, abs=1.0)


def test_where_others_use_more_more_of_those_in_shelter_live_elsewhere() -> None:
    """In proportion to the share of the others, 40 and 50 percent: of 90 wrong ones 40 and 50."""
    made = sheltered([200, 0, 0, 200, 0], 90 / 400)
    assert made[:, [HUB, TOWN]].mean(axis=0) == pytest.approx([160, 150], abs=1.0)


def test_a_centrumgemeente_keeps_its_own_clients() -> None:
    """Where Near gives shelter itself nobody of it is in shelter in Hub; it takes half of what Far asks for."""
    two = np.array([True, True, False, True, False])
    made = sheltered([300, 0, 0, 0, 0], 0.01, centre=two)
    assert (made[:, NEAR] == 0).all()
    assert made[:, FAR].mean() == pytest.approx(3, abs=0.3)
    most = sheltered([650, 0, 0, 0, 0], 1.0, centre=two)
    assert most[:, FAR].mean() == pytest.approx(650 * 5 / 65, rel=0.03)


def test_who_has_nowhere_to_go_stays() -> None:
    alone = found.Hints(np.zeros((0, 3), np.int64), np.array([[50]]), np.zeros(1, np.int64), np.ones(1, bool))
    made = found.found(streams(1), np.array([[50]]), alone, np.ones((R, 1)), (np.ones(R), np.full(R, 0.5)))
    assert (made == 50).all()


@given(
    counts=st.lists(st.integers(0, 30), min_size=5, max_size=5),
    rates=st.lists(st.floats(0.01, 100), min_size=5, max_size=5),
    placed=st.floats(0, 1),
    centre=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_whatever_is_known_nobody_is_lost_and_shelter_stays_within_the_region(
    counts: list[int], rates: list[float], placed: float, centre: list[bool]
) -> None:
    shelter = np.array(counts)[:, None]
    hints = found.Hints(np.zeros((0, 3), np.int64), shelter, REGION, np.array(centre))
    made = found.found(streams(2), shelter, hints, np.tile(rates, (20, 1)), (np.ones(20), np.full(20, placed)))[:, :, 0]
    assert (made >= 0).all()
    for region in (0, 1):
        assert (made[:, region == REGION].sum(axis=1) == shelter[region == REGION].sum()).all()


def told(folder: Path) -> tuple[list[dict[str, object]], tables.Linked, int]:
    """(rows of the title ends that are used and placed, the country, the municipality where most are): everybody has
    support at home or shelter from that one, by person number."""
    linked.write(folder, seed=3)
    path = folder / "title_end_events.parquet"
    events = pq.read_table(path).to_pylist()
    towns = Counter(row["gemeente"] for row in events if row["gemeente"] not in (None, "0000"))
    first = towns.most_common(1)[0][0]
    for row in events:
        row |= {"wmo_group": "OPVANG" if row["person_id"] % 3 else "THUIS", "gemeente_delivery": first}
        row |= {"gemeente_basis": "DELIVERY" if row["gemeente"] == first else row["gemeente_basis"]}
    pq.write_table(pa.Table.from_pylist(events, LINKED_TABLES["title_end_events"].arrow_schema()), path)
    data = tables.read(folder)
    counts = {"RUNNING", "START_M90_0", "START_0_30", "START_30_90", "START_90_180"}
    rows = [r for r in events if r["gemeente"] in towns and r["excluded"] is None and r["outcome"] in counts]
    return rows, data, int(data.places.index([first])[0])


def test_support_at_home_and_shelter_from_another_region_tell_of_another_place(tmp_path: Path) -> None:
    """Support at home is given where one lives; shelter by the centrumgemeente of the region, so not by another one."""
    rows, data, first = told(tmp_path / "linked")
    hints = use.counted(data, "ALLE", 6).hints
    assert hints is not None
    region = {code: int(data.places.region[i]) for i, code in enumerate(data.places.codes)}
    apart = [row for row in rows if row["gemeente"] != data.places.codes[first]]
    away = [row for row in apart if region[str(row["gemeente"])] != region[data.places.codes[first]]]
    expected = sum(row["wmo_group"] == "THUIS" for row in apart) + sum(row["wmo_group"] == "OPVANG" for row in away)
    assert len(hints.elsewhere) == expected > 50
    assert len(away) < len(apart)
    assert (hints.elsewhere[:, 2] == first).all()
    counted = use.counted(data, "ALLE", 6).y
    assert (counted[hints.elsewhere[:, 0], hints.elsewhere[:, 1]] > 0).all()


def test_in_shelter_are_those_of_whom_nothing_else_tells_the_place(tmp_path: Path) -> None:
    rows, data, first = told(tmp_path / "linked")
    hints = use.counted(data, "ALLE", 6).hints
    assert hints is not None
    mine = [row for row in rows if row["wmo_group"] == "OPVANG" and row["gemeente"] == data.places.codes[first]]
    assert hints.sheltered[first].sum() == hints.sheltered.sum() == len(mine) > 3
    assert (hints.centre == (data.places.centre > 0)).all()


def test_a_backtest_takes_what_was_known_then() -> None:
    elsewhere = np.array([[0, 1, 2], [1, 5, 2], [3, 7, 0]])
    hints = found.Hints(elsewhere, np.arange(40).reshape(5, 8), REGION, CENTRE).first(6)
    assert hints.elsewhere[:, 1].tolist() == [1, 5]
    assert hints.sheltered.shape == (5, 6)


def test_wrong_links_are_lost_wherever_they_were_counted() -> None:
    y = np.array([[400, 0, 8], [0, 50, 8], [0, 0, 0]])
    candidates = np.tile([0, 0, 1], (100, 1))
    for told in (None, candidates):
        made = settled(y, np.ones((R, 3)), (0.8, 0.9), told)
        assert made.sum(axis=1).mean(axis=0) == pytest.approx(0.8 * y.sum(axis=0), rel=0.02)
