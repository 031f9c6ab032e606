"""What a usable BSN is: one canonical form, one check, one list of refusals. The only place a BSN is a value.

Rules: pseudonymisation.md sections 2, 5 and 6. Outer blanks are space and tab only; eight digits get a leading
zero; only ASCII digits; the 11-proef has weights 9 8 7 6 5 4 3 2 -1. Placeholders that pass the 11-proef are
refused in every mode. Synthetic numbers leave remainder 5 and are usable under a synthetic agreement only,
where RvIG's test range 9999xxxxx is usable too; a number that could be real is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Never

from pseudonymize import canary

REAL: Final = "NL:BSN"
SYNTHETIC: Final = "NL:BSN-SYN"
WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
SYNTHETIC_REMAINDER: Final = 5
TEST_RANGE: Final = "9999"
DENIED: Final = frozenset(
    # All but the canaries pass the 11-proef; a canary's number belongs to us alone.
    ("000000000", "123456782", *(str(digit) * 8 + "0" for digit in range(1, 10)), *canary.numbers())
)
OUTER_BLANKS: Final = " \t"

# Reason codes, in the order of a batch's code numbers; position 0 means usable.
EMPTY, NOT_NUMERIC, LENGTH, PLACEHOLDER, ELEVEN, TEST_NUMBER, SYNTHETIC_NUMBER, REAL_NUMBER = REASONS = (
    "BSN_LEEG",
    "BSN_NIET_NUMERIEK",
    "BSN_LENGTE",
    "BSN_PLAATSHOUDER",
    "BSN_ELFPROEF",
    "BSN_TESTREEKS",
    "BSN_SYNTHETISCH",
    "BSN_NIET_SYNTHETISCH",
)


@dataclass(frozen=True, repr=False)
class Bsn:
    """A canonical, usable number: nine ASCII digits. Shows itself masked and is never pickled."""

    digits: bytes

    def __repr__(self) -> str:
        return "Bsn(*********)"

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a BSN is never pickled or copied")


def remainder(digits: str) -> int:
    """Weighted sum of nine digits modulo 11; 0 passes the 11-proef."""
    return sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11


def canonical(text: str | None, *, synthetic: bool) -> tuple[Bsn | None, str | None]:
    """The usable number, or the reason code why there is none: always exactly one of the two."""
    trimmed = (text or "").strip(OUTER_BLANKS)
    reason = _shape(trimmed) or _content(trimmed.zfill(9), synthetic)
    return (Bsn(trimmed.zfill(9).encode("ascii")), None) if reason is None else (None, reason)


def _shape(trimmed: str) -> str | None:
    if not trimmed:
        return EMPTY
    if not (trimmed.isascii() and trimmed.isdigit()):
        return NOT_NUMERIC
    return None if len(trimmed) in {8, 9} else LENGTH


def _content(digits: str, synthetic: bool) -> str | None:
    if digits in DENIED:
        return PLACEHOLDER
    rest, in_test_range = remainder(digits), digits.startswith(TEST_RANGE)
    if rest == SYNTHETIC_REMAINDER:
        return None if synthetic else SYNTHETIC_NUMBER
    if rest != 0:
        return ELEVEN
    if in_test_range:
        return None if synthetic else TEST_NUMBER
    return REAL_NUMBER if synthetic else None
