"""The map by land area: borders from a file that the settings name. The borders here are made up: a chessboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from release.protect import spec
from release.report import land
from release.report import map as hexmap
from release.report.page import write_page
from schemas.errors import ConfigError
from schemas.gemeente import gemeenten
from schemas.target_group import RUN_TABLES
from tests.release.fixtures import table_of
from tests.release.test_sheets import face_of

CODES = [place.code for place in gemeenten()]
Ring = list[list[float]]


def square(number: int, size: float = 1.0) -> Ring:
    """The number-th field of a board of 19 columns, with a point too many on its southern side."""
    x, y = number % 19 * size, number // 19 * size
    return [[x, y], [x + size / 2, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]


def board(size: float = 1000.0) -> dict[str, list[Ring]]:
    return {code: [square(number, size)] for number, code in enumerate(CODES)}


def write(path: Path, rings: dict[str, list[Ring]]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"statcode": f"GM{code}"},
            "geometry": {"type": "Polygon", "coordinates": found},
        }
        for code, found in rings.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def tiles(delivered: bool = True) -> list[hexmap.Tile]:
    """Every third municipality is hidden."""
    return [
        hexmap.Tile(place.code, place.naam, None if number % 3 == 0 else 15, delivered, "zoveel")
        for number, place in enumerate(gemeenten())
    ]


def test_every_municipality_is_drawn_with_the_colour_of_its_tile_and_opens_its_sheet(tmp_path: Path) -> None:
    text = land.svg(tiles(), land.read(write(tmp_path / "b.geojson", board())))
    shapes = re.findall(r'<a href="#b-(\d{4})"[^>]*><path d="[^"]*" fill="([^"]*)"', text)
    assert shapes == [(tile.code, hexmap.fill(tile)) for tile in tiles()]
    assert text.count("url(#klein)") == 114 and "<circle" not in text
    assert land.svg(tiles(delivered=False), land.read(tmp_path / "b.geojson")).count("<circle") == 342


def test_points_on_a_line_go_and_neighbours_keep_one_border(tmp_path: Path) -> None:
    """Fields side by side share two corners on the grid exactly, whatever was rounded."""
    found = land.read(write(tmp_path / "b.geojson", board(997.0)))
    assert {len(rings[0]) for rings in found.rings.values()} == {4}
    for west, east in ((0, 1), (19, 20), (172, 173)):
        assert len(set(found.rings[CODES[west]][0]) & set(found.rings[CODES[east]][0])) == 2
    assert max(y for rings in found.rings.values() for _, y in rings[0]) == land.HEIGHT


def test_degrees_are_squeezed_and_metres_are_not(tmp_path: Path) -> None:
    metres = land.read(write(tmp_path / "m.geojson", board()))
    degrees = land.read(write(tmp_path / "d.geojson", board(0.1)))
    assert degrees.width == pytest.approx(0.613 * metres.width, abs=2)


def test_an_island_too_small_for_the_grid_stays_and_a_hole_stays_a_hole(tmp_path: Path) -> None:
    rings = board()
    rings[CODES[0]] = [[[0, 0], [1, 0], [1, 1], [0, 0]]]
    rings[CODES[1]] = [square(1, 1000), [[1300, 300], [1300, 700], [1700, 700], [1700, 300], [1300, 300]]]
    found = land.read(write(tmp_path / "b.geojson", rings)).rings
    assert len(found[CODES[0]]) == 1 and len(found[CODES[0]][0]) == 4
    assert len(found[CODES[1]]) == 2


def test_both_maps_of_a_page_say_the_same_and_without_borders_there_is_one(tmp_path: Path) -> None:
    face = face_of(spec.load().tables)
    funnel = table_of(RUN_TABLES["funnel"], [("injus", 0, "received", 1000)])
    borders = land.read(write(tmp_path / "b.geojson", board()))
    text = write_page(face.printed, funnel, tmp_path, face.provenance, land=borders).read_text(encoding="utf-8")
    hexagons, areas = (
        dict(re.findall(rf"<{shape} [^>]*><title>([^<:]*): ([^<]*)</title>", text)) for shape in ("polygon", "path")
    )
    assert hexagons == areas and len(areas) == 342
    assert len(re.findall(r'id="klein"', text)) == 1
    text = write_page(face.printed, funnel, tmp_path, face.provenance).read_text(encoding="utf-8")
    assert "<path" not in text and "ware oppervlakte" not in text


FAULTS: dict[str, Any] = {
    "another year": lambda rings: rings.update({"0003": rings.pop("0363")}),
    "a municipality too few": lambda rings: rings.pop("0363"),
    "no area at all": lambda rings: rings.update({"0363": []}),
    "no number": lambda rings: rings["0363"][0].append(["x", 1]),
    "not finite": lambda rings: rings["0363"][0].append([float("nan"), 1]),
    "half a point": lambda rings: rings["0363"][0].append([1]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, fault: str) -> None:
    rings = board()
    FAULTS[fault](rings)
    with pytest.raises(ConfigError, match="bad_boundaries"):
        land.read(write(tmp_path / "b.geojson", rings))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"features": [1]}', '{"features": [{"properties": {}}]}'])
def test_what_is_no_geojson_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.geojson"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_boundaries"):
        land.read(path)
    with pytest.raises(ConfigError, match="bad_boundaries"):
        land.read(tmp_path / "none.geojson")
