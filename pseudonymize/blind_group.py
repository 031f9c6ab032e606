"""The heavy half of the oblivious PRF, over both cores: libsodium works outside the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain
from typing import TypeVar

from pseudonymize import ristretto as group
from pseudonymize.fast import THREADS
from pseudonymize.oprf import VOPRF, Suite, combine
from pseudonymize.secret import Secret

SUITE = Suite(VOPRF)
_One = TypeVar("_One")
_Made = TypeVar("_Made")


def spread(work: Callable[[_One], _Made], items: list[_One]) -> list[_Made]:
    """[work(item) for item in items]."""
    size = max(1, -(-len(items) // THREADS))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return list(chain.from_iterable(_pool().map(lambda part: [work(item) for item in part], parts)))


def weighted(factors: list[bytes], elements: list[bytes]) -> bytes:
    """oprf.combine; the group's addition does not care about order."""
    half = (len(factors) + 1) // 2
    left = _pool().submit(combine, factors[:half], elements[:half])
    return group.add(combine(factors[half:], elements[half:]), left.result())


def prove(key: Secret, public: bytes, blinded: list[bytes], evaluated: list[bytes]) -> bytes:
    """Suite.prove."""
    return SUITE.prove_composite(key, public, weighted(SUITE.factors(public, blinded, evaluated), blinded))


def verify(public: bytes, blinded: list[bytes], evaluated: list[bytes], proof: bytes) -> None:
    """Suite.verify, elements checked first. DeliveryError bad_element or bad_proof."""
    spread(group.require_element, blinded + evaluated)
    factors = SUITE.factors(public, blinded, evaluated)
    SUITE.verify_composite(public, weighted(factors, blinded), weighted(factors, evaluated), proof)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="group")
