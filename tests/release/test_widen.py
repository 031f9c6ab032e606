"""What the audit cannot prove safe is fed back into suppression, for a bounded number of rounds."""

from __future__ import annotations

import numpy as np
import pytest

from release.protect import design, secondary
from release.protect import spec as specification
from release.protect.design import audit, protect
from release.protect.period import Period
from release.protect.periods import periods
from release.protect.widen import widen
from schemas.errors import DisclosureRefused
from tests.release.additive import target_group

SPEC = specification.load()
SMALL = frozenset({"Groningen", "Drenthe", "Limburg"})


@pytest.fixture(scope="module")
def period() -> Period:
    _, (made,) = periods(target_group(halves=("2023H2",), mean=4, provinces=SMALL), SPEC, SPEC.basis)
    return made


@pytest.fixture
def lame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suppression that leaves out its repair: what elimination does not catch stays unsafe."""
    monkeypatch.setattr(secondary, "ROUNDS", 0)


@pytest.mark.usefixtures("lame")
def test_what_suppression_leaves_open_is_fed_back_until_the_audit_is_content(period: Period) -> None:
    found = protect(period)
    assert found.steps["fed_back"] > 0
    assert audit(period, found.hidden) == 0
    assert not found.hidden.all()


@pytest.mark.usefixtures("lame")
def test_it_gives_up_after_the_rounds_it_was_given_and_says_how_many_cells_are_left(period: Period) -> None:
    with pytest.raises(DisclosureRefused, match=r"unprotectable \(cells=\d+") as caught:
        protect(period, rounds=0)
    assert caught.value.exit_code == 14


def test_a_sound_suppression_needs_no_help(period: Period) -> None:
    assert "fed_back" not in protect(period).steps


def test_each_time_a_cell_comes_back_more_is_hidden(period: Period) -> None:
    """First the cheapest neighbour in its row, then all of them, then those above, then whole municipalities."""
    row = int(np.flatnonzero(period.insiders)[0])
    sizes, silent = [], []
    for times in range(5):
        hidden = np.zeros(period.weight.shape, dtype=bool)
        widen(period, hidden, (row, 1), times)
        sizes.append(int(hidden.sum()))
        silent.append(int(hidden.all(axis=1).sum()))
    assert sizes[0] == 1
    assert sizes == sorted(sizes) and len(set(sizes)) == 5
    assert silent == [0, 0, 0, 3, 6]


def test_findings_name_the_cells_of_an_unprotected_pattern(period: Period) -> None:
    places = design.findings(period, period.start())
    assert places and all(period.judged.target[place] or period.insiders[place[0]] for place in places)
    assert len(places) == audit(period, period.start())
