"""RFC 9497: the published answers, a second implementation, and everything that must be refused."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from pathlib import Path

import pytest
import voprf.ristretto as other
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymize import ristretto as group
from pseudonymize.blind_group import prove, verify
from pseudonymize.oprf import OPRF, VOPRF, Suite, combine, inverses
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, DeliveryError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc9497.json").read_text())
ORDER = 2**252 + 27742317777372353535851937790883648493
MODES = {"oprf": OPRF, "voprf": VOPRF}
CASES = [(mode, vector) for mode in MODES for vector in VECTORS[mode]["vectors"]]
SUITE = Suite(VOPRF)
SEED = bytes(range(32))


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def key_of(mode: str) -> Secret:
    return Secret(bytes.fromhex(VECTORS[mode]["skSm"]))


@pytest.mark.parametrize("mode", MODES)
def test_the_key_pair_is_derived_as_published(mode: str) -> None:
    secret, public = Suite(MODES[mode]).derive_key_pair(*unhex([VECTORS["seed"], VECTORS["key_info"]]))
    assert secret == key_of(mode)
    if mode == "voprf":
        assert public.hex() == VECTORS[mode]["pkSm"]


@pytest.mark.parametrize(("mode", "vector"), CASES, ids=[vector["name"] for _, vector in CASES])
def test_the_published_answers(mode: str, vector: dict[str, list[str]]) -> None:
    suite, key = Suite(MODES[mode]), key_of(mode)
    values, blinds = unhex(vector["input"]), unhex(vector["blind"])
    blinded = [suite.blind(value, blind) for value, blind in zip(values, blinds, strict=True)]
    assert [one.hex() for one in blinded] == vector["blinded"]
    evaluated = [group.times(key.reveal(), one) for one in blinded]
    assert [one.hex() for one in evaluated] == vector["evaluated"]
    outputs = [suite.finalize(*three) for three in zip(values, inverses(blinds), evaluated, strict=True)]
    assert [one.hex() for one in outputs] == vector["output"]
    assert outputs == [suite.evaluate(key, value) for value in values]


@pytest.mark.parametrize("vector", VECTORS["voprf"]["vectors"], ids=lambda vector: vector["name"])
def test_the_published_proofs_are_made_and_verified(vector: dict[str, list[str]]) -> None:
    key, public = key_of("voprf"), bytes.fromhex(VECTORS["voprf"]["pkSm"])
    blinded, evaluated = unhex(vector["blinded"]), unhex(vector["evaluated"])
    nonce, proof = bytes.fromhex(str(vector["r"])), bytes.fromhex(str(vector["proof"]))
    assert SUITE.prove(key, public, blinded, evaluated, nonce=nonce) == proof
    SUITE.verify(public, blinded, evaluated, proof)
    verify(public, blinded, evaluated, proof)


@settings(max_examples=10)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5), st.binary(min_size=32, max_size=32))
def test_a_second_implementation_agrees_as_evaluator(values: list[bytes], seed: bytes) -> None:
    """Blind here, evaluate and prove there (RustCrypto's voprf), verify and finalize here."""
    evaluator = other.Evaluator.from_seed(seed, b"test key")
    key, public = SUITE.derive_key_pair(seed, b"test key")
    assert evaluator.public_key.serialize() == public
    blinds = [group.random_scalar() for _ in values]
    blinded = [SUITE.blind(value, blind) for value, blind in zip(values, blinds, strict=True)]
    for value, blind, one in zip(values, blinds, blinded, strict=True):
        raw = evaluator.evaluate(other.BlindedInput.deserialize(one)).serialize()
        evaluated = group.times(key.reveal(), one)
        proof = raw.replace(evaluated, b"", 1) if evaluated in raw else pytest.fail("another element")
        SUITE.verify(public, [one], [evaluated], proof[-64:])
        output = SUITE.finalize(value, group.invert(blind), evaluated)
        assert output == bytes(evaluator.evaluate_known_input(value))


def numbers(count: int) -> tuple[Secret, bytes, list[bytes], list[bytes]]:
    key, public = SUITE.derive_key_pair(SEED, b"test")
    blinded = [SUITE.blind(b"%d" % number, group.random_scalar()) for number in range(count)]
    return key, public, blinded, [group.times(key.reveal(), one) for one in blinded]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_both_cores_prove_and_verify_what_one_does(count: int) -> None:
    key, public, blinded, evaluated = numbers(count)
    SUITE.verify(public, blinded, evaluated, prove(key, public, blinded, evaluated))
    verify(public, blinded, evaluated, SUITE.prove(key, public, blinded, evaluated))


def test_a_wrong_key_a_changed_element_and_a_changed_proof_are_seen() -> None:
    key, public, blinded, evaluated = numbers(4)
    proof = SUITE.prove(key, public, blinded, evaluated)
    wrong, wrong_public = SUITE.derive_key_pair(bytes(32), b"test")
    by_wrong = [group.times(wrong.reveal(), one) for one in blinded]
    attempts = {
        "evaluated and proven under another key": (
            public,
            blinded,
            by_wrong,
            prove(wrong, wrong_public, blinded, by_wrong),
        ),
        "one element under another key": (public, blinded, [*evaluated[:3], by_wrong[3]], proof),
        "two answers swapped": (public, blinded, [evaluated[1], evaluated[0], *evaluated[2:]], proof),
        "another public key": (wrong_public, blinded, evaluated, proof),
        "an element left out": (public, blinded[:3], evaluated[:3], proof),
        "fewer answers than questions": (public, blinded, evaluated[:3], proof),
        "a short proof": (public, blinded, evaluated, proof[:63]),
        "a flipped bit": (public, blinded, evaluated, bytes([proof[0] ^ 1]) + proof[1:]),
        "an answer scalar that is not canonical": (public, blinded, evaluated, proof[:32] + b"\xff" * 32),
        "an empty proof": (public, blinded, evaluated, bytes(64)),
    }
    for name, (told, asked, given_back, shown) in attempts.items():
        with pytest.raises(DeliveryError, match="bad_proof"):
            SUITE.verify(told, asked, given_back, shown)
            pytest.fail(name)


def test_a_key_swapped_for_one_row_alone_is_seen() -> None:
    """An evaluator that tags one person of a source with a key of their own is caught by the batch's one proof."""
    key, public, blinded, evaluated = numbers(20)
    tag = group.random_scalar()
    for place in (0, 10, 19):
        tagged = [*evaluated]
        tagged[place] = group.times(tag, blinded[place])
        with pytest.raises(DeliveryError, match="bad_proof"):
            verify(public, blinded, tagged, prove(key, public, blinded, tagged))


BAD = {
    "identity": bytes(32),
    "short": bytes(31),
    "long": bytes(33),
    "not canonical: p + 1": ((2**255 - 19) + 1).to_bytes(32, "little"),
    "negative": (2**255 - 20).to_bytes(32, "little"),
    "no square": (3).to_bytes(32, "little"),
    "high bit": b"\xff" * 32,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_element_is_refused(data: bytes) -> None:
    """RFC 9496 section 4.3.1; RFC 9497 section 3.1 refuses the identity too."""
    with pytest.raises(DeliveryError, match="bad_element"):
        group.require_element(data)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_an_element_is_refused_or_multiplies(data: bytes) -> None:
    try:
        found = group.require_element(data)
    except DeliveryError:
        return
    assert group.require_element(group.times(SEED, found)) != found


def test_scalars_are_canonical_or_refused() -> None:
    assert group.require_scalar(SEED[:31] + b"\0") == SEED[:31] + b"\0"
    assert group.require_scalar(bytes(32)) == bytes(32)
    for bad in (ORDER.to_bytes(32, "little"), b"\xff" * 32, bytes(31), bytes(64)):
        with pytest.raises(DeliveryError, match="bad_element"):
            group.require_scalar(bad)
    assert group.require_scalar((ORDER - 1).to_bytes(32, "little"))
    for zero in (lambda: group.times(bytes(32), SUITE.hash_to_group(b"x")), lambda: group.times_base(bytes(32))):
        with pytest.raises(DeliveryError, match="bad_element"):
            zero()


@given(st.lists(st.integers(1, ORDER - 1), max_size=6))
@settings(max_examples=30)
def test_inverses_are_those_of_whole_numbers(values: list[int]) -> None:
    found = inverses([value.to_bytes(32, "little") for value in values])
    assert [int.from_bytes(one, "little") for one in found] == [pow(value, -1, ORDER) for value in values]


@given(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=4))
@settings(max_examples=20)
def test_a_weighted_sum_of_the_base_is_the_base_times_the_sum(values: list[int]) -> None:
    base = group.times_base((1).to_bytes(32, "little"))
    total = combine([value.to_bytes(32, "little") for value in values], [base] * len(values))
    wanted = sum(values) % ORDER
    assert total == (group.times_base(wanted.to_bytes(32, "little")) if wanted else group.IDENTITY)


@pytest.mark.parametrize("count", [0, 65_536])
def test_a_proof_covers_one_to_65535_elements(count: int) -> None:
    element = SUITE.hash_to_group(b"x")
    with pytest.raises(DeliveryError, match="bad_batch"):
        SUITE.factors(element, [element] * count, [element] * count)


def test_the_mode_is_part_of_every_hash() -> None:
    assert Suite(OPRF).hash_to_group(b"x") != Suite(VOPRF).hash_to_group(b"x")
    assert Suite(OPRF).hash_to_scalar(b"x") != Suite(VOPRF).hash_to_scalar(b"x")


def test_a_blinded_element_fits_any_identifier() -> None:
    """Whatever the identifier is, some blind gives the same point: the evaluator cannot tell them apart."""
    one, other_element = SUITE.hash_to_group(b"a"), SUITE.hash_to_group(b"b")
    assert one != other_element
    seen = {SUITE.blind(b"a", group.random_scalar()) for _ in range(5)}
    assert len(seen) == 5


def test_without_the_package_blind_mode_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rbcl", None)
    group._sodium.cache_clear()
    with pytest.raises(ConfigError, match="blind_unavailable"):
        group.require_available()
    monkeypatch.undo()
    group.require_available()


def test_the_unpacked_library_does_not_stay_behind() -> None:
    group.require_available()
    assert not Path(sys.modules["rbcl._sodium"].lib_path).exists()


def test_the_key_is_a_secret() -> None:
    key, _ = SUITE.derive_key_pair(SEED, b"")
    assert key.reveal().hex() not in repr(key)
    for attempt in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            attempt(key)
