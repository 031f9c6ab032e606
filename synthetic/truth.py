"""The truth, written apart: who is who, true spells, true title ends and what really followed. Tests only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthetic import geo
from synthetic.careers import Careers
from synthetic.days import COVER_BEGIN, COVER_END, NEVER, YEARS
from synthetic.detention import SECTORS, Spells
from synthetic.people import People
from synthetic.rand import Bools, Ints
from synthetic.wmo import Wmo
from synthetic.wmo_targets import OTHER

GROUPS = ("THUIS", "OPVANG", "OVERIG")
BEFORE, UNTIL = -90, 365  # what counts as a continuation: linkage.md section 3


class Truth:
    """Appends one block of a country after the other; persons are numbered over all blocks."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def add(self, name: str, table: pa.Table) -> None:
        """Append to `<name>.parquet`."""
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self._folder / f"{name}.parquet", table.schema, compression="zstd")
        self._writers[name].write_table(table)

    def close(self) -> None:
        """Finish all files."""
        for writer in self._writers.values():
            writer.close()

    def rows(self, name: str, person: Ints, first: int) -> None:
        """The person of every row of an extract, in file order; -1 is nobody we follow."""
        self.add(f"rows_{name}", pa.table({"person": np.where(person < 0, -1, person + first)}))


def _date(days: Ints, empty: Bools | None = None) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32(), mask=empty).cast(pa.date32())


def _number(values: Ints, width: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(values, pa.int64(), mask=values == 0), pa.string()), width, "0")


def _codes(place: Ints) -> pa.Array:
    now = np.where(place < 0, place, geo.recode(YEARS[-1])[place])
    return pa.array(geo.codes_array()[now].tolist(), pa.string())


def persons(people: People, first: int) -> pa.Table:
    """One row per person, with its numbers."""
    return pa.table(
        {
            "person": np.arange(len(people)) + first,
            "geboortejaar": people.birth.astype(np.int32),
            "geslacht": pa.array(np.where(people.is_man, "M", "V").tolist()),
            "forensic": people.forensic,
            "gemeente": _codes(people.home),
            "bsn": _number(people.bsn, 9),
            "bsn2": _number(people.bsn2, 9),
            "skn": _number(people.skn, 8),
            "skn2": _number(people.skn2, 8),
            "vip": _number(people.vip, 8),
            "in_crosswalk": people.in_crosswalk,
        }
    )


def detentions(spells: Spells, first: int) -> pa.Table:
    """One row per detention, also of people nobody was told about."""
    return pa.table(
        {
            "person": spells.person + first,
            "sector": pa.array(np.array(SECTORS)[spells.sector].tolist()),
            "begin": _date(spells.begin),
            "end": _date(spells.end),
            "continues": spells.part_of >= 0,
            "gemeente": _codes(spells.place),
        }
    )


def arrangements(wmo: Wmo, first: int) -> pa.Table:
    """One row per Wmo arrangement, also where the municipality delivers nothing."""
    return pa.table(
        {
            "person": wmo.person + first,
            "wmo_group": pa.array(np.array(GROUPS)[wmo.group].tolist()),
            "begin": _date(wmo.begin),
            "end": _date(wmo.end, wmo.end >= NEVER),
            "gemeente_delivery": _codes(wmo.pool),
            "gemeente_home": _codes(wmo.home),
        }
    )


def title_ends(careers: Careers, wmo: Wmo, died: Bools, first: int) -> pa.Table:
    """One row per true title end of 2019-2023, with the Wmo support that really followed (or ran)."""
    chains = pd.DataFrame({"chain": np.arange(careers.chains), "person": careers.person, "day0": careers.chain_end})
    chains = chains[(chains["day0"] >= COVER_BEGIN) & (chains["day0"] < COVER_END)]
    planted = np.unique(wmo.person[wmo.chain >= 0])
    mine = np.nonzero(np.isin(wmo.person, planted) & (wmo.group < OTHER))[0]
    found = pd.DataFrame(
        {"person": wmo.person[mine], "begin": wmo.begin[mine], "end": wmo.end[mine], "group": wmo.group[mine]}
    )
    pairs = chains.merge(found, on="person")
    offset = pairs["begin"] - pairs["day0"]
    pairs["running"] = (offset < BEFORE) & (pairs["end"] > pairs["day0"])
    pairs = pairs[pairs["running"] | ((offset >= BEFORE) & (offset <= UNTIL))]
    pairs = pairs.sort_values(["chain", "running", "begin"], ascending=[True, False, True]).drop_duplicates("chain")
    table = chains.merge(pairs[["chain", "running", "begin", "end", "group"]], on="chain", how="left").sort_values(
        "chain"
    )
    chain, has = table["chain"].to_numpy(), table["begin"].notna().to_numpy()
    begin, end = (table[c].fillna(0).to_numpy(np.int64) for c in ("begin", "end"))
    group = table["group"].fillna(0).to_numpy(np.int64)
    return pa.table(
        {
            "person": careers.person[chain] + first,
            "chain_begin": _date(careers.chain_begin[chain]),
            "title_end": _date(careers.chain_end[chain]),
            "gemeente": _codes(careers.home[chain]),
            "is_tbs": careers.is_tbs[chain],
            "died": died[chain],
            "running": pa.array(table["running"].astype("boolean").fillna(False).to_numpy(bool)),
            "wmo_start": _date(begin, ~has),
            "wmo_end": _date(end, ~has | (end >= NEVER)),
            "wmo_group": pa.array(np.array(GROUPS)[group].tolist(), mask=~has),
        }
    )
