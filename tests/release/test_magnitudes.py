"""Hours and costs: dominance in the open, relative protection behind a mark, and the numbers the field prints for both.

Examples 1 to 5: SDC Handbook, 2nd edition (2024), section 4.2, under the names they have there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.protect import checking, primary, tables
from release.protect.checking import Checked
from release.protect.magnitudes import Contributions, intervals
from release.protect.primary import Dominance
from release.protect.system import Floats
from schemas.errors import ConfigError, DisclosureRefused
from tests.release.tauargus import Table as Argus
from tests.release.test_protect import grid

LOOSE = Dominance(one=1, two=1, p=0)


def one_cell(*amounts: float) -> tuple[Floats, Floats, Floats]:
    return primary.top_two([np.array(amounts)])


def told(total: float, largest: float, second: float) -> tuple[Floats, Floats, Floats]:
    return np.array([total]), np.array([largest]), np.array([second])


# In the open.


def test_example_1_the_second_estimates_the_first_within_two_percent() -> None:
    cell = told(100_000, 50_000, 49_000)
    assert not primary.concentrated(*cell, Dominance(one=0.9, two=1))[0]
    assert primary.estimable(*cell, Dominance(p=0.021))[0]
    assert not primary.estimable(*cell, Dominance(p=0.02))[0]  # 2 percent of 50,000 is what is left: not less


def test_example_2_p_percent_lets_pass_what_2_k_does_not() -> None:
    cell = told(110_000, 52_000, 50_000)
    assert not primary.estimable(*cell, Dominance(p=0.1))[0]
    assert primary.concentrated(*cell, Dominance(one=1, two=0.909))[0]


def test_example_4_three_contributors() -> None:
    cell = one_cell(20, 300, 10)
    assert [float(part[0]) for part in cell] == [330, 300, 20]
    assert primary.concentrated(*cell, Dominance(one=0.85, two=1))[0]
    assert Contributions(300, 20, 3).reach(Dominance(one=0.85, two=1, p=0)) == pytest.approx(352.94, abs=0.01)


def test_exactly_at_a_limit_is_not_over_it() -> None:
    """More than half, more than 85 percent, less than 10 percent: equal is none of these."""
    assert not primary.dominated(*one_cell(50, 20, 20, 10))[0]
    assert primary.dominated(*one_cell(50.1, 20, 20, 9.9))[0]
    assert not primary.dominated(*one_cell(45, 40, 15))[0]
    assert primary.dominated(*one_cell(45, 40.1, 14.9))[0]
    assert primary.dominated(*one_cell(7))[0]
    assert not primary.dominated(*one_cell())[0]


AMOUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=8)


@given(AMOUNTS, st.integers(1, 60))
def test_what_2_k_lets_pass_p_percent_lets_pass(amounts: list[int], p: int) -> None:
    """Statement A of the Handbook, for k = 100 * 100 / (100 + p); k upwards, since ours are in thousandths."""
    cell, k = one_cell(*amounts), np.floor(1000 * 100 / (100 + p)) / 1000
    if not primary.concentrated(*cell, Dominance(one=1, two=k))[0]:
        assert not primary.estimable(*cell, Dominance(p=p / 100))[0]


@given(AMOUNTS)
def test_with_our_limits_p_percent_never_fails_alone(amounts: list[int]) -> None:
    """At most half and at most 85 percent leave 15 percent of the total, which is 30 percent of the largest."""
    cell = one_cell(*amounts)
    assert not primary.estimable(*cell, Dominance())[0] or primary.concentrated(*cell, Dominance())[0]


@given(AMOUNTS)
def test_p_percent_is_what_the_best_placed_contributor_can_do(amounts: list[int]) -> None:
    """Brute force: every contributor subtracts its own amount and takes the rest for any other's; within 10 percent?"""
    total = sum(amounts)
    near = any(
        10 * (total - own - other) < other for i, own in enumerate(amounts) for j, other in enumerate(amounts) if i != j
    )
    alone = len(amounts) == 1 and total > 0  # nobody inside to estimate it: everybody outside reads it
    assert primary.estimable(*one_cell(*amounts), Dominance())[0] == (near or alone)


# Behind a mark.


@given(AMOUNTS, st.sampled_from([Dominance(), Dominance(one=0.6, two=0.9, p=0.25), LOOSE]))
def test_a_cell_must_reach_beyond_its_value_just_when_a_rule_is_broken(amounts: list[int], rule: Dominance) -> None:
    """The upper protection level is positive for sensitive cells and for no others; at it, no rule is broken."""
    total, largest, second = one_cell(*amounts)
    reach = Contributions(float(largest[0]), float(second[0]), len(amounts)).reach(rule)
    broken = bool(primary.dominated(total, largest, second, rule)[0])
    assert broken == (reach > total[0] + 1e-9)
    enough = np.array([np.ceil(reach * 1000) / 1000 + 0.001])
    assert not primary.dominated(np.maximum(enough, total), largest, second, rule)[0]


def test_example_5_the_upper_protection_level_of_p_percent() -> None:
    x, one, two, p = 330.0, 300.0, 20.0, 0.1
    level = p * one - (x - one - two)
    assert Contributions(one, two, 3).reach(Dominance(one=1, two=1, p=p)) == x + level == 350


def test_example_3_the_feasibility_interval() -> None:
    """Geurts (1992), table 10: with the upper left corner of four hidden, it can be 3 to 6."""
    system, values = grid(np.array([[4.0, 3], [2, 1], [3, 3]]))
    hidden = np.isin(np.arange(12), [0, 1, 3, 4])
    least, most = intervals(system, np.where(hidden, 0, values), np.where(hidden, np.inf, values), np.array([0]))
    assert (least[0], most[0]) == (3, 6)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_intervals_as_tau_argus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Amounts in quarters; tau-ARGUS (JJ format) computes the ranges of its audit by linear programs of its own."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    system, values = grid(rng.integers(0, 80, (4, 4)) / 4)
    hidden = rng.random(system.cells) < 0.5
    hidden[-1] = False
    cells = np.flatnonzero(hidden)
    least, most = intervals(system, np.where(hidden, 0.0, values), np.where(hidden, np.inf, values), cells)
    low, high = Argus(tmp_path, system, values).intervals(hidden)
    assert np.abs(least - low[cells]).max() < 1e-5 and np.abs(most - high[cells]).max() < 1e-5


def test_what_fits_nothing_is_refused_and_what_nothing_limits_is_infinite() -> None:
    system, values = grid(np.array([[1.5, 2], [3, 4]]))
    least, most = intervals(system, values * 0, values + np.inf, np.array([0, 8]))
    assert least.tolist() == [0, 0] and np.isinf(most).all()
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        intervals(system, values + np.eye(9)[0], values + np.eye(9)[0], np.array([0]))
    wrong = np.where(np.arange(9) == 4, 0, values + np.eye(9)[0])
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        intervals(system, wrong, np.where(np.arange(9) == 4, 1, wrong), np.array([4]))


# As files.

GOOD = """gemeente;uren;grootste;tweede;bijdragers
A;1.200,5;300;200;14
B;800,25;90,5;80;25
totaal;2.000,75;300;200;39
"""


def put(folder: Path, text: str, name: str = "uren.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def checked(*paths: Path) -> Checked:
    return checking.check([tables.read(path) for path in paths])


def counts(folder: Path, text: str) -> dict[str, int]:
    """What is found, without what is not."""
    found = checked(put(folder, text)).findings[0].counts
    return {name: number for name, number in found.items() if number}


def test_hours_of_many_pass_and_fractions_add_up(tmp_path: Path) -> None:
    table = tables.read(put(tmp_path, GOOD))
    assert sorted(table.shown.values()) == [800.25, 1200.5, 2000.75]
    assert (table.columns, table.measure, table.magnitude) == (("gemeente",), "uren", True)
    assert checked(put(tmp_path, GOOD)).status == "pass"
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        checked(put(tmp_path, GOOD.replace("800,25", "800,2")))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A;1000;501;100;20", {"dominance": 1}),
        ("A;1000;450;401;20", {"dominance": 1}),
        ("A;1000;480;475;20", {"dominance": 1}),
        ("A;1000;450;400;20", {}),
        ("A;1000;200;150;9", {"threshold": 1}),
        ("A;1000;1000;0;1", {"threshold": 1, "dominance": 1}),
        ("A;0;0;0;0", {"zeros": 1}),
    ],
    ids=["more than half", "two have more than 85%", "p%", "at the limits", "nine", "one", "nobody"],
)
def test_a_shown_cell_is_judged_by_its_contributions(tmp_path: Path, line: str, expected: dict[str, int]) -> None:
    assert counts(tmp_path, f"g;uren;grootste;tweede;bijdragers\n{line}\n") == expected


def hidden_rows(first: str, second: str) -> str:
    """Two rows of two cells each hidden; 100 of 400 hours are in the first column of the first row."""
    return f"""g;s;uren;grootste;tweede;bijdragers
a;1;x;{first}
a;2;x;{second}
a;totaal;400;60;50;40
b;1;x;;;
b;2;x;;;
b;totaal;600;60;50;60
totaal;1;300;60;50;40
totaal;2;700;60;50;60
totaal;totaal;1000;60;50;100
"""


def test_a_hidden_cell_must_be_able_to_hide_its_largest_contributor(tmp_path: Path) -> None:
    """The cell can be 0 to 300. A largest contribution of 150 needs 300 (twice), one of 151 needs 302."""
    assert counts(tmp_path, hidden_rows("150;0;1", "60;50;30").replace("150;0;1", "150;40;12")) == {}
    assert counts(tmp_path, hidden_rows("151;40;12", "60;50;30")) == {"recoverable": 1}
    assert counts(tmp_path, hidden_rows("140;140;12", "60;50;30")) == {"recoverable": 1}  # 280 / 0.85 is more than 300


def test_who_is_the_only_one_in_a_cell_knows_it(tmp_path: Path) -> None:
    """With the first cell known, the other three are known too: those that are large and many do not mind."""
    assert counts(tmp_path, hidden_rows("100;50;12", "60;50;30")) == {}
    assert counts(tmp_path, hidden_rows("100;0;1", "60;50;30")) == {"recoverable": 2}  # b1 and b2 stated nothing
    full = (
        hidden_rows("100;0;1", "60;50;30").replace("b;1;x;;;", "b;1;x;60;50;30").replace("b;2;x;;;", "b;2;x;60;50;30")
    )
    assert counts(tmp_path, full) == {}


def test_few_contributors_ask_for_a_range_that_is_wide_beside_the_value(tmp_path: Path) -> None:
    """Sliding protection: 10 percent of the value. 300 hours of which 280 to 300 are possible are as good as shown."""
    text = "g;uren;grootste;tweede;bijdragers\na;x;{}\nb;<{};1;1;12\ntotaal;300;60;50;40\n"
    assert counts(tmp_path, text.format("60;50;9", 20)) == {"recoverable": 1}
    assert counts(tmp_path, text.format("60;50;10", 20)) == {}  # ten and no dominance: hidden for another's sake
    assert counts(tmp_path, text.format("60;50;9", 31)) == {}
    assert counts(tmp_path, text.format(";;", 20)) == {"recoverable": 1}


def test_counts_and_hours_of_the_same_groups_are_different_cells(tmp_path: Path) -> None:
    persons = put(tmp_path, "gemeente;aantal\nA;40\nB;60\ntotaal;100\n", "personen.csv")
    assert checked(put(tmp_path, GOOD), persons).status == "pass"
    again = put(tmp_path, GOOD.replace("A;1.200,5;300", "A;1.201;300"), "nogmaals.csv")
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        checked(put(tmp_path, GOOD), again)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("g;uren;grootste;tweede\na;10;5;3\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;;;\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;6;5;12\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;3;4;12\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;3;3;3\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;9;0;1\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;6;3;2,5\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;10;x;3;2\n", "contributions"),
        ("g;uren;grootste;tweede;bijdragers\na;-10;6;3;20\n", "number"),
        ("g;uren\na;10,5\n", "contributions"),
    ],
    ids=["a column lacks", "not stated", "two are more than all", "the second is larger", "three cannot fill it",
         "one is not all", "half a contributor", "hidden", "negative", "no columns"],
)  # fmt: skip
def test_a_magnitude_must_come_with_contributions_that_can_be_true(tmp_path: Path, text: str, kind: str) -> None:
    with pytest.raises(ConfigError, match="bad_table") as caught:
        tables.read(put(tmp_path, text))
    assert caught.value.facts["kind"] == kind


def test_whole_hours_are_declared(tmp_path: Path) -> None:
    """`--magnitude`: 40 hours look like 40 persons."""
    path = put(tmp_path, "g;uren\na;40\n")
    assert checking.check([tables.read(path)]).status == "pass"
    with pytest.raises(ConfigError, match="bad_table"):
        tables.read(path, magnitude=True)
