"""The operator's quality report: match rates, conflicts, coverage, and each printed figure beside the run's count."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from release import linkage_quality, operator_indicators
from release.truth_links import Judged

CSS = (
    "body{font:15px/1.5 system-ui,Arial,sans-serif;max-width:70rem;margin:1rem auto;padding:0 1rem;color:#1b1b1b}"
    "h2{color:#12487a;margin-top:2rem}table{border-collapse:collapse;font-size:.9rem}"
    "th,td{border-bottom:1px solid #c8ced6;padding:.2rem .6rem;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}thead th{background:#f4f6f9}"
)
INTERN = "<p><strong>Intern</strong>, voor de operator van de TTP: hier staan ware tellingen.</p>"
_STEPS = {"source": "bron", "converter": "omzetting"}
_HMAC = {"fast": "snel", "reference": "referentie"}
Section = tuple[str, str, Sequence[str], list[list[Any]]]


def write_operator(linked: Path, out: Path, run: dict[str, Any], judged: Judged | None = None) -> list[Path]:
    """kwaliteit.md and kwaliteit.html from the same sections; `judged` on synthetic data only."""
    shown, figures = operator_indicators.sections(linked)
    made = [*sections(linked, run), *linkage_quality.sections(linked, judged), *shown]
    text, page = out / "kwaliteit.md", out / "kwaliteit.html"
    text.write_text(_markdown(made), encoding="utf-8")
    page.write_text(_html(made, figures | linkage_quality.charts(linked, judged)), encoding="utf-8")
    return [text, page]


def sections(linked: Path, run: dict[str, Any]) -> list[Section]:
    """Title, explanation, heads, rows: what both renderings show."""
    tables = {
        name: pq.read_table(linked / f"{name}.parquet")
        for name in ("coverage", "gmsd_history", "funnel", "match_rates", "reconciliation")
    }
    return [
        _run(run),
        _inputs(run),
        _computed(run),
        _emptied(run),
        _funnel(tables["funnel"]),
        _matches(tables["match_rates"]),
        _coverage(tables["coverage"]),
        _history(tables["gmsd_history"]),
        _reconciliation(tables["reconciliation"]),
    ]


def _run(run: dict[str, Any]) -> Section:
    rows = [
        ["run", run["run_id"]],
        ["periode", run["period"]],
        ["koppelplan", run["plan"]["version"]],
        ["synthetisch", "ja" if run["synthetic"] else "nee"],
    ]
    return ("Run", "Wat er is gedraaid.", ("wat", "waarde"), rows)


def _inputs(run: dict[str, Any]) -> Section:
    rows = [
        [
            i["register"],
            i["sequence"],
            i["agreement"]["id"],
            i["rows"]["in"],
            i["rows"]["accepted"],
            i["rows"]["quarantined"],
            i["rows"]["out_of_scope"],
        ]
        for i in run["inputs"]
    ]
    heads = ("register", "levering", "afspraak", "rijen in", "geaccepteerd", "quarantaine", "buiten bereik")
    return ("Leveringen", "Rijen in = geaccepteerd + quarantaine + buiten bereik.", heads, rows)


def _computed(run: dict[str, Any]) -> Section:
    """Which code made the pseudonyms: the same ones either way, but a failed test is a fault of a machine."""
    rows = [
        [one["register"], one["sequence"], _STEPS[step], _HMAC[one[step]["hmac"]], one[step]["fallback"]]
        for one in run.get("computed", ())
        for step in _STEPS
        if step in one
    ]
    heads = ("register", "levering", "stap", "HMAC", "waarom niet snel")
    told = "De uitkomst is gelijk; self_test_failed of sample_differed wijst op een machine die fout rekent."
    return ("Berekening van pseudoniemen", told, heads, rows)


def _emptied(run: dict[str, Any]) -> Section:
    rows = []
    for item in run["inputs"]:
        for reason, n in sorted(item["reasons"].items()):
            rows.append([item["register"], item["sequence"], "rij apart gezet", reason, n])
        for reason, n in sorted(item["identifiers"]["emptied"].items()):
            rows.append([item["register"], item["sequence"], "nummer geleegd", reason, n])
    return (
        "Redenen",
        "Wat leveranciers kunnen verbeteren.",
        ("register", "levering", "gevolg", "reden", "aantal"),
        rows,
    )


def _count(table: pa.Table, mask: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.cast(mask, pa.int64())).as_py() or 0)


def _funnel(funnel: pa.Table) -> Section:
    rows = [
        [r["register"], r["stage"], r["count"]]
        for r in funnel.sort_by([("register", "ascending"), ("step", "ascending")]).to_pylist()
    ]
    return ("Trechter", "Van rij naar gebeurtenis.", ("register", "stap", "aantal"), rows)


def _matches(rates: pa.Table) -> Section:
    kept = rates.filter(pc.equal(rates["geslacht"], "ALLEN")).to_pylist()
    rows = [
        [
            r["register"],
            r["other"],
            r["year"],
            r["persons"],
            r["matched"],
            _percent(r["matched"], r["persons"]),
            _percent(r["unlinkable"], r["persons"]),
        ]
        for r in kept
    ]
    heads = ("register", "ook in", "jaar", "personen", "gekoppeld", "%", "% niet koppelbaar")
    return (
        "Koppelpercentages",
        "Personen met een rij in het jaar, en hoeveel van hen ook in het andere register staan.",
        heads,
        rows,
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _coverage(coverage: pa.Table) -> Section:
    periods = sorted(set(coverage["half_year"].to_pylist()))
    rows = []
    for period in periods:
        part = coverage.filter(pc.equal(coverage["half_year"], period))
        rows.append(
            [
                period,
                _count(part, part["delivered"]),
                part.num_rows - _count(part, part["delivered"]),
                _count(part, part["suspicious"]),
            ]
        )
    return (
        "Dekking GMSD",
        "Gemeenten per halfjaar; verdacht: in- en uitstroom verschillen een factor 2,5 of meer.",
        ("halfjaar", "geleverd", "niet geleverd", "verdacht"),
        rows,
    )


def _history(history: pa.Table) -> Section:
    """Municipalities and rows per delivery and half-year that a later delivery replaced, and by which."""
    lines: dict[tuple[Any, ...], list[int]] = {}
    for row in history.to_pylist():
        key = (row["half_year"], row["sequence"], row["status"] or "-", row["replaced_by"], row["replaced_status"])
        if row["replaced_by"] is not None:
            total = lines.setdefault(key, [0, 0])
            total[0] += 1
            total[1] += row["rows_replaced"]
    rows = [[*key, *total] for key, total in sorted(lines.items(), key=str)]
    heads = ("halfjaar", "levering", "status", "vervangen door", "status daarvan", "gemeenten", "vervallen rijen")
    return ("Vervangen leveringen GMSD", "Per gemeente en levering: gmsd_history.parquet.", heads, rows)


def _reconciliation(table: pa.Table) -> Section:
    rows = [
        [
            r["source"],
            r["indicator"],
            r["breakdown"],
            r["year"],
            r["kind"],
            _number(r["published"]),
            _number(r["counted"]),
            _number(r["difference"]),
            r["note"],
        ]
        for r in table.to_pylist()
    ]
    heads = ("bron", "indicator", "uitsplitsing", "jaar", "soort", "gedrukt", "geteld", "verschil", "opmerking")
    return ("Gedrukte cijfers naast de telling", "Elk landelijk cijfer van het rapport van 2024.", heads, rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}".removesuffix(".0")


def _markdown(found: list[Section]) -> str:
    lines = [
        "# Kwaliteit van de run",
        "",
        "Intern, voor de operator van de TTP: hier staan ware tellingen. Niet verspreiden.",
    ]
    for title, why, heads, rows in found:
        lines += ["", f"## {title}", "", why, "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
        lines += [
            "| " + " | ".join(f"{c:,}" if isinstance(c, int) and c > 9999 else str(c) for c in row) + " |"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


def _html(found: list[Section], figures: dict[str, str]) -> str:
    head = f'<head><meta charset="utf-8"><title>Kwaliteit van de run</title><style>{CSS}</style></head>'
    parts = [f'<!doctype html><html lang="nl">{head}<body><h1>Kwaliteit van de run</h1>{INTERN}']
    for title, why, heads, rows in found:
        names = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in heads)
        body = "".join("<tr>" + "".join(_cell(c) for c in row) + "</tr>" for row in rows)
        parts.append(f"<h2>{html.escape(title)}</h2><p>{html.escape(why)}</p>{figures.get(title, '')}")
        parts.append(f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(parts) + "</body></html>\n"


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{html.escape(str(value))}</td>"
