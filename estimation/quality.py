"""From draws to what may be said: quality labels, refusal, the disclosure guard, rounding, and the Dutch sentence.

CV classes follow the small-area practice named in docs/methods.md: up to 15% good, up to 30% with care, above that
only per region. The guard is rule 9 of the disclosure design: an estimate that follows its own small count gives that
count away, however it is called.
"""

from __future__ import annotations

import math

from schemas.estimates import BASES

GOOD, CAUTION = 0.15, 0.30
BASE = 5
SMALL, FOLLOWS = 10, 0.5  # a count below 10 is not to be shown by an estimate that rests on it for half or more


def quality(cv: float, counted: int | None, weight: float, level: str) -> tuple[str, str]:
    """(label, reason) of one estimate. `weight` is the part that rests on the area's own count, 0 to 1."""
    if counted is not None and counted < SMALL and weight >= FOLLOWS:
        return "GEWEIGERD", "KLEIN_AANTAL"
    if not math.isfinite(cv):
        return "GEWEIGERD", "GEEN_GEGEVENS"
    if cv > CAUTION:
        return ("REGIO", "ONZEKER") if level == "gemeente" else ("GEWEIGERD", "ONZEKER")
    return ("GOED" if cv <= GOOD else "VOORZICHTIG"), ""


def outward(low: float, middle: float, high: float) -> tuple[int, int, int]:
    """(low, estimate, high): the interval outward to 5, the estimate to the nearest 5 within it."""
    down = max(0, math.floor(low / BASE + 1e-9) * BASE)
    up = math.ceil(high / BASE - 1e-9) * BASE
    return down, min(max(down, math.floor(middle / BASE + 0.5) * BASE), up), up


def number(value: int) -> str:
    """Dutch thousands: 12.345."""
    return f"{value:,}".replace(",", ".")


def sentence(low: int, middle: int, high: int, basis: str, label: str) -> str:
    """What a municipality reads, such as: naar schatting 40, waarschijnlijk tussen 30 en 55.

    "Waarschijnlijk" is 90 percent; what is counted and what is modelled is said in the same breath.
    """
    care = " Wees voorzichtig met dit getal." if label == "VOORZICHTIG" else ""
    told = f"naar schatting {number(middle)}, waarschijnlijk tussen {number(low)} en {number(high)}"
    return f"{told} ({BASES[basis]}).{care}"


def instead(region: str, said: str | None) -> str:
    """The sentence of a municipality whose own estimate is too uncertain: that of its region."""
    if said is None:
        return f"Te onzeker voor deze gemeente, en ook voor {region}."
    return f"Te onzeker voor deze gemeente. In {region}: {said}"


REFUSED = "Geen schatting: het aantal is klein en zou te herleiden zijn."
NO_DATA = "Geen schatting: er zijn te weinig gegevens."
UNCERTAIN = "Te onzeker voor een schatting."
