"""The manifest of a delivery: what is inside, in numbers and hashes, and never a value.

Signed over its exact bytes. Reading is strict: unknown or repeated fields, free text and numbers that do not
add up are refused, because a manifest is outside input until it has been verified.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from schemas.errors import DeliveryError

FORMAT = "koppelpunt/delivery/1"
MAX_BYTES = 4 << 20
MAX_SEQUENCE = 999_999

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
# A reason or kind is one of our own codes. At most six digits in a row: an identifier cannot pass for one.
Code = Annotated[str, StringConstraints(pattern=r"^(?:[A-Z_-]|[0-9]{1,6}(?:$|[A-Z_-])){1,100}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
RowSet = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
HalfYear = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}H[12]$")]
Gemeente = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Count = Annotated[int, Field(ge=0, le=10**12)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class AgreementRef(_Strict):
    """Which agreement text the delivery was made under."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{3,64}$")]
    sha256: Sha256


class Period(_Strict):
    """Days the rows are about, both included."""

    from_: dt.date = Field(alias="from")
    until: dt.date


class Rows(_Strict):
    """Row accounting: in = accepted + quarantined + out_of_scope."""

    in_: Count = Field(alias="in")
    accepted: Count
    quarantined: Count
    out_of_scope: Count

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.in_ != self.accepted + self.quarantined + self.out_of_scope:
            raise ValueError("rows do not add up")
        return self


class Aside(_Strict):
    """Rows out of scope: counted per reason, year and kind, not kept."""

    reason: Code
    year: Annotated[int, Field(ge=0, le=9999)]
    kind: Code
    n: Count


class Identifiers(_Strict):
    """Usable identifiers and distinct ones per column, emptied ones per reason, and rows left without any."""

    usable: dict[Literal["bsn", "skn", "vip", "fallback"], Count]
    distinct: dict[Literal["bsn", "skn", "vip"], Count]
    emptied: dict[Code, Count]
    rows_without: Count


class Hashes(_Strict):
    """SHA-256 of the sealed files; a register without payload has none."""

    identity: Sha256
    payload: Sha256 | None = None


class Canaries(_Strict):
    """Planted rows, outside the row accounting: how many, from which agreed list, and their random row ids."""

    rows: Annotated[int, Field(ge=1, le=100)]
    listed: Tag
    row_ids: tuple[RowSet, ...]

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if len(set(self.row_ids)) != self.rows or len(self.row_ids) != self.rows:
            raise ValueError("canary rows do not add up")
        return self


class SeenHead(_Strict):
    """The head of the TTP's audit log that the supplier's last receipt carried: signing this countersigns it."""

    n: Annotated[int, Field(ge=1)]
    hash: Sha256


class Computed(_Strict):
    """Which code computed the pseudonyms, and why not the fast one: words of pseudonymize/fast.py. Decides nothing."""

    hmac: Literal["fast", "reference"]
    fallback: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


class Coverage(_Strict):
    """Which municipalities delivered a half-year (also those with zero rows), and how final it is."""

    status: Literal["voorlopig", "nader_voorlopig", "definitief"]
    gemeenten: tuple[Gemeente, ...]


class Manifest(_Strict):
    """One delivery."""

    format: Literal["koppelpunt/delivery/1"]
    scheme: Literal["v1", "v1-blind", "v1-hybrid"]
    project: Label
    epoch: Label
    register_name: Name = Field(alias="register")
    supplier: Label
    agreement: AgreementRef
    period: Period
    sequence: Annotated[int, Field(ge=1, le=MAX_SEQUENCE)]
    identifier_types: tuple[Literal["NL:BSN", "NL:BSN-SYN", "NL:SKN", "NL:VIP", "NL:FB"], ...]
    rows: Rows
    reasons: dict[Code, Count]
    out_of_scope: tuple[Aside, ...]
    identifiers: Identifiers
    row_set: RowSet
    canaries: Canaries
    hashes: Hashes
    key_check: Tag
    coverage: dict[HalfYear, Coverage] | None = None
    seen: SeenHead | None = None
    computed: Computed | None = None

    @property
    def delivered(self) -> int:
        """Rows in the sealed files: accepted rows and planted canaries. The quota of the conversion."""
        return self.rows.accepted + self.canaries.rows

    @model_validator(mode="after")
    def _reasons_add_up(self) -> Self:
        usable, distinct = self.identifiers.usable, self.identifiers.distinct
        if not len(usable.keys() - {"fallback"}) == len(distinct) == 3 or any(
            distinct[n] > usable[n] for n in distinct
        ):
            raise ValueError("identifiers do not add up")
        aside = sum(row.n for row in self.out_of_scope)
        if sum(self.reasons.values()) != self.rows.quarantined or aside != self.rows.out_of_scope:
            raise ValueError("counts do not add up")
        return self

    def encode(self) -> bytes:
        """The bytes that are signed: sorted keys, ASCII."""
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


def build(content: dict[str, Any]) -> Manifest:
    """A manifest of our own making. DeliveryError bad_manifest, with the number of faults."""
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise DeliveryError("bad_manifest", faults=error.error_count()) from None


def parse(text: bytes) -> Manifest:
    """The manifest of bytes from outside. DeliveryError bad_manifest, with the number of faults."""
    if len(text) > MAX_BYTES:
        raise DeliveryError("bad_manifest", faults=1)
    try:
        content = json.loads(text, object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError):
        raise DeliveryError("bad_manifest", faults=1) from None
    return build(content)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)
