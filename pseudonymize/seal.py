"""Sealing with age: bytes are made, encrypted and written as they come; nothing in clear reaches a disk.

The stock `age` program opens these files too. Inside lies an Arrow IPC stream (zstd), which can be read
without seeking, so opening streams as well. pyrage takes time quadratic in the header of the file
(pseudonymisation.md section 2), so the header is bounded before pyrage sees it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyrage

from pseudonymize.secret import Secret
from schemas.errors import DeliveryError, Internal

MAX_HEADER = 4_096
MAX_STANZAS = 8
_MAGIC = b"age-encryption.org/v1\n"
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


class _Pull:
    """A readable over chunks that are made on demand. Keeps an error for its owner: pyrage would print it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        while not self._held:
            try:
                self._held = memoryview(next(self._chunks))
            except StopIteration:
                return b""
            except Exception as error:  # noqa: BLE001 - handed to `seal`, which raises it again
                self.error = error
                raise OSError from None
        part, self._held = self._held[:size], self._held[size:]
        return bytes(part)


class _Hashing:
    """A writable that hashes what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


class _Sink:
    """Collects what Arrow writes until it is drained."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def drain(self) -> bytes:
        found, self._parts = b"".join(self._parts), []
        return found


def stream(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """An Arrow IPC stream of the tables, in chunks as they are made."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema, options=_OPTIONS) as writer:
        for table in tables:
            writer.write_table(table)
            yield sink.drain()
    yield sink.drain()


def seal(path: Path, recipient: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> str:
    """Write tables sealed to one age recipient; returns the SHA-256 of the sealed file.

    An error raised while the tables are made comes out as it went in; any other is Internal, without text.
    """
    pull = _Pull(stream(schema, tables))
    with path.open("xb") as file:
        path.chmod(0o600)
        out = _Hashing(file)
        try:
            pyrage.encrypt_io(pull, out, [pyrage.x25519.Recipient.from_str(recipient)])
        except (pyrage.EncryptError, pyrage.RecipientError, OSError) as error:
            raise pull.error or Internal("internal", step="seal", kind=type(error).__name__) from None
    return out.digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_small_header(path: Path) -> None:
    """DeliveryError unsealing_failed unless the age header is short and has few recipients."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER)
    header, found, _ = head.partition(b"\n--- ")
    if not head.startswith(_MAGIC) or not found or header.count(b"\n-> ") > MAX_STANZAS:
        raise DeliveryError("unsealing_failed")


class Reader:
    """Batches of a sealed file. Errors of reading come out as DeliveryError unsealing_failed, without text."""

    def __init__(self, pipe: BinaryIO) -> None:
        with _unsealing():
            self._reader = pa.ipc.open_stream(pipe)

    @property
    def schema(self) -> pa.Schema:
        """Schema the stream declares."""
        return self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with _unsealing():
                try:
                    batch = self._reader.read_next_batch()
                except StopIteration:
                    return
                batch.validate(full=True)
            yield batch


@contextlib.contextmanager
def _unsealing() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError):
        raise DeliveryError("unsealing_failed") from None


@contextlib.contextmanager
def opened(path: Path, identity: Secret) -> Iterator[Reader]:
    """Read a sealed file batch by batch, in bounded memory; read it to the end. DeliveryError unsealing_failed.

    The plain text exists in a pipe and in memory only. Leaving the block checks that decryption went well to
    the last byte (age authenticates the end of the file), so what was read counts only after the block.
    """
    require_small_header(path)
    source, target = os.pipe()
    done: list[bool] = []
    thread = threading.Thread(target=_decrypt, args=(path, identity, target, done), daemon=True)
    thread.start()
    try:
        with os.fdopen(source, "rb") as pipe:
            yield Reader(pipe)
            complete = pipe.read(1) == b""
    finally:
        thread.join()
    if not (done and complete):
        raise DeliveryError("unsealing_failed")


def _decrypt(path: Path, identity: Secret, target: int, done: list[bool]) -> None:
    """Decrypt into a pipe; `done` gets an entry only when every byte was authentic and delivered."""
    with contextlib.suppress(pyrage.DecryptError, pyrage.IdentityError, OSError):
        with path.open("rb") as sealed, os.fdopen(target, "wb", buffering=1 << 16) as pipe:
            pyrage.decrypt_io(sealed, pipe, [pyrage.x25519.Identity.from_str(identity.reveal().decode("ascii"))])
        done.append(True)
