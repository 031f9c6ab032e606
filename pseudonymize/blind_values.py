"""The distinct identifiers of an extract, in an order and with blinds that only the holder of a seed can repeat.

A source reads its extract twice: to ask and to deliver. Between the two it keeps a seed of 32 random bytes and no
identifier: order and blinds are HMACs under that seed. Whoever has no seed sees blinds as random.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import prf
from pseudonymize import ristretto as group
from pseudonymize.blind_files import BATCH
from pseudonymize.columns import Canonical, fixed_bytes
from pseudonymize.identify import COLUMNS, Rules
from pseudonymize.keys import Key
from pseudonymize.prf import Prf, encode
from pseudonymize.secret import Secret

Bytes = npt.NDArray[np.uint8]
MERGE = 1_000_000  # values held unmerged at most


class Distinct:
    """Collects distinct canonical identifiers per column, in memory of their number."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pa.Array]] = {name: [] for name in COLUMNS}
        self._held = dict.fromkeys(COLUMNS, 0)

    def add(self, found: dict[str, Canonical]) -> None:
        """Identifiers of one batch."""
        for name in COLUMNS:
            part = found[name].values.drop_null().unique().cast(pa.binary())
            self._parts[name].append(part)
            self._held[name] += len(part)
            if self._held[name] > MERGE:
                self._parts[name], self._held[name] = [self._merged(name)], 0

    def _merged(self, name: str) -> pa.Array:
        return pa.concat_arrays(self._parts[name] or [pa.array([], pa.binary())]).unique()

    def groups(self) -> Iterator[tuple[str, int, Bytes]]:
        """Column, width, and a matrix of one identifier per row, sorted: the same for the same identifiers."""
        for name in COLUMNS:
            values = self._merged(name)
            width = np.asarray(pc.binary_length(values))
            for one in np.unique(width):
                some = values.filter(pa.array(width == one)).cast(pa.binary(int(one)))
                rows = np.sort(np.frombuffer(fixed_bytes(some), f"S{one}"))
                yield name, int(one), np.frombuffer(rows.tobytes(), np.uint8).reshape(-1, int(one))


@dataclass(frozen=True)
class Slice:
    """Identifiers of one batch of the proof: of one type and width. `inputs` and `blinds` are made on demand."""

    column: str
    width: int
    rows: Bytes
    inputs: list[bytes]
    blinds: list[bytes]


class Seeded:
    """Order, blinds and OPRF inputs of identifiers, from a seed. No repr of the seed, no pickle."""

    __slots__ = ("_order", "_prefix", "_seed", "_stages", "_wide")

    def __init__(self, seed: Secret, rules: Rules, project: str, epoch: str, pre: Key | None) -> None:
        self._seed = seed
        self._order = Prf(seed, encode(b"ttp/blind-order/v1"))
        self._wide = [Prf(seed, encode(b"ttp/blind-scalar/v1", half)) for half in (b"0", b"1")]
        kind = b"ttp/blind/v1" if pre is None else b"ttp/hybrid/v1"
        names = kind, prf.label(project), prf.label(epoch)
        self._prefix = {name: encode(*names, rules.type_of(name).encode("ascii")) for name in COLUMNS}
        self._stages: dict[str, Prf] = {}
        if pre is not None:
            self._stages = {c: prf.pre(pre.secret, project, epoch, rules.type_of(c)) for c in COLUMNS}

    def tag(self, groups: Iterable[tuple[str, int, Bytes]]) -> str:
        """Keyed hash of all identifiers: equal for equal extracts, and useless without the seed."""
        total = Prf(self._seed, encode(b"ttp/blind-values/v1"))
        parts = [
            total.raw(encode(name.encode(), width.to_bytes(2, "big"), rows.tobytes())) for name, width, rows in groups
        ]
        return total.one(b"".join(parts)).hex()

    def slices(self, groups: Iterable[tuple[str, int, Bytes]]) -> Iterator[Slice]:
        """All identifiers in batches of at most BATCH, in the seed's order."""
        for name, width, rows in groups:
            ranks = np.frombuffer(self._order.fixed(rows.tobytes(), width), np.uint64).reshape(-1, 4)
            order = np.lexsort((ranks[:, 1], ranks[:, 0]))
            for start in range(0, len(rows), BATCH):
                yield self._slice(name, width, rows[order[start : start + BATCH]])

    def _slice(self, name: str, width: int, rows: Bytes) -> Slice:
        raw = rows.tobytes()
        halves = [np.frombuffer(one.fixed(raw, width), np.uint8).reshape(-1, 32) for one in self._wide]
        wide = np.hstack(halves).tobytes()
        blinds = [group.reduce(wide[start : start + 64]) for start in range(0, len(wide), 64)]
        inner, size = (raw, width) if not self._stages else (self._stages[name].fixed(raw, width), prf.PSEUDONYM)
        head = self._prefix[name] + size.to_bytes(4, "big")
        inputs = [head + inner[start : start + size] for start in range(0, len(inner), size)]
        return Slice(name, width, rows, inputs, blinds)


def new_seed() -> Secret:
    """32 random bytes, for one request."""
    return Secret(secrets.token_bytes(32))
