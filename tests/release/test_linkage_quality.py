"""The operator's sections about the linkage: both forms, inline curve, nothing that names a row or a person."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from release import linkage_quality, publish
from release.truth_links import Judged, judge
from schemas.link_quality import FALLBACK_CURVE, FALLBACK_LINKS, QUALITY_TABLES
from tests.release.fixtures import write_linked
from tests.release.test_release import RUN

JUDGED = Judged(
    [("alle", "alle", 40, 30, 28, 27), ("register", "gmsd", 10, 0, 0, 0)],
    [(0.5, 32, 29, 30), (0.95, 28, 27, 30), (0.999, 0, 0, 30)],
)


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    return write_linked(tmp_path / "linked")


def off(linked: Path) -> Path:
    """A run without fallback keys."""
    for table in QUALITY_TABLES[:3]:
        pq.write_table(table.arrow_schema().empty_table(), linked / f"{table.name}.parquet")
    return linked


def test_without_fallback_there_are_no_fallback_sections(linked: Path) -> None:
    titles = [title for title, *_ in linkage_quality.sections(off(linked), None)]
    assert titles == ["Samenvoegingen en conflicten", "Waarop is gekoppeld", "Koppelbaarheid per stratum"]
    assert linkage_quality.charts(linked, None) == {}
    assert judge(linked, linked, linked) is None


def test_precision_and_recall_are_shares_of_what_was_judged(linked: Path) -> None:
    found = {title: rows for title, _, _, rows in linkage_quality.sections(linked, JUDGED)}
    strata = found["Terugval: precisie en vangst per stratum (geplante waarheid)"]
    assert strata[0] == ["alle", "alle", 40, 30, 28, "96.4", "90.0"]
    assert strata[1][-2:] == ["-", "-"]
    assert found[linkage_quality.COUNTED][1] == ["0.95", 28, "96.4", "90.0"]


def test_the_curve_is_drawn_in_the_page_and_fetches_nothing(linked: Path, tmp_path: Path) -> None:
    made = linkage_quality.charts(linked, JUDGED)
    assert set(made) == {linkage_quality.EXPECTED, linkage_quality.COUNTED}
    text, page = publish.publish_operator(linked, tmp_path / "out", run=RUN)
    assert "<svg" in page.read_text(encoding="utf-8")
    assert "<svg" not in text.read_text(encoding="utf-8")
    assert not re.search("(?:src|href)=|<script|url\\(", page.read_text(encoding="utf-8"))


def test_a_curve_lies_within_its_frame_and_leaves_gaps_open() -> None:
    drawn = linkage_quality.svg([(0.5, 1.0, 0.8), (0.95, 0.99, 0.7), (0.999, None, 0.0)])
    points = [tuple(map(float, pair.split(","))) for line in re.findall('points="([^"]*)"', drawn)
              for pair in line.split()]  # fmt: skip
    assert len(points) == 5
    assert all(0 <= x <= linkage_quality.WIDTH and 0 <= y <= linkage_quality.HEIGHT for x, y in points)


def test_no_row_and_no_person_is_named(linked: Path, tmp_path: Path) -> None:
    row = b"\xab" * 16
    table = pq.read_table(linked / "fallback_links.parquet")
    place = table.schema.get_field_index("row_id")
    ids = pa.array([row] * table.num_rows, pa.binary(16))
    pq.write_table(table.set_column(place, table.schema.field(place), ids), linked / "fallback_links.parquet")
    for path in publish.publish_operator(linked, tmp_path / "out", run=RUN):
        assert row.hex() not in path.read_text(encoding="utf-8")
    assert {c.name for c in FALLBACK_CURVE.columns} & {"row_id", "person_id"} == set()
    assert "row_id" in FALLBACK_LINKS.names
