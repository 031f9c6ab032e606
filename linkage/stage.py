"""Views over the deliveries and small reference tables: everything the queries read.

Table and column names come from `schemas`, paths from the store; values are bound or come as Arrow.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from linkage import queries
from linkage.database import Connection, quoted
from linkage.delivery import STATUS, Delivery, payload_columns, years
from linkage.plan import Plan, half_first, half_name, half_of
from schemas import codes, ddl, gemeente
from schemas.pseudonym import Domain
from schemas.registers import REGISTERS
from schemas.target_group import MATEN

COUNTRY = ("NL", "Nederland")
SPECIAL = {"0000": "Gemeente onbekend", "1999": "Niet in Nederland ingeschreven (RNI)", "ONB": "Geen gemeente bekend"}
_WMO = {"THUIS", "OPVANG"}
_REAL = "where row_id not in (select row_id from canary_row)"


def views(con: Connection, deliveries: Sequence[Delivery], domain: Domain | None) -> None:
    """`links` over all registers and `payload_<register>` per register; empty where nothing was delivered.

    Both leave out the planted canaries, by the row ids that the signed manifests name (decision 19). A link file
    of another domain than `domain` makes every query over `links` an error that names both.
    """
    planted = [row_id for delivery in deliveries for row_id in delivery.canaries()]
    _table(con, "canary_row", pa.table({"row_id": pa.array(planted, pa.binary())}))
    for register in REGISTERS.values():
        if register.payload_columns:
            schema = ddl.payload_schema(register)
            mine = [d for d in deliveries if d.register == register.name]
            parts = [_payload(d, schema) for d in mine] or [_nothing(schema)]
            con.execute(f"create view payload_{register.name} as\n" + "\nunion all\n".join(parts))
    links = [_link(con, d, domain, ddl.PERSON_COLUMNS) for d in deliveries]
    links = links or [_nothing(ddl.identity_schema(), register=True)]
    con.execute("create view links as\n" + "\nunion all\n".join(links))


def fallback(con: Connection, deliveries: Sequence[Delivery], domain: Domain | None) -> None:
    """`fallback_in`: rows of deliveries with fallback keys."""
    schema = ddl.identity_schema(fallback=True)
    parts = [_link(con, d, domain, schema.names[1:]) for d in deliveries if d.has_fallback]
    parts = parts or [_nothing(schema, register=True)]
    con.execute("create view fallback_in as\n" + "\nunion all\n".join(parts))


def _payload(delivery: Delivery, schema: pa.Schema) -> str:
    held, coarse = payload_columns(delivery), years(delivery.register, pq.read_schema(delivery.payload))
    cells = [_cell(f, f.name in coarse) if f.name in held else _empty(f.name, f.type) for f in schema]
    return (
        f"select {delivery.sequence:d} as sequence, {', '.join(cells)}\n"
        f"from read_parquet({quoted(delivery.payload)})\n{_REAL}"
    )


def _cell(field: pa.Field, is_year: bool) -> str:
    """A column as declared; a date that came as a year is its first of January (only where no days are counted)."""
    if is_year:
        return f"make_date({field.name}, 1, 1) as {field.name}"
    return f"{field.name}::{ddl.sql_type(field.type)} as {field.name}"


def _link(con: Connection, delivery: Delivery, domain: Domain | None, columns: Sequence[str]) -> str:
    """The label of each column is a constant of its file, so the check costs nothing per row."""
    head = f"select {quoted(delivery.register)} as register, {delivery.sequence:d} as sequence, row_id"
    told = "none" if domain is None else domain.label
    names = ", ".join(
        f"in_domain({name}, {label}, {quoted(told)}) as {name}"
        for name, label in domains_of(con, delivery.register, delivery.sequence)
        if name in columns
    )
    return f"{head}, {names}\nfrom read_parquet({quoted(delivery.link)})\n{_REAL}"


def domains_of(con: Connection, register: str, sequence: int) -> list[tuple[str, str]]:
    """Person column and label, as an SQL literal, of one link file; from the table `domains`."""
    found = con.execute(queries.text("list_domains"), {"register": register, "sequence": sequence}).fetchall()
    return [(name, "null" if label is None else quoted(label)) for name, label in found]


def _empty(name: str, kind: pa.DataType) -> str:
    return f"null::{ddl.sql_type(kind)} as {name}"


def _nothing(schema: pa.Schema, *, register: bool = False) -> str:
    cells = [_empty(field.name, field.type) for field in schema]
    head = ["null::varchar as register"] if register else []
    return f"select {', '.join([*head, 'null::integer as sequence', *cells])} where false"


def reference(con: Connection, plan: Plan) -> None:
    """Code lists, municipalities in the plan's classification and the half-years, as ref_* tables."""
    _table(con, "ref_gemeente", _recode(plan))
    _table(con, "ref_area", _areas(plan))
    _table(con, "ref_part", _parts(plan))
    _table(con, "ref_half", _halves(plan, plan.coverage_from, plan.coverage_until))
    _table(con, "ref_period", _halves(plan, plan.period_from, plan.period_until))
    _table(con, "ref_care", _groups("zorgtype", "zorgtype", "care_group"))
    _table(con, "ref_titel", _groups("zorgtitel", "titel_code", "titel_groep"))
    _table(con, "ref_wmo", _wmo())
    _table(con, "ref_arrondissement", pa.table(_labels("arrondissement_3ro")))
    _table(
        con, "ref_status", pa.table({"status_rank": pa.array(range(len(STATUS)), pa.int32()), "status": list(STATUS)})
    )
    _table(con, "ref_measure", pa.table({"maat": list(MATEN)}))
    _table(con, "ref_care_group", pa.table(_ranked(plan.care_order, "care_group", "care_rank")))
    bits = {"register": list(REGISTERS), "register_bit": list(range(len(REGISTERS)))}
    _table(con, "ref_register", pa.table(bits))
    _table(con, "ref_place_order", pa.table(_ranked(plan.municipality_order, "basis", "place_order")))
    order = _ranked(plan.attribute_order, "register", "rank")
    order["register"] = [*order["register"], "injus_tbs"]
    order["rank"] = [*order["rank"], plan.attribute_order.index("injus")]
    _table(con, "ref_attribute_order", pa.table(order))


def coverage(con: Connection, deliveries: Sequence[Delivery]) -> None:
    """`gmsd_coverage`: which municipality each gmsd delivery lists for which half-year, and how final it is."""
    rows = [
        (d.sequence, 2 * int(period[:4]) + int(period[5]) - 1, code, rank)
        for d in deliveries
        for period, code, rank in d.coverage()
    ]
    schema = pa.schema(
        [("sequence", pa.int32()), ("half", pa.int32()), ("code", pa.string()), ("status_rank", pa.int32())]
    )
    cells: list[tuple[int | str, ...]] = list(zip(*rows, strict=True)) or [(), (), (), ()]
    _table(
        con, "gmsd_coverage", pa.table([pa.array(c, f.type) for c, f in zip(cells, schema, strict=True)], schema=schema)
    )


def _table(con: Connection, name: str, table: pa.Table) -> None:
    con.register("arrow_in", table)
    con.execute(f"create table {name} as select * from arrow_in")  # noqa: S608 - a name of ours
    con.unregister("arrow_in")


def table_from_arrow(con: Connection, name: str, table: pa.Table) -> None:
    """A table of ours from Arrow; `name` is a name in our own code, never outside input."""
    _table(con, name, table)


def _recode(plan: Plan) -> pa.Table:
    found = gemeente.recode_table(plan.classification_year)
    return pa.table({"code": list(found), "gemeente": list(found.values())})


def _areas(plan: Plan) -> pa.Table:
    rows = []
    for one in gemeente.gemeenten(plan.classification_year):
        rows += [
            (one.code, "gemeente", one.code, one.naam),
            (one.code, "veiligheidsregio", one.veiligheidsregio_code, one.veiligheidsregio),
            (one.code, "arrondissement", one.arrondissement_code, one.arrondissement),
            (one.code, "provincie", one.provincie_code, one.provincie),
            (one.code, "land", *COUNTRY),
        ]
    for code, naam in SPECIAL.items():
        rows += [(code, "gemeente", code, naam), (code, "land", *COUNTRY)]
    names = ("gemeente", "niveau", "code", "naam")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _parts(plan: Plan) -> pa.Table:
    """Municipalities that exist on the last day of each half-year, with what they are in the classification."""
    recode = gemeente.recode_table(plan.classification_year)
    rows = []
    for half in range(half_of(plan.coverage_from), half_of(plan.coverage_until) + 1):
        last = half_first(half + 1) - dt.timedelta(days=1)
        rows += [(half, one.code, recode[one.code]) for one in gemeente.all_gemeenten() if one.valid_on(last)]
    halves, own, now = zip(*rows, strict=True)
    return pa.table({"half": pa.array(halves, pa.int32()), "code": list(own), "gemeente": list(now)})


def _halves(plan: Plan, first: dt.date, last: dt.date) -> pa.Table:
    halves = range(half_of(first), half_of(last) + 1)
    return pa.table(
        {
            "half": pa.array(halves, pa.int32()),
            "half_year": [half_name(half) for half in halves],
            "first_day": [half_first(half) for half in halves],
            "next_day": [half_first(half + 1) for half in halves],
        }
    )


def _groups(name: str, key: str, value: str) -> pa.Table:
    found = codes.load(name).groups()
    return pa.table({key: list(found), value: list(found.values())})


def _labels(name: str) -> dict[str, list[str]]:
    found = codes.load(name).labels()
    return {"code": list(found), "naam": list(found.values())}


def _wmo() -> pa.Table:
    found = codes.load("productcategorie").groups()
    groups = [group if group in _WMO else "OVERIG" for group in found.values()]
    return pa.table({"productcategorie": list(found), "wmo_group": groups})


def _ranked(names: Sequence[str], key: str, rank: str) -> dict[str, list[str] | list[int]]:
    return {key: list(names), rank: list(range(len(names)))}
