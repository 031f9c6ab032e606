"""The delivery agreement as the program enforces it: one YAML per source and purpose. registers.md section 9."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.column import Column, Role
from schemas.common import FALLBACK, FALLBACK_TYPE
from schemas.errors import ConfigError
from schemas.register import Register
from schemas.registers import REGISTERS

Action = Literal["keep", "drop", "pseudonymise"]
IdentifierType = Literal["NL:BSN", "NL:BSN-SYN", "NL:SKN", "NL:VIP", "NL:FB"]
_FALLBACK = frozenset(column.name for column in FALLBACK)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Party(_Strict):
    """A controller or processor."""

    name: str
    role: str = ""


class Span(_Strict):
    """Days from..until, both included."""

    from_: dt.date = Field(alias="from")
    until: dt.date

    def holds(self, day: dt.date) -> bool:
        """True when the day lies in the span."""
        return self.from_ <= day <= self.until


class Dpia(_Strict):
    """Reference and expiry of the data protection impact assessment."""

    ref: str
    valid_until: dt.date


class Agreement(_Strict):
    """What one source may deliver for one purpose, column by column. Frozen; unknown keys are refused."""

    agreement: str = Field(pattern=r"^[A-Z0-9-]{3,64}$")
    source: str
    supplier: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    project: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    epoch: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    synthetic: bool
    gateway: bool = False
    controller: Party
    processor: Party
    purpose: str
    basis: dict[str, str]
    dpia: Dpia
    valid: Span
    period: Span
    identifier_types: tuple[IdentifierType, ...]
    columns: dict[str, Action]
    retention: dict[str, int]
    sha256: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        register = REGISTERS.get(self.source)
        if register is None:
            raise ValueError("unknown register")
        for column in register.columns:
            if column.name in self.columns or column.name not in _FALLBACK:
                _allowed(column, self.columns.get(column.name))
        if unknown := set(self.columns) - set(register.by_name):
            raise ValueError(f"{len(unknown)} columns are not in the register")
        if self.synthetic == ("NL:BSN" in self.identifier_types):
            raise ValueError("a synthetic agreement names NL:BSN-SYN, a real one NL:BSN")
        if self.fallback != all(self.columns.get(name) == "pseudonymise" for name in _FALLBACK):
            raise ValueError("NL:FB and the four columns for fallback keys go together")
        return self

    def action(self, column: str) -> Action:
        """What happens to a column at the source."""
        return self.columns[column]

    def require_valid(self, today: dt.date) -> None:
        """ConfigError agreement_expired when agreement or DPIA does not hold today."""
        if not self.valid.holds(today) or today > self.dpia.valid_until:
            raise ConfigError("agreement_expired", agreement=self.agreement)

    @property
    def fallback(self) -> bool:
        """True when the source makes fallback keys of names, birth dates and postcodes."""
        return FALLBACK_TYPE in self.identifier_types

    @property
    def declared(self) -> Register:
        """The register this agreement is about, without direct identifiers that it does not list: an extract that
        holds one all the same is refused (unlisted_column)."""
        found = REGISTERS[self.source]
        kept = tuple(c for c in found.columns if c.name in self.columns or c.name not in _FALLBACK)
        return found if len(kept) == len(found.columns) else replace(found, columns=kept)


def _allowed(column: Column, action: Action | None) -> None:
    if action is None:
        raise ValueError(f"column {column.name} is not listed")
    if column.role in {Role.IDENTIFIER, Role.RECORD_KEY} and action == "keep":
        raise ValueError(f"column {column.name} identifies: pseudonymise or drop")
    if column.role not in {Role.IDENTIFIER, Role.IDENTIFIER_KIND, Role.RECORD_KEY} and action == "pseudonymise":
        raise ValueError(f"column {column.name} does not identify: keep or drop")


def load(path: Path) -> Agreement:
    """Read one agreement. ConfigError unknown_agreement or bad_agreement (with the number of faults)."""
    if not path.is_file():
        raise ConfigError("unknown_agreement")
    text = path.read_bytes()
    try:
        content = yaml.safe_load(text)
        return Agreement(**{**content, "sha256": hashlib.sha256(text).hexdigest()})
    except ValidationError as error:
        raise ConfigError("bad_agreement", faults=error.error_count()) from None
    except (yaml.YAMLError, TypeError):
        raise ConfigError("bad_agreement", faults=1) from None


def folder(path: Path) -> dict[str, Agreement]:
    """Every agreement of a folder by register name; ConfigError when two are about one register."""
    found: dict[str, Agreement] = {}
    for file in sorted(path.glob("*.yaml")):
        agreement = load(file)
        if agreement.source in found:
            raise ConfigError("bad_agreement", register=agreement.source)
        found[agreement.source] = agreement
    return found
