"""The whole synthetic country against every published figure, within stated tolerances."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.comparison import Line
from synthetic import country, report

pytestmark = pytest.mark.national


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("national")
    country.make(folder, scale=1.0, seed=2024)
    return folder


@pytest.fixture(scope="module")
def lines(land: Path) -> list[Line]:
    return report.compare(land)


def test_every_national_figure_is_within_its_tolerance(lines: list[Line]) -> None:
    mine = [line for line in lines if line.table == "landelijk"]
    assert len(mine) == 213
    assert [line for line in mine if not line.within] == []
    assert sum(bool(line.note) for line in mine) <= 9


def test_every_notice_per_municipality_is_exact(lines: list[Line]) -> None:
    """Printed 1,372 times with status exact or realigned; 27 for municipalities that have merged since."""
    mine = [line for line in lines if line.table == "gemeenten injus" and not line.note]
    assert len(mine) > 1_300
    assert all(line.counted == line.published for line in mine)


def test_every_wmo_flow_per_municipality_is_within_rounding(lines: list[Line]) -> None:
    """Printed counts are rounded to 5; two more for the choice inside."""
    mine = [line for line in lines if line.table == "gemeenten wmo" and not line.note]
    assert len(mine) > 1_300
    off = [line for line in mine if line.counted is None or abs(line.counted - line.published) > 10]
    assert off == []


def test_a_line_outside_its_tolerance_would_be_seen(lines: list[Line]) -> None:
    line = next(line for line in lines if line.indicator == "placement_requests" and line.kind == "count")
    wrong = Line(**{**line.__dict__, "counted": line.published * 1.1})
    assert line.within
    assert not wrong.within


def test_the_command_prints_both_sides(land: Path) -> None:
    koppel = Path(sys.executable).parent / "koppel"
    done = subprocess.run([koppel, "synthetic", "report", str(land)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "15,337.0" in done.stdout
    assert "0 outside" in done.stdout
    found = json.loads(
        subprocess.run(
            [koppel, "synthetic", "report", str(land), "--json"], capture_output=True, text=True, check=False
        ).stdout
    )
    assert all(line["within"] for line in found)
