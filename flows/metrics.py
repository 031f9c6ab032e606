"""Figures about the TTP in OpenMetrics text: for node_exporter's textfile collector, or any scraper of files.

Families are declared here, with the labels each may carry; label values are names of ours. Counts of deliveries, rows
and steps only: what a register says about people is in none of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from flows.settings import Settings
from flows.status import NOTHING, Status
from flows.status import status as read
from linkage.plan import Plan
from schemas.errors import KoppelError

STAGES = ("expected", "received", "checked", "converted", "linked", "estimated", "released")
Sample = tuple[dict[str, str], float]


@dataclass(frozen=True)
class Family:
    """One figure: its name, what it says, and the labels it may have."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


FAMILIES = (
    Family("koppel_build", "Version of the program and of the linkage plan.", ("version", "plan"), "info"),
    Family("koppel_deliveries", "Deliveries of this period, by how far they are.", ("register", "stage")),
    Family("koppel_rows", "Rows of this period's deliveries.", ("register", "outcome")),
    Family("koppel_rows_last_period", "Accepted rows of the period before.", ("register",)),
    Family("koppel_due", "1 when a person has to do something about this register.", ("register",)),
    Family("koppel_step_finished_seconds", "When a step last finished, as seconds since 1970.", ("step",)),
    Family("koppel_quality", "Counts of the last monthly check.", ("what",)),
    Family("koppel_alerts", "Failed runs by error code, counter since the first.", ("flow", "code"), "counter"),
    Family("koppel_audit_lines", "Lines of the audit log, counter.", (), "counter"),
    Family("koppel_free_bytes", "Free space where the TTP's state stands."),
)
QUALITY = frozenset({"rows", "quarantined", "files", "figures", "outside"})


def text(settings: Settings) -> str:
    """Every family with its samples, ending with `# EOF`. Errors as `koppel status`."""
    samples = _samples(settings, read(settings))
    lines = [line for family in FAMILIES for line in _family(family, samples[family.name])]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _family(family: Family, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.kind}"
    yield f"# HELP {family.name} {family.help}"
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    for labels, value in samples:
        if set(labels) != set(family.labels):
            raise ValueError(f"labels of {family.name} are {family.labels}")
        told = ",".join(f'{name}="{KoppelError("metric", value=one).facts["value"]}"' for name, one in labels.items())
        yield f"{family.name}{suffix}{f'{{{told}}}' if told else ''} {value:.10g}"


def _samples(settings: Settings, found: Status) -> dict[str, list[Sample]]:
    lines = found.lines
    return {
        "koppel_build": [({"version": version("koppelpunt"), "plan": str(Plan().version)}, 1)],
        "koppel_deliveries": [
            ({"register": line.register, "stage": stage}, getattr(line, stage)) for line in lines for stage in STAGES
        ],
        "koppel_rows": [
            ({"register": line.register, "outcome": outcome}, count)
            for line in lines
            for outcome, count in (("accepted", line.rows), ("quarantined", line.quarantined))
        ],
        "koppel_rows_last_period": [
            ({"register": line.register}, line.last) for line in lines if line.last is not None
        ],
        "koppel_due": [({"register": line.register}, line.action != NOTHING) for line in lines],
        "koppel_step_finished_seconds": [
            ({"step": path.stem}, path.stat().st_mtime) for path in sorted((settings.state / "steps").glob("*.json"))
        ],
        "koppel_quality": _quality(settings.state / "quality.json"),
        "koppel_alerts": _alerts(settings.state / "alerts.jsonl"),
        "koppel_audit_lines": [({}, _count(settings.state / "audit.jsonl"))],
        "koppel_free_bytes": [({}, shutil.disk_usage(settings.home).free)] if settings.home.is_dir() else [],
    }


def _quality(path: Path) -> list[Sample]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return [({"what": name}, float(value)) for name, value in sorted(content.items()) if name in QUALITY]


def _alerts(path: Path) -> list[Sample]:
    counts: dict[tuple[str, str], int] = {}
    for line in path.read_text(encoding="ascii").splitlines() if path.is_file() else ():
        told = json.loads(line)
        key = (str(told.get("flow", "other")), str(told.get("code", "none")))
        counts[key] = counts.get(key, 0) + 1
    return [({"flow": flow, "code": code}, count) for (flow, code), count in sorted(counts.items())]


def _count(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)
