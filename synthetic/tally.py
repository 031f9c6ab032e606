"""Counts of a synthetic country by the keys of the published figures, from its extracts and its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from schemas import codes, gemeente, recount, reference
from synthetic.days import YEARS

Places = dict[tuple[str, str, str, str], float]
NOTICES = {"BEGIN_DETENTIE": "begin_detention", "EINDE_DETENTIE": "end_detention"}
SECTORS = {"GW": "GW", "FORZO": "ForZo", "JJI": "JJI"}
TBS = {
    "EERSTE_OPNAME": ("inflow", "sector=tbs;type=first_admission"),
    "TRANSMURAAL_START": ("tbs_transmural_leave_started", "sector=tbs"),
    "PROEFVERLOF_START": ("tbs_probationary_leave_started", "sector=tbs"),
    "VOORW_BEEINDIGING": ("tbs_conditional_termination_started", "sector=tbs"),
}
CARE = {"AMBULANT": "ambulant", "KLINISCH": "clinical", "VERBLIJF": "residential", "FPT": "fpt", "ONBEKEND": "unknown"}
GROUPS = {"THUIS": "support_at_home", "OPVANG": "residence_and_shelter"}
FLOWS = {"begin": "inflow", "end": "outflow"}


def place_of(name: str) -> str:
    """The municipality of 2023 that a printed name belongs to now; empty when nothing knows the name."""
    code = gemeente.resolve(name)
    return gemeente.recode_table(YEARS[-1]).get(code, "") if code else ""


def _parquet(land: Path, name: str) -> Path:
    return land / "extracts" / "parquet" / f"{name}.parquet"


def _extract(land: Path, name: str, columns: list[str]) -> pd.DataFrame:
    found: pd.DataFrame = pq.read_table(_parquet(land, name), columns=columns).to_pandas()
    return found


def _truth(land: Path, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    found: pd.DataFrame = pq.read_table(land / "truth" / f"{name}.parquet", columns=columns).to_pandas()
    return found


def _years(days: pd.Series) -> pd.Series:
    return pd.to_datetime(days, errors="coerce").dt.year.rename("year")


def national(land: Path) -> recount.Counts:
    """(source, indicator, breakdown, year) -> count, for everything the country can tell."""
    counts: recount.Counts = {}
    for part in (_injus, _detention, _tbs, _reclassering, _ifzo, _wmo, _clients):
        counts |= part(land)
    return counts


def _put(counts: recount.Counts, source: str, indicator: str, found: pd.Series) -> None:
    for key, value in _items(found):
        counts[(source, indicator, key[0], str(int(float(key[1]))))] = value


def _items(found: pd.Series) -> list[tuple[tuple[str, ...], float]]:
    """The rows of a grouped count, with keys as text."""
    keys = [tuple(str(part) for part in key) for key in found.index.to_flat_index().tolist()]
    return list(zip(keys, found.astype(float).tolist(), strict=True))


def _notices(land: Path) -> pd.DataFrame:
    rows = _extract(
        land, "injus", ["soort_melding", "sector", "datum_gebeurtenis", "gemeentecode_brp", "verblijfstitel"]
    )
    rows = rows[rows["soort_melding"].isin(NOTICES) & (rows["verblijfstitel"] != "VREEMDELINGENBEWARING")]
    rows["notice"] = rows["soort_melding"].map(NOTICES)
    rows["year"] = _years(rows["datum_gebeurtenis"])
    known = {text: gemeente.resolve(text) or "" for text in rows["gemeentecode_brp"].dropna().unique()}
    now = gemeente.recode_table(YEARS[-1])
    rows["place"] = rows["gemeentecode_brp"].map(lambda text: now.get(known.get(text, ""), ""), na_action="ignore")
    return rows


def _injus(land: Path) -> recount.Counts:
    counts: recount.Counts = {}
    rows = _notices(land)
    rows["breakdown"] = "notice=" + rows["notice"] + ";sector=" + rows["sector"].map(SECTORS)
    parts = [rows]
    both = rows[rows["sector"] != "JJI"]
    parts.append(both.assign(breakdown="notice=" + both["notice"] + ";sector=GW+ForZo"))
    parts.append(rows.assign(breakdown="notice=" + rows["notice"] + ";level=all_municipalities"))
    names = {g.code: g.naam for g in gemeente.gemeenten(YEARS[-1])}
    placed = rows[rows["place"].isin(names)]
    parts.append(placed.assign(breakdown="notice=" + placed["notice"] + ";municipality=" + placed["place"].map(names)))
    _put(counts, "injus", "notices", pd.concat(parts).groupby(["breakdown", "year"]).size())
    return counts


def _detention(land: Path) -> recount.Counts:
    """True in- and outflow of GW, also of people whom no municipality was told about; transfers are no inflow."""
    counts: recount.Counts = {}
    rows = _truth(land, "detentions")
    rows = rows[rows["sector"] == "GW"].assign(breakdown="sector=GW")
    began = rows[~rows["continues"]]
    _put(counts, "injus", "inflow", began.groupby(["breakdown", _years(began["begin"])]).size())
    # the first part of a transfer ends where the second begins: counted once
    ended = rows.groupby(["breakdown", _years(rows["end"])]).size()
    moved = rows[rows["continues"]]
    again = moved.groupby(["breakdown", _years(moved["begin"])]).size()
    _put(counts, "injus", "outflow", ended.sub(again, fill_value=0))
    return counts


def _tbs(land: Path) -> recount.Counts:
    counts: recount.Counts = {}
    rows = _extract(land, "injus_tbs", ["gebeurtenis", "datum"])
    rows["year"] = _years(rows["datum"])
    for event, (indicator, breakdown) in TBS.items():
        mine = rows[rows["gebeurtenis"] == event].assign(breakdown=breakdown)
        _put(counts, "injus", indicator, mine.groupby(["breakdown", "year"]).size())
    return counts


def _with_people(land: Path, name: str, columns: list[str]) -> pd.DataFrame:
    rows = _extract(land, name, columns)
    rows["person"] = _truth(land, f"rows_{name}")["person"]
    people = _truth(land, "persons", ["person", "geboortejaar", "geslacht"])
    rows = rows.merge(people, on="person", how="left")
    rows["sex"] = "sex=" + rows["geslacht"].map({"M": "male", "V": "female"})
    return rows


def _reclassering(land: Path) -> recount.Counts:
    counts: recount.Counts = {}
    rows = _with_people(land, "reclassering", ["datum_verzoek", "soort_plaatsing", "arrondissement"])
    names = codes.load("arrondissement_3ro").labels() | {"GELDERLAND": "Oost-Nederland"}
    rows["year"] = _years(rows["datum_verzoek"])
    rows["care"] = "care_type=" + rows["soort_plaatsing"].map({"AMBULANT": "ambulant", "KLINISCH": "clinical"})
    rows["where"] = "arrondissement=" + rows["arrondissement"].map(names)
    rows["both"] = rows["where"] + ";" + rows["care"]
    rows["total"], rows["all"] = "total", "arrondissement=all"
    for column in ("total", "all", "care", "where", "both", "sex"):
        found = rows.rename(columns={column: "breakdown"}).groupby(["breakdown", "year"])["person"]
        _put(counts, "3ro", "placement_requests", found.size())
        _put(counts, "3ro", "persons_with_placement_request", found.nunique())
    rows["age"] = rows["year"] - rows["geboortejaar"]
    people = rows.drop_duplicates(["person", "year", "care"]).groupby(["care", "year"])["age"]
    for stat in ("min", "max", "mean"):
        _put(counts, "3ro", "age", people.agg(stat).rename(index=lambda text: f"{text};stat={stat}", level=0))  # noqa: B023
    return counts


def _ifzo(land: Path) -> recount.Counts:
    counts: recount.Counts = {}
    rows = _with_people(land, "ifzo", ["zorg_begin", "zorgtype"])
    rows = rows[rows["zorg_begin"].notna()]
    rows["year"] = _years(rows["zorg_begin"])
    rows["care"] = "care_type=" + rows["zorgtype"].map(codes.load("zorgtype").groups()).map(CARE)
    rows["total"] = "total"
    for column in ("total", "care", "sex"):
        found = rows.rename(columns={column: "breakdown"}).groupby(["breakdown", "year"])["person"]
        _put(counts, "ifzo", "unique_placements", found.size())
        _put(counts, "ifzo", "unique_persons_placed", found.nunique())
    age = (rows["year"] - rows["geboortejaar"]).groupby([rows["total"], rows["year"]])
    for stat in ("min", "max"):
        _put(counts, "ifzo", "age", age.agg(stat).rename(index=lambda text: f"{text};stat={stat}", level=0))  # noqa: B023
    return counts


def _arrangements(land: Path) -> pd.DataFrame:
    rows = _truth(land, "arrangements")
    return rows[rows["wmo_group"].isin(GROUPS)].assign(provision=rows["wmo_group"].map(GROUPS))


def _flows(land: Path) -> pd.Series:
    """Arrangements per provision, flow, year and municipality of 2023."""
    rows, parts = _arrangements(land), []
    for column, flow in FLOWS.items():
        year = _years(rows[column])
        parts.append(rows.assign(year=year, flow=flow)[year.between(YEARS[0], YEARS[-1])])
    found = pd.concat(parts).astype({"year": int})
    return found.groupby(["provision", "flow", "year", "gemeente_delivery"]).size()


def _wmo(land: Path) -> recount.Counts:
    counts: recount.Counts = {}
    found = _flows(land).rename("n").reset_index()
    names = {g.code: g.naam for g in gemeente.gemeenten(YEARS[-1])}
    shown = {
        (r["provision"], r["flow"], int(r["year"]), place_of(r["municipality"]))
        for r in reference.wmo_flows()
        if r["count"]
    }
    columns = found[["provision", "flow", "year", "gemeente_delivery"]].itertuples(index=False, name=None)
    found["shown"] = [key in shown for key in columns]
    for flow in FLOWS.values():
        mine = found[found["flow"] == flow]
        per = mine.assign(
            breakdown="provision=" + mine["provision"] + ";municipality=" + mine["gemeente_delivery"].map(names)
        )
        _put(counts, "cbs", flow, per.set_index(["breakdown", "year"])["n"])
        told = mine[mine["shown"]].assign(breakdown=lambda part: "provision=" + part["provision"])
        _put(counts, "cbs", flow, told.groupby(["breakdown", "year"])["n"].sum())
    for year in YEARS:
        # 2020 was not published per municipality: the municipalities of 2021 stand in for it
        _stand_in(counts, found, year)
    return counts


def _stand_in(counts: recount.Counts, found: pd.DataFrame, year: int) -> None:
    for provision in GROUPS.values():
        for flow in FLOWS.values():
            key = ("cbs", flow, f"provision={provision}", str(year))
            if key not in counts:
                base = found[(found["provision"] == provision) & (found["flow"] == flow)]
                places = base[(base["year"] == 2021) & base["shown"]]["gemeente_delivery"]
                mine = base[(base["year"] == year) & base["gemeente_delivery"].isin(places)]
                counts[key] = float(mine["n"].sum())


def _clients(land: Path) -> recount.Counts:
    """People with an arrangement in the year, by age, in municipalities that deliver."""
    counts: recount.Counts = {}
    rows = _arrangements(land)
    people = _truth(land, "persons", ["person", "geboortejaar"])
    rows = rows.merge(people, on="person")
    shown = {(r["provision"], place_of(r["municipality"])) for r in reference.wmo_flows() if r["count"]}
    keep = [key in shown for key in rows[["provision", "gemeente_delivery"]].itertuples(index=False, name=None)]
    rows = rows[np.array(keep, bool)]
    began, ended = _years(rows["begin"]), _years(rows["end"]).fillna(9_999)
    for year in YEARS:
        mine = rows[(began <= year) & (ended >= year)].drop_duplicates(["person", "provision"])
        age = pd.cut(year - mine["geboortejaar"], [0, 30, 45, 60, 75, 85, 200], right=False, labels=list(recount.AGES))
        breakdown = "provision=" + mine["provision"] + ";age=" + age.astype(str)
        _put(
            counts, "cbs", "clients", mine.assign(breakdown=breakdown, year=year).groupby(["breakdown", "year"]).size()
        )
    return counts


def per_place(land: Path) -> Places:
    """(table, what, year, municipality of 2023) -> count; only municipalities that printed names map to one to one."""
    found: Places = {}
    notices = _notices(land).groupby(["notice", "year", "place"]).size()
    for (notice, year, place), n in _items(notices):
        found[("injus", notice, str(int(float(year))), place)] = n
    for (provision, flow, year, place), n in _items(_flows(land)):
        found[("wmo", f"{provision};{flow}", year, place)] = n
    merged = _merged()
    return {key: value for key, value in found.items() if (key[0], key[2], key[3]) not in merged}


def _merged() -> set[tuple[str, str, str]]:
    """Municipalities of 2023 for which a year was printed in parts, or whose parts were not printed."""
    made = set()
    for name, rows in (("injus", reference.injus_notices()), ("wmo", reference.wmo_flows())):
        for year in {row["year"] for row in rows}:
            printed = [place_of(row["municipality"]) for row in rows if row["year"] == year]
            names = {(row["municipality"], place_of(row["municipality"])) for row in rows if row["year"] == year}
            parts = pd.Series([place for _, place in names]).value_counts()
            made |= {(name, year, str(place)) for place, n in parts.items() if n > 1}
            made |= {(name, year, place) for place in gemeente.recode_table(YEARS[-1]).values() if place not in printed}
    return made
