"""All registers by name."""

from __future__ import annotations

from schemas.crosswalk import CROSSWALK
from schemas.errors import ConfigError
from schemas.gmsd import GMSD
from schemas.ifzo import IFZO
from schemas.injus import INJUS, INJUS_TBS
from schemas.reclassering import RECLASSERING
from schemas.register import Register

REGISTERS: dict[str, Register] = {
    register.name: register for register in (INJUS, INJUS_TBS, RECLASSERING, IFZO, GMSD, CROSSWALK)
}


def register(name: str) -> Register:
    """The register of that name; ConfigError unknown_register when there is none."""
    if name not in REGISTERS:
        raise ConfigError("unknown_register", known="+".join(sorted(REGISTERS)))
    return REGISTERS[name]
