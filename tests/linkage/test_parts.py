"""Statements in parts: every row falls in one part, and the files of a run are the same to the byte."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from linkage import database, queries
from linkage import parts as division
from linkage.database import Shelf, compress, connect
from linkage.delivery import Delivery
from linkage.link import link
from linkage.parts import ALL, Room, Values
from linkage.plan import Plan
from linkage.trajectories import EVENTS, PEOPLE, TRAJECTORIES, follow
from tests.linkage.build import write_deliveries
from tests.linkage.countries import Country, countries


@pytest.mark.parametrize(("limit", "held"), [("1GB", 920e6), ("256MB", 176e6), ("1.5 GiB", 1420e6), ("100", 25.0)])
def test_a_limit_is_read_as_duckdb_takes_it(limit: str, held: float) -> None:
    """Less what a query holds whatever its rows; of a very small one a quarter is for rows."""
    assert Room.of(limit).memory == pytest.approx(held)


def test_a_limit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="memory_limit"):
        Room.of("plenty")


@pytest.mark.parametrize(("rows", "parts"), [(0, 1), (10, 1), (11, 2), (40, 4), (41, 8), (10**9, 256)])
def test_parts_grow_with_rows(rows: int, parts: int) -> None:
    assert Room(100.0).parts(rows, 10) == parts


@pytest.mark.parametrize("rows", [1, 10**6, 10**9])
def test_every_key_and_person_is_in_one_part(rows: int) -> None:
    keys = list(Room(1e8).keys(rows))
    for byte in range(256):
        key = bytes([byte]) * 32
        assert sum(part["first_key"] <= key <= part["last_key"] for part in keys) == 1  # type: ignore[operator]
    assert [part["first_key"] for part in keys] == sorted(part["first_key"] for part in keys)  # type: ignore[type-var]
    persons = list(Room(1e8).persons(rows, 1000))
    ends = [(part["first_person"], part["last_person"]) for part in persons]
    assert ends[0][0] == 0 and ends[-1][1] == ALL - 1
    assert all(after[0] == before[1] + 1 for before, after in pairwise(ends))  # type: ignore[operator]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
def test_every_key_number_is_in_one_range(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Also when there is none: the statement must make its table."""
    monkeypatch.setattr(division, "NUMBERS", 4)
    ranges = list(division.numbers(count))
    for number in range(count):
        assert sum(one["first_node"] <= number <= one["last_node"] for one in ranges) == 1  # type: ignore[operator]
    assert len(ranges) == max(1, -(-count // 4))


@pytest.mark.parametrize(("persons", "ranges"), [(0, 1), (500_000, 1), (500_001, 2), (6_500_000, 13)])
def test_a_range_of_persons_has_half_a_million_at_most(persons: int, ranges: int) -> None:
    """Whatever fits: what is looked up for each person would no longer be near the processor."""
    found = list(Room(1e12).persons(persons, persons))
    assert len(found) == ranges


def test_small_deliveries_share_a_part_and_large_ones_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Delivery, "rows", lambda self, _: {1: 1100, 2: 1400, 3: 11000}[self.sequence])
    made = [Delivery("gmsd", number, Path()) for number in (3, 1, 2)]
    found = [(part["first_sequence"], part["last_sequence"], part["unlinked"]) for part in Room(1e6).rows(made)]
    assert found == [(1, 2, False), *[(3, 3, False)] * 4, (0, -1, True)]


@seed(20264)
@settings(
    max_examples=2, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(countries())
def test_the_same_bytes_whole_and_in_parts(tmp_path_factory: pytest.TempPathFactory, country: Country) -> None:
    home = tmp_path_factory.mktemp("country")
    made = []
    for key, rows in country.rows.items():
        covered, status = (country.coverage, country.status[int(key[1])]) if key[0] == "gmsd" else (None, "definitief")
        made += write_deliveries(home / "in", {key: rows}, covered, status=status)
    for name in ("whole", "parts"):
        (home / name).mkdir()
        with pytest.MonkeyPatch.context() as patch:
            if name == "parts":
                patch.setattr(Room, "parts", lambda *_: 4)
                patch.setattr(division, "NUMBERS", 3)
            link(made, home / name, plan=Plan(), work=home / "work", memory_limit="512MB", threads=1)
    whole, cut = ({p.name: p.read_bytes() for p in (home / name).iterdir()} for name in ("whole", "parts"))
    assert [name for name in whole if whole[name] != cut[name]] == [] and whole


MADE = [queries.made(name) for name in (*TRAJECTORIES, *EVENTS)]


@pytest.mark.parametrize("name", (*TRAJECTORIES, *EVENTS, *PEOPLE))
def test_a_statement_of_a_range_reads_the_rows_of_that_range(name: str) -> None:
    """What is staged holds everybody; what the range made before holds the range. Both may be read, only the first asks
    for persons: else a row would be read again by the next range. `strata_counts` asks of all registers together."""
    staged = re.findall(r"\b(?:from|join) (gmsd|ifzo|injus|injus_tbs|reclassering|person_root)\b", queries.text(name))
    asked = queries.text(name).count("person_id between $first_person::bigint and $last_person::bigint")
    assert asked >= len(set(staged)) or name == "strata_counts"
    assert staged or set(re.findall(r"\b(?:from|join) (\w+)\b", queries.text(name))) & set(MADE)


def test_ranges_add_up_and_what_lies_between_goes_with_its_range(tmp_path: Path) -> None:
    """`titles` is read within the range only; `title_chains` stays, of everybody."""
    with connect(work=tmp_path, folders=[], memory_limit="256MB", threads=1) as con:
        con.execute("create table ref_titel as select 'FZT08' as titel_code, 'VOORWAARDELIJK' as titel_groep")
        con.execute("""create table ifzo as
            select i as person_id, 'FZT08' as titel_code, date '2020-01-01' as titel_begin,
              date '2021-06-01' as titel_eind, 'DEFINITIEF' as titel_eind_status, date '2020-02-01' as zorg_begin,
              date '2020-01-01' as datum_indicatie
            from range(5) as t(i)""")
        ranges: list[Values] = [{"first_person": 0, "last_person": 2}, {"first_person": 3, "last_person": ALL}]
        keep = {"title_chains"}.__contains__
        follow(con, ("titles", "title_chains"), Plan().parameters(), ranges, keep=keep, shelf=Shelf(con, 1.0))
        held = {row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()}
        assert con.execute("select person_id from title_chains order by 1").fetchall() == [(n,) for n in range(5)]
    assert held == {"ifzo", "ref_titel", "title_chains"}


def test_a_table_laid_away_takes_a_third_and_stays_what_it_was(tmp_path: Path) -> None:
    codes = (
        "select i as person_id, lpad((i % 340)::varchar, 4, '0') as gemeente, 'ZIN' as vorm from range(500000) as t(i)"
    )
    used = "select sum(memory_usage_bytes) from duckdb_memory() where tag = 'IN_MEMORY_TABLE'"
    asked = "select count(*), sum(person_id), min(gemeente), max(gemeente), count(distinct vorm) from rows"
    with connect(work=tmp_path, folders=[], memory_limit="256MB", threads=1) as con:
        con.execute(f"create table rows as {codes}")
        before, content = con.execute(used).fetchall()[0][0], con.execute(asked).fetchall()
        compress(con)
        assert con.execute(used).fetchall()[0][0] < before / 3
        assert con.execute(asked).fetchall() == content == [(500_000, 124_999_750_000, "0000", "0339", 1)]


def test_nothing_is_laid_away_unasked(tmp_path: Path) -> None:
    """DuckDB by itself compresses what has grown by 16 MB, at the expense of whatever statement is running then."""
    packed = "select count(*) from pragma_storage_info('rows') where compression <> 'Uncompressed'"
    few = "select i, hash(i % 7) as h from range(60000) as t(i)"
    with connect(work=tmp_path, folders=[], memory_limit="256MB", threads=1) as con:
        con.execute(f"create table rows as {few}")
        for _ in range(19):  # 19 MB
            con.execute(f"insert into rows {few}")
        assert con.execute(packed).fetchall() == [(0,)]
        compress(con)
        assert con.execute(packed).fetchall() > [(0,)]


@pytest.mark.parametrize(("ranges", "times"), [(1, 0), (4, 1)])
def test_only_a_country_that_is_large_beside_the_limit_is_laid_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranges: int, times: int
) -> None:
    """Once more after arrangements: where one range holds everything it would cost and save nothing."""
    done: list[int] = []
    monkeypatch.setattr(database, "compress", lambda _: done.append(1))
    monkeypatch.setattr(Room, "parts", lambda *_: ranges)
    (tmp_path / "out").mkdir()
    link([], tmp_path / "out", plan=Plan(), work=tmp_path / "work", memory_limit="256MB", threads=1)
    assert len(done) == times
