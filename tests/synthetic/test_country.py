"""A synthetic country: numbers that can never be real, planted defects that are there, and a truth that agrees."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymize.population import MOST_IN_STRETCH, STRETCH
from schemas.reading import batches
from schemas.registers import REGISTERS
from schemas.validate import validate
from synthetic import country, pairing, rand, serial
from synthetic.days import NEVER
from synthetic.defects import Defects

SCALE = 0.02
Land = Callable[[str], pd.DataFrame]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("country")
    country.make(out, scale=SCALE, seed=5)
    return out


@pytest.fixture(scope="module")
def extract(folder: Path) -> Land:
    return lambda name: pq.read_table(folder / "extracts" / "parquet" / f"{name}.parquet").to_pandas()


@pytest.fixture(scope="module")
def truth(folder: Path) -> Land:
    return lambda name: pq.read_table(folder / "truth" / f"{name}.parquet").to_pandas()


# Numbers -------------------------------------------------------------------------------------------------------


def weighted(number: str) -> int:
    """The 11-proef as BKWI writes it: weights 9 to 2 and -1."""
    return sum(int(digit) * weight for digit, weight in zip(number, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11


def test_no_number_of_a_synthetic_person_can_be_real(truth: Land) -> None:
    people = truth("persons")
    numbers = [n for column in ("bsn", "bsn2") for n in people[column].dropna()]
    assert len(numbers) > 15_000
    assert {weighted(n) for n in numbers} == {5}


def test_nor_can_any_number_in_an_extract_except_the_test_range_and_the_textbook(extract: Land) -> None:
    """Planted wrong numbers are wrong in a way that is never right."""
    for name in ("injus", "ifzo", "reclassering", "gmsd_1", "crosswalk"):
        text = extract(name)["bsn"].dropna().str.replace(".", "", regex=False).str.zfill(9)
        real = {n for n in text if weighted(n) == 0}
        assert all(n.startswith("9999") or n in {"000000000", "111111110", "123456782"} for n in real)


def test_every_person_has_numbers_of_its_own(truth: Land) -> None:
    people = truth("persons")
    for columns in (("bsn", "bsn2"), ("skn", "skn2", "vip")):
        numbers = pd.concat([people[c] for c in columns]).dropna()
        assert not numbers.duplicated().any()


@given(st.integers(0, 2**31), st.integers(0, 110))
@settings(max_examples=40)
def test_numbers_are_unique_within_and_between_blocks(seed: int, block: int) -> None:
    wanted = np.ones(300, bool)
    first, second = serial.Register(seed, 0).bsn(wanted), serial.Register(seed, 1 + block % 90).bsn(wanted)
    assert len(set(first.tolist()) | set(second.tolist())) == 600
    assert set(serial.remainder(first).tolist()) == {5}


def test_a_country_of_more_people_than_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="no synthetic numbers left"):
        serial.Register(1, 101).bsn(np.ones(3_000_000, bool))


def test_wrong_numbers_are_neither_real_nor_synthetic() -> None:
    made = serial.Register(3, 0).bsn(np.ones(500, bool))
    assert not {0, 5} & set(serial.remainder(serial.spoiled(made)).tolist())


def test_planted_test_numbers_never_fill_the_range_as_a_probe_would() -> None:
    """However large the country: the supplier tool refuses an extract that fills half of a stretch."""
    prefixes = np.unique(serial.test_range(1_000_000)) // 10
    most = np.bincount((prefixes - prefixes.min()) // STRETCH).max()
    assert 0 < most < MOST_IN_STRETCH * 2 / 3


# Extracts ------------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_and_another_seed_another_country(tmp_path: Path, folder: Path) -> None:
    def digests(home: Path) -> dict[str, str]:
        files = sorted(p for p in home.rglob("*") if p.is_file())
        return {str(p.relative_to(home)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    country.make(tmp_path / "a", scale=SCALE, seed=5)
    assert digests(tmp_path / "a") == digests(folder)
    country.make(tmp_path / "b", scale=SCALE, seed=6)
    assert digests(tmp_path / "b")["extracts/ifzo.csv"] != digests(folder)["extracts/ifzo.csv"]


def test_a_country_of_several_blocks_has_no_number_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above scale 1 a country is made block by block; here with small blocks."""
    monkeypatch.setattr(country, "_sizes", lambda scale: [0.004, 0.004, 0.002])
    made = country.make(tmp_path, scale=0.01, seed=1)
    people = pq.read_table(tmp_path / "truth" / "persons.parquet").to_pandas()
    assert len(people) == made.persons == people["person"].nunique()
    assert not people["bsn"].dropna().duplicated().any()
    keys = pq.read_table(tmp_path / "extracts" / "parquet" / "ifzo.parquet", columns=["plaatsing_id"])["plaatsing_id"]
    assert pc.count_distinct(keys).as_py() == len(keys)


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan")])
def test_a_scale_that_is_no_size_is_refused(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        country.make(tmp_path, scale=scale)


@pytest.mark.parametrize("name", [*country.FILES])
def test_csv_and_parquet_hold_the_same_rows(folder: Path, name: str) -> None:
    register = REGISTERS[name.rsplit("_", 1)[0] if name[-1].isdigit() else name]
    csv = validate_all(folder / "extracts" / f"{name}.csv", register.name)
    parquet = validate_all(folder / "extracts" / "parquet" / f"{name}.parquet", register.name)
    assert csv == parquet
    assert csv[0] > 0


def validate_all(path: Path, register: str) -> tuple[int, int, int, dict[str, int]]:
    """(rows, accepted, out of scope, quarantined by reason), as the supplier tool would judge."""
    rows = accepted = outside = 0
    reasons: Counter[str] = Counter()
    for batch in batches(REGISTERS[register], path):
        verdict = validate(REGISTERS[register], batch)
        rows += verdict.rows_in
        accepted += verdict.accepted.num_rows
        outside += sum(verdict.out_of_scope["n"].to_pylist())
        reasons.update(verdict.quarantined["reason"].to_pylist())
    return rows, accepted, outside, dict(reasons)


def test_injus_is_the_odd_file_in_windows_1252_with_dutch_dates(folder: Path) -> None:
    raw = (folder / "extracts" / "injus.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    text = raw.decode("cp1252")
    assert "Súdwest-Fryslân" in text
    assert ";31-12-2022;" in text or "-2022;" in text


def test_leading_zeros_are_at_risk(folder: Path) -> None:
    lines = (folder / "extracts" / "gmsd_1.csv").read_text(encoding="utf-8").splitlines()[1:]
    codes = [line.split(";")[1] for line in lines]
    assert 0.001 < sum(len(code) < 4 for code in codes) / len(codes) < 0.03


# Defects: each can be switched off, and does what it says ------------------------------------------------------


def rows_of(tmp_path: Path, defects: Defects, name: str) -> pd.DataFrame:
    country.make(tmp_path, scale=SCALE, seed=5, defects=defects)
    return pq.read_table(tmp_path / "extracts" / "parquet" / f"{name}.parquet").to_pandas()


def before(days: pd.Series, year: str) -> pd.Series:
    return days.astype(str).lt(year)


PLANTED: dict[str, tuple[str, Callable[[pd.DataFrame], int]]] = {
    "bsn_formatted": ("gmsd_1", lambda t: int(t["bsn"].str.contains(".", regex=False).sum())),
    "leading_zero_lost": ("gmsd_1", lambda t: int((t["bsn"].str.replace(".", "").str.len() < 9).sum())),
    "bsn_test_range": ("gmsd_1", lambda t: int(t["bsn"].str.match(r"9999(?!9999)").sum())),
    "bsn_placeholder": ("gmsd_1", lambda t: int((t["bsn"] == "000000000").sum())),
    "vip_number": ("ifzo", lambda t: int((t["skn_soort"] == "VIP").sum())),
    "birth_year_missing": ("ifzo", lambda t: int(t["geboortejaar"].isna().sum())),
    "title_end_sentinel": ("ifzo", lambda t: int((t["titel_eind"].astype(str) == "9999-12-31").sum())),
    "end_before_begin": ("ifzo", lambda t: int((t["zorg_eind"] < t["zorg_begin"]).sum())),
    "care_before_title": ("ifzo", lambda t: int((t["zorg_begin"] < t["titel_begin"]).sum())),
    "letter_before_indication": ("ifzo", lambda t: int((t["datum_plaatsingsbrief"] < t["datum_indicatie"]).sum())),
    "rni_or_unknown": ("injus", lambda t: int(t["gemeentecode_brp"].isin(["1999", "0000"]).sum())),
    "out_of_scope": ("injus", lambda t: int((t["verblijfstitel"] == "VREEMDELINGENBEWARING").sum())),
    "unknown_name": ("injus", lambda t: int((t["gemeentecode_brp"] == "Nergenshuizen").sum())),
    "names_for_codes": ("injus", lambda t: int((t["gemeentecode_brp"] == "Rotterdam").sum())),
    "request_repeated": (
        "reclassering",
        lambda t: int(t.duplicated(["indicatie_id", "soort_plaatsing"]).sum()),
    ),
    "category_10": ("gmsd_1", lambda t: int((t["productcategorie"] == "10").sum())),
    "gelderland": ("reclassering", lambda t: int((t["arrondissement"] == "GELDERLAND").sum())),
    # people with a title and no care at all have attempts too: about seventy here
    "unrealised_attempt": ("ifzo", lambda t: max(0, int(t["zorg_begin"].isna().sum()) - 100)),
    "title_end_unknown": ("ifzo", lambda t: int((t["titel_eind_status"] == "ONBEKEND").sum())),
    "tbs_without_end": ("ifzo", lambda t: int((t["titel_eind_status"] == "ONBEPAALD").sum())),
    "status_not_closed": ("ifzo", lambda t: int((t["status"].eq("IN_ZORG") & before(t["zorg_begin"], "2018")).sum())),
    "no_numbers": ("gmsd_1", lambda t: int(t["toewijzingsnummer"].isna().sum())),
    "code_zero_lost": ("gmsd_1", lambda t: int((t["gemeentecode"].str.len() < 4).sum())),
    "provisional": ("gmsd_2", len),
    "two_skn": ("crosswalk", lambda t: int(t["bsn"].duplicated().sum())),
}  # fmt: skip
PROBES = {"no_numbers": {"some_numbers": 0.0}, "two_skn": {"vip_number": 0.0, "two_bsn": 0.0}}


@pytest.mark.parametrize("defect", sorted(PLANTED))
def test_a_defect_is_there_and_can_be_switched_off(tmp_path: Path, extract: Land, defect: str) -> None:
    name, count = PLANTED[defect]
    assert count(extract(name)) > 0
    changed = replace(Defects(), **{defect: 0.0}, **PROBES.get(defect, {}))
    if defect == "provisional":
        country.make(tmp_path, scale=SCALE, seed=5, defects=changed)
        assert not (tmp_path / "extracts" / "parquet" / "gmsd_2.parquet").exists()
    else:
        assert count(rows_of(tmp_path, changed, name)) <= 0


def test_every_defect_is_used() -> None:
    """A rate that nothing reads would be a promise on paper."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(country.__file__).parent.glob("*.py"))
    assert [field.name for field in fields(Defects) if f"defects.{field.name}" not in text] == []


def test_a_rate_is_a_rate() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Defects(two_bsn=1.5)


def test_without_defects_nothing_is_quarantined_and_every_number_is_good(tmp_path: Path) -> None:
    country.make(tmp_path, scale=SCALE, seed=5, defects=Defects.none())
    for name in ("injus", "ifzo", "reclassering", "injus_tbs"):
        rows, accepted, outside, reasons = validate_all(tmp_path / "extracts" / f"{name}.csv", name)
        assert (accepted + outside, reasons) == (rows, {})
        assert (outside > 0) == (name == "injus")


# Truth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", country.FILES)
def test_the_truth_knows_the_person_of_every_row(extract: Land, truth: Land, name: str) -> None:
    rows, people = extract(name), truth("persons").set_index("person")
    person = truth(f"rows_{name}")["person"]
    assert len(person) == len(rows)
    text = rows["bsn"].fillna("").str.replace(".", "", regex=False).str.zfill(9)
    known = person >= 0
    good = known & text.map(lambda n: len(n) == 9 and n.isdigit() and weighted(n) == 5)
    own = people.loc[person[good]]
    match = (own["bsn"].to_numpy() == text[good].to_numpy()) | (own["bsn2"].to_numpy() == text[good].to_numpy())
    assert match.all()
    assert good.sum() > 0


def test_true_continuations_are_real_arrangements_of_that_person(truth: Land) -> None:
    ends, found = truth("title_ends"), truth("arrangements")
    seen = ends[ends["wmo_start"].notna()]
    assert 0.15 < len(seen) / len(ends) < 0.45
    keys = set(zip(found["person"], found["begin"], found["wmo_group"], strict=True))
    assert all(key in keys for key in zip(seen["person"], seen["wmo_start"], seen["wmo_group"], strict=True))
    days = (pd.to_datetime(seen["wmo_start"]) - pd.to_datetime(seen["title_end"])).dt.days
    assert (seen["running"] | days.between(-90, 365)).all()


def test_nobody_dies_before_what_follows(truth: Land) -> None:
    ends = truth("title_ends")
    assert ends["died"].any()
    assert not (ends["died"] & ends["wmo_start"].notna()).any()


# Building blocks -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(0, 500))
def test_apportioning_keeps_the_total(weights: list[int], total: int) -> None:
    if sum(weights):
        found = rand.apportion(total, weights)
        assert found.sum() == total
        assert (np.abs(found - np.array(weights) * total / sum(weights)) < 1).all()


@given(st.lists(st.integers(0, 1_000), max_size=30), st.floats(0.001, 1))
def test_scaling_keeps_the_total(counts: list[int], scale: float) -> None:
    found = rand.scaled(np.array(counts, np.int64), scale)
    assert found.sum() == np.floor(sum(counts) * scale + 0.5)
    assert (found >= 0).all()


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(0, 40))
@settings(max_examples=50)
def test_every_start_and_end_is_used_once_and_spells_run_forward(seed: int, starts: int, ends: int) -> None:
    rng = rand.Streams(seed, 0)("pairs")
    ends = min(starts, ends)
    begin = rand.between(rng, np.full(starts, 18_000), 18_300)
    close = np.sort(rand.between(rng, np.full(ends, 18_301), 18_600))
    _, first, last = pairing.pair(rng, 1, (np.zeros(starts, np.int64), begin), (np.zeros(ends, np.int64), close))
    assert sorted(first) == sorted(begin)
    assert sorted(last[last < NEVER]) == sorted(close)
    assert (last > first).all()
