"""The same statements on another engine: the same rows, or a refusal before any row moves; never another answer.

Sail runs here, inside the process. `make bench-engines` does the same with Spark on Java.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from linkage import link as room
from linkage import queries
from linkage.engines import run, session
from linkage.engines.session import Engine
from linkage.engines.translate import macros, reads, translate
from linkage.link import MACROS, link
from linkage.plan import Plan
from linkage.trajectories import EVENTS, PLACES, TRAJECTORIES
from schemas.errors import ConfigError
from tests.linkage.build import hash_of, write_deliveries
from tests.linkage.countries import Country, countries

SAIL = Engine("sail")
TYPES: dict[str, dict[str, object]] = {
    "t": {"p": "BIGINT", "d": "DATE", "e": "DATE", "code": "VARCHAR", "n": "INTEGER", "b": "BOOLEAN", "u": "UUID"}
}


def sql_of(monkeypatch: pytest.MonkeyPatch, query: str) -> str:
    """The Spark SQL of `create table x as <query>` over table t."""
    monkeypatch.setattr("linkage.queries.text", lambda name: f"create table x as {query}")
    return translate("x", Plan().parameters(), TYPES, {})[1]


@pytest.mark.parametrize(
    ("duck", "spark"),
    [
        ("select d - e as n from t", "DATEDIFF(t.d, t.e)"),
        ("select d - 1 as d from t", "DATE_ADD(t.d, -(1))"),
        ("select (d - to_months(24))::date as d from t", "ADD_MONTHS(t.d, -(24))"),
        ("select p, count(*) as n from t group by all", "GROUP BY t.p"),
        ("select count(*) filter (where b) as n from t", "COUNT(CASE WHEN t.b THEN 1 END)"),
        ("select n // 2 as n from t", "t.n DIV 2"),
        ("select $coverage_until::date as d from t", "CAST('2023-12-31' AS DATE)"),
        ("select n + 1 as m, m > 3 as b from t", "(t.n + 1) > 3"),
        ("select row_number() over () as n from t", "OVER (ORDER BY 1"),
    ],
)
def test_what_the_dialects_say_differently(monkeypatch: pytest.MonkeyPatch, duck: str, spark: str) -> None:
    assert spark in sql_of(monkeypatch, duck)


@pytest.mark.parametrize(
    "query",
    [
        "select list_sort([n]) as n from t",  # a function that is not known to mean the same
        "select first(d order by u desc) as d from t",  # the opposite order of an identifier: unknown
        "select first(d) as d from t",  # the first in no order is anything
        "select printf('%d', n) as n from t",
    ],
)
def test_what_is_not_known_to_mean_the_same_is_refused(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    with pytest.raises(ConfigError, match="untranslatable"):
        sql_of(monkeypatch, query)


@pytest.mark.parametrize("name", ["view_row_keys", "fallback_keys", "linked_persons", "half_of"])
def test_only_statements_that_make_a_table_are_translated(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"untranslatable.*{name}"):
        reads(name)


def test_macros_are_written_out() -> None:
    names, body = macros(["half_of"])["half_of"]
    assert (names, body.sql()) == (["day"], "CAST((2 * YEAR(day) + CAST((MONTH(day) > 6) AS INT)) AS INT)")


def test_a_statement_that_cannot_be_translated_stops_the_run_before_the_engine_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(room, "EVENTS", (*EVENTS, "tbs_of_nobody"))
    whole = queries.text
    odd = "create table tbs_of_nobody as select list_sort([person_id]) as x from tbs_events"
    monkeypatch.setattr("linkage.queries.text", lambda name: odd if name == "tbs_of_nobody" else whole(name))
    monkeypatch.setattr(run, "session", lambda *_: pytest.fail("the engine was started"))
    with pytest.raises(ConfigError, match=r"untranslatable.*tbs_of_nobody"):
        link([], tmp_path / "out", plan=Plan(), work=tmp_path / "work", engine=SAIL)


def test_sail_gives_the_least_of_a_group_as_duckdb_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`first(... order by ...)` with empty values, both directions, dates, codes and truth values."""
    query = """
    select p,
      first(d order by b desc, e desc nulls first, code desc, n) as a,
      first({'d': d, 'c': code} order by n desc, code nulls first, e, d) filter (where not b) as s,
      arg_max(n, e) as m,
      arg_min(n, e) as l
    from t group by all"""
    rows = [
        (p, d, e, code, n, b)
        for p in (1, 2)
        for d, e, code, n, b in (
            ("2022-01-01", None, "GW", 1, True),
            ("2022-01-02", "2022-03-01", "GW", 2, True),
            ("2022-01-03", "2022-03-01", "FORZO", None, False),
            ("2022-01-04", "2022-04-01", None, 3, p == 1),
            ("2022-01-05", None, "G", 1, True),
        )
    ]
    con = duckdb.connect()
    con.execute("create table t (p bigint, d date, e date, code varchar, n integer, b boolean)")
    con.executemany("insert into t values (?, ?, ?, ?, ?, ?)", rows)
    (tmp_path / "engine" / "t").mkdir(parents=True)
    expected = con.execute(f"select * from ({query}) order by p").fetchall()
    table = con.sql("from t").to_arrow_table()
    sql = sql_of(monkeypatch, query)
    with session.session(SAIL, tmp_path) as there:
        (there.folder / "t").mkdir()
        pq.write_table(table, there.folder / "t" / "part-0.parquet")
        there.open("t")
        found = there.arrow(f"select * from ({sql}) order by p").to_pylist()
    assert [tuple(row.values()) for row in found] == expected


def both(home: Path, country: Country | None) -> tuple[Path, Path]:
    """Output folders of DuckDB alone and of Sail, from the same deliveries."""
    made = []
    for key, rows in ({} if country is None else country.rows).items():
        assert country is not None
        covered, status = (country.coverage, country.status[int(key[1])]) if key[0] == "gmsd" else (None, "definitief")
        made += write_deliveries(home / "in", {key: rows}, covered, status=status)
    for name, engine in (("duckdb", None), ("sail", SAIL)):
        (home / name).mkdir()
        link(made, home / name, plan=Plan(), work=home / "work", threads=1, engine=engine)
    return home / "duckdb", home / "sail"


def test_no_delivery_at_all(tmp_path: Path) -> None:
    here, there = both(tmp_path, None)
    assert hash_of(here) == hash_of(there)


@seed(20260)
@settings(
    max_examples=4, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(countries())
def test_sail_and_duckdb_agree_on_random_countries(tmp_path_factory: pytest.TempPathFactory, country: Country) -> None:
    """One hash over all linked tables; and every file of the run, counts and quality too, is the same to the byte."""
    here, there = both(tmp_path_factory.mktemp("country"), country)
    assert hash_of(here) == hash_of(there)
    assert [p.name for p in sorted(here.iterdir()) if p.read_bytes() != (there / p.name).read_bytes()] == []


def test_no_pseudonym_reaches_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, pa.Schema] = {}
    opened = session.Session.open

    def watching(there: session.Session, name: str) -> None:
        file = next((there.folder / name).glob("*.parquet"))
        sent[name] = pq.read_schema(file)
        opened(there, name)

    monkeypatch.setattr(session.Session, "open", watching)
    made = write_deliveries(
        tmp_path / "in", {"gmsd": [{"bsn": "a", "toewijzingsnummer": "n1", "ingangsdatum": "2022-01-01"}]}
    )
    (tmp_path / "out").mkdir()
    link(made, tmp_path / "out", plan=Plan(), work=tmp_path / "work", engine=SAIL)
    kinds = {(table, field.name): field.type for table, schema in sent.items() for field in schema}
    assert kinds["gmsd", "nummer"] == pa.int64()
    assert ("person_root", "link") not in kinds and ("person_root", "bsn_count") in kinds
    assert not [
        place for place, kind in kinds.items() if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind)
    ]
    assert not list((tmp_path / "work").glob("engine*"))


@pytest.mark.parametrize(
    ("given_engine", "code"),
    [
        ({"kind": "flink"}, "unknown_engine"),
        ({"kind": "sail", "url": "sc://localhost:1"}, "engine_folder"),
    ],
)
def test_an_engine_is_known_and_a_cluster_has_a_folder(given_engine: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigError, match=code):
        Engine(**given_engine)


def test_nobody_answers(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"sc://127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(ConfigError, match="engine_unavailable"),
        session.session(Engine("sail", url, tmp_path), tmp_path),
    ):
        pass


def test_the_light_client_has_no_spark_of_its_own(tmp_path: Path) -> None:
    """Local Spark needs the whole of pyspark and Java; where only the client is, the error says so."""
    pytest.importorskip("pyspark")
    import pyspark

    if (Path(pyspark.__file__).parent / "jars").is_dir():
        pytest.skip("the whole of pyspark is installed")
    with pytest.raises(ConfigError, match="engine_unavailable"), session.session(Engine("spark"), tmp_path):
        pass


def test_every_statement_of_a_run_is_translated() -> None:
    """The list that `koppel run --engine` runs: nothing in it but tables, and what each reads is known."""
    made = [reads(name)[0] for name in (*PLACES, *TRAJECTORIES, *EVENTS)]
    assert len(made) == len(set(made)) and {"wmo_arrangements", "title_end_events"} <= set(made)
    assert set(macros(MACROS)) == set(MACROS)
