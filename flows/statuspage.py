"""What `koppel status` shows, as a table for Prefect's page of a run and as a web page of its own. Never data."""

from __future__ import annotations

import html
from pathlib import Path

from flows.status import NOTHING, Line, Status

_STYLE = (
    "body{font:16px/1.4 sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.3em .8em;"
    "border-bottom:1px solid #999;text-align:right}td:first-child,td:last-child,th:first-child,th:last-child"
    "{text-align:left}.due{font-weight:bold;color:#a00}"
)


def row(line: Line) -> dict[str, str]:
    """One register as people read it: heading -> cell, in the order of the screen."""
    received = f"{line.received} (+{line.at_gateway} raw)" if line.at_gateway else str(line.received)
    return {
        "register": line.register,
        "expected": str(line.expected),
        "received": received,
        "checked": str(line.checked),
        "converted": str(line.converted),
        "linked": str(line.linked),
        "estimated": str(line.estimated),
        "released": str(line.released),
        "rows": f"{line.rows:,}",
        "quarantined": f"{line.quarantined:,}",
        "change": "" if line.change is None else f"{line.change:+.1%}",
        "next": "" if line.action == NOTHING else line.action,
    }


def rows(found: Status) -> list[dict[str, str]]:
    """Every register."""
    return [row(line) for line in found.lines]


def page(found: Status) -> str:
    """A page that stands alone: no script, no picture, nothing fetched."""
    table = rows(found)
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in (table[0] if table else {}))
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells.values()) + "</tr>" for cells in table
    )
    notes = "".join(f"<p>soon: {html.escape(note)}</p>" for note in found.notes)
    title = html.escape(f"{found.period}, release {found.release}")
    due = ' class="due"' if found.due else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{notes}"
        f"<p{due}>next: {html.escape(found.action)}</p></html>\n"
    )


def write(found: Status, path: Path) -> None:
    """The page, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(page(found), encoding="utf-8")
    part.replace(path)
