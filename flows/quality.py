"""What is checked between runs: the audit log every night, the quality of what is held every month.

Counts and names only: the outcome goes to `state/quality.json`, the metrics, and Prefect's page of the run.
"""

from __future__ import annotations

from flows import egress, governance, resume
from flows.settings import Settings
from flows.steps import log
from pseudonymize import auditpaths
from schemas.errors import Fact, QualityGate


def verify_audit(settings: Settings) -> dict[str, Fact]:
    """Every line, signature, receipt and certificate. QualityGate audit_broken with the first fault."""
    with log(settings).watching("audit", who="auditor", why="nightly"):
        return require_sound_log(settings)


def require_sound_log(settings: Settings) -> dict[str, Fact]:
    """The same without a word to the log: for who reads in it what to believe."""
    report, counts = auditpaths.verify(
        log(settings).path, settings.keys / "public", settings.receipts, settings.home / "certificates"
    )
    report.require_sound()
    return {"events": report.events, "heads": report.heads_checked, **counts}


def quality(settings: Settings) -> dict[str, Fact]:
    """Row accounts of all deliveries, canaries in everything held, and published figures beside the recount.

    QualityGate rows_lost or DisclosureRefused canary_found; figures outside their tolerance are counted, and told.
    """
    with log(settings).watching("quality", who="operator", why="monthly"):
        found: dict[str, Fact] = {**_rows(settings), **_canaries(settings), **_figures(settings)}
    resume.write_json(settings.state / "quality.json", {"day": governance.today().isoformat(), **found})
    return found


def _rows(settings: Settings) -> dict[str, Fact]:
    total = quarantined = 0
    for manifest in governance.stored(settings):
        rows = manifest["rows"]
        if rows["in"] != rows["accepted"] + rows["quarantined"] + rows["out_of_scope"]:
            raise QualityGate("rows_lost", register=str(manifest["register"]), sequence=int(manifest["sequence"]))
        total, quarantined = total + rows["in"], quarantined + rows["quarantined"]
    return {"rows": total, "quarantined": quarantined}


def _canaries(settings: Settings) -> dict[str, Fact]:
    return {"files": int(egress.scan(settings)["files"])}


def _figures(settings: Settings) -> dict[str, Fact]:
    from linkage import reconcile  # noqa: PLC0415 - DuckDB is loaded where it is used

    linked = settings.run / "linked"
    if not (linked / "register_counts.parquet").is_file():
        return {}
    lines = reconcile.lines(linked)
    return {"figures": sum(line.judged for line in lines), "outside": len(reconcile.outside(lines))}
