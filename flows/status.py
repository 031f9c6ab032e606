"""Where every register stands in this period, read from our own manifests and journals, never from Prefect.

expected -> received -> checked -> converted -> linked -> estimated -> released, as numbers of deliveries, and the one
next action. What a period held is remembered when it is published (`remember`), and the next period is held beside it.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows import governance, resume, steps
from flows.resume import sha256_file, write_json
from flows.settings import Settings
from schemas.agreement import Agreement
from schemas.errors import ConfigError
from schemas.registers import REGISTERS

SOON = dt.timedelta(days=30)
RUN = "run `koppel run`"
NOTHING = "nothing is due"


@dataclass(frozen=True)
class Line:
    """One register. Numbers count deliveries; `rows` are accepted rows.

    `change` is the share of rows more or less than in the period before (`last`), else than in the delivery before.
    """

    register: str
    supplier: str
    expected: int
    received: int
    at_gateway: int
    checked: int
    converted: int
    linked: int
    estimated: int
    released: int
    rows: int
    quarantined: int
    last: int | None
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
    done = (linked, linked if _estimated(settings) else {}, _released(settings))
    before = last_period(settings)
    lines, notes = [], []
    for register in REGISTERS:
        agreement = _agreement(settings, register)
        lines.append(_line(settings, register, agreement, done, before.get(register), day))
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
    done: tuple[dict[str, str], ...],
    before: dict[str, int] | None,
    day: dt.date,
) -> Line:
    received = _numbers(settings.inbox / register)
    stored = _stored(settings, register)
    hashes = {f"{register}/{number}": sha256_file(path) for number, path in stored.items()}
    told = [json.loads(stored[number].read_text(encoding="utf-8"))["rows"] for number in sorted(stored)]
    rows = sum(one["accepted"] for one in told)
    last = None if before is None else before["rows"]
    raw = len(steps.raw_files(settings.gateway / register))
    counts = {
        "expected": settings.expected.get(register, 1),
        "received": len(received | stored.keys()),
        "at_gateway": raw,
        "checked": len(_ledger(settings, register)),
        "converted": len(stored),
        **{name: _known(hashes, one) for name, one in zip(("linked", "estimated", "released"), done, strict=True)},
    }
    return Line(
        register=register,
        supplier=agreement.supplier if agreement else "",
        rows=rows,
        quarantined=sum(one["quarantined"] for one in told),
        last=last,
        change=_change([one["accepted"] for one in told] if last is None else [last, rows]),
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
    if counts["converted"] < counts["expected"]:
        return f"ask {agreement.supplier} for delivery {counts['converted'] + 1} of {register}"
    done = {counts[name] for name in ("converted", "linked", "estimated", "released")}
    return NOTHING if len(done) == 1 else RUN


def _notes(agreement: Agreement | None, day: dt.date) -> list[str]:
    if agreement is None:
        return []
    last = min(agreement.valid.until, agreement.dpia.valid_until)
    return [f"{agreement.agreement} or its DPIA ends on {last}"] if day <= last <= day + SOON else []


def _change(rows: list[int]) -> float | None:
    """The last number against the one before, as a share; None without two."""
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


def _estimated(settings: Settings) -> bool:
    """Whether the estimates that stand there are of the linked tables that stand there."""
    made, linked = (settings.state / "steps" / f"{name}.json" for name in ("estimate", "link"))
    if not (made.is_file() and linked.is_file() and (settings.run / "estimated").is_dir()):
        return False
    outputs: dict[str, str] = json.loads(linked.read_text(encoding="utf-8"))["outputs"]
    told = json.loads(made.read_text(encoding="utf-8")).get("inputs", {}).get("linked")
    return bool(told == resume.without_pseudonyms(outputs))


def remember(settings: Settings) -> None:
    """Write down what this period held, when it is published: rows and deliveries per register."""
    held: dict[str, dict[str, int]] = {}
    for manifest in governance.stored(settings):
        one = held.setdefault(str(manifest["register"]), {"deliveries": 0, "rows": 0, "quarantined": 0})
        one["deliveries"] += 1
        one["rows"] += int(manifest["rows"]["accepted"])
        one["quarantined"] += int(manifest["rows"]["quarantined"])
    write_json(_history(settings) / f"{settings.period}.json", held)


def last_period(settings: Settings) -> dict[str, dict[str, int]]:
    """What the latest published period before this one held; empty for the first."""
    files = sorted(path for path in _history(settings).glob("20*.json") if path.stem < settings.period)
    found: dict[str, dict[str, int]] = json.loads(files[-1].read_text(encoding="utf-8")) if files else {}
    return found


def _history(settings: Settings) -> Path:
    return settings.state / "history"


def _released(settings: Settings) -> dict[str, str]:
    path = settings.out / "run.json"
    if not path.is_file():
        return {}
    inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"]
    return {f"{one['register']}/{one['sequence']}": one["manifest_sha256"] for one in inputs}
