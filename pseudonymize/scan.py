"""Scan the artefacts of a run for canaries and for columns of personal numbers. Answers where, never what.

Inside the TTP a canary's link pseudonym may stand in one place: a column labelled with its domain, in the store
(`home`). Everywhere else, and in what leaves anywhere, a canary of any domain is a leak.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import needles_unpack as unpack
from pseudonymize.needles import Needle, Sign, patterns, short_patterns
from pseudonymize.needles_density import Column as NumberColumn
from pseudonymize.needles_density import Density
from pseudonymize.needles_match import Matcher
from schemas.errors import DisclosureRefused, KoppelError, UnsafeFact
from schemas.spreadsheet import no_formula

_SQUEEZE = b" \t\r\n.-"


@dataclass(frozen=True, order=True)
class Hit:
    """Where a needle was found: file below the folder, form, and the domain of the needle."""

    file: str
    form: str
    domain: str


@dataclass
class Found:
    """What a scan saw. Hits, dense columns and opaque files are by file; the rest are counts."""

    files: int = 0
    size: int = 0
    columns: int = 0
    sealed: int = 0
    hits: set[Hit] = field(default_factory=set)
    dense: list[tuple[str, str, Density]] = field(default_factory=list)
    opaque: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Take in what another scan saw."""
        self.files += other.files
        self.size += other.size
        self.columns += other.columns
        self.sealed += other.sealed
        self.hits |= other.hits
        self.dense += other.dense
        self.opaque += other.opaque

    def require_clean(self) -> None:
        """DisclosureRefused canary_found, number_density or opaque_file: the first place, and how many there are."""
        if self.hits:
            first = min(self.hits)
            raise DisclosureRefused(
                "canary_found", hits=len(self.hits), file=first.file, form=first.form, domain=first.domain
            )
        if self.dense:
            file, column, density = self.dense[0]
            facts = {"numbers": density.numbers, "passing": density.passing}
            raise DisclosureRefused("number_density", file=file, column=column, **facts)
        if self.opaque:
            raise DisclosureRefused("opaque_file", file=self.opaque[0][0], kind=self.opaque[0][1])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: places and counts."""
        return {
            **{"files": self.files, "bytes": self.size, "columns": self.columns, "sealed": self.sealed},
            "hits": [vars(hit) for hit in sorted(self.hits)],
            "dense": [{"file": f, "column": c, **vars(d)} for f, c, d in self.dense],
            "opaque": [{"file": file, "kind": kind} for file, kind in self.opaque],
        }


class Scanner:
    """Looks through files for one set of needles."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        wanted = list(needles)
        many = not short_patterns(wanted)
        self._long = Matcher(patterns(wanted))
        self._short = Matcher(short_patterns(wanted))
        self._squeezed = None if many else self._long

    def scan(
        self,
        folder: Path,
        *,
        home: Path | None = None,
        leaving: bool = False,
        skip: Iterable[Path] = (),
        seen: Iterable[Path] = (),
    ) -> Found:
        """Every file below a folder, but not below `skip`; what is below `seen` another scan of this run looks at.

        `home` is the store, where a labelled column may hold its own domain's canaries; `leaving` also tests each
        column's density of personal numbers and refuses what cannot be looked through. A link is not followed; one
        that leads to something this scan does not see otherwise, or that is to leave, is told as opaque.
        """
        found, away = Found(), tuple(skip)
        elsewhere = (folder, *seen)
        for path in sorted(folder.rglob("*")):
            if any(path.is_relative_to(one) for one in away):
                continue
            if path.is_symlink():
                found.opaque += [(_told(path, folder), "link")] if leaving or _hides(path, elsewhere, away) else []
            elif path.is_file():
                at_home = home is not None and path.is_relative_to(home)
                # A database's journal may go between the listing and the look; what leaves holds still.
                with contextlib.nullcontext() if leaving else contextlib.suppress(FileNotFoundError):
                    self._file(path, _told(path, folder), found, at_home=at_home, leaving=leaving)
        return found

    def _file(self, path: Path, told: str, found: Found, *, at_home: bool, leaving: bool) -> None:
        found.files += 1
        found.size += path.stat().st_size
        signs = {Sign(s.domain, "file name") for s in self._bytes([path.name.encode()], random=False)}
        own: set[str] = set()
        text = NumberColumn() if leaving else None
        for piece in unpack.pieces(path):
            if isinstance(piece, unpack.Opaque):
                found.opaque += [(told, piece.form)] if leaving else []
            elif isinstance(piece, unpack.Stream):
                found.sealed += piece.sealed
                signs |= _named(piece.form, self._bytes(_tapped(piece, text), random=piece.random))
            else:
                found.columns += 1
                own |= {piece.label} if at_home and piece.label else set()
                signs |= _named(piece.form, self._column(piece, told, found, at_home=at_home, leaving=leaving))
        if text is not None and text.density.alarming:
            found.dense.append((told, "text", text.density))
        found.hits |= {Hit(told, sign.form, sign.domain) for sign in signs if sign.domain not in own}

    def _bytes(self, chunks: Iterable[bytes], *, random: bool) -> set[Sign]:
        found: set[Sign] = set()
        held = b""
        for chunk in chunks:
            data = held + chunk
            found |= self._long.find(data)
            if not random:
                found |= self._short.find(data)
                found |= self._apart(data)
            held = data[-(self._long.longest - 1) :]
        return found

    def _apart(self, data: bytes) -> set[Sign]:
        """Text with blanks, line ends, dots and hyphens taken out: 999.990.019, and lines wrapped in base64."""
        if self._squeezed is None or b"\0" in data[:4096]:
            return set()
        return self._squeezed.find(data.translate(None, _SQUEEZE))

    def _column(self, piece: unpack.Column, told: str, found: Found, *, at_home: bool, leaving: bool) -> set[Sign]:
        signs = self._long.find(piece.name.encode())
        numbers = NumberColumn()
        for array in piece.arrays:
            for plain in _plain(array):
                signs |= self._long.find(_joined(plain))
                if leaving:
                    numbers.add(plain)
        if leaving and numbers.density.alarming:
            found.dense.append((told, _safe(piece.name), numbers.density))
        return {sign for sign in signs if not (at_home and sign.domain == piece.label)}


def _hides(link: Path, looked: tuple[Path, ...], away: tuple[Path, ...]) -> bool:
    """True for a link to what no scan looks at: outside all of `looked`, or below an `away` that is not of those."""
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # links in a ring lead nowhere
        return False
    unseen = [one for one in away if one not in looked]
    seen = _below(target, looked) and not _below(target, unseen)
    return target.exists() and not seen


def _below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(one.resolve()) for one in folders)


def _tapped(piece: unpack.Stream, text: NumberColumn | None) -> Iterator[bytes]:
    """The chunks of a stream; the numbers of plain ones are counted as they pass."""
    for chunk in piece.chunks:
        if text is not None and not piece.random:
            text.add_text(chunk)
        yield chunk


def _named(form: str, signs: set[Sign]) -> set[Sign]:
    return {Sign(sign.domain, f"{form}, {sign.form}" if form else sign.form) for sign in signs}


def _plain(array: pa.Array) -> Iterator[pa.Array]:
    """The flat arrays inside an array: lists, structs, dictionaries and extension types opened."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        yield from _plain(array.storage)
    elif pa.types.is_dictionary(kind):
        yield from _plain(array.dictionary)
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _plain(part)
    elif pa.types.is_map(kind):
        yield from _plain(array.keys)
        yield from _plain(array.items)
    elif pa.types.is_nested(kind):
        yield from _plain(array.flatten())
    elif not (pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind)):
        yield array


def _joined(array: pa.Array) -> bytes:
    """Values one per line, as bytes; numbers as text of nine digits or more."""
    kind, values = array.type, array.drop_null()
    if not len(values):
        return b""
    if pa.types.is_fixed_size_binary(kind):
        width = kind.byte_width
        raw: bytes = values.buffers()[1].slice(values.offset * width, len(values) * width).to_pybytes()
        return raw
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind)):
        values = _as_text(values)
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind) or pa.types.is_string_view(kind):
        values = values.cast(pa.string() if "string" in str(kind) else pa.binary())
    one = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    joined = pc.binary_join(one, "\n" if pa.types.is_string(values.type) else b"\n")[0].as_py()
    return joined.encode("utf-8") if isinstance(joined, str) else bytes(joined)


def _as_text(values: pa.Array) -> pa.Array:
    distinct = pc.unique(values)
    if pa.types.is_floating(distinct.type):
        whole = distinct.filter(pc.and_(pc.equal(pc.floor(distinct), distinct), pc.less(pc.abs(distinct), 1e15)))
        distinct = whole.cast(pa.int64())
    return pc.utf8_lpad(distinct.cast(pa.string()), 9, "0")


def _told(path: Path, folder: Path) -> str:
    return _safe(str(path.relative_to(folder)))


def _safe(text: str) -> str:
    """A name, when it may be a fact of an error; a name can hold anything."""
    try:
        KoppelError("name", text=text)
    except UnsafeFact:
        return "unnamed"
    return text


def write_list(found: Found, path: Path) -> None:
    """Every finding as file;what;form;domain, for the operator."""
    rows = [(hit.file, "canary", hit.form, hit.domain) for hit in sorted(found.hits)]
    rows += [(name, "numbers", column, "") for name, column, _ in found.dense]
    rows += [(name, "opaque", kind, "") for name, kind in found.opaque]
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter=";")
        lines.writerow(("file", "what", "form", "domain"))
        lines.writerows([no_formula(cell) for cell in row] for row in rows)
