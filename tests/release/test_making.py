"""The attack on files: what all audiences' files say together is held against the truth and against every attacker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from release import making
from release.deliver import read, write
from release.deliver.face import Face
from release.making import Release
from release.protect import spec
from release.protect.edition import EXACT, Outcome, Protected, protect_all, shown_table
from schemas.errors import DisclosureRefused
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
