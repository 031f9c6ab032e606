"""What a blind request, its answer and a source's own state look like: strict, and refused when in doubt.

A request is a folder with request.json, request.sig and blinded.age (column `blinded`); an answer is answer.json
and evaluated.age (columns `blinded`, `evaluated`). One record batch of a sealed file is one batch of the proof.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pseudonymize.columns import fixed_bytes
from pseudonymize.ristretto import BYTES
from schemas.errors import DeliveryError

BATCH = 16_384  # elements under one proof; RFC 9497 counts them in two bytes
MAX_BATCHES = 65_536
MAX_BYTES = 16 << 20
BLINDED = pa.schema([pa.field("blinded", pa.binary(BYTES), nullable=False)])
EVALUATED = pa.schema([*BLINDED, pa.field("evaluated", pa.binary(BYTES), nullable=False)])
REQUEST, SIGNATURE, ASKED = "request.json", "request.sig", "blinded.age"
ANSWER, GIVEN = "answer.json", "evaluated.age"

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Proof = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Request(_Strict):
    """Signed by the source: how many elements it asks to evaluate, and where the answer goes."""

    format: Literal["koppelpunt/blind-request/1"]
    project: Label
    epoch: Label
    supplier: Label
    sequence: Annotated[int, Field(ge=1, le=999_999)]
    elements: Annotated[int, Field(ge=1, le=BATCH * MAX_BATCHES)]
    evaluator: Sha256
    recipient: Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]{20,100}$")]
    sha256: Sha256


class Answer(_Strict):
    """Of the evaluator: one proof per batch; nobody without its key can make one, so no signature is needed."""

    format: Literal["koppelpunt/blind-answer/1"]
    request: Sha256
    sha256: Sha256
    proofs: Annotated[tuple[Proof, ...], Field(min_length=1, max_length=MAX_BATCHES)]


class State(_Strict):
    """A source's own memory between request and answer: a seed, and hashes. No identifier, no blind.

    `values`: keyed hash of the identifiers asked for, which shows that the extract is still the same; `points`:
    SHA-256 of the blinded elements, which shows that the answer is about ours.
    """

    format: Literal["koppelpunt/blind-state/1"]
    scheme: Literal["v1-blind", "v1-hybrid"]
    seed: Sha256
    request: Sha256
    values: Sha256
    points: Sha256


_Model = TypeVar("_Model", bound=_Strict)


def encode(content: _Strict) -> bytes:
    """The bytes that are signed and hashed: sorted keys, ASCII."""
    return (json.dumps(content.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode("ascii")


def parse(kind: type[_Model], text: bytes) -> _Model:
    """A file of ours from outside. DeliveryError bad_manifest, with the number of faults."""
    if len(text) > MAX_BYTES:
        raise DeliveryError("bad_manifest", faults=1)
    try:
        return kind.model_validate(json.loads(text, object_pairs_hook=_no_repeats))
    except ValidationError as error:
        raise DeliveryError("bad_manifest", faults=error.error_count()) from None
    except (ValueError, RecursionError):
        raise DeliveryError("bad_manifest", faults=1) from None


def read(path: Path) -> bytes:
    """A small file from outside, whole. DeliveryError bad_manifest when it is not there or too large."""
    if path.is_symlink() or not path.is_file():
        raise DeliveryError("bad_manifest", faults=1)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def elements(column: pa.Array) -> list[bytes]:
    """32-byte values of a column without nulls. DeliveryError bad_element when there is one."""
    if column.null_count:
        raise DeliveryError("bad_element")
    raw = fixed_bytes(column)
    return [raw[start : start + BYTES] for start in range(0, len(raw), BYTES)]


def table(schema: pa.Schema, *columns: list[bytes]) -> pa.Table:
    """Lists of 32-byte values as one table."""
    return pa.table([pa.array(column, pa.binary(BYTES)) for column in columns], schema=schema)


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)
