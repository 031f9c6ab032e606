"""From staged rows to trajectories, events and what is counted of people, one range of persons after another.

No rule looks beyond a person, and all rows of a person stand in one range. So a range goes through every statement
before the next one begins: its rows are read once and are near when the next statement asks for them, and what lies
between rows and events exists for one range only. Tables that are read afterwards are kept, range by range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from linkage import match, queries
from linkage.database import Connection, Shelf
from linkage.parts import Values
from linkage.plan import Parameter

# What the whole country says: of municipalities, never of people.
PLACES = ("coverage_delivered", "unnumbered_years")
TRAJECTORIES = (
    *("told_attributes", "persons", "detention_parts", "detention_spells", "tbs_events", "placement_requests"),
    *("care_spells", "titles", "title_chains", "by_rule", "pieces_by_number", "merge_by_number"),
    *("rule_rows", "rule_halves", "rule_variants", "rule_pairs"),
)
EVENTS = (
    *("merge_by_rule", "wmo_arrangements", "departures", "events", "event_detention", "event_care"),
    *("event_wmo", "event_outcome", "event_place", "event_return", "title_end_events"),
)
# Telling people apart holds a row of each: in a range, of those in it.
PEOPLE = ("presence", "strata_counts", "cbs_clients")
COMPONENTS = "rule_components"  # by Python, from `rule_pairs`


def follow(
    con: Connection,
    names: Sequence[str],
    values: Mapping[str, Parameter],
    persons: Iterable[Values],
    *,
    keep: Callable[[str], bool],
    shelf: Shelf,
) -> None:
    """Run the statements for every range in `persons`; of their tables those that `keep` says so stay, whole."""
    made = [queries.made(name) for name in names]
    kept = [table for table in made if keep(table)]
    gone = [table for table in made if table not in kept] + [COMPONENTS] * ("rule_pairs" in names)
    for number, part in enumerate(persons):
        for name in names:
            queries.run(con, name, {**values, **part})
            if name == "rule_pairs":
                match.rule_components(con)
        add(con, kept, more=number > 0)
        for table in gone:
            con.execute(f"drop table {table}")
        shelf.tidy()
    for table in kept:
        con.execute(f"alter table all_{table} rename to {table}")


def add(con: Connection, tables: Iterable[str], *, more: bool) -> None:
    """Add the rows of one range to those of the ranges before it."""
    for table in tables:
        if more:
            con.execute(f"insert into all_{table} select * from {table}")  # noqa: S608 - names in our own code
            con.execute(f"drop table {table}")
        else:
            con.execute(f"alter table {table} rename to all_{table}")
