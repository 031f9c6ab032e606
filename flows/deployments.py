"""The Prefect flows: one deployment per register, per period and per release. Thin: tasks call the pipeline.

Parameters are names only (a register); settings come from the file that KOPPEL_CONFIG names, keys never pass.
Importing this module imports Prefect (seconds): only `koppel run` and `koppel serve` do so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from prefect import flow, get_client, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from flows import alerts, lock, pipeline, quality, status, statuspage, steps
from flows.resume import Done
from flows.safe import guarded
from flows.settings import load
from flows.steps import Parcel
from schemas.registers import REGISTERS

P = ParamSpec("P")
T = TypeVar("T")
TIMEZONE = "Europe/Amsterdam"
POOL = "ttp"
INTAKE_WINDOW = "0 2 15-28 2,8 *"  # every night of it: what comes late is taken in the next night
LINKING, ESTIMATING, EXPORTING = "0 2 1 3,9 *", "0 4 1 3,9 *", "0 5 1 3,9 *"
MONTHLY, AUDITING, KEEPING = "0 6 1 * *", "0 1 * * *", "30 1 * * *"
PATIENCE = 3 * 3600.0  # seconds a scheduled run waits for whoever is at work; what comes after it is queued
_PLAIN: dict[str, Any] = {"cache_policy": None, "persist_result": False, "log_prints": False}
_WATCHED: dict[str, Any] = {"persist_result": False, "on_failure": [alerts.hook], "on_crashed": [alerts.hook]}


def patient(body: Callable[P, T]) -> Callable[P, T]:
    """Hold the lock around a flow's body, and wait for it: a person at work is no failure of a scheduled run."""

    @functools.wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with lock.held(load(), wait=PATIENCE):
            return body(*args, **kwargs)

    return run


@task(name="gateway", **_PLAIN)
@guarded
def gateway_task(register: str) -> int:
    """Run the supplier tool on raw extracts at the gateway, before anything else touches them."""
    return pipeline.gateway(load(), register)


@task(name="verify", **_PLAIN)
@guarded
def verify_task(register: str) -> list[Parcel]:
    """Signature, agreement, sequence and hashes of what lies in the inbox."""
    return steps.verify(load(), register)


@task(name="convert, open, accept", **_PLAIN)
@guarded
def take_in_task(parcel: Parcel) -> int:
    """Two processes side by side: identity to link pseudonyms, payload to Parquet; then accept."""
    return pipeline.take_in(load(), parcel)


@flow(name="intake", validate_parameters=True, **_WATCHED)
@guarded
@patient
def intake(register_name: str) -> int:
    """Take in every new delivery of one register."""
    gateway_task(register_name)
    rows = sum(take_in_task(parcel) for parcel in verify_task(register_name))
    create_table_artifact(
        key=f"intake-{register_name.replace('_', '-')}", table=[{"register": register_name, "rows": rows}]
    )
    show_status()
    return rows


@task(name="link", **_PLAIN)
@guarded
def link_task() -> dict[str, Any]:
    """Spells, title ends, outcomes and counts, in DuckDB."""
    return dict(pipeline.link(load()).facts)


@flow(name="link", **_WATCHED)
@guarded
@patient
def link() -> None:
    """Link all accepted deliveries of the period."""
    create_table_artifact(key="link", table=[link_task()])


@task(name="estimate", **_PLAIN)
@guarded
def estimate_task() -> dict[str, Any]:
    """Estimates with intervals, from the linked tables alone."""
    return dict(pipeline.estimate(load()).facts)


@flow(name="estimate", **_WATCHED)
@guarded
@patient
def estimate() -> None:
    """Estimate the target group of the period."""
    create_table_artifact(key="estimate", table=[estimate_task()])


@task(name="export", **_PLAIN)
@guarded
def export_task() -> dict[str, Any]:
    """Recipient pseudonyms and the researchers' tables, still inside the TTP."""
    return dict(pipeline.export(load()).facts)


@flow(name="export", persist_result=False)
@guarded
@patient
def export() -> None:
    """Prepare what the researchers get."""
    create_table_artifact(key="export", table=[export_task()])


@task(name="publish", **_PLAIN)
@guarded
def publish_task() -> Done:
    """Protection, pages and tables, and the gate."""
    return pipeline.publish(load())


@flow(name="publish", **_WATCHED)
@guarded
@patient
def publish() -> Done:
    """Make the release folder."""
    done = publish_task()
    create_table_artifact(key="publish", table=[done.facts])
    show_status()
    return done


def show_status() -> None:
    """What `koppel status` shows, on Prefect's page: counts and names of ours only."""
    create_table_artifact(key="status", table=statuspage.rows(status.status(load())))


@flow(name="upkeep", **_WATCHED)
@guarded
@patient
def upkeep() -> None:
    """Retention and integrity checks."""
    pipeline.upkeep(load())
    show_status()


@task(name="audit", **_PLAIN)
@guarded
def audit_task() -> dict[str, Any]:
    """Lines, signatures and links of the log, receipts and certificates."""
    return dict(quality.verify_audit(load()))


@flow(name="audit", **_WATCHED)
@guarded
def audit() -> None:
    """Verify the audit log."""
    create_table_artifact(key="audit", table=[audit_task()])


@task(name="quality", **_PLAIN)
@guarded
def quality_task() -> dict[str, Any]:
    """Row accounts, canaries, published figures."""
    return dict(quality.quality(load()))


@flow(name="quality", **_WATCHED)
@guarded
def monthly() -> None:
    """Check the quality of what is held."""
    create_table_artifact(key="quality", table=[quality_task()])


def run() -> Done:
    """Every flow in order on the server that PREFECT_API_URL names; returns what publish made."""
    with lock.held(load()):
        pipeline.together(*(partial(intake, register) for register in pipeline.largest_first(load())))
        link()
        pipeline.together(estimate, export)
        done = publish()
        upkeep()
    return done


def deployments() -> list[RunnerDeployment]:
    """One deployment per register, and one each for link, estimate, export, publish, quality, audit and upkeep."""
    made = [
        intake.to_deployment(f"intake-{r}", parameters={"register_name": r}, **_at(INTAKE_WINDOW)) for r in REGISTERS
    ]
    flows = (
        (link, LINKING),
        (estimate, ESTIMATING),
        (export, EXPORTING),
        (monthly, MONTHLY),
        (audit, AUDITING),
        (upkeep, KEEPING),
    )
    made += [one.to_deployment(one.name, **_at(cron)) for one, cron in flows]
    made.append(publish.to_deployment("publish", **_at(None)))  # a person decides when something leaves
    return cast(list[RunnerDeployment], made)  # a coroutine only when called inside an event loop


def deploy() -> int:
    """Make the process pool and put every deployment on the server, anew; returns how many.

    The pool gets its template from the installed worker: `prefect work-pool create` would make the server ask for it
    on the internet.
    """
    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
    made = deployments()
    for deployment in made:
        deployment.apply()
    return len(made)


def _at(cron: str | None) -> dict[str, Any]:
    """Where and when: the process pool `ttp`, by module path, one run of it at a time."""
    where = {"entrypoint_type": EntrypointType.MODULE_PATH, "work_pool_name": POOL, "concurrency_limit": 1}
    return where if cron is None else {**where, "schedules": [Cron(cron, timezone=TIMEZONE)]}
