"""An accepted delivery as it lies in the store, and what its manifest says about it in numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import ddl
from schemas.column import Kind
from schemas.common import FALLBACK_KEYS
from schemas.errors import DeliveryError
from schemas.pseudonym import PseudonymType
from schemas.registers import REGISTERS

# The ladder of a GMSD delivery, least final first.
# Dates the statements count days with: a year alone would do, and give wrong spells in silence.
BY_DAY = frozenset(
    (
        *("ingangsdatum", "datum_start", "datum_einde", "titel_begin", "titel_eind", "datum_indicatie", "zorg_begin"),
        *("zorg_eind", "datum_gebeurtenis", "datum", "datum_verzoek"),
    )
)
STATUS = ("voorlopig", "nader_voorlopig", "definitief")


@dataclass(frozen=True)
class Delivery:
    """One folder of the store: payload.parquet (not for the crosswalk), link.parquet and manifest.json."""

    register: str
    sequence: int
    folder: Path

    @property
    def payload(self) -> Path:
        """The payload file."""
        return self.folder / "payload.parquet"

    @property
    def link(self) -> Path:
        """The file with link pseudonyms."""
        return self.folder / "link.parquet"

    @property
    def has_payload(self) -> bool:
        """False for the crosswalk: it has numbers and nothing else."""
        return any(REGISTERS[self.register].payload_columns)

    @cached_property
    def has_fallback(self) -> bool:
        """True when the source made fallback keys: its agreement says so, and the link file has their columns."""
        return FALLBACK_KEYS[0] in pq.read_schema(self.link).names

    @property
    def person_columns(self) -> tuple[str, ...]:
        """Columns of the link file with a pseudonym of a person."""
        return (*ddl.PERSON_COLUMNS, *FALLBACK_KEYS) if self.has_fallback else ddl.PERSON_COLUMNS

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The verified manifest. DeliveryError bad_manifest when it cannot be read."""
        try:
            found = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise DeliveryError("bad_manifest", register=self.register) from None
        if not isinstance(found, dict):
            raise DeliveryError("bad_manifest", register=self.register)
        return found

    def rows(self, kind: str) -> int:
        """A number of the row accounting: in, accepted, quarantined or out_of_scope."""
        return int(self.manifest["rows"][kind])

    def canaries(self) -> list[bytes]:
        """Random ids of the rows that are planted and belong to nobody: read, and left out of every view."""
        return [bytes.fromhex(text) for text in self.manifest.get("canaries", {}).get("row_ids", [])]

    def coverage(self) -> list[tuple[str, str, int]]:
        """(half-year, municipality, rank of the status) for every listed municipality; empty for other registers."""
        listed: dict[str, Any] = self.manifest.get("coverage") or {}
        return [
            (period, code, STATUS.index(entry["status"]))
            for period, entry in listed.items()
            for code in sorted(set(entry["gemeenten"]))
        ]

    def require_shape(self) -> None:
        """DeliveryError unreadable_file unless pseudonyms are 32-byte columns: never text, never numbers.

        ConfigError wrong_domain when a label in the file is none of ours; DeliveryError too_coarse when a date
        that the linkage counts days with was delivered as a year.
        """
        try:
            found = pq.read_schema(self.link)
            payload = pq.read_schema(self.payload) if self.has_payload else pa.schema([])
        except (OSError, ValueError):
            raise DeliveryError("unreadable_file", register=self.register) from None
        for field in ddl.identity_schema(fallback=self.has_fallback):
            if field.name not in found.names or _bytes(found.field(field.name).type) != _bytes(field.type):
                raise DeliveryError("unreadable_file", register=self.register, column=field.name)
        if coarse := sorted(years(self.register, payload) & BY_DAY):
            raise DeliveryError("too_coarse", register=self.register, column=coarse[0])


def years(register: str, payload: pa.Schema) -> set[str]:
    """Date columns that an agreement let through as a year only."""
    dates = {c.name for c in REGISTERS[register].columns if c.kind is Kind.DATE}
    return {field.name for field in payload if field.name in dates and pa.types.is_integer(field.type)}


def _bytes(kind: pa.DataType) -> pa.DataType:
    """The stored type: which domain it is of is checked apart (linkage/domains.py)."""
    return kind.storage_type if isinstance(kind, PseudonymType) else kind


def payload_columns(delivery: Delivery) -> set[str]:
    """Names of the columns a payload file holds."""
    return set(pq.read_schema(delivery.payload).names)
