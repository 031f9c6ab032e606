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
STEP = 8  # rounds, and words of the schedule, that one pass over the lanes computes
DIGEST = 8  # words
# Places as numbers without a sign: one that might be negative is looked at for each lane, and ends the vectors.
_ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX, _SEVEN = map(np.uint64, range(1, 8))
_JIT: Callable[[Any], Any] = numba.njit(nogil=True, cache=True)
_INLINE: Callable[[Any], Any] = numba.njit(nogil=True, cache=True, forceinline=True)  # a call would end the vectors


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


@_INLINE
def _word(w: Any, w1: Any, w9: Any, w14: Any) -> Any:  # pragma: no cover - compiled: the vectors see it
    """A word of the message schedule from those 16, 15, 7 and 2 places before it (FIPS 180-4, 6.2.2)."""
    low = ((w1 >> 7) | (w1 << 25)) ^ ((w1 >> 18) | (w1 << 14)) ^ (w1 >> 3)
    high = ((w14 >> 17) | (w14 << 15)) ^ ((w14 >> 19) | (w14 << 13)) ^ (w14 >> 10)
    return np.uint32(np.uint32(high) + w9 + np.uint32(low) + w)


@_JIT
def _schedule(s: Words) -> None:  # pragma: no cover - compiled
    """Schedule rows 16..63 from rows 0..15, eight in a pass: what a pass makes and uses again stays in registers."""
    for row in range(16, 64, STEP):
        for i in range(W + row * N, W + row * N + N):
            w0 = _word(s[i - 16 * N], s[i - 15 * N], s[i - 7 * N], s[i - 2 * N])
            w1 = _word(s[i - 15 * N], s[i - 14 * N], s[i - 6 * N], s[i - N])
            w2 = _word(s[i - 14 * N], s[i - 13 * N], s[i - 5 * N], w0)
            w3 = _word(s[i - 13 * N], s[i - 12 * N], s[i - 4 * N], w1)
            w4 = _word(s[i - 12 * N], s[i - 11 * N], s[i - 3 * N], w2)
            w5 = _word(s[i - 11 * N], s[i - 10 * N], s[i - 2 * N], w3)
            w6 = _word(s[i - 10 * N], s[i - 9 * N], s[i - N], w4)
            w7 = _word(s[i - 9 * N], s[i - 8 * N], w0, w5)
            s[i], s[i + N], s[i + 2 * N], s[i + 3 * N] = w0, w1, w2, w3
            s[i + 4 * N], s[i + 5 * N], s[i + 6 * N], s[i + 7 * N] = w4, w5, w6, w7


@_INLINE
def _round(  # noqa: PLR0917  # pragma: no cover - compiled
    a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, kw: Any
) -> tuple[Any, Any]:
    """One round (FIPS 180-4, 6.2.2): what takes the places of d and h, as the next round's e and a."""
    high = ((e >> 6) | (e << 26)) ^ ((e >> 11) | (e << 21)) ^ ((e >> 25) | (e << 7))
    low = ((a >> 2) | (a << 30)) ^ ((a >> 13) | (a << 19)) ^ ((a >> 22) | (a << 10))
    first = np.uint32(h + np.uint32(high) + (g ^ (e & (f ^ g))) + kw)
    second = np.uint32(np.uint32(low) + ((a & b) | (c & (a | b))))
    return np.uint32(d + first), np.uint32(first + second)


@_INLINE
def _rounds(s: Words, row: int) -> None:  # pragma: no cover - compiled
    """Eight rounds of every lane: history rows row..row+3 in, row+8..row+11 out; those between stay in registers."""
    k0, k1, k2, k3, k4, k5, k6, k7 = (
        *(K[row], K[row + 1], K[row + 2], K[row + 3]),
        *(K[row + 4], K[row + 5], K[row + 6], K[row + 7]),
    )
    for i in range(row * N, row * N + N):
        a, b, c, d = s[i + 3 * N], s[i + 2 * N], s[i + N], s[i]
        e, f, g, h = s[i + E + 3 * N], s[i + E + 2 * N], s[i + E + N], s[i + E]
        d, h = _round(a, b, c, d, e, f, g, h, k0 + s[i + W])
        c, g = _round(h, a, b, c, d, e, f, g, k1 + s[i + W + N])
        b, f = _round(g, h, a, b, c, d, e, f, k2 + s[i + W + 2 * N])
        a, e = _round(f, g, h, a, b, c, d, e, k3 + s[i + W + 3 * N])
        h, d = _round(e, f, g, h, a, b, c, d, k4 + s[i + W + 4 * N])
        g, c = _round(d, e, f, g, h, a, b, c, k5 + s[i + W + 5 * N])
        f, b = _round(c, d, e, f, g, h, a, b, k6 + s[i + W + 6 * N])
        e, a = _round(b, c, d, e, f, g, h, a, k7 + s[i + W + 7 * N])
        s[i + 11 * N], s[i + 10 * N], s[i + 9 * N], s[i + 8 * N] = a, b, c, d
        s[i + E + 11 * N], s[i + E + 10 * N], s[i + E + 9 * N], s[i + E + 8 * N] = e, f, g, h


@_JIT
def _compress(s: Words, done: int) -> None:  # pragma: no cover - compiled
    """One block for every lane: schedule rows 0..15 and history rows 0..3 in, history rows 0..3 out.

    `done` rounds (a multiple of STEP) are in the history already.
    """
    _schedule(s)
    for row in range(0, 64, STEP):  # from a constant, so that no index can be negative: else no vectors
        if row >= done:
            _rounds(s, row)
    for i in range(4 * N):
        s[i] = np.uint32(s[i] + s[i + 64 * N])
        s[i + E] = np.uint32(s[i + E] + s[i + E + 64 * N])


@_JIT
def _start(s: Words, state: Words, row: int) -> None:  # pragma: no cover - compiled
    """Give every lane the same working variables a..h, in history rows row..row+3."""
    for word in range(4):
        for i in range((row + word) * N, (row + word) * N + N):
            s[i] = state[3 - word]
            s[i + E] = state[7 - word]


@_JIT
def _absorb(s: Words, state: Words, blocks: Words) -> None:  # pragma: no cover - compiled
    """The chaining value after whole blocks that are the same for every lane."""
    _start(s, state, 0)
    for block in range(len(blocks) // 16):
        for row in range(16):
            for i in range(W + row * N, W + row * N + N):
                s[i] = blocks[16 * block + row]
        _compress(s, 0)


@_INLINE
def _swapped(x: Any) -> Any:  # pragma: no cover - compiled
    """The four bytes of a word in the other order."""
    return np.uint32((x >> 24) | ((x >> 8) & 0xFF00) | ((x << 8) & 0xFF0000) | (x << 24))


@_INLINE
def _four(values: Bytes, v: Any) -> Any:  # pragma: no cover - compiled
    """Four bytes as a big-endian word: read lowest first, which the compiler makes one load of."""
    low = np.uint32(values[v]) | (np.uint32(values[v + _ONE]) << 8)
    return _swapped(np.uint32(low | (np.uint32(values[v + _TWO]) << 16) | (np.uint32(values[v + _THREE]) << 24)))


@_JIT
def _load(  # noqa: PLR0917  # pragma: no cover - compiled
    s: Words, words: Words, at: int, values: Bytes, first: int, width: int
) -> None:
    """One block of every lane's message: constant words, and the bytes of its value from byte `at` of the block.

    Where a word holds only some bytes of the value, the nearest four are read and shifted into place.
    """
    for row in range(16):
        begin, word, to = 4 * row - at, words[row], W + row * N
        if begin <= -4 or begin >= width:
            for lane in range(N):
                s[to + lane] = word
        elif width < 4:
            for lane in range(N):
                s[to + lane] = word
            for byte in range(max(-begin, 0), min(width - begin, 4)):
                shift = np.uint32(24 - 8 * byte)
                for lane in range(N):
                    s[to + lane] |= np.uint32(values[(first + lane) * width + begin + byte]) << shift
        else:
            near = min(max(begin, 0), width - 4)
            left, right = np.uint32(8 * max(begin - near, 0)), np.uint32(8 * max(near - begin, 0))
            v, step = np.uint64(first * width + near), np.uint64(width)
            for lane in range(N):
                found = np.uint32(np.uint32(_four(values, v + np.uint64(lane) * step) << left) >> right)
                s[to + lane] = word | found


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
    """Digests of the lanes as big-endian words: rows of lanes in, rows of words out."""
    begin = np.uint64(first * DIGEST)
    for lane in range(N):
        o = begin + np.uint64(lane * DIGEST)
        out[o] = _swapped(s[3 * N + lane])
        out[o + _ONE] = _swapped(s[2 * N + lane])
        out[o + _TWO] = _swapped(s[N + lane])
        out[o + _THREE] = _swapped(s[lane])
        out[o + _FOUR] = _swapped(s[E + 3 * N + lane])
        out[o + _FIVE] = _swapped(s[E + 2 * N + lane])
        out[o + _SIX] = _swapped(s[E + N + lane])
        out[o + _SEVEN] = _swapped(s[E + lane])


@_JIT
def _ahead(s: Words, state: Words, words: Words) -> Words:  # pragma: no cover - compiled
    """Working variables a..h after the first eight rounds of a block whose first eight words no value touches."""
    _start(s, state, 0)
    for row in range(STEP):
        for i in range(W + row * N, W + row * N + N):
            s[i] = words[row]
    _rounds(s, 0)
    after = np.empty(8, np.uint32)
    for word in range(4):
        after[3 - word] = s[(STEP + word) * N]
        after[7 - word] = s[E + (STEP + word) * N]
    return after


@_JIT
def hmac_batch(  # noqa: PLR0917  # pragma: no cover - compiled
    inner: Words, outer: Words, words: Words, at: int, values: Bytes, width: int, out: Words
) -> None:
    """HMACs of N values or more. `words`: padded message after the chaining value `inner`; value at byte `at` of it."""
    s = np.empty(SCRATCH, np.uint32)
    count = len(out) // DIGEST
    same = STEP if at >= 4 * STEP else 0  # rounds that are the same for every value: done once
    after = _ahead(s, inner, words)
    for group in range(0, count, N):
        first = min(group, count - N)  # the last group may do some values again
        _start(s, inner, 0)
        _start(s, after, STEP)
        for block in range(len(words) // 16):
            _load(s, words[16 * block : 16 * block + 16], at - 64 * block, values, first, width)
            _compress(s, same if block == 0 else 0)
        _outer_block(s)
        _start(s, outer, 0)
        _compress(s, 0)
        _store(s, out, first)
    s[:] = 0  # the scratch held key-dependent states
    after[:] = 0


def absorbed(state: Words, data: bytes) -> Words:
    """Chaining value after `data`, whole blocks."""
    scratch = np.zeros(SCRATCH, np.uint32)
    _absorb(scratch, state, np.frombuffer(data, ">u4").astype(np.uint32))
    rows = [*(3 - word for word in range(4)), *(68 + 3 - word for word in range(4))]
    return scratch.reshape(-1, N)[rows, 0].copy()
