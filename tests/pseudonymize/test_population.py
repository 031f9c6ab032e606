"""A delivery that holds a population, or walks through the numbers, is a probe and is refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudonymize import accept, bsn
from pseudonymize.columns import Canonical
from pseudonymize.convert import convert
from pseudonymize.deliver import check
from pseudonymize.population import MOST_IN_STRETCH, STRETCH, Converted, Population, Stretches, require_at_most
from schemas.errors import DeliveryError
from tests.pseudonymize.conftest import CROSSWALK_HEAD, INJUS_HEAD, injus_row, synthetic_numbers
from tests.pseudonymize.test_accept import resign


def scattered(count: int, seed: int = 1) -> list[str]:
    """Synthetic numbers as they lie in a real extract: all over the space."""
    rng = np.random.default_rng(seed)
    found: set[str] = set()
    while len(found) < count:
        eight = int(rng.integers(10_000_000, 99_999_999))
        for last in range(10):
            if bsn.remainder(f"{eight}{last}") == bsn.SYNTHETIC_REMAINDER:
                found.add(f"{eight}{last}")
    return sorted(found)


def numbers(values: list[str]) -> pa.Array:
    return pa.array([value.encode() for value in values], pa.binary(9))


def batch(values: list[str]) -> dict[str, Canonical]:
    nothing = pa.nulls(len(values), pa.binary())
    reasons = pa.nulls(len(values), pa.string())
    bsns = Canonical(numbers(values), reasons)
    return {"bsn": bsns, "skn": Canonical(nothing, reasons), "vip": Canonical(nothing, reasons)}


def test_at_most_one_check_digit_fits_eight_digits() -> None:
    """Why the map needs eight digits only, for real and for synthetic numbers."""
    rng = np.random.default_rng(3)
    fits = []
    for eight in rng.integers(0, 10**8, 3000):
        remainders = [bsn.remainder(f"{eight:08d}{last}") for last in range(10)]
        for wanted in (0, bsn.SYNTHETIC_REMAINDER):
            assert remainders.count(wanted) <= 1
        fits.append(bsn.SYNTHETIC_REMAINDER in remainders)
    assert 0.88 < np.mean(fits) < 0.94  # ten in eleven: 931 of a stretch of 1,024


def test_distinct_persons_are_counted_over_batches() -> None:
    found = Population("injus", None)
    values = scattered(300)
    for part in (values[:200], values[100:], values):
        found.add(batch(part))
    assert found.distinct == {"bsn": 300, "skn": 0, "vip": 0}
    found.require_sparse()


def test_in_the_test_range_both_kinds_of_number_count_though_they_share_eight_digits() -> None:
    """A synthetic extract may hold numbers of RvIG's test range, which pass the 11-proef, and made ones there."""
    prefixes = [f"9999{n:04d}" for n in range(200)]
    values = [
        f"{p}{d}" for p in prefixes for d in range(10) if bsn.remainder(f"{p}{d}") in {0, bsn.SYNTHETIC_REMAINDER}
    ]
    assert len(values) > len(set(prefixes)) * 1.5
    found = Stretches()
    for part in (values[:100], values[50:], ["999899999", *values]):
        found.add(numbers(part))
    assert found.distinct == len(values) + 1
    assert found.fullest() == 201  # the one of below the range lies in the same stretch


@given(st.lists(st.lists(st.integers(0, 10**8 - 1), max_size=40), max_size=4))
def test_the_map_counts_as_a_set_of_numbers_does(batches: list[list[int]]) -> None:
    fit = [[f"{e:08d}{d}" for e in one for d in range(10) if bsn.remainder(f"{e:08d}{d}") == 5] for one in batches]
    found = Stretches()
    for one in fit:
        found.add(numbers(one))
    assert found.distinct == len({value for one in fit for value in one})


def test_one_person_more_than_agreed_is_too_many() -> None:
    values = scattered(101)
    Population("injus", 100).add(batch(values[:100]))
    with pytest.raises(DeliveryError, match="too_many_persons") as caught:
        Population("injus", 100).add(batch(values))
    assert caught.value.facts == {"register": "injus", "persons": 101, "maximum": 100}
    require_at_most("injus", {"bsn": 5}, None)
    require_at_most("injus", {}, 1)


def test_a_walk_through_the_numbers_is_dense_and_an_extract_is_not() -> None:
    walk = list(itertools.islice(synthetic_numbers(), 2000))
    found = Population("injus", None)
    found.add(batch(walk))
    with pytest.raises(DeliveryError, match="dense_numbers") as caught:
        found.require_sparse()
    assert caught.value.facts["found"] >= MOST_IN_STRETCH
    assert all(number[:3] not in str(caught.value) for number in walk[:1])
    spread = Population("injus", None)
    spread.add(batch(scattered(5000)))
    spread.require_sparse()


def test_every_second_number_of_a_stretch_is_still_an_extract_and_all_but_a_few_is_not() -> None:
    walk = list(itertools.islice(synthetic_numbers(), 4 * STRETCH))
    half, most = Stretches(), Stretches()
    half.add(numbers(walk[::4]))
    most.add(numbers([value for place, value in enumerate(walk) if place % 10]))
    assert half.fullest() < MOST_IN_STRETCH <= most.fullest() <= STRETCH
    assert Stretches().fullest() == 0


def test_the_density_of_the_whole_population_stays_under_the_limit() -> None:
    """18 of 91 million numbers, drawn at random: 2 standard deviations of a stretch stay far below half."""
    rng = np.random.default_rng(5)
    counts = rng.binomial(931, 18 / 90.9, 97_657)
    assert counts.max() < MOST_IN_STRETCH * 0.6


def test_the_last_stretch_of_the_space_counts_too() -> None:
    found = Stretches()
    found.add(numbers(["999999999", "000000000", "999999990"]))
    assert found.fullest() == 1


def test_a_probe_is_refused_at_the_source_in_check_and_in_deliver(world) -> None:
    rows = [injus_row(i, bsn=number) for i, number in enumerate(itertools.islice(synthetic_numbers(), 2000))]
    source = world.extract("probe.csv", INJUS_HEAD, rows)
    agreement = world.agreement("injus")
    with pytest.raises(DeliveryError, match="dense_numbers"):
        check(source, agreement.declared, agreement)
    with pytest.raises(DeliveryError, match="dense_numbers"):
        world.deliver(source)
    assert list((world.home / "inbox" / "injus").iterdir()) == []


def test_a_whole_population_is_refused_at_the_source_and_by_the_ttp(world) -> None:
    rows = [f"S{i};;{number}" for i, number in enumerate(scattered(60))]
    source = world.extract("k.csv", CROSSWALK_HEAD, rows)
    folder, report = world.deliver(source, "crosswalk")
    assert report.distinct == {"bsn": 60, "skn": 60, "vip": 0}
    assert json.loads((folder / "manifest.json").read_text())["identifiers"]["distinct"] == report.distinct
    agreement = world.agreement("crosswalk")
    object.__setattr__(agreement, "max_persons", 59)
    world.agreement = lambda _: agreement
    with pytest.raises(DeliveryError, match="too_many_persons"):
        accept.verify(folder, agreement, world.public)
    with pytest.raises(DeliveryError, match="too_many_persons"):
        world.deliver(source, "crosswalk", sequence=2)


@pytest.mark.parametrize("told", [1, 3])
def test_a_supplier_that_declares_other_persons_than_it_sends_converts_nothing(delivered, tmp_path, told: int) -> None:
    """The converter counts for itself: what the manifest says is the quota, not a courtesy."""
    import shutil

    folder = shutil.copytree(delivered.folder, tmp_path / "0001")
    resign(delivered, folder, lambda m: m["identifiers"]["distinct"].update(bsn=told))
    with pytest.raises(DeliveryError, match="row_count_mismatch") as caught:
        convert(folder, delivered.world.converter, tmp_path / "l.parquet")
    assert caught.value.facts == {"column": "bsn", "declared": told, "read": delivered.report.distinct["bsn"]}
    assert not (tmp_path / "l.parquet").exists()


@pytest.mark.parametrize("change", [{"bsn": 41}, {"skn": 99}])
def test_more_persons_than_numbers_is_no_manifest(delivered, tmp_path, change: dict[str, int]) -> None:
    import shutil

    folder = shutil.copytree(delivered.folder, tmp_path / "0001")
    resign(delivered, folder, lambda m: m["identifiers"]["distinct"].update(change))
    with pytest.raises(DeliveryError, match="bad_manifest"):
        accept.verify(folder, delivered.world.agreement("injus"), delivered.world.public)
    resign(delivered, folder, lambda m: m["identifiers"]["distinct"].pop("vip"))
    with pytest.raises(DeliveryError, match="bad_manifest"):
        accept.verify(folder, delivered.world.agreement("injus"), delivered.world.public)


def test_the_converter_counts_pre_pseudonyms_over_batches_and_no_canary() -> None:
    rng = np.random.default_rng(2)
    values = [rng.bytes(32) for _ in range(50)]
    planted = rng.bytes(16)
    found = Converted([planted.hex()])
    for part in (values[:30], values[20:], [None, *values[:5]], [rng.bytes(32)]):
        ids = [planted] if len(part) == 1 else [rng.bytes(16) for _ in part]
        nothing = pa.nulls(len(part), pa.binary(32))
        cells = {"bsn": pa.array(part, pa.binary(32)), "skn": nothing, "vip": nothing}
        found.add(pa.RecordBatch.from_pydict({"row_id": pa.array(ids, pa.binary(16)), **cells}))
    found.require_declared({"bsn": 50, "skn": 0, "vip": 0})
