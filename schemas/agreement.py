"""The delivery agreement as the program enforces it: one YAML per source and purpose. registers.md section 9.

An agreement that has expired, leaves a column out, or contradicts itself or another one is an error before any row
is read. Its SHA-256 stands in every manifest, so what was agreed is what the supplier signed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.column import Column, Kind, Role
from schemas.common import FALLBACK, FALLBACK_TYPE
from schemas.errors import ConfigError
from schemas.register import Register
from schemas.registers import REGISTERS

Action = Literal["keep", "drop", "pseudonymise", "band", "year"]
Class = Literal["direct", "indirect", "criminal", "health", "administrative"]
IdentifierType = Literal["NL:BSN", "NL:BSN-SYN", "NL:SKN", "NL:VIP", "NL:FB"]
Output = Literal["vng_table", "research_parquet", "operator_report", "truth_report"]
OUTPUTS: tuple[Output, ...] = ("vng_table", "research_parquet", "operator_report", "truth_report")
EARLIER = "earlier"  # subfolder with texts that older deliveries were made under
MAX_BYTES = 1 << 20
_IDENTIFYING = {Role.IDENTIFIER, Role.IDENTIFIER_KIND, Role.RECORD_KEY}
_FALLBACK = frozenset(column.name for column in FALLBACK)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Party(_Strict):
    """A controller or processor. `oin`: its number as an organisation."""

    name: str
    role: str = ""
    oin: str = ""


class Span(_Strict):
    """Days from..until, both included."""

    from_: dt.date = Field(alias="from")
    until: dt.date

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.from_ > self.until:
            raise ValueError("ends before it begins")
        return self

    def holds(self, day: dt.date) -> bool:
        """True when the day lies in the span."""
        return self.from_ <= day <= self.until


class Basis(_Strict):
    """Legal grounds: GDPR 6, 9 and 10, for the BSN, and others by name."""

    avg6: str = Field(min_length=1)
    avg9: str = ""
    avg10: str = ""
    bsn: str = Field(min_length=1)


class Dpia(_Strict):
    """Reference and expiry of the data protection impact assessment."""

    ref: str = Field(min_length=1)
    valid_until: dt.date


class Band(_Strict):
    """Values in bands of `width`, each written as its lowest; ages of `top` or more share one band.

    Band n holds n * width .. n * width + width - 1. `top` counts in years before the last year of the agreement's
    period and is for a year of birth alone.
    """

    width: int = Field(ge=2, le=100)
    top: int | None = Field(default=None, ge=50, le=120)


class Release(_Strict):
    """One kind of output: who may get it, under which domain, protected how, and how long it stays."""

    recipients: tuple[str, ...] = Field(min_length=1)
    domain: str | None = None
    geo: Literal["gemeente", "veiligheidsregio", "arrondissement", "provincie", "land"] | None = None
    min_cell: int | None = Field(default=None, ge=1)
    round: int | None = Field(default=None, ge=1)
    complementary: bool = False
    retention_days: int = Field(ge=1)


LEVELS = ("gemeente", "veiligheidsregio", "arrondissement", "provincie", "land")


def finer(made: str | None, agreed: str) -> bool:
    """Whether a level tells more than the agreed one; no level at all does."""
    return made is None or LEVELS.index(made) < LEVELS.index(agreed)


class Retention(_Strict):
    """Days each class of data is kept: raw extracts at the gateway, the supplier's list of rows to look at, sealed
    deliveries (they hold pre-pseudonyms), and linked microdata."""

    raw_days: int = Field(ge=1)
    quarantine_days: int = Field(ge=1)
    prepseudonym_days: int = Field(ge=1)
    linked_days: int = Field(ge=1)


class Agreement(_Strict):
    """What one source may deliver for one purpose, column by column. Frozen; unknown keys are refused.

    In the file a column is `name: action`, or `name: {action: band, width: 5, top: 85, class: indirect}`.
    """

    agreement: str = Field(pattern=r"^[A-Z0-9-]{3,64}$")
    source: str
    supplier: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    project: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    epoch: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    synthetic: bool
    gateway: bool = False
    controller: Party
    processor: Party
    purpose: str = Field(min_length=1)
    basis: Basis
    dpia: Dpia
    valid: Span
    period: Span
    identifier_types: tuple[IdentifierType, ...]
    max_persons: int = Field(ge=1)
    columns: dict[str, Action]
    bands: dict[str, Band] = {}
    classes: dict[str, Class] = {}
    outputs: dict[Output, Release]
    retention: Retention
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, content: Any) -> Any:
        """Columns written as a mapping: action, band and class apart. Nothing is dropped in silence."""
        if not isinstance(content, dict) or not isinstance(content.get("columns"), dict):
            return content
        if "bands" in content or "classes" in content:
            raise ValueError("bands and classes are written with their column")
        actions, bands, classes = {}, {}, {}
        for name, given in content["columns"].items():
            rule = dict(given) if isinstance(given, dict) else {"action": given}
            actions[name] = rule.pop("action", None)
            if "class" in rule:
                classes[name] = rule.pop("class")
            if rule or actions[name] == "band":
                bands[name] = rule
        return {**content, "columns": actions, "bands": bands, "classes": classes}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        register = REGISTERS.get(self.source)
        if register is None:
            raise ValueError("unknown register")
        for column in register.columns:
            if column.name in self.columns or column.name not in _FALLBACK:
                _allowed(column, self)
        if unknown := set(self.columns) - set(register.by_name):
            raise ValueError(f"{len(unknown)} columns are not in the register")
        if self.synthetic == ("NL:BSN" in self.identifier_types):
            raise ValueError("a synthetic agreement names NL:BSN-SYN, a real one NL:BSN")
        if self.fallback != all(self.columns.get(name) == "pseudonymise" for name in _FALLBACK):
            raise ValueError("NL:FB and the four columns for fallback keys go together")
        if "truth_report" in self.outputs and not self.synthetic:
            raise ValueError("only a synthetic source has a planted truth")
        if self.dpia.valid_until < self.valid.from_:
            raise ValueError("the DPIA had expired before the agreement began")
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

    def lowest(self, column: str) -> int | None:
        """The lowest value a banded column can have: the band that ages of `top` and more share; None without."""
        band = self.bands[column]
        return None if band.top is None else _floor(self.period.until.year - band.top, band.width)


def _floor(value: int, width: int) -> int:
    return value - value % width


def _allowed(column: Column, agreement: Agreement) -> None:
    """ValueError when what the agreement says about a column cannot be."""
    name, action = column.name, agreement.columns.get(column.name)
    if action is None:
        raise ValueError(f"column {name} is not listed")
    if column.role in {Role.IDENTIFIER, Role.RECORD_KEY} and action not in {"pseudonymise", "drop"}:
        raise ValueError(f"column {name} identifies: pseudonymise or drop")
    if column.role not in _IDENTIFYING and action == "pseudonymise":
        raise ValueError(f"column {name} does not identify: keep, coarsen or drop")
    if column.role is Role.IDENTIFIER_KIND and action in {"band", "year"}:
        raise ValueError(f"column {name} says which identifier it is")
    if action == "year" and column.kind is not Kind.DATE:
        raise ValueError(f"column {name} is no date")
    if action == "band" and column.kind is not Kind.INTEGER:
        raise ValueError(f"column {name} is no number")
    _consistent_rule(column, agreement)


def _consistent_rule(column: Column, agreement: Agreement) -> None:
    band, told = agreement.bands.get(column.name), agreement.classes.get(column.name)
    if (band is not None) != (agreement.columns[column.name] == "band"):
        raise ValueError(f"column {column.name}: width and top belong to a band")
    if band is not None and band.top is not None and column.name != "geboortejaar":
        raise ValueError(f"column {column.name}: top is for a year of birth")
    if told is not None and (told == "direct") != (column.role in _IDENTIFYING):
        raise ValueError(f"column {column.name}: its class contradicts the register")


def load(path: Path) -> Agreement:
    """Read one agreement. ConfigError unknown_agreement or bad_agreement (with the number of faults)."""
    if not path.is_file():
        raise ConfigError("unknown_agreement")
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    try:
        return _read(text).model_copy(deep=True)  # what one caller does to it is nobody else's
    except ValidationError as error:
        raise ConfigError("bad_agreement", faults=error.error_count()) from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):  # ValueError: a date such as 2023-13-45
        raise ConfigError("bad_agreement", faults=1) from None


@lru_cache(maxsize=64)
def _read(text: bytes) -> Agreement:
    """The agreement that a text is, by its bytes alone: a run asks some hundred times what it may do."""
    content = yaml.safe_load(text if len(text) <= MAX_BYTES else b"")
    return Agreement(**{**content, "sha256": hashlib.sha256(text).hexdigest()})


def folder(path: Path) -> dict[str, Agreement]:
    """Every agreement in force of a folder by register name.

    ConfigError bad_agreement when one is wrong or two are about one register; contradicting_agreements when they
    are not of one project, epoch and kind, or put one column in different bands.
    """
    found: dict[str, Agreement] = {}
    for file in sorted(path.glob("*.yaml")):
        agreement = load(file)
        if agreement.source in found:
            raise ConfigError("bad_agreement", register=agreement.source)
        found[agreement.source] = agreement
    _require_one_project(list(found.values()))
    return found


def _require_one_project(all_of: list[Agreement]) -> None:
    for other in all_of[1:]:
        first = all_of[0]
        for name in ("project", "epoch", "synthetic"):
            if getattr(first, name) != getattr(other, name):
                raise ConfigError("contradicting_agreements", field=name, register=other.source)
    bands: dict[str, Band | None] = {}
    for agreement in all_of:
        for column in agreement.declared.columns:
            if column.kind is Kind.INTEGER and agreement.columns[column.name] != "drop":
                band = agreement.bands.get(column.name)
                if bands.setdefault(column.name, band) != band:
                    raise ConfigError("contradicting_agreements", field=column.name, register=agreement.source)


def by_text(path: Path) -> dict[str, Agreement]:
    """Every agreement a folder knows by SHA-256 of its text, those of earlier deliveries too (`earlier/*.yaml`)."""
    files = [*path.glob("*.yaml"), *(path / EARLIER).glob("*.yaml")]
    return {found.sha256: found for found in map(load, sorted(files))}
