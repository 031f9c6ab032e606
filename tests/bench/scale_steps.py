"""The steps of `make bench-scale`: how the tables are made, our joins, our statements, and the peers' joins."""

from __future__ import annotations

import datetime as dt
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from linkage import database, indicators, link, match, queries, tables, trajectories
from linkage.database import Connection, connect
from linkage.plan import Plan
from tests.bench import scale_store

MEMORY, THREADS = "1GB", 2
MORE = ("4GB", "8GB")  # what a peer gets that cannot do it in MEMORY
PLAN = Plan(period_from=dt.date(2014, 1, 1), coverage_from=dt.date(2014, 1, 1))
MEASURED = (
    *("presence", "interval", "interval32", "asof", "chain", "interval_process", "buckets"),
    *("pairs", "linked", "polars_presence", "polars_interval", "polars_chain", "splink_pairs"),
)
PEERS = (
    *(("polars_presence", "presence"), ("polars_interval", "interval"), ("polars_chain", "chain")),
    *(("splink_pairs", "pairs"), ("asof", "interval"), ("interval32", "interval")),
)
# What is told apart inside the linkage: statements, tables written, and the components, which Python finds.
WATCHED: tuple[tuple[Any, str, Callable[..., str]], ...] = (
    (queries, "run", lambda con, name, values: name),
    (tables, "write", lambda con, table, out: f"write {table.name}"),
    (match, "components", lambda *_: "components"),
    (database, "compress", lambda *_: "compress"),
    (trajectories, "add", lambda *_: "add ranges"),
)
# Parts of the linkage, by the statements in each; a table written is a part with all others.
LINKED_PARTS = {
    "trajectories and events": (*trajectories.PLACES, *trajectories.TRAJECTORIES, *trajectories.EVENTS, "add ranges"),
    "counts": (*trajectories.PEOPLE, *link.COUNTS, *link.RECOUNTS, *link.ACCOUNTS),
    "indicators": indicators.STATEMENTS,
    "laying away": ("compress",),
}
KEY = "md5('koppel' || ({}))::uuid"
# Per person 0.4 title ends, 0.16 placements, 0.16 care lines and 4 Wmo records in ten years, as performance.md has it.
TABLES = {
    "titel": (0.4, "(hash(i, 1) % 340)::smallint as g"),
    "plaatsing": (0.16, "(hash(i, 2) % 4)::tinyint as soort"),
    "ifzo": (0.16, "(hash(i, 3) % 4)::tinyint as soort"),
    "wmo": (4.0, "(hash(i, 4) % 340)::smallint as g"),
}
FIRST = """
select t.rid, min(w.dag) as dag from titel as t
join {other} as w on w.p = t.p and w.dag between t.dag and t.dag + 365
group by t.rid"""
INTERVAL = (
    f"select count(*), sum(w.dag - t.dag)::bigint from titel as t join ({FIRST.format(other='wmo')}) as w using (rid)"
)
ASOF = """
select count(*), sum(w.dag - t.dag)::bigint from titel as t asof join wmo as w on t.p = w.p and t.dag <= w.dag
where w.dag <= t.dag + 365"""
PRESENCE = """
with a as (select distinct p from titel), b as (select distinct p from plaatsing), c as (select distinct p from ifzo),
  d as (select distinct p from wmo)
select count(*), count(b.p), count(c.p), count(d.p)
from a left join b on b.p = a.p left join c on c.p = a.p left join d on d.p = a.p"""
CHAIN = f"""
select count(*), sum(n)::bigint, sum(m)::bigint, sum(x)::bigint, sum(y)::bigint from (
  select t.g, year(t.dag) as jaar, count(*) as n, count(w.dag) as m, count(x.dag) as x, count(y.dag) as y
  from titel as t
  left join ({FIRST.format(other="wmo")}) as w using (rid)
  left join ({FIRST.format(other="plaatsing")}) as x using (rid)
  left join ({FIRST.format(other="ifzo")}) as y using (rid)
  group by all)"""
PAIRS = "select count(*) from titel as t join wmo as w on w.p = t.p"


@contextmanager
def database(folder: Path, *, wide: bool = False) -> Iterator[Connection]:
    """The project's own connection, with the tables as views."""
    with connect(work=folder / "spill", folders=[folder], memory_limit=MEMORY, threads=THREADS) as con:
        for name in TABLES:
            suffix = "32" if wide and name in ("titel", "wmo") else ""
            if (folder / f"{name}{suffix}.parquet").exists():
                con.execute(f"create view {name} as from '{folder}/{name}{suffix}.parquet'")
        yield con


def ask(query: str, *, wide: bool = False) -> Callable[[Path], Any]:
    """A step that asks one query of the views."""

    def work(folder: Path) -> Any:
        with database(folder, wide=wide) as con:
            return list(con.execute(query).fetchall()[0])

    return work


def make(folder: Path) -> list[int]:
    """Sorted by key and day, in row groups of 122,880; titel and wmo also with 32-byte keys, wmo also in 16 buckets."""
    persons = int((folder / "persons").read_text(encoding="utf-8"))
    with connect(work=folder / "spill", folders=[folder], memory_limit="3GB", threads=THREADS) as con:
        for name, (share, cells) in TABLES.items():
            day = "date '2014-01-01' + (hash(i, 7) % 3652)::integer as dag"
            rows = f"select hash(i, '{name}') % {persons} as n, i as rid, {day}, {cells} from range({int(share * persons)}) as t(i)"
            key = KEY.format("n")
            _copy(con, f"select {key} as p, * exclude (n) from ({rows}) order by p, dag", folder / f"{name}.parquet")
            if name in ("titel", "wmo"):
                wide = "unhex(sha256('koppel' || n))"
                _copy(
                    con,
                    f"select {wide} as p, * exclude (n) from ({rows}) order by p, dag",
                    folder / f"{name}32.parquet",
                )
        for bucket in range(16):
            first, last = (f"'{bucket:x}{rest * 7}-{'-'.join(rest * n for n in (4, 4, 4, 12))}'::uuid" for rest in "0f")
            held = f"where p between {first} and {last}"  # sorted by p: other row groups are not read
            (folder / f"bucket-{bucket}").mkdir()
            for name in ("titel", "wmo"):
                _copy(con, f"from '{folder}/{name}.parquet' {held}", folder / f"bucket-{bucket}" / f"{name}.parquet")
    return [persons]


def store(folder: Path) -> list[int]:
    """Deliveries as intake leaves them, for `linked`; the answer is how many."""
    persons = int((folder / "persons").read_text(encoding="utf-8"))
    return [len(scale_store.make(folder / "store", persons, "3GB", THREADS))]


def _copy(con: Connection, query: str, path: Path) -> None:
    con.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd, row_group_size 122880)")


def linked(folder: Path) -> dict[str, float]:
    """The whole linkage of the store, `linkage.link` itself; CPU seconds by statement and by table written."""
    took: dict[str, float] = {}
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with ExitStack() as stack:
        for module, name, told in WATCHED:
            watched = _watched(getattr(module, name), told, took)
            stack.enter_context(mock.patch.object(module, name, watched))
        link.link(scale_store.deliveries(folder / "store"), out, plan=PLAN, work=folder / "spill", memory_limit=MEMORY)
    return took


def part_of(name: str) -> str:
    """The part of the linkage that a statement belongs to."""
    if name.startswith("write "):
        return "tables written"
    if name.startswith("stage_"):
        return "staging"
    return next((part for part, names in LINKED_PARTS.items() if name in names), "persons")


def _watched(work: Callable[..., Any], told: Callable[..., str], took: dict[str, float]) -> Callable[..., Any]:
    def inner(*given: Any, **named: Any) -> Any:
        found: list[Any] = []
        name = told(*given)
        try:
            took[name] = took.get(name, 0.0) + _spent(lambda: found.append(work(*given, **named)))
        except Exception as error:
            error.add_note(f"failed in {name}")  # the last line of what is told of a step that failed
            raise
        return found[0]

    return inner


def _spent(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def buckets(folder: Path) -> list[int]:
    """The interval join bucket by bucket, each a process of its own with one thread: cores share buckets, not rows."""
    found = [_in_process(folder / f"bucket-{n}", threads=1) for n in range(16)]
    return [sum(column) for column in zip(*found, strict=True)]


# No more than the join needs: what a worker on another machine would start.
BUCKET = """
import sys
from pathlib import Path
from linkage.database import connect
folder, query, memory, threads = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
with connect(work=folder / "spill", folders=[folder], memory_limit=memory, threads=threads) as con:
    for name in ("titel", "wmo"):
        con.execute(f"create view {name} as from '{folder}/{name}.parquet'")
    print(*con.execute(query).fetchall()[0])
"""


def _in_process(folder: Path, threads: int = THREADS) -> list[int]:
    command = [sys.executable, "-c", BUCKET, str(folder), INTERVAL, MEMORY, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def polars_interval(folder: Path) -> list[int]:
    """The interval join as one would write it by hand in Polars."""
    import polars as pl

    titel, wmo = (pl.scan_parquet(folder / f"{name}.parquet") for name in ("titel", "wmo"))
    joined = titel.join(wmo.select("p", pl.col("dag").alias("start")), on="p")
    inside = joined.filter((pl.col("start") >= pl.col("dag")) & (pl.col("start") <= pl.col("dag").dt.offset_by("365d")))
    first = inside.group_by("rid").agg(pl.col("dag").first(), pl.col("start").min())
    days = (pl.col("start") - pl.col("dag")).dt.total_days().sum()
    found = first.select(pl.len().alias("n"), days.alias("d")).collect(engine="streaming")
    return [int(found["n"][0]), int(found["d"][0])]


def polars_chain(folder: Path) -> list[int]:
    """Three interval joins and the municipality x year table, in Polars."""
    import polars as pl

    titel = pl.scan_parquet(folder / "titel.parquet")
    found, day = titel, pl.col("dag")
    for name in ("wmo", "plaatsing", "ifzo"):
        other = pl.scan_parquet(folder / f"{name}.parquet").select("p", day.alias(name))
        joined = titel.select("p", "rid", "dag").join(other, on="p")
        inside = joined.filter((pl.col(name) >= day) & (pl.col(name) <= day.dt.offset_by("365d")))
        found = found.join(inside.group_by("rid").agg(pl.col(name).min()), on="rid", how="left")
    table = found.group_by("g", day.dt.year()).agg(pl.len().alias("n"), pl.col("wmo", "plaatsing", "ifzo").count())
    told = table.select(pl.len().alias("rows"), pl.col("n", "wmo", "plaatsing", "ifzo").sum())
    return [int(value) for value in told.collect(engine="streaming").row(0)]


def polars_presence(folder: Path) -> list[int]:
    """Presence of title holders in the three other tables, in Polars."""
    import polars as pl

    held = {name: pl.scan_parquet(folder / f"{name}.parquet").select("p").unique() for name in TABLES}
    found = held["titel"]
    for name in ("plaatsing", "ifzo", "wmo"):
        found = found.join(held[name].with_columns(pl.lit(1).alias(name)), on="p", how="left")
    counted = found.select(pl.len(), *(pl.col(n).count() for n in ("plaatsing", "ifzo", "wmo"))).collect(
        engine="streaming"
    )
    return [int(value) for value in counted.row(0)]


def splink_pairs(folder: Path, memory: str = MEMORY) -> list[int]:
    """Splink's deterministic linkage of the two tables on the key; pairs are counted, as ours are."""
    import duckdb
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    con = duckdb.connect(
        config={"memory_limit": memory, "threads": THREADS, "temp_directory": str(folder / "spill-splink")}
    )
    con.execute(f"create view titel as select rid as unique_id, p::varchar as p from '{folder}/titel.parquet'")
    con.execute(f"create view wmo as select rid as unique_id, p::varchar as p from '{folder}/wmo.parquet'")
    settings = SettingsCreator(link_type="link_only", blocking_rules_to_generate_predictions=[block_on("p")])
    api = DuckDBAPI(connection=con)
    try:
        linker = Linker([api.register("titel"), api.register("wmo")], settings)
    except (AttributeError, TypeError):
        linker = Linker(["titel", "wmo"], settings, api)
    pairs = linker.inference.deterministic_link()
    return [int(con.execute(f"select count(*) from {pairs.physical_name}").fetchall()[0][0])]


def _plain(work: Callable[[Path], Any], *imported: str) -> Callable[[Path], Callable[[Path], Any]]:
    """A step whose libraries are imported before the clock starts."""

    def ready(_: Path) -> Callable[[Path], Any]:
        for name in imported:
            __import__(name)
        return work

    return ready


STEPS: dict[str, Callable[[Path], Callable[[Path], Any]]] = {
    "make": _plain(make),
    "store": _plain(store),
    "presence": _plain(ask(PRESENCE)),
    "interval": _plain(ask(INTERVAL)),
    "interval32": _plain(ask(INTERVAL, wide=True)),
    "asof": _plain(ask(ASOF)),
    "chain": _plain(ask(CHAIN)),
    "interval_process": _plain(_in_process),
    "buckets": _plain(buckets),
    "pairs": _plain(ask(PAIRS)),
    "linked": _plain(linked),
    "polars_presence": _plain(polars_presence, "polars"),
    "polars_interval": _plain(polars_interval, "polars"),
    "polars_chain": _plain(polars_chain, "polars"),
    "splink_pairs": _plain(splink_pairs, "splink"),
    **{f"splink_pairs_{memory}": _plain(partial(splink_pairs, memory=memory), "splink") for memory in MORE},
}
HEAD = f"""# Scale: what was measured

Written by `make bench-scale` (tests/bench/scale.py); read ratios, not seconds: the machine may be shared. DuckDB gets
{MEMORY} and {THREADS} threads. T3 (the supplier tool) stands in [performance-pseudonymise](performance-pseudonymise.md).
"""
TAIL = """Spill is the most that DuckDB's temporary files held, looked at 50 times a second. Peak memory is that of the
process, libraries included. Of several rounds each step and each statement has its least. "interval_process" is the interval join with the start of its process counted, which "buckets"
does 16 times. Splink gets keys as text, for it compares no UUIDs, and more memory where it ends for want of it; Polars runs
its streaming engine without a memory limit.
At 0.18 million opening a connection is most of what a join takes. T5 of performance.md is said of steps: the first of its two
lines. Statements by themselves are judged beside it, more strictly: what one leaves in memory another finds or fetches, so
that where a country no longer fits in memory costs move between them. "add ranges" puts ranges of persons together; up to
1.1 million there is one, and nothing to add.

The linkage gave the same bytes at 0.18 million under 1 GB, under 100 MB, and before its statements
went in parts ([106](decisions/0106-large-countries-in-a-small-memory.md)).

## Spark

`make bench-engines`: pyspark 4.3 on Java 17, in local mode, gave the same hash over all sorted linked tables as DuckDB on two
random countries with every defect (6 and 79 rows); the third of its three countries was stopped. On a loaded machine Spark
took 773 and 905 s for what DuckDB did in 20 and 40 s: start and planning, not rows.
"""
