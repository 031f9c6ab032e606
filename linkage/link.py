"""From accepted deliveries to linked tables, counts and quality: the whole linkage in one pass over one database.

Every rule is a statement of its own in sql/, run in the order given here and in trajectories.py; nothing here decides
anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from linkage import accounting, domains, fallback, indicators, match, parts, queries, stage, tables
from linkage.database import Connection, Shelf, connect
from linkage.delivery import Delivery
from linkage.engines.session import Engine
from linkage.parts import Room
from linkage.plan import Parameter, Plan
from linkage.trajectories import EVENTS, PEOPLE, PLACES, TRAJECTORIES, follow
from schemas.linked import LINKED_TABLES
from schemas.target_group import RUN_TABLES

__all__ = ["Delivery", "LinkResult", "link"]

MACROS = ("half_number", "half_end", "half_of", "half_name", "place_rank", "age_band")
CURRENT = ("list_last_coverage", "find_replaced", "view_current_links", "fallback_none", "view_row_keys")
COUNTS = ("register_links", "gmsd_history", "coverage", "match_rates", "link_strata", "person_quality", "target_group")
# Tables that nothing reads any more, by the statement after which they go: held, they would be spilled.
DONE_AFTER = {"register_links": ("key_person",), "match_rates": ("presence",)}
STAGED = ("gmsd", "ifzo", "injus", "reclassering")
RECOUNTS = ("figures", "count_injus", "count_reclassering", "count_ifzo", "count_cbs", "register_counts")
ACCOUNTS = ("linked_persons", "funnel_events", "never_delivered")


@dataclass(frozen=True)
class LinkResult:
    """What a run made, in numbers: `rows` per written table, persons and row accounting."""

    rows: dict[str, int]
    persons: int
    linkable: int
    rows_in: int
    rows_accepted: int
    rows_replaced: int

    def facts(self) -> dict[str, int | str]:
        """Numbers for the journal, the log and the terminal."""
        return {
            "rows": self.rows_accepted,
            "persons": self.persons,
            "unlinkable": self.persons - self.linkable,
            "events": self.rows["title_end_events"],
        }


def link(
    deliveries: Sequence[Delivery],
    out: Path,
    *,
    plan: Plan,
    work: Path,
    memory_limit: str = "1GB",
    threads: int = 2,
    engine: Engine | None = None,
) -> LinkResult:
    """Write every linked table and run table, and `person_link.parquet`, into the empty folder `out`.

    Same deliveries and plan, same bytes: whatever the order, threads or memory. QualityGate rows_lost when a
    staged row is missing; DeliveryError bad_manifest or unreadable_file for a store that is not as it should be,
    mixed_domains (naming both) when pseudonyms of two domains would meet. With an `engine`, trajectories and events
    are computed there; the tables are the same to the byte.
    """
    for delivery in deliveries:
        delivery.require_shape()
    domain = domains.link_domain(deliveries)
    folders = [delivery.folder for delivery in deliveries]
    with connect(work=work, folders=folders, memory_limit=memory_limit, threads=threads) as con:
        domains.mirror(con, deliveries, domain)
        stage.views(con, deliveries, domain)
        stage.fallback(con, deliveries, domain)
        linkable, persons = _compute(con, deliveries, plan, Room.of(memory_limit), engine=engine, work=work)
        account = accounting.Account.of(con, deliveries)
        account.require_nothing_lost()
        _drop(con, ("gmsd",))
        _count(con, deliveries, plan, account)
        rows = {table.name: tables.write(con, table, out) for table in LINKED_TABLES.values()}
        rows |= {name: tables.write(con, table, out) for name, table in RUN_TABLES.items()}
        tables.write_person_link(con, domain, out)
    return LinkResult(rows, persons, linkable, account.received, account.accepted, account.replaced)


def _compute(
    con: Connection, deliveries: Sequence[Delivery], plan: Plan, room: Room, *, engine: Engine | None, work: Path
) -> tuple[int, int]:
    values = plan.parameters() | parts.WHOLE
    stage.reference(con, plan)
    stage.coverage(con, deliveries)
    _run(con, (*MACROS, *CURRENT), values)
    linkable = match.number(con, values, room, sum(one.rows("accepted") for one in deliveries))
    _drop(con, ("keys",))
    shelf = Shelf(con, room.memory / 4 if _is_large(room, deliveries) else math.inf)
    persons = match.rows(con, values, fallback.link(con, plan, values, linkable), room, deliveries, after=shelf.tidy)
    ranges = list(room.persons(max(parts.count(con, name) for name in STAGED), persons))
    if engine is None:
        _run(con, PLACES, values)
        follow(con, (*TRAJECTORIES, *EVENTS), values, ranges, keep=_read_later, shelf=shelf)
    else:
        from linkage.engines.run import Statements, compute  # noqa: PLC0415 - an optional extra

        compute(con, engine, work, Statements((*PLACES, *TRAJECTORIES), EVENTS, MACROS, values), wanted=_read_later)
    shelf.clear()
    follow(con, PEOPLE, values, ranges, keep=_read_later, shelf=shelf)
    return linkable, persons


def _is_large(room: Room, deliveries: Sequence[Delivery]) -> bool:
    """Whether tables are large beside the memory limit: then they are laid away compressed."""
    rows = {name: sum(one.rows("accepted") for one in deliveries if one.register == name) for name in STAGED}
    return room.parts(max(rows.values()), parts.MERGED_ROW) > 1


def _read_later(table: str) -> bool:
    """Whether a table is written, or read by a statement that counts."""
    later = "\n".join(queries.text(name) for name in (*PEOPLE, *COUNTS, *indicators.STATEMENTS, *RECOUNTS, *ACCOUNTS))
    return table in LINKED_TABLES or re.search(rf"\b{table}\b", later) is not None


def _count(con: Connection, deliveries: Sequence[Delivery], plan: Plan, account: accounting.Account) -> None:
    values = plan.parameters()
    for name in COUNTS:
        queries.run(con, name, values)
        _drop(con, DONE_AFTER.get(name, ()))
    indicators.compute(con, plan)
    stage.table_from_arrow(con, "set_aside", accounting.set_aside(deliveries))
    _run(con, RECOUNTS, values)
    stage.table_from_arrow(con, "reconciliation", accounting.reconcile(con))
    stage.table_from_arrow(con, "funnel", account.funnel(con))


def _run(con: Connection, names: Sequence[str], values: dict[str, Parameter]) -> None:
    for name in names:
        queries.run(con, name, values)


def _drop(con: Connection, names: Sequence[str]) -> None:
    for name in names:
        con.execute(f"drop table {name}")


def arrow(con: Connection, query: str) -> pa.Table:
    """The result of a query of ours as an Arrow table."""
    return con.sql(query).to_arrow_table()
