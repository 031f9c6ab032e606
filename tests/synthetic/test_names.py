"""Names of synthetic people: clearly invented, off unless asked for, and every error can be switched off."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from synthetic import country, names
from synthetic.defects import NameDefects

SCALE, SEED = 0.004, 11
ERRORS = [f.name for f in fields(NameDefects) if f.name not in ("family", *names.WITHOUT.values())]


def extract(folder: Path, register: str) -> dict[str, list[str | None]]:
    return pq.read_table(folder / "extracts" / "parquet" / f"{register}.parquet").to_pydict()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    country.make(folder, scale=SCALE, seed=SEED, names=NameDefects())
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    country.make(folder, scale=SCALE, seed=SEED)
    return folder


@pytest.mark.parametrize("register", ["injus", "injus_tbs", "reclassering", "ifzo", "gmsd_1", "gmsd_2"])
def test_names_change_nothing_else(land: Path, plain: Path, register: str) -> None:
    """Same rows, same cells; only numbers of people who are without one are gone."""
    with_names, without = extract(land, register), extract(plain, register)
    assert set(with_names) - set(without) == set(names.COLUMNS)
    for column, cells in without.items():
        if column not in ("bsn", "skn", "skn_soort"):
            assert with_names[column] == cells, column
        else:
            assert all(new in (None, old) for new, old in zip(with_names[column], cells, strict=True))


def test_some_people_are_without_any_number(land: Path, plain: Path) -> None:
    for register in ("injus", "gmsd_1"):
        told = extract(land, register)
        bare = sum(not (bsn or skn) for bsn, skn in zip(told["bsn"], told.get("skn", told["bsn"]), strict=True))
        before = extract(plain, register)
        gone = sum(not (bsn or skn) for bsn, skn in zip(before["bsn"], before.get("skn", before["bsn"]), strict=True))
        assert bare > gone


def test_the_crosswalk_holds_no_name(land: Path) -> None:
    assert not set(extract(land, "crosswalk")) & set(names.COLUMNS)


def test_names_are_invented_and_postcodes_cannot_be(land: Path) -> None:
    made = extract(land, "ifzo")
    for code in filter(None, made["postcode"]):
        assert re.fullmatch(r"[1-9]\d{3}( [FIOQUY][A-Z])?", code)
    heads = tuple(head[:3].lower() for head in names.HEADS)
    known = sum(any(head in (name or "").lower() for head in heads) for name in made["geboortenaam"])
    assert known > 0.9 * len(made["geboortenaam"])
    assert len(set(names.SURNAMES)) == len(names.HEADS) * len(names.TAILS)


def test_without_errors_every_register_tells_the_same(tmp_path: Path) -> None:
    country.make(tmp_path, scale=SCALE, seed=SEED, names=NameDefects.none())
    told: dict[int, set[tuple[str | None, ...]]] = {}
    for register in ("injus", "ifzo", "gmsd_1", "reclassering"):
        rows, truth = extract(tmp_path, register), pq.read_table(tmp_path / "truth" / f"rows_{register}.parquet")
        cells = zip(*(rows[name] for name in names.COLUMNS), strict=True)
        for person, cell in zip(truth["person"].to_pylist(), cells, strict=True):
            told.setdefault(person, set()).add(cell)
    nobody = told.pop(-1)
    assert nobody == {(None, None, None, None)}
    assert all(len(found) == 1 for found in told.values())


@pytest.mark.parametrize("defect", ERRORS)
def test_each_error_does_something_and_can_be_switched_off(defect: str) -> None:
    """On the names themselves: one person after the other, with this error alone and with none."""
    from synthetic.rand import Streams

    people = _people(2_000)
    drawn = names.Names.of(Streams(1, 0), people, NameDefects.none())
    none, one = NameDefects.none(), replace(NameDefects.none(), **{defect: 1.0})

    def cells(defects: NameDefects) -> list[tuple[str | None, ...]]:
        told = names._Told(Streams(1, 0)("x"), 2_000, defects)
        return [names._cells(drawn, told, i) for i in range(2_000)]

    assert sum(a != b for a, b in zip(cells(none), cells(one), strict=True)) > 100


def _people(n: int):  # type: ignore[no-untyped-def]
    import numpy as np

    from synthetic.people import People

    zero, no = np.zeros(n, np.int64), np.zeros(n, bool)
    return People(np.full(n, 1980), no, no, np.arange(n) % 300, zero, zero, zero, zero, zero, no)


def test_a_rate_is_a_share() -> None:
    with pytest.raises(ValueError, match="typo"):
        NameDefects(typo=1.5)
