"""Where in a piece of data a four-byte word stands that some pattern has: one compiled pass over every offset.

The same question as `needles_match.places`, which is the reference and is asked the first piece too. It knows hashes of
words, no pattern; what is found is compared in full by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

_JIT: Callable[[Any], Any] = numba.njit(nogil=True, cache=True)


@_JIT
def hits(
    data: npt.NDArray[np.uint8], bits: npt.NDArray[np.uint8], spread: int, shift: int, out: npt.NDArray[np.int64]
) -> int:  # pragma: no cover - compiled: coverage cannot see it, the comparison with the reference does
    """Offsets of words whose hash is in the bit table, into `out`; how many. -1 when `out` is too small."""
    word = np.uint32(0)
    for i in range(3):
        word = (word >> np.uint32(8)) | (np.uint32(data[i]) << np.uint32(24))
    count = 0
    for i in range(3, len(data)):
        word = (word >> np.uint32(8)) | (np.uint32(data[i]) << np.uint32(24))
        slot = np.uint32(word * np.uint32(spread)) >> np.uint32(shift)
        if bits[slot >> np.uint32(3)] >> (slot & np.uint32(7)) & 1:
            if count == len(out):
                return -1
            out[count] = i - 3
            count += 1
    return count
