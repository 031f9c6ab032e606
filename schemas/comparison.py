"""A printed figure beside a count of ours, and how far the two may differ: said once, for who recounts a run and for
who checks the synthetic country.

Tolerances: 2 % of a count (at least 5), 5 % of a mean, 1.2 percentage points, one year of age. Per municipality
printed counts are rounded to 5. In a country smaller than the real one, counts have noise: four times the square root.
"""

from __future__ import annotations

from dataclasses import dataclass

RELATIVE = {"count": 0.02, "total": 0.02, "min": 0.06, "max": 0.02, "difference": 0.05}
MEAN = 0.05
PERCENTAGE_POINTS, OF_A_PERCENTAGE = 1.2, 0.01
YEARS_OF_AGE, YEARS_IN_A_SMALL_COUNTRY = 1.0, 12.0
FEWEST = 5.0
NOISE = 4
NATIONAL, INJUS, WMO = "landelijk", "gemeenten injus", "gemeenten wmo"


@dataclass(frozen=True)
class Line:
    """One printed figure, the count of it, how far they may differ, why it is not judged (else empty), and what a
    reader should know of it (else empty)."""

    table: str
    source: str
    indicator: str
    breakdown: str
    year: str
    kind: str
    published: float
    counted: float | None
    tolerance: float
    note: str
    remark: str = ""

    @property
    def judged(self) -> bool:
        """False when the figure cannot be given, or the report contradicts itself."""
        return not self.note

    @property
    def within(self) -> bool:
        """True when not judged, or within the tolerance."""
        return not self.judged or (self.counted is not None and abs(self.counted - self.published) <= self.tolerance)


def sized(printed: float, unit: str, scale: float) -> float:
    """A printed figure in a country of that size: counts shrink, percentages and ages do not."""
    return printed if unit in ("percent", "years", "municipalities") else printed * scale


def tolerance(kind: str, unit: str, published: float, scale: float, *, mean: float = MEAN) -> float:
    """What counts as equal for a national figure in a country of `scale` (1 is the whole)."""
    small = scale < 1
    if unit == "percent":
        return max(PERCENTAGE_POINTS, abs(published) * OF_A_PERCENTAGE) + (60 * (1 - scale) if small else 0)
    if unit == "years":
        return YEARS_IN_A_SMALL_COUNTRY if small else YEARS_OF_AGE
    noise = NOISE * max(abs(published), 1.0) ** 0.5 if small else FEWEST
    return max(abs(published) * (mean if kind == "mean" else RELATIVE.get(kind, 0.02)), noise)


def of_a_place(published: float, scale: float, *, fewest: float, relative: float) -> float:
    """What counts as equal for one municipality: a number of people, or a share of the printed count."""
    return 3 + NOISE * published**0.5 if scale < 1 else max(fewest, relative * published)
