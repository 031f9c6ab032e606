"""What the agreements allow: asked before a row is read, before microdata are linked, and before anything is published.

The text in force for a register is the YAML in the agreements folder. A delivery was made under the text whose hash
its signed manifest names; an older text stays in `agreements/earlier/`. Both must allow what is done with it.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import clock
from flows.settings import Settings
from release.disclosure import BASE, THRESHOLD
from schemas import agreement as agreements
from schemas import research
from schemas.agreement import OUTPUTS, Agreement, Output, Release, finer
from schemas.errors import ConfigError
from schemas.research import ResearchOutput

VNG, OPERATOR = "vng", "ttp"
FINEST = "gemeente"


@dataclass(frozen=True)
class Made:
    """One output as this run would publish it."""

    kind: Output
    recipient: str
    domain: str | None = None
    geo: str | None = None
    min_cell: int | None = None
    round: int | None = None
    complementary: bool = False


def today() -> dt.date:
    """The day agreements must hold on."""
    return dt.datetime.now(dt.UTC).date()


def in_force(settings: Settings) -> dict[str, Agreement]:
    """Valid agreements by register. ConfigError unknown_agreement, bad_agreement, contradicting_agreements,
    bad_output, agreement_expired, or clock_jumped: no row is read then."""
    clock.require_not_back(settings, today())
    found = agreements.folder(settings.agreements)
    for agreement in found.values():
        agreement.require_valid(today())
    for path in sorted((settings.agreements / "outputs").glob("*.yaml")):
        _require_same(research.load(path), path.stem, list(found.values()))
    return found


def _require_same(output: ResearchOutput, named: str, found: list[Agreement]) -> None:
    """What a recipient is to get, and what each register's agreement lets it get, must be one story.

    ConfigError bad_output when the file's name is not its recipient; contradicting_agreements, with the field.
    """
    if output.recipient != named:
        raise ConfigError("bad_output", recipient=named)
    for agreement in found:
        if fault := output.contradicts(agreement.outputs.get("research_parquet")):
            raise ConfigError(
                "contradicting_agreements", output=output.output, agreement=agreement.agreement, field=fault
            )


def concerned(settings: Settings) -> list[Agreement]:
    """Every text that data in the store came under, and the one in force for its register.

    ConfigError as in_force, and agreement_mismatch when the text a supplier signed for is nowhere to be found.
    """
    valid, known = in_force(settings), agreements.by_text(settings.agreements)
    found: dict[str, Agreement] = {}
    for manifest in stored(settings):
        register, told = str(manifest["register"]), str(manifest["agreement"]["sha256"])
        if register not in valid:
            raise ConfigError("unknown_agreement", register=register)
        if told not in known or known[told].source != register:
            raise ConfigError("agreement_mismatch", register=register, sequence=int(manifest["sequence"]))
        found |= {told: known[told], valid[register].sha256: valid[register]}
    return list(found.values())


def stored(settings: Settings) -> list[dict[str, Any]]:
    """Manifests of the accepted deliveries."""
    files = sorted(settings.store.glob("*/[0-9][0-9][0-9][0-9]/manifest.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def outputs(settings: Settings) -> list[Made]:
    """What a release of these settings publishes."""
    made = [
        Made("vng_table", VNG, geo=FINEST, min_cell=THRESHOLD, round=BASE),
        Made("research_parquet", settings.recipient, domain=settings.recipient),
        Made("operator_report", OPERATOR),
    ]
    return [*made, Made("truth_report", OPERATOR)] if settings.truth is not None else made


def require_outputs(settings: Settings) -> list[Agreement]:
    """ConfigError output_not_agreed unless every agreement concerned allows every output; returns the agreements."""
    return require_agreed(settings, outputs(settings))


def require_agreed(settings: Settings, wanted: list[Made]) -> list[Agreement]:
    """The same for the outputs named here."""
    found = concerned(settings)
    for made in wanted:
        for agreement in found:
            if fault := _fault(made, agreement.outputs.get(made.kind)):
                raise ConfigError("output_not_agreed", agreement=agreement.agreement, kind=made.kind, field=fault)
    return found


def _fault(made: Made, agreed: Release | None) -> str | None:
    """The field of the agreement that this output goes against; None when it may be made."""
    if agreed is None:
        return "outputs"
    faults = {
        "recipients": made.recipient not in agreed.recipients,
        "domain": agreed.domain is not None and made.domain != agreed.domain,
        "geo": agreed.geo is not None and finer(made.geo, agreed.geo),
        "min_cell": agreed.min_cell is not None and (made.min_cell or 0) < agreed.min_cell,
        "round": (agreed.round is not None and (made.round or 0) % agreed.round != 0)
        or (agreed.round and not made.round),
        "complementary": agreed.complementary and not made.complementary,
    }
    return next((name for name, wrong in faults.items() if wrong), None)


def retention_of(found: list[Agreement], kind: Output) -> int:
    """Days an output may stay: the shortest of the agreements concerned."""
    return min(agreement.outputs[kind].retention_days for agreement in found if kind in agreement.outputs)


def texts(settings: Settings) -> dict[str, dict[str, str]]:
    """Register -> id and hash of the agreement in force, for the run manifest."""
    found = agreements.folder(settings.agreements)
    return {name: {"id": one.agreement, "sha256": one.sha256} for name, one in sorted(found.items())}


def folder_of(settings: Settings, kind: Output) -> Path:
    """Where an output of this release stands; truth and operator share a folder."""
    names: dict[Output, str] = {"vng_table": "vng", "research_parquet": "onderzoek"}
    return settings.out / names.get(kind, "operator")


assert set(OUTPUTS) == {"vng_table", "research_parquet", "operator_report", "truth_report"}  # noqa: S101 - all are made
