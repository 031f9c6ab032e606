"""Canary persons: nobody's numbers, planted in every delivery, so that a leak between domains can be seen.

The agreed list is canaries.csv: per register two numbers, and one for all registers. In a real run they are numbers
of RvIG's test range 9999xxxxx that pass the 11-proef; in a synthetic run numbers of the same range that leave
remainder 5. Both are refused in an extract (bsn.DENIED). Rows of canaries stand outside the row accounting: the
signed manifest counts them and names their random row ids, so the linker leaves them out without seeing a number.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyrage

from pseudonymize.secret import Secret
from schemas.errors import DeliveryError

if TYPE_CHECKING:
    from pseudonymize.columns import Canonical
    from pseudonymize.identify import Rules
    from pseudonymize.manifest import Manifest
    from schemas.register import Register

LIST = Path(__file__).with_name("canaries.csv")
EVERY = "alle"
FILE = "canaries.age"  # beside link.parquet in the store; sealed for the converter


@dataclass(frozen=True, repr=False)
class Canary:
    """One planted person: its number in a real run, in a synthetic run, and its SKN."""

    register: str
    bsn: str
    bsn_syn: str
    skn: str


@cache
def listed() -> tuple[Canary, ...]:
    """The agreed list, in order."""
    with LIST.open(encoding="ascii", newline="") as file:
        return tuple(Canary(**row) for row in csv.DictReader(file, delimiter=";"))


@cache
def list_tag() -> str:
    """Which list: 16 hex digits of its SHA-256."""
    return hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]


def of(register: str) -> tuple[Canary, ...]:
    """The canaries of one register: the common one first, then its own."""
    return tuple(one for one in listed() if one.register in {EVERY, register})


def numbers() -> frozenset[str]:
    """Every number of the list, real and synthetic."""
    return frozenset(number for one in listed() for number in (one.bsn, one.bsn_syn))


def rows(register: Register, rules: Rules) -> tuple[pa.Table, dict[str, Canonical]]:
    """Rows to plant: a table of empty attributes and the canaries' canonical identifiers, types agreed only."""
    from pseudonymize.columns import Canonical  # noqa: PLC0415 - columns needs bsn, and bsn needs this list

    mine = of(register.name)
    made = {
        "bsn": [(one.bsn_syn if rules.synthetic else one.bsn).encode("ascii") for one in mine],
        "skn": [one.skn.encode("ascii") for one in mine],
        "vip": [None] * len(mine),
    }
    kinds = {"bsn": pa.binary(9), "skn": pa.binary(), "vip": pa.binary()}
    found = {
        name: pa.array(values if rules.type_of(name) in rules.types else [None] * len(mine), kinds[name])
        for name, values in made.items()
    }
    found |= {name: pa.nulls(len(mine), pa.string()) for name in rules.columns if name not in found}
    none = pa.nulls(len(mine), pa.string())
    table = pa.table({column.name: pa.nulls(len(mine), column.kind.arrow) for column in register.columns})
    return table, {name: Canonical(values, none) for name, values in found.items()}


def declared(row_ids: pa.Array | pa.ChunkedArray) -> dict[str, Any]:
    """What the manifest says about the planted rows."""
    ids = [value.hex() for value in row_ids.to_pylist()]
    return {"rows": len(ids), "listed": list_tag(), "row_ids": ids}


def require(manifest: Manifest) -> None:
    """DeliveryError canaries_missing unless the agreed canaries of this register were planted."""
    told = manifest.canaries
    if told.listed != list_tag() or told.rows != len(of(manifest.register_name)):
        raise DeliveryError("canaries_missing", register=manifest.register_name, rows=told.rows)


class Watch:
    """Collects the pre and link pseudonyms of a delivery's canaries while it is converted."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._order = [bytes.fromhex(text) for text in manifest.canaries.row_ids]
        self._wanted = pa.array(self._order, pa.binary(16))
        self._found: dict[bytes, dict[str, dict[str, str]]] = {}

    def see(self, pre: pa.RecordBatch, link: pa.Table) -> None:
        """One batch before and after conversion, row for row."""
        hit = pc.is_in(pre["row_id"], value_set=self._wanted)
        if pc.any(hit).as_py():
            before, after = pre.filter(hit).to_pylist(), link.filter(hit).to_pylist()
            for old, new in zip(before, after, strict=True):
                self._found[old["row_id"]] = {"pre": _hex(old), "link": _hex(new)}

    def save(self, folder: Path, domains: dict[str, str], identity: Secret) -> None:
        """Write the expected pseudonyms beside the link file, sealed for the converter itself.

        DeliveryError canaries_missing when a declared canary did not come.
        """
        if set(self._found) != set(self._order):
            raise DeliveryError("canaries_missing", register=self._manifest.register_name, rows=len(self._found))
        content = {
            "register": self._manifest.register_name,
            "domains": domains,
            "canaries": [self._found[row_id] for row_id in self._order],
        }
        own = pyrage.x25519.Identity.from_str(identity.reveal().decode("ascii"))
        path = folder / FILE
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(pyrage.encrypt(json.dumps(content).encode("ascii"), [own.to_public()]))
        part.chmod(0o600)
        part.replace(path)


def _hex(row: dict[str, bytes | None]) -> dict[str, str]:
    return {name: value.hex() for name, value in row.items() if name != "row_id" and value is not None}


@dataclass(frozen=True)
class Expected:
    """Pseudonyms that the canaries of one delivery have: by stage (pre, link), with the label of its domain."""

    register: str
    domains: dict[str, str]
    canaries: list[dict[str, dict[str, str]]]


def expected(store: Path, identity: Secret) -> list[Expected]:
    """What the canaries of every accepted delivery look like. DeliveryError canaries_missing, canary_mismatch.

    Every delivery must have its file, and the common canary must look the same in all deliveries of one domain:
    else somebody used another key or wrote the number another way.
    """
    found = [_load(folder / FILE, identity) for folder in sorted(store.glob("*/[0-9][0-9][0-9][0-9]"))]
    _require_equal(found)
    return found


def _load(path: Path, identity: Secret) -> Expected:
    own = pyrage.x25519.Identity.from_str(identity.reveal().decode("ascii"))
    try:
        return Expected(**json.loads(pyrage.decrypt(path.read_bytes(), [own])))
    except (OSError, ValueError, TypeError, pyrage.DecryptError):
        raise DeliveryError("canaries_missing", register=path.parent.parent.name) from None


def _require_equal(found: Iterable[Expected]) -> None:
    common: dict[tuple[str, str], str] = {}
    for one in found:
        for stage, label in one.domains.items():
            for name, value in one.canaries[0][stage].items():
                if common.setdefault((label, name), value) != value:
                    raise DeliveryError("canary_mismatch", register=one.register, stage=stage)
