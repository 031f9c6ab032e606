"""Sections of the operator's page about the linkage itself: bases, strata, the fallback model, and its errors.

The curve is drawn as inline SVG: no script, nothing fetched. Where the truth is planted, precision and recall are
counted; else the page shows what the model expects of itself, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from release.truth_links import Judged
from schemas.link_quality import BASES, OUTCOMES, PERSON_MEASURES, STRATA

Section = tuple[str, str, Sequence[str], list[list[Any]]]
EXPECTED = "Terugval: wat het model verwacht bij elke drempel"
COUNTED = "Terugval: precisie en vangst bij elke drempel (geplante waarheid)"
WIDTH, HEIGHT, EDGE = 420, 220, 40


def sections(linked: Path, judged: Judged | None) -> list[Section]:
    """Title, explanation, heads, rows; fallback only where it was switched on."""
    made = [_measures(linked), _bases(linked), _strata(linked)]
    if pq.read_metadata(linked / "fallback_links.parquet").num_rows:
        made += [_outcomes(linked), _model(linked), _expected(linked)]
    if judged is not None:
        made += [_by_stratum(judged), _curve(judged)]
    return made


def _measures(linked: Path) -> Section:
    told = {row["measure"]: row["n"] for row in pq.read_table(linked / "person_quality.parquet").to_pylist()}
    rows = [[text, told.get(measure, 0)] for measure, text in PERSON_MEASURES.items()]
    return ("Samenvoegingen en conflicten", "Niets wordt weggelaten; wat strijdig is telt.", ("wat", "aantal"), rows)


def _bases(linked: Path) -> Section:
    table = pq.read_table(linked / "register_links.parquet", columns=["register", "other", "basis"])
    found = table.group_by(["register", "other", "basis"]).aggregate([([], "count_all")]).to_pylist()
    counts = {(r["register"], r["other"], r["basis"]): r["count_all"] for r in found}
    pairs = sorted({(a, b) for a, b, _ in counts})
    rows = [[a, b, *(counts.get((a, b, basis), 0) for basis in BASES)] for a, b in pairs]
    why = "Personen per registerpaar, naar het zekerste waarop beide registers samenkomen."
    return ("Waarop is gekoppeld", why, ("register", "en", *BASES), rows)


def _strata(linked: Path) -> Section:
    table = pq.read_table(linked / "link_strata.parquet")
    grouped = table.group_by(["register", "stratum", "value"]).aggregate(
        [(name, "sum") for name in ("persons", "matched", "unlinkable", "by_fallback")]
    )
    order = {name: place for place, name in enumerate(STRATA)}
    found = sorted(grouped.to_pylist(), key=lambda r: (r["register"], order.get(r["stratum"], 9), r["value"]))
    rows = [
        [r["register"], STRATA.get(r["stratum"], r["stratum"]), r["value"], r["persons_sum"]]
        + [_percent(r[f"{name}_sum"], r["persons_sum"]) for name in ("matched", "unlinkable", "by_fallback")]
        for r in found
    ]
    heads = ("register", "naar", "waarde", "persoonsjaren", "% ook elders", "% zonder nummer", "% via terugval")
    return ("Koppelbaarheid per stratum", "Personen met een rij in het jaar, alle jaren bij elkaar.", heads, rows)


def _outcomes(linked: Path) -> Section:
    table = pq.read_table(linked / "fallback_links.parquet", columns=["register", "outcome"]).to_pylist()
    counts = Counter((row["register"], row["outcome"]) for row in table)
    rows = [[register, OUTCOMES.get(outcome, outcome), n] for (register, outcome), n in sorted(counts.items())]
    why = "Rijen zonder nummer waarvan de bron sleutels maakte van naam, geboortedatum en postcode."
    return ("Terugval: wat er is besloten", why, ("register", "besluit", "rijen"), rows)


def _model(linked: Path) -> Section:
    found = pq.read_table(linked / "fallback_model.parquet").to_pylist()
    rows = [[r["part"], r["level"], f"{r['m']:.4f}", f"{r['u']:.6f}"] for r in found]
    why = "Fellegi-Sunter, geschat op deze rijen: kans op overeenkomst bij een persoon (m) en bij twee (u)."
    return ("Terugval: het model", why, ("onderdeel", "overeenkomst", "m", "u"), rows)


def _expected(linked: Path) -> Section:
    found = pq.read_table(linked / "fallback_curve.parquet").to_pylist()
    rows = [[f"{r['threshold']:g}", r["records"], _share(r["precision"]), _share(r["recall"])] for r in found]
    why = "Records zonder nummer met een kandidaat vanaf deze kans. Geen meting: het model over zichzelf."
    return (EXPECTED, why, ("drempel", "records", "precisie", "vangst"), rows)


def _by_stratum(judged: Judged) -> Section:
    rows = [
        [stratum, value, n, findable, hits, _percent(right, hits), _percent(right, findable)]
        for stratum, value, n, findable, hits, right in judged.strata
    ]
    heads = ("naar", "waarde", "rijen beoordeeld", "vindbaar", "gekoppeld", "% juist", "% gevonden")
    why = (
        "Bij de drempel van het plan. Vindbaar: de persoon heeft ergens een rij met een nummer. Per registerpaar telt "
        "een rij onder het register van haar kandidaat, dus daar is % gevonden geen vangst van dat paar."
    )
    return ("Terugval: precisie en vangst per stratum (geplante waarheid)", why, heads, rows)


def _curve(judged: Judged) -> Section:
    rows = [
        [f"{threshold:g}", linked, _percent(correct, linked), _percent(correct, findable)]
        for threshold, linked, correct, findable in judged.curve
    ]
    why = "Onder de drempel van het plan geldt de regel van een op een niet."
    return (COUNTED, why, ("drempel", "gekoppeld", "% juist", "% gevonden"), rows)


def charts(linked: Path, judged: Judged | None) -> dict[str, str]:
    """SVG by the title of the section it belongs under."""
    found = pq.read_table(linked / "fallback_curve.parquet")
    made = {}
    if found.num_rows:
        rows = [(r["threshold"], r["precision"], r["recall"]) for r in found.to_pylist()]
        made[EXPECTED] = svg(rows)
    if judged is not None:
        made[COUNTED] = svg([(t, _part(right, n), _part(right, of)) for t, n, right, of in judged.curve])
    return made


def svg(points: Sequence[tuple[float, float | None, float | None]]) -> str:
    """Precision and recall against threshold, both axes of 0 to 1 drawn from the least value that occurs."""
    values = [value for _, *pair in points for value in pair if value is not None]
    low = max(0.0, min([*values, 0.9]) - 0.05)
    lines = [
        f'<svg role="img" aria-label="precisie en vangst per drempel" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" style="max-width:100%">',
        f'<path d="M{EDGE} 10V{HEIGHT - EDGE}H{WIDTH - 10}" fill="none" stroke="#5a6675"/>',
    ]
    for column, colour, name in ((1, "#12487a", "precisie"), (2, "#b3541e", "vangst")):
        told = [(point[0], point[column]) for point in points]
        path = " ".join(f"{_x(t):.1f},{_y(v, low):.1f}" for t, v in told if v is not None)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        height = HEIGHT - 8
        lines.append(f'<text x="{EDGE + 90 * (column - 1)}" y="{height}" font-size="12" fill="{colour}">{name}</text>')
    for value in (low, (1 + low) / 2, 1.0):
        lines.append(f'<text x="4" y="{_y(value, low) + 4:.1f}" font-size="11">{value:.2f}</text>')
    for threshold in (0.5, 0.75, 1.0):
        at = HEIGHT - EDGE + 14
        lines.append(f'<text x="{_x(threshold) - 8:.1f}" y="{at}" font-size="11">{threshold:g}</text>')
    return "".join([*lines, "</svg>"])


def _x(threshold: float) -> float:
    return EDGE + (threshold - 0.5) * 2 * (WIDTH - EDGE - 20)


def _y(value: float, low: float) -> float:
    return 10 + (1 - (value - low) / (1 - low)) * (HEIGHT - EDGE - 10)


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
