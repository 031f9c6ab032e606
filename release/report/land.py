"""The land-area map: borders of the municipalities from a GeoJSON file that the settings name. None is shipped.

GeoJSON as PDOK publishes it, joined on `statcode` (GM and four digits), in degrees or in metres (RD). Points are put on
a grid of whole units and what falls together is dropped: neighbours share their borders, so both move alike.
"""

from __future__ import annotations

import html
import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.report.map import Tile, fill
from schemas.errors import ConfigError
from schemas.gemeente import gemeenten

HEIGHT = 600  # units of the grid from north to south
LATITUDE = math.radians(52.2)  # a degree east is this much shorter in the middle of the country
DEGREES = 180.0
Point = tuple[float, float]
Step = tuple[int, int]


@dataclass(frozen=True)
class Land:
    """Rings per municipality code, on the grid; the first of a code is its largest."""

    width: int
    rings: dict[str, list[list[Step]]]


def read(path: Path) -> Land:
    """Borders of every municipality of the code list. ConfigError bad_boundaries when one is missing or unknown."""
    try:
        given = {
            str(feature["properties"]["statcode"]).removeprefix("GM"): _rings(feature["geometry"])
            for feature in json.loads(path.read_text(encoding="utf-8"))["features"]
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        raise ConfigError("bad_boundaries") from None
    # Another year has other codes: a map of it would show numbers in the wrong places.
    if set(given) != {place.code for place in gemeenten()} or not all(given.values()):
        raise ConfigError("bad_boundaries", faults=len(set(given) ^ {place.code for place in gemeenten()}))
    return _on_grid(given)


def _rings(geometry: dict[str, Any]) -> list[list[Point]]:
    """Every ring of a Polygon or MultiPolygon: holes are drawn by the even-odd rule."""
    parts = {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}[geometry["type"]]
    return [[_point(point) for point in ring] for part in parts for ring in part if ring]


def _point(given: list[float]) -> Point:
    x, y = float(given[0]), float(given[1])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("not a place")
    return x, y


def _on_grid(given: dict[str, list[list[Point]]]) -> Land:
    points = [point for rings in given.values() for ring in rings for point in ring]
    xs, ys = zip(*points, strict=True)
    squeeze = math.cos(LATITUDE) if max(map(abs, xs + ys)) <= DEGREES else 1.0
    left, top = min(xs), max(ys)
    scale = HEIGHT / ((top - min(ys)) or 1.0)

    def step(point: Point) -> Step:
        return round((point[0] - left) * squeeze * scale), round((top - point[1]) * scale)

    rings = {code: _kept([_simple([step(p) for p in ring]) for ring in found]) for code, found in given.items()}
    return Land(math.ceil((max(xs) - left) * squeeze * scale), rings)


def _simple(ring: list[Step]) -> list[Step]:
    """Without points that fall together or lie on a line between their neighbours."""
    kept: list[Step] = []
    for point in ring:
        if kept and point == kept[-1]:
            continue
        while len(kept) > 1 and _turn(kept[-2], kept[-1], point) == 0:
            kept.pop()
        kept.append(point)
    return kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept


def _turn(a: Step, b: Step, c: Step) -> int:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _area(ring: list[Step]) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], *ring[:1]], strict=True))) / 2


def _kept(rings: list[list[Step]]) -> list[list[Step]]:
    """Rings with an area, largest first; a municipality too small for the grid stays, as a square of one unit."""
    kept = sorted((ring for ring in rings if _area(ring) > 0), key=_area, reverse=True)
    x, y = rings[0][0]
    return kept or [[(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]]


def svg(tiles: list[Tile], land: Land) -> str:
    """The map, with the colours, dots and hatching of the hexagon map, whose pattern on the same page it uses."""
    box = f"-2 -2 {land.width + 4} {HEIGHT + 4}"
    head = f'<svg class="kaart" viewBox="{box}" role="group" aria-labelledby="land-titel">'
    title = '<title id="land-titel">Kaart van de gemeenten op ware oppervlakte, met dezelfde getallen</title>'
    return head + title + "".join(_shape(tile, land.rings[tile.code]) for tile in tiles) + "</svg>"


def _shape(tile: Tile, rings: list[list[Step]]) -> str:
    title = f"<title>{html.escape(f'{tile.name}: {tile.text}')}</title>"
    path = "".join(_path(ring) for ring in rings)
    shape = f'<path d="{path}" fill="{fill(tile)}" class="g">{title}</path>'
    if not tile.delivered:
        xs, ys = zip(*rings[0], strict=True)
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        shape += f'<circle cx="{x:.0f}" cy="{y:.0f}" r="2.5" class="d">{title}</circle>'
    return f'<a href="#b-{tile.code}" tabindex="-1" aria-label="{html.escape(tile.name)}">{shape}</a>'


def _path(ring: list[Step]) -> str:
    """Relative steps: shorter than places."""
    moves = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(ring)]
    return f"M{ring[0][0]} {ring[0][1]}l" + " ".join(f"{x} {y}" for x, y in moves).replace(" -", "-") + "z"
