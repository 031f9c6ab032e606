"""Persons: connected components of link pseudonyms, numbered by their lowest pseudonym.

Source: linkage.md section 7, Persons. Key numbers follow the 32 bytes, so the lowest number of a component is
its lowest pseudonym, and person numbers depend on content alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linkage import parts, queries, stage
from linkage.components import Ints, components
from linkage.database import Connection
from linkage.delivery import Delivery
from linkage.parts import Room
from linkage.plan import Parameter
from schemas.registers import REGISTERS


def number(con: Connection, values: Mapping[str, Parameter], room: Room, rows: int) -> int:
    """Make keys, components and `key_person` of so many rows; returns the number of linkable persons (ids 0..n-1)."""
    parts.each(con, "list_keys", dict(values), room.keys(rows), counted="first_number")
    queries.run(con, "list_edges", values)
    keys = con.execute("select kind, registered from keys order by number").fetchnumpy()
    edges = con.execute("select a, b from edges").fetchnumpy()
    root = components(len(keys["kind"]), _ints(edges["a"]), _ints(edges["b"]))
    held = np.zeros(len(root), bool)
    held[root[np.asarray(keys["registered"], bool)]] = True
    # A root is its own lowest node: counting roots with a register row, in order, numbers the persons.
    person_of_root = np.where(held, np.cumsum(held) - 1, -1)
    members = pa.table({"number": np.arange(len(root), dtype=np.int32), "person_id": person_of_root[root]})
    _by_number(con, "join_persons", {"members": members}, values, len(root))
    lowest = _lowest(root, held, np.asarray(keys["kind"]))
    _by_number(con, "person_link", {"lowest": lowest}, values, len(root))
    return int(held.sum())


def _by_number(
    con: Connection, name: str, given: Mapping[str, pa.Table], values: Mapping[str, Parameter], keys: int
) -> None:
    """The statement by ranges of key numbers; the tables given to it go when it has run, for keys take much memory."""
    for table, rows in given.items():
        stage.table_from_arrow(con, table, rows)
    parts.each(con, name, dict(values), parts.numbers(keys))
    for table in given:
        con.execute(f"drop table {table}")


def _lowest(root: Ints, held: npt.NDArray[np.bool_], kind: npt.NDArray[np.generic]) -> pa.Table:
    """The lowest key number of every person, in the order of persons, and how many keys of each type they have."""
    number = np.flatnonzero(held).astype(np.int32)
    counts = [np.bincount(root[kind == one], minlength=len(root))[number].astype(np.int32) for one in (1, 2, 3)]
    names = ("bsn_count", "skn_count", "vip_count")
    return pa.table({"number": number, "person_id": np.arange(len(number)), **dict(zip(names, counts, strict=True))})


def rows(
    con: Connection,
    values: Mapping[str, Parameter],
    first_free: int,
    room: Room,
    deliveries: Sequence[Delivery],
    *,
    after: Callable[[], None],
) -> int:
    """Stage every register with the person of each row; returns the number of persons, unlinkable ones included.
    `after` is called after every part.

    Persons below `first_free` are known already: by number, or by fallback keys.
    """
    persons = first_free
    queries.run(con, "list_loose", values)
    for register in REGISTERS.values():
        if not register.payload_columns:
            continue
        mine = [one for one in deliveries if one.register == register.name]
        parts.each(con, f"stage_{register.name}", {**values, "first_free": persons}, room.rows(mine), after=after)
        found = con.execute(f"select count(*) from {register.name} where person_id >= {persons:d}").fetchall()  # noqa: S608
        persons += int(found[0][0])
    return persons


def rule_components(con: Connection) -> None:
    """`rule_components`: the arrangement of every candidate of CBS's rule, from the pairs it joins."""
    variants = int(_column(con, "select count(*) from rule_variants")[0])
    pairs = con.execute("select a, b from rule_pairs").fetchnumpy()
    root = components(variants, _ints(pairs["a"]), _ints(pairs["b"]))
    table = pa.table({"variant": np.arange(variants, dtype=np.int32), "component": root})
    stage.table_from_arrow(con, "rule_components", table)


def _column(con: Connection, query: str) -> npt.NDArray[np.generic]:
    found = con.execute(query).fetchnumpy()
    column: npt.NDArray[np.generic] = np.asarray(next(iter(found.values())))
    return column


def _ints(values: object) -> Ints:
    return np.asarray(values, np.int32)
