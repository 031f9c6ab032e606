"""The release specification: what may leave, to whom, under which parameters. One signed YAML file.

Rule 0 of docs/disclosure.md: a table, measure or grouping that is not in it does not leave.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import ConfigError
from schemas.target_group import MATEN, NIVEAUS

DEFAULT = Path(__file__).parent / "doelgroep.yaml"
INSIDE = "operator"  # its folder of a release holds true counts (release/gate.py)
Edition = Literal["exact", "rounded"]
Format = Literal["csv", "csvw", "parquet", "xlsx", "sdmx", "html"]
Crossing = Literal["niveau", "halfjaar", "maat"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Rules(_Strict):
    """Parameters of one audience; the numbers of docs/disclosure.md section 3.

    deliver    whether files are made; the exact table that a rounded edition is made from may stay inside
    tables     names of the tables it gets; none named: all
    public     who gets it is everybody: no cell goes to the public both exact and rounded
    """

    edition: Edition
    source: str | None = None
    deliver: bool = True
    public: bool = False
    tables: list[str] = []
    formats: list[Format] = ["csv", "csvw", "parquet", "xlsx", "sdmx", "html"]
    estimates: bool = False
    threshold: int = Field(default=10, ge=2)
    margin: int = Field(default=3, ge=1)
    width: int = Field(default=5, ge=1)
    group_share: float = Field(default=0.9, gt=0.5, le=1)
    base: int = Field(default=5, ge=2)
    max_hidden_share: dict[str, float] = {}


class Partition(_Strict):
    """`total` is the sum of `parts`. A part that is no measure is implied: nobody prints it, anybody can compute it.

    sensitive: 90 percent of the total in one part says something about each person in it (group disclosure), and so
    does a zero. Parts named in `plain` are no attribute of persons: their zero may be shown.
    """

    total: str
    parts: list[str] = Field(min_length=2)
    sensitive: bool = True
    plain: list[str] = []


class Table(_Strict):
    """One table: which levels and measures it has rows of (no measures named: all), crossed by what."""

    levels: list[str] = Field(min_length=1)
    measures: list[str] = []
    crossing: list[Crossing] = ["niveau", "halfjaar", "maat"]


class Spec(_Strict):
    """Everything that decides what a release may show."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    version: int
    title: str
    halves: list[str] = []
    tables: dict[str, Table] = Field(min_length=1)
    population: str
    geography: int
    groupings: list[str]
    special: list[str]
    measures: dict[str, float]
    partitions: list[Partition]
    levels: dict[str, float]
    audiences: dict[str, Rules]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = set(self.measures)
        if not known <= set(MATEN) or self.population not in known:
            raise ValueError("unknown measure")
        if not {*self.groupings, *self.levels} <= set(NIVEAUS):
            raise ValueError("unknown level")
        for table in self.tables.values():
            if not (set(table.levels) <= set(self.levels) and set(table.measures) <= known):
                raise ValueError("a table of an unknown level or measure")
        self._audiences()
        return self

    def _audiences(self) -> None:
        if INSIDE in self.audiences:
            raise ValueError("that folder stays in the TTP")
        exact = [name for name, rules in self.audiences.items() if rules.edition == "exact"]
        if len(exact) != 1:
            raise ValueError("one exact table is protected; every other edition is made from it")
        for rules in self.audiences.values():
            if rules.edition == "rounded" and rules.source != exact[0]:
                raise ValueError("a rounded edition is made from the protected one")
            if not set(rules.tables) <= set(self.tables):
                raise ValueError("unknown table")
        if len({rules.edition for rules in self.audiences.values() if rules.public and rules.deliver}) > 1:
            raise ValueError("never an exact and a rounded edition to the public")

    @property
    def basis(self) -> Rules:
        """The rules of the one exact table."""
        return next(rules for rules in self.audiences.values() if rules.edition == "exact")

    @property
    def delivered(self) -> dict[str, Rules]:
        """Audiences that get files."""
        return {name: rules for name, rules in self.audiences.items() if rules.deliver}

    def tables_of(self, rules: Rules) -> dict[str, Table]:
        """The tables of an audience."""
        return {name: self.tables[name] for name in rules.tables or self.tables}

    def printed(self, niveau: str) -> set[str]:
        """Measures that some delivered table prints at a level; the rest is hidden there, for everybody."""
        wanted = [one for rules in self.delivered.values() for one in self.tables_of(rules).values()]
        return {m for one in wanted if niveau in one.levels for m in (one.measures or self.measures)}

    @property
    def implied(self) -> list[str]:
        """Parts that are no measure, in order."""
        found = [part for partition in self.partitions for part in (*partition.parts, partition.total)]
        return [name for name in dict.fromkeys(found) if name not in self.measures]

    @property
    def digest(self) -> str:
        """SHA-256 of the meaning of the specification, not of its layout."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load(path: Path = DEFAULT) -> Spec:
    """Read a specification. ConfigError bad_spec when it does not follow the schema."""
    try:
        return parse(path.read_bytes())
    except OSError:
        raise ConfigError("bad_spec", faults=1) from None


def parse(text: bytes) -> Spec:
    """The same from bytes whose signature was checked."""
    try:
        return Spec.model_validate(yaml.safe_load(text.decode("utf-8")))
    except ValidationError as error:
        raise ConfigError("bad_spec", faults=error.error_count()) from None
    except (ValueError, yaml.YAMLError):
        raise ConfigError("bad_spec", faults=1) from None
