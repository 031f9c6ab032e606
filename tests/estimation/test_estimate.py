"""The step as a whole: linked tables in, declared tables out, nothing lost, nothing that should not be shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from estimation import corrections, ends, estimate, reports, tables
from estimation.arrays import streams
from estimation.corrections import Sample
from estimation.estimate import Choices
from estimation.places import Places
from estimation.summary import Grid
from estimation.use import Common
from schemas.errors import ConfigError, QualityGate
from schemas.estimates import ESTIMAND, ESTIMATE_TABLES
from tests.estimation import linked

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linked.write(tmp_path_factory.mktemp("linked"))


@pytest.fixture(scope="module")
def data(folder: Path) -> tables.Linked:
    return tables.read(folder)


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("estimated")
    estimate.estimate(folder, made, Choices(seed=1, draws=100))
    return made


@pytest.fixture(scope="module")
def rows(out: Path) -> Rows:
    return {name: pq.read_table(out / f"{name}.parquet").to_pylist() for name in ESTIMATE_TABLES}


def test_tables_are_as_declared_and_say_what_they_estimate(out: Path) -> None:
    for name, table in ESTIMATE_TABLES.items():
        schema = pq.read_schema(out / f"{name}.parquet")
        assert schema.remove_metadata().equals(table.arrow_schema()), name
        told = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        assert told["estimand"] == ESTIMAND
        assert told["soort"] == "geschat"
        assert told["zaad"] == "1"
        assert "B75" in told["aannamen"]


def test_keys_are_unique_and_every_area_and_period_has_its_row(rows: Rows) -> None:
    for name, table in ESTIMATE_TABLES.items():
        keys = [tuple(row[k] for k in table.key) for row in rows[name]]
        assert len(keys) == len(set(keys)), name
    places = {row["code"] for row in rows["estimates"] if row["niveau"] == "gemeente"}
    periods = {row["periode"] for row in rows["estimates"]}
    assert len(places) == 30
    assert periods == {*linked.HALVES, "2019", "2020", "2021", "2022", "2023"}


def test_the_same_seed_gives_the_same_bytes(folder: Path, out: Path, tmp_path: Path) -> None:
    estimate.estimate(folder, tmp_path, Choices(seed=1, draws=100))
    for name in ESTIMATE_TABLES:
        assert (tmp_path / f"{name}.parquet").read_bytes() == (out / f"{name}.parquet").read_bytes(), name


def test_one_thread_however_many_the_process_had(
    folder: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads add up in another order than one, so a matrix of national size ends in other last bits."""
    real, seen = estimate.compute, []

    def compute(*told: Any) -> estimate.Estimated:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return real(*told)

    monkeypatch.setattr(estimate, "compute", compute)
    with threadpool_limits(2, "blas"):
        estimate.estimate(folder, tmp_path, Choices(seed=1, draws=100))
    assert seen
    assert set(seen) == {1}
    for name in ESTIMATE_TABLES:
        assert (tmp_path / f"{name}.parquet").read_bytes() == (out / f"{name}.parquet").read_bytes(), name


def test_another_seed_moves_draws_not_counts(folder: Path, rows: Rows, tmp_path: Path) -> None:
    estimate.estimate(folder, tmp_path, Choices(seed=2, draws=100))
    other = pq.read_table(tmp_path / "estimates.parquet").to_pylist()
    assert [r["geteld"] for r in other] == [r["geteld"] for r in rows["estimates"]]
    assert [r["schatting"] for r in other] != [r["schatting"] for r in rows["estimates"]]


def test_never_a_point_without_an_interval_and_never_a_small_count(rows: Rows) -> None:
    exact = {tuple(r[k] for k in ESTIMATE_TABLES["estimates"].key): r for r in rows["estimates"]}
    shown = [row for row in rows["schattingen"] if row["schatting"] is not None]
    assert len(shown) > 100
    for row in rows["schattingen"]:
        found = exact[tuple(row[k] for k in ESTIMATE_TABLES["schattingen"].key)]
        if row["schatting"] is None:
            assert row["laag"] is row["hoog"] is None
            assert row["kwaliteit"] in {"REGIO", "GEWEIGERD"}
            continue
        assert row["laag"] <= row["schatting"] <= row["hoog"]
        assert row["laag"] % 5 == row["hoog"] % 5 == row["schatting"] % 5 == 0
        assert row["laag"] <= found["laag90"] + 1e-6
        assert row["hoog"] >= found["hoog90"] - 1e-6
        assert "waarschijnlijk tussen" in row["weergave"]
        assert found["cv"] <= 0.30
        assert not (found["geteld"] is not None and found["geteld"] < 10 and found["gewicht"] >= 0.5)


def test_use_and_need_are_never_mixed(rows: Rows) -> None:
    """Need has its own kind, its assumption in the row, no count, and is never below use (draw by draw)."""
    exact = {(r["niveau"], r["code"], r["periode"], r["soort"], r["groep"], r["maanden"]): r for r in rows["estimates"]}
    needs = [row for row in rows["schattingen"] if row["soort"] == "BEHOEFTE"]
    assert {row["aanname"] for row in needs} == {"B75"}
    assert {row["aanname"] for row in rows["schattingen"] if row["soort"] != "BEHOEFTE"} == {""}
    for key, row in exact.items():
        if key[3] == "BEHOEFTE":
            assert row["geteld"] is None
            assert row["schatting"] >= exact[(*key[:3], "GEBRUIK", *key[4:])]["schatting"] - 1e-9


def test_windows_and_levels_hang_together(rows: Rows) -> None:
    """More months, more users for the country; municipalities add up to every other level (means of the same draws)."""
    mine = [r for r in rows["estimates"] if (r["soort"], r["groep"]) == ("GEBRUIK", "ALLE")]
    use = {(r["niveau"], r["code"], r["periode"], r["maanden"]): r["schatting"] for r in mine}
    for year in ("2020", "2021"):
        assert use["land", "NL", year, 3] < use["land", "NL", year, 6] < use["land", "NL", year, 12]
        for level in ("gemeente", "veiligheidsregio", "arrondissement", "provincie"):
            parts = sum(value for key, value in use.items() if key[0] == level and key[2:] == (year, 6))
            assert parts == pytest.approx(use["land", "NL", year, 6])


def test_estimates_exceed_counts_where_something_is_unseen(rows: Rows) -> None:
    for row in rows["estimates"]:
        if row["niveau"] == "land" and row["soort"] != "BEHOEFTE":
            assert row["geteld"] * 0.95 < row["schatting"] < 2 * row["geteld"] + 20
    wanted = ("gemeente", "GEBRUIK", "GESCHAT")
    unseen = [r for r in rows["estimates"] if (r["niveau"], r["soort"], r["basis"]) == wanted]
    assert unseen
    assert all(row["geteld"] == 0 for row in unseen)


def test_title_ends_add_up_to_known_and_missing_ones(data: tables.Linked) -> None:
    """Raking of persons: whatever is not placed is split anew in each draw, and the country's total holds exactly."""
    common = Common.draw(streams(1, 0), data, Sample(), 100)
    draws = ends.estimate(streams(1, 1), data, common)
    known = np.bincount(data.units.half, minlength=len(data.halves))
    assert (draws.sum(axis=1) == known + common.missing_ends).all()
    assert (draws >= ends.tabulate(data)).all()
    for district in range(10):
        mine = data.places.district == district
        loose = ((data.units.place < 0) & (data.units.district == district)).sum() * mine.any()
        least = ends.tabulate(data)[mine].sum() + loose
        assert (draws[:, mine].sum(axis=(1, 2)) >= least).all()


ALL_IN_CHAINS = Sample({"keten": 100_000}, {"keten": 100_000})


def test_missing_title_ends_are_estimated_from_closed_care(data: tables.Linked) -> None:
    """One in eight ends is unknown in this world, and care is closed for seven in ten: 0.875 is found back."""
    share, missing = corrections.known_ends(streams(1), data, ALL_IN_CHAINS, 400)
    planted = int((data.chain_end < 0).sum())
    assert missing.sum(axis=1).mean() == pytest.approx(planted, rel=0.15)
    assert share.mean() == pytest.approx(0.875, abs=0.02)
    assert share.std(axis=0).min() > 0


def test_follow_up_is_complete_but_for_the_last_half_years(data: tables.Linked) -> None:
    for months, days, short in ((3, 90, 1), (6, 180, 1), (12, 365, 2)):
        share = corrections.followed(streams(1), data, data.units.use["ALLE", months], days, 50)
        assert (share[:, : len(data.halves) - short] == 1).all()
        assert (share[:, -1] < 1).all()


def test_delivery_and_contract_rounds_decide_what_informs(data: tables.Linked) -> None:
    kinds = corrections.delivery_class(data, 180)
    assert (kinds[4] == 0).all(), "never delivered"
    assert kinds[7].tolist() == [2, 2, 2, 2, 2, 1, 0, 0, 0, 0], "stopped after 2021: the window of 2021H2 is half seen"
    assert np.nonzero(corrections.artefact(data)[2])[0].tolist() == [3, 4]


def test_a_clerical_sample_replaces_the_priors(data: tables.Linked, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    lines = ("soort,onderzocht,goed", "gevoeligheid,400,380", "precisie,400,400", "voorlopig,50,40")
    path.write_text("\n".join(lines), encoding="utf-8")
    sample = Sample.read(path)
    drawn = corrections.sensitivity(streams(1), data.units, sample, 4000)
    assert drawn.mean() == pytest.approx(0.95, abs=0.005)
    assert drawn.std() == pytest.approx(np.sqrt(0.95 * 0.05 / 400), rel=0.1)
    prior = corrections.sensitivity(streams(1), data.units, Sample(), 4000)
    share = data.units.has_bsn.mean()
    assert share - 1e-9 <= prior.min() < prior.max() <= 1.0
    moved = corrections.provisional(streams(1), data.units, len(data.halves), sample, 500)
    assert moved[:, 0].mean() < 1.0


@pytest.mark.parametrize("text", ["soort;onderzocht\na;1\n", "anders,1,1\n", "precisie,3,4\n", "precisie,x,4\n"])
def test_a_wrong_sample_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sample.csv"
    with pytest.raises(ConfigError, match="bad_clerical"):
        Sample.read(path)
    path.write_text(text if ";" in text else "soort,onderzocht,goed\n" + text, encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_clerical"):
        Sample.read(path)


def test_incidence_projection_and_recapture_say_what_they_can(rows: Rows) -> None:
    wmo = [r["kans"] for r in rows["incidence"] if (r["cohort"], r["oorzaak"]) == ("ALLE", "WMO")]
    back = [r["kans"] for r in rows["incidence"] if (r["cohort"], r["oorzaak"]) == ("ALLE", "DETENTIE")]
    assert wmo == sorted(wmo)
    assert 0.15 < wmo[-1] < 0.35
    assert 0 < back[-1] < 0.1
    ahead = [r for r in rows["projection"] if (r["soort"], r["niveau"]) == ("VOORUIT", "land")]
    assert [r["halfjaar"] for r in ahead] == ["2024H1", "2024H2", "2025H1", "2025H2"]
    assert all(r["laag95"] < r["laag80"] < r["verwacht"] < r["hoog80"] < r["hoog95"] for r in ahead)
    tried = [r for r in rows["projection"] if (r["soort"], r["niveau"]) == ("TERUGTOETS", "land")]
    assert [r["halfjaar"] for r in tried] == ["2022H1", "2022H2", "2023H1", "2023H2"]
    assert all(r["laag95"] <= r["geteld"] <= r["hoog95"] for r in tried)
    country = [r for r in rows["recapture"] if r["niveau"] == "land"]
    assert {r["oordeel"] for r in country} == {"GEVOELIGHEID"}, "the lists of this world are independent"
    assert sum(r["gekozen"] for r in country) == 1
    told = {r["feit"] for r in rows["estimate_facts"]}
    assert {"eigen_koers_twee_jaar", "eigen_koers_jaar", "koers_naar_omvang"} <= told
    assert told >= {"gevoeligheid", "fay_herriot_verschil", "terugtoets_dekking80_gemeente"}


def test_without_use_there_is_no_model_and_no_number(tmp_path: Path) -> None:
    made = estimate.compute(tables.read(linked.write(tmp_path, persons=80, use=0.0)), Choices(draws=100))
    assert set(made.uses.values()) == {None}
    assert {row["soort"] for row in made.rows["estimates"]} == {"TITEL_EINDES"}
    assert made.rows["projection"] == []


def test_areas_of_every_level_cover_all_municipalities() -> None:
    places = Places.of(("0363", "0599", "0014"))
    grid = Grid.of(places, ("2022H1", "2022H2", "2023H1"))
    assert grid.periods == ("2022H1", "2022H2", "2023H1", "2022")
    assert grid.members.sum(axis=1).tolist() == [5.0, 5.0, 5.0]
    assert places.index(["0363", None, "0000", "1999", "9999"]).tolist() == [1, -1, -1, -1, -1]


def test_no_number_of_a_person_leaves_the_room(out: Path) -> None:
    for name in ESTIMATE_TABLES:
        assert not {"person_id", "link", "bsn", "skn"} & set(pq.read_schema(out / f"{name}.parquet").names)
    assert "person" not in json.dumps([c.name for t in ESTIMATE_TABLES.values() for c in t.columns])


def test_every_cause_has_its_row_and_together_they_are_at_most_one(rows: Rows) -> None:
    """Also a cause that never came in this world (deportation): 0, said, not left out."""
    last = {r["oorzaak"]: r for r in rows["incidence"] if (r["cohort"], r["dag"]) == ("ALLE", 365)}
    assert set(last) == {"WMO", "DETENTIE", "OVERLIJDEN", "UITZETTING"}
    assert last["UITZETTING"]["kans"] == 0.0
    assert 0.005 < last["OVERLIJDEN"]["kans"] < 0.03, "one in fifty persons dies 20 days after the title end"
    assert sum(r["kans"] for r in last.values()) < 1


def test_only_what_comes_first_counts() -> None:
    """Days from the title end to what notices tell: of the same day and later, per person, and nothing before it."""
    number, when = np.array([1, 1, 2, 4]), np.array([100, 300, 90, tables.NEVER])
    person, day = np.array([1, 1, 2, 3, 4]), np.array([99, 100, 100, 100, 100])
    never = int(tables.NEVER)
    assert tables._next(number, when, person, day).tolist() == [1, 200, never, never, never]


@pytest.mark.parametrize(
    ("table", "column", "code"),
    [
        ("coverage", "gemeente", "9999"),
        ("title_end_events", "gemeente", "0344X"),
        ("detention_spells", "gemeente_settlement", "1234"),
        ("placement_requests", "arrondissement", "GELDERLAND"),
    ],
)
def test_an_area_that_nobody_knows_is_refused_before_anything_is_estimated(
    folder: Path, tmp_path: Path, table: str, column: str, code: str
) -> None:
    """Its people would else be shared out over the country in silence. The code itself is not in the error."""
    shutil.copytree(folder, tmp_path / "linked")
    path = tmp_path / "linked" / f"{table}.parquet"
    found = pq.read_table(path)
    values = [code, code, *found[column].to_pylist()[2:]]
    at = found.schema.get_field_index(column)
    pq.write_table(found.set_column(at, found.schema.field(column), pa.array(values, pa.string())), path)
    with pytest.raises(QualityGate) as refused:
        estimate.estimate(tmp_path / "linked", tmp_path, Choices(draws=50))
    assert refused.value.code == "unknown_area_code"
    assert refused.value.facts == {"table": table, "column": column, "rows": 2}
    assert code not in str(refused.value)
    assert not list(tmp_path.glob("*.parquet"))


def test_unknown_and_non_resident_are_no_strange_codes(folder: Path, data: tables.Linked) -> None:
    """0000 and empty are in this world's events: read, and of no municipality."""
    assert {"0000", None} <= set(pq.read_table(folder / "title_end_events.parquet")["gemeente"].to_pylist())
    assert (data.units.place < 0).any()


def test_full_bayes_says_so_and_what_its_draws_are_worth(folder: Path, tmp_path: Path) -> None:
    estimate.estimate(folder, tmp_path, Choices(seed=1, draws=100, full_bayes=True))
    told = pq.read_schema(tmp_path / "estimates.parquet").metadata or {}
    assert told[b"motor"] == b"volledig bayesiaans"
    facts = pq.read_table(tmp_path / "estimate_facts.parquet").to_pylist()
    worth = [row["waarde"] for row in facts if row["feit"] == "volledige_bayes_waarde"]
    assert len(worth) == len(estimate.MEASURES)
    assert all(0 < value <= 1 for value in worth)


def test_empirical_bayes_has_no_such_fact(out: Path) -> None:
    assert (pq.read_schema(out / "estimates.parquet").metadata or {})[b"motor"] == b"empirisch bayesiaans"
    assert "volledige_bayes_waarde" not in pq.read_table(out / "estimate_facts.parquet")["feit"].to_pylist()


def test_gmsd_as_a_fourth_list_has_rows_of_its_own(data: tables.Linked, rows: Rows) -> None:
    """Asked for, it stands beside the three lists, which stay what they were; it never takes their place."""
    assert {row["lijsten"] for row in rows["recapture"]} == {"Injus, 3RO, Ifzo"}
    both = reports.recaptures(data, 1, gmsd=True)
    names = "Injus, 3RO, Ifzo, GMSD"
    assert [row for row in both if row["lijsten"] != names] == reports.recaptures(data, 1)
    fourth = [row for row in both if row["lijsten"] == names]
    keys = [tuple(row[name] for name in ESTIMATE_TABLES["recapture"].key) for row in both]
    assert len(set(keys)) == len(keys)
    country = {row["lijsten"]: row for row in both if row["niveau"] == "land" and row["gekozen"]}
    assert country[names]["gezien"] == country["Injus, 3RO, Ifzo"]["gezien"], "on GMSD alone is not seen"
    assert country[names]["oordeel"] == "GEVOELIGHEID"
    assert country[names]["schatting"] == pytest.approx(country["Injus, 3RO, Ifzo"]["schatting"], rel=0.05)
    assert {row["code"] for row in fourth} == {row["code"] for row in both}


def test_gmsd_is_a_list_only_where_it_was_asked_for(folder: Path, tmp_path: Path) -> None:
    estimate.estimate(folder, tmp_path, Choices(seed=1, draws=100, recapture_gmsd=True))
    assert len(set(pq.read_table(tmp_path / "recapture.parquet")["lijsten"].to_pylist())) == 2
