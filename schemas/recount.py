"""What a printed figure means: a count, a share, a change, a mean over years, from counts by the same keys.

Used on what a run counts (linkage) and on what the synthetic country holds (synthetic).
"""

from __future__ import annotations

from collections.abc import Sequence

Counts = dict[tuple[str, ...], float]
Key = tuple[str, str, str]

NOT_IN_REGISTER = (
    "Niet te tellen: DJI telt in- en uitstroom, Injus-meldingen gaan alleen naar gemeenten met een BRP-adres."
)
NOT_COUNTED = "Niet te tellen uit deze levering."
MISPRINT = "Het rapport drukt hier een foutief totaal; zie de regel met soort total."
WITH_JJI = "Gedrukt met jeugdinrichtingen (JJI); de run houdt die buiten bereik en telt ze alleen landelijk."
CONTRADICTS = "Het rapport spreekt zichzelf tegen: de gedrukte aantallen geven een andere uitkomst."
# 9,921 and 8,118 printed persons differ by 18.2 percent, not by the printed 22.4.
SELF_CONTRADICTING = {("ifzo", "unique_persons_placed", "care_type=ambulant", "change")}
CARE = ("ambulant", "clinical", "residential", "fpt", "unknown")
AGES = ("under_30", "30_45", "45_60", "60_75", "75_85", "85_plus")


def figure(row: dict[str, str], counts: Counts) -> tuple[float | None, str]:
    """(value, note) for a row of national_figures.csv; value None with the reason in the note."""
    key = (row["source"], row["indicator"].removesuffix("_mean"), row["breakdown"])
    value = _value(row, key, _years(row["year"]), counts)
    if value is None:
        beyond = row["source"] == "injus" and row["breakdown"] in ("sector=GW", "total")
        return None, NOT_IN_REGISTER if beyond else NOT_COUNTED
    return value, _remark(row)


def _remark(row: dict[str, str]) -> str:
    """What a reader must know before holding the count against the print."""
    if row["kind"] == "total_misprint":
        return MISPRINT
    if row["source"] == "injus" and "municipality=" in row["breakdown"]:
        return WITH_JJI
    if (row["source"], row["indicator"], row["breakdown"], row["kind"]) in SELF_CONTRADICTING:
        return CONTRADICTS
    return ""


def _years(text: str) -> list[str]:
    """'2019-2022' is four years; a half year at the end ('2024Q2') lies outside the counted period."""
    first, _, last = text.partition("-")
    if not last:
        return [first]
    return [str(year) for year in range(int(first), int(last[:4]) + ("Q" not in last))]


def _value(row: dict[str, str], key: Key, years: Sequence[str], counts: Counts) -> float | None:
    if row["indicator"] == "inflow_minus_outflow":
        flows = [_mean([(row["source"], flow, row["breakdown"])], years, counts) for flow in ("inflow", "outflow")]
        return None if None in flows else (flows[0] or 0.0) - (flows[1] or 0.0)
    if row["kind"] == "share":
        return _share(key, years, counts)
    if row["kind"] in ("change", "difference"):
        return _change(row, key, counts)
    if row["indicator"] == "age":
        key = (key[0], key[1], f"{key[2]};stat={row['kind']}")
    return _mean([key], years, counts)


def _change(row: dict[str, str], key: Key, counts: Counts) -> float | None:
    now, base = counts.get((*key, row["year"])), counts.get((*key, row["base_year"]))
    if now is None or not base:
        return None
    # The printed change of Amsterdam's inflow is against the new year: it is the only one below -100.
    if float(row["value"]) < -100:
        return 100 * (now - base) / now
    return 100 * (now / base - 1) if row["kind"] == "change" else now - base


def _share(key: Key, years: Sequence[str], counts: Counts) -> float | None:
    """Mean over the years of 100 x part / whole."""
    shares = []
    for year in years:
        whole = sum(counts.get((*k, year), 0.0) for k in _whole(key))
        part = counts.get((*key, year))
        if part is not None and whole:
            shares.append(100 * part / whole)
    return sum(shares) / len(shares) if shares else None


def _whole(key: Key) -> list[Key]:
    """What a share is a share of."""
    source, indicator, breakdown = key
    head, _, last = breakdown.rpartition(";")
    if source == "cbs":
        return [(source, indicator, f"{head};age={age}") for age in AGES]
    if source == "injus":
        return [(source, indicator, f"{head};sector=GW+ForZo")]
    if source == "ifzo" and last.startswith("care_type="):
        return [(source, indicator, f"care_type={care}") for care in CARE]
    return [(source, indicator, last if head else "total")]


def _mean(keys: Sequence[Key], years: Sequence[str], counts: Counts) -> float | None:
    found = [counts[(*key, year)] for key in keys for year in years if (*key, year) in counts]
    return sum(found) / len(found) if found else None
