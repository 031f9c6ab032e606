"""The files that explain the researchers' tables: views.sql, the codebook with frequencies, README and the notebook."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from release.research_counts import HIDDEN, hide
from schemas.linked import LINKED_TABLES
from schemas.register import OutColumn
from schemas.research import BEWERKING, YEAR_OF, ResearchOutput

PSEUDONYM = "Pseudoniem van deze ontvanger; leeg zonder bruikbaar nummer."
JAAR = "Jaar van de map; volgt uit {0}."
MOST_VALUES = 40
HEADS = ("tabel", "kolom", "type", "rol", "bewerking", "omschrijving", "waarde", "aantal")
NOTEBOOK = Path(__file__).parent / "notebook" / "start.py.j2"
EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "Title ends per half-year, and how many were followed by Wmo support within 180 days",
        "select half_year, count(*) as title_ends,\n"
        "       count(*) filter (outcome in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180'))\n"
        "         as wmo_180\n"
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


@dataclass(frozen=True)
class Line:
    """One column of one table, or one value of it with how often it occurs (as text: below ten it is hidden)."""

    table: str
    column: str
    type: str
    role: str
    action: str
    description: str
    value: str
    count: str

    def cells(self) -> tuple[str, ...]:
        """In the order of HEADS."""
        head = (self.table, self.column, self.type, self.role, self.action)
        return (*head, self.description, self.value, self.count)


def kept(output: ResearchOutput, table: str) -> tuple[OutColumn, ...]:
    """Declared columns of a table that leave."""
    names = set(output.kept(table))
    return tuple(column for column in LINKED_TABLES[table].columns if column.name in names)


def source(table: str) -> str:
    """What a view reads: one file, or every year's."""
    if table not in YEAR_OF:
        return f"read_parquet('{table}.parquet')"
    return f"read_parquet('{table}.parquet/*/*.parquet', hive_partitioning = true, hive_types = {{'jaar': integer}})"


def views(output: ResearchOutput) -> str:
    """CREATE VIEW and COMMENT statements; run them with this folder as the working directory."""
    lines = ['-- duckdb -c ".read views.sql" in this folder; every view reads the Parquet files beside it.', ""]
    for table in output.tables:
        lines.append(f"create or replace view {table} as select * from {source(table)};")  # noqa: S608 - our own names
        lines.append(f"comment on view {table} is '{_quote(LINKED_TABLES[table].title)}';")
        told = [("pseudonym", PSEUDONYM)]
        told += [(column.name, _description(column, output, table)) for column in kept(output, table)]
        told += [("jaar", JAAR.format(YEAR_OF[table][0]))] if table in YEAR_OF else []
        lines += [f"comment on column {table}.{name} is '{_quote(text)}';" for name, text in told]
        lines.append("")
    return "\n".join(lines)


def _description(column: OutColumn, output: ResearchOutput, table: str) -> str:
    action = output.columns[table][column.name]
    return column.omschrijving + ("" if action == "keep" else f" Bewerking: {BEWERKING[action]}.")


def _quote(text: str) -> str:
    return text.replace("'", "''")


# ---------------------------------------------------------------- codebook with frequencies


def codebook(con: duckdb.DuckDBPyConnection, output: ResearchOutput) -> list[Line]:
    """Every column with how many rows fill it, and each value of a column with few values."""
    lines: list[Line] = []
    for table in output.tables:
        head = (table, "pseudonym", "blob(32)", "record_key", "pseudoniem van deze ontvanger", PSEUDONYM)
        lines += [Line(*head, value, count) for value, count in _frequencies(con, table, "pseudonym", few=False)]
        for column in kept(output, table):
            action = BEWERKING[output.columns[table][column.name]]
            about = (table, column.name, str(column.type), column.role.value, action, column.omschrijving)
            few = column.type != pa.date32() and not column.name.endswith("_days")
            lines += [Line(*about, value, count) for value, count in _frequencies(con, table, column.name, few=few)]
    return lines


def _frequencies(con: duckdb.DuckDBPyConnection, table: str, column: str, *, few: bool) -> list[tuple[str, str]]:
    """(value, count as shown); only (filled), (empty) for dates, days and columns with many values."""
    query = f"select {column}::varchar, count(*) from {table} group by 1 order by 1 nulls last limit {MOST_VALUES + 2}"  # noqa: S608
    found = con.execute(query).fetchall() if few else []
    if not found or len(found) > MOST_VALUES + 1:
        (filled, rows) = con.execute(f"select count({column}), count(*) from {table}").fetchall()[0]  # noqa: S608
        found = [("(gevuld)", filled), (None, rows - filled)]
    shown = hide([count for _, count in found])
    return [("(leeg)" if value is None else str(value), text) for (value, _), text in zip(found, shown, strict=True)]


def codebook_csv(lines: list[Line]) -> str:
    """The codebook as CSV: one line per column x value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([HEADS, *(line.cells() for line in lines)])
    return text.getvalue()


_CSS = (
    "body{font:15px/1.5 system-ui,Arial,sans-serif;max-width:72rem;margin:1rem auto;padding:0 1rem;color:#1b1b1b}"
    "h2{color:#12487a;margin-top:2rem}table{border-collapse:collapse;font-size:.9rem}"
    "th,td{border-bottom:1px solid #c8ced6;padding:.2rem .6rem;text-align:left;vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}thead th{background:#f4f6f9}"
)


def codebook_html(lines: list[Line], output: ResearchOutput) -> str:
    """The codebook as one page without outside requests: a table per table, values inside a details element."""
    links = " · ".join(f'<a href="#{table}">{table}</a>' for table in output.tables)
    parts = [
        f'<!doctype html><html lang="nl"><head><meta charset="utf-8"><title>Codeboek</title><style>{_CSS}</style>'
        f"</head><body><h1>Codeboek</h1><p>Afspraak {output.output}. Aantallen onder 10 zijn verborgen ({HIDDEN}), "
        f"en ook een aantal daarnaast waar het totaal ze anders zou verraden.</p><nav><p>{links}</p></nav>"
    ]
    for table in output.tables:
        declared = LINKED_TABLES[table]
        parts.append(f'<h2 id="{table}">{table}</h2><p>{_e(declared.title)}. Korrel: {_e(declared.grain)}.</p>')
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("kolom", "type", "bewerking", "omschrijving"))
        parts.append(f'<table><thead><tr>{heads}<th scope="col">waarden</th></tr></thead><tbody>')
        mine = [line for line in lines if line.table == table]
        parts += [_column(mine, name) for name in dict.fromkeys(line.column for line in mine)]
        parts.append("</tbody></table>")
    return "".join(parts) + "</body></html>\n"


def _column(lines: list[Line], name: str) -> str:
    found = [line for line in lines if line.column == name]
    rows = "".join(f'<tr><td>{_e(one.value)}</td><td class="n">{_e(one.count)}</td></tr>' for one in found)
    values = f"<details><summary>{len(found)} waarden</summary><table>{rows}</table></details>"
    cells = (found[0].column, found[0].type, found[0].action, found[0].description)
    return "<tr>" + "".join(f"<td>{_e(cell)}</td>" for cell in cells) + f"<td>{values}</td></tr>"


def _e(text: str) -> str:
    return html.escape(text)


def codebook_markdown(output: ResearchOutput) -> str:
    """The columns without frequencies, for a reader without a browser."""
    lines = ["# Gekoppelde tabellen"]
    for table in output.tables:
        declared = LINKED_TABLES[table]
        lines += ["", f"## {table}", "", f"{declared.title}. Korrel: {declared.grain}.", ""]
        lines += ["| kolom | type | bewerking | omschrijving |", "| --- | --- | --- | --- |"]
        lines.append(f"| pseudonym | blob(32) | pseudoniem van deze ontvanger | {PSEUDONYM} |")
        for column in kept(output, table):
            action = BEWERKING[output.columns[table][column.name]]
            lines.append(f"| {column.name} | {column.type} | {action} | {column.omschrijving} |")
        lines += [f"| jaar | int32 | naam van de map | {JAAR.format(YEAR_OF[table][0])} |"] if table in YEAR_OF else []
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- README and notebook


def readme(provenance: dict[str, str]) -> str:
    """How to open the tables, with queries that a test runs."""
    lines = ["# Linked tables for researchers", ""]
    if provenance.get("gegevens") == "synthetisch":
        lines += ["Synthetic data: no row is about a real person. Demo, not for publication.", ""]
    lines += [
        "Persons carry a pseudonym of your domain alone; another recipient's file cannot be joined to it. Rows of",
        "persons without a usable number have none: do not group them as one person. Columns are as coarse as the",
        "agreement says: `codebook.html` names what was done to each, `kanonimiteit.md` how many people are alike.",
        "",
        *("```", 'duckdb -c ".read views.sql" -c "from title_end_events limit 5"', "```", ""),
        "`start.py` is a notebook of ten cells that runs offline: `marimo edit start.py`, or read it as a script.",
        *("", "## Examples", ""),
    ]
    for title, query in EXAMPLES:
        lines += [f"{title}:", "", "```sql", query, "```", ""]
    lines += ["## Provenance", "", *(f"- {name}: {value}" for name, value in provenance.items()), ""]
    return "\n".join(lines)


def notebook(provenance: dict[str, str]) -> str:
    """start.py with the release's name in it."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    return text.replace("{{ release }}", provenance["release"]).replace("{{ gegevens }}", provenance["gegevens"])
