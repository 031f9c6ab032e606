"""Where every register stands in this period, read from our own manifests and journals, never from Prefect.

expected -> received -> checked -> converted -> linked -> released, as numbers of deliveries, and the one next action.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows import steps
from flows.resume import sha256_file
from flows.settings import Settings
from schemas.agreement import Agreement
from schemas.errors import ConfigError
from schemas.registers import REGISTERS

SOON = dt.timedelta(days=30)
RUN = "run `koppel run`"
NOTHING = "nothing is due"


@dataclass(frozen=True)
class Line:
    """One register. Numbers count deliveries; `rows` are accepted rows, `change` against the delivery before."""

    register: str
    supplier: str
    received: int
    at_gateway: int
    checked: int
    converted: int
    linked: int
    released: int
    rows: int
    quarantined: int
    change: float | None
    action: str


@dataclass(frozen=True)
class Status:
    """Every register, what is due now, and what will be soon."""

    period: str
    release: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def action(self) -> str:
        """The one next action: the first that is due."""
        return next((line.action for line in self.lines if line.action != NOTHING), NOTHING)

    @property
    def due(self) -> bool:
        """True when somebody has to do something."""
        return self.action != NOTHING

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "period": self.period,
            "release": self.release,
            "registers": [asdict(line) for line in self.lines],
            "notes": list(self.notes),
            "next": self.action,
            "due": self.due,
        }


def status(settings: Settings, today: dt.date | None = None) -> Status:
    """Read everything anew; changes nothing. ConfigError bad_agreement for an agreement that cannot be read."""
    day = today or dt.datetime.now(dt.UTC).date()
    linked = _linked(settings)
    released = _released(settings)
    lines, notes = [], []
    for register in REGISTERS:
        agreement = _agreement(settings, register)
        lines.append(_line(settings, register, agreement, linked, released, day))
        notes += _notes(agreement, day)
    return Status(settings.period, settings.release, tuple(lines), tuple(notes))


def _agreement(settings: Settings, register: str) -> Agreement | None:
    try:
        return steps.agreement_of(settings, register)[0]
    except ConfigError as error:
        if error.code != "unknown_agreement":
            raise
        return None


def _line(  # noqa: PLR0917 - one register against everything that is known
    settings: Settings,
    register: str,
    agreement: Agreement | None,
    linked: dict[str, str],
    released: dict[str, str],
    day: dt.date,
) -> Line:
    received = _numbers(settings.inbox / register)
    stored = _stored(settings, register)
    hashes = {f"{register}/{number}": sha256_file(path) for number, path in stored.items()}
    told = [json.loads(stored[number].read_text(encoding="utf-8"))["rows"] for number in sorted(stored)]
    raw = len(steps.raw_files(settings.gateway / register))
    counts = {
        "received": len(received | stored.keys()),
        "at_gateway": raw,
        "checked": len(_ledger(settings, register)),
        "converted": len(stored),
        "linked": _known(hashes, linked),
        "released": _known(hashes, released),
    }
    return Line(
        register=register,
        supplier=agreement.supplier if agreement else "",
        rows=sum(rows["accepted"] for rows in told),
        quarantined=sum(rows["quarantined"] for rows in told),
        change=_change([rows["accepted"] for rows in told]),
        action=_action(register, agreement, counts, received - stored.keys(), day),
        **counts,
    )


def _action(register: str, agreement: Agreement | None, counts: dict[str, int], waiting: set[int], day: dt.date) -> str:
    if agreement is None:
        return f"put an agreement about {register} in the agreements folder"
    if not agreement.valid.holds(day) or day > agreement.dpia.valid_until:
        return f"renew {agreement.agreement}: it or its DPIA does not hold today"
    if waiting or counts["at_gateway"]:
        return RUN
    if not counts["converted"]:
        return f"ask {agreement.supplier} for delivery 1 of {register}"
    return NOTHING if counts["linked"] == counts["released"] == counts["converted"] else RUN


def _notes(agreement: Agreement | None, day: dt.date) -> list[str]:
    if agreement is None:
        return []
    last = min(agreement.valid.until, agreement.dpia.valid_until)
    return [f"{agreement.agreement} or its DPIA ends on {last}"] if day <= last <= day + SOON else []


def _change(rows: list[int]) -> float | None:
    """Accepted rows of the last delivery against the one before, as a share; None without two."""
    return None if len(rows) < 2 or not rows[-2] else round(rows[-1] / rows[-2] - 1, 3)


def _numbers(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()} if folder.is_dir() else set()


def _stored(settings: Settings, register: str) -> dict[int, Path]:
    found = (settings.store / register).glob("[0-9][0-9][0-9][0-9]/manifest.json")
    return {int(path.parent.name): path for path in found}


def _ledger(settings: Settings, register: str) -> list[str]:
    path = settings.state / "ledger" / f"{register}.json"
    accepted = json.loads(path.read_text(encoding="utf-8"))["accepted"] if path.is_file() else {}
    return [number for supplier in accepted.get(register, {}).values() for number in supplier]


def _known(hashes: dict[str, str], done: dict[str, str]) -> int:
    return sum(done.get(name) == value for name, value in hashes.items())


def _linked(settings: Settings) -> dict[str, str]:
    """Deliveries in the linked tables: register/number -> hash of the manifest."""
    path = settings.state / "steps" / "link.json"
    if not path.is_file() or not (settings.run / "linked").is_dir():
        return {}
    inputs: dict[str, str] = json.loads(path.read_text(encoding="utf-8")).get("inputs", {})
    return inputs


def _released(settings: Settings) -> dict[str, str]:
    path = settings.out / "run.json"
    if not path.is_file():
        return {}
    inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"]
    return {f"{one['register']}/{one['sequence']}": one["manifest_sha256"] for one in inputs}
