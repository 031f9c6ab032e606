"""Synthetic runs only: precision and recall of the fallback links, by stratum and by threshold.

Rows are recognised by content, as in truth.py: dates, codes, birth year and sex of a row are nearly unique together.
Row ids are random and the truth knows none; what occurs twice is left out, and the page says how many are judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

QUERIES = Path(__file__).parent / "sql"
# What a row tells that its holder wrote the same in extract and delivery (no code that may have lost its zero).
CONTENT: dict[str, tuple[str, ...]] = {
    "injus": ("geslacht", "nationaliteit_groep", "soort_melding", "sector", "datum_gebeurtenis", "datum_melding",
              "verblijfstitel", "reden_einde"),
    "injus_tbs": ("geslacht", "gebeurtenis", "datum"),
    "reclassering": ("geslacht", "organisatie", "fase", "datum_indicatie", "datum_verzoek", "toezicht_begin",
                     "toezicht_eind", "titel_code"),
    "ifzo": ("geslacht", "datum_indicatie", "zorgtype", "titel_code", "titel_begin", "titel_eind_status",
             "datum_plaatsingsbrief", "zorg_begin"),
    "gmsd": ("geslacht", "verslagperiode", "leveringsvorm", "ingangsdatum", "datum_start", "datum_einde",
             "reden_beeindiging"),
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """`strata`: stratum, value, rows, findable, linked, correct; `curve`: threshold, linked, correct, findable."""

    strata: list[tuple[str, str, int, int, int, int]]
    curve: list[tuple[float, int, int, int]]


def judge(linked: Path, store: Path, truth: Path) -> Judged | None:
    """Compare with the planted truth; None when nothing was linked by fallback keys.

    `store` holds the deliveries of the run, `truth` the folder of synthetic.country beside its extracts.
    """
    with duckdb.connect() as con:
        for name in ("fallback_links", "fallback_curve"):
            con.execute(f"create view {name} as from read_parquet({_quoted(linked / f'{name}.parquet')})")
        if not con.execute("select count(*) from fallback_links").fetchall()[0][0]:
            return None
        con.execute(f"create view true_persons as from read_parquet({_quoted(truth / 'persons.parquet')})")
        con.execute(f"create table planted_rows as {_planted(truth)}")
        con.execute(f"create table delivered_rows as {_delivered(store)}")
        con.execute(_text("truth_rows"))
        return Judged(con.execute(_text("truth_links")).fetchall(), con.execute(_text("truth_curve")).fetchall())


def _planted(truth: Path) -> str:
    """Every row of every extract: register, content, person, and whether it holds a number."""
    extracts = truth.parent / "extracts" / "parquet"
    parts = []
    for register in CONTENT:
        for path in sorted(p for p in extracts.glob(f"{register}*.parquet") if _register(p) == register):
            rows = _quoted(truth / f"rows_{path.stem}.parquet")
            skn = "" if register == "gmsd" else " or e.skn is not null"
            parts.append(
                f"select '{register}' as register, {_content(register, 'e')} as content, t.person, "  # noqa: S608
                f"e.bsn is not null{skn} as has_number "
                f"from read_parquet({_quoted(path)}) as e positional join read_parquet({rows}) as t"
            )
    return "\nunion all\n".join(parts)


def _register(path: Path) -> str:
    """gmsd of gmsd_1: the register a file of extracts is about."""
    return path.stem[:-2] if path.stem[-2:] in ("_1", "_2") else path.stem


def _delivered(store: Path) -> str:
    parts = [
        f"select '{register}' as register, {int(path.parent.name)} as sequence, e.row_id, "  # noqa: S608
        f"{_content(register, 'e')} as content from read_parquet({_quoted(path)}) as e"
        for register in CONTENT
        for path in sorted((store / register).glob("*/payload.parquet"))
    ]
    return "\nunion all\n".join(parts)


def _content(register: str, alias: str) -> str:
    cells = ", ".join(f"coalesce({alias}.{name}::varchar, '')" for name in ("geboortejaar", *CONTENT[register]))
    return f"concat_ws('|', {cells})"


def _text(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
