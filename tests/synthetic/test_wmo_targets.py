"""Wmo flows of the synthetic country: published figures as they are, and what is made where nothing is published."""

from __future__ import annotations

import numpy as np
import pytest

from synthetic import geo, targets, wmo_targets
from synthetic.days import YEARS
from synthetic.rand import Streams
from synthetic.wmo_targets import HOME, IN, OUT, Flows

CASES = [(year, flow) for year in range(len(YEARS)) for flow in (IN, OUT)]


@pytest.fixture(scope="module")
def made() -> Flows:
    """At scale 1, where nothing is rounded away."""
    return wmo_targets.flows(Streams(1, 0), 1.0)


def gap(made: Flows, year: int) -> np.ndarray:
    return np.nonzero(geo.exists()[year] & ~made.delivers[HOME, year])[0]


@pytest.mark.parametrize(("year", "flow"), CASES)
def test_where_nothing_is_delivered_support_is_as_in_towns_of_the_same_size(made: Flows, year: int, flow: int) -> None:
    """The same support per end notice as the 25 towns that deliver whose number of notices has the nearest ratio."""
    ends, delivering = targets.notices(1.0).end[year], geo.exists()[year] & made.delivers[HOME, year]
    counts = made.flows[HOME, year, flow]
    assert len(gap(made, year)) > 20
    for town in gap(made, year):
        own = np.log(ends[town] + 1.0)
        others = sorted(np.nonzero(delivering)[0], key=lambda other: abs(np.log(ends[other] + 1.0) - own))
        like = others[: wmo_targets.LIKE]
        assert counts[town] == pytest.approx(ends[town] * counts[like].sum() / ends[like].sum(), abs=0.51)


@pytest.mark.parametrize(("year", "flow"), CASES)
def test_small_towns_have_more_support_per_notice_than_large_ones(made: Flows, year: int, flow: int) -> None:
    """Detention gathers in cities, support does not: one rate for all would make towns that do not deliver odd ones."""
    ends, counts = targets.notices(1.0).end[year], made.flows[HOME, year, flow]
    delivering = np.nonzero(geo.exists()[year] & made.delivers[HOME, year] & (ends > 0))[0]
    small, large = np.array_split(delivering[np.argsort(ends[delivering])], 2)
    rate = [counts[some].sum() / ends[some].sum() for some in (small, large, gap(made, year))]
    assert rate[0] > 1.5 * rate[1]
    assert rate[1] < rate[2] < 1.5 * rate[0]


def test_published_figures_are_not_touched(made: Flows) -> None:
    """A multiple of five is within two of what is made; and towns without any figure deliver nothing."""
    counts, known = wmo_targets.printed()
    assert np.abs(made.flows[:, 2:4] - counts)[known].max() <= 2
    never = ~known[HOME].any(axis=(0, 1)) & geo.exists().all(axis=0)  # towns of all years
    assert never.sum() >= 20
    assert not made.delivers[HOME, 3][never].any()
