"""Numbers that can never be a real person's: BSN-SYN (remainder 5 modulo 11), SKN and VIP.

A running person number goes through a bijection (a cube modulo a prime), so numbers are unique without a
memory of those given out, look random, and are the same for the same seed. At most one leading zero.
"""

from __future__ import annotations

import numpy as np

from synthetic.rand import Bools, Ints

WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
REMAINDER = 5
_LOW, _HIGH = 1_000_000, 99_990_000  # first eight digits; below RvIG's test range 9999xxxxx
_PRIME = 98_989_973  # largest prime = 2 modulo 3 below _HIGH - _LOW: cubing is a bijection
_SKN_PRIME = 89_999_999
_DENIED = (123_456_782, *(int(str(d) * 8 + "0") for d in range(1, 10)))
CANARIES = (999_990_019, 999_994_669, 999_993_653)  # kept free: the leak tests plant these themselves


def _cube(index: Ints, prime: int, seed: int) -> Ints:
    """A bijection of [0, prime), different per seed."""
    times, plus = 1 + seed * 7_919 % (prime - 1), seed * 104_729 % prime
    square = index % prime * (index % prime) % prime
    return (square * (index % prime) % prime * times + plus) % prime


def remainder(number: Ints) -> Ints:
    """Weighted sum of nine digits modulo 11; 0 would pass the real 11-proef."""
    digits = number[:, None] // 10 ** np.arange(8, -1, -1, dtype=np.int64) % 10
    return digits @ np.array(WEIGHTS, np.int64) % 11


def bsn_syn(index: Ints, seed: int) -> Ints:
    """BSN-SYN for running numbers; 0 for the one in eleven whose check digit would be 10 (skip those)."""
    head = (_LOW + _cube(index, _PRIME, seed)) * 10
    check = (remainder(head) - REMAINDER) % 11
    number = head + check
    return np.where((check > 9) | np.isin(number, _DENIED), 0, number)


def skn(index: Ints, seed: int) -> Ints:
    """Eight digits, opaque."""
    return 10_000_000 + _cube(index, _SKN_PRIME, seed + 1)


class Register:
    """Gives out numbers; `first` keeps the blocks of a large country apart."""

    def __init__(self, seed: int, block: int) -> None:
        self.seed, self._next = seed, block * 985_000
        self._skn = block * 400_000

    def bsn(self, wanted: Bools) -> Ints:
        """A new BSN-SYN where wanted, 0 elsewhere. ValueError when the ninety million are used up."""
        n = int(wanted.sum())
        found = np.zeros(0, np.int64)
        while len(found) < n:
            take = (n - len(found)) * 11 // 10 + 16
            if self._next + take >= _PRIME:
                raise ValueError("no synthetic numbers left: use a smaller scale")
            made = bsn_syn(np.arange(self._next, self._next + take, dtype=np.int64), self.seed)
            self._next += take
            found = np.concatenate((found, made[made > 0]))
        out = np.zeros(len(wanted), np.int64)
        out[wanted] = found[:n]
        return out

    def skn(self, wanted: Bools) -> Ints:
        """A new SKN where wanted, 0 elsewhere."""
        n = int(wanted.sum())
        out = np.zeros(len(wanted), np.int64)
        out[wanted] = skn(np.arange(self._skn, self._skn + n, dtype=np.int64), self.seed)
        self._skn += n
        return out


def spoiled(number: Ints) -> Ints:
    """The same synthetic numbers with a wrong last digit: remainder 6 or 3, so neither real nor synthetic."""
    return number + np.where(number % 10 >= 1, -1, 2)


def test_range(n: int) -> Ints:
    """RvIG test numbers 9999xxxxx that pass the 11-proef, without the canaries; they come round after 2,272.

    One in four, evenly: of a country sixteen times as large all of them together would fill the range so far that the
    supplier tool takes the extract for a probe of the number space.
    """
    every = np.arange(999_900_000, 1_000_000_000, dtype=np.int64)
    good = every[(remainder(every) == 0) & ~np.isin(every, CANARIES) & (every != 999_999_990)]
    return np.resize(good[::4], n)
