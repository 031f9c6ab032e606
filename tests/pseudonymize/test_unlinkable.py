"""Statistical unlinkability: the same persons in two domains look like strangers to anyone without a key.

Keys are fixed, so every run computes the same numbers and cannot flake. Each test must also find a planted fault: a
pair of domains that is linked in a way a careless design would link it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from pseudonymize import prf
from pseudonymize.secret import Secret

Bytes = npt.NDArray[np.uint8]
PERSONS = 8_192
SIGMAS = 5.0
K_S, K_T, K_A, K_B = (Secret(hashlib.sha256(name.encode()).digest()) for name in ("s", "t", "a", "b"))


def persons() -> list[bytes]:
    """Link pseudonyms of one population, in the order of their numbers: the worst order for us."""
    pre = prf.pre(K_S, "demo", "run-1", "NL:BSN-SYN")
    link = prf.link(K_T, "demo", "epoch-1")
    return [link.one(pre.one(b"%09d" % number)) for number in range(700_000_000, 700_000_000 + PERSONS)]


def matrix(values: list[bytes]) -> Bytes:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)


LINK = persons()


def domain(key: Secret = K_A, name: str = "onderzoek", epoch: str = "epoch-1") -> list[bytes]:
    stage = prf.recipient(key, "demo", name, epoch)
    return [stage.one(value) for value in LINK]


PAIRS: dict[str, Callable[[], tuple[list[bytes], list[bytes]]]] = {
    "two recipients": lambda: (domain(), domain(K_B, "gemeente")),
    "two epochs of one recipient": lambda: (domain(), domain(K_B, epoch="epoch-2")),
    "two names under one key": lambda: (domain(), domain(name="gemeente")),
    "link and recipient": lambda: (LINK, domain()),
}


def masked() -> tuple[list[bytes], list[bytes]]:
    """One domain is the other with a fixed mask: a 'key' that is only added."""
    mask = hashlib.sha256(b"mask").digest()
    one = domain()
    return one, [bytes(a ^ b for a, b in zip(value, mask, strict=True)) for value in one]


def ordered() -> tuple[list[bytes], list[bytes]]:
    """Fresh random values, given out in the order of the other domain: sorted files line up."""
    one, other = domain(), sorted(domain(K_B, "gemeente"))
    rank = np.argsort(np.argsort([int.from_bytes(value[:8], "big") >> 1 for value in one]))
    return one, [other[place] for place in rank]


def leaking() -> tuple[list[bytes], list[bytes]]:
    """One byte of the other domain's pseudonym is kept, as a checksum or shard number would."""
    one, other = domain(), domain(K_B, "gemeente")
    return one, [b[:31] + a[:1] for a, b in zip(one, other, strict=True)]


def counting() -> tuple[list[bytes], list[bytes]]:
    """Pseudonyms that depend on the order of the persons: a counter under the hash's last bytes."""
    return [v[:30] + i.to_bytes(2, "big") for i, v in enumerate(domain())], domain(K_B, "gemeente")


FAULTS = {
    "a key that is only added": masked,
    "the same order": ordered,
    "a byte that is kept": leaking,
    "a running number": counting,
}


# The tests: each returns how many standard deviations it is away from chance ------------------------------------


def chi_square(one: Bytes, other: Bytes) -> float:
    """Worst z of the 16 x 16 table of a nibble of one domain against a nibble of the other, over all byte pairs."""
    worst = 0.0
    for i in range(32):
        for j in (i, 31, 0):
            table = np.bincount((one[:, i] >> 4).astype(int) * 16 + (other[:, j] >> 4), minlength=256).reshape(16, 16)
            expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
            value = float(((table - expected) ** 2 / np.maximum(expected, 1e-9)).sum())
            worst = max(worst, (value - 225) / np.sqrt(2 * 225))
    return worst


def distance(one: Bytes, other: Bytes) -> float:
    """Hamming distance of a person's two pseudonyms: mean 128 and variance 64 when they are strangers."""
    bits = np.unpackbits(one ^ other, axis=1).sum(1)
    mean = abs(bits.mean() - 128) / np.sqrt(64 / len(bits))
    spread = abs(bits.var() - 64) / (64 * np.sqrt(2 / len(bits)))
    return float(max(mean, spread))


def order(one: Bytes, other: Bytes) -> float:
    """Rank correlation of the sorted files (Spearman), in standard deviations."""
    ranks = [np.argsort(np.argsort(part[:, :8].copy().view(">u8").ravel())) for part in (one, other)]
    rho = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    return abs(rho) * float(np.sqrt(len(one) - 1))


def serial(one: Bytes, other: Bytes) -> float:
    """Serial correlation of a byte over persons in the order of their numbers, the worst of 32, both domains."""
    worst = 0.0
    for part in (one, other):
        for column in part.T.astype(float):
            steps = np.corrcoef(column[:-1], column[1:])[0, 1]
            worst = max(worst, abs(float(steps)) * np.sqrt(len(column) - 1))
    return worst


TESTS = (chi_square, distance, order, serial)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
@pytest.mark.parametrize("pair", PAIRS)
def test_two_domains_look_like_strangers(pair: str, test: Callable[[Bytes, Bytes], float]) -> None:
    one, other = (matrix(values) for values in PAIRS[pair]())
    assert test(one, other) < SIGMAS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_link_is_found(fault: str) -> None:
    one, other = (matrix(values) for values in FAULTS[fault]())
    assert max(test(one, other) for test in TESTS) > 2 * SIGMAS


def test_no_value_is_in_both_domains() -> None:
    for pair in PAIRS.values():
        one, other = pair()
        assert not set(one) & set(other)
        assert len(set(one)) == len(set(other)) == PERSONS
