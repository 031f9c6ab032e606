"""Who is one person, what is counted about it, and that no row is lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linkage.link import link
from linkage.plan import Plan
from schemas.errors import DeliveryError, QualityGate
from schemas.linked import LINKED_TABLES
from schemas.target_group import RUN_TABLES
from tests.linkage.build import pseudonym, write_deliveries
from tests.linkage.conftest import Tables, everywhere

Run = Callable[..., Tables]


def ifzo(**more: Any) -> dict[str, Any]:
    return {"titel_begin": "2020-01-01", "titel_eind": "2021-01-01", "zorg_begin": "2020-02-01", **more}


def gmsd(**more: Any) -> dict[str, Any]:
    return {"verslagperiode": "2021H1", "ingangsdatum": "2021-01-05", **more}


def test_the_crosswalk_joins_skn_and_bsn(run: Run) -> None:
    (person,) = run(ifzo=[ifzo(skn="s")], gmsd=[gmsd(bsn="b")], crosswalk=[{"skn": "s", "bsn": "b"}])("persons")
    assert (person["bsn_count"], person["skn_count"], person["in_ifzo"], person["in_gmsd"]) == (1, 1, True, True)


def test_without_it_they_are_two(run: Run) -> None:
    assert len(run(ifzo=[ifzo(skn="s")], gmsd=[gmsd(bsn="b")])("persons")) == 2


def test_any_row_with_two_numbers_is_an_edge(run: Run) -> None:
    tables = run(
        ifzo=[ifzo(skn="s")], injus=[{"skn": "s", "bsn": "b", "datum_gebeurtenis": "2020-01-01"}], gmsd=[gmsd(bsn="b")]
    )
    assert len(tables("persons")) == 1


def test_two_bsns_of_one_skn_are_one_person_and_counted(run: Run) -> None:
    rows = [{"skn": "s", "bsn": "b1"}, {"skn": "s", "bsn": "b2"}]
    (person,) = run(gmsd=[gmsd(bsn="b1"), gmsd(bsn="b2")], crosswalk=rows)("persons")
    assert person["bsn_count"] == 2


def test_a_vip_number_is_a_type_of_its_own(run: Run) -> None:
    """The same digits as VIP and as SKN are two people, unless a row joins them."""
    assert len(run(ifzo=[ifzo(vip="7"), ifzo(skn="7")])("persons")) == 2
    assert len(run(ifzo=[ifzo(vip="7"), ifzo(skn="7"), ifzo(vip="7", bsn="b"), ifzo(skn="7", bsn="b")])("persons")) == 1


def test_rows_without_a_number_are_people_of_their_own_and_never_dropped(run: Run) -> None:
    people = run(ifzo=[ifzo(), ifzo(), ifzo(skn="s")])("persons")
    assert [p["linkable"] for p in people] == [True, False, False]


def test_people_whom_only_the_crosswalk_knows_are_nobody(run: Run) -> None:
    assert run(crosswalk=[{"skn": "s", "bsn": "b"}])("persons") == []


def test_attributes_follow_the_order_of_registers_then_frequency(run: Run) -> None:
    placed = [ifzo(skn="s", geboortejaar=year) for year in (1980, 1981, 1981)]
    notice = {"skn": "s", "geboortejaar": 1979, "geslacht": "V", "datum_gebeurtenis": "2020-01-01"}
    (person,) = run(ifzo=placed, injus=[notice])("persons")
    assert (person["geboortejaar"], person["geslacht"]) == (1981, "V")


@pytest.mark.parametrize(("other", "conflict"), [(1981, False), (1982, True)])
def test_a_birth_year_that_differs_by_more_than_one_is_a_conflict(run: Run, other: int, conflict: bool) -> None:
    (person,) = run(
        ifzo=[ifzo(skn="s", geboortejaar=1980)],
        reclassering=[{"skn": "s", "geboortejaar": other, "datum_verzoek": "2021-01-01"}],
    )("persons")
    assert person["conflict_geboortejaar"] is conflict


def test_m_and_v_is_a_conflict_and_unknown_is_not(run: Run) -> None:
    (person,) = run(ifzo=[ifzo(skn="s", geslacht="M"), ifzo(skn="s", geslacht="O")])("persons")
    assert (person["geslacht"], person["conflict_geslacht"]) == ("M", False)
    (person,) = run(ifzo=[ifzo(skn="s", geslacht="M"), ifzo(skn="s", geslacht="V")])("persons")
    assert person["conflict_geslacht"] is True


COUNTRY: dict[str, list[dict[str, Any]]] = {
    "ifzo": [ifzo(skn=f"s{i}", geboortejaar=1960 + i) for i in range(30)] + [ifzo() for _ in range(4)],
    "injus": [
        {"skn": f"s{i}", "datum_gebeurtenis": f"2020-01-{i + 1:02d}", "gemeentecode_brp": "0363"} for i in range(20)
    ],
    "gmsd": [gmsd(bsn=f"b{i}", toewijzingsnummer=f"n{i}") for i in range(25)] + [gmsd(), gmsd()],
    "reclassering": [{"skn": f"s{i}", "datum_verzoek": "2021-02-01"} for i in range(9)],
    "injus_tbs": [{"skn": "s1", "datum": "2021-02-01"}],
    "crosswalk": [{"skn": f"s{i}", "bsn": f"b{i}"} for i in range(22)],
}


def _bytes(folder: Path, seed: int, threads: int, order: int) -> dict[str, str]:
    made = write_deliveries(folder / "in", COUNTRY, everywhere("0363"), seed=seed)
    (folder / "out").mkdir()
    link(made[::order], folder / "out", plan=Plan(), work=folder / "work", memory_limit="512MB", threads=threads)
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((folder / "out").iterdir())}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the row ids, the order of rows and deliveries, and the threads."""
    first = _bytes(tmp_path / "a", seed=1, threads=1, order=1)
    assert first == _bytes(tmp_path / "b", seed=2, threads=2, order=-1)
    assert len(first) == len(LINKED_TABLES) + len(RUN_TABLES) + 1


def test_persons_are_numbered_by_their_lowest_pseudonym(tmp_path: Path) -> None:
    made = write_deliveries(tmp_path / "in", COUNTRY, everywhere("0363"))
    (tmp_path / "out").mkdir()
    link(made, tmp_path / "out", plan=Plan(), work=tmp_path / "work", memory_limit="512MB", threads=1)
    links = pq.read_table(tmp_path / "out" / "person_link.parquet").to_pylist()
    assert [row["person_id"] for row in links] == list(range(len(links)))
    assert [row["link"] for row in links] == sorted(row["link"] for row in links)
    alone = {pseudonym("skn", f"s{i}") for i in range(22, 30)}
    assert alone <= {row["link"] for row in links}


def test_a_row_that_disappears_stops_the_run(tmp_path: Path) -> None:
    """The manifest declares more rows than the payload holds."""
    (delivery,) = write_deliveries(tmp_path / "in", {"ifzo": [ifzo(skn="s")]})
    path = delivery.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["rows"]["accepted"] += 1
    manifest["rows"]["in"] += 1
    path.write_text(json.dumps(manifest))
    (tmp_path / "out").mkdir()
    with pytest.raises(QualityGate, match="rows_lost"):
        link([delivery], tmp_path / "out", plan=Plan(), work=tmp_path / "work")


def test_a_payload_row_without_its_link_row_stops_the_run(tmp_path: Path) -> None:
    (delivery,) = write_deliveries(tmp_path / "in", {"ifzo": [ifzo(skn="s"), ifzo(skn="t")]})
    pq.write_table(pq.read_table(delivery.link).slice(0, 1), delivery.link)
    (tmp_path / "out").mkdir()
    with pytest.raises(QualityGate, match="rows_lost"):
        link([delivery], tmp_path / "out", plan=Plan(), work=tmp_path / "work")


def test_numbers_instead_of_pseudonyms_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    (delivery,) = write_deliveries(tmp_path / "in", {"ifzo": [ifzo(skn="s")]})
    table = pq.read_table(delivery.link)
    text = table.set_column(1, "bsn", pa.array(["a number"]))
    pq.write_table(text, delivery.link)
    with pytest.raises(DeliveryError, match="unreadable_file"):
        link([delivery], tmp_path / "out", plan=Plan(), work=tmp_path / "work")


def test_the_funnel_loses_nothing_between_two_steps_without_saying_so(run: Run) -> None:
    tables = run(**COUNTRY, coverage=everywhere("0363"))
    found = {(r["register"], r["stage"]): r["count"] for r in tables("funnel")}
    assert (found["ifzo", "received"], found["ifzo", "accepted"], found["ifzo", "with_identifier"]) == (34, 34, 30)
    assert (found["gmsd", "staged"], found["gmsd", "with_identifier"], found["ifzo", "event"]) == (27, 25, 34)


def test_match_rates_count_people_of_one_register_in_the_other(run: Run) -> None:
    tables = run(**COUNTRY, coverage=everywhere("0363"))
    found = {
        (r["register"], r["other"], r["year"], r["geslacht"]): (r["persons"], r["matched"], r["unlinkable"])
        for r in tables("match_rates")
    }
    assert found["ifzo", "gmsd", 2020, "ALLEN"] == (34, 22, 4)
    assert found["gmsd", "ifzo", 2021, "ALLEN"] == (27, 22, 2)


def test_jji_is_counted_from_the_manifest_and_only_there(tmp_path: Path) -> None:
    notices = [{"skn": "s", "datum_gebeurtenis": "2022-03-01"}]
    aside = [{"reason": "JJI_BUITEN_BEREIK", "year": 2022, "kind": "BEGIN_DETENTIE", "n": 5}]
    made = write_deliveries(tmp_path / "in", {"injus": notices}, out_of_scope=aside)
    (tmp_path / "out").mkdir()
    link(made, tmp_path / "out", plan=Plan(), work=tmp_path / "work")
    rows = pq.read_table(tmp_path / "out" / "register_counts.parquet").to_pylist()
    found = {row["breakdown"]: row["value"] for row in rows if row["source"] == "injus"}
    assert found == {
        "notice=begin_detention;sector=GW": 1,
        "notice=begin_detention;sector=GW+ForZo": 1,
        "notice=begin_detention;level=all_municipalities": 6,
    }


def test_a_wmo_start_counts_in_a_year_that_its_municipality_delivered(run: Run) -> None:
    """CBS had no figure of a town for a year without its delivery; the next delivery tells that start all the same."""
    begun = {"bsn": "b", "datum_start": "2021-03-01", "verslagperiode": "2022H1"}
    for halves, counted in (([*everywhere("0363")], 1), (["2022H1", "2022H2"], None)):
        tables = run(gmsd=[gmsd(**begun)], coverage={half: ["0363"] for half in halves})
        rows = {(row["indicator"], row["breakdown"], row["year"]): row["value"] for row in tables("register_counts")}
        assert len(tables("wmo_arrangements")) == 1
        assert rows.get(("inflow", "provision=support_at_home", "2021")) == counted


def test_a_row_of_nobody_is_no_second_client_and_no_second_start(run: Run) -> None:
    """CBS merges records of one person. A row whose number is unusable is nobody's: told, but not counted."""
    halves = [{"verslagperiode": half, "datum_start": "2021-03-01"} for half in ("2021H1", "2021H2")]
    tables = run(gmsd=[gmsd(bsn="b", **halves[0]), gmsd(bsn=None, **halves[1])], coverage=everywhere("0363"))
    rows = {(row["indicator"], row["breakdown"], row["year"]): row["value"] for row in tables("register_counts")}
    assert len(tables("wmo_arrangements")) == 2
    assert sorted(row["linkable"] for row in tables("persons")) == [False, True]
    assert rows["inflow", "provision=support_at_home", "2021"] == 1
    assert rows["clients", "provision=support_at_home", "2021"] == 1


def test_every_printed_figure_stands_beside_a_count_or_a_reason(run: Run) -> None:
    rows = run(**COUNTRY, coverage=everywhere("0363"))("reconciliation")
    assert len(rows) == 213
    assert all(row["counted"] is not None or row["note"] for row in rows)
