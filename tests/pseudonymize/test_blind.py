"""Blind mode from extract to link pseudonym: who gets what, the same partition as mode A, and what is refused."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import blind, blind_files, blind_keys, bsn, oprf, prf, seal, signing
from pseudonymize import ristretto as group
from pseudonymize.accept import verify
from pseudonymize.blind_evaluate import evaluate
from pseudonymize.blind_keys import EvaluatorKeys, SourceKeys, create_evaluator, load_evaluator
from pseudonymize.blind_mode import Blind, Table
from pseudonymize.blind_values import Distinct
from pseudonymize.columns import pseudonyms
from pseudonymize.convert import convert, to_recipient
from pseudonymize.deliver import deliver
from pseudonymize.domain import Domain, of_field
from pseudonymize.identify import Rules
from pseudonymize.intake import accepted
from pseudonymize.ledger import Ledger
from pseudonymize.modes import Shared, blind_tag
from pseudonymize.parties import PublicKeys
from pseudonymize.quarantine import Quarantine
from pseudonymize.report import DeliveryReport
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable
from tests.pseudonymize.conftest import PLANTED, World

ELEMENTS = 20 + 2 * PLANTED  # ten numbers and ten SKNs, and those of the planted canaries

SUITE = oprf.Suite(oprf.VOPRF)


@dataclass
class Country:
    """A world with an evaluator; every source's file flow in folders that could be carried by hand."""

    world: World
    evaluator: EvaluatorKeys
    hybrid: bool = False
    batches: int = 0
    files: Path = field(init=False)

    def __post_init__(self) -> None:
        self.files = self.world.home / ("hybrid" if self.hybrid else "blind")

    @property
    def told(self) -> blind_keys.Evaluator:
        return load_evaluator(self.evaluator.folder / "public")

    def keys(self, register: str = "injus") -> SourceKeys:
        supplier = self.world.agreement(register).supplier
        return SourceKeys.load(self.world.keys / "suppliers" / supplier, hybrid=self.hybrid)

    def public(self) -> PublicKeys:
        """What the TTP publishes for a project in this mode."""
        pre = self.keys().pre
        tag = blind_tag(self.told.project, self.told.epoch, self.told.key, pre)
        return replace(self.world.public, checks={**self.world.public.checks, "pre": tag})

    def ask(self, source: Path, register: str = "injus", sequence: int = 1) -> Path:
        agreement, name = self.world.agreement(register), f"{source.stem}-{sequence}"
        blind.ask(
            source,
            agreement.declared,
            agreement,
            self.keys(register),
            self.told,
            self.files / "ask" / name,
            state=self.files / "state" / f"{name}.key",
            sequence=sequence,
        )
        return self.files / "ask" / name

    def evaluate(self, request: Path, **more: Any) -> Path:
        answer = self.files / "answer" / request.name
        evaluate(request, self.evaluator, self.world.public, answer, **more)
        return answer

    def answered(self, source: Path, answer: Path, register: str = "injus", **more: Any) -> Blind:
        agreement = self.world.agreement(register)
        return blind.answered(
            source,
            agreement.declared,
            agreement,
            self.keys(register),
            self.told,
            answer,
            state=self.files / "state" / f"{answer.name}.key",
            **more,
        )

    def deliver(self, source: Path, mode: Blind, register: str = "injus", sequence: int = 1) -> Path:
        agreement = self.world.agreement(register)
        out, period = self.files / "inbox" / register / f"{sequence:04d}", agreement.period
        deliver(
            source,
            agreement.declared,
            agreement,
            self.keys(register),
            self.public(),
            out,
            mode=mode,
            sequence=sequence,
            period=(period.from_, period.until),
        )
        return out

    def link(self, source: Path, register: str = "injus", sequence: int = 1) -> pa.Table:
        """All steps, to link pseudonyms in the store."""
        answer = self.evaluate(self.ask(source, register, sequence))
        folder = self.deliver(source, self.answered(source, answer, register), register, sequence)
        verify(folder, self.world.agreement(register), self.public())
        out = self.files / "store" / f"{register}-{sequence}.parquet"
        convert(folder, self.world.converter, out)
        return pq.read_table(out)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> EvaluatorKeys:
    home = tmp_path_factory.mktemp("evaluator")
    create_evaluator(home / "keys", "koppelpunt-demo", "run-1")
    return EvaluatorKeys(home / "keys")


@pytest.fixture(scope="module")
def country(make_world: Callable[[], World], evaluator: EvaluatorKeys) -> Country:
    return Country(make_world(), evaluator)


@dataclass
class Asked:
    """A source's extract, its request and the answer, shared by tests that only read."""

    country: Country
    source: Path
    request: Path
    answer: Path


@pytest.fixture(scope="module")
def asked(country: Country) -> Asked:
    source = country.world.injus(name="gedeeld.csv")
    request = country.ask(source)
    return Asked(country, source, request, country.evaluate(request))


def points(path: Path, identity: Any) -> pa.Table:
    with seal.opened(path, identity) as reader:
        return pa.Table.from_batches(list(reader), schema=reader.schema)


# The value itself ----------------------------------------------------------------------------------------------


def test_a_pre_pseudonym_is_the_rfc_output_over_length_prefixed_fields(asked: Asked) -> None:
    """Computed a second way, by somebody who holds the evaluator's key and the number: 32 of the 64 bytes."""
    mode = asked.country.answered(asked.source, asked.answer)
    number = bsn.canonical("700000003", synthetic=True)[0] or pytest.fail("not a synthetic number")
    fields = (b"ttp/blind/v1", b"koppelpunt-demo", b"run-1", b"NL:BSN-SYN", number.digits)
    value = b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    wanted = SUITE.evaluate(asked.country.evaluator.oprf().secret, value)[:32]
    assert mode.stage("NL:BSN-SYN").one(number.digits) == wanted
    assert mode.stage("NL:BSN-SYN").fixed(number.digits * 2, 9, 16) == wanted[:16] * 2


def test_the_hybrid_is_the_oprf_over_mode_a(make_world: Callable[[], World], evaluator: EvaluatorKeys) -> None:
    country = Country(make_world(), evaluator, hybrid=True)
    source = country.world.injus(8)
    mode = country.answered(source, country.evaluate(country.ask(source)))
    k_s = country.world.supplier("justid").pre.secret
    inner = prf.pre(k_s, "koppelpunt-demo", "run-1", "NL:BSN-SYN").one(b"700000003")
    fields = (b"ttp/hybrid/v1", b"koppelpunt-demo", b"run-1", b"NL:BSN-SYN", inner)
    wanted = SUITE.evaluate(evaluator.oprf().secret, prf.encode(*fields))[:32]
    assert mode.stage("NL:BSN-SYN").one(b"700000003") == wanted


# The same partition of persons ---------------------------------------------------------------------------------


def partition(*columns: pa.ChunkedArray) -> list[int | None]:
    """Every value replaced by the number of its first place: equal for equal partitions, whatever the values."""
    seen: dict[bytes, int] = {}
    values = itertools.chain.from_iterable(column.to_pylist() for column in columns)
    return [None if v is None else seen.setdefault(v, len(seen)) for v in values]


@pytest.fixture(scope="module")
def small_country(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from synthetic import country as made

    out = tmp_path_factory.mktemp("country")
    made.make(out, scale=0.001, seed=7)
    return out / "extracts"


REGISTERS = {"injus": "injus.csv", "reclassering": "reclassering.csv", "gmsd": "gmsd_1.csv"}


def identifiers(world: World, source: Path, register: str) -> dict[str, pa.Array]:
    """Canonical identifiers of the accepted rows, in the extract's order."""
    agreement, found = world.agreement(register), []
    with Quarantine(agreement.declared, None) as quarantine:
        report = DeliveryReport(register)
        for batch in accepted(source, agreement.declared, Rules.of(agreement), report, quarantine):
            found.append(batch.found)
    return {name: pa.concat_arrays([one[name].values for one in found]) for name in ("bsn", "skn", "vip")}


@pytest.mark.parametrize("column", ["bsn", "skn"])
def test_three_modes_give_the_same_partition_of_persons(
    column: str, small_country: Path, make_world: Callable[[], World], evaluator: EvaluatorKeys
) -> None:
    """Over three registers together, on the synthetic country; and it is the partition by identifier itself."""
    world = make_world()
    modes = {False: Country(world, evaluator), True: Country(world, evaluator, hybrid=True)}
    made: dict[str, list[pa.ChunkedArray]] = {name: [] for name in ("number", "A", "B", "A+B")}
    for sequence, (register, file) in enumerate(REGISTERS.items(), start=1):
        source = small_country / file
        values = identifiers(world, source, register)[column]
        made["number"].append(values)
        kind = Rules.of(world.agreement(register)).type_of(column)
        shared = Shared(world.supplier(world.agreement(register).supplier).pre)
        link = prf.link(world.converter.link().secret, "koppelpunt-demo", "epoch-1")
        ready = {"A": shared.stage(kind)}
        for hybrid, country in modes.items():
            mode = country.answered(source, country.evaluate(country.ask(source, register, sequence)), register)
            ready["A+B" if hybrid else "B"] = mode.stage(kind)
        for name, stage in ready.items():
            made[name].append(pseudonyms(link, pseudonyms(stage, values)))
    parts = {name: partition(*columns) for name, columns in made.items()}
    assert len(set(parts["number"])) > 100
    assert parts["A"] == parts["B"] == parts["A+B"] == parts["number"]
    values = [{v for one in columns for v in one.to_pylist() if v} for columns in made.values()]
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(values, 2))


# The whole flow ------------------------------------------------------------------------------------------------


def test_a_delivery_passes_the_same_pipeline_under_a_label_of_its_own(asked: Asked, tmp_path: Path) -> None:
    country = asked.country
    folder = country.deliver(asked.source, country.answered(asked.source, asked.answer))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["scheme"], manifest["key_check"]) == ("v1-blind", country.public().checks["pre"])
    assert not verify(folder, country.world.agreement("injus"), country.public()).known
    convert(folder, country.world.converter, tmp_path / "link.parquet")
    link = pq.read_table(tmp_path / "link.parquet")
    assert of_field(link.schema, "bsn") == Domain("v1-blind", "koppelpunt-demo", "link", "epoch-1")
    assert link["bsn"].null_count == 6
    assert len(set(link["bsn"].to_pylist())) == 11 + PLANTED  # ten persons, the canaries, and none
    one = link.select(["row_id", "bsn"])
    pq.write_table(one, tmp_path / "persons.parquet")
    to_recipient(tmp_path / "persons.parquet", "gemeente", country.world.converter, tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet")
    assert of_field(out.schema, "bsn") == Domain("v1-blind", "koppelpunt-demo", "recipient:gemeente", "epoch-1")
    assert partition(out["bsn"]) == partition(link["bsn"])


def test_a_person_has_the_same_pseudonym_in_every_delivery(country: Country) -> None:
    one = country.link(country.world.injus(12, name="een.csv"), sequence=11)
    two = country.link(country.world.injus(12, name="twee.csv"), sequence=12)
    assert set(one["bsn"].to_pylist()) == set(two["bsn"].to_pylist())
    files = [country.files / "ask" / name / "blinded.age" for name in ("een-11", "twee-12")]
    asked_one, asked_two = (points(path, country.evaluator.identity()) for path in files)
    assert set(asked_one["blinded"].to_pylist()).isdisjoint(asked_two["blinded"].to_pylist())


def test_a_mode_a_delivery_is_refused_in_a_blind_project_and_the_other_way_round(asked: Asked) -> None:
    country = asked.country
    mode = country.answered(asked.source, asked.answer)
    agreement, keys = country.world.agreement("injus"), country.keys()
    out, period = country.files / "verkeerd", (agreement.period.from_, agreement.period.until)
    with pytest.raises(KeyUnavailable, match="key_check"):
        where = (country.world.public, out)
        deliver(asked.source, agreement.declared, agreement, keys, *where, mode=mode, sequence=1, period=period)
    supplier = country.world.supplier("justid")
    with pytest.raises(KeyUnavailable, match="key_check"):
        deliver(asked.source, agreement.declared, agreement, supplier, country.public(), out, sequence=1, period=period)
    with pytest.raises(KeyUnavailable, match="key_missing"):
        deliver(asked.source, agreement.declared, agreement, keys, country.public(), out, sequence=1, period=period)
    folder, _ = country.world.deliver(asked.source, sequence=7)
    with pytest.raises(DeliveryError, match="key_check"):
        verify(folder, agreement, country.public())


def test_a_label_of_another_mode_than_the_manifest_is_refused(asked: Asked, tmp_path: Path) -> None:
    """The mode cannot be changed under way: the converter compares manifest and label."""
    country = asked.country
    folder = country.deliver(asked.source, country.answered(asked.source, asked.answer), sequence=2)
    text = (folder / "manifest.json").read_text().replace('"v1-blind"', '"v1"')
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match="wrong_domain"):
        convert(folder, country.world.converter, tmp_path / "link.parquet")


def test_large_extracts_go_in_batches_with_a_proof_each(country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pseudonymize.blind_values.BATCH", 4)
    monkeypatch.setattr("pseudonymize.blind_files.BATCH", 4)
    source = country.world.injus(name="groot.csv")
    told: list[int] = []
    request = country.ask(source)
    answer = country.evaluate(request, progress=lambda _, done, __: told.append(done))
    assert told[-1] == ELEMENTS and 10 + PLANTED in told  # numbers, then SKNs: never of two types in one batch
    assert max(b - a for a, b in itertools.pairwise([0, *told])) == 4
    assert len(json.loads((answer / "answer.json").read_text())["proofs"]) == len(told)
    steps: list[tuple[str, int, int | None]] = []
    mode = country.answered(source, answer, progress=lambda *step: steps.append(step))
    assert mode.made.keys() == {"bsn", "skn"}
    assert [done for name, done, _ in steps if name == "deblinderen"] == told


# Who gets what -------------------------------------------------------------------------------------------------


def test_the_evaluator_gets_as_many_random_points_as_there_are_distinct_identifiers(asked: Asked) -> None:
    request = json.loads((asked.request / "request.json").read_text())
    found = points(asked.request / "blinded.age", asked.country.evaluator.identity())
    assert found.num_rows == request["elements"] == ELEMENTS
    assert found.schema.equals(blind_files.BLINDED, check_metadata=True)
    assert {path.name for path in asked.request.iterdir()} == {"request.json", "request.sig", "blinded.age"}
    other = asked.country.ask(asked.source, sequence=2)
    again = points(other / "blinded.age", asked.country.evaluator.identity())
    assert set(found["blinded"].to_pylist()).isdisjoint(again["blinded"].to_pylist())


def test_points_and_blinds_in_one_hand_are_an_unkeyed_hash(asked: Asked) -> None:
    """Why the source unblinds and not the linker, as section 7.2 of the design has it: docs/decisions/0018.

    Whoever may verify the proof has the points. With the blinds too, it divides them out and tries all numbers:
    no key is needed. On a space of 200 numbers it finds every person.
    """
    country = asked.country
    kept = blind_files.parse(blind_files.State, (country.files / "state" / "gedeeld-1.key").read_bytes())
    agreement = country.world.agreement("injus")
    groups = blind.collect(asked.source, agreement.declared, agreement)
    seed = blind.Secret(bytes.fromhex(kept.seed))
    seeded = blind.Seeded(seed, Rules.of(agreement), "koppelpunt-demo", "run-1", None)
    slices = list(seeded.slices(groups))
    found = points(asked.request / "blinded.age", country.evaluator.identity())["blinded"].to_pylist()
    unblinded = {group.times(group.invert(b), p) for b, p in zip(slices[0].blinds, found[: 10 + PLANTED], strict=True)}
    head = slices[0].inputs[0][:-9]
    tried = {SUITE.hash_to_group(head + b"%09d" % number) for number in range(700_000_000, 700_000_200)}
    assert len(unblinded & tried) == 10
    assert not {p for p in found if p in tried}  # the points alone tell nothing


def test_what_lies_at_the_source_between_request_and_answer_holds_no_identifier(asked: Asked) -> None:
    state = asked.country.files / "state" / "gedeeld-1.key"
    assert state.stat().st_mode & 0o777 == 0o400
    text = state.read_text()
    assert "700000003" not in text and "S0000001" not in text
    for path in (*asked.request.iterdir(), *asked.answer.iterdir()):
        assert b"700000003" not in path.read_bytes()
    shutil.copy(state, asked.country.files / "open.key")
    (asked.country.files / "open.key").chmod(0o644)
    with pytest.raises(KeyUnavailable, match="key_open"):
        agreement, keys = asked.country.world.agreement("injus"), asked.country.keys()
        where = {"state": asked.country.files / "open.key"}
        blind.answered(asked.source, agreement.declared, agreement, keys, asked.country.told, asked.answer, **where)


# What is refused -----------------------------------------------------------------------------------------------


def forged(asked: Asked, tmp_path: Path, change: Callable[[pa.Table], pa.Table], **more: Any) -> Path:
    """The answer with a table and fields of the attacker's, under the name that belongs to the request."""
    country, folder = asked.country, tmp_path / asked.answer.name
    folder.mkdir()
    given = json.loads((asked.answer / "answer.json").read_text())
    table = change(points(asked.answer / "evaluated.age", country.keys().identity()))
    sha256 = seal.seal(folder / "evaluated.age", country.keys().recipient(), table.schema, [table])
    (folder / "answer.json").write_text(json.dumps({**given, "sha256": sha256, **more}))
    return folder


def column(table: pa.Table, name: str, values: list[bytes]) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(name), pa.array(values, pa.binary(32)))


def test_another_key_at_the_evaluator_is_found_by_the_proof(asked: Asked, tmp_path: Path) -> None:
    """Also when it makes a proof for the key it used: the source checks against the public key it knows."""
    from pseudonymize.blind_group import prove

    wrong, public = SUITE.derive_key_pair(bytes(32), b"other")
    blinded = points(asked.answer / "evaluated.age", asked.country.keys().identity())["blinded"].to_pylist()
    groups = split(asked, blinded)
    made = [[group.times(wrong.reveal(), one) for one in some] for some in groups]
    proofs = [prove(wrong, public, *pair).hex() for pair in zip(groups, made, strict=True)]
    folder = forged(
        asked, tmp_path, lambda table: column(table, "evaluated", list(itertools.chain(*made))), proofs=proofs
    )
    with pytest.raises(DeliveryError, match="bad_proof"):
        in_batches(asked, folder)


def split(asked: Asked, elements: list[bytes]) -> list[list[bytes]]:
    """Elements in the batches of the honest answer: one identifier type and width each, with a proof of its own."""
    with seal.opened(asked.answer / "evaluated.age", asked.country.keys().identity()) as reader:
        sizes = [batch.num_rows for batch in reader]
    left = iter(elements)
    return [list(itertools.islice(left, size)) for size in sizes]


def in_batches(asked: Asked, folder: Path) -> Blind:
    """Read a forged answer (one record batch) in the batches of the honest one."""
    given = points(folder / "evaluated.age", asked.country.keys().identity())
    (folder / "evaluated.age").unlink()
    ends = list(itertools.accumulate(len(part) for part in split(asked, [b""] * given.num_rows)))
    parts = [given.slice(start, end - start) for start, end in itertools.pairwise([0, *ends])]
    sha256 = seal.seal(folder / "evaluated.age", asked.country.keys().recipient(), given.schema, parts)
    answer = json.loads((folder / "answer.json").read_text())
    (folder / "answer.json").write_text(json.dumps({**answer, "sha256": sha256}))
    return asked.country.answered(asked.source, folder)


def test_the_forger_of_these_tests_can_make_a_good_answer(asked: Asked, tmp_path: Path) -> None:
    """So that the refusals below are refusals of the change, not of the forger."""
    assert in_batches(asked, forged(asked, tmp_path, lambda table: table)).made


def times_other(element: bytes) -> bytes:
    return group.times(SUITE.hash_to_scalar(b"another key"), element)


CHANGES: dict[str, tuple[str, Callable[[list[bytes]], list[bytes]], str]] = {
    "an element of another value": ("evaluated", lambda v: [times_other(v[0]), *v[1:]], "bad_proof"),
    "two elements swapped": ("evaluated", lambda v: [v[1], v[0], *v[2:]], "bad_proof"),
    "the identity": ("evaluated", lambda v: [bytes(32), *v[1:]], "bad_element"),
    "no element": ("evaluated", lambda v: [b"\xff" * 32, *v[1:]], "bad_element"),
    "not canonical": ("evaluated", lambda v: [(2**255 - 18).to_bytes(32, "little"), *v[1:]], "bad_element"),
    "another question": ("blinded", lambda v: [v[1], v[0], *v[2:]], "bad_proof"),
    "the identity asked": ("blinded", lambda v: [*v[:-1], bytes(32)], "bad_element"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_answer_is_refused(asked: Asked, tmp_path: Path, change: Any) -> None:
    name, work, code = change
    folder = forged(asked, tmp_path, lambda table: column(table, name, work(table[name].to_pylist())))
    with pytest.raises(DeliveryError, match=code):
        in_batches(asked, folder)


def test_honest_answers_to_other_questions_are_refused(asked: Asked, tmp_path: Path) -> None:
    """An evaluator that answers, with good proofs, points that we did not ask about: only the hash shows it."""
    from pseudonymize.blind_group import prove

    key = asked.country.evaluator.oprf().secret
    public = asked.country.told.key
    own = [SUITE.blind(b"%d" % number, group.random_scalar()) for number in range(ELEMENTS)]
    made = [group.times(key.reveal(), one) for one in own]
    pairs = zip(split(asked, own), split(asked, made), strict=True)
    proofs = [prove(key, public, *pair).hex() for pair in pairs]
    folder = forged(asked, tmp_path, lambda t: column(column(t, "blinded", own), "evaluated", made), proofs=proofs)
    with pytest.raises(DeliveryError, match="blind_mismatch"):
        in_batches(asked, folder)


def test_answer_state_extract_and_mode_must_belong_together(asked: Asked, tmp_path: Path) -> None:
    country = asked.country
    proofs = json.loads((asked.answer / "answer.json").read_text())["proofs"]
    with pytest.raises(DeliveryError, match="blind_mismatch"):  # another extract
        country.answered(country.world.injus(44, name="ander.csv"), asked.answer)
    with pytest.raises(DeliveryError, match="blind_mismatch"):  # an answer to another request
        country.answered(asked.source, forged(asked, tmp_path, lambda table: table, request="0" * 64))
    shutil.rmtree(tmp_path / asked.answer.name)
    with pytest.raises(DeliveryError, match="blind_mismatch"):  # one batch for two
        country.answered(asked.source, forged(asked, tmp_path, lambda table: table.combine_chunks()))
    shutil.rmtree(tmp_path / asked.answer.name)
    with pytest.raises(DeliveryError, match="blind_mismatch"):  # a proof too many
        in_batches(asked, forged(asked, tmp_path, lambda table: table, proofs=[*proofs, proofs[0]]))
    shutil.rmtree(tmp_path / asked.answer.name)
    with pytest.raises(DeliveryError, match="bad_hash"):
        folder = forged(asked, tmp_path, lambda table: table)
        (folder / "evaluated.age").write_bytes((asked.request / "blinded.age").read_bytes())
        country.answered(asked.source, folder)
    shutil.rmtree(tmp_path / asked.answer.name)
    with pytest.raises(DeliveryError, match="bad_schema"):
        country.answered(asked.source, forged(asked, tmp_path, lambda table: table.select(["blinded"])))
    hybrid = replace(country, hybrid=True)
    hybrid.files = country.files
    with pytest.raises(DeliveryError, match="blind_mismatch"):
        hybrid.answered(asked.source, asked.answer)


def test_a_mode_knows_only_what_was_asked_for(asked: Asked) -> None:
    mode = asked.country.answered(asked.source, asked.answer)
    stage = mode.stage("NL:BSN-SYN")
    assert stage.fixed(b"", 9) == b""
    for value in (b"700001002", b"1234567890"):
        with pytest.raises(DeliveryError, match="blind_mismatch"):
            stage.one(value)
    with pytest.raises(DeliveryError, match="blind_mismatch"):
        mode.stage("NL:VIP").one(b"V1")
    for attempt in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            attempt(stage)
    assert "700000" not in repr(stage) + repr(mode)


def test_asking_refuses_before_it_writes(country: Country, tmp_path: Path) -> None:
    agreement = country.world.agreement("injus")
    source = country.world.injus(8, name="vooraf.csv")

    def ask(**more: Any) -> int:
        plain = {"state": tmp_path / "s" / "a.key", "sequence": 1, "evaluator": country.told, "keys": country.keys()}
        given = {**plain, **more}
        who = (given.pop("source", source), agreement.declared, agreement, given.pop("keys"), given.pop("evaluator"))
        return blind.ask(*who, tmp_path / "out", **given)

    with pytest.raises(ConfigError, match="wrong_domain"):
        ask(evaluator=country.told.model_copy(update={"epoch": "run-2"}))
    with pytest.raises(ConfigError, match="agreement_mismatch"):
        ask(keys=country.keys("gmsd"))
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="output_exists"):
        ask(state=tmp_path / "taken")
    empty = country.world.injus(1, name="leeg.csv")
    empty.write_text(empty.read_text().splitlines()[0] + "\n")
    with pytest.raises(ConfigError, match="nothing_to_blind"):
        ask(source=empty)
    assert not (tmp_path / "out").exists() and not (tmp_path / "s").exists()
    assert ask(progress=lambda *_: None) == 4 + 2 * PLANTED  # two numbers, two SKNs, and the canaries' of both
    with pytest.raises(ConfigError, match="output_exists"):
        ask(state=tmp_path / "s" / "b.key")


# The evaluator's own door --------------------------------------------------------------------------------------


def signed_again(asked: Asked, tmp_path: Path, table: pa.Table | None = None, **more: Any) -> Path:
    """The request changed by its own source: signed anew."""
    country, folder = asked.country, tmp_path / "request"
    shutil.copytree(asked.request, folder)
    content = json.loads((folder / "request.json").read_text())
    if table is not None:
        (folder / "blinded.age").unlink()
        content["sha256"] = seal.seal(folder / "blinded.age", country.told.recipient, table.schema, [table])
    text = json.dumps({**content, **more}).encode()
    (folder / "request.json").write_bytes(text)
    (folder / "request.sig").write_bytes(signing.sign(country.keys().sign.secret, text))
    return folder


def points_table(values: list[bytes]) -> pa.Table:
    return blind_files.table(blind_files.BLINDED, values)


REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "more than declared": ({"elements": ELEMENTS - 1}, "row_count_mismatch"),
    "fewer than declared": ({"elements": ELEMENTS + 1}, "row_count_mismatch"),
    "over the quota": ({"elements": 5_000_001}, "over_quota"),
    "for another evaluator": ({"evaluator": "00" * 32}, "key_check"),
    "another project": ({"project": "ander"}, "wrong_domain"),
    "another supplier's name": ({"supplier": "dji"}, "key_missing|bad_signature"),
    "free text": ({"note": "700000003"}, "bad_manifest"),
    "another file": ({"sha256": "0" * 64}, "bad_hash"),
}


@pytest.mark.parametrize("case", REQUESTS.values(), ids=REQUESTS)
def test_the_evaluator_refuses(asked: Asked, tmp_path: Path, case: tuple[dict[str, Any], str]) -> None:
    change, code = case
    request, country = signed_again(asked, tmp_path, **change), asked.country
    with pytest.raises((DeliveryError, ConfigError, KeyUnavailable), match=code):
        evaluate(request, country.evaluator, country.world.public, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "bad", [bytes(32), b"\xff" * 32, (3).to_bytes(32, "little")], ids=["identity", "ff", "no square"]
)
def test_the_evaluator_multiplies_no_bad_point(asked: Asked, tmp_path: Path, bad: bytes) -> None:
    request = signed_again(asked, tmp_path, points_table([SUITE.hash_to_group(b"x"), bad]), elements=2)
    with pytest.raises(DeliveryError, match="bad_element"):
        evaluate(request, asked.country.evaluator, asked.country.world.public, tmp_path / "a")


def test_the_evaluator_reads_its_own_columns_only(asked: Asked, tmp_path: Path) -> None:
    loose = pa.schema([pa.field("blinded", pa.binary(32))])
    for table, code in (
        (pa.table({"bsn": ["700000003"]}), "bad_schema"),
        (pa.table([pa.array([None], pa.binary(32))], schema=loose), "bad_schema"),
    ):
        request = signed_again(asked, tmp_path, table)
        with pytest.raises(DeliveryError, match=code):
            evaluate(request, asked.country.evaluator, asked.country.world.public, tmp_path / "a")
        shutil.rmtree(request)
    with pytest.raises(DeliveryError, match="bad_element"):
        blind_files.elements(pa.array([None], pa.binary(32)))


def test_a_request_nobody_signed_is_refused(asked: Asked, tmp_path: Path) -> None:
    folder = shutil.copytree(asked.request, tmp_path / "request")
    (folder / "request.sig").write_bytes(bytes(64))
    with pytest.raises(DeliveryError, match="bad_signature"):
        evaluate(folder, asked.country.evaluator, asked.country.world.public, tmp_path / "a")
    (folder / "request.sig").unlink()
    with pytest.raises(DeliveryError, match="bad_manifest"):
        evaluate(folder, asked.country.evaluator, asked.country.world.public, tmp_path / "a")


def test_with_a_ledger_each_request_is_answered_once_and_in_order(asked: Asked, tmp_path: Path) -> None:
    def go(request: Path, name: str) -> int:
        where = asked.country.evaluator, asked.country.world.public, tmp_path / name
        return evaluate(request, *where, ledger=Ledger(tmp_path / "ledger.json"))

    assert go(asked.request, "een") == ELEMENTS
    with pytest.raises(DeliveryError, match="replay"):
        go(asked.request, "weer")
    with pytest.raises(DeliveryError, match="sequence_gap"):
        go(signed_again(asked, tmp_path, sequence=3), "drie")


def test_a_ledger_bounds_what_a_source_asks_in_all_its_requests_together(asked: Asked, tmp_path: Path) -> None:
    """Exactly the total may be asked; a request that was recorded without its size counts as a full one."""
    book, total = tmp_path / "ledger.json", 2 * ELEMENTS

    def go(sequence: int, **limits: int) -> int:
        request = signed_again(asked, tmp_path / f"asked-{len(list(tmp_path.iterdir()))}", sequence=sequence)
        where = asked.country.evaluator, asked.country.world.public, tmp_path / f"answer-{sequence}"
        return evaluate(request, *where, ledger=Ledger(book), **limits)

    assert [go(1, total=total), go(2, total=total)] == [ELEMENTS, ELEMENTS]
    with pytest.raises(DeliveryError, match="over_quota") as refused:
        go(3, total=total)
    assert refused.value.facts == {"rows": 3 * ELEMENTS, "quota": total}
    assert not (tmp_path / "answer-3").exists()
    old = json.loads(book.read_text())
    book.write_text(json.dumps({"accepted": old["accepted"]}))  # as before sizes were remembered
    with pytest.raises(DeliveryError, match="over_quota"):
        go(3, quota=100, total=2 * 100 + ELEMENTS - 1)
    assert go(3, quota=100, total=2 * 100 + ELEMENTS) == ELEMENTS


@pytest.mark.parametrize("damage", [{"blind": {"dji": {"1": -1}}}, {"blind": {"dji": {"1": "9"}}}, {"blind": 3}, [1]])
def test_a_damaged_count_is_an_error_and_never_nothing(tmp_path: Path, damage: object) -> None:
    (tmp_path / "ledger.json").write_text(json.dumps({"accepted": {}, "counted": damage}))
    with pytest.raises(DeliveryError, match="damaged_ledger"):
        Ledger(tmp_path / "ledger.json")


@pytest.mark.parametrize("text", [b"{", b'{"a": 1, "a": 2}', b"[1]", b" " * (16 << 20) + b"{}"])
def test_a_damaged_answer_is_refused(text: bytes) -> None:
    with pytest.raises(DeliveryError, match="bad_manifest"):
        blind_files.parse(blind_files.Answer, text)


# Keys ----------------------------------------------------------------------------------------------------------


def test_the_evaluators_folder_is_private_and_says_which_key_it_has(evaluator: EvaluatorKeys, tmp_path: Path) -> None:
    for name in ("oprf.key", "age.key"):
        assert (evaluator.folder / name).stat().st_mode & 0o777 == 0o400
    told = load_evaluator(evaluator.folder / "public")
    assert told.key == group.times_base(evaluator.oprf().secret.reveal())
    assert evaluator.oprf().secret.reveal().hex() not in (evaluator.folder / "public" / "evaluator.json").read_text()
    with pytest.raises(ConfigError, match="output_exists"):
        create_evaluator(evaluator.folder, "koppelpunt-demo", "run-1")
    with pytest.raises(ConfigError, match="bad_label"):
        create_evaluator(tmp_path / "x", "Koppelpunt", "run-1")
    with pytest.raises(KeyUnavailable, match="key_missing"):
        load_evaluator(tmp_path)
    for text in ("{", "{}", json.dumps({**told.model_dump(), "public": "00" * 32})):
        (tmp_path / "evaluator.json").write_text(text)
        with pytest.raises(ConfigError, match="bad_public_keys"):
            load_evaluator(tmp_path)


def test_a_source_in_blind_mode_needs_no_shared_secret(make_world: Callable[[], World]) -> None:
    folder = make_world().keys / "suppliers" / "justid"
    (folder / "pre.key").unlink()
    keys = SourceKeys.load(folder)
    assert (keys.supplier, keys.pre) == ("justid", None)
    assert SourceKeys.load(folder).recipient() == keys.recipient()
    with pytest.raises(KeyUnavailable, match="key_missing"):
        SourceKeys.load(folder, hybrid=True)


def test_the_tag_tells_evaluators_modes_projects_and_epochs_apart(asked: Asked) -> None:
    key, pre = asked.country.told.key, asked.country.world.supplier("justid").pre
    tags = {
        blind_tag("demo", "run-1", key, None),
        blind_tag("demo", "run-1", key, pre),
        blind_tag("demo", "run-2", key, None),
        blind_tag("demo2", "run-1", key, None),
        blind_tag("demo", "run-1", bytes(32), None),
        pre.tag,
    }
    assert len(tags) == 6


def test_a_hybrid_mode_asks_for_both_keys_to_be_of_the_project(asked: Asked) -> None:
    told, pre = asked.country.told, asked.country.world.supplier("justid").pre
    mode = Blind(told, pre, Rules.bare(True))
    mode.require("koppelpunt-demo", "run-1")
    with pytest.raises(ConfigError, match="wrong_domain"):
        Blind(told, replace(pre, epoch="run-2"), Rules.bare(True)).require("koppelpunt-demo", "run-1")
    with pytest.raises(ConfigError, match="wrong_domain"):
        mode.require("koppelpunt-demo", "run-2")


def test_distinct_identifiers_are_merged_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    from pseudonymize.columns import canonical_bsn, canonical_opaque

    monkeypatch.setattr("pseudonymize.blind_values.MERGE", 3)
    distinct = Distinct()
    for start in range(5):
        bsns = pa.array([f"{number:09d}" for number in range(700_000_000 + start, 700_000_040)])
        found = {"bsn": canonical_bsn(bsns, synthetic=True)}
        found |= {name: canonical_opaque(pa.array(["S1", f"T{start}"]), name.upper()) for name in ("skn", "vip")}
        distinct.add(found)
    groups = {(name, width): rows for name, width, rows in distinct.groups()}
    wanted = [n for n in range(700_000_000, 700_000_040) if bsn.remainder(f"{n:09d}") == bsn.SYNTHETIC_REMAINDER]
    assert [int(bytes(row)) for row in groups["bsn", 9]] == wanted
    assert len(groups["skn", 2]) == 6
    assert np.unique(groups["vip", 2], axis=0).shape == (6, 2)


def test_a_table_looks_up_like_a_dictionary() -> None:
    table = Table()
    values = [b"b1", b"a1", b"c1"]
    made = [hashlib.sha256(value).digest() for value in values]
    table.put(2, [np.frombuffer(b"".join(values), np.uint8).reshape(-1, 2)], made)
    assert [table.one(value) for value in values] == made
    assert table.fixed(b"c1a1a1", 2, 16) == made[2][:16] + 2 * made[1][:16]
