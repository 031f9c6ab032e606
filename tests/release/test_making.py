"""The attack on files: what all audiences' files say together is held against the truth and against every attacker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from release import estimate_files, making
from release.deliver import read, write
from release.deliver.face import Face
from release.estimates import Estimates
from release.making import Release
from release.protect import spec
from release.protect.edition import EXACT, Outcome, Protected, protect_all, safe_estimates, shown_table
from schemas.errors import DisclosureRefused
from schemas.estimates import SCHATTINGEN
from tests.release.additive import target_group

SPEC = spec.load()
SOME = frozenset({"Zeeland", "Limburg"})


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return protect_all(country(), SPEC)


def country() -> pa.Table:
    return target_group(halves=("2023H2",), mean=20, provinces=SOME)


def release_of(outcome: Outcome, protected: Protected) -> Release:
    """The exact table to one audience."""
    face = Face(protected, SPEC.tables, SPEC.basis, SPEC.title, {"release": "r1", "gegevens": "synthetisch"})
    return Release(SPEC, replace(outcome, protected=protected), {"bron": face})


def test_files_of_a_protected_table_pass(outcome: Outcome, tmp_path: Path) -> None:
    release = release_of(outcome, outcome.protected)
    write.write(release.faces["bron"], tmp_path)
    assert making.attack(release, {"bron": read.folder(tmp_path)}) == 0


def test_files_with_primary_suppression_alone_are_unsafe_as_they_lie_on_disk(outcome: Outcome, tmp_path: Path) -> None:
    """The same truth with every count of 10 and more shown: most of what is hidden can be computed from the rest."""
    counts = [n if n >= 10 else None for n in country()["aantal"].to_pylist()]
    careless = Protected(shown_table(country(), pa.array(counts, pa.int64())), EXACT)
    release = release_of(outcome, careless)
    write.write(release.faces["bron"], tmp_path)
    assert making.attack(release, {"bron": read.folder(tmp_path)}) > 10


def test_a_cell_that_one_file_shows_and_the_protected_table_hides_is_found(outcome: Outcome, tmp_path: Path) -> None:
    """Mutation of the shipped CSV, by hand: a secondary cell is shown again with its true count."""
    release = release_of(outcome, outcome.protected)
    write.write(release.faces["bron"], tmp_path)
    true = {(r["niveau"], r["code"], r["halfjaar"], r["maat"]): r["aantal"] for r in country().to_pylist()}
    said = read.folder(tmp_path)
    cell = next(cell for cell, count in said.items() if count is None and true[cell] >= 10)
    with pytest.raises(DisclosureRefused, match="changed_count"):
        making.attack(release, {"bron": {**said, cell: true[cell]}})
    with pytest.raises(DisclosureRefused, match="changed_count"):
        making.attack(release, {"bron": {**said, ("land", "BE", "2023H2", "wmo_180"): 10}})


def test_a_file_that_shows_less_is_as_safe(outcome: Outcome) -> None:
    release = release_of(outcome, outcome.protected)
    assert making.attack(release, {"bron": {}}) == 0


def estimate_of(outcome: Outcome, place: tuple[int, int], low: int, high: int, period: str = "2023H2") -> pa.Table:
    """One estimate of a cell of the only half-year: row and measure of the layout."""
    niveau, code = outcome.layout.areas[place[0]]
    months = {"titel_eindes": 0, "wmo_180": 6, "wmo_365": 12}[outcome.periods[0].template.names[place[1]]]
    row = {"niveau": niveau, "code": code, "periode": period, "naam": "-", "groep": "ALLE", "maanden": months}
    row |= {"soort": "GEBRUIK" if months else "TITEL_EINDES", "aanname": "", "kwaliteit": "GOED"}
    told = f"naar schatting {low}, waarschijnlijk tussen {low} en {high}"
    row |= {"schatting": low, "laag": low, "hoog": high, "basis": "GETELD_EN_GESCHAT", "weergave": told}
    return pa.Table.from_pylist([row], schema=SCHATTINGEN.arrow_schema())


def hidden_use(outcome: Outcome, *, small: bool) -> tuple[int, int]:
    """A municipality of which use is hidden: because it is small, or for the sake of another."""
    period, hidden = outcome.periods[0], outcome.protected.table["aantal"].is_null().to_numpy()
    at = period.template.names.index("wmo_180")
    rows = zip(*(place.tolist() for place in outcome.layout.place[1:]), hidden, strict=True)
    wanted = [row for row, measure, away in rows if measure == at and away and period.insiders[row]]
    return next((row, at) for row in wanted if (0 < period.values[row, at] < 10) == small and period.values[row, at])


def test_an_estimate_that_narrows_a_hidden_count_is_found_on_disk(outcome: Outcome, tmp_path: Path) -> None:
    """A planted fault: the interval of a hidden small count is one step of rounding wide."""
    place = hidden_use(outcome, small=True)
    down = int(outcome.periods[0].values[place] // 5 * 5)
    release = release_of(outcome, outcome.protected)
    estimate_files.write_rows(Estimates(estimate_of(outcome, place, down, down + 5)), tmp_path)
    on_disk = estimate_files.read_rows(tmp_path)
    assert making.attack(release, {"bron": read.folder(tmp_path)}, None) == 0
    write.write(release.faces["bron"], tmp_path)
    assert making.attack(release, {"bron": read.folder(tmp_path)}, on_disk) > 0


def test_such_an_estimate_loses_its_numbers_and_a_wide_one_does_not(outcome: Outcome) -> None:
    place = hidden_use(outcome, small=True)
    down = int(outcome.periods[0].values[place] // 5 * 5)
    narrow = safe_estimates(outcome, estimate_of(outcome, place, down, down + 5))
    assert Estimates(narrow).table["hoog"].to_pylist() == [None]
    assert narrow["kwaliteit"].to_pylist() == ["GEWEIGERD"]
    wide = estimate_of(outcome, place, 0, 400)
    assert safe_estimates(outcome, wide).equals(wide)


def test_of_a_year_the_other_half_is_taken_as_known(outcome: Outcome) -> None:
    """One half-year was published: what the year tells, it tells of that one."""
    place = hidden_use(outcome, small=True)
    down = int(outcome.periods[0].values[place] // 5 * 5)
    year = safe_estimates(outcome, estimate_of(outcome, place, down, down + 5, "2023"))
    assert year["hoog"].to_pylist() == [None]


def test_two_files_of_estimates_that_differ_are_found(outcome: Outcome, tmp_path: Path) -> None:
    estimates = Estimates(estimate_of(outcome, hidden_use(outcome, small=True), 0, 400))
    _, text = estimate_files.write_rows(estimates, tmp_path)
    text.write_bytes(text.read_bytes().replace(b"400", b"395"))
    with pytest.raises(DisclosureRefused, match="changed_count"):
        estimate_files.read_rows(tmp_path)
