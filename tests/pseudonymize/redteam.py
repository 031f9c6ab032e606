"""What an attacker does with what it holds: exhaustive search over a reduced identifier space, and joins.

An attacker is a folder: the files that party has, and nothing else. `Attacker(folder)` reads every key it may open,
unseals what its keys open, gathers every pseudonym it can see, and then tries every number of the space under every
key it holds in every role. The real space is 9,091 times this one: 0.9e8 numbers, minutes for who holds the keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq

from pseudonymize import bsn, keys, oprf, parties, prf, seal
from pseudonymize import ristretto as group
from pseudonymize.columns import fixed_bytes
from pseudonymize.keys import Key, Kind
from pseudonymize.secret import Secret
from schemas.errors import KoppelError

SPACE = 10_000
ONE = (1).to_bytes(32, "little")  # the blind of who needs none
SUITE = oprf.Suite(oprf.VOPRF)


def space() -> list[bytes]:
    """Ten thousand numbers: every one of them is tried."""
    every = (f"{n:09d}" for n in itertools.count(700_000_000))
    made = (n.encode() for n in every if bsn.remainder(n) == bsn.SYNTHETIC_REMAINDER)
    return list(itertools.islice(made, SPACE))


class Attacker:
    """One party, or several together, with exactly the files below `folder`."""

    def __init__(self, folder: Path, size: int = SPACE) -> None:
        self._space = space()[:size]
        self.keys = list(_keys(folder))
        self.tables = {path.stem: pq.read_table(path) for path in sorted(folder.rglob("*.parquet"))}
        for sealed in sorted(folder.rglob("*.age")):
            if sealed.name in {"identity.age", "payload.age", "blinded.age", "evaluated.age"}:
                for identity in _identities(folder):
                    self._unseal(sealed, identity)

    def _unseal(self, path: Path, identity: Secret) -> None:
        with contextlib.suppress(KoppelError), seal.opened(path, identity) as reader:
            self.tables[path.stem] = pa.Table.from_batches(list(reader))

    def seen(self) -> set[bytes]:
        """Every 32-byte value in any table it can read."""
        return {value for table in self.tables.values() for value in _values(table, 32)}

    def numbers(self) -> set[bytes]:
        """Numbers of the space it can attribute to a pseudonym it sees: the attack itself.

        Tried: plain hashes, then each key it holds as the key of the first stage, and on what comes out each key of
        the second and third stage, under the labels that everybody knows.
        """
        wanted, found = self.seen(), set()
        for number, made in zip(self._space, self._guesses(), strict=True):
            if not wanted.isdisjoint(made):
                found.add(number)
        return found

    def _guesses(self) -> Iterator[list[bytes]]:
        stages = [prf.pre(key.secret, "koppelpunt-demo", "run-1", bsn.SYNTHETIC) for key in self.keys]
        for number in self._space:
            made = [hashlib.sha256(number).digest(), hashlib.sha256(b"koppelpunt-demo" + number).digest()]
            firsts = [stage.one(number) for stage in stages]
            shared = [one for one, key in zip(firsts, self.keys, strict=True) if key.kind == "pre"]
            for first in [*firsts, *self._evaluated(number, shared)]:
                made += [first, *self._onwards(first)]
            yield made

    def _evaluated(self, number: bytes, shared: list[bytes]) -> Iterator[bytes]:
        """With the evaluator's key: blind mode's pre-pseudonym, the hybrid's, and the points behind both."""
        for key in self.keys:
            if key.kind == "oprf":
                for label, value in [(b"ttp/blind/v1", number), *((b"ttp/hybrid/v1", one) for one in shared)]:
                    names = label, b"koppelpunt-demo", b"run-1", bsn.SYNTHETIC.encode("ascii")
                    told = prf.encode(*names, value)
                    element = SUITE.hash_to_group(told)
                    point = group.times(key.secret.reveal(), element)
                    yield from (element, point, SUITE.finalize(told, ONE, point)[:32])

    def _onwards(self, first: bytes) -> Iterator[bytes]:
        for link in self._links:
            second = link.one(first)
            yield second
            for recipient in self._recipients:
                yield recipient.one(second)

    @property
    def _links(self) -> list[prf.Prf]:
        mine = [key for key in self.keys if key.kind == "link"]
        return [prf.link(key.secret, key.project, key.epoch) for key in mine]

    @property
    def _recipients(self) -> list[prf.Prf]:
        mine = [key for key in self.keys if key.kind == "recipient"]
        return [prf.recipient(key.secret, key.project, key.owner, key.epoch) for key in mine]

    def joined(self, one: str, other: str) -> int:
        """Persons it can follow from one file to another, by equal values or by converting with a key it holds."""
        left, right = (_values(self.tables[name], 32) for name in (one, other))
        for stage in (*self._links, *self._recipients):
            left |= {stage.one(value) for value in left}
            right |= {stage.one(value) for value in right}
        return len(left & right)


def _values(table: pa.Table, width: int) -> set[bytes]:
    found: set[bytes] = set()
    for column in table.itercolumns():
        array = column.combine_chunks()
        for chunk in array.chunks if isinstance(array, pa.ChunkedArray) else [array]:
            plain = chunk.storage if isinstance(chunk.type, pa.BaseExtensionType) else chunk
            if plain.type == pa.binary(width):
                raw = fixed_bytes(plain.drop_null())
                found |= {raw[i : i + width] for i in range(0, len(raw), width)}
    return found


def _keys(folder: Path) -> Iterator[Key]:
    """Every key file it may open, whatever its kind."""
    for path in sorted(folder.rglob("*.key")):
        for kind in set(get_args(Kind)) - {"age"}:  # what opens sealed files is read by _identities
            with contextlib.suppress(KoppelError):
                yield keys.load(path, kind)


def _identities(folder: Path) -> Iterator[Secret]:
    for path in sorted(folder.rglob("age.key")):
        yield parties.age_identity(path.parent)
