"""How anonymous the delivered rows are: k per set of quasi-identifiers, uniques and l-diversity, read back from disk.

Own SQL rather than pycanon: that library wants the whole table in pandas and one set at a time, and knows no rows of
one person. Here k counts persons, never rows. Source: Sweeney (2002) for k, Machanavajjhala et al. (2007) for l.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from release.research_counts import HIDDEN, hide, hide_one
from schemas.errors import DisclosureRefused
from schemas.research import QuasiSet, ResearchOutput

SQL = Path(__file__).parent / "sql"
BANDS = {"k_1": "uniek (k = 1)", "k_2_4": "k = 2-4", "k_5_9": "k = 5-9", "k_10_49": "k = 10-49", "k_50": "k = 50+"}


@dataclass(frozen=True)
class Measured:
    """One set, in persons. `alike` is per sensitive column: persons whose whole class (k > 1) shares one value."""

    name: str
    table: str
    known: tuple[str, ...]
    persons: int
    smallest: int | None
    bands: dict[str, int]
    below: int
    alike: dict[str, int]


def measure(con: duckdb.DuckDBPyConnection, output: ResearchOutput) -> list[Measured]:
    """Every set of the agreement, over the views of `con` (one per delivered table)."""
    return [_measure(con, output, name, one) for name, one in output.anonymity.sets.items()]


def _measure(con: duckdb.DuckDBPyConnection, output: ResearchOutput, name: str, one: QuasiSet) -> Measured:
    found: dict[str, int] = {}
    alike: dict[str, int] = {}
    for secret in one.sensitive or (None,):
        con.execute(_rows(output, one, secret))
        con.execute((SQL / "anonymity_persons.sql").read_text(encoding="utf-8"))
        text = (SQL / "anonymity_bands.sql").read_text(encoding="utf-8")
        row = con.execute(text, {"threshold": output.anonymity.k})
        found = dict(zip([d[0] for d in row.description or []], row.fetchall()[0], strict=True))
        if secret is not None:
            alike[secret] = found["alike"]
    bands = {band: found[band] for band in BANDS}
    smallest = found["smallest"] if found["persons"] else None
    return Measured(name, one.table, one.known, found["persons"], smallest, bands, found["below"], alike)


def _rows(output: ResearchOutput, one: QuasiSet, secret: str | None) -> str:
    """Rows of the set's table as person, class and secret. Who has no pseudonym is a person per row."""
    own = output.kept(one.table)
    cells = [f"{'t' if name in own else 'p'}.{name}" for name in one.known]
    told = "null" if secret is None else f"{'t' if secret in own else 'p'}.{secret}"
    person = "coalesce(hex(t.pseudonym), 'row ' || row_number() over ())"
    join = "" if one.table == "persons" else "left join persons as p on p.pseudonym = t.pseudonym"
    return (
        f"create or replace temp view anonymity_rows as select {person} as person, row({', '.join(cells)}) as class, "  # noqa: S608 - declared names
        f"{told}::varchar as secret from {one.table} as t {join}"
    )


def require(found: list[Measured], output: ResearchOutput) -> None:
    """DisclosureRefused k_anonymity, with set and threshold, where the agreement says so and a set is too fine."""
    for one in found:
        if output.anonymity.below == "refuse" and one.below:
            raise DisclosureRefused("k_anonymity", set=one.name, k=output.anonymity.k)


def write(found: list[Measured], output: ResearchOutput, out: Path) -> list[Path]:
    """kanonimiteit.md and kanonimiteit.json; counts below ten are hidden there too."""
    text, data = out / "kanonimiteit.md", out / "kanonimiteit.json"
    text.write_text(_markdown(found, output), encoding="utf-8")
    told = [{**asdict(one), **_told(one)} for one in found]
    content = {"output": output.output, "k": output.anonymity.k, "below": output.anonymity.below, "sets": told}
    data.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return [text, data]


def _told(one: Measured) -> dict[str, object]:
    """The counts of a set as they may be read: the bands add up to the persons, so they are hidden together."""
    bands = dict(zip(one.bands, hide(list(one.bands.values())), strict=True))
    below = HIDDEN if HIDDEN in bands.values() else str(one.below)
    alike = {name: hide_one(count) for name, count in one.alike.items()}
    return {"bands": bands, "below": below, "alike": alike, "persons": hide_one(one.persons)}


def _markdown(found: list[Measured], output: ResearchOutput) -> str:
    limit = output.anonymity.k
    consequence = {"report": "gemeld", "refuse": "geweigerd"}[output.anonymity.below]
    lines = [
        "# K-anonimiteit",
        "",
        f"Afspraak {output.output}: minder dan {limit} mensen gelijk wordt {consequence}. Geteld zijn mensen, geen",
        "rijen, in de geleverde bestanden zelf. Wie meer rijen heeft telt met zijn kleinste groep. Een rij zonder",
        f"pseudoniem is een mens. Aantallen onder 10 zijn verborgen ({HIDDEN}), en wat ze zou verraden ook.",
        "",
        "| set | wat iemand kan weten | mensen | kleinste k | " + " | ".join(BANDS.values()) + f" | onder {limit} |",
        "|" + " --- |" * (len(BANDS) + 5),
    ]
    for one in found:
        known = f"{one.table}: {', '.join(one.known)}"
        told = _told(one)
        cells = [one.name, known, told["persons"], "-" if one.smallest is None else one.smallest]
        cells += [*hide(list(one.bands.values())), told["below"]]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines += [
        "",
        "## L-diversiteit",
        "",
        "Mensen in een groep van twee of meer, waarin iedereen dezelfde waarde heeft:",
    ]
    lines += [
        "wie de groep kent, kent dan die waarde.",
        "",
        "| set | gevoelige kolom | mensen |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {one.name} | {name} | {hide_one(count)} |" for one in found for name, count in one.alike.items()]
    return "\n".join(lines) + "\n"
