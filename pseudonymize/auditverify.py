"""Verify an audit log offline, with public keys alone: edits, gaps, reordering, truncation, and a rewritten chain.

The chain shows what was changed inside it. That its end was cut off, or that all of it was written anew, shows
against a head that somebody else holds: the receipts of suppliers carry one each (receipt.py).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudonymize import audit
from pseudonymize.audit import FIRST, Head
from schemas.errors import QualityGate

MOST = 100  # faults told; counting goes on


@dataclass(frozen=True)
class Fault:
    """What is wrong and at which line (0: the log as a whole)."""

    kind: str
    line: int


@dataclass
class Report:
    """Outcome of a verification. `faults` is empty for a log that may be believed as far as `head`."""

    events: int = 0
    head: str = FIRST
    heads_checked: int = 0
    faults: list[Fault] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)  # hashes of files that signed lines name

    @property
    def sound(self) -> bool:
        """True without a fault."""
        return not self.faults

    def fault(self, kind: str, line: int) -> None:
        """Note a fault."""
        if len(self.faults) < MOST:
            self.faults.append(Fault(kind, line))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        faults = [{"kind": found.kind, "line": found.line} for found in self.faults]
        own = {name: value for name, value in vars(self).items() if name != "told"}
        return {**own, "counts": dict(sorted(self.counts.items())), "faults": faults, "sound": self.sound}

    def require_sound(self) -> None:
        """QualityGate audit_broken, with the first fault and its line."""
        if self.faults:
            raise QualityGate("audit_broken", kind=self.faults[0].kind, line=self.faults[0].line)


def verify(log: Path, public: str, heads: Iterable[Head] = ()) -> Report:
    """Walk the whole log. Fault kinds:

    `edited` (a line that is not canonical, has a field that is not allowed, or that the key did not sign), `gap`
    (a number is missing), `reordered`, `repeated`, `unchained` (a line does not follow the one before), `torn` (the
    last line has no end), `truncated` (the log ends before a head that was told), `rewritten` (another line stands
    where a told head points), `missing` (there is no log), `bad_head` (the file beside it was not signed).
    """
    report = Report()
    if not log.is_file():
        report.fault("missing", 0)
        return report
    hashes = _walk(log, public, report)
    own = audit.read_head(log, public)
    if own is None and (audit.head_file(log).exists() or hashes):
        report.fault("bad_head", 0)
    for head in (*heads, *([own] if own else [])):
        _against(report, hashes, head)
    return report


def _walk(log: Path, public: str, report: Report) -> list[str]:
    """Hash of every line; faults and counts go into the report."""
    hashes: list[str] = []
    numbers: list[int] = []
    with log.open("rb") as file:
        for place, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                report.fault("torn", place)
                break
            line = raw[:-1]
            found = audit.parsed(line, public)
            if found is None:
                report.fault("edited", place)
            else:
                numbers.append(found["n"])
                report.told.add(found.get("sha256", ""))
                report.counts[found["event"]] = report.counts.get(found["event"], 0) + 1
                if found["prev"] != (hashes[-1] if hashes else FIRST):
                    report.fault("unchained", place)
            hashes.append(hashlib.sha256(line).hexdigest())
    report.events = len(hashes)
    report.head = hashes[-1] if hashes else FIRST
    _order(numbers, len(hashes), report)
    return hashes


def _order(numbers: list[int], lines: int, report: Report) -> None:
    """Numbers run 1, 2, 3, ... in the order of the lines."""
    missing = set(range(1, max([*numbers, 0]) + 1)) - set(numbers)
    edited = lines - len(numbers)
    if len(missing) > edited:
        report.fault("gap", min(missing))
    if len(set(numbers)) != len(numbers):
        report.fault("repeated", 0)
    if sorted(numbers) != numbers:
        report.fault("reordered", next(n for n, (a, b) in enumerate(itertools.pairwise(numbers), 2) if a > b))


def _against(report: Report, hashes: list[str], head: Head) -> None:
    report.heads_checked += 1
    if head.n > len(hashes):
        report.fault("truncated", len(hashes))
    elif head.n < 1 or hashes[head.n - 1] != head.hash or hashes[0] != head.first:
        report.fault("rewritten", head.n)
