"""Which deliveries were accepted: the memory that makes a replay or a gap visible. One JSON file, written whole."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from schemas.errors import DeliveryError

_SHA256 = re.compile(r"[0-9a-f]{64}")
Accepted = dict[str, dict[str, dict[str, str]]]  # manifests by register, supplier and number
Counted = dict[str, dict[str, dict[str, int]]]  # how much each of them asked for, where that is remembered


class Ledger:
    """Accepted manifests (SHA-256) by register, supplier and sequence number. Numbers start at 1, without gaps."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._accepted, self._counted = _read(path)

    def knows(self, register: str, supplier: str, sequence: int, manifest: str) -> bool:
        """True when exactly this manifest was accepted under this number: a resumed run, nothing to do."""
        return self._of(register, supplier).get(str(sequence)) == manifest

    def holds(self, manifest: str) -> bool:
        """True when a delivery with this very manifest was accepted, whoever's and under whatever number."""
        return any(manifest in numbers.values() for one in self._accepted.values() for numbers in one.values())

    def next_sequence(self, register: str, supplier: str) -> int:
        """The only number that can be accepted now."""
        return max(map(int, self._of(register, supplier)), default=0) + 1

    def require_next(self, register: str, supplier: str, sequence: int, manifest: str, waiting: int = 0) -> None:
        """DeliveryError replay (number or content seen before) or sequence_gap (names the missing number).

        `waiting` verified deliveries stand before this one in the queue.
        """
        due = self.next_sequence(register, supplier)
        if sequence < due or manifest in self._of(register, supplier).values():
            raise DeliveryError("replay", register=register, sequence=sequence)
        if sequence > due + waiting:
            raise DeliveryError("sequence_gap", register=register, sequence=sequence, missing=due + waiting)

    def counted(self, register: str, supplier: str, unknown: int) -> int:
        """The sum of what was counted with every accepted number; `unknown` for one that was recorded without."""
        counts = self._counted.get(register, {}).get(supplier, {})
        return sum(counts.get(number, unknown) for number in self._of(register, supplier))

    def record(self, register: str, supplier: str, sequence: int, manifest: str, count: int | None = None) -> None:
        """Accept a delivery, durably. Recording the same one again changes nothing; else as require_next.

        `count` is remembered for `counted`.
        """
        if self.knows(register, supplier, sequence, manifest):
            return
        self.require_next(register, supplier, sequence, manifest)
        self._accepted.setdefault(register, {}).setdefault(supplier, {})[str(sequence)] = manifest
        if count is not None:
            self._counted.setdefault(register, {}).setdefault(supplier, {})[str(sequence)] = count
        self._write()

    def _of(self, register: str, supplier: str) -> dict[str, str]:
        return self._accepted.get(register, {}).get(supplier, {})

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f".{self._path.name}.part")
        with part.open("w", encoding="ascii") as file:
            counted = {"counted": self._counted} if self._counted else {}
            json.dump({"accepted": self._accepted, **counted}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)


def _read(path: Path) -> tuple[Accepted, Counted]:
    """The ledger's contents; a damaged one is an error, never an empty ledger (that would accept replays)."""
    if not path.exists():
        return {}, {}
    try:
        whole = json.loads(path.read_bytes())
        found, counted = whole["accepted"], whole.get("counted", {})
        sound = all(_numbered(number) and _SHA256.fullmatch(text) for number, text in _entries(found))
        sound = sound and all(_numbered(number) and type(n) is int and n >= 0 for number, n in _entries(counted))
    except (ValueError, KeyError, AttributeError, TypeError):
        sound = False
    if not sound:
        raise DeliveryError("damaged_ledger")
    return found, counted


def _entries(found: dict[str, dict[str, dict[str, Any]]]) -> list[tuple[str, Any]]:
    return [item for register in found.values() for supplier in register.values() for item in supplier.items()]


def _numbered(text: str) -> bool:
    return text.isascii() and text.isdigit()
