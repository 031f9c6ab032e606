"""The gate for the researchers' folder: every file re-read from disk, nothing but what was agreed, as coarse as agreed.

It knows the agreement and not the program that wrote the files. DisclosureRefused release_schema for a stray file or
column, not_coarsened for a value that is too fine, identifier_in_release for anything that looks like a number of a
person, small_count_shown for a small frequency in the codebook.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from release import research_coarsen, research_counts
from release.research_counts import HIDDEN, SMALL
from release.research_text import HEADS, kept
from schemas.errors import DisclosureRefused
from schemas.research import YEAR_OF, ResearchOutput

PSEUDONYM_BYTES = 32
TEXTS = frozenset({"views.sql", "codebook.md", "codebook.html", "codebook.csv", "README.md", "start.py",
                   "kanonimiteit.md", "kanonimiteit.json", "release.json", "SHA256SUMS"})  # fmt: skip
_PART = re.compile(r"(?P<table>[a-z_]+)\.parquet(?:/jaar=\d{4}/deel-0\.parquet)?")
# Eight or nine digits that are no part of a hash: what a BSN looks like.
_NUMBER = re.compile(r"(?<![0-9a-fA-F])\d{8,9}(?![0-9a-fA-F])")
_NUMBER_CELL = r"(^|[^0-9A-Fa-f])\d{8,9}($|[^0-9A-Fa-f])"
_OUTSIDE = re.compile(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//|@import|url\(\s*[\"']?http|<script", re.IGNORECASE)


def check(folder: Path, output: ResearchOutput) -> int:
    """Number of files checked."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in files:
        name = str(path.relative_to(folder))
        if name in TEXTS:
            _text(path, name)
        else:
            _parquet(path, name, output)
    return len(files)


def _text(path: Path, name: str) -> None:
    text = path.read_text(encoding="utf-8")
    if name != "SHA256SUMS" and _NUMBER.search(text):
        raise DisclosureRefused("identifier_in_release", file=name)
    if name.endswith(".html") and _OUTSIDE.search(text):
        raise DisclosureRefused("release_schema", kind="outside_request")
    if name == "codebook.csv":
        rows = list(csv.reader(text.splitlines()))
        if tuple(rows[0]) != HEADS:
            raise DisclosureRefused("release_schema", file=name)
        _counts(row[-1] for row in rows[1:])
    if name == "codebook.html":
        _counts(re.findall(r'<td class="n">([^<]*)</td>', text))


def _counts(found: Iterable[str]) -> None:
    for shown in found:
        count = research_counts.read(shown)
        if shown != HIDDEN and (count is None or 0 < count < SMALL):
            raise DisclosureRefused("small_count_shown")


def _parquet(path: Path, name: str, output: ResearchOutput) -> None:
    part = _PART.fullmatch(name)
    if part is None or part["table"] not in output.tables or ("/jaar=" in name) != (part["table"] in YEAR_OF):
        raise DisclosureRefused("release_schema", kind="file")
    table, columns = part["table"], kept(output, part["table"])
    with pq.ParquetFile(path) as file:
        read = file.read()
    wanted = [("pseudonym", pa.binary()), *((c.name, c.type) for c in columns)]
    if [(f.name, f.type) for f in read.schema] != wanted:
        raise DisclosureRefused("release_schema", table=table)
    lengths = pc.unique(pc.binary_length(pc.drop_null(read["pseudonym"].combine_chunks()))).to_pylist()
    if set(lengths) - {PSEUDONYM_BYTES}:
        raise DisclosureRefused("identifier_in_release", table=table, column="pseudonym")
    for column in columns:
        values, action = read[column.name], output.columns[table][column.name]
        if pa.types.is_string(column.type):
            known = pc.unique(pc.drop_null(values.combine_chunks()))
            if pc.any(pc.match_substring_regex(known, _NUMBER_CELL)).as_py():
                raise DisclosureRefused("identifier_in_release", table=table, column=column.name)
        if not research_coarsen.is_coarse(values, column, action, output.birth_years):
            raise DisclosureRefused("not_coarsened", table=table, column=column.name)
