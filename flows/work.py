"""Link, convert for the recipient, publish, keep up: the steps after intake. Plain functions, no Prefect."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flows import clock, egress, governance, resume, retention, rooms
from flows.manifest import run_manifest
from flows.resume import Done, Facts
from flows.settings import Settings
from flows.steps import hmac_path, log
from linkage.engines.session import Engine
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


def link(settings: Settings, early: egress.Early | None = None) -> Done:
    """Pseudonyms and payloads to linked tables and counts, in `runs/<period>/linked`."""
    with log(settings).watching("link", who="linker", why=_plan(), period=settings.period):
        governance.concerned(settings)  # before a row is read
        done = make_linked(settings, early)
        told = {name: done.facts[name] for name in ("rows", "persons", "events")}
        _tell(settings, "linked", "linker", done, period=settings.period, **told)
    return done


def _plan() -> str:
    """What a step after intake is done for: the linkage plan, by version."""
    return f"koppelplan {Plan().version}"


def make_linked(settings: Settings, early: egress.Early | None = None) -> Done:
    """The linked tables; as every `make_` below, without a word to the log (flows/reproduce.py makes them again)."""
    inputs = {
        f"{d.register}/{d.sequence}": resume.sha256_file(d.folder / "manifest.json") for d in deliveries(settings)
    }
    plan = Plan()

    def work(out: Path) -> Facts:
        scratch = settings.run / "scratch"
        if early is not None:
            early.begin(settings)
        try:
            result = link_deliveries(
                deliveries(settings),
                out,
                plan=plan,
                work=scratch,
                memory_limit=settings.memory_limit,
                threads=settings.threads,
                engine=_engine(settings),
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return dict(result.facts())

    return resume.step(
        "link",
        journal=settings.state / "steps",
        inputs={**inputs, "plan": plan.digest(), **_asked(settings)},
        rooms=LINK_ROOMS,
        out=settings.run / "linked",
        work=work,
    )


def _engine(settings: Settings) -> Engine | None:
    """The engine that was asked for; None is DuckDB alone. ConfigError engine_folder."""
    if settings.engine == "duckdb":
        return None
    return Engine(settings.engine, settings.engine_url, settings.engine_folder, settings.threads)


def _asked(settings: Settings) -> dict[str, str]:
    """Another engine than DuckDB is part of what a step was done with, though its output is the same."""
    return {} if settings.engine == "duckdb" else {"engine": settings.engine}


def _tell(settings: Settings, event: str, who: str, done: Done, **facts: Fact) -> None:
    about: dict[str, Fact] = {"fingerprint": done.fingerprint, "skipped": done.skipped}
    log(settings).event(event, who=who, why=_plan(), **about, **facts)


def estimate(settings: Settings) -> Done:
    """Linked tables to estimates with intervals, in `runs/<period>/estimated`. ConfigError bad_clerical."""
    with log(settings).watching("estimate", who="estimator", why=_plan(), period=settings.period):
        done = make_estimated(settings)
        _tell(settings, "estimated", "estimator", done, period=settings.period)
    return done


def make_estimated(settings: Settings) -> Done:
    """Estimates, from linked tables without a pseudonym."""
    from estimation import corrections  # noqa: PLC0415 - scipy takes a second to load, and other verbs need none
    from estimation import estimate as room  # noqa: PLC0415

    linked = settings.run / "linked"
    sample = corrections.Sample() if settings.clerical is None else corrections.Sample.read(settings.clerical)
    choices = room.Choices(settings.seed, settings.draws, sample, settings.full_bayes, settings.recapture_gmsd)

    def work(out: Path) -> Facts:
        return {"estimates": room.estimate(linked, out, choices)["estimates"], "draws": settings.draws}

    return resume.step(
        "estimate",
        journal=settings.state / "steps",
        inputs={
            "linked": resume.without_pseudonyms(resume.hashes(linked)),
            "seed": str(settings.seed),
            "draws": str(settings.draws),
            "full_bayes": str(settings.full_bayes),
            "recapture_gmsd": str(settings.recapture_gmsd),
            "sample": "" if settings.clerical is None else resume.sha256_file(settings.clerical),
        },
        rooms=ESTIMATE_ROOMS,
        out=settings.run / "estimated",
        work=work,
    )


def recipient(settings: Settings) -> Done:
    """Link pseudonyms of persons to the recipient's domain: the converter again, persons only."""
    with log(settings).watching("recipient", who="converter", why=_plan(), recipient=settings.recipient):
        governance.require_outputs(settings)
        done = make_recipient(settings)
        told = {"converted": done.facts["persons"], "key_check": done.facts["key"]}
        told |= {name: done.facts[name] for name in ("hmac", "fallback") if name in done.facts}
        _tell(settings, "recipient_converted", "converter", done, recipient=settings.recipient, **told)
    return done


def make_recipient(settings: Settings) -> Done:
    """The recipient's pseudonyms of persons."""
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


def export(settings: Settings) -> Done:
    """The researchers' tables under the recipient's pseudonyms, in `runs/<period>/exported`; inside the TTP still."""
    with log(settings).watching("export", who="publisher", why=_plan(), recipient=settings.recipient):
        governance.require_outputs(settings)
        done = make_exported(settings)
        told = {"rows": done.facts["rows"], "files": done.facts["files"]}
        _tell(settings, "exported", "publisher", done, recipient=settings.recipient, **told)
    return done


def make_exported(settings: Settings) -> Done:
    """The researchers' tables."""
    run, output = run_manifest(settings), research_output(settings)
    linked, pseudonyms = settings.run / "linked", settings.run / "recipient" / "pseudonyms.parquet"

    def work(out: Path) -> Facts:
        made = publish.export_research(linked, pseudonyms, out, release_id=settings.release, run=run, output=output)
        return {"files": len(made), "rows": publish.rows_of(made)}

    return resume.step(
        "export",
        journal=settings.state / "steps",
        inputs={
            "linked": resume.combined(resume.hashes(linked).values()),
            "pseudonyms": resume.sha256_file(pseudonyms),
            "release": settings.release,
            "run": str(run["run_id"]),
            "output": output.sha256,
        },
        rooms=RELEASE_ROOMS,
        out=settings.run / "exported",
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


def release(settings: Settings, early: egress.Early | None = None) -> Done:
    """Everything the readers get, in `releases/<release>`: VNG, researchers, operator, truth (synthetic only)."""
    with log(settings).watching("release", who="publisher", why=_plan(), release=settings.release):
        governance.require_outputs(settings)
        done = make_release(settings, early)
        _tell(settings, "released", "publisher", done, release=settings.release, files=done.facts["files"])
    return done


def make_release(settings: Settings, early: egress.Early | None = None) -> Done:
    """The release folder, through the gate."""
    run = run_manifest(settings)
    linked, estimated, exported = (settings.run / name for name in ("linked", "estimated", "exported"))
    output = research_output(settings)
    for folder, error in ((estimated, "not_estimated"), (exported, "not_exported")):
        if not folder.is_dir():
            raise ConfigError(error)

    def work(out: Path) -> Facts:
        with ThreadPoolExecutor(2) as pool:  # the scan of what stays, beside the making of what leaves
            home = pool.submit(egress.at_home, settings, out, early)
            leaving = egress.Leaving(settings, out)
            made = _folders(settings, leaving, run, output)
            egress.passed(settings, out, home, leaving=leaving)
        return {"files": len(made)}

    return resume.step(
        "release",
        journal=settings.state / "steps",
        inputs={
            "linked": resume.combined(resume.hashes(linked).values()),
            "estimated": resume.combined(resume.hashes(estimated).values()),
            "exported": resume.combined(resume.hashes(exported).values()),
            "release": settings.release,
            "output": output.sha256,
            "truth": str(settings.truth is not None),
        },
        rooms=RELEASE_ROOMS,
        out=settings.out,
        work=work,
    )


def _folders(settings: Settings, leaving: egress.Leaving, run: dict[str, Any], output: ResearchOutput) -> list[Path]:
    """A folder per reader, as files; nothing here has passed the gate yet, the largest is being scanned for it."""
    linked, out = settings.run / "linked", leaving.out
    made = publish.publish_exported(settings.run / "exported", out / "onderzoek", output=output)
    leaving.begin(out / "onderzoek")
    made += publish.publish_vng(
        linked, out / "vng", release_id=settings.release, run=run, estimated=settings.run / "estimated"
    )
    planted = None if settings.truth is None else (settings.store, settings.truth)
    made += publish.publish_operator(linked, out / "operator", run=run, planted=planted)
    if settings.truth is not None:
        made += publish.publish_truth(linked, settings.truth, out / "operator", run=run)
    (out / "run.json").write_text(json.dumps(run, indent=1, sort_keys=True), encoding="utf-8")
    return made


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
    clock.require_sane(settings, governance.today())
    deleted = int(retention.retain(settings, log(settings), governance.today())["deleted"])
    clock.note(settings, governance.today())
    log(settings).event("upkeep", who="operator", why=_plan(), files=checked, deleted=deleted)
    return {"checked": checked, "deleted": deleted}


def _finished(settings: Settings) -> tuple[tuple[str, Path], ...]:
    """Steps whose outputs are checked against their journals."""
    run = settings.run
    made = (("link", "linked"), ("estimate", "estimated"), ("export", "exported"))
    return (*((name, run / folder) for name, folder in made), ("release", settings.out))
