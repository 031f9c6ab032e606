"""Everything ever published, in one chain; and a second release that would undo the first is stopped or protected."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from release.protect import chain, spec
from release.protect.edition import audit_counts, editions, protect_all, shown_table
from release.protect.ledger import Ledger, record
from release.protect.periods import periods
from release.protect.primary import Reason
from release.protect.spec import Spec, Table
from schemas.errors import DisclosureRefused
from schemas.gemeente import gemeenten
from schemas.target_group import TARGET_GROUP
from tests.release.additive import target_group
from tests.release.fixtures import table_of

HALF = "2023H2"
SOME = frozenset({"Zeeland", "Limburg"})
SPEC = spec.load()
PARTS = {"0501": "Brielle", "0530": "Hellevoetsluis", "0614": "Westvoorne"}  # since 2023: 1992 Voorne aan Zee
Area = tuple[str, str]


def country(mean: float = 60) -> pa.Table:
    """Two provinces with large municipalities, so that most is shown."""
    return target_group(halves=(HALF,), mean=mean, provinces=SOME)


def counted(table: pa.Table, counts: list[int]) -> pa.Table:
    """The same table with these counts."""
    place = table.schema.get_field_index("aantal")
    return table.set_column(place, table.schema.field(place), pa.array(counts, pa.int64()))


def around(code: str) -> set[Area]:
    """A municipality and every area it is a part of."""
    place = next(g for g in gemeenten() if g.code == code)
    regions = {(n, str(getattr(place, f"{n}_code"))) for n in ("veiligheidsregio", "arrondissement", "provincie")}
    return {("gemeente", code), ("land", "NL"), *regions}


def with_one_more(table: pa.Table, areas: set[Area], maten: tuple[str, ...]) -> pa.Table:
    """The same with one person more in these areas, in measures that keep every sum."""
    rows = table.to_pylist()
    counts = [r["aantal"] + ((r["niveau"], r["code"]) in areas and r["maat"] in maten) for r in rows]
    return counted(table, counts)


def exact() -> Spec:
    """The exact table goes out too: every difference of one person is then one that somebody can compute."""
    rules = SPEC.audiences["bron"].model_copy(update={"deliver": True})
    return SPEC.model_copy(update={"audiences": {**SPEC.audiences, "bron": rules}})


def put(folder: Path, table: pa.Table, *, vintage: str = "a", geography: int = 2023, base: int = 1) -> Path:
    return record(folder, table, release="r1", audience="bron", vintage=vintage, geography=geography, base=base)


def known(folder: Path, vintage: str, geography: int = 2023) -> Ledger:
    return Ledger.read(folder, vintage=vintage, geography=geography)


def shown(table: pa.Table) -> dict[tuple[str, str, str], int | None]:
    return {(r["niveau"], r["code"], r["maat"]): r["aantal"] for r in table.to_pylist()}


@pytest.fixture(scope="module")
def first() -> pa.Table:
    return protect_all(country(), exact()).protected.table


def test_one_person_more_in_a_second_release_is_hidden_wherever_it_would_show(first: pa.Table, tmp_path: Path) -> None:
    """A revision adds one person to one municipality, so to its regions: shown twice, the difference is that person."""
    put(tmp_path, first)
    before = shown(first)
    rows = country().to_pylist()
    code = next(r["code"] for r in rows if r["niveau"] == "gemeente" and before["gemeente", r["code"], "titel_eindes"])
    revised = with_one_more(country(), around(code), ("titel_eindes", "met_detentie"))
    outcome = protect_all(revised, exact(), known(tmp_path, "b"))
    after = shown(outcome.protected.table)
    both = {cell for cell in before if before[cell] is not None and after[cell] is not None}
    assert len(both) > 20
    assert all(before[cell] == after[cell] for cell in both)
    assert after["gemeente", code, "titel_eindes"] is None and after["land", "NL", "titel_eindes"] is None
    assert audit_counts(outcome, outcome.protected.table["aantal"].combine_chunks()) == 0


def old_classification(sizes: tuple[int, int, int]) -> pa.Table:
    """What a release in the classification of 2022 showed of three municipalities that are one since."""
    rows = [
        ("gemeente", code, PARTS[code], HALF, "titel_eindes", n, True) for code, n in zip(PARTS, sizes, strict=True)
    ]
    table = table_of(TARGET_GROUP, list(rows))
    return shown_table(table, table["aantal"])


def voorne(extra: int) -> pa.Table:
    """A country in which Voorne aan Zee has 90 persons and `extra` more."""
    table = target_group(halves=(HALF,), mean=60, provinces=frozenset({"Zuid-Holland"}))
    rows = shown(table)
    due = 90 + extra - (rows["gemeente", "1992", "titel_eindes"] or 0)
    counts = [
        r["aantal"] + due * ((r["niveau"], r["code"]) in around("1992") and r["maat"] == "titel_eindes")
        for r in table.to_pylist()
    ]
    return counted(table, counts)


@pytest.mark.parametrize(("extra", "hides"), [(0, False), (1, True), (9, True), (10, False)])
def test_one_person_between_two_classifications_is_protected(tmp_path: Path, extra: int, hides: bool) -> None:
    """Brielle 30, Hellevoetsluis 40 and Westvoorne 20 were shown; Voorne aan Zee with 91 would show one person."""
    put(tmp_path, old_classification((30, 40, 20)), geography=2022)
    layout, made = periods(voorne(extra), exact(), exact().basis)
    (period,) = known(tmp_path, "b").apply(made, layout, exact())
    row, column = layout.areas.index(("gemeente", "1992")), list(SPEC.measures).index("titel_eindes")
    assert period.values[row, column] == 90 + extra
    assert (period.judged.reason[row, column] == Reason.REVISION) == hides
    assert bool(period.judged.target[row, column]) == hides


def test_the_same_count_in_another_classification_is_known_and_not_a_secret_any_more(
    first: pa.Table, tmp_path: Path
) -> None:
    put(tmp_path, first, geography=2022)
    layout, made = periods(country(), exact(), exact().basis)
    (period,) = known(tmp_path, "a").apply(made, layout, exact())
    land = layout.areas.index(("land", "NL"))
    assert period.known()[land, list(SPEC.measures).index("titel_eindes")]


def test_other_groupings_of_the_same_data_are_attacked_together_with_the_first_release(
    first: pa.Table, tmp_path: Path
) -> None:
    """A first release with every number of 3 and up has shown what must now stay hidden: the second is stopped."""
    table = country()
    careless = shown_table(table, pa.array([n if n >= 3 else None for n in table["aantal"].to_pylist()], pa.int64()))
    put(tmp_path, careless)
    without = exact().model_copy(update={"groupings": ["provincie", "land"]})
    with pytest.raises(DisclosureRefused, match="already_shown") as caught:
        protect_all(table, without, known(tmp_path, "a"))
    assert caught.value.exit_code == 14


def printing(*measures: str, dear: bool = False) -> Spec:
    """The exact table with these measures alone; `dear`: other cells are the cheap ones to hide."""
    levels = dict(zip(SPEC.levels, reversed(SPEC.levels.values()), strict=True)) if dear else SPEC.levels
    prices = dict(zip(SPEC.measures, reversed(SPEC.measures.values()), strict=True)) if dear else SPEC.measures
    tables = {"alles": Table(levels=list(SPEC.levels), measures=list(measures))}
    return exact().model_copy(update={"tables": tables, "levels": levels, "measures": prices})


def either(one: pa.Table, other: pa.Table) -> pa.Array:
    """What somebody knows who has both."""
    pairs = zip(one["aantal"].to_pylist(), other["aantal"].to_pylist(), strict=True)
    return pa.array([mine if mine is not None else theirs for mine, theirs in pairs], pa.int64())


def test_a_second_release_without_a_category_is_protected_together_with_the_first(tmp_path: Path) -> None:
    """Use within a year is in the first only, use by kind in the second; each hides other cells of what they share.

    Each is safe. Made as if the first had never been, the two together are not; made with the ledger they are.
    """
    table = country(20)
    first = protect_all(table, printing("titel_eindes", "wmo_365", "niet_waarneembaar", "wmo_180")).protected.table
    kinds = ("titel_eindes", "met_detentie", "wmo_180", "wmo_thuis_180", "wmo_opvang_180", "wmo_liep_al")
    careless = protect_all(table, printing(*kinds, dear=True))
    assert audit_counts(careless, careless.protected.table["aantal"].combine_chunks()) == 0
    assert audit_counts(careless, either(first, careless.protected.table)) > 10
    put(tmp_path, first)
    second = protect_all(table, printing(*kinds, dear=True), known(tmp_path, "a")).protected.table
    assert audit_counts(careless, either(first, second)) == 0


def test_what_was_rounded_is_rounded_to_the_same_number_again(tmp_path: Path) -> None:
    """No averaging: another rounding of the same count would narrow it down."""
    outcome = protect_all(country(), SPEC)
    before = editions(outcome, SPEC)["vng"].table
    record(tmp_path, before, release="r1", audience="vng", vintage="a", geography=2023, base=5)
    fewer = SPEC.model_copy(update={"tables": {**SPEC.tables}, "halves": [HALF]})
    ledger = known(tmp_path, "a")
    again = editions(protect_all(country(), fewer, ledger), fewer, ledger)["vng"].table
    old, new = shown(before), shown(again)
    assert all(old[cell] == new[cell] for cell in old if old[cell] is not None and new[cell] is not None)
    assert sum(count is not None for count in new.values()) >= 20


def test_the_chain_knows_every_change(first: pa.Table, tmp_path: Path) -> None:
    put(tmp_path, first)
    record(tmp_path, first, release="r2", audience="bron", vintage="b", geography=2023)
    path = tmp_path / chain.NAME
    whole = path.read_text("ascii")
    one, two = whole.splitlines()
    changed = json.dumps({**json.loads(one), "cells": 1}, sort_keys=True)
    for text in (two, f"{two}\n{one}", f"{changed}\n{two}", f"{one}\n{two}\n{two}", "x", "[]", one):
        path.write_text(text + "\n", "ascii")
        with pytest.raises(DisclosureRefused, match="damaged_release_ledger"):
            chain.lines(tmp_path)
    path.write_text(whole, "ascii")
    assert [entry["release"] for entry in chain.lines(tmp_path)] == ["r1", "r2"]


def test_a_head_that_was_signed_for_must_still_be_there(first: pa.Table, tmp_path: Path) -> None:
    chain.require_head(tmp_path, chain.START)
    put(tmp_path, first)
    head = chain.head(tmp_path)
    record(tmp_path, first, release="r2", audience="bron", vintage="b", geography=2023)
    chain.require_head(tmp_path, head)  # one more since is no harm
    with pytest.raises(DisclosureRefused, match="damaged_release_ledger"):
        chain.require_head(tmp_path, "f" * 64)


def test_a_stop_between_chain_and_file_is_made_good_and_a_stray_file_is_not(first: pa.Table, tmp_path: Path) -> None:
    path = put(tmp_path, first)
    path.rename(path.with_suffix(".part"))
    assert len(chain.lines(tmp_path)) == 1 and path.is_file()
    (tmp_path / "r9.vng.0.parquet").write_bytes(path.read_bytes())
    with pytest.raises(DisclosureRefused, match="damaged_release_ledger"):
        chain.lines(tmp_path)


def test_what_a_release_sees_is_what_was_there_before_it(first: pa.Table, tmp_path: Path) -> None:
    put(tmp_path, first)
    assert Ledger.read(tmp_path, vintage="a", geography=2023).known
    assert not Ledger.read(tmp_path, vintage="a", geography=2023, before="r1").known
