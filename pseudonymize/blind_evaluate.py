"""The evaluator: multiplies blinded elements by its key, with one proof per batch. It sees no identifier.

It is a party of its own, neither a source nor converter or linker. It learns who asks, and how many distinct
identifiers; a blinded element is uniformly random whatever the identifier is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from pseudonymize import blind_files as files
from pseudonymize import ristretto as group
from pseudonymize import seal, signing
from pseudonymize.ahead import ahead
from pseudonymize.blind_files import Answer, Request
from pseudonymize.blind_group import prove, spread
from pseudonymize.blind_keys import EvaluatorKeys
from pseudonymize.folder import appearing
from pseudonymize.keys import Key
from pseudonymize.ledger import Ledger
from pseudonymize.parties import PublicKeys
from schemas.errors import DeliveryError

Progress = Callable[[str, int, int | None], None]
QUOTA = 5_000_000  # elements per request; a register that has more persons needs an evaluator that agrees to it
TOTAL = 20_000_000  # elements of one source in the life of a key: four full requests, a fifth of the number space
LEDGER = "blind"  # requests are counted in a ledger like deliveries, under this name


def evaluate(
    request: Path,
    keys: EvaluatorKeys,
    public: PublicKeys,
    out: Path,
    *,
    quota: int = QUOTA,
    total: int = TOTAL,
    ledger: Ledger | None = None,
    progress: Progress | None = None,
) -> int:
    """Answer a request in the new folder `out`; returns the elements evaluated.

    `quota` bounds one request. Points say nothing about who is asked for, so with a `ledger` a source may ask for no
    more than `total` of them in all its requests together: who could go on asking would have the whole population.

    Raises DeliveryError bad_manifest, bad_signature, over_quota, replay, sequence_gap, bad_hash,
    unsealing_failed, bad_schema, bad_element, row_count_mismatch; ConfigError wrong_domain, output_exists;
    KeyUnavailable.
    """
    key = keys.oprf()
    asked, digest = _verified(request, key, public)
    if asked.elements > quota:
        raise DeliveryError("over_quota", rows=asked.elements, quota=quota)
    if ledger is not None:
        ledger.require_next(LEDGER, asked.supplier, asked.sequence, digest)
        together = ledger.counted(LEDGER, asked.supplier, unknown=quota) + asked.elements
        if together > total:
            raise DeliveryError("over_quota", rows=together, quota=total)
    if seal.file_hash(request / files.ASKED) != asked.sha256:
        raise DeliveryError("bad_hash", file=files.ASKED)
    proofs: list[str] = []
    with appearing(out) as part, seal.opened(request / files.ASKED, keys.identity()) as reader:
        if not reader.schema.equals(files.BLINDED, check_metadata=True):
            raise DeliveryError("bad_schema", file=files.ASKED)
        made = ahead(_answered(reader, key, asked, proofs, progress))
        sealed = seal.seal(part / files.GIVEN, asked.recipient, files.EVALUATED, made)
        answer = Answer(format="koppelpunt/blind-answer/1", request=digest, sha256=sealed, proofs=tuple(proofs))
        (part / files.ANSWER).write_bytes(files.encode(answer))
    if ledger is not None:
        ledger.record(LEDGER, asked.supplier, asked.sequence, digest, asked.elements)
    return asked.elements


def _verified(request: Path, key: Key, public: PublicKeys) -> tuple[Request, str]:
    """The request and its SHA-256, once signed by a supplier we know and for this very key."""
    text = files.read(request / files.REQUEST)
    asked = files.parse(Request, text)
    signing.verify(public.signer(asked.supplier), files.read(request / files.SIGNATURE), text)
    key.require(asked.project, asked.epoch)
    if asked.evaluator != group.times_base(key.secret.reveal()).hex():
        raise DeliveryError("key_check", field="evaluator")
    return asked, hashlib.sha256(text).hexdigest()


def _answered(
    reader: seal.Reader, key: Key, asked: Request, proofs: list[str], progress: Progress | None
) -> Iterator[pa.Table]:
    """One table and one proof per batch; never an element more than the request declares."""
    done, public = 0, bytes.fromhex(asked.evaluator)
    for batch in reader:
        blinded = files.elements(batch["blinded"])
        done += len(blinded)
        if done > asked.elements or not 1 <= len(blinded) <= files.BATCH:
            raise DeliveryError("row_count_mismatch", declared=asked.elements, read=done)
        evaluated = spread(lambda one: group.times(key.secret.reveal(), group.require_element(one)), blinded)
        proofs.append(prove(key.secret, public, blinded, evaluated).hex())
        if progress is not None:
            progress("evalueren", done, asked.elements)
        yield files.table(files.EVALUATED, blinded, evaluated)
    if done != asked.elements:
        raise DeliveryError("row_count_mismatch", declared=asked.elements, read=done)
