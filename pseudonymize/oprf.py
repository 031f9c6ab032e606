"""RFC 9497, ristretto255-SHA512: an oblivious PRF, plain (mode 0) and verifiable (mode 1), one value or a batch.

The client blinds, the evaluator multiplies by its key without seeing the value, the client unblinds and hashes.
In mode 1 one proof (DLEQ) says that every element of a batch was multiplied by the key behind the public key.
Function names follow the RFC. Group and scalar operations are libsodium's (ristretto.py).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pseudonymize import ristretto as group
from pseudonymize.secret import Secret
from schemas.errors import DeliveryError

OPRF, VOPRF = 0, 1
OUTPUT = 64
PROOF = 2 * group.BYTES
MAX_BATCH = 0xFFFF  # the composite counts elements in two bytes
MAX_INPUT = 0xFFFF
_PAD = hashlib.sha512(bytes(128))  # expand_message_xmd begins with a block of zeros


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _expand(message: bytes, domain: bytes) -> bytes:
    """expand_message_xmd of RFC 9380 section 5.3.1 with SHA-512, for 64 bytes: one block after the first."""
    ending = domain + len(domain).to_bytes(1, "big")
    first = _PAD.copy()
    first.update(message + group.WIDE.to_bytes(2, "big") + b"\0" + ending)
    return hashlib.sha512(first.digest() + b"\1" + ending).digest()


@dataclass(frozen=True)
class Suite:
    """The functions of one mode; the mode is part of every hash."""

    mode: int

    @property
    def context(self) -> bytes:
        """Context string of section 3.1."""
        return b"OPRFV1-" + self.mode.to_bytes(1, "big") + b"-ristretto255-SHA512"

    def hash_to_group(self, value: bytes) -> bytes:
        """The element of a value. DeliveryError bad_element for the identity (nobody can find such a value)."""
        return group.require_element(group.from_hash(_expand(value, b"HashToGroup-" + self.context)))

    def hash_to_scalar(self, value: bytes, domain: bytes = b"HashToScalar-") -> bytes:
        """The scalar of a value."""
        return group.reduce(_expand(value, domain + self.context))

    def derive_key_pair(self, seed: bytes, info: bytes) -> tuple[Secret, bytes]:
        """Private and public key of a 32-byte seed (section 3.2.1)."""
        for counter in range(256):
            found = self.hash_to_scalar(seed + _sized(info) + counter.to_bytes(1, "big"), b"DeriveKeyPair")
            if found != group.IDENTITY:
                break
        return Secret(found), group.times_base(found)

    def blind(self, value: bytes, scalar: bytes) -> bytes:
        """Blinded element of a value (section 3.3.1); `scalar` is random and used once."""
        return group.times(scalar, self.hash_to_group(value))

    def finalize(self, value: bytes, inverse: bytes, evaluated: bytes) -> bytes:
        """The 64-byte output, from an evaluated element and the inverse of the blind."""
        unblinded = group.times(inverse, evaluated)
        return hashlib.sha512(_sized(value) + _sized(unblinded) + b"Finalize").digest()

    def evaluate(self, key: Secret, value: bytes) -> bytes:
        """The 64-byte output for somebody who holds key and value: the second way, for tests."""
        element = group.times(key.reveal(), self.hash_to_group(value))
        return hashlib.sha512(_sized(value) + _sized(element) + b"Finalize").digest()

    def prove(
        self,
        key: Secret,
        public: bytes,
        blinded: Sequence[bytes],
        evaluated: Sequence[bytes],
        *,
        nonce: bytes | None = None,
    ) -> bytes:
        """Proof that every evaluated element is the key times its blinded one (section 2.2.1), 64 bytes.

        `nonce` is for the published vectors; else it is random. It must never be used twice.
        """
        factors = self.factors(public, blinded, evaluated)
        left = combine(factors, blinded)
        secret = nonce or group.random_scalar()
        parts = left, group.times(key.reveal(), left), group.times_base(secret), group.times(secret, left)
        challenge = self._challenge(public, *parts)
        return challenge + group.minus(secret, group.product(challenge, key.reveal()))

    def verify(self, public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes) -> None:
        """DeliveryError bad_proof unless the proof holds for exactly these elements and this public key.

        Elements must have passed ristretto.require_element. Section 2.2.2.
        """
        if len(proof) != PROOF or len(blinded) != len(evaluated):
            raise DeliveryError("bad_proof")
        factors = self.factors(public, blinded, evaluated)
        self.verify_composite(public, combine(factors, blinded), combine(factors, evaluated), proof)

    def verify_composite(self, public: bytes, left: bytes, right: bytes, proof: bytes) -> None:
        """The last step of `verify`, on the two weighted sums."""
        try:
            challenge, answer = (group.require_scalar(proof[: group.BYTES]), group.require_scalar(proof[group.BYTES :]))
            base = group.add(group.times_base(answer), group.times(challenge, public))
            other = group.add(group.times(answer, left), group.times(challenge, right))
        except DeliveryError:
            raise DeliveryError("bad_proof") from None
        if not hmac.compare_digest(challenge, self._challenge(public, left, right, base, other)):
            raise DeliveryError("bad_proof")

    def factors(self, public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
        """One scalar per element, from a hash over all that is proven (ComputeComposites, section 2.2.1)."""
        if not 1 <= len(blinded) <= MAX_BATCH:
            raise DeliveryError("bad_batch", rows=len(blinded))
        seed = _sized(hashlib.sha512(_sized(public) + _sized(b"Seed-" + self.context)).digest())
        return [
            self.hash_to_scalar(seed + number.to_bytes(2, "big") + _sized(one) + _sized(other) + b"Composite")
            for number, (one, other) in enumerate(zip(blinded, evaluated, strict=True))
        ]

    def _challenge(self, public: bytes, *parts: bytes) -> bytes:
        return self.hash_to_scalar(b"".join(map(_sized, (public, *parts))) + b"Challenge")


def combine(factors: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    """Sum of factor times element, in the order given."""
    total = group.IDENTITY
    for factor, element in zip(factors, elements, strict=True):
        total = group.add(total, group.times(factor, element))
    return total


def inverses(scalars: Sequence[bytes]) -> list[bytes]:
    """The inverse of each scalar: one inversion and three products per scalar (Montgomery's trick)."""
    if not scalars:
        return []
    running = list(accumulate(scalars, group.product))
    rest = group.invert(running[-1])
    found = [b""] * len(scalars)
    for place in range(len(scalars) - 1, 0, -1):
        found[place] = group.product(rest, running[place - 1])
        rest = group.product(rest, scalars[place])
    found[0] = rest
    return found
