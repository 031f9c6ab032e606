"""The Prefect flows: one deployment per register, per period and per release. Thin: tasks call the pipeline.

Parameters are names only (a register); settings come from the file that KOPPEL_CONFIG names, keys never pass.
Importing this module imports Prefect (seconds): only `koppel run` and `koppel deploy` do so.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from flows import pipeline, steps
from flows.resume import Done
from flows.safe import guarded
from flows.settings import load
from flows.steps import Parcel
from schemas.registers import REGISTERS

TIMEZONE = "Europe/Amsterdam"
_PLAIN: dict[str, Any] = {"cache_policy": None, "persist_result": False, "log_prints": False}


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


@flow(name="intake", persist_result=False, validate_parameters=True)
@guarded
def intake(register_name: str) -> int:
    """Take in every new delivery of one register."""
    gateway_task(register_name)
    rows = sum(take_in_task(parcel) for parcel in verify_task(register_name))
    create_table_artifact(
        key=f"intake-{register_name.replace('_', '-')}", table=[{"register": register_name, "rows": rows}]
    )
    return rows


@task(name="link", **_PLAIN)
@guarded
def link_task() -> dict[str, Any]:
    """Spells, title ends, outcomes and counts, in DuckDB."""
    return dict(pipeline.link(load()).facts)


@flow(name="link", persist_result=False)
@guarded
def link() -> None:
    """Link all accepted deliveries of the period."""
    create_table_artifact(key="link", table=[link_task()])


@task(name="estimate", **_PLAIN)
@guarded
def estimate_task() -> dict[str, Any]:
    """Estimates with intervals, from the linked tables alone."""
    return dict(pipeline.estimate(load()).facts)


@flow(name="estimate", persist_result=False)
@guarded
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
def export() -> None:
    """Prepare what the researchers get."""
    create_table_artifact(key="export", table=[export_task()])


@task(name="publish", **_PLAIN)
@guarded
def publish_task() -> Done:
    """Protection, pages and tables, and the gate."""
    return pipeline.publish(load())


@flow(name="publish", persist_result=False)
@guarded
def publish() -> Done:
    """Make the release folder."""
    done = publish_task()
    create_table_artifact(key="publish", table=[done.facts])
    return done


@flow(name="upkeep", persist_result=False)
@guarded
def upkeep() -> None:
    """Retention and integrity checks."""
    pipeline.upkeep(load())


def run() -> Done:
    """Every flow in order on the server that PREFECT_API_URL names; returns what publish made."""
    pipeline.together(*(partial(intake, register) for register in pipeline.largest_first(load())))
    link()
    pipeline.together(estimate, export)
    done = publish()
    upkeep()
    return done


def deployments() -> list[RunnerDeployment]:
    """One deployment per register (half-yearly), and one each for link, estimate, export, publish and upkeep."""
    half_year = _at("0 2 15 2,8 *")
    made = [intake.to_deployment(f"intake-{r}", parameters={"register_name": r}, **half_year) for r in REGISTERS]
    made.append(link.to_deployment("link", **_at("0 4 16 2,8 *")))
    made.append(estimate.to_deployment("estimate", **_at("0 5 16 2,8 *")))
    made.append(export.to_deployment("export", **_at("30 5 16 2,8 *")))
    made.append(publish.to_deployment("publish", **_at(None)))  # a person decides when something leaves
    made.append(upkeep.to_deployment("upkeep", **_at("0 3 * * *")))
    return cast(list[RunnerDeployment], made)  # a coroutine only when called inside an event loop


def _at(cron: str | None) -> dict[str, Any]:
    """Where and when: the process pool `ttp`, by module path, one run at a time."""
    where = {"entrypoint_type": EntrypointType.MODULE_PATH, "work_pool_name": "ttp", "concurrency_limit": 1}
    return where if cron is None else {**where, "schedules": [Cron(cron, timezone=TIMEZONE)]}
