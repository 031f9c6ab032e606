"""The hexagon map of the municipalities of 2023-2026 as inline SVG: one tile each, so small places stay visible."""

from __future__ import annotations

import csv
import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas import gemeente

TILES = Path(gemeente.__file__).parent / "codes" / "municipality_tiles.csv"
ROW = 0.866  # height of a row of hexagons with unit distance: sqrt(3) / 2
CLASSES = ((10, "10 tot 20"), (20, "20 tot 35"), (35, "35 tot 60"), (60, "60 tot 100"), (100, "100 of meer"))
COLOURS = ("#d7e6f4", "#a9cbe6", "#6ea6d3", "#347bb5", "#12487a")


@dataclass(frozen=True)
class Tile:
    """A municipality on the map: what it shows, and its name and value in words."""

    code: str
    name: str
    count: int | None
    delivered: bool
    text: str


@cache
def places() -> dict[str, tuple[float, float]]:
    """Code -> centre of its tile, in units of one tile width."""
    with TILES.open(encoding="utf-8", newline="") as file:
        return {row["code"]: (int(row["x"]) / 2, int(row["y"]) * ROW) for row in csv.DictReader(file)}


def class_of(count: int) -> int:
    """Index of the class a shown count falls in."""
    return max(index for index, (low, _) in enumerate(CLASSES) if count >= low)


def svg(tiles: list[Tile], scale: int = 22) -> str:
    """The map; every tile has a title, hidden ones are hatched, undelivered ones have a dot."""
    xs, ys = zip(*places().values(), strict=True)
    left, top = min(xs) - 1, min(ys) - 1
    width, height = (max(xs) - left + 1) * scale, (max(ys) - top + 1) * scale
    shapes = [_shape(tile, *_at(tile.code, left, top, scale), scale) for tile in tiles if tile.code in places()]
    head = f'<svg class="kaart" viewBox="0 0 {width:.0f} {height:.0f}" role="group" aria-labelledby="kaart-titel">'
    title = '<title id="kaart-titel">Zeshoekkaart van de gemeenten; de tabel hieronder bevat dezelfde getallen</title>'
    return head + title + PATTERNS + "".join(shapes) + "</svg>"


def _at(code: str, left: float, top: float, scale: int) -> tuple[float, float]:
    x, y = places()[code]
    return (x - left) * scale, (y - top) * scale


def _shape(tile: Tile, x: float, y: float, scale: int) -> str:
    radius = scale * 0.56
    corners = ((0, -1), (0.866, -0.5), (0.866, 0.5), (0, 1), (-0.866, 0.5), (-0.866, -0.5))
    points = " ".join(f"{x + dx * radius:.1f},{y + dy * radius:.1f}" for dx, dy in corners)
    title = f"<title>{html.escape(f'{tile.name}: {tile.text}')}</title>"
    shape = f'<polygon points="{points}" fill="{fill(tile)}" class="t">{title}</polygon>'
    if not tile.delivered:
        shape += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="d">{title}</circle>'
    # A click opens the sheet; whoever uses a keyboard has the list, and need not pass 342 tiles.
    return f'<a href="#b-{tile.code}" tabindex="-1" aria-label="{html.escape(tile.name)}">{shape}</a>'


def fill(tile: Tile) -> str:
    """Colour of a class, or hatching for a hidden count."""
    return "url(#klein)" if tile.count is None else COLOURS[class_of(tile.count)]


PATTERNS = (
    '<defs><pattern id="klein" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="4" height="4" fill="#e6e8eb"/><rect width="1" height="4" fill="#a4a9b0"/></pattern></defs>'
)


def legend() -> list[tuple[str, str]]:
    """(inline SVG swatch, words) per class, for hidden counts and for municipalities that did not deliver."""
    boxes = [(COLOURS[index], words) for index, (_, words) in enumerate(CLASSES)]
    boxes.append(("url(#klein)", "verborgen: te klein of te herleiden"))
    made = [
        (_swatch(f'<rect width="20" height="20" fill="{colour}" stroke="#555"/>'), words) for colour, words in boxes
    ]
    dot = _swatch('<circle cx="10" cy="10" r="4" class="d"/>')
    return [*made, (dot, "gemeente leverde niet alle Wmo-gegevens")]


def _swatch(inside: str) -> str:
    return f'<svg width="20" height="20" aria-hidden="true">{inside}</svg>'
