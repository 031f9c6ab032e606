"""The release specification: what may leave, to whom, under which parameters. One YAML file, its hash in every release.

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
Edition = Literal["exact", "rounded"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Rules(_Strict):
    """Parameters of one audience; the numbers of docs/disclosure.md section 3."""

    edition: Edition
    source: str | None = None
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


class Spec(_Strict):
    """Everything that decides what a release may show."""

    name: str
    version: int
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
        for rules in self.audiences.values():
            if rules.source is not None and rules.source not in self.audiences:
                raise ValueError("unknown source audience")
            if rules.edition == "rounded" and rules.source is None:
                raise ValueError("a rounded edition is made from a protected one")
        return self

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
        return Spec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigError("bad_spec", faults=error.error_count()) from None
    except (OSError, ValueError, yaml.YAMLError):
        raise ConfigError("bad_spec", faults=1) from None
