"""The order of the steps, once. `koppel run --direct` calls it as it is; Prefect wraps the same functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from flows import lock, released, reproduce_inputs, status, steps, work
from flows.egress import Early
from flows.report import current
from flows.resume import Done
from flows.safe import guarded
from flows.settings import Settings
from flows.steps import Parcel
from schemas.errors import Fact
from schemas.registers import REGISTERS


def take_in(settings: Settings, parcel: Parcel) -> int:
    """Convert and open one verified delivery side by side (two processes), then accept it."""
    with current().doing(f"intake {parcel.register} {parcel.sequence}") as counts:
        steps.prepare(settings, parcel)
        with ThreadPoolExecutor(2) as pool:
            converting = pool.submit(steps.convert, settings, parcel)
            opening = pool.submit(steps.open_payload, settings, parcel)
            counts["pseudonyms"] = int(converting.result()["rows"])
            opening.result()
        counts["rows"] = steps.accept(settings, parcel)
    return parcel.accepted


def gateway(settings: Settings, register: str) -> int:
    """Deliver the raw extracts of one register, if any, and say so; returns how many."""
    began = time.monotonic()
    raw = steps.gateway(settings, register)
    if raw:
        current().done(f"gateway {register}", time.monotonic() - began, {"extracts": raw})
    return raw


@guarded
def intake(settings: Settings, register: str) -> int:
    """Everything new of one register; returns the rows accepted."""
    with lock.held(settings):
        gateway(settings, register)
        return sum(take_in(settings, parcel) for parcel in steps.verify(settings, register))


@guarded
def link(settings: Settings, early: Early | None = None) -> Done:
    """Link all accepted deliveries of the period."""
    with lock.held(settings), current().doing("link") as counts:
        done = work.link(settings, early)
        counts.update(_shown(done))
    return done


@guarded
def estimate(settings: Settings) -> Done:
    """Estimates with intervals from the linked tables."""
    with lock.held(settings), current().doing("estimate") as counts:
        done = work.estimate(settings)
        counts.update(_shown(done))
    return done


@guarded
def export(settings: Settings) -> Done:
    """Recipient pseudonyms, then the researchers' tables, still inside the TTP."""
    with lock.held(settings):
        with current().doing("recipient pseudonyms") as counts:
            counts.update(_shown(work.recipient(settings), keep=("persons",)))
        with current().doing("export") as counts:
            done = work.export(settings)
            counts.update(_shown(done))
    return done


@guarded
def publish(settings: Settings, early: Early | None = None) -> Done:
    """The release folder, through the gate; what it is made of must stand (`estimate`, `export`)."""
    with lock.held(settings):
        reproduce_inputs.clean(settings)  # the gate would find canaries in what a killed reproduction left
        with current().doing("publish") as counts:
            done = work.release(settings, early)
            counts.update(_shown(done))
        status.remember(settings)
        released.remember(settings)
    return done


@guarded
def upkeep(settings: Settings) -> None:
    """Integrity of finished steps, retention of sealed deliveries."""
    with lock.held(settings), current().doing("upkeep") as counts:
        counts.update(work.upkeep(settings))


def _shown(done: Done, keep: tuple[str, ...] | None = None) -> dict[str, Fact]:
    facts = {name: value for name, value in done.facts.items() if keep is None or name in keep}
    return {**facts, **({"skipped": True} if done.skipped else {})}


def together(*steps: Callable[[], object]) -> None:
    """Run steps that do not need each other, two at a time; the error of the first that failed, in their order."""
    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(step) for step in steps]:
            one.result()


def largest_first(settings: Settings) -> list[str]:
    """The registers by what waits of them: two at a time, the longest must not come last."""
    sizes = {
        register: sum(
            path.stat().st_size
            for folder in (settings.inbox / register, settings.gateway / register)
            for path in folder.rglob("*")
            if path.is_file()
        )
        for register in REGISTERS
    }
    return sorted(REGISTERS, key=lambda register: -sizes[register])


def run_direct(settings: Settings) -> Done:
    """Intake of every register, link, estimate and export, publish, upkeep: no Prefect anywhere."""
    with lock.held(settings), Early() as early:
        together(*(partial(intake, settings, register) for register in largest_first(settings)))
        link(settings, early)
        together(partial(estimate, settings), partial(export, settings))  # neither reads what the other makes
        done = publish(settings, early)
        upkeep(settings)
    return done
