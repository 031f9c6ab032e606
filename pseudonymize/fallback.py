"""Fallback keys: combinations of birth name, first initial, birth date, sex and postcode, made at the source.

For people without a BSN or SKN (registers.md 1.1 and 1.2). Each key holds at least three of the five, so that none
is common enough to be guessed by how often it occurs, and each of the five is missing from at least one key, so
that one error never breaks them all. What the usual errors do is undone first: case, accents, tussenvoegsels, the
order of surname and particle, more initials than one, sound-alike spelling, day and month exchanged, unknown days.
A key is one more identifier type of the same HMAC chain; nothing of this reaches a payload.

key  made of                                             still agrees when
A    name, initial, date, sex                            moved (no postcode)
B    sound, initial, year with {day, month}, sex         misspelt; day and month exchanged
C    sound, initial, {day, month}, postcode of four      year of birth off
D    initial, date, sex, postcode of six                 another name (marriage, alias)
E    sound, date, postcode of four                       initial or sex wrong
F    sound, initial, year, sex, postcode of four         day or month unknown or wrong
G    sound, year with {day, month}, sex                  initial wrong and moved
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from schemas.common import FALLBACK_KEYS

COLUMNS = ("geboortenaam", "voorletters", "geboortedatum", "postcode")
RECIPES: dict[str, tuple[str, ...]] = {
    "fb_a": ("name", "initial", "date", "sex"),
    "fb_b": ("sound", "initial", "sorted", "sex"),
    "fb_c": ("sound", "initial", "day", "four"),
    "fb_d": ("initial", "date", "sex", "six"),
    "fb_e": ("sound", "date", "four"),
    "fb_f": ("sound", "initial", "year", "sex", "four"),
    "fb_g": ("sound", "sorted", "sex"),
}
TYPES = {name: f"NL:FB-{name[-1].upper()}" for name in FALLBACK_KEYS}
PARTICLES = frozenset(
    (
        *("aan", "al", "af", "auf", "be", "bin", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du"),
        *("el", "en", "het", "in", "la", "le", "les", "lo", "los", "of", "onder", "op", "over", "te", "ten", "ter"),
        *("tho", "thoe", "to", "toe", "tot", "uijt", "uit", "van", "vd", "vom", "von", "voor", "zu", "zum", "zur"),
    )
)
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})
_DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ]00:00:00)?"),
    re.compile(r"(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
)
_POSTCODE = re.compile(r"([1-9]\d{3})\s?([A-Za-z]{2})?")
# Spellings of one sound in Dutch, applied in order to A-Z; the list is short on purpose and part of the protocol.
_SOUNDS = (
    ("SCH", "S"), ("TSJ", "S"), ("SJ", "S"), ("SH", "S"), ("CH", "G"), ("GH", "G"), ("PH", "F"), ("TH", "T"),
    ("DT", "T"), ("CK", "K"), ("QU", "KW"), ("KS", "X"), ("IJ", "I"), ("EIJ", "I"), ("EI", "I"), ("EY", "I"),
    ("AY", "I"), ("Y", "I"), ("OU", "A"), ("AU", "A"), ("OE", "U"), ("EU", "U"), ("UE", "U"), ("C", "K"),
    ("Q", "K"), ("Z", "S"), ("V", "F"), ("W", "F"), ("D", "T"), ("J", "I"), ("H", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Derived:
    """`keys`: canonical text per key, null where a part is missing; `reasons`: per column, why a cell is unusable."""

    keys: dict[str, pa.Array]
    reasons: dict[str, pa.Array]


def derive(table: pa.Table) -> Derived:
    """The fallback keys of every row of a typed table; columns it lacks count as empty."""
    text = {name: _flat(table, name) for name in COLUMNS}
    parts = {
        "name": _mapped(text["geboortenaam"], name_of),
        "sound": _mapped(text["geboortenaam"], sound_of),
        "initial": _mapped(text["voorletters"], initial_of),
        "date": _mapped(text["geboortedatum"], lambda value: date_of(value, "date")),
        "sorted": _mapped(text["geboortedatum"], lambda value: date_of(value, "sorted")),
        "day": _mapped(text["geboortedatum"], lambda value: date_of(value, "day")),
        "year": _mapped(text["geboortedatum"], lambda value: date_of(value, "year")),
        "four": _mapped(text["postcode"], lambda value: postcode_of(value, 4)),
        "six": _mapped(text["postcode"], lambda value: postcode_of(value, 6)),
        "sex": _sex(table),
    }
    keys = {
        name: pc.binary_join_element_wise(*(parts[part] for part in recipe), "|", null_handling="emit_null")
        for name, recipe in RECIPES.items()
    }
    read = {"geboortenaam": "name", "voorletters": "initial", "geboortedatum": "year", "postcode": "four"}
    reasons = {name: _unread(name, text[name], parts[part]) for name, part in read.items()}
    return Derived(keys, reasons)


def name_of(text: str) -> str | None:
    """A birth name as A-Z without particles and single letters (v.d., 't); None when no letter is left.

    >>> name_of("van der Zónneveld"), name_of("Zonneveld, van der"), name_of("El-Verzini")
    ('ZONNEVELD', 'ZONNEVELD', 'VERZINI')
    """
    words = _words(text)
    kept = [word for word in words if word not in PARTICLES and len(word) > 1] or words
    return "".join(kept).upper() or None


def sound_of(text: str) -> str | None:
    """The same with spellings of one sound made one, vowels after the first letter and doubled letters dropped.

    >>> sound_of("Wolkhuijzen"), sound_of("Wolckhuysen")
    ('FLKSN', 'FLKSN')
    """
    name = name_of(text)
    if name is None:
        return None
    for spelling, sound in _SOUNDS:
        name = name.replace(spelling, sound)
    name = name[:1] + re.sub("[AEIOU]", "", name[1:])
    return re.sub(r"(.)\1+", r"\1", name) or None


def initial_of(text: str) -> str | None:
    """The first initial: "P.J.", "pj", "Piet Jan" are all P."""
    found = re.search("[a-z]", _fold(text))
    return found.group().upper() if found else None


def date_of(text: str, form: str) -> str | None:
    """A birth date in one of four forms; None when a part that the form needs is missing or impossible.

    `date` all of it, `sorted` the year with the smaller of day and month first, `day` the same without the year,
    `year` alone. A day or month of 00 is unknown; 1 January is taken as it stands.
    """
    found = next((match for pattern in _DATES if (match := pattern.fullmatch(text.strip(" \t")))), None)
    if found is None:
        return None
    year, month, day = (int(found[name]) for name in "ymd")
    if not 1880 <= year <= 2099 or month > 31 or day > 31:
        return None
    if form == "year":
        return f"{year:04d}"
    if not month or not day or not (_is_day(year, month, day) or _is_day(year, day, month)):
        return None
    low, high = sorted((day, month))
    return {"date": f"{year:04d}{month:02d}{day:02d}", "sorted": f"{year:04d}{low:02d}{high:02d}"}.get(
        form, f"{low:02d}{high:02d}"
    )


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        dt.date(year, month, day)
    except ValueError:
        return False
    return True


def postcode_of(text: str, size: int) -> str | None:
    """The first four digits, or all six signs; None when they are not there."""
    found = _POSTCODE.fullmatch(text.strip(" \t"))
    if found is None or (size == 6 and not found[2]):
        return None
    return found[1] if size == 4 else f"{found[1]}{found[2].upper()}"


def _words(text: str) -> list[str]:
    """Folded words; what stands behind a comma comes first, as it is spoken."""
    head, _, tail = text.partition(",")
    return re.findall("[a-z]+", _fold(f"{tail} {head}"))


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _flat(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    found = table[name].cast(pa.string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _sex(table: pa.Table) -> pa.Array:
    """M or V; O and empty are no agreement with anybody."""
    found = _flat(table, "geslacht")
    return pc.if_else(pc.fill_null(pc.is_in(found, value_set=pa.array(["M", "V"])), False), found, None)


def _mapped(values: pa.Array, rule: Callable[[str], str | None]) -> pa.Array:
    """A rule on distinct values, null for null."""
    encoded = values.dictionary_encode()
    made = pa.array([rule(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return made.take(encoded.indices)


def _unread(column: str, text: pa.Array, found: pa.Array) -> pa.Array:
    """A reason where something was delivered that cannot be read."""
    filled = pc.greater(pc.binary_length(pc.ascii_trim(pc.fill_null(text, ""), characters=" \t")), 0)
    unread = pc.and_(filled, pc.is_null(found))
    return pc.if_else(unread, pa.scalar(f"{column.upper()}_ONLEESBAAR"), pa.scalar(None, pa.string()))
