"""Primary suppression and rounding: the true counts go in, and a type that cannot hold them comes out.

This is the demo's protection, not the full one: without secondary suppression a hidden cell can sometimes be
recomputed from totals. So every release says "demo, niet voor publicatie" (docs/decisions/0007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import DisclosureRefused
from schemas.target_group import DOELGROEP, MATEN, TARGET_GROUP

THRESHOLD = 10
BASE = 5
HIDDEN = "\u00d7"
# With 0-9 hidden, a shown 10 can only be 10, 11 or 12 (disclosure.md section 1, rule 8): the legend says so, and
# all three are at or above the threshold. Zeros are hidden with the rest, so a hidden cell means 0-9.
LEGEND = "10 betekent 10, 11 of 12; andere getallen zijn afgerond op het dichtstbijzijnde vijftal"


@dataclass(frozen=True)
class Protected:
    """A table with the DOELGROEP schema: rounded or hidden counts, and no place for a true one."""

    table: pa.Table

    def __post_init__(self) -> None:
        if not self.table.schema.equals(DOELGROEP.arrow_schema()):
            raise DisclosureRefused("release_schema")
        shown = pc.drop_null(self.table["aantal"].combine_chunks()).to_numpy(zero_copy_only=False)
        if ((shown < THRESHOLD) | (shown % BASE != 0)).any():
            raise DisclosureRefused("small_count_shown")

    @property
    def hidden(self) -> int:
        """Number of hidden cells."""
        return int(self.table["aantal"].null_count)


def protect(target_group: pa.Table) -> Protected:
    """Hide counts of 0-9 alike, round the rest to 5. Input: TARGET_GROUP schema; DisclosureRefused otherwise."""
    if not target_group.schema.equals(TARGET_GROUP.arrow_schema()):
        raise DisclosureRefused("release_schema")
    true = target_group["aantal"].to_numpy()
    show = true >= THRESHOLD
    rounded = (true + BASE // 2) // BASE * BASE
    counts = pa.array(rounded, pa.int64(), mask=~show)
    text = [str(n) if s else HIDDEN for n, s in zip(rounded.tolist(), show.tolist(), strict=True)]
    labels = [MATEN[m] for m in target_group["maat"].to_pylist()]
    columns = {
        **{name: target_group[name] for name in ("niveau", "code", "naam", "halfjaar", "maat", "gmsd_geleverd")},
        "omschrijving": pa.array(labels, pa.string()),
        "aantal": counts,
        "weergave": pa.array(text, pa.string()),
    }
    table = pa.table([columns[name] for name in DOELGROEP.names], schema=DOELGROEP.arrow_schema())
    return Protected(table)


def protect_number(true: int) -> str:
    """One count for a text or a funnel: the symbol or the rounded number, with a Dutch thousands separator."""
    if true < THRESHOLD:
        return HIDDEN
    return f"{(true + BASE // 2) // BASE * BASE:,}".replace(",", ".")


def rows(protected: Protected, niveau: tuple[str, ...]) -> pa.Table:
    """The rows of some levels, in table order."""
    mask = np.isin(np.array(protected.table["niveau"].to_pylist()), niveau)
    return protected.table.filter(pa.array(mask))
