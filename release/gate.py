"""The egress gate: re-read every file of a release from disk; it can only pass or stop.

One entrance, `check_release`, for the whole release folder. Each reader's folder has its own judge; a folder or file
that nobody judges does not leave. The scan for canaries and personal numbers, which must know numbers, is the other
half of the gate and runs elsewhere (flows/egress.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from release import gate_research, gate_vng, research_gate
from release.files import write_sums as sums_of
from release.gate_vng import require_safe
from schemas.column import Role
from schemas.errors import DisclosureRefused
from schemas.register import OutTable
from schemas.registers import REGISTERS
from schemas.research import ResearchOutput

__all__ = ["JUDGES", "check_release", "check_research", "require_no_identifier", "require_safe", "write_sums"]

ALLOWED = frozenset({".csv", ".xlsx", ".parquet", ".html", ".txt", ".json", ".md", ".sql", ".py", ""})
INSIDE = frozenset({"operator"})  # stays in the TTP: true counts, no rows
LOOSE = frozenset({"run.json"})


def check_release(folder: Path) -> int:
    """Number of files checked in a whole release folder.

    DisclosureRefused small_count_shown, release_schema, label_missing or identifier_in_release.
    """
    checked = 0
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name in JUDGES:
            require_known_files(path)
            checked += JUDGES[path.name](path)
        elif path.name not in LOOSE or not path.is_file() or path.is_symlink():
            raise DisclosureRefused("release_schema", kind="stray")
        else:
            checked += 1
    return checked


def check_research(folder: Path, output: ResearchOutput) -> int:
    """The researchers' folder against its agreement, value by value (release/research_gate.py)."""
    require_known_files(folder)
    return research_gate.check(folder, output)


def require_known_files(folder: Path) -> None:
    """DisclosureRefused release_schema for a file of a kind we do not make, or a link out of the folder."""
    for path in folder.rglob("*"):
        if path.is_symlink() or (path.is_file() and path.suffix not in ALLOWED):
            raise DisclosureRefused("release_schema", kind="file")


def _operator(folder: Path) -> int:
    """Pages of counts only: no table of rows belongs there."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if any(path.suffix not in {".md", ".html"} for path in files):
        raise DisclosureRefused("release_schema", kind="operator")
    return len(files)


def write_sums(folder: Path) -> list[Path]:
    """SHA256SUMS of every folder that leaves, made after everything in it was judged."""
    leaving = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in INSIDE]
    return [sums_of(path) for path in leaving]


def require_no_identifier(table: OutTable, names: list[str]) -> None:
    """DisclosureRefused when a column of a register's identifier, or person_id, is among the names."""
    away = {c.name for r in REGISTERS.values() for c in r.columns if c.role is Role.IDENTIFIER} | {
        "person_id",
        "link",
        "row_id",
    }
    if away & set(names):
        raise DisclosureRefused("identifier_in_release", table=table.name)


JUDGES: dict[str, Callable[[Path], int]] = {
    "vng": gate_vng.check,
    "onderzoek": gate_research.check,
    "operator": _operator,
}
