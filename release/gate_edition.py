"""The gate's judge of one audience's folder of a release: every file re-read, every count as the edition allows."""

from __future__ import annotations

from pathlib import Path

from release.deliver import read
from release.deliver.face import Face
from release.gate_vng import numbers_of_page
from release.report.year import latest
from schemas.errors import DisclosureRefused

ALLOWED = frozenset({".csv", ".json", ".parquet", ".xlsx", ".xml", ".html", ".sig", ""})


def check(folder: Path, face: Face, said: read.Counts) -> int:
    """Number of files; `said` is what they say (`read.folder`). DisclosureRefused small_count_shown, release_schema."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if any(path.is_symlink() or path.suffix not in ALLOWED for path in folder.rglob("*") if not path.is_dir()):
        raise DisclosureRefused("release_schema", kind="file")
    counts = [count for count in said.values() if count is not None]
    if not counts and face.protected.hidden < face.protected.table.num_rows:
        raise DisclosureRefused("release_schema", kind="empty")
    step = face.rules.base if face.rules.edition == "rounded" else 1
    if any(count < face.protected.threshold or count % step for count in counts):
        raise DisclosureRefused("small_count_shown")
    for page in folder.glob("*.html"):
        _page(page, face)
    return len(files)


def _page(path: Path, face: Face) -> None:
    """Numbers of persons on the page are what the tables show, or sums of it; the funnel's are multiples of 5."""
    printed = face.printed
    given = printed.table.to_pylist()
    year = latest(printed).year
    sums: dict[tuple[str, str, str], int] = {}
    for row in given:
        if row["halfjaar"].startswith(year):
            key = (row["niveau"], row["code"], row["maat"])
            sums[key] = sums.get(key, 0) + (row["aantal"] or 0)
    known = set(sums.values()) | {row["aantal"] for row in given}
    for number in numbers_of_page(path):
        if number is not None and (number < face.protected.threshold or (number not in known and number % 5)):
            raise DisclosureRefused("small_count_shown")
