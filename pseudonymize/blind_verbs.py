"""The verbs of blind mode for `python -m pseudonymize`: evaluator, blind, evaluate, deliver-blind. docs/blind.md."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pseudonymize import telling
from schemas.errors import ConfigError

Answer = dict[str, Any]


def _evaluator(given: argparse.Namespace) -> Answer:
    """Make an evaluator's keys."""
    from pseudonymize.blind_keys import create_evaluator  # noqa: PLC0415

    made = create_evaluator(given.home, given.project, given.epoch)
    return {"project": made.project, "epoch": made.epoch, "public": made.public}


def _adopt(given: argparse.Namespace) -> Answer:
    """The TTP's public keys for a project in blind mode: its key-check tag takes the place of mode A's."""
    from dataclasses import replace  # noqa: PLC0415

    from pseudonymize.blind_keys import load_evaluator  # noqa: PLC0415
    from pseudonymize.modes import blind_tag_of  # noqa: PLC0415
    from pseudonymize.parties import PublicKeys  # noqa: PLC0415

    public, told = PublicKeys.load(given.public), load_evaluator(given.evaluator)
    told.require(public.project, told.epoch)
    if (given.out / "public.json").exists():  # adopting twice would make a tag over a tag
        raise ConfigError("output_exists")
    tag = blind_tag_of(told.project, told.epoch, told.key, public.checks["pre"] if given.hybrid else "")
    replace(public, checks={**public.checks, "pre": tag}).save(given.out)
    return {"key_check": tag, "evaluator": told.public, "mode": "hybrid" if given.hybrid else "blind"}


def _blind(given: argparse.Namespace) -> Answer:
    """A source asks."""
    from pseudonymize import blind  # noqa: PLC0415
    from pseudonymize.blind_keys import SourceKeys, load_evaluator  # noqa: PLC0415
    from schemas import agreement as agreements  # noqa: PLC0415

    agreed = agreements.load(given.agreement)
    keys, evaluator = SourceKeys.load(given.keys, hybrid=given.hybrid), load_evaluator(given.evaluator)
    asked = blind.ask(
        given.source,
        agreed.declared,
        agreed,
        keys,
        evaluator,
        given.out,
        state=given.state,
        sequence=given.sequence,
        progress=telling.lines() if given.progress else None,
    )
    return {"elements": asked, "sequence": given.sequence}


def _evaluate(given: argparse.Namespace) -> Answer:
    """The evaluator answers."""
    from pseudonymize.blind_evaluate import QUOTA, TOTAL, evaluate  # noqa: PLC0415
    from pseudonymize.blind_keys import EvaluatorKeys  # noqa: PLC0415
    from pseudonymize.ledger import Ledger  # noqa: PLC0415
    from pseudonymize.parties import PublicKeys  # noqa: PLC0415

    ledger = Ledger(given.ledger) if given.ledger else None
    limits = {
        "quota": QUOTA if given.quota is None else given.quota,
        "total": TOTAL if given.total is None else given.total,
    }
    keys, public = EvaluatorKeys(given.keys), PublicKeys.load(given.public)
    tell = telling.lines() if given.progress else None
    done = evaluate(given.request, keys, public, given.out, **limits, ledger=ledger, progress=tell)
    return {"elements": done}


def _deliver(given: argparse.Namespace) -> Answer:
    """A source delivers with the answer; the state file, which could repeat the blinds, goes when that went well."""
    from pseudonymize import blind, commands, fast  # noqa: PLC0415
    from pseudonymize.blind_keys import SourceKeys, load_evaluator  # noqa: PLC0415
    from pseudonymize.deliver import deliver  # noqa: PLC0415
    from pseudonymize.parties import PublicKeys  # noqa: PLC0415
    from schemas import agreement as agreements  # noqa: PLC0415

    agreed = agreements.load(given.agreement)
    keys, evaluator = SourceKeys.load(given.keys, hybrid=given.hybrid), load_evaluator(given.evaluator)
    what = given.source, agreed.declared, agreed, keys
    tell = telling.lines() if given.progress else None
    mode = blind.answered(*what, evaluator, given.answer, state=given.state, progress=tell)
    report = deliver(
        *what,
        PublicKeys.load(given.public),
        given.out,
        mode=mode,
        sequence=given.sequence,
        period=(given.period_from or agreed.period.from_, given.period_until or agreed.period.until),
        coverage=commands.read_coverage(given.coverage),
        progress=tell,
    )
    given.state.unlink()
    return {**report.as_dict(), "hmac": fast.state(), **({"text": report.text()} if given.progress else {})}


VERBS: dict[str, tuple[Callable[[argparse.Namespace], Answer], tuple[str, ...]]] = {
    "evaluator": (_evaluator, ("home", "project", "epoch")),
    "blind-adopt": (_adopt, ("public", "evaluator", "out", "hybrid!")),
    "blind": (_blind, ("source", "agreement", "keys", "evaluator", "out", "state", "sequence", "hybrid!", "progress!")),
    "evaluate": (_evaluate, ("request", "keys", "public", "out", "quota?", "total?", "ledger?", "progress!")),
    "deliver-blind": (
        _deliver,
        (
            *("source", "agreement", "keys", "public", "evaluator", "answer", "state", "out", "sequence", "hybrid!"),
            *("from?", "until?", "coverage?", "progress!"),
        ),
    ),
}
KINDS: dict[str, Callable[[str], Any]] = {
    "quota": int,
    "total": int,
    **{name: Path for name in ("evaluator", "answer", "state")},
}
