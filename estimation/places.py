"""Areas as numbers: municipalities in one order, and which region, district and province each lies in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from estimation.arrays import Floats, Ints
from schemas import codes, gemeente

DISTRICTS = codes.load("arrondissement_3ro").values()
LEVELS = ("gemeente", "veiligheidsregio", "arrondissement", "provincie", "land")


@dataclass(frozen=True)
class Places:
    """The municipalities of a classification (M), by code; group arrays number the area of each."""

    codes: tuple[str, ...]

    @classmethod
    def of(cls, found: tuple[str, ...]) -> Places:
        """From the codes of the coverage table."""
        return cls(tuple(sorted(found)))

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def known(self) -> tuple[gemeente.Gemeente, ...]:
        """Declarations, in the same order."""
        by_code = {g.code: g for g in gemeente.all_gemeenten()}
        return tuple(by_code[code] for code in self.codes)

    def index(self, values: list[str | None]) -> Ints:
        """Position per code; -1 for empty, 0000, 1999 and codes of another classification."""
        at = {code: i for i, code in enumerate(self.codes)}
        return np.array([at.get(value, -1) if value else -1 for value in values], np.int64)

    @cached_property
    def district(self) -> Ints:
        """Number of the 3RO district (ten values) per municipality."""
        groups = codes.load("arrondissement_3ro").groups()
        where = {part: i for i, code in enumerate(DISTRICTS) for part in groups[code].split("+")}
        return np.array([where[g.arrondissement_code] for g in self.known], np.int64)

    @cached_property
    def centre(self) -> Floats:
        """1 for municipalities on the list of centrumgemeenten of 2011, the only one found."""
        return np.array([float(g.centrumgemeente_mo_2011) for g in self.known])

    @cached_property
    def region(self) -> Ints:
        """Number of the veiligheidsregio per municipality, in order of code."""
        return self.areas("veiligheidsregio")[1]

    def areas(self, level: str) -> tuple[tuple[tuple[str, str], ...], Ints]:
        """((code, name) per area, area number per municipality) of a level."""
        pairs = [self._area(g, level) for g in self.known]
        found = tuple(sorted(set(pairs)))
        return found, np.array([found.index(pair) for pair in pairs], np.int64)

    @staticmethod
    def _area(place: gemeente.Gemeente, level: str) -> tuple[str, str]:
        return {
            "gemeente": (place.code, place.naam),
            "veiligheidsregio": (place.veiligheidsregio_code, place.veiligheidsregio),
            "arrondissement": (place.arrondissement_code, place.arrondissement),
            "provincie": (place.provincie_code, place.provincie),
            "land": ("NL", "Nederland"),
        }[level]
