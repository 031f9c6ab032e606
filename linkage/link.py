"""From accepted deliveries to linked tables, counts and quality: the whole linkage in one pass over one database.

Every rule is a statement of its own in sql/, run in the order of `STEPS`; nothing here decides anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from linkage import accounting, domains, fallback, indicators, match, parts, queries, stage, tables
from linkage.database import Connection, compress, connect
from linkage.delivery import Delivery
from linkage.engines.session import Engine
from linkage.parts import Room, Values
from linkage.plan import Parameter, Plan
from schemas.linked import LINKED_TABLES
from schemas.target_group import RUN_TABLES

__all__ = ["Delivery", "LinkResult", "link"]

MACROS = ("half_number", "half_end", "half_of", "half_name", "place_rank", "age_band")
CURRENT = ("list_last_coverage", "find_replaced", "view_current_links", "fallback_none", "view_row_keys")
TRAJECTORIES = (
    *("told_attributes", "persons", "detention_parts", "detention_spells", "tbs_events", "placement_requests"),
    *("care_spells", "titles", "title_chains", "coverage_delivered", "unnumbered_years", "by_rule"),
    *("pieces_by_number", "merge_by_number", "rule_rows", "rule_halves", "rule_variants", "rule_pairs"),
)
EVENTS = (
    *("merge_by_rule", "wmo_arrangements", "departures", "events", "event_detention", "event_care"),
    *("event_wmo", "event_outcome", "event_place", "event_return", "title_end_events"),
)
# Ordered aggregates, joins of many tables and telling people apart hold every row: these go by ranges of persons.
BY_PERSON = (
    *("pieces_by_number", "merge_by_number", "rule_rows", "rule_halves", "rule_variants", "merge_by_rule"),
    *("detention_parts", "detention_spells", "placement_requests", "titles", "title_chains"),
    *("event_detention", "event_care", "event_outcome", "event_place", "title_end_events"),
    *("told_attributes", "persons", "presence", "strata_counts", "cbs_clients"),
)
# Statements of one range after another: only the table of the last is read by others.
TOGETHER = (
    ("told_attributes", "persons"),
    ("detention_parts", "detention_spells"),
    ("pieces_by_number", "merge_by_number"),
    ("rule_rows", "rule_halves", "rule_variants"),
)
COUNTS = (
    *("register_links", "gmsd_history", "coverage", "presence", "match_rates", "strata_counts", "link_strata"),
    *("person_quality", "target_group", "cbs_clients"),
)
# Tables that nothing reads any more, by the statement after which they go: held, they would be spilled.
DONE_AFTER = {
    "merge_by_rule": ("rule_variants", "rule_pairs", "rule_components"),
    "wmo_arrangements": ("arrangements_by_number", "arrangements_by_rule"),
    "register_links": ("key_person",),
    "strata_counts": ("gmsd", "presence"),
}
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
        room = Room.of(memory_limit)
        linkable, persons = _compute(con, deliveries, plan, room, engine=engine, work=work)
        account = accounting.Account.of(con, deliveries)
        account.require_nothing_lost()
        _count(con, deliveries, plan, account, _ranges(con, room, persons))
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
    persons = match.rows(con, values, fallback.link(con, plan, values, linkable), room, deliveries)
    if engine is None:
        large = room.parts(_largest(con), parts.MERGED_ROW) > 1
        _lay_away(con, large=large)
        follow(con, values, _ranges(con, room, persons))
        _lay_away(con, large=large)
    else:
        from linkage.engines.run import Statements, compute  # noqa: PLC0415 - an optional extra

        compute(con, engine, work, Statements(TRAJECTORIES, EVENTS, MACROS, values), wanted=_read_later)
    return linkable, persons


def _ranges(con: Connection, room: Room, persons: int) -> list[Values]:
    """Ranges of persons such that what the largest register holds of one fits."""
    return list(room.persons(_largest(con), persons))


def _largest(con: Connection) -> int:
    return max(parts.count(con, name) for name in STAGED)


def _lay_away(con: Connection, *, large: bool) -> None:
    """Tables that are large beside the memory limit are held compressed, so that ranges are not read from disk."""
    if large:
        compress(con)


def follow(con: Connection, values: Values, persons: Sequence[Values]) -> None:
    """Trajectories and events; what merges arrangements goes by ranges of persons."""
    _follow(con, TRAJECTORIES, values, persons)
    match.rule_components(con)
    _follow(con, EVENTS, values, persons)


def _follow(con: Connection, names: Sequence[str], values: Values, persons: Sequence[Values]) -> None:
    before = {name for group in TOGETHER for name in group[:-1]}
    groups = {group[-1]: group for group in TOGETHER}
    for name in (name for name in names if name not in before):
        if name in BY_PERSON:
            counted = "first_variant" if name == "rule_variants" else ""
            parts.together(con, groups.get(name, (name,)), values, iter(persons), counted)
        else:
            queries.run(con, name, values)
        _drop(con, DONE_AFTER.get(name, ()))


def _read_later(table: str) -> bool:
    """Whether a table is written, or read by a statement that counts."""
    later = "\n".join(queries.text(name) for name in (*COUNTS, *indicators.STATEMENTS, *RECOUNTS, *ACCOUNTS))
    return table in LINKED_TABLES or re.search(rf"\b{table}\b", later) is not None


def _count(
    con: Connection, deliveries: Sequence[Delivery], plan: Plan, account: accounting.Account, persons: Sequence[Values]
) -> None:
    values = plan.parameters()
    _follow(con, COUNTS, values, persons)
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
