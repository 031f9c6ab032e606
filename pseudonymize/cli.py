"""The verbs of `python -m pseudonymize`: each step in a process of its own, so that no other room shares its memory.

Standard output is one line of JSON with counts and hashes, after lines of progress where asked for; an error is
{"code", "facts"} with the exit code of its branch (schemas/errors.py). Anything unforeseen is Internal, without its
text. Nothing goes to stderr. Imports stand in the verbs: a process starts in 0.3 s and loads only what it needs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

from pseudonymize import blind_verbs, keyverbs, telling
from schemas.errors import ConfigError, Internal, KoppelError
from schemas.machine import refusal

Answer = dict[str, Any]


class _Parser(argparse.ArgumentParser):
    """argparse quotes arguments in its messages; an argument can be a file name with anything in it."""

    def error(self, message: str) -> Never:
        raise ConfigError("bad_call")


def _check(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    return commands.check(given.source, given.register, given.agreement, given.synthetic, given.quarantine).as_dict()


def _deliver(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    report = commands.deliver(
        given.source,
        given.agreement,
        given.keys,
        given.public,
        given.sequence,
        given.out,
        given.coverage,
        given.period_from,
        given.period_until,
        given.receipt,
        telling.lines() if given.progress else None,
    )
    return {**report.as_dict(), "hmac": _hmac(), **({"text": report.text()} if given.progress else {})}


def _hmac() -> Answer:
    """Which code computed the pseudonyms, and if not the fast one why: pseudonymize/fast.py."""
    from pseudonymize import fast  # noqa: PLC0415

    return fast.state()


def _verify(given: argparse.Namespace) -> Answer:
    from pseudonymize import accept  # noqa: PLC0415
    from pseudonymize.ledger import Ledger  # noqa: PLC0415
    from pseudonymize.parties import PublicKeys  # noqa: PLC0415
    from schemas import agreement as agreements  # noqa: PLC0415

    agreement = agreements.load(given.agreement)
    agreement.require_valid(dt.datetime.now(dt.UTC).date())
    ledger, public = Ledger(given.ledger) if given.ledger else None, PublicKeys.load(given.public)
    found = accept.verify(given.delivery, agreement, public, ledger, waiting=given.waiting)
    if given.audit:
        accept.require_seen(found.manifest, given.audit)
    return {
        "known": found.known,
        "manifest_sha256": found.sha256,
        "register": found.manifest.register_name,
        "sequence": found.manifest.sequence,
        "rows": found.manifest.rows.model_dump(by_alias=True),
        "payload": found.manifest.hashes.payload is not None,
    }


def _record(given: argparse.Namespace) -> Answer:
    from pseudonymize import accept  # noqa: PLC0415
    from pseudonymize.ledger import Ledger  # noqa: PLC0415
    from pseudonymize.seal import file_hash  # noqa: PLC0415

    manifest, ledger = accept.read_verified(given.delivery), Ledger(given.ledger)
    digest = file_hash(given.delivery / accept.MANIFEST)
    if given.audit:
        accept.receive(manifest, digest, ledger, audit_log=given.audit, key=given.audit_key, receipt=given.receipt)
    ledger.record(manifest.register_name, manifest.supplier, manifest.sequence, digest)
    return {"register": manifest.register_name, "sequence": manifest.sequence, "manifest_sha256": digest}


def _certify(given: argparse.Namespace) -> Answer:
    from pseudonymize import audit, certificate  # noqa: PLC0415

    made, digest = certificate.certify(given.source, given.out, audit.load_key(given.audit_key), given.audit)
    return {"certificate": made.number, "items": len(made.items), "sha256": digest}


def _audit_serve(given: argparse.Namespace) -> Answer:
    """Sign events as they come, one JSON object a line: {log, key, event}; one line of answer each."""
    from pseudonymize import signer  # noqa: PLC0415

    return {"served": signer.serve(sys.stdin, sys.stdout)}


def _convert(given: argparse.Namespace) -> Answer:
    from pseudonymize.convert import convert  # noqa: PLC0415
    from pseudonymize.parties import ConverterKeys  # noqa: PLC0415
    from pseudonymize.seal import file_hash  # noqa: PLC0415

    keys = ConverterKeys(given.keys, given.epoch)
    rows = convert(given.delivery, keys, given.out)
    told = {"rows": rows.rows, "row_set": rows.text, "sha256": file_hash(given.out)}
    return {**told, "key_check": keys.link().tag, "hmac": _hmac()}


def _open(given: argparse.Namespace) -> Answer:
    from pseudonymize.parties import LinkerKeys  # noqa: PLC0415
    from pseudonymize.payload import open_payload  # noqa: PLC0415
    from pseudonymize.seal import file_hash  # noqa: PLC0415
    from schemas import agreement as agreements  # noqa: PLC0415

    agreement = agreements.load(given.agreement)
    agreement.require_valid(dt.datetime.now(dt.UTC).date())
    rows = open_payload(given.delivery, LinkerKeys(given.keys), given.out, agreement)
    return {"rows": rows.rows, "row_set": rows.text, "sha256": file_hash(given.out)}


def _recipient(given: argparse.Namespace) -> Answer:
    from pseudonymize.convert import to_recipient  # noqa: PLC0415
    from pseudonymize.parties import ConverterKeys  # noqa: PLC0415
    from pseudonymize.seal import file_hash  # noqa: PLC0415

    done = to_recipient(given.source, given.recipient, ConverterKeys(given.keys, given.epoch), given.out)
    return {"rows": done.rows, "key_check": done.key_check, "sha256": file_hash(given.out), "hmac": _hmac()}


def _keys(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    return commands.create_keys(
        given.home,
        given.project,
        given.epoch,
        given.suppliers.split(","),
        given.recipients.split(","),
        given.pre_epoch or "",
    )


def _scan(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    found = commands.scan(
        given.folder, given.leaving, given.store, given.keys, given.recipients, given.skip, given.seen
    )
    if given.list:
        from pseudonymize.scan import write_list  # noqa: PLC0415

        write_list(found, given.list)
    if not given.report:
        found.require_clean()
    return found.as_dict()


def _sign(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    return {"signed": commands.sign_release(given.folder, given.keys)}


def _sign_file(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    return {"sha256": commands.sign_file(given.source, given.keys)}


def _verify_file(given: argparse.Namespace) -> Answer:
    from pseudonymize import commands  # noqa: PLC0415

    return {"sha256": commands.verify_file(given.source, given.public)}


VERBS: dict[str, tuple[Callable[[argparse.Namespace], Answer], tuple[str, ...]]] = {
    "check": (_check, ("source", "register?", "agreement?", "synthetic!", "quarantine?")),
    "deliver": (
        _deliver,
        (
            *("source", "agreement", "keys", "public", "out", "sequence"),
            *("from?", "until?", "coverage?", "receipt?", "progress!"),
        ),
    ),
    "verify": (_verify, ("delivery", "agreement", "public", "ledger?", "waiting?", "audit?")),
    "record": (_record, ("delivery", "ledger", "audit?", "audit-key?", "receipt?")),
    "certify": (_certify, ("source", "out", "audit", "audit-key")),
    "audit-serve": (_audit_serve, ()),
    "convert": (_convert, ("delivery", "keys", "out", "epoch?")),
    "open": (_open, ("delivery", "keys", "out", "agreement")),
    "recipient": (_recipient, ("source", "recipient", "keys", "out", "epoch?")),
    "scan": (_scan, ("folder?", "leaving?", "store?", "keys?", "recipients?", "skip*", "seen*", "list?", "report!")),
    "sign": (_sign, ("folder", "keys")),
    "sign-file": (_sign_file, ("source", "keys")),
    "verify-file": (_verify_file, ("source", "public")),
    "keys": (_keys, ("home", "suppliers", "recipients", "project", "epoch", "pre-epoch?")),
    **keyverbs.VERBS,
    **blind_verbs.VERBS,
}
_KINDS: dict[str, Callable[[str], Any]] = {
    **{name: str for name in ("register", "recipient", "recipients", "suppliers", "project", "epoch", "pre-epoch")},
    **{name: int for name in ("sequence", "waiting")},
    **{name: dt.date.fromisoformat for name in ("from", "until")},
    **keyverbs.KINDS,
    **blind_verbs.KINDS,
}
_TARGETS = {"from": "period_from", "until": "period_until"}


def _parser() -> argparse.ArgumentParser:
    """Options by verb: NAME is required, NAME? may be left out, NAME! is a switch, NAME* may come more than once."""
    parser = _Parser(prog="python -m pseudonymize", add_help=False, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, (_, options) in VERBS.items():
        one = verbs.add_parser(verb, add_help=False, allow_abbrev=False)
        for option in options:
            _add(one, option.rstrip("?!*"), option[-1])
    return parser


def _add(parser: argparse.ArgumentParser, name: str, mark: str) -> None:
    if mark == "!":
        parser.add_argument(f"--{name}", action="store_true")
        return
    if mark == "*":
        parser.add_argument(f"--{name}", action="append", type=Path, default=[])
        return
    parser.add_argument(
        f"--{name}",
        dest=_TARGETS.get(name, name.replace("-", "_")),
        type=_KINDS.get(name, Path),
        required=mark != "?",
        default=0 if name == "waiting" else None,
    )


def run(arguments: list[str]) -> tuple[int, Answer]:
    """Exit code and answer of one call; never raises, and never tells what it did not choose."""
    verb = "call"
    try:
        given = _parser().parse_args(arguments)
        verb = given.verb
        return 0, VERBS[verb][0](given)
    except KoppelError as error:
        return error.exit_code, {"code": error.code, "facts": error.facts}
    except Exception as error:  # noqa: BLE001 - the border of the process: the text of an unknown error may quote data
        found = refusal(error, verb) or Internal(
            "internal", step=verb, kind=type(error).__name__, incident=secrets.token_hex(3)
        )
        return found.exit_code, {"code": found.code, "facts": found.facts}


def main(leave: Callable[[int], Never] = sys.exit) -> Never:
    """Answer on standard output, exit code of the branch."""
    code, answer = run(sys.argv[1:])
    sys.stdout.write(json.dumps(answer, sort_keys=True) + "\n")
    sys.stdout.flush()
    leave(code)
