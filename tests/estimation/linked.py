"""A linked folder without linkage: random rows in the declared tables, for tests of the estimation step as a whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas import codes, gemeente
from schemas.linked import LINKED_TABLES, OUTCOMES
from schemas.register import OutTable
from schemas.target_group import RUN_TABLES

HALVES = tuple(f"{year}H{half}" for year in range(2019, 2024) for half in (1, 2))
EPOCH = dt.date(1970, 1, 1)
START, END = (dt.date(2019, 1, 1) - EPOCH).days, (dt.date(2024, 1, 1) - EPOCH).days
OFFSETS = {"START_M90_0": (-90, 0), "START_0_30": (0, 31), "START_30_90": (31, 91), "START_90_180": (91, 181)}
OFFSETS |= {"START_180_365": (181, 366)}


def write(folder: Path, *, places: int = 30, persons: int = 1500, seed: int = 1, use: float = 0.3) -> Path:
    """Write every table that estimation reads; `use` is the share of title ends with Wmo support."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    towns = [g.code for g in gemeente.gemeenten(2023)][: 3 * places : 3]
    weight = rng.gamma(0.7, 1.0, len(towns)) + 0.05
    home = rng.choice(len(towns), persons, p=weight / weight.sum())
    ends = rng.integers(START, END, persons)
    detained = rng.random(persons) < 0.4
    tables: dict[str, list[dict[str, Any]]] = {
        "coverage": [_coverage(town, i, half) for i, town in enumerate(towns) for half in HALVES],
        "persons": [_person(n, bool(detained[n]), rng) for n in range(persons)],
        "detention_spells": [_spell(n, towns[home[n]], int(ends[n])) for n in np.nonzero(detained)[0]],
        "placement_requests": [_request(n, rng) for n in range(0, persons, 2)],
        "tbs_events": [
            {"person_id": n, "gebeurtenis": "OVERLIJDEN", "datum": _day(int(ends[n]) + 20)}
            for n in range(6, persons, 50)
        ],
        "care_spells": [_care(n, int(ends[n]), rng) for n in range(persons)],
        "title_chains": [_chain(n, int(ends[n]), n % 8 == 0) for n in range(persons)],
        "title_end_events": [
            _event((n, int(ends[n]), towns[home[n]], bool(detained[n])), use, rng) for n in range(persons) if n % 8
        ],
    }
    for name, rows in tables.items():
        _save(folder, {**LINKED_TABLES, **RUN_TABLES}[name], rows)
    return folder


def _save(folder: Path, table: OutTable, rows: list[dict[str, Any]]) -> None:
    defaults = {pa.string(): "-", pa.bool_(): False, pa.date32(): EPOCH, pa.int32(): 0, pa.int64(): 0}
    columns = {
        c.name: pa.array([row.get(c.name, None if c.nullable else defaults[c.type]) for row in rows], c.type)
        for c in table.columns
    }
    pq.write_table(pa.table(columns, schema=table.arrow_schema()), folder / f"{table.name}.parquet")


def _day(number: int) -> dt.date:
    return EPOCH + dt.timedelta(days=number)


def _coverage(town: str, place: int, half: str) -> dict[str, Any]:
    nothing = place % 10 == 4 or (place % 10 == 7 and half > "2022")
    odd = place == 2 and half == "2021H1"
    return {"gemeente": town, "half_year": half, "delivered": not nothing, "suspicious": odd}


def _person(n: int, detained: bool, rng: np.random.Generator) -> dict[str, Any]:
    lists = {"in_injus": detained, "in_reclassering": bool(rng.random() < 0.6), "in_ifzo": n % 5 != 0}
    lists |= {"in_gmsd": n % 7 < 2}
    return {"person_id": n, "bsn_count": int(n % 12 != 5), **lists}


def _spell(n: int, town: str, end: int) -> dict[str, Any]:
    began = end + 40 if n % 20 == 0 else end - 900  # some return to detention
    days = {"detention_begin": _day(began), "detention_end": _day(began + 90)}
    return {"person_id": n, **days, "gemeente_settlement": town}


def _request(n: int, rng: np.random.Generator) -> dict[str, Any]:
    districts = codes.load("arrondissement_3ro").values()
    return {"person_id": n, "arrondissement": str(rng.choice(districts)), "first_request": _day(START)}


def _care(n: int, end: int, rng: np.random.Generator) -> dict[str, Any]:
    closed = rng.random() < 0.7
    return {"person_id": n, "care_begin": _day(end - 300), "care_end": _day(end - 10) if closed else None}


def _chain(n: int, end: int, unknown: bool) -> dict[str, Any]:
    status = "ONBEKEND" if unknown else "DEFINITIEF"
    return {
        "person_id": n,
        "chain_begin": _day(end - 400),
        "title_end": None if unknown else _day(end),
        "status": status,
        "realised": True,
    }


def _event(who: tuple[int, int, str, bool], use: float, rng: np.random.Generator) -> dict[str, Any]:
    n, end, town, detained = who
    used = bool(rng.random() < use)
    outcome = OUTCOMES[int(rng.integers(len(OUTCOMES)))] if used else "NONE"
    low, high = OFFSETS.get(outcome, (-300, -100))
    start = end + int(rng.integers(low, high))
    known = detained or used
    home = {"THUIS": outcome, "OPVANG": "NONE"} if n % 3 else {"THUIS": "NONE", "OPVANG": outcome}
    return {
        "person_id": n,
        "title_end": _day(end),
        "half_year": f"{_day(end).year}H{1 + (_day(end).month > 6)}",
        "status": "VOORLOPIG" if n % 30 == 1 else "DEFINITIEF",
        "outcome": outcome if start < END else "NONE",
        "outcome_thuis": home["THUIS"],
        "outcome_opvang": home["OPVANG"],
        "wmo_start": _day(start) if used else None,
        "gemeente": town if known else ("0000" if n % 7 == 0 else None),
        "gemeente_basis": "SETTLEMENT" if detained else "BRP" if used else "NONE",
        "excluded": "OVERLIJDEN" if n % 200 == 3 else None,
    }
