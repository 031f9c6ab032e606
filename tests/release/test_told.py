"""Estimates beside protected tables: what they tell of hidden counts, and how little of them has to give way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.estimates import Estimates
from release.protect import coarser, spec
from release.protect.design import audit
from release.protect.edition import Outcome, audit_counts, protect_all, safe_estimates
from release.protect.merge import outsider
from release.protect.period import Period
from release.protect.soft import Soft
from release.protect.system import Floats
from release.protect.told import Sheet
from release.protect.yielding import without_leaks
from schemas.errors import DisclosureRefused
from schemas.estimates import BASES, SCHATTINGEN
from tests.release.additive import target_group
from tests.release.tiny import tiny

HALF = "2023H2"
SOME = frozenset({"Zeeland", "Limburg"})
SPEC = spec.load()
ESTIMATED = {
    "titel_eindes": ("TITEL_EINDES", "ALLE", 0),
    "wmo_180": ("GEBRUIK", "ALLE", 6),
    "wmo_365": ("GEBRUIK", "ALLE", 12),
    "wmo_thuis_180": ("GEBRUIK", "THUIS", 6),
    "wmo_opvang_180": ("GEBRUIK", "OPVANG", 6),
}


def row(**changes: Any) -> dict[str, Any]:
    """A row of SCHATTINGEN, with the sentence that its numbers make."""
    made: dict[str, Any] = {
        "niveau": "veiligheidsregio",
        "code": "VR19",
        "naam": "Zeeland",
        "periode": HALF,
        "soort": "GEBRUIK",
    }
    made |= {"groep": "ALLE", "maanden": 6, "laag": 60, "schatting": 65, "hoog": 75, "kwaliteit": "GOED", "aanname": ""}
    made |= {"basis": "GETELD_EN_GESCHAT", **changes}
    if made["hoog"] is not None and "weergave" not in made:
        told = f"naar schatting {made['schatting']}, waarschijnlijk tussen {made['laag']} en {made['hoog']}"
        made["weergave"] = f"{told} ({BASES[made['basis']]})."
    return made


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHATTINGEN.arrow_schema())


# Told coarsely.


@pytest.mark.parametrize(
    ("numbers", "step", "expected"),
    [
        ((60, 65, 75), 0, (60, 65, 75)),
        ((60, 65, 75), 1, (60, 60, 75)),
        ((60, 70, 75), 1, (60, 75, 75)),
        ((200, 210, 235), 2, (200, 200, 240)),
        ((185, 210, 235), 2, (160, 200, 240)),
        ((1205, 1250, 1310), 3, (1200, 1300, 1400)),
        ((20, 25, 35), 1, (15, 30, 45)),
        ((20, 25, 35), 2, None),
        ((5, 10, 20), 1, None),
        ((60, 65, 75), 4, None),
    ],
)
def test_an_interval_outward_to_a_coarser_step(
    numbers: tuple[int, int, int], step: int, expected: tuple[int, int, int] | None
) -> None:
    """To multiples of 15, 40 and 100; one that is wider than one and a half times its estimate is given up."""
    assert coarser.told(numbers, step) == expected


@given(st.integers(0, 400), st.integers(0, 60), st.integers(0, 60), st.integers(0, 4))
def test_coarser_never_says_more(low: int, up: int, further: int, step: int) -> None:
    numbers = (5 * low, 5 * (low + up), 5 * (low + up + further))
    found = coarser.told(numbers, step)
    if found is not None:
        assert found[0] <= numbers[0] and found[2] >= numbers[2] and found[0] <= found[1] <= found[2]
        assert all(number % coarser.STEPS[step] == 0 for number in (found[0], found[2]))
        assert step == 0 or found[2] - found[0] <= coarser.WIDEST * numbers[1]


def test_the_sentence_says_the_numbers_of_the_row_and_what_happened() -> None:
    given = table(row(kwaliteit="VOORZICHTIG", laag=1205, schatting=1250, hoog=1310))
    (found,) = Estimates(coarser.rewritten(given, [3])).table.to_pylist()
    assert found["weergave"] == (
        "naar schatting 1.300, waarschijnlijk tussen 1.200 en 1.400 (geteld, aangevuld met een schatting van wat niet "
        "te zien is). Grover afgerond, zodat geen klein aantal te herleiden is. Wees voorzichtig met dit getal."
    )
    assert (found["laag"], found["schatting"], found["hoog"], found["kwaliteit"]) == (1200, 1300, 1400, "VOORZICHTIG")


def test_who_quotes_a_region_says_what_the_region_says_now() -> None:
    region, other = row(), row(periode="2022H1")
    place = {"niveau": "gemeente", "code": "0687", "naam": "Middelburg", "kwaliteit": "REGIO"}
    none = dict.fromkeys(("laag", "schatting", "hoog"))
    quotes = [
        row(
            **place,
            **none,
            periode=one["periode"],
            weergave=f"Te onzeker voor deze gemeente. In Zeeland: {one['weergave']}",
        )
        for one in (region, other)
    ]
    given = table(region, other, *quotes)
    once = Estimates(coarser.rewritten(given, [1, 0, 0, 0])).table["weergave"].to_pylist()
    assert once[2] == f"Te onzeker voor deze gemeente. In Zeeland: {once[0]}" and "tussen 60 en 75" in once[2]
    assert once[3] == quotes[1]["weergave"], "of another period nothing changed"
    gone = Estimates(coarser.rewritten(given, [4, 0, 0, 0])).table.to_pylist()
    assert gone[0]["hoog"] is None and gone[0]["kwaliteit"] == "GEWEIGERD"
    assert gone[2]["weergave"] == coarser.UNCERTAIN and "60" not in gone[2]["weergave"]


# What is told.


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return protect_all(target_group(halves=(HALF,), mean=60, provinces=SOME), SPEC)


def sheet_of(outcome: Outcome, *rows: dict[str, Any]) -> Sheet:
    hidden = [np.ones((len(outcome.layout.areas), len(SPEC.measures)), dtype=bool)]
    return Sheet(table(*rows), outcome.layout, outcome.periods, hidden)


def told_of(outcome: Outcome, row_: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Measure -> bounds that one row gives the cells of its area, when everything is hidden."""
    low, high = sheet_of(outcome, row_).bounds(0)
    at = outcome.layout.areas.index((row_["niveau"], row_["code"]))
    found = {name: (low[at, n], high[at, n]) for n, name in enumerate(SPEC.measures)}
    return {name: ends for name, ends in found.items() if ends != (0, np.inf)}


def count_of(outcome: Outcome, measure: str) -> int:
    """Of Zeeland."""
    at = outcome.layout.areas.index(("veiligheidsregio", "VR19"))
    return int(outcome.periods[0].values[at, outcome.periods[0].template.names.index(measure)])


@pytest.mark.parametrize("measure", ESTIMATED)
def test_the_ends_of_an_estimate_bound_its_count(outcome: Outcome, measure: str) -> None:
    kind, group, months = ESTIMATED[measure]
    true = count_of(outcome, measure)
    about = {"soort": kind, "groep": group, "maanden": months}
    assert told_of(outcome, row(**about, laag=true - 3, hoog=true + 9)) == {measure: (true - 3, true + 9)}
    assert told_of(outcome, row(**about, laag=true + 2, hoog=true + 9)) == {measure: (0, true + 9)}, (
        "the low end misleads"
    )
    assert told_of(outcome, row(**about, laag=true - 3, hoog=true - 1)) == {measure: (true - 3, np.inf)}


@pytest.mark.parametrize(
    ("about", "least", "most"),
    [
        ({"maanden": 3}, "wmo_180", None),
        ({"groep": "THUIS", "maanden": 3}, "wmo_thuis_180", None),
        ({"groep": "THUIS", "maanden": 12}, "wmo_365", "wmo_thuis_180"),
        ({"groep": "OPVANG", "maanden": 12}, "wmo_365", "wmo_opvang_180"),
        ({"soort": "BEHOEFTE", "aanname": "B75", "maanden": 6}, None, "wmo_180"),
        ({"soort": "BEHOEFTE", "aanname": "B75", "maanden": 3}, None, None),
    ],
)
def test_what_is_not_printed_bounds_what_is_on_one_side(
    outcome: Outcome, about: dict[str, Any], least: str | None, most: str | None
) -> None:
    """Use within three months is part of use within six; support at home within a year holds that within six months."""
    found = told_of(outcome, row(**about, laag=5, schatting=500, hoog=1000))
    expected = {name: [0.0, np.inf] for name in (least, most) if name}
    if least:
        expected[least][0] = 5
    if most:
        expected[most][1] = 1000
    assert found == {name: tuple(ends) for name, ends in expected.items()}


def test_an_estimate_without_a_count_or_without_numbers_tells_nothing(outcome: Outcome) -> None:
    assert told_of(outcome, row(basis="GESCHAT", laag=0, hoog=20)) == {}
    assert told_of(outcome, row(laag=None, schatting=None, hoog=None, kwaliteit="GEWEIGERD", weergave="-")) == {}


# What gives way.


def cheapest(period: Period, low: Floats, high: Floats, persons: float) -> list[tuple[int, int, float]] | None:
    """What the first municipality passes on its way to so many persons; of all areas the country alone is shown."""
    bounded = replace(period, bounds=(low, high))
    hidden = np.ones(period.weight.shape, dtype=bool)
    hidden[-1] = False
    view = outsider(bounded, hidden)
    first = int(np.flatnonzero(view.rows == 0)[0]) * len(period.template.names)
    return Soft(view, bounded, (low, high)).solve(first, persons, 1.0)


def test_the_cheapest_way_passes_no_bound_that_it_need_not() -> None:
    """Three municipalities of 2, 9 and 9 persons. The first must be able to be 5; the second is told to be 9 at least.

    Somebody gives three up: the third, of whom nothing is told. When the third is told to be 7 at least, two come from
    there, and one from wherever a bound is passed.
    """
    period = tiny(np.array([[2.0, 1], [9, 4], [9, 4]]), [[[0, 1, 2]]])
    low, high = np.zeros(period.weight.shape), np.full(period.weight.shape, np.inf)
    low[1, 0] = 9
    assert cheapest(period, low, high, 5) == []
    low[2, 0] = 7
    assert cheapest(period, low, high, 5) in ([(1, 0, 8.0)], [(2, 0, 6.0)])
    assert cheapest(period, low, high, 21) is None, "the country has 20"


def test_a_regions_estimate_is_dearer_than_a_municipalitys() -> None:
    """Two regions; a municipality can only grow when its region does, or its neighbour gives: the neighbour's bound."""
    period = tiny(np.array([[2.0, 1], [9, 4], [5, 2], [8, 3]]), [[[0, 1], [2, 3]]])
    low, high = np.zeros(period.weight.shape), np.full(period.weight.shape, np.inf)
    low[1, 0], low[4, 0], high[4, 0] = 9, 11, 11
    assert cheapest(period, low, high, 5) == [(1, 0, 6.0)]


def estimates_of(outcome: Outcome) -> pa.Table:
    """Estimates of every count from 10 of every area: little is missed, so the ends are near the count."""
    rng = np.random.default_rng(5)
    rows = []
    for at, (niveau, code) in enumerate(outcome.layout.areas):
        for measure, (kind, group, months) in ESTIMATED.items():
            true = int(outcome.periods[0].values[at, outcome.periods[0].template.names.index(measure)])
            if true >= 10 and code != "ONB":
                low, high = true // 5 * 5, -(-(true + int(rng.integers(1, 3 + true // 10))) // 5) * 5
                place = {"niveau": niveau, "code": code, "naam": "-", "soort": kind, "groep": group, "maanden": months}
                rows.append(row(**place, laag=low, schatting=min(low + 5, high), hoog=high))
    return table(*rows)


def test_little_gives_way_and_the_attack_finds_nothing(outcome: Outcome) -> None:
    """Before it narrowed hidden cells; after it none, with most numbers kept, some of them told more coarsely."""
    given = estimates_of(outcome)
    shown = outcome.protected.table["aantal"].combine_chunks()
    assert audit_counts(outcome, shown, given) > 0
    safe = Estimates(safe_estimates(outcome, given)).table
    assert audit_counts(outcome, shown, safe) == 0
    changed = Counter(
        "same" if now == before else "none" if now["hoog"] is None else "coarser"
        for now, before in zip(safe.to_pylist(), given.to_pylist(), strict=True)
    )
    assert changed["same"] + changed["coarser"] >= 0.9 * len(given), changed
    assert changed["coarser"] > changed["none"] > 0, changed


def test_only_the_measure_at_fault_gives_way(outcome: Outcome) -> None:
    """One tight interval of a hidden small count; of the same area an estimate that bounds nothing hidden stays."""
    period, hidden = outcome.periods[0], outcome.protected.table["aantal"].is_null().to_numpy()
    cube = np.zeros((len(outcome.layout.areas), len(SPEC.measures)), dtype=bool)
    cube[outcome.layout.place[1], outcome.layout.place[2]] = hidden
    use, ends = (period.template.names.index(name) for name in ("wmo_180", "titel_eindes"))
    small = (period.values[:, use] > 0) & (period.values[:, use] < 10) & period.insiders
    at = int(np.flatnonzero(cube[:, use] & ~cube[:, ends] & small)[0])
    niveau, code = outcome.layout.areas[at]
    place = {"niveau": niveau, "code": code, "naam": "-"}
    down, whole = int(period.values[at, use]) // 5 * 5, int(period.values[at, ends]) // 5 * 5
    told = {"soort": "TITEL_EINDES", "maanden": 0, "laag": whole, "schatting": whole + 5, "hoog": whole + 10}
    given = table(row(**place, laag=down, schatting=down, hoog=down + 5), row(**place, **told))
    safe = safe_estimates(outcome, given)
    assert safe["hoog"].to_pylist() == [None, whole + 10]
    assert safe["weergave"].to_pylist()[1] == given["weergave"].to_pylist()[1]
    assert audit(period, cube, outcome.points[0]) == 0


def test_a_pattern_that_is_unsafe_by_itself_is_refused(outcome: Outcome) -> None:
    """Every count of 10 and more shown: no estimate is to blame, and refusing all of them does not help."""
    values = outcome.periods[0].values[:, : len(SPEC.measures)]
    given = table(row(laag=0, schatting=400, hoog=900))
    assert values.max() > 400
    with pytest.raises(DisclosureRefused, match="unsafe_tables"):
        without_leaks(
            given,
            outcome.layout,
            outcome.periods,
            [(values < 10) | (values == count_of(outcome, "wmo_180"))],
            outcome.points,
        )
