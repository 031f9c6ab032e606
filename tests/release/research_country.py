"""Linked tables of made-up people with real codes and days, large enough for frequencies and k to mean something."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas import codes
from schemas.linked import LINKED_TABLES, OUTCOMES, OUTCOMES_REST
from schemas.register import OutColumn
from schemas.research import is_place

PEOPLE = 240
PLACES = ("0363", "0363", "0363", "0599", "0384", "0014", "0000", "1999")
WORDS = {
    "care_group": ("AMBULANT", "KLINISCH"),
    "last_care_group": ("AMBULANT", "KLINISCH"),
    "titel_groep": ("VOORWAARDE", "TBS"),
    "wmo_group": ("THUIS", "OPVANG"),
    "half_year": ("2022H1", "2022H2"),
    "last_period": ("2022H1", "2023H2"),
    "gemeente_basis": ("ORIGIN", "SETTLEMENT"),
    "return_detention": ("RETURN", "NONE"),
    "arrondissement": ("ROTTERDAM", "AMSTERDAM"),
    "gebeurtenis": ("EERSTE_OPNAME", "PROEFVERLOF_START"),
}


def write_country(folder: Path, seed: int = 5) -> Path:
    """Every linked table in `folder/linked` and `folder/pseudonyms.parquet`; returns the linked folder."""
    rng = np.random.default_rng(seed)
    linked = folder / "linked"
    linked.mkdir(parents=True)
    people = [i for i in range(PEOPLE) if i % 20]  # every twentieth has no usable number
    for name, table in LINKED_TABLES.items():
        rows = PEOPLE if name == "persons" else 300
        who = list(range(PEOPLE)) if name == "persons" else rng.integers(0, PEOPLE, rows).tolist()
        cells = [who if c.name == "person_id" else _cells(c, rows, rng) for c in table.columns]
        if name == "detention_spells":  # begin or end: never neither
            first, last = (table.names.index(f"detention_{x}") for x in ("begin", "end"))
            cells[last] = [
                end or begin or dt.date(2022, 1, 1) for begin, end in zip(cells[first], cells[last], strict=True)
            ]
        if name == "persons":
            cells[table.names.index("linkable")] = [bool(i % 20) for i in range(PEOPLE)]
        arrays = [pa.array(values, c.type) for values, c in zip(cells, table.columns, strict=True)]
        pq.write_table(pa.table(arrays, schema=table.arrow_schema()), linked / f"{name}.parquet")
    names = pa.array([bytes([i % 256, i // 256]) * 16 for i in people], pa.binary(32))
    pq.write_table(pa.table({"person_id": pa.array(people, pa.int64()), "link": names}), folder / "pseudonyms.parquet")
    return linked


def _cells(column: OutColumn, rows: int, rng: np.random.Generator) -> list[Any]:
    found = [_cell(column, rng) for _ in range(rows)]
    empty = rng.random(rows) < (0.1 if column.nullable else 0)
    return [None if gone else value for value, gone in zip(found, empty, strict=True)]


def _cell(column: OutColumn, rng: np.random.Generator) -> Any:
    if column.type == pa.date32():
        return dt.date(2019, 1, 1) + dt.timedelta(int(rng.integers(0, 5 * 365)))
    if column.name == "geboortejaar":
        return int(rng.integers(1930, 2010))
    if pa.types.is_boolean(column.type):
        return bool(rng.random() < 0.3)
    if is_place(column):
        return PLACES[int(rng.integers(0, len(PLACES)))]
    if pa.types.is_string(column.type):
        words = _words(column)
        return words[int(rng.integers(0, len(words)))]
    return int(rng.integers(-100, 300)) if column.name.endswith("_days") else int(rng.integers(0, 3))


def _words(column: OutColumn) -> tuple[str, ...]:
    if column.name in WORDS:
        return WORDS[column.name]
    if column.name.startswith("outcome"):
        return (*OUTCOMES, *OUTCOMES_REST)
    if column.name == "excluded":
        return ("OVERLIJDEN", "UITZETTING")
    return tuple(codes.load(column.codes or "geslacht").labels())[:3]
