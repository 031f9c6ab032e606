"""From the identifier columns of a batch to canonical identifiers per type, with a reason for each unusable one.

linkage.md section 7 (Persons): an unusable identifier is emptied with a reason and counted; its row stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import bsn, fallback
from pseudonymize.columns import Canonical, canonical_bsn, canonical_opaque
from schemas.agreement import Agreement
from schemas.common import FALLBACK_KEYS, FALLBACK_TYPE

COLUMNS = ("bsn", "skn", "vip")  # columns of an identity file, in order
SKN, VIP = "NL:SKN", "NL:VIP"


@dataclass(frozen=True)
class Rules:
    """Which identifier types may be used: from an agreement, or for a bare check every type of one mode."""

    synthetic: bool
    types: frozenset[str]
    dropped: frozenset[str] = frozenset()
    most: int | None = None  # persons one delivery may hold

    @classmethod
    def of(cls, agreement: Agreement) -> Self:
        """The rules an agreement sets."""
        dropped = {name for name, action in agreement.columns.items() if action == "drop"}
        return cls(
            agreement.synthetic, frozenset(agreement.identifier_types), frozenset(dropped), agreement.max_persons
        )

    @classmethod
    def bare(cls, synthetic: bool) -> Self:
        """Every type, without an agreement."""
        return cls(synthetic, frozenset({bsn.SYNTHETIC if synthetic else bsn.REAL, SKN, VIP, FALLBACK_TYPE}))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the identity file: the three kinds of number, and fallback keys where they are agreed."""
        return (*COLUMNS, *FALLBACK_KEYS) if FALLBACK_TYPE in self.types else COLUMNS

    def type_of(self, column: str) -> str:
        """The identifier type (part of the HMAC message) of an identity column."""
        numbers = {"bsn": bsn.SYNTHETIC if self.synthetic else bsn.REAL, "skn": SKN, "vip": VIP}
        return numbers.get(column) or fallback.TYPES[column]


def identifiers(rules: Rules, table: pa.Table) -> dict[str, Canonical]:
    """Canonical values and reasons per identity column (bsn, skn, vip), each as long as the table."""
    rows = table.num_rows
    empty = pa.nulls(rows, pa.string())
    text = {name: table[name] if _has(rules, table, name) else empty for name in ("bsn", "skn")}
    is_vip = pc.fill_null(pc.equal(table["skn_soort"], "VIP"), False) if "skn_soort" in table.column_names else None
    skn = text["skn"] if is_vip is None else pc.if_else(is_vip, None, text["skn"])
    vip = empty if is_vip is None else pc.if_else(is_vip, text["skn"], None)
    found = {
        "bsn": canonical_bsn(text["bsn"], synthetic=rules.synthetic),
        "skn": canonical_opaque(skn, "SKN"),
        "vip": canonical_opaque(vip, "VIP"),
    }
    return {
        name: value if rules.type_of(name) in rules.types else _refused(name, value) for name, value in found.items()
    }


def _has(rules: Rules, table: pa.Table, name: str) -> bool:
    return name in table.column_names and name not in rules.dropped


def _refused(name: str, found: Canonical) -> Canonical:
    """A type the agreement does not name: nothing is usable; what was delivered gets that as its reason."""
    if found.blank:
        return found
    empty = f"{name.upper()}_LEEG"
    reasons = pc.if_else(pc.equal(found.reasons, empty), empty, f"{name.upper()}_NIET_OVEREENGEKOMEN")
    reasons = pc.fill_null(reasons, f"{name.upper()}_NIET_OVEREENGEKOMEN")
    return Canonical(pa.nulls(len(found.values), found.values.type), reasons)


def emptied(column: str, found: Canonical) -> pa.Array:
    """Boolean per row: something was delivered and could not be used."""
    return pc.and_(pc.is_valid(found.reasons), pc.not_equal(found.reasons, f"{column.upper()}_LEEG")).fill_null(False)
