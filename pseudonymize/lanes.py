"""SHA-256 for many messages of one length at once: 32 lanes that one processor core computes side by side.

Nothing here is designed by us: it is FIPS 180-4, with every variable of the round an array of 32 lanes. The
working variables a..d of round t are the values a had in rounds t..t-3 (and e..h those of e), so two histories
and the message schedule in one scratch buffer hold everything. All distances in that buffer are constant,
which lets LLVM use the widest vectors the machine has. fast.py decides when this runs, and checks it.
Keys come in as arguments only, never as constants: what numba stores on disk is the same for every key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]
N = 32  # lanes
E, W = 68 * N, 136 * N  # in the scratch buffer: history of a (68 rows), of e (68 rows), message schedule (64 rows)
SCRATCH = 200 * N
DIGEST = 8  # words
_JIT: Callable[[Any], Any] = numba.njit(nogil=True, cache=True)


def _primes(count: int) -> list[int]:
    found = [2]
    while len(found) < count:
        found.append(next(n for n in range(found[-1] + 1, 999) if all(n % p for p in found)))
    return found


def _root_bits(number: int, degree: int) -> int:
    """The first 32 bits of the fraction of a square or cube root, by whole numbers (FIPS 180-4, 4.2.2, 5.3.3)."""
    scaled, root = number << (32 * degree), 1 << 40
    while root**degree > scaled:  # Newton, from above
        root = ((degree - 1) * root + scaled // root ** (degree - 1)) // degree
    return root & 0xFFFFFFFF


K: Words = np.array([_root_bits(prime, 3) for prime in _primes(64)], np.uint32)
START: Words = np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32)


@_JIT
def _compress(s: Words) -> None:  # pragma: no cover - compiled: coverage cannot see it, the vectors do
    """One block for every lane: schedule rows 0..15 and history rows 0..3 in, history rows 0..3 out."""
    for row in range(16, 64):
        for i in range(W + row * N, W + row * N + N):
            x, y = s[i - 15 * N], s[i - 2 * N]
            low = ((x >> 7) | (x << 25)) ^ ((x >> 18) | (x << 14)) ^ (x >> 3)
            high = ((y >> 17) | (y << 15)) ^ ((y >> 19) | (y << 13)) ^ (y >> 10)
            s[i] = np.uint32(np.uint32(high) + s[i - 7 * N] + np.uint32(low) + s[i - 16 * N])
    for row in range(64):
        k = K[row]
        for i in range(row * N, row * N + N):
            a, b, c, d = s[i + 3 * N], s[i + 2 * N], s[i + N], s[i]
            e, f, g, h = s[i + E + 3 * N], s[i + E + 2 * N], s[i + E + N], s[i + E]
            high = ((e >> 6) | (e << 26)) ^ ((e >> 11) | (e << 21)) ^ ((e >> 25) | (e << 7))
            low = ((a >> 2) | (a << 30)) ^ ((a >> 13) | (a << 19)) ^ ((a >> 22) | (a << 10))
            first = np.uint32(h + np.uint32(high) + (g ^ (e & (f ^ g))) + k + s[i + W])
            second = np.uint32(np.uint32(low) + ((a & b) | (c & (a | b))))
            s[i + 4 * N] = np.uint32(first + second)
            s[i + E + 4 * N] = np.uint32(d + first)
    for i in range(4 * N):
        s[i] = np.uint32(s[i] + s[i + 64 * N])
        s[i + E] = np.uint32(s[i + E] + s[i + E + 64 * N])


@_JIT
def _start(s: Words, state: Words) -> None:  # pragma: no cover - compiled
    """Give every lane the same chaining value (words a..h)."""
    for row in range(4):
        for i in range(row * N, row * N + N):
            s[i] = state[3 - row]
            s[i + E] = state[7 - row]


@_JIT
def _absorb(s: Words, state: Words, blocks: Words) -> None:  # pragma: no cover - compiled
    """The chaining value after whole blocks that are the same for every lane."""
    _start(s, state)
    for block in range(len(blocks) // 16):
        for row in range(16):
            for i in range(W + row * N, W + row * N + N):
                s[i] = blocks[16 * block + row]
        _compress(s)


@_JIT
def _load(  # noqa: PLR0917  # pragma: no cover - compiled
    s: Words, words: Words, at: int, values: Bytes, first: int, width: int
) -> None:
    """One block of every lane's message: constant words, and the bytes of its value from byte `at` of the block."""
    last = len(values) // width - 1
    for row in range(16):
        begin = 4 * row - at
        if begin > -4 and begin < width:
            for lane in range(N):
                place = min(first + lane, last) * width + begin  # the last group repeats its last value
                word = words[row]
                for byte in range(max(-begin, 0), min(width - begin, 4)):
                    word |= np.uint32(values[place + byte]) << np.uint32(24 - 8 * byte)
                s[W + row * N + lane] = word
        else:
            for lane in range(N):
                s[W + row * N + lane] = words[row]


@_JIT
def _outer_block(s: Words) -> None:  # pragma: no cover - compiled
    """The inner digest as the one block of the outer hash: 32 bytes after a pad of 64."""
    for row in range(4):
        for lane in range(N):
            s[W + row * N + lane] = s[(3 - row) * N + lane]
            s[W + (4 + row) * N + lane] = s[E + (3 - row) * N + lane]
    for i in range(W + 8 * N, W + 16 * N):
        s[i] = np.uint32(0)
    for i in range(N):
        s[W + 8 * N + i] = np.uint32(0x80000000)
        s[W + 15 * N + i] = np.uint32(96 * 8)


@_JIT
def _store(s: Words, out: Words, first: int) -> None:  # pragma: no cover - compiled
    """Digests of the lanes that have a value of their own, as big-endian words."""
    for lane in range(min(N, len(out) // DIGEST - first)):
        for word in range(DIGEST):
            x = s[(3 - word) * N + lane] if word < 4 else s[E + (7 - word) * N + lane]
            swapped = (x >> 24) | ((x >> 8) & 0xFF00) | ((x << 8) & 0xFF0000) | (x << 24)
            out[(first + lane) * DIGEST + word] = np.uint32(swapped)


@_JIT
def hmac_batch(  # noqa: PLR0917  # pragma: no cover - compiled
    inner: Words, outer: Words, words: Words, at: int, values: Bytes, width: int, out: Words
) -> None:
    """HMACs of all values. `words`: padded message after the chaining value `inner`; value at byte `at` of it."""
    s = np.empty(SCRATCH, np.uint32)
    for first in range(0, len(out) // DIGEST, N):
        _start(s, inner)
        for block in range(len(words) // 16):
            _load(s, words[16 * block : 16 * block + 16], at - 64 * block, values, first, width)
            _compress(s)
        _outer_block(s)
        _start(s, outer)
        _compress(s)
        _store(s, out, first)
    s[:] = 0  # the scratch held key-dependent states


def absorbed(state: Words, data: bytes) -> Words:
    """Chaining value after `data`, whole blocks."""
    scratch = np.zeros(SCRATCH, np.uint32)
    _absorb(scratch, state, np.frombuffer(data, ">u4").astype(np.uint32))
    rows = [*(3 - word for word in range(4)), *(68 + 3 - word for word in range(4))]
    return scratch.reshape(-1, N)[rows, 0].copy()
