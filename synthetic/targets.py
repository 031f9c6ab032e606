"""The published figures as arrays, and a stated choice wherever nothing was published.

Choices made here (none of them printed): sector counts of 2019-2022 that satisfy every printed change and
mean share of section 2.1.1; JJI = municipality rows minus sectors; Ifzo 2020 and 2021 on a straight decline;
Wmo flows of 2019, 2020 and 2023 by the mean of the published years; 3RO 2019-2021 as 2022 times a factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from schemas import gemeente, reference
from synthetic import geo
from synthetic.days import YEARS
from synthetic.rand import Ints, apportion, scaled

# Notices per sector: (GW, ForZo, JJI). Derived from printed changes and shares (module docstring).
BEGIN = {
    2019: (18_600, 190, 1_750),
    2020: (14_002, 188, 1_750),
    2021: (13_700, 215, 1_760),
    2022: (13_392, 178, 1_767),
    2023: (15_458, 161, 1_767),
}
END = {
    2019: (23_300, 120, 1_550),
    2020: (16_618, 115, 1_540),
    2021: (19_775, 99, 1_540),
    2022: (19_946, 225, 1_536),
    2023: (19_509, 158, 1_569),
}
GW_INFLOW = {2019: 31_456, 2020: 21_735, 2021: 24_775, 2022: 26_690, 2023: 27_600}  # 2023: chosen
GW_OUTFLOW = {2019: 30_402, 2020: 21_664, 2021: 24_521, 2022: 26_781, 2023: 27_300}
TBS = {
    "EERSTE_OPNAME": (145, 159, 148, 199, 190),
    "TRANSMURAAL_START": (135, 166, 166, 183, 175),
    "PROEFVERLOF_START": (45, 49, 61, 39, 48),
    "VOORW_BEEINDIGING": (75, 55, 56, 77, 70),
    "BEEINDIGING": (92, 88, 95, 90, 91),
    "OVERLIJDEN": (12, 14, 11, 13, 12),
    "UITZETTING": (9, 7, 8, 10, 9),
}
# Ifzo: rows AMBULANT, KLINISCH, VERBLIJF, FPT, ONBEKEND; columns YEARS.
CARE = ("AMBULANT", "KLINISCH", "VERBLIJF", "FPT", "ONBEKEND")
PLACEMENTS = np.array(
    [
        [12_830, 11_760, 11_330, 10_890, 10_328],
        [4_080, 3_780, 3_660, 3_550, 3_407],
        [2_640, 2_470, 2_470, 2_430, 2_580],
        [87, 85, 82, 80, 76],
        [115, 105, 108, 105, 101],
    ],
    np.int64,
)
PERSONS = np.array(
    [
        [9_921, 9_150, 8_790, 8_424, 8_118],
        [3_270, 3_070, 2_985, 2_905, 2_870],
        [2_400, 2_235, 2_185, 2_190, 2_273],
        [79, 75, 71, 70, 69],
        [103, 100, 99, 98, 93],
    ],
    np.int64,
)


@dataclass(frozen=True)
class Notices:
    """Begin and end notices, years x municipalities, all sectors together."""

    begin: Ints
    end: Ints


@cache
def _printed_notices() -> dict[tuple[int, str], Ints]:
    found = {(y, n): np.zeros(len(geo.places()), np.int64) for y in (2022, 2023) for n in ("begin", "end")}
    for row in reference.injus_notices():
        key = (int(row["year"]), row["notice"].split("_")[0])
        place = geo.at()[str(gemeente.resolve(row["municipality"]))]
        found[key][place] = int(row["count"] or 0)
    return found


def _notices(year: int, kind: str, total: int) -> Ints:
    printed = _printed_notices()
    if (year, kind) in printed:
        return printed[(year, kind)]
    mean = (printed[(2022, kind)] + geo.to_year(printed[(2023, kind)], 2022)) / 2
    return apportion(total, geo.to_year(mean, year))


def notices(scale: float) -> Notices:
    """Notices per year and municipality; 2022 and 2023 as published."""
    begin = [scaled(_notices(y, "begin", sum(BEGIN[y])), scale) for y in YEARS]
    end = [scaled(_notices(y, "end", sum(END[y])), scale) for y in YEARS]
    return Notices(np.array(begin), np.array(end))
