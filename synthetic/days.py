"""Days as whole numbers since 1970-01-01, and the years and half-years of the country."""

from __future__ import annotations

from typing import Any

import numpy as np

from synthetic.rand import Ints

YEARS = (2019, 2020, 2021, 2022, 2023)
FIRST, LAST = 2019, 2023
NEVER = 2_932_896  # 9999-12-31: no end


def day(year: int, month: int = 1, dom: int = 1) -> int:
    """The number of one day."""
    return int(np.datetime64(f"{year:04d}-{month:02d}-{dom:02d}", "D").astype(np.int64))


JAN1: Ints = np.array([day(y) for y in range(1900, 2041)], np.int64)
COVER_BEGIN, COVER_END = day(FIRST), day(LAST + 1)  # half-open
HALVES: Ints = np.array([day(y, m) for y in YEARS for m in (1, 7)] + [COVER_END], np.int64)
HALF_NAMES = tuple(f"{y}H{h}" for y in YEARS for h in (1, 2))


def year_of(days: Any) -> Ints:
    """Calendar year, for days in 1900-2040; later ones give 2040."""
    return np.searchsorted(JAN1, np.asarray(days, np.int64), side="right").astype(np.int64) + 1899


def half_of(days: Any) -> Ints:
    """Position in HALF_NAMES; -1 before 2019 and len(HALF_NAMES) after 2023."""
    return np.searchsorted(HALVES, np.asarray(days, np.int64), side="right").astype(np.int64) - 1


def first_day(years: Any) -> Ints:
    """1 January of each year."""
    return JAN1[np.asarray(years, np.int64) - 1900]


def last_day(years: Any) -> Ints:
    """31 December of each year."""
    return JAN1[np.asarray(years, np.int64) - 1899] - 1
