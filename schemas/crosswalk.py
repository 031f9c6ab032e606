"""The SKN-BSN crosswalk that Justid's Matching Autoriteit delivers. registers.md section 0.1 and 1."""

from __future__ import annotations

from schemas.checks import AnyOf
from schemas.common import BSN, SKN, SKN_SOORT
from schemas.register import Register

CROSSWALK = Register(
    name="crosswalk",
    title="Koppeltabel SKN-BSN van de Matching Autoriteit",
    holder="Justid",
    legal_basis="Wjsg; Wet identiteitsvaststelling",
    grain="een rij per paar van nummers van een persoon",
    source="registers.md 0.1 (voorgesteld extract)",
    columns=(SKN, SKN_SOORT, BSN),
    rules=(AnyOf(("skn", "bsn"), "GEEN_NUMMER"),),
)
