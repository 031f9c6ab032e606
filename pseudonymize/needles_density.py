"""Is this column one of personal numbers? One in eleven random numbers passes the 11-proef; a BSN column passes whole.

Source: pseudonymisation.md section 5. The same for synthetic numbers, which leave remainder 5. Judged on distinct
values by the exact tail of the binomial distribution, so a short column is judged as strictly as a long one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import bsn

CHANCE = 1 / 11
ALARM = 1e-9  # chance of a false alarm per column; nine numbers that all pass are enough to stop a release
MAX_HELD = 2_000_000  # distinct numbers per column; more change no verdict
_NUMBER = r"(?:^|[^0-9])(?P<number>[0-9]{8,9})(?:\.0+)?(?:[^0-9]|$)"
_FREE = re.compile(rb"(?<![0-9])[0-9]{8,9}(?![0-9])")
_WEIGHTS = np.array(bsn.WEIGHTS, np.int64)
_POWERS = 10 ** np.arange(8, -1, -1, dtype=np.int64)


@dataclass(frozen=True)
class Density:
    """Distinct numbers of eight or nine digits in a column, and how many have a personal number's remainder."""

    numbers: int
    passing: int

    @property
    def alarming(self) -> bool:
        """True when chance gives this many or more with a probability below ALARM."""
        return tail(self.numbers, self.passing) < ALARM


def tail(n: int, k: int) -> float:
    """P(X >= k) for X binomial(n, 1/11), exact up to rounding; 1.0 when k is no more than expected."""
    if k <= n * CHANCE:
        return 1.0
    logs = [
        _log_choose(n, i) + i * math.log(CHANCE) + (n - i) * math.log1p(-CHANCE) for i in range(k, min(n, k + 500) + 1)
    ]
    return math.fsum(math.exp(value) for value in logs)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


class Column:
    """Collects the numbers of one column."""

    def __init__(self) -> None:
        self._held: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def add(self, values: pa.Array) -> None:
        """Take values in: text (also with dots, blanks or .0), integers and floats; other types hold no numbers."""
        kind = values.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            found = values.drop_null().to_numpy(zero_copy_only=False)
            found = found[(found >= 10_000_000) & (found < 1_000_000_000)]
            self._keep(found[found == np.floor(found)].astype(np.int64))
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            distinct = pc.unique(values)  # numbers are counted once each, and most columns of text repeat a few values
            bare = pc.replace_substring_regex(distinct, "[ .-]", "")
            for text in (distinct, bare):
                self._keep(_numbers(text))

    def _keep(self, found: npt.NDArray[np.int64]) -> None:
        if len(found) and len(self._held) < MAX_HELD:
            self._held = np.union1d(self._held, found)

    def add_text(self, text: bytes) -> None:
        """Take in every free-standing number of eight or nine digits of a text."""
        self._keep(np.array(sorted({int(found) for found in _FREE.findall(text)}), np.int64))

    @property
    def density(self) -> Density:
        """The worst of the two kinds of personal number."""
        rest = (self._held[:, None] // _POWERS % 10) @ _WEIGHTS % 11
        passing = max(int((rest == 0).sum()), int((rest == bsn.SYNTHETIC_REMAINDER).sum()))
        return Density(len(self._held), passing)


def _numbers(text: pa.Array) -> npt.NDArray[np.int64]:
    found = pc.struct_field(pc.extract_regex(text.drop_null(), _NUMBER), "number").drop_null()
    return np.asarray(pc.cast(pc.unique(found), pa.int64()), np.int64)
