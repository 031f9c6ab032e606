"""Modes B and A+B at work: pre-pseudonyms that were computed with an evaluator, looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Never

import numpy as np
import numpy.typing as npt

from pseudonymize.blind_keys import Evaluator
from pseudonymize.blind_values import Bytes
from pseudonymize.identify import Rules
from pseudonymize.keys import Key
from pseudonymize.modes import BlindScheme, Stage, blind_scheme, blind_tag
from pseudonymize.prf import PSEUDONYM
from schemas.errors import DeliveryError


@dataclass(frozen=True, repr=False)
class Blind:
    """Mode B or A+B, ready: the pre-pseudonyms of exactly the identifiers that were asked for."""

    evaluator: Evaluator
    pre: Key | None
    rules: Rules
    made: dict[str, Table] = field(default_factory=dict)

    @property
    def scheme(self) -> BlindScheme:
        """As Mode."""
        return blind_scheme(self.pre)

    @property
    def tag(self) -> str:
        """Tag over the evaluator's public key, and in the hybrid K_S's tag."""
        return blind_tag(self.evaluator.project, self.evaluator.epoch, self.evaluator.key, self.pre)

    def require(self, project: str, epoch: str) -> None:
        """As Mode."""
        self.evaluator.require(project, epoch)
        if self.pre is not None:
            self.pre.require(project, epoch)

    def stage(self, identifier_type: str) -> Stage:
        """Look up what the evaluator helped to compute."""
        names = [name for name in self.made if self.rules.type_of(name) == identifier_type]
        return self.made[names[0]] if names else Table()


class Table:
    """Identifier to pre-pseudonym, for the identifiers that were asked for. No repr, no pickle."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[int, tuple[npt.NDArray[np.bytes_], Bytes]] = {}

    def put(self, width: int, rows: list[Bytes], made: list[bytes]) -> None:
        """Identifiers of one width, and their pre-pseudonyms back to back."""
        names = np.frombuffer(np.concatenate(rows).tobytes(), f"S{width}")
        order = np.argsort(names)
        self._found[width] = names[order], np.frombuffer(b"".join(made), np.uint8).reshape(-1, PSEUDONYM)[order]

    def one(self, value: bytes) -> bytes:
        """As Stage. DeliveryError blind_mismatch for an identifier that was not asked for."""
        return self.fixed(value, len(value))

    def fixed(self, values: bytes, width: int, size: int = PSEUDONYM) -> bytes:
        """As Stage. DeliveryError blind_mismatch for an identifier that was not asked for."""
        if not values:
            return b""
        if width not in self._found:
            raise DeliveryError("blind_mismatch")
        names, made = self._found[width]
        wanted = np.frombuffer(values, names.dtype)
        place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
        if not np.array_equal(names[place], wanted):
            raise DeliveryError("blind_mismatch")
        return made[place, :size].tobytes()

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("identifiers are never pickled or copied")
