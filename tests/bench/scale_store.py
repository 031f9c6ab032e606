"""A store as intake leaves it, for `make bench-scale`: ten years of half-year Wmo deliveries and the forensic registers.

Per person 0.4 arrangements, each recorded in every half-year it ran in (3.4 on average), in all municipalities, of which
one in ten gives no numbers; of every twentieth person a placement, a detention of two notices and a crosswalk row.
Pseudonyms are SHA-256 of a counter: as random as ours, and the same in every run. Nothing in here is about anybody.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from linkage import stage, tables
from linkage.database import Connection, connect
from linkage.delivery import Delivery
from linkage.plan import half_first, half_name
from schemas import ddl, gemeente
from schemas.registers import REGISTERS
from tests.linkage.build import DEFAULTS, LINK

HALVES = range(2 * 2014, 2 * 2024)
DAY = "(date '2014-01-01' + (hash(i, {}) % 3400)::integer)"
CASE = f"""
  (hash(i, 'who') % {{persons}})::bigint as n, i, {DAY.format(1)} as van,
  {DAY.format(1)} + (20 + hash(i, 2) % 900)::integer as tot"""
CODE = "(select list(code order by code) from towns)[1 + ({})::integer]"
FORENSIC = "with made as (select (hash(i, '{name}') % ({persons} // 20)) * 20 as n, i, {start} as van, {end} as tot from range({persons} // 20) as t(i))"


def make(folder: Path, persons: int, memory: str, threads: int) -> list[Delivery]:
    """Write `folder/<register>/<sequence>/` for every delivery."""
    with connect(work=folder / "spill", folders=[folder], memory_limit=memory, threads=threads) as con:
        codes = sorted(one.code for one in gemeente.gemeenten(2023))
        stage.table_from_arrow(con, "towns", pa.table({"town": list(range(len(codes))), "code": codes}))
        found = [_half_year(con, folder, persons, half) for half in HALVES]
        found += [_forensic(con, folder, persons, name) for name in ("ifzo", "injus")]
        return [*found, _crosswalk(con, folder, persons)]


def deliveries(folder: Path) -> list[Delivery]:
    """What `make` made."""
    made = sorted(path.parent for path in folder.glob("*/*/manifest.json"))
    return [Delivery(path.parent.name, int(path.name), path) for path in made]


def _half_year(con: Connection, folder: Path, persons: int, half: int) -> Delivery:
    """The records of one half-year; three in a thousand without a usable number."""
    first, after = half_first(half), half_first(half + 1)
    con.execute(
        f"""create or replace table made as
        with cases as (select {CASE.format(persons=persons)} from range({int(0.4 * persons)}) as t(i))
        select md5('gmsd' || {half} || '.' || i)::uuid::blob as row_id, n, i, van, tot, town,
          hash(i, 5) % 1000 < 3 as is_unusable
        from (select *, (hash(i, 6) % (select count(*) from towns))::bigint as town from cases)
        where tot >= $first and van < $after""",
        {"first": first, "after": after},
    )
    cells = {
        **{"verslagperiode": f"'{half_name(half)}'", "gemeentecode": "w.code", "gemeentecode_brp": "w.code"},
        **{"geboortejaar": "(1940 + n % 65)::integer", "geslacht": "case n % 2 when 0 then 'M' else 'V' end"},
        "toewijzingsnummer": "case when town % 10 > 0 then md5('number' || i)::uuid::blob end",
        "productcategorie": "case i % 3 when 0 then '02' when 1 then '07' else '08' end",
        **{"ingangsdatum": "van", "datum_start": "van"},
        "datum_einde": f"case when tot < date '{after}' then tot end",
    }
    where = _target(folder, "gmsd", half - HALVES[0] + 1)
    _link(con, where, "if(is_unusable, null, n)", "null")
    _payload(con, where, "gmsd", cells, "made join towns as w using (town)")
    end = after - dt.timedelta(days=1)
    listed = sorted(one.code for one in gemeente.all_gemeenten() if one.valid_on(end))
    return _manifest(con, where, {half_name(half): {"status": "definitief", "gemeenten": listed}})


def _forensic(con: Connection, folder: Path, persons: int, name: str) -> Delivery:
    start, end = DAY.format(f"'{name}'"), f"{DAY.format(repr(name))} + (20 + hash(i, 3) % 600)::integer"
    notices = "range(2)" if name == "injus" else "range(1)"
    con.execute(
        f"""create or replace table made as
        {FORENSIC.format(name=name, persons=persons, start=start, end=end)}
        select md5('{name}' || k || '.' || i)::uuid::blob as row_id, *, (hash(i, 8) % (select count(*) from towns))::bigint as town
        from made, {notices} as u(k)"""
    )
    told = {"geboortejaar": "(1940 + n % 65)::integer", "geslacht": "case n % 2 when 0 then 'M' else 'V' end"}
    own = {
        "ifzo": {
            **{"plaatsing_id": "md5('pl' || i)::uuid::blob", "titel_begin": "van", "titel_eind": "tot"},
            **{"zorg_begin": "van", "zorg_eind": "tot", "titel_code": "'FZT08'"},
            "zorgtype": "case i % 2 when 0 then 'AMB_BEH' else 'KLIN_FPA' end",
        },
        "injus": {
            **{"detentie_id": "md5('d' || i)::uuid::blob", "datum_gebeurtenis": "if(k = 0, van, tot)"},
            **{"gemeentecode_brp": "w.code", "gemeentecode_vestiging": "if(k = 1, w.code, null)"},
            "soort_melding": "if(k = 0, 'BEGIN_DETENTIE', 'EINDE_DETENTIE')",
            "reden_einde": "if(k = 1, 'EINDE_STRAF', null)",
        },
    }[name]
    where = _target(folder, name, 1)
    _link(con, where, "if(i % 2 = 0, n, null)", "n")
    _payload(con, where, name, told | own, "made join towns as w using (town)")
    return _manifest(con, where)


def _crosswalk(con: Connection, folder: Path, persons: int) -> Delivery:
    con.execute(
        f"create or replace table made as select md5('x' || i)::uuid::blob as row_id, i * 20 as n from range({persons // 20}) as t(i)"
    )
    where = _target(folder, "crosswalk", 1)
    _link(con, where, "n", "n")
    return _manifest(con, where)


def _target(folder: Path, register: str, sequence: int) -> Path:
    where = folder / register / f"{sequence:04d}"
    where.mkdir(parents=True)
    return where


def _link(con: Connection, where: Path, bsn: str, skn: str) -> None:
    """In an order that the payload does not have."""
    cells = f"unhex(sha256('bsn' || ({bsn}))) as bsn, unhex(sha256('skn' || ({skn}))) as skn, null::blob as vip"
    query = f"select row_id, {cells} from made order by hash(row_id, 1)"
    tables.write_query(con, query, ddl.identity_schema(LINK), where / "link.parquet")


def _payload(con: Connection, where: Path, register: str, cells: Mapping[str, str], source: str) -> None:
    """Every column of the register: as given, else the default that tests use, else empty."""
    schema = ddl.payload_schema(REGISTERS[register])
    told = {name: _literal(value) for name, value in DEFAULTS[register].items() if not name.endswith("_id")} | dict(
        cells
    )
    names = ", ".join(f"({told.get(f.name, 'null')})::{ddl.sql_type(f.type)} as {f.name}" for f in list(schema)[1:])
    query = f"select row_id, {names} from {source} order by hash(row_id)"
    schema = pa.schema([f.with_nullable(True) for f in schema])
    tables.write_query(con, query, schema, where / "payload.parquet")


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"'{value}'"


def _manifest(con: Connection, where: Path, coverage: Mapping[str, object] | None = None) -> Delivery:
    rows = int(con.execute("select count(*) from made").fetchall()[0][0])
    told = {"rows": {"in": rows, "accepted": rows, "quarantined": 0, "out_of_scope": 0}}
    (where / "manifest.json").write_text(json.dumps({**told, "coverage": coverage or {}}), encoding="utf-8")
    return Delivery(where.parent.name, int(where.name), where)
