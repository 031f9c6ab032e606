"""Blind mode at the source: ask an evaluator, then deliver with what it answered. docs/blind.md has the flow.

`ask` reads the extract, blinds every distinct identifier and seals the points to the evaluator. `answered`
checks proof and points of the answer, unblinds, and gives a Mode that `deliver` works with. Only the source ever
holds blinds and points together: both in one hand give an unkeyed hash of the identifier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from pseudonymize import blind_files as files
from pseudonymize import canary, private, seal, signing
from pseudonymize.ahead import ahead
from pseudonymize.blind_files import Answer, Request, State
from pseudonymize.blind_group import SUITE, spread, verify
from pseudonymize.blind_keys import Evaluator, SourceKeys
from pseudonymize.blind_mode import Blind, Table
from pseudonymize.blind_values import Bytes, Distinct, Seeded, Slice, new_seed
from pseudonymize.folder import appearing
from pseudonymize.identify import Rules
from pseudonymize.intake import accepted
from pseudonymize.modes import blind_scheme
from pseudonymize.oprf import inverses
from pseudonymize.prf import PSEUDONYM
from pseudonymize.quarantine import Quarantine
from pseudonymize.report import DeliveryReport
from pseudonymize.secret import Secret
from schemas.agreement import Agreement
from schemas.errors import ConfigError, DeliveryError
from schemas.register import Register

Progress = Callable[[str, int, int | None], None]
Groups = list[tuple[str, int, Bytes]]


def ask(  # noqa: PLR0917 - what, under which agreement, whose keys, where to
    source: Path,
    register: Register,
    agreement: Agreement,
    keys: SourceKeys,
    evaluator: Evaluator,
    out: Path,
    *,
    state: Path,
    sequence: int,
    progress: Progress | None = None,
) -> int:
    """Make the request folder `out`, and the private file `state` to keep until the answer; returns the elements.

    The extract is validated as for a delivery. Raises ConfigError wrong_domain, output_exists,
    agreement_mismatch, nothing_to_blind, blind_unavailable; and what intake.accepted raises.
    """
    evaluator.require(agreement.project, agreement.epoch)
    if agreement.supplier != keys.supplier or agreement.source != register.name:
        raise ConfigError("agreement_mismatch", field="supplier")
    if state.exists():
        raise ConfigError("output_exists")
    groups = collect(source, register, agreement, progress)
    count = sum(len(rows) for _, _, rows in groups)
    if not count:
        raise ConfigError("nothing_to_blind")
    seed, points = new_seed(), hashlib.sha256()
    seeded = Seeded(seed, Rules.of(agreement), agreement.project, agreement.epoch, keys.pre)
    with appearing(out) as part:
        made = ahead(_blinded(seeded.slices(groups), points, count, progress))
        sealed = seal.seal(part / files.ASKED, evaluator.recipient, files.BLINDED, made)
        text = files.encode(_request(evaluator, keys, sequence, count, sealed))
        (part / files.REQUEST).write_bytes(text)
        (part / files.SIGNATURE).write_bytes(signing.sign(keys.sign.secret, text))
        kept = State(
            format="koppelpunt/blind-state/1",
            scheme=blind_scheme(keys.pre),
            seed=seed.reveal().hex(),
            request=hashlib.sha256(text).hexdigest(),
            values=seeded.tag(groups),
            points=points.hexdigest(),
        )
        private.write_private(state, files.encode(kept))
    return count


def _request(evaluator: Evaluator, keys: SourceKeys, sequence: int, count: int, sealed: str) -> Request:
    return Request(
        format="koppelpunt/blind-request/1",
        project=evaluator.project,
        epoch=evaluator.epoch,
        supplier=keys.supplier,
        sequence=sequence,
        elements=count,
        evaluator=evaluator.public,
        recipient=keys.recipient(),
        sha256=sealed,
    )


def collect(source: Path, register: Register, agreement: Agreement, progress: Progress | None = None) -> Groups:
    """The distinct usable identifiers of the accepted rows. Raises what intake.accepted raises."""
    distinct = Distinct()
    with Quarantine(register, None) as quarantine:
        report = DeliveryReport(register.name)
        for batch in accepted(source, register, Rules.of(agreement), report, quarantine, progress=progress):
            distinct.add(batch.found)
    if not list(distinct.groups()):
        return []
    distinct.add(canary.rows(register, Rules.of(agreement))[1])  # planted in every delivery, so asked for as well
    return list(distinct.groups())


def _blinded(
    slices: Iterator[Slice], points: hashlib._Hash, count: int, progress: Progress | None
) -> Iterator[pa.Table]:
    done = 0
    for one in slices:
        made = spread(lambda pair: SUITE.blind(*pair), list(zip(one.inputs, one.blinds, strict=True)))
        points.update(b"".join(made))
        done += len(made)
        if progress is not None:
            progress("blinderen", done, count)
        yield files.table(files.BLINDED, made)


def answered(  # noqa: PLR0917 - as ask
    source: Path,
    register: Register,
    agreement: Agreement,
    keys: SourceKeys,
    evaluator: Evaluator,
    answer: Path,
    *,
    state: Path,
    progress: Progress | None = None,
) -> Blind:
    """Check an answer to the last element, unblind it, and return the mode to deliver with.

    Raises DeliveryError bad_manifest, bad_hash, unsealing_failed, bad_schema, bad_element, bad_proof (another
    key was used, or an element changed), blind_mismatch (another extract, request or mode than asked for).
    """
    kept = files.parse(State, private.read_private(state))
    given = files.parse(Answer, files.read(answer / files.ANSWER))
    groups = collect(source, register, agreement, progress)
    seeded = Seeded(Secret(bytes.fromhex(kept.seed)), Rules.of(agreement), agreement.project, agreement.epoch, keys.pre)
    same = kept.scheme == blind_scheme(keys.pre) and kept.values == seeded.tag(groups) and given.request == kept.request
    if not same:
        raise DeliveryError("blind_mismatch")
    if seal.file_hash(answer / files.GIVEN) != given.sha256:
        raise DeliveryError("bad_hash", file=files.GIVEN)
    mode = Blind(evaluator, keys.pre, Rules.of(agreement))
    points = hashlib.sha256()
    with seal.opened(answer / files.GIVEN, keys.identity()) as reader:
        if not reader.schema.equals(files.EVALUATED, check_metadata=True):
            raise DeliveryError("bad_schema", file=files.GIVEN)
        _unblind(mode, seeded.slices(groups), iter(reader), given, points, progress)
    if points.hexdigest() != kept.points:
        raise DeliveryError("blind_mismatch")
    return mode


def _unblind(  # noqa: PLR0917
    mode: Blind,
    slices: Iterator[Slice],
    batches: Iterator[pa.RecordBatch],
    given: Answer,
    points: hashlib._Hash,
    progress: Progress | None,
) -> None:
    """Verify and finalize batch by batch into `mode.made`; every batch and every proof must be used."""
    made: dict[tuple[str, int], tuple[list[Bytes], list[bytes]]] = {}
    proofs, done = iter(given.proofs), 0
    for one in slices:
        batch, proof = next(batches, None), next(proofs, None)
        if batch is None or proof is None or batch.num_rows != len(one.rows):
            raise DeliveryError("blind_mismatch")
        blinded, evaluated = (files.elements(batch[name]) for name in ("blinded", "evaluated"))
        points.update(b"".join(blinded))
        verify(mode.evaluator.key, blinded, evaluated, bytes.fromhex(proof))
        rows, outputs = made.setdefault((one.column, one.width), ([], []))
        rows.append(one.rows)
        triples = list(zip(one.inputs, inverses(one.blinds), evaluated, strict=True))
        outputs += [output[:PSEUDONYM] for output in spread(lambda triple: SUITE.finalize(*triple), triples)]
        done += len(triples)
        if progress is not None:
            progress("deblinderen", done, None)
    if next(batches, None) is not None or next(proofs, None) is not None:
        raise DeliveryError("blind_mismatch")
    for (column, width), (parts, outputs) in made.items():
        mode.made.setdefault(column, Table()).put(width, parts, outputs)
