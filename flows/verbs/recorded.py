"""Key verbs leave events in the audit log of the TTP whose settings are at hand: ids and key-check tags, nothing else.

An event before (`key_asked`), so that nothing happens to a key when the log cannot be written, and one for what was
done. Settings come from `--config`, KOPPEL_CONFIG or ./koppel.toml, as for every verb. A party without settings, such
as a supplier, has no audit log: the answer then says that nothing was written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows import rooms
from flows.logs import EventLog
from flows.settings import ENV, load
from flows.verbs.answers import show, words
from schemas.errors import Fact

Config = Annotated[
    Path | None,
    Parameter(name="--config", help="Settings of the TTP whose audit log gets the event; default as for `koppel run`."),
]
Answer = dict[str, Any]
Tell = Callable[[Answer], dict[str, Fact]]
_WHO, _WHY = "custodian", "keys"
_INIT = "keys"  # the verb behind `koppel keys init`
# What an answer of a key verb may leave in the log, and under which name.
_FIELDS = {
    "id": "key_id",
    "check": "key_check",
    "set": "share_set",
    "name": "owner",  # of who takes part in a ceremony
    "commitment": "fingerprint",
    **{name: name for name in ("kind", "owner", "project", "epoch", "reason", "threshold", "shares")},
    **{name: name for name in ("rows", "converted", "sha256")},  # of a bridge
    **{"key_check": "key_check", "mode": "kind"},  # of an evaluator that was adopted
}


def do(event: str, config: Path | None, title: str, as_json: bool, verb: str, **options: object) -> None:
    """Call a key verb with an event before and after, and show what it says; a refusal leaves its code.

    `koppel keys init` may make the key that signs the log: no event can stand before it then, only one after.
    """
    log = log_of(config)
    if verb == _INIT and log is not None and not _can_sign(log):
        answer = _called(verb, options)
        head = log.event(event, who=_WHO, why=_WHY, **facts(answer)) if _can_sign(log) else {"n": 0}
        show({**answer, "audited": head["n"]}, as_json, title)
        return
    show(recorded(event, log, verb, lambda: _called(verb, options)), as_json, title)


def recorded(
    event: str, log: EventLog | None, verb: str, call: Callable[[], Answer], tell: Tell | None = None
) -> Answer:
    """What the call answered, and the number of its event as `audited`; 0 without a log.

    `tell` says what of the answer may stand in the log, default `facts`. Nothing is called without the first event.
    """
    if log is None:
        return {**call(), "audited": 0}
    log.event("key_asked", who=_WHO, why=_WHY, step=verb)
    with log.watching(verb, who=_WHO, why=_WHY):
        answer = call()
    head = log.event(event, who=_WHO, why=_WHY, **(tell or facts)(answer))
    return {**answer, "audited": head["n"]}


def _called(verb: str, options: dict[str, object]) -> dict[str, Any]:
    return rooms.pseudonymize(verb, *words(options))


def log_of(config: Path | None) -> EventLog | None:
    """The log of the settings at hand; None when there are none and nobody named any."""
    if config is None and ENV not in os.environ and not Path("koppel.toml").is_file():
        return None
    settings = load(config)
    return EventLog(settings.state / "audit.jsonl", settings.keys / "audit")


def _can_sign(log: EventLog) -> bool:
    return (log.key / "audit.key").exists()


def facts(answer: dict[str, Any]) -> dict[str, Fact]:
    """What may be told of an answer: of a rotation the new key, and which one it replaces."""
    rotated = isinstance(answer.get("new"), dict)
    about = answer["new"] if rotated else answer
    if isinstance(about.get("shares"), dict):  # a key made with its backup
        about = {**about, **about["shares"], "shares": len(about["shares"]["custodians"])}
    found: dict[str, Fact] = {told: about[name] for name, told in _FIELDS.items() if name in about}
    if rotated:
        found["replaces"] = str(answer["old"]["id"])
    if "custodians" in about:
        found["custodians"] = len(about["custodians"])
    if "suppliers" in about:
        found["suppliers"] = len(about["suppliers"]) if isinstance(about["suppliers"], list) else about["suppliers"]
    return found
