"""Names, birth dates and postcodes of synthetic people: invented, and clearly so.

Surnames are put together from words for what is not real; postcodes end in letters that Dutch postcodes do not use
(F, I, O, Q, U, Y first). Only for countries made with names: streams of their own leave all else as it was.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthetic.defects import NameDefects
from synthetic.people import People
from synthetic.rand import Bools, Ints, Rng, Streams, between, choose, some
from synthetic.write import Rows

HEADS = (
    *("Verzin", "Nep", "Schijn", "Droom", "Fictie", "Kunst", "Proef", "Mock", "Pseudo", "Wolk", "Mist", "Schim"),
    *("Luchtka", "Fanta", "Hersenci", "Sprookë", "Denkbeeld", "Zogenaam", "Quasi", "Modèl", "Símul", "Spook"),
)
TAILS = (
    *("stra", "sma", "mans", "bakker", "veld", "huijzen", "dijck", "berg", "meijer", "ink", "zoon", "ouw", "ström"),
    *("ski", "öglu", "zadeh", "escu", "ovíc", "ani", "mba", "hove", "schoten", "cker", "vlecht", "waard", "yts"),
)
SURNAMES = tuple(head + tail for head in HEADS for tail in TAILS)
PARTICLES = ("van", "van der", "de", "van den", "ter", "el", "von", "'t")
LETTERS = "ABCDEFGHIJKLMNOPRSTVWZ"
CLOSE = (("ij", "y"), ("y", "ij"), ("ck", "k"), ("k", "ck"), ("s", "z"), ("v", "f"), ("d", "dt"), ("n", "nn"))
FIRST, SECOND = "FIOQUY", "ABCDEGHJKLMNPRSTVWXZ"
COLUMNS = ("geboortenaam", "voorletters", "geboortedatum", "postcode")
WITHOUT = {"injus": "detainee_unknown", "gmsd": "client_by_name", "reclassering": "request_by_name"}
WITHOUT |= {"ifzo": "request_by_name"}


@dataclass(frozen=True)
class Names:
    """One row per person: positions of surname (-1 for no particle) and letters, birthday, postcode."""

    surname: Ints
    particle: Ints
    first: Ints
    second: Ints
    birthday: list[dt.date]
    digits: Ints
    letters: Ints

    @classmethod
    def of(cls, streams: Streams, people: People, defects: NameDefects) -> Names:
        """Draw them; some share surname and postcode with the person before them (family)."""
        rng, n = streams("names"), len(people)
        weights = 1 / (np.arange(len(SURNAMES)) + 20.0)
        kin = np.arange(n) - some(rng, n, defects.family)
        surname = choose(rng, weights, n)[kin]
        particle = np.where(some(rng, n, 0.25), between(rng, np.zeros(n), len(PARTICLES) - 1), -1)[kin]
        day = between(rng, np.zeros(n), 364)
        home = np.where(people.home >= 0, people.home, between(rng, np.zeros(n), 350))
        digits = (1000 + (home * 23 + between(rng, np.zeros(n), 22)) % 9000)[kin]
        letters = between(rng, np.zeros(n), len(FIRST) * len(SECOND) - 1)[kin]
        first, second = (between(rng, np.zeros(n), len(LETTERS) - 1) for _ in range(2))
        birthday = [dt.date(int(y), 1, 1) + dt.timedelta(int(d)) for y, d in zip(people.birth, day, strict=True)]
        return cls(surname, particle, first, second, birthday, digits, letters)


def add(streams: Streams, register: str, rows: Rows, person: Ints, names: Names, defects: NameDefects) -> Rows:
    """The rows with the four columns, as this register holds them, and without numbers where it knows none."""
    rng, n = streams(f"names-{register}"), len(names.surname)
    unknown = some(rng, n, getattr(defects, WITHOUT[register]) if register in WITHOUT else 0.0)
    told = _Told(rng, n, defects)
    who, place = np.unique(person, return_inverse=True)
    cells = [_cells(names, told, int(one)) if one >= 0 else (None, None, None, None) for one in who]
    more = {
        name: pc.take(pa.array([cell[i] for cell in cells], pa.string()), pa.array(place))
        for i, name in enumerate(COLUMNS)
    }
    gone = pa.array((unknown[np.maximum(person, 0)]) & (person >= 0))
    nothing = pa.scalar(None, pa.string())
    kept = {
        name: pc.if_else(gone, nothing, cell) if name in ("bsn", "skn", "skn_soort") else cell
        for name, cell in rows.items()
    }
    return {**kept, **more}


class _Told:
    """Per person what goes wrong in one register."""

    def __init__(self, rng: Rng, n: int, defects: NameDefects) -> None:
        def draw(name: str) -> Bools:
            return some(rng, n, getattr(defects, name))

        self.plain, self.behind, self.bare = draw("accents_lost"), draw("particle_behind"), draw("particle_lost")
        self.alike, self.typo, self.other = draw("sound_alike"), draw("typo"), draw("other_name")
        self.short, self.initial = draw("initials_short"), draw("initial_wrong")
        self.swapped, self.unknown, self.year = draw("day_month_swapped"), draw("day_month_unknown"), draw("year_off")
        self.nowhere, self.four = draw("postcode_missing"), draw("postcode_short")
        self.elsewhere = draw("postcode_other")
        self.which = between(rng, np.zeros(n), 9_999)


def _cells(names: Names, told: _Told, one: int) -> tuple[str | None, ...]:
    which = int(told.which[one])
    return (
        _name(names, told, one, which),
        _initials(names, told, one, which),
        _day(names, told, one, which),
        (_postcode(names, told, one, which)),
    )


def _name(names: Names, told: _Told, one: int, which: int) -> str:
    surname = SURNAMES[which % len(SURNAMES) if told.other[one] else names.surname[one]]
    if told.plain[one]:
        surname = surname.translate(_PLAIN)
    if told.alike[one]:
        spelling = next(((a, b) for a, b in CLOSE[which % 3 :] if a in surname), None)
        surname = surname.replace(*spelling, 1) if spelling else surname
    if told.typo[one]:
        at = 1 + which % (len(surname) - 1)
        surname = surname[:at] + "bdgklmnprst"[which % 11] + surname[at + 1 :]
    if names.particle[one] < 0 or told.bare[one]:
        return surname
    particle = PARTICLES[names.particle[one]]
    return f"{surname}, {particle}" if told.behind[one] else f"{particle} {surname}"


_PLAIN = str.maketrans("ëèíö", "eeio")


def _initials(names: Names, told: _Told, one: int, which: int) -> str:
    first = which % len(LETTERS) if told.initial[one] else names.first[one]
    return f"{LETTERS[first]}." if told.short[one] else f"{LETTERS[first]}.{LETTERS[names.second[one]]}."


def _day(names: Names, told: _Told, one: int, which: int) -> str:
    born = names.birthday[one]
    year, month, day = born.year + (1 if which % 2 else -1) * bool(told.year[one]), born.month, born.day
    if told.unknown[one]:
        return f"{year:04d}-00-00"
    month, day = (day, month) if told.swapped[one] and day <= 12 else (month, day)
    return f"{year:04d}-{month:02d}-{min(day, 28 if month == 2 else 31):02d}"


def _postcode(names: Names, told: _Told, one: int, which: int) -> str | None:
    if told.nowhere[one]:
        return None
    digits = 1000 + which % 9000 if told.elsewhere[one] else int(names.digits[one])
    letters = which % 120 if told.elsewhere[one] else int(names.letters[one])
    return f"{digits}" if told.four[one] else f"{digits} {FIRST[letters // 20]}{SECOND[letters % 20]}"
