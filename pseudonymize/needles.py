"""What the scan looks for, and every form in which a program may leave it behind.

A needle is a number (nine digits or an SKN) or a pseudonym with the label of its domain. Pseudonyms are searched by
their first 16 bytes, so that a truncated one is found too.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pseudonymize import canary, prf
from pseudonymize.domain import Domain
from pseudonymize.parties import ConverterKeys

NUMBER = "number"
PREFIX = 16  # bytes of a pseudonym that are enough to know it
MANY = 200  # with more numbers, forms of four bytes match ordinary data by chance


@dataclass(frozen=True, repr=False)
class Needle:
    """`domain` is the label of a pseudonym's domain, or `number` for an identifier in clear."""

    domain: str
    value: bytes


@dataclass(frozen=True, order=True)
class Sign:
    """What is told about a hit: the domain and the form, never the value."""

    domain: str
    form: str


def of_numbers(texts: Iterable[str]) -> list[Needle]:
    """Needles for identifiers in clear. ValueError for anything shorter than eight characters."""
    found = sorted(set(texts))
    if not found or any(len(text) < 8 or not text.isascii() for text in found):
        raise ValueError("a needle is at least eight ASCII characters")
    return [Needle(NUMBER, text.encode("ascii")) for text in found]


def of_canaries(store: Path, keys: ConverterKeys, recipients: Iterable[str]) -> list[Needle]:
    """All canaries in every domain: numbers, pre and link as delivered, and each recipient's, computed here.

    Errors of canary.expected; KeyUnavailable when a recipient's key cannot be opened.
    """
    found = {Needle(NUMBER, text) for text in _listed()}
    stages = [_recipient(keys, name) for name in recipients]
    for one in canary.expected(store, keys.identity()):
        for row in one.canaries:
            found |= {Needle(one.domains[s], bytes.fromhex(v)) for s in ("pre", "link") for v in row[s].values()}
            links = [bytes.fromhex(value) for value in row["link"].values()]
            found |= {Needle(label, stage.one(value)) for label, stage in stages for value in links}
    return sorted(found, key=lambda needle: (needle.domain, needle.value))


def _listed() -> Iterator[bytes]:
    for one in canary.listed():
        yield from (one.bsn.encode("ascii"), one.bsn_syn.encode("ascii"), one.skn.encode("ascii"))


def _recipient(keys: ConverterKeys, name: str) -> tuple[str, prf.Prf]:
    key = keys.recipient(name)
    label = Domain(prf.SCHEME, key.project, f"recipient:{name}", key.epoch).label
    return label, prf.recipient(key.secret, key.project, name, key.epoch)


def patterns(needles: Iterable[Needle]) -> dict[bytes, Sign]:
    """Byte patterns of eight bytes and more, for every form of every needle."""
    found: dict[bytes, Sign] = {}
    for needle in needles:
        forms = _number(needle.value) if needle.domain == NUMBER else _pseudonym(needle.value[:PREFIX])
        for form, pattern in forms:
            found.setdefault(pattern, Sign(needle.domain, form))
    return found


def short_patterns(needles: Iterable[Needle]) -> dict[bytes, Sign]:
    """Nine digits as 32-bit integers, both byte orders; none when there are many, or in random data, by chance."""
    numbers = [needle for needle in needles if needle.domain == NUMBER and needle.value.isdigit()]
    if len(numbers) > MANY:
        return {}
    values = [int(needle.value) for needle in numbers if int(needle.value) < 1 << 31]
    return {struct.pack(order + "i", value): Sign(NUMBER, "int32") for value in values for order in "<>"}


def _number(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield from _text(value)
    if value.isdigit():
        for order in "<>":
            yield "int64", struct.pack(order + "q", int(value))
            yield "float64", struct.pack(order + "d", float(value))


def _pseudonym(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "bytes", value
    yield from (("base64", part) for part in _base64(value))
    for text in {value.hex(), value.hex().upper()}:
        yield "hex", text.encode("ascii")
        yield "utf-16 hex", _wide(text.encode("ascii"))
        yield from (("base64 of hex", part) for part in _base64(text.encode("ascii")))


def _text(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "text", value
    yield "utf-16", _wide(value)
    for inner, form in ((value, ""), (_wide(value), " of utf-16")):
        yield f"hex{form}", inner.hex().encode("ascii")
        yield f"hex{form}", inner.hex().upper().encode("ascii")
        yield from ((f"base64{form}", part) for part in _base64(inner))


def _wide(value: bytes) -> bytes:
    """What UTF-16 of both byte orders has in common: the characters with a zero between each two."""
    return b"\0".join(value[i : i + 1] for i in range(len(value)))


def _base64(value: bytes) -> set[bytes]:
    """The characters that do not depend on what stands around, for each of three alignments and both alphabets."""
    found = set()
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + value + b"\0\0")
        part = coded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        found |= {part, part.translate(bytes.maketrans(b"+/", b"-_"))}
    return found
