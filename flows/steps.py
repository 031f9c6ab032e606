"""The steps of the pipeline as plain functions: `koppel run --direct` and the Prefect flows call the same ones.

Steps take settings and names, pass paths and hashes to the rooms, and return counts. None of them holds a key:
everything that needs one runs in a process of `pseudonymize` (flows/rooms.py).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from flows import resume, rooms
from flows.logs import EventLog
from flows.resume import Done, Facts
from flows.settings import Settings
from linkage.link import Delivery, link as link_deliveries
from linkage.plan import Plan
from pseudonymize import accept
from release import publish
from schemas import agreement as agreements
from schemas.agreement import Agreement
from schemas.errors import ConfigError, DeliveryError
from schemas.registers import REGISTERS

LINK_ROOMS = ("schemas", "linkage")
RELEASE_ROOMS = ("schemas", "linkage", "release")
INTAKE_ROOMS = ("schemas", "pseudonymize")


def log(settings: Settings) -> EventLog:
    """The event log of this TTP."""
    return EventLog(settings.state / "events.jsonl")


def agreement_of(settings: Settings, register: str) -> tuple[Agreement, Path]:
    """The agreement about a register and its file. ConfigError unknown_agreement."""
    for file in sorted(settings.agreements.glob("*.yaml")):
        found = agreements.load(file)
        if found.source == register:
            return found, file
    raise ConfigError("unknown_agreement", register=register)
