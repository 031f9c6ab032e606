"""When the lanes kernel computes a batch, and how it is held to the reference. docs/decisions/0016.

Loading costs about a second, so the kernel is loaded once enough values passed in this process. Before its
first use it must equal the reference on published vectors and on every message length from 0 to 119; on every
batch it must equal it on a sample drawn at random. When it does not, or is not installed, the reference does
all the work from then on and `state()` says why: the result is the same, only slower.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import itertools
import os
import secrets
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Never

import numpy as np
import numpy.typing as npt

from pseudonymize.secret import Secret

THRESHOLD = 1_000_000  # values, computed or expected, that the kernel is loaded for: by the reference they cost as much
SAMPLE = 10_000  # one value in so many is computed by the reference too, at least one per batch
PIECE = 4_096  # values that the kernel gets at a time
SHARE = 16_384  # fewer values than this are not worth a second thread
THREADS = min(2, os.cpu_count() or 1)
OFF, WAITING, ON = "off", "waiting", "on"
BLOCK, DIGEST = 64, 32
_WORDS = DIGEST // 4
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
# RFC 4231 cases 1, 2 and 6: key, data, HMAC-SHA-256.
_VECTORS = (
    ("0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
)


class Switch:
    """What this process decided about the kernel; `reason` is one of our own words, never data."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.state, self.reason, self.seen, self.checked = WAITING, "", 0, 0
        self.kernel: ModuleType | None = None

    def off(self, reason: str) -> None:
        """The reference from now on."""
        self.state, self.reason, self.kernel = OFF, reason, None


switch = Switch()


def state() -> dict[str, Any]:
    """For the answer of a verb: whether the kernel ran, and if not why."""
    return {"kernel": switch.state, "reason": switch.reason, "checked": switch.checked}


def told() -> dict[str, str]:
    """The same in a manifest: `fallback` is `none`, `few_values` (not worth loading it), or what was wrong with it."""
    reason = switch.reason or ("few_values" if switch.state == WAITING else "none")
    return {"hmac": "fast" if switch.state == ON else "reference", "fallback": reason}


def expect(count: int) -> None:
    """So many values are to come: what will be worth the kernel gets it from the first batch on."""
    with switch.lock:
        switch.seen += count


def running() -> bool:
    """True when the kernel computes here, so that equal values cost less to compute again than to find."""
    return switch.state == ON


def ready(count: int) -> bool:
    """True when the kernel shall compute a batch of `count` values; loads and tests it when it is time."""
    with switch.lock:
        switch.seen += count
        if switch.state == WAITING and switch.seen >= _threshold():
            _turn_on()
        return switch.state == ON


def _threshold() -> int:
    told = os.environ.get("KOPPEL_FAST", "")
    return int(told) if told.isdigit() and len(told) < 12 else THRESHOLD


def _turn_on() -> None:
    if os.environ.get("KOPPEL_FAST") == "off":
        switch.off("switched_off")
        return
    folder = _private_folder()
    if folder is None:
        switch.off("no_private_cache")
        return
    try:
        kernel = _load(folder)
        sound = proven(kernel)
    except Exception:  # noqa: BLE001 - a missing or broken compiler must never stop a delivery
        switch.off("not_installed")
        return
    if sound:
        switch.state, switch.kernel = ON, kernel
    else:
        switch.off("self_test_failed")


def _private_folder() -> Path | None:
    """Where compiled code is kept: KOPPEL_CACHE or ~/.cache/koppelpunt/lanes. None unless it is ours alone.

    numba runs what it finds there, so a folder that somebody else may write is as good as no folder.
    """
    try:
        folder = Path(os.environ.get("KOPPEL_CACHE") or Path.home() / ".cache" / "koppelpunt" / "lanes")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat(follow_symlinks=False)
    except (OSError, RuntimeError):
        return None
    private = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if private and stat.S_ISDIR(found.st_mode) else None


def compiled(name: str) -> ModuleType | None:
    """Another compiled module of this room; None where it may not or cannot be loaded: the caller has a reference."""
    folder = None if os.environ.get("KOPPEL_FAST") == "off" else _private_folder()
    if folder is None:
        return None
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    try:
        return importlib.import_module(f"pseudonymize.{name}")
    except Exception:  # noqa: BLE001 - a missing or broken compiler must never stop a scan
        return None


def _load(folder: Path) -> ModuleType:
    """The kernel's module; it compiles once per machine (2 to 5 s) and loads in a second afterwards."""
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    from pseudonymize import lanes  # noqa: PLC0415 - numba takes half a second to load

    return lanes


def warm() -> None:
    """Load the kernel's machine code and leave all else as it is: what is forked from this process has it at hand."""
    kernel = compiled("lanes")
    if kernel is not None:
        Lanes(kernel, Secret(bytes(DIGEST))).batch(bytes(DIGEST), DIGEST)  # nobody's key


class Lanes:
    """HMAC-SHA-256 under one key with constant leading bytes, by the kernel. No repr of the key, no pickle."""

    __slots__ = ("_absorbed", "_inner", "_kernel", "_outer", "_tail")

    def __init__(self, kernel: ModuleType, key: Secret, prefix: bytes = b"") -> None:
        raw = key.reveal()
        block = (raw if len(raw) <= BLOCK else hashlib.sha256(raw).digest()).ljust(BLOCK, b"\0")
        whole = len(prefix) // BLOCK * BLOCK
        self._kernel, self._tail, self._absorbed = kernel, prefix[whole:], BLOCK + whole
        self._inner = kernel.absorbed(kernel.START, block.translate(_INNER) + prefix[:whole])
        self._outer = kernel.absorbed(kernel.START, block.translate(_OUTER))

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a key is never pickled or copied")

    def batch(self, values: bytes, width: int, constant: bytes = b"") -> bytes:
        """Digests, back to back, of prefix + constant + value, for values of one width (1 or more) back to back."""
        before = self._tail + constant
        end = before + bytes(width) + b"\x80"
        bits = 8 * (self._absorbed + len(before) + width)
        message = end + bytes(-(len(end) + 8) % BLOCK) + bits.to_bytes(8, "big")
        words = np.frombuffer(message, ">u4").astype(np.uint32)
        count = len(values) // width
        given = np.frombuffer(values, np.uint8)

        def part(start: int, stop: int) -> list[bytes]:
            """In pieces that stay in the processor's cache: large arrays of their own cost half as much again."""
            begins = range(start, stop, PIECE)
            return [
                self._piece(given[one * width : min(one + PIECE, stop) * width], width, words, len(before))
                for one in begins
            ]

        return b"".join(itertools.chain.from_iterable(_in_threads(part, count)))

    def _piece(self, given: npt.NDArray[np.uint8], width: int, words: npt.NDArray[np.uint32], at: int) -> bytes:
        """Digests of some values; of fewer than the kernel has lanes, those that it has made up are left out."""
        count, lanes = len(given) // width, self._kernel.N
        if count < lanes:
            given = np.concatenate([given, np.zeros((lanes - count) * width, np.uint8)])
        out = np.empty(max(count, lanes) * _WORDS, np.uint32)
        self._kernel.hmac_batch(self._inner, self._outer, words, at, given, width, out)
        return out.tobytes()[: count * DIGEST]


def _in_threads(part: Callable[[int, int], list[bytes]], count: int) -> list[list[bytes]]:
    """Do 0..count in equal shares, one per core; the kernel releases the interpreter's lock."""
    shares = THREADS if count >= 2 * SHARE else 1
    edges = [count * number // shares for number in range(shares + 1)]
    if shares == 1:
        return [part(0, count)]
    return list(_pool().map(part, edges[:-1], edges[1:]))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="lanes")


def proven(kernel: ModuleType) -> bool:
    """True when the kernel gives the published answers, and the reference's for every length from 1 to 119.

    An empty message never gets here: `Prf.fixed` leaves it to the reference.
    """
    for known, data, tag in _VECTORS:
        if Lanes(kernel, Secret(bytes.fromhex(known))).batch(data, len(data)).hex() != tag:
            return False
    key = secrets.token_bytes(32)
    for width in range(1, 120):
        for prefix in (b"", secrets.token_bytes(width % 67)):
            values = secrets.token_bytes(3 * width)
            wanted = [hmac.digest(key, prefix + values[i * width : (i + 1) * width], "sha256") for i in range(3)]
            if Lanes(kernel, Secret(key), prefix).batch(values, width) != b"".join(wanted):
                return False
    return True


def agreed(made: bytes, values: bytes, width: int, one: Callable[[bytes], bytes]) -> bool:
    """True when the reference `one` gives the same for a random sample of the batch; else the kernel is off."""
    count = len(values) // width
    for _ in range(max(1, count // SAMPLE)):
        place = secrets.randbelow(count)
        if one(values[place * width : (place + 1) * width]) != made[place * DIGEST : (place + 1) * DIGEST]:
            with switch.lock:
                switch.off("sample_differed")
            return False
    with switch.lock:
        switch.checked += max(1, count // SAMPLE)
    return True
