"""What a recipient of linked tables gets: every column with what happens to it, and how anonymous it must be.

One YAML per recipient, beside the delivery agreements: `agreements/outputs/<recipient>.yaml`. As there, a column that
is not listed is an error and not a silent drop. A table that is not listed is not delivered.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.agreement import Release, finer
from schemas.errors import ConfigError
from schemas.linked import LINKED_TABLES
from schemas.register import OutColumn

Action = Literal[
    "keep", "drop", "week", "month", "quarter", "half_year", "year", "band_5", "band_10",
    "veiligheidsregio", "arrondissement", "provincie",
]  # fmt: skip
Consequence = Literal["report", "refuse"]

# What an action does, in the codebook's words.
BEWERKING: dict[str, str] = {
    "keep": "zoals gekoppeld",
    "drop": "niet geleverd",
    "week": "afgerond naar beneden op een week",
    "month": "eerste dag van de maand",
    "quarter": "eerste dag van het kwartaal",
    "half_year": "eerste dag van het halfjaar",
    "year": "eerste dag van het jaar",
    "band_5": "eerste jaar van een klasse van 5 jaar, met onder- en bovengrens",
    "band_10": "eerste jaar van een klasse van 10 jaar, met onder- en bovengrens",
    "veiligheidsregio": "veiligheidsregio van de gemeente",
    "arrondissement": "arrondissement van de gemeente",
    "provincie": "provincie van de gemeente",
}
DATE_ACTIONS = frozenset({"keep", "drop", "week", "month", "quarter", "half_year", "year"})
YEAR_ACTIONS = frozenset({"keep", "drop", "band_5", "band_10"})
PLACE_ACTIONS = frozenset({"keep", "drop", "veiligheidsregio", "arrondissement", "provincie"})
DAYS_ACTIONS = frozenset({"keep", "drop", "week"})
PLAIN_ACTIONS = frozenset({"keep", "drop"})

# The day that decides in which folder `jaar=` a row lies; persons have no year.
YEAR_OF: dict[str, tuple[str, ...]] = {
    "detention_spells": ("detention_begin", "detention_end"),
    "tbs_events": ("datum",),
    "placement_requests": ("first_request",),
    "care_spells": ("care_begin",),
    "title_chains": ("chain_begin",),
    "wmo_arrangements": ("wmo_start",),
    "title_end_events": ("title_end",),
}


def is_place(column: OutColumn) -> bool:
    """True for a municipality code of a linked table."""
    return column.name == "gemeente" or (column.name.startswith("gemeente_") and column.name != "gemeente_basis")


def allowed(column: OutColumn) -> frozenset[str]:
    """The actions that make sense for a linked column."""
    if column.type == pa.date32():
        return DATE_ACTIONS
    if column.name == "geboortejaar":
        return YEAR_ACTIONS
    if is_place(column):
        return PLACE_ACTIONS
    return DAYS_ACTIONS if column.name.endswith("_days") else PLAIN_ACTIONS


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class BirthYears(_Strict):
    """Birth years outside [oldest, youngest] are drawn to the class of that year."""

    oldest: int = 1940
    youngest: int = 2005


class QuasiSet(_Strict):
    """Columns that somebody may know of a person, and what they would learn. Person columns may be named anywhere."""

    table: str
    known: tuple[str, ...] = Field(min_length=1)
    sensitive: tuple[str, ...] = ()


class Anonymity(_Strict):
    """Fewer than `k` persons alike in a set is reported, or refuses the release."""

    k: int = Field(ge=2)
    below: Consequence
    sets: dict[str, QuasiSet]


class ResearchOutput(_Strict):
    """The agreement about one recipient's linked tables. Frozen; unknown keys and unlisted columns are refused."""

    output: str = Field(pattern=r"^[A-Z0-9-]{3,64}$")
    recipient: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    purpose: str
    birth_years: BirthYears = BirthYears()
    columns: dict[str, dict[str, Action]]
    anonymity: Anonymity
    sha256: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "persons" not in self.columns:
            raise ValueError("persons is not listed")
        for table, actions in self.columns.items():
            _require_listed(table, actions)
        for one in self.anonymity.sets.values():
            self._require_delivered(one)
        return self

    def _require_delivered(self, one: QuasiSet) -> None:
        for column in (*one.known, *one.sensitive):
            if column not in self.kept(one.table) and column not in self.kept("persons"):
                raise ValueError("a set names a column that is not delivered")

    def contradicts(self, agreed: Release | None) -> str | None:
        """The field of a register's `research_parquet` that this output goes against; None when they are one story.

        Asked before any row is read: nobody should convert and link data that may then not leave.
        """
        if agreed is None:
            return "outputs"
        faults = {
            "recipients": self.recipient not in agreed.recipients,
            "domain": agreed.domain is not None and agreed.domain != self.recipient,
            "geo": agreed.geo is not None and any(finer(level, agreed.geo) for level in self.places()),
            "min_cell": agreed.min_cell is not None
            and (self.anonymity.k < agreed.min_cell or self.anonymity.below != "refuse"),
        }
        return next((name for name, wrong in faults.items() if wrong), None)

    def places(self) -> set[str]:
        """Levels at which municipalities leave."""
        return {
            (column.name if column.name == "arrondissement" else "gemeente") if action == "keep" else action
            for name in self.tables
            for column in LINKED_TABLES[name].columns
            if is_place(column) or column.name == "arrondissement"
            if (action := self.columns[name][column.name]) != "drop"
        }

    def kept(self, table: str) -> tuple[str, ...]:
        """Columns of a table that leave, in declared order, the pseudonym not among them."""
        actions = self.columns.get(table, {})
        return tuple(name for name, action in actions.items() if action != "drop")

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that leave, in declared order."""
        return tuple(name for name in LINKED_TABLES if name in self.columns)


def _require_listed(table: str, actions: dict[str, Action]) -> None:
    if table not in LINKED_TABLES:
        raise ValueError("a table is not a linked table")
    declared = [c for c in LINKED_TABLES[table].columns if c.name != "person_id"]
    if [c.name for c in declared] != list(actions):
        raise ValueError(f"table {table}: list every column, in the order of the codebook")
    for column in declared:
        if actions[column.name] not in allowed(column):
            raise ValueError(f"{table}.{column.name}: this action does not fit the column")
    if any(actions[name] == "drop" for name in YEAR_OF.get(table, ())):
        raise ValueError(f"table {table}: its year is part of the path, so its day cannot be dropped")


def load(path: Path) -> ResearchOutput:
    """Read one output agreement. ConfigError unknown_output or bad_output (with the number of faults)."""
    if not path.is_file():
        raise ConfigError("unknown_output")
    text = path.read_bytes()
    try:
        return _read(text).model_copy(deep=True)
    except ValidationError as error:
        raise ConfigError("bad_output", faults=error.error_count()) from None
    except (yaml.YAMLError, TypeError):
        raise ConfigError("bad_output", faults=1) from None


@lru_cache(maxsize=64)
def _read(text: bytes) -> ResearchOutput:
    content = yaml.safe_load(text)
    return ResearchOutput(**{**content, "sha256": hashlib.sha256(text).hexdigest()})
