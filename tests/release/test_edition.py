"""The fully protected edition of a small country: suppressed, attacked, mutated, rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from release.protect.design import Points, findings
from release.protect.edition import HIDDEN, Outcome, Protected, audit_counts, open_edition, protect_all
from release.protect.evidence import Evidence
from schemas.errors import DisclosureRefused
from schemas.target_group import DOELGROEP, MATEN
from tests.release.additive import target_group
from tests.release.fixtures import table_of


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return protect_all(small_country())


def small_country() -> pa.Table:
    return target_group(halves=("2023H2",), mean=3.0)


def test_what_is_shown_is_exact_and_ten_or_more(outcome: Outcome) -> None:
    true, shown = small_country()["aantal"].to_pylist(), outcome.protected.table["aantal"].to_pylist()
    assert all(s is None or (s == t and s >= 10) for s, t in zip(shown, true, strict=True))
    assert all(s is None for s, t in zip(shown, true, strict=True) if t < 10)
    assert 0 < outcome.protected.hidden < len(true)


def test_the_country_stays_readable(outcome: Outcome) -> None:
    """Suppression that hides everything is safe and useless: the country's headline is shown."""
    table = outcome.protected.table.to_pylist()
    land = {r["maat"]: r["aantal"] for r in table if r["niveau"] == "land"}
    assert land["titel_eindes"] is not None and land["wmo_180"] is not None


def test_all_hidden_cells_look_alike(outcome: Outcome) -> None:
    found = outcome.protected.table
    hidden = found.filter(pc.is_null(found["aantal"]))
    assert hidden.num_rows > 1000
    assert set(hidden["weergave"].to_pylist()) == {HIDDEN}


def test_the_audit_passes_what_protection_made_and_needs_no_certificate_for_it(outcome: Outcome) -> None:
    counts = outcome.protected.table["aantal"].combine_chunks()
    assert audit_counts(outcome, counts) == 0
    assert audit_counts(replace(outcome, points=[Points() for _ in outcome.points]), counts) == 0


def test_the_evidence_says_how_narrow_it_got_and_names_no_cell(outcome: Outcome) -> None:
    """The rule asks width 5; no range is narrower than its rule, and the last audit stands on points found before."""
    told = outcome.log["audit"]
    assert told["narrowest_range"] >= 5 and told["narrowest_part_of_rule"] >= 1
    assert told["attacks"] >= 3 * len(outcome.periods) and told["cells_attacked"] > 500
    assert set(told) == {
        *("attacks", "cells_attacked", "lps", "mips", "narrowest_range", "narrowest_part_of_rule", "seconds"),
    }
    assert outcome.log["hidden"] + outcome.log["shown"] == outcome.protected.table.num_rows


def test_without_certificates_the_evidence_counts_the_search_and_sees_the_same(outcome: Outcome) -> None:
    hidden = outcome.protected.table["aantal"].is_null().to_numpy()
    pattern = np.zeros((len(outcome.layout.halves), len(outcome.layout.areas), len(MATEN)), dtype=bool)
    pattern[outcome.layout.place] = hidden
    found = Evidence()
    assert findings(outcome.periods[0], pattern[0], None, found) == []
    assert found.told()["lps"] > 0 and found.told()["narrowest_range"] >= 5


def test_unhiding_a_secondary_cell_is_found(outcome: Outcome) -> None:
    """Mutation: show one hidden regional count again. The audit fails unless that cell is proven not to matter."""
    true = small_country()["aantal"].to_pylist()
    table = outcome.protected.table
    places = [
        i
        for i, r in enumerate(table.to_pylist())
        if r["aantal"] is None and true[i] >= 10 and r["niveau"] in {"provincie", "arrondissement"}
    ]
    failed = 0
    for place in places[:3]:
        counts = table["aantal"].to_pylist()
        counts[place] = true[place]
        failed += audit_counts(outcome, pa.array(counts, pa.int64())) > 0
    assert failed > 0


def test_a_wrong_number_in_a_file_is_found(outcome: Outcome) -> None:
    counts = outcome.protected.table["aantal"].to_pylist()
    place = next(i for i, n in enumerate(counts) if n is not None)
    counts[place] += 1
    with pytest.raises(DisclosureRefused, match="changed_count"):
        audit_counts(outcome, pa.array(counts, pa.int64()))


def test_the_open_edition_is_rounded_additive_and_shows_no_more_cells(outcome: Outcome) -> None:
    exact, rounded = outcome.protected, open_edition(outcome.protected)
    for a, b in zip(exact.table["aantal"].to_pylist(), rounded.table["aantal"].to_pylist(), strict=True):
        assert (a is None) == (b is None)
        assert b is None or (b % 5 == 0 and b >= 10 and abs(a - b) <= 14)
    shown = {(r["niveau"], r["code"], r["maat"]): r["aantal"] for r in rounded.table.to_pylist()}
    for maat in MATEN:
        parts = [n for (niveau, _, m), n in shown.items() if niveau == "provincie" and m == maat]
        parts.append(shown["gemeente", "ONB", maat])
        if None not in parts and shown["land", "NL", maat] is not None:
            assert sum(parts) == shown["land", "NL", maat]


@pytest.mark.parametrize("count", [0, 1, 7, 9])
def test_a_protected_table_cannot_hold_a_true_count(count: int) -> None:
    row = ("gemeente", "0363", "x", "2022H1", "wmo_180", "", count, str(count), True)
    with pytest.raises(DisclosureRefused, match="small_count_shown"):
        Protected(table_of(DOELGROEP, [row]))
