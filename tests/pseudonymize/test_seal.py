"""Sealed files: openable by one key only, whole or not at all, bounded before anything is parsed."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyrage
import pytest

from pseudonymize import seal
from pseudonymize.parties import age_identity, new_age_identity
from pseudonymize.secret import Secret
from schemas.errors import DeliveryError, Internal

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])


def tables(count: int = 3, rows: int = 500) -> list[pa.Table]:
    return [
        pa.table({"n": range(rows), "text": [f"zin {i} {j}" for i in range(rows)]}, schema=SCHEMA) for j in range(count)
    ]


@pytest.fixture
def party(tmp_path: Path) -> tuple[str, Secret]:
    """An age recipient and its identity."""
    recipient = new_age_identity(tmp_path / "party")
    return recipient, age_identity(tmp_path / "party")


def read(path: Path, identity: Secret) -> pa.Table:
    with seal.opened(path, identity) as reader:
        return pa.Table.from_batches(list(reader), schema=reader.schema)


def test_what_was_sealed_comes_back_and_the_hash_is_the_files(tmp_path: Path, party) -> None:
    recipient, identity = party
    path = tmp_path / "x.age"
    digest = seal.seal(path, recipient, SCHEMA, tables())
    assert digest == seal.file_hash(path)
    assert read(path, identity).equals(pa.concat_tables(tables()))
    assert b"zin 1" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_the_stock_format_opens_it_too(tmp_path: Path, party) -> None:
    recipient, identity = party
    path = tmp_path / "x.age"
    seal.seal(path, recipient, SCHEMA, tables())
    plain = pyrage.decrypt(path.read_bytes(), [pyrage.x25519.Identity.from_str(identity.reveal().decode())])
    assert pa.ipc.open_stream(plain).read_all().equals(pa.concat_tables(tables()))


def test_an_empty_file_is_a_file(tmp_path: Path, party) -> None:
    recipient, identity = party
    seal.seal(tmp_path / "x.age", recipient, SCHEMA, [])
    assert read(tmp_path / "x.age", identity).num_rows == 0


def test_another_key_opens_nothing(tmp_path: Path, party) -> None:
    seal.seal(tmp_path / "x.age", party[0], SCHEMA, tables())
    new_age_identity(tmp_path / "other")
    with pytest.raises(DeliveryError, match="unsealing_failed"):
        read(tmp_path / "x.age", age_identity(tmp_path / "other"))
    with pytest.raises(DeliveryError, match="unsealing_failed"):
        read(tmp_path / "x.age", Secret(b"AGE-SECRET-KEY-1BROKEN"))


def test_every_changed_or_missing_byte_is_noticed(tmp_path: Path, party) -> None:
    recipient, identity = party
    path = tmp_path / "x.age"
    seal.seal(path, recipient, SCHEMA, tables(40, 2_000))
    good = path.read_bytes()
    assert len(good) > 3 * 65_536  # several chunks of age: a tail can be cut at a chunk border
    header = good.index(b"\n--- ")
    places = [0, 30, header - 3, header + 8, header + 60, len(good) // 2, len(good) - 1]
    damaged = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in places]
    body = header + 1 + good[header + 1 :].index(b"\n") + 1 + 16
    cuts = [
        good[:-1],
        good[: body + 65_552],
        good[: body + 2 * 65_552],
        good[:body],
        good[:100],
        b"",
        good + b"x",
    ]
    for number, content in enumerate([*damaged, *cuts]):
        path.write_bytes(content)
        with pytest.raises(DeliveryError, match="unsealing_failed"):
            read(path, identity)
        assert number >= 0


def test_a_header_with_many_recipients_is_refused_at_once(tmp_path: Path, party) -> None:
    stanza = b"-> X25519 " + b"A" * 43 + b"\n" + b"B" * 43 + b"\n"
    for count in (9, 2_000):
        path = tmp_path / f"{count}.age"
        path.write_bytes(b"age-encryption.org/v1\n" + stanza * count + b"--- " + b"C" * 43 + b"\n" + bytes(64))
        start = time.perf_counter()
        with pytest.raises(DeliveryError, match="unsealing_failed"):
            read(path, party[1])
        assert time.perf_counter() - start < 1


def test_a_sealed_file_that_holds_no_arrow_is_refused(tmp_path: Path, party) -> None:
    recipient, identity = party
    path = tmp_path / "x.age"
    path.write_bytes(pyrage.encrypt(b"geen arrow" * 100, [pyrage.x25519.Recipient.from_str(recipient)]))
    with pytest.raises(DeliveryError, match="unsealing_failed"):
        read(path, identity)


def test_bytes_after_the_end_of_the_stream_are_refused(tmp_path: Path, party) -> None:
    recipient, identity = party
    path = tmp_path / "x.age"
    plain = b"".join(seal.stream(SCHEMA, tables(1))) + b"meer"
    path.write_bytes(pyrage.encrypt(plain, [pyrage.x25519.Recipient.from_str(recipient)]))
    with pytest.raises(DeliveryError, match="unsealing_failed"):
        read(path, identity)


def test_leaving_early_does_not_hang(tmp_path: Path, party) -> None:
    recipient, identity = party
    seal.seal(tmp_path / "x.age", recipient, SCHEMA, tables(60, 5_000))
    with pytest.raises(RuntimeError, match="stop"), seal.opened(tmp_path / "x.age", identity) as reader:
        next(iter(reader))
        raise RuntimeError("stop")


def test_an_error_while_rows_are_made_comes_out_as_it_is(tmp_path: Path, party) -> None:
    def failing():
        yield from tables(1)
        raise DeliveryError("bad_schema")

    with pytest.raises(DeliveryError, match="bad_schema") as caught:
        seal.seal(tmp_path / "x.age", party[0], SCHEMA, failing())
    assert caught.value.__cause__ is None


def test_a_wrong_recipient_is_told_without_its_text(tmp_path: Path) -> None:
    with pytest.raises(Internal) as caught:
        seal.seal(tmp_path / "x.age", "age1geheim", SCHEMA, tables(1))
    assert "geheim" not in str(caught.value)
