"""The researchers' export: linked tables under a pseudonym of their own, views with comments, codebook, examples."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from release.files import write_parquet
from schemas.codebook import out_page
from schemas.ddl import comments
from schemas.errors import DisclosureRefused
from schemas.linked import LINKED_TABLES
from schemas.register import OutTable

PSEUDONYM = "Pseudoniem van deze ontvanger; leeg zonder bruikbaar nummer."
EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "Title ends per half-year, and how many were followed by Wmo support within 180 days",
        "select half_year, count(*) as title_ends,\n"
        "       count(*) filter (outcome = 'RUNNING' or gap_title_days between -90 and 180) as wmo_180\n"
        "from title_end_events where excluded is null group by all order by all;",
    ),
    (
        "Days between title end and start of Wmo support, by last care group",
        "select last_care_group, count(*) as n, median(gap_title_days) as median_days\n"
        "from title_end_events where excluded is null and wmo_start is not null group by all order by all;",
    ),
    (
        "Share of persons in Ifzo that also have a Wmo arrangement",
        "select count(*) as persons, avg(in_gmsd::int) as share_in_gmsd from persons where in_ifzo;",
    ),
)


def write_research(linked: Path, pseudonyms: Path, out: Path, provenance: dict[str, str]) -> list[Path]:
    """Write every linked table with `pseudonym` in place of `person_id`, and the files that explain them.

    `pseudonyms`: Parquet person_id, link (already converted to this recipient's domain; null for persons
    without a usable number). DisclosureRefused identifier_in_release when a person_id would be left.
    """
    read = pq.read_table(pseudonyms)
    label = read.schema.field(1).metadata  # whose domain the pseudonyms are of; the gate wants to read it
    names = read.rename_columns(["person_id", "pseudonym"]).cast(
        pa.schema([("person_id", pa.int64()), pa.field("pseudonym", pa.binary(), metadata=label)])
    )
    _require_all_named(linked, names)
    made = [_table(table, linked, names, out, provenance) for table in LINKED_TABLES.values()]
    texts = {"views.sql": views(), "codebook.md": _codebook(), "README.md": readme(provenance)}
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [*made, *(out / name for name in texts)]


def _require_all_named(linked: Path, names: pa.Table) -> None:
    """Every linkable person has a pseudonym and nobody else: DisclosureRefused pseudonym_missing otherwise."""
    persons = pq.read_table(linked / "persons.parquet", columns=["person_id", "linkable"])
    linkable = persons.filter(persons["linkable"])["person_id"].combine_chunks().sort()
    if not linkable.equals(names["person_id"].combine_chunks().sort()) or names["pseudonym"].null_count:
        raise DisclosureRefused("pseudonym_missing", linkable=len(linkable), named=names.num_rows)


def _table(table: OutTable, linked: Path, names: pa.Table, out: Path, provenance: dict[str, str]) -> Path:
    with duckdb.connect() as con:
        con.register("source", pq.read_table(linked / f"{table.name}.parquet"))
        con.register("names", names)
        columns = ", ".join(f"source.{name}" for name in table.names if name != "person_id")
        order = ", ".join(str(i) for i in range(1, len(table.names) + 1))
        found: pa.Table = con.sql(
            f"select names.pseudonym, {columns} from source left join names using (person_id) order by {order}"  # noqa: S608
        ).to_arrow_table()
    if (
        "person_id" in found.column_names
        or found.num_rows != pq.read_metadata(linked / f"{table.name}.parquet").num_rows
    ):
        raise DisclosureRefused("identifier_in_release", table=table.name)
    labelled = found.schema.set(0, names.schema.field("pseudonym"))  # DuckDB drops field metadata
    return write_parquet(found.cast(labelled), out / f"{table.name}.parquet", {"title": table.title, **provenance})


def views() -> str:
    """CREATE VIEW and COMMENT statements; run them with this folder as the working directory."""
    lines = ['-- duckdb -c ".read views.sql" in this folder; every view reads the Parquet file beside it.', ""]
    for table in LINKED_TABLES.values():
        source = f"read_parquet('{table.name}.parquet')"
        lines.append(f"create or replace view {table.name} as select * from {source};")  # noqa: S608 - our own names
        lines += [f"{line};" for line in comments(table) if ".person_id " not in line]
        lines.append(f"comment on column {table.name}.pseudonym is '{PSEUDONYM}';")
        lines.append("")
    return "\n".join(lines)


def _codebook() -> str:
    text = out_page("Gekoppelde tabellen", tuple(LINKED_TABLES.values()))
    return text.replace(
        "| person_id | int64 | record_key | nee | Persoon in deze run; nooit buiten de TTP. |",
        "| pseudonym | blob(32) | record_key | ja | Pseudoniem van deze ontvanger; leeg zonder bruikbaar nummer. |",
    )


def readme(provenance: dict[str, str]) -> str:
    """How to open the tables, with queries that a test runs."""
    lines = [
        "# Linked tables for researchers",
        "",
        "Synthetic data: no row is about a real person. Demo, not for publication.",
        "",
    ]
    lines += [
        "Persons carry a pseudonym of your domain alone; another recipient's file cannot be joined to it. Rows of",
        "persons without a usable number have none: do not group them as one person.",
        "",
    ]
    lines += ["```", 'duckdb -c ".read views.sql" -c "from title_end_events limit 5"', "```", "", "## Examples", ""]
    for title, query in EXAMPLES:
        lines += [f"{title}:", "", "```sql", query, "```", ""]
    lines += ["## Provenance", "", *(f"- {name}: {value}" for name, value in provenance.items()), ""]
    return "\n".join(lines)
