"""Nothing is lost: rows in = rows accepted + set aside, and every accepted row is staged or replaced, per register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from linkage import queries
from linkage.database import Connection
from linkage.delivery import Delivery
from schemas import recount, reference
from schemas.errors import QualityGate
from schemas.registers import REGISTERS
from schemas.target_group import FUNNEL, RECONCILIATION

SET_ASIDE = pa.schema([("reason", pa.string()), ("year", pa.int64()), ("kind", pa.string()), ("n", pa.int64())])


@dataclass(frozen=True)
class Rows:
    """Rows of one register at each step; `staged` counts what the statements see, read back from the database."""

    received: int = 0
    accepted: int = 0
    set_aside: int = 0
    replaced: int = 0
    staged: int = 0
    with_identifier: int = 0


@dataclass(frozen=True)
class Account:
    """The rows of every register."""

    registers: dict[str, Rows]

    @classmethod
    def of(cls, con: Connection, deliveries: Sequence[Delivery]) -> Account:
        """Count what the manifests declare and what the database holds."""
        return cls({name: _rows(con, name, [d for d in deliveries if d.register == name]) for name in REGISTERS})

    def require_nothing_lost(self) -> None:
        """QualityGate rows_lost, with register and counts, when a row is missing or appears twice."""
        for name, rows in self.registers.items():
            if rows.received != rows.accepted + rows.set_aside:
                raise QualityGate("rows_lost", register=name, received=rows.received, accepted=rows.accepted)
            if rows.accepted != rows.staged + rows.replaced:
                raise QualityGate("rows_lost", register=name, accepted=rows.accepted, staged=rows.staged)

    @property
    def received(self) -> int:
        """Rows that suppliers read."""
        return sum(rows.received for rows in self.registers.values())

    @property
    def accepted(self) -> int:
        """Rows that suppliers delivered."""
        return sum(rows.accepted for rows in self.registers.values())

    @property
    def replaced(self) -> int:
        """GMSD rows that a later delivery replaced."""
        return sum(rows.replaced for rows in self.registers.values())

    def funnel(self, con: Connection) -> pa.Table:
        """From row to event: FUNNEL. Ifzo goes on to title chains with realised care, and events in scope."""
        linked = dict(con.execute(queries.text("linked_persons")).fetchall())
        found = con.execute(queries.text("funnel_events")).fetchall()[0]
        lines: list[tuple[str, int, str, int]] = []
        for name, rows in self.registers.items():
            counts = [("received", rows.received), ("accepted", rows.accepted), ("staged", rows.staged)]
            counts += [("with_identifier", rows.with_identifier)]
            counts += [("linked", linked[name])] if name in linked else []
            counts += [("in_scope", found[0]), ("event", found[1])] if name == "ifzo" else []
            lines += [(name, step, stage, count) for step, (stage, count) in enumerate(counts, 1)]
        cells = [pa.array(c, f.type) for c, f in zip(zip(*lines, strict=True), FUNNEL.arrow_schema(), strict=True)]
        return pa.table(cells, schema=FUNNEL.arrow_schema())


def _rows(con: Connection, name: str, mine: Sequence[Delivery]) -> Rows:
    counted = con.execute(queries.text("with_identifier"), {"register": name}).fetchall()[0]
    replaced = con.execute("select count(*) from replaced").fetchall()[0][0] if name == "gmsd" else 0
    return Rows(
        received=sum(d.rows("in") for d in mine),
        accepted=sum(d.rows("accepted") for d in mine),
        set_aside=sum(d.rows("quarantined") + d.rows("out_of_scope") for d in mine),
        replaced=replaced,
        staged=_staged(con, name, counted[0]),
        with_identifier=counted[1],
    )


def _staged(con: Connection, name: str, links: int) -> int:
    """Rows of the staged table; the crosswalk has none, its link rows count."""
    if not REGISTERS[name].payload_columns:
        return links
    return int(con.execute(f"select count(*) from {name}").fetchall()[0][0])  # noqa: S608 - a declared name


def set_aside(deliveries: Sequence[Delivery]) -> pa.Table:
    """Rows out of scope, as the manifests count them by reason, year and kind."""
    told = [line for d in deliveries for line in d.manifest.get("out_of_scope", [])]
    return pa.table({name: [line[name] for line in told] for name in SET_ASIDE.names}, schema=SET_ASIDE)


def reconcile(con: Connection) -> pa.Table:
    """RECONCILIATION: each printed national figure with what the run counts, or why it cannot."""
    counts = {tuple(row[:4]): row[4] for row in con.execute("select * from register_counts").fetchall()}
    never = float(con.execute(queries.text("never_delivered")).fetchall()[0][0])
    lines = [_line(row, counts, never) for row in reference.national()]
    schema = RECONCILIATION.arrow_schema()
    return pa.table({name: [line[name] for line in lines] for name in schema.names}, schema=schema)


def _line(row: dict[str, str], counts: recount.Counts, never: float) -> dict[str, str | float | None]:
    counted, note = recount.figure(row, counts)
    if row["indicator"] == "municipalities_never_delivered":
        counted, note = never, "Gemeenten (indeling 2023) zonder enig geleverd halfjaar."
    published = float(row["value"])
    difference = None if counted is None else counted - published
    head: dict[str, str | float | None] = {
        name: row[name] for name in ("source", "indicator", "breakdown", "year", "kind", "unit")
    }
    return {**head, "published": published, "counted": counted, "difference": difference, "note": note}
