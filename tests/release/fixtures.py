"""Tables as linkage would write them, made up: enough to publish from."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from release import publish
from schemas.gemeente import gemeenten
from schemas.linked import LINKED_TABLES
from schemas.register import OutTable
from schemas.research import ResearchOutput, load
from schemas.target_group import MATEN, RUN_TABLES, TARGET_GROUP
from synthetic import country

RUN = {
    "run_id": "0123456789ab",
    "period": "2022H1-2023H2",
    "plan": {"version": "1"},
    "synthetic": True,
    "inputs": [
        {
            "register": "injus",
            "sequence": 1,
            "agreement": {"id": "GLO-X"},
            "rows": {"in": 12000, "accepted": 11990, "quarantined": 7, "out_of_scope": 3},
            "reasons": {"DATUM_GEBEURTENIS_ONGELDIG": 7},
            "identifiers": {"emptied": {"BSN_LENGTE": 4}},
        }
    ],
}
OUTPUT = load(Path(country.__file__).parent / "agreements" / "outputs" / "onderzoek.yaml")
HALVES = ("2022H1", "2022H2", "2023H1", "2023H2")


def table_of(table: OutTable, rows: list[tuple[object, ...]]) -> pa.Table:
    """Rows under a declared schema."""
    schema = table.arrow_schema()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table([pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def target_group(seed: int = 1) -> pa.Table:
    """A country of counts, from 0 to thousands; about one municipality in ten did not deliver."""
    rng = np.random.default_rng(seed)
    areas = [("gemeente", g.code, g.naam) for g in gemeenten()] + [("gemeente", "0000", "Onbekend")]
    for niveau in ("veiligheidsregio", "arrondissement", "provincie"):
        areas += sorted({(niveau, getattr(g, f"{niveau}_code"), getattr(g, niveau)) for g in gemeenten()})
    areas.append(("land", "NL", "Nederland"))
    rows = []
    for niveau, code, naam in areas:
        delivered = bool(rng.random() > 0.1) and niveau == "gemeente"
        for half in HALVES:
            for maat in MATEN:
                count = int(rng.gamma(0.7, 12) * (1 if niveau == "gemeente" else 30))
                rows.append((niveau, code, naam, half, maat, count, delivered))
    return table_of(TARGET_GROUP, rows)


def fill(table: OutTable, rows: int) -> pa.Table:
    """Plausible cells for any declared table."""
    columns = []
    for column in table.columns:
        if column.name == "person_id":
            values: list[object] = [i % 3 for i in range(rows)]
        elif pa.types.is_string(column.type):
            values = [f"{column.name}-{i % 2}" for i in range(rows)]
        elif pa.types.is_boolean(column.type):
            values = [i % 2 == 0 for i in range(rows)]
        elif pa.types.is_fixed_size_binary(column.type):
            values = [bytes([i]) * column.type.byte_width for i in range(rows)]
        elif pa.types.is_date(column.type):
            values = [dt.date(2022, 1, 1 + i) for i in range(rows)]
        else:
            values = list(range(rows))
        columns.append(pa.array(values, column.type))
    return pa.table(columns, schema=table.arrow_schema())


def write_linked(folder: Path) -> Path:
    """A `linked` folder with every declared table."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in (*LINKED_TABLES.values(), *RUN_TABLES.values()):
        pq.write_table(fill(table, 4), folder / f"{table.name}.parquet")
    persons = fill(LINKED_TABLES["persons"], 3)
    place = persons.schema.get_field_index("linkable")
    known = pa.array([True, True, False])
    pq.write_table(persons.set_column(place, persons.schema.field(place), known), folder / "persons.parquet")
    pq.write_table(target_group(), folder / "target_group.parquet")
    stages = ("received", "accepted", "staged", "with_identifier", "linked")
    funnel = [
        (r, i, s, 100_000 // (i + 1) - 9_999 * (r == "ifzo")) for r in ("injus", "ifzo") for i, s in enumerate(stages)
    ]
    pq.write_table(table_of(RUN_TABLES["funnel"], [*funnel, ("ifzo", 5, "event", 7)]), folder / "funnel.parquet")
    halves = [("0363", half, half != "2022H1", "definitief", 100, 30, True) for half in HALVES]
    pq.write_table(table_of(RUN_TABLES["coverage"], halves), folder / "coverage.parquet")
    return folder


def write_pseudonyms(folder: Path) -> Path:
    """person_id and a recipient pseudonym, as the converter returns it; person 2 has no usable number."""
    path = folder / "pseudonyms.parquet"
    names = pa.array([b"\x01" * 32, b"\x02" * 32], pa.binary(32))
    pq.write_table(pa.table({"person_id": pa.array([0, 1], pa.int64()), "link": names}), path)
    return path


def publish_research(linked: Path, pseudonyms: Path, out: Path, output: ResearchOutput = OUTPUT) -> Path:
    """The researchers' folder as a run makes it: exported inside the TTP, then put into a release and judged."""
    with tempfile.TemporaryDirectory() as inside:
        exported = Path(inside) / "exported"
        publish.export_research(linked, pseudonyms, exported, release_id="demo-1", run=RUN, output=output)
        publish.publish_exported(exported, out, output=output)
    return out
