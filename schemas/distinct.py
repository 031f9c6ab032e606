"""Work once per distinct value: columns of a register repeat few values, and judging text is what takes time."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

Work = Callable[[pa.ChunkedArray], tuple[pa.ChunkedArray, ...]]


def flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One contiguous array."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    chunks = values.chunks or [pa.array([], values.type)]
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)


def per_distinct(values: pa.ChunkedArray, work: Work) -> tuple[pa.ChunkedArray, ...]:
    """What `work` gives for the column, from its distinct values; null for null.

    `work` must judge every value on its own; it gets each distinct value once, none of them null.
    """
    encoded = flat(values).dictionary_encode()
    made = work(pa.chunked_array([encoded.dictionary]))
    return tuple(pa.chunked_array([flat(part).take(encoded.indices)]) for part in made)
