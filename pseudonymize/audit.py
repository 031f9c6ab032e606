"""The audit log: JSON lines, each with the hash of the one before and an Ed25519 signature. Append only.

A line is canonical JSON (sorted keys, ASCII, no blanks) of the fields below; its signature is over the line
without `sig`, its hash over the line as it stands. Fields are an allow-list of names, numbers, hashes and key ids,
and values pass the test that the facts of an error pass, so no identifier can be logged (schemas/errors.py).
Source: pseudonymisation.md section 7.7. Verifying is in auditverify.py and needs the public key alone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pseudonymize import keys, signing
from pseudonymize.keys import Key
from schemas.errors import KoppelError, QualityGate

FIRST = "0" * 64  # what the first line has for the hash of the one before
MAX_LINE = 8_192
_PURPOSE = b"koppelpunt/audit/1\n"
FRAME = ("n", "at", "key", "prev", "sig")
ALLOWED = frozenset(
    (
        *(
            "event",
            "who",
            "why",
            "account",
            "register",
            "sequence",
            "period",
            "release",
            "recipient",
            "step",
            "outcome",
        ),
        *("code", "kind", "incident", "rows", "accepted", "quarantined", "out_of_scope", "converted", "persons"),
        *("events", "cells", "hidden", "tables", "files", "bytes", "deleted", "items", "seconds", "fingerprint"),
        *("manifest", "agreement", "certificate", "key_check", "skipped", "field", "file", "missing", "declared"),
        *("read", "maximum", "expected", "found", "column", "faults", "sha256", "suppliers", "project", "epoch"),
        *("key_id", "owner", "reason", "replaces", "share_set", "shares", "threshold", "custodians"),
        *("hmac", "fallback"),
    )
)
Event = dict[str, int | bool | str]


@dataclass(frozen=True)
class Head:
    """Number and hash of the last line, and the hash of the first: which log, and how far."""

    n: int
    hash: str
    first: str


def load_key(folder: Path) -> Key:
    """The audit signing key of a folder. KeyUnavailable as keys.load."""
    return keys.load(folder / "audit.key", "audit")


def key_id(public: str) -> str:
    """Which key signed, as 16 hex digits that anyone can compute from the public key."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]


def canonical(content: dict[str, Any]) -> bytes:
    """The one way to write a line (or a receipt, or a certificate)."""
    return json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def checked(event: Event) -> Event:
    """The event, when every field is allowed and no value can be data. ValueError or UnsafeFact: programming errors."""
    if not {"event", "who", "why"} <= set(event) or set(event) - ALLOWED:
        raise ValueError(f"audit fields missing or not on the allow-list: {len(set(event) - ALLOWED)}")
    return {name: KoppelError("audit", value=value).facts["value"] for name, value in event.items()}


def append(log: Path, key: Key, events: Sequence[Event]) -> Head:
    """Add events, durably, one writer at a time; returns the new head.

    A torn last line (a crash while writing: nobody was told it stands) is cut off and replaced by a
    `log_recovered` event with its length and hash. QualityGate audit_broken when the log ends before the signed
    head beside it, or with a line that this key did not sign: appending would hide what happened.
    """
    ready = [checked(event) for event in events]
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(log) as file:
        ended, torn = _end(file)
        chain = _Chain(key, _last(ended, key), _first(file, ended))
        chain.require_not_before(_told_head(log))
        if torn:
            file.truncate(ended.size)
            lost = hashlib.sha256(torn).hexdigest()
            ready.insert(0, checked({"event": "log_recovered", **_SELF, "bytes": len(torn), "sha256": lost}))
        if chain.n == 0:
            ready.insert(0, checked({"event": "log_opened", **_SELF}))
        file.seek(0, os.SEEK_END)
        file.write(b"".join(chain.line(event) + b"\n" for event in ready))
        file.flush()
        os.fsync(file.fileno())
        _tell_head(log, chain.head, key)
    return chain.head


_SELF: Event = {"who": "signer", "why": "audit"}


@dataclass(frozen=True)
class _Ended:
    """The last whole line and where it ends."""

    line: bytes
    size: int


class _Chain:
    """Makes lines that follow one another."""

    def __init__(self, key: Key, last: dict[str, Any] | None, first: str) -> None:
        self._key = key
        self._id = key_id(signing.public_half(key.secret))
        self.n = 0 if last is None else int(last["n"])
        self._hash = FIRST if last is None else str(last["hash"])
        self._first = first

    @property
    def head(self) -> Head:
        return Head(self.n, self._hash, self._first)

    def require_not_before(self, told: Head | None) -> None:
        if told is not None and (told.n > self.n or (told.n == self.n and told.hash != self._hash)):
            raise QualityGate("audit_broken", expected=told.n, found=self.n)

    def line(self, event: Event) -> bytes:
        at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        body = {**event, "n": self.n + 1, "at": at, "key": self._id, "prev": self._hash, "account": os.geteuid()}
        text = canonical({**body, "sig": signing.sign(self._key.secret, _PURPOSE + canonical(body)).hex()})
        self.n, self._hash = self.n + 1, hashlib.sha256(text).hexdigest()
        self._first = self._first or self._hash
        return text


@contextlib.contextmanager
def _locked(log: Path) -> Iterator[BinaryIO]:
    """The log, open for one writer; another waits."""
    handle = os.open(log, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _end(file: BinaryIO) -> tuple[_Ended, bytes]:
    """The last whole line, and what lies behind it without an end of line."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - 2 * MAX_LINE)
    file.seek(start)
    lines = file.read().split(b"\n")
    torn = lines.pop()
    return _Ended(lines[-1] if lines else b"", size - len(torn)), torn


def _first(file: BinaryIO, ended: _Ended) -> str:
    """Hash of the first line; empty for a log without one."""
    file.seek(0)
    return hashlib.sha256(file.readline(MAX_LINE).rstrip(b"\n")).hexdigest() if ended.line else ""


def _last(ended: _Ended, key: Key) -> dict[str, Any] | None:
    if not ended.line:
        return None
    found = parsed(ended.line, signing.public_half(key.secret))
    if found is None:
        raise QualityGate("audit_broken", found=0)
    return {**found, "hash": hashlib.sha256(ended.line).hexdigest()}


def parsed(line: bytes, public: str) -> dict[str, Any] | None:
    """The content of a line that is canonical, has allowed fields only and was signed by this key; else None."""
    try:
        found = json.loads(line)
        body = {name: value for name, value in found.items() if name != "sig"}
        signing.verify(public, bytes.fromhex(found["sig"]), _PURPOSE + canonical(body))
        sound = canonical(found) == line and set(found) <= ALLOWED | set(FRAME) and isinstance(found["n"], int)
        checked({name: value for name, value in found.items() if name not in FRAME})
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError, KoppelError):
        return None
    return found if sound else None


def sha256(text: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(text).hexdigest()


def line_hash(log: Path, number: int) -> str | None:
    """Hash of one line, counted from 1; None when the log is shorter or not there."""
    if not log.is_file():
        return None
    with log.open("rb") as file:
        line = next(itertools.islice(file, number - 1, None), b"")
    return hashlib.sha256(line[:-1]).hexdigest() if line.endswith(b"\n") else None


def head_file(log: Path) -> Path:
    """Where the signed head stands: a log that was cut off shows, as long as this file was not put back too."""
    return log.with_suffix(".head")


def _tell_head(log: Path, head: Head, key: Key) -> None:
    body = canonical(vars(head))
    content = {**vars(head), "sig": signing.sign(key.secret, _PURPOSE + body).hex()}
    part = log.with_suffix(".head-part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(canonical(content) + b"\n")
    part.replace(head_file(log))


def _told_head(log: Path) -> Head | None:
    """The head told last; None without one. Its signature is for the verifier: here it can only stop an append."""
    try:
        found = json.loads(head_file(log).read_bytes()[:MAX_LINE])
        return Head(int(found["n"]), str(found["hash"]), str(found["first"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise QualityGate("audit_broken", file="audit.head") from None


def read_head(log: Path, public: str) -> Head | None:
    """The signed head beside a log; None without one, or when this key did not sign it."""
    try:
        return signed_head(json.loads(head_file(log).read_bytes()[:MAX_LINE]), public)
    except (OSError, ValueError):
        return None


def signed_head(found: Any, public: str) -> Head | None:
    """The head in parsed JSON; None when it is none, or when this key did not sign it."""
    try:
        head = Head(int(found["n"]), str(found["hash"]), str(found["first"]))
        signing.verify(public, bytes.fromhex(found["sig"]), _PURPOSE + canonical(vars(head)))
    except (ValueError, KeyError, TypeError, KoppelError):
        return None
    return head
