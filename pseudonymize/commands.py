"""The supplier's verbs by path: what `koppel check`, `koppel deliver` and `koppel keys init` call."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from pseudonymize import deliver as tool
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.parties import PublicKeys, SupplierKeys
from pseudonymize.report import DeliveryReport
from schemas import agreement as agreements
from schemas.errors import ConfigError
from schemas.registers import register as find

MAX_COVERAGE = 4 << 20


def check(
    source: Path, register: str | None, agreement: Path | None, synthetic: bool, quarantine: Path | None
) -> DeliveryReport:
    """Validate an extract under an agreement, or bare for a register. Errors as deliver.check."""
    agreed = agreements.load(agreement) if agreement else None
    declared = agreed.declared if agreed else find(register or "")
    return tool.check(source, declared, agreed, synthetic=synthetic, quarantine_to=quarantine)


def deliver(  # noqa: PLR0917 - the order of `koppel deliver`
    source: Path,
    agreement: Path,
    keys: Path,
    public: Path,
    sequence: int,
    out: Path,
    coverage: Path | None = None,
    period_from: dt.date | None = None,
    period_until: dt.date | None = None,
) -> DeliveryReport:
    """Make a delivery in folder `out`; the period is the agreement's unless named. Errors as deliver.deliver."""
    agreed = agreements.load(agreement)
    return tool.deliver(
        source,
        agreed.declared,
        agreed,
        SupplierKeys.load(keys),
        PublicKeys.load(public),
        out,
        sequence=sequence,
        period=(period_from or agreed.period.from_, period_until or agreed.period.until),
        coverage=read_coverage(coverage),
    )


def read_coverage(path: Path | None) -> dict[str, Any] | None:
    """Half-year -> {status, gemeenten}. ConfigError bad_coverage when it is not a JSON object."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_COVERAGE))
    except (OSError, ValueError):
        raise ConfigError("bad_coverage") from None
    if not isinstance(found, dict):
        raise ConfigError("bad_coverage")
    return found


def create_keys(  # noqa: PLR0917 - the order of `koppel keys init`
    home: Path, project: str, epoch: str, suppliers: list[str], recipients: list[str], pre_epoch: str = ""
) -> dict[str, Any]:
    """Keys for every party under `home`; returns how many suppliers, and the key-check tags."""
    public = create_demo_keys(home, suppliers, recipients, project, epoch, pre_epoch=pre_epoch)
    return {"suppliers": len(public.suppliers), "checks": public.checks}
