"""Link, convert for the recipient, publish, keep up: the steps after intake. Plain functions, no Prefect."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flows import egress, governance, resume, retention, rooms
from flows.manifest import run_manifest
from flows.resume import Done, Facts
from flows.settings import Settings
from flows.steps import hmac_path, log
from linkage.link import Delivery
from linkage.link import link as link_deliveries
from linkage.plan import Plan
from release import publish
from schemas.errors import ConfigError, DeliveryError, Fact, QualityGate
from schemas.registers import REGISTERS
from schemas.research import ResearchOutput
from schemas.research import load as load_output

LINK_ROOMS = ("schemas", "linkage")
CONVERT_ROOMS = ("schemas", "pseudonymize")
ESTIMATE_ROOMS = ("schemas", "estimation")
RELEASE_ROOMS = ("schemas", "release")


def deliveries(settings: Settings) -> list[Delivery]:
    """Every accepted delivery in the store. DeliveryError not_delivered when a register has none."""
    found = []
    for register in REGISTERS:
        folders = sorted((settings.store / register).glob("[0-9][0-9][0-9][0-9]"))
        if not folders:
            raise DeliveryError("not_delivered", register=register)
        found += [Delivery(register, int(folder.name), folder) for folder in folders]
    return found


def link(settings: Settings) -> Done:
    """Pseudonyms and payloads to linked tables and counts, in `runs/<period>/linked`."""
    with log(settings).watching("link", who="linker", why=_plan(), period=settings.period):
        governance.concerned(settings)  # before a row is read
        return _link(settings)


def _plan() -> str:
    """What a step after intake is done for: the linkage plan, by version."""
    return f"koppelplan {Plan().version}"


def _link(settings: Settings) -> Done:
    inputs = {
        f"{d.register}/{d.sequence}": resume.sha256_file(d.folder / "manifest.json") for d in deliveries(settings)
    }
    plan = Plan()

    def work(out: Path) -> Facts:
        scratch = settings.run / "scratch"
        try:
            result = link_deliveries(
                deliveries(settings),
                out,
                plan=plan,
                work=scratch,
                memory_limit=settings.memory_limit,
                threads=settings.threads,
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return dict(result.facts())

    done = resume.step(
        "link",
        journal=settings.state / "steps",
        inputs={**inputs, "plan": plan.digest()},
        rooms=LINK_ROOMS,
        out=settings.run / "linked",
        work=work,
    )
    told = {"rows": done.facts["rows"], "persons": done.facts["persons"], "events": done.facts["events"]}
    _tell(settings, "linked", "linker", done, period=settings.period, **told)
    return done


def _tell(settings: Settings, event: str, who: str, done: Done, **facts: Fact) -> None:
    about: dict[str, Fact] = {"fingerprint": done.fingerprint, "skipped": done.skipped}
    log(settings).event(event, who=who, why=_plan(), **about, **facts)


def estimate(settings: Settings) -> Done:
    """Linked tables to estimates with intervals, in `runs/<period>/estimated`. ConfigError bad_clerical."""
    with log(settings).watching("estimate", who="estimator", why=_plan(), period=settings.period):
        done = _estimate(settings)
        _tell(settings, "estimated", "estimator", done, period=settings.period)
    return done


def _estimate(settings: Settings) -> Done:
    from estimation import corrections  # noqa: PLC0415 - scipy takes a second to load, and other verbs need none
    from estimation import estimate as room  # noqa: PLC0415

    linked = settings.run / "linked"
    sample = corrections.Sample() if settings.clerical is None else corrections.Sample.read(settings.clerical)
    choices = room.Choices(seed=settings.seed, draws=settings.draws, sample=sample)

    def work(out: Path) -> Facts:
        return {"estimates": room.estimate(linked, out, choices)["estimates"], "draws": settings.draws}

    return resume.step(
        "estimate",
        journal=settings.state / "steps",
        inputs={
            "linked": resume.combined(f"{name}:{value}" for name, value in _read_by_estimate(linked)),
            "seed": str(settings.seed),
            "draws": str(settings.draws),
            "sample": "" if settings.clerical is None else resume.sha256_file(settings.clerical),
        },
        rooms=ESTIMATE_ROOMS,
        out=settings.run / "estimated",
        work=work,
    )


def _read_by_estimate(linked: Path) -> list[tuple[str, str]]:
    """Name and hash of the tables without a pseudonym: estimation reads no other."""
    return [(name, value) for name, value in resume.hashes(linked).items() if name != "person_link.parquet"]


def recipient(settings: Settings) -> Done:
    """Link pseudonyms of persons to the recipient's domain: the converter again, persons only."""
    with log(settings).watching("recipient", who="converter", why=_plan(), recipient=settings.recipient):
        governance.require_outputs(settings)
        done = _recipient(settings)
        told = {"converted": done.facts["persons"], "key_check": done.facts["key"]}
        told |= {name: done.facts[name] for name in ("hmac", "fallback") if name in done.facts}
        _tell(settings, "recipient_converted", "converter", done, recipient=settings.recipient, **told)
    return done


def _recipient(settings: Settings) -> Done:
    source = settings.run / "linked" / "person_link.parquet"

    def work(out: Path) -> Facts:
        answer = rooms.pseudonymize(
            "recipient",
            *("--source", source, "--keys", settings.keys / "converter"),
            *("--recipient", settings.recipient, "--out", out / "pseudonyms.parquet"),
        )
        return {"persons": int(answer["rows"]), "key": str(answer["key_check"]), **hmac_path(answer)}

    return resume.step(
        "recipient",
        journal=settings.state / "steps",
        inputs={"person_link": resume.sha256_file(source), "recipient": settings.recipient},
        rooms=CONVERT_ROOMS,
        out=settings.run / "recipient",
        work=work,
    )


def research_output(settings: Settings) -> ResearchOutput:
    """The agreement about the recipient of linked tables: agreements/outputs/<recipient>.yaml.

    ConfigError unknown_output, or bad_output when it is about somebody else.
    """
    output = load_output(settings.agreements / "outputs" / f"{settings.recipient}.yaml")
    if output.recipient != settings.recipient:
        raise ConfigError("bad_output", recipient=settings.recipient)
    return output


def release(settings: Settings) -> Done:
    """Everything the readers get, in `releases/<release>`: VNG, researchers, operator, truth (synthetic only)."""
    with log(settings).watching("release", who="publisher", why=_plan(), release=settings.release):
        governance.require_outputs(settings)
        done = _release(settings)
        _tell(settings, "released", "publisher", done, release=settings.release, files=done.facts["files"])
    return done


def _release(settings: Settings) -> Done:
    run = run_manifest(settings)
    linked, pseudonyms = settings.run / "linked", settings.run / "recipient" / "pseudonyms.parquet"
    output = research_output(settings)
    estimated = settings.run / "estimated"
    if not estimated.is_dir():
        raise ConfigError("not_estimated")

    def work(out: Path) -> Facts:
        how: dict[str, Any] = {"release_id": settings.release, "run": run}
        with ThreadPoolExecutor(3) as pool:  # spreadsheets take a processor; DuckDB and the scan take the other
            home = pool.submit(egress.at_home, settings, out)
            tables = pool.submit(publish.publish_vng, linked, out / "vng", estimated=estimated, **how)
            research = pool.submit(
                publish.publish_research, linked, pseudonyms, out / "onderzoek", output=output, **how
            )
            made = tables.result() + research.result()
        planted = None if settings.truth is None else (settings.store, settings.truth)
        made += publish.publish_operator(linked, out / "operator", run=run, planted=planted)
        if settings.truth is not None:
            made += publish.publish_truth(linked, settings.truth, out / "operator", run=run)
        (out / "run.json").write_text(json.dumps(run, indent=1, sort_keys=True), encoding="utf-8")
        egress.passed(settings, out, home)
        return {"files": len(made)}

    done = resume.step(
        "release",
        journal=settings.state / "steps",
        inputs={
            "linked": resume.combined(resume.hashes(linked).values()),
            "estimated": resume.combined(resume.hashes(estimated).values()),
            "pseudonyms": resume.sha256_file(pseudonyms),
            "release": settings.release,
            "output": output.sha256,
            "truth": str(settings.truth is not None),
        },
        rooms=RELEASE_ROOMS,
        out=settings.out,
        work=work,
    )
    return done


def upkeep(settings: Settings) -> Facts:
    """Check that finished steps still are what their journals say; then delete what is due (flows/retention.py)."""
    with log(settings).watching("upkeep", who="operator", why=_plan()):
        return _upkeep(settings)


def _upkeep(settings: Settings) -> Facts:
    checked = 0
    for name, folder in _finished(settings):
        record = settings.state / "steps" / f"{name}.json"
        if record.is_file():
            kept: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            if kept["outputs"] != resume.hashes(folder):
                raise QualityGate("outputs_changed", step=name)
            checked += 1
    deleted = int(retention.retain(settings, log(settings), governance.today())["deleted"])
    log(settings).event("upkeep", who="operator", why=_plan(), files=checked, deleted=deleted)
    return {"checked": checked, "deleted": deleted}


def _finished(settings: Settings) -> tuple[tuple[str, Path], ...]:
    """Steps whose outputs are checked against their journals."""
    run = settings.run
    return (("link", run / "linked"), ("estimate", run / "estimated"), ("release", settings.out))
