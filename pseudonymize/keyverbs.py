"""The key verbs of `python -m pseudonymize`: what `koppel keys ...` calls. Answers hold ids, tags and counts only."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError, KeyUnavailable

Answer = dict[str, Any]
Verb = Callable[[argparse.Namespace], Answer]


def _file(made: Any) -> Answer:
    """What may be told of a key file."""
    names = ("id", "kind", "owner", "project", "epoch", "check", "until")
    return {**{name: getattr(made, name) for name in names}, "store": made.held.store}


def _store(given: argparse.Namespace) -> Answer:
    from pseudonymize import store  # noqa: PLC0415

    made = store.create(
        given.keys, kek=given.kek, module=given.module or "", token=given.token or "", pin=given.pin or ""
    )
    return {"device": made.device is not None, "credential": made.files.credential}


def _create(given: argparse.Namespace) -> Answer:
    from pseudonymize import custody, parties, rotate  # noqa: PLC0415

    kind = custody.kind_of(given.kind)
    if kind == "age":
        return {"kind": kind, "recipient": parties.new_age_identity(given.keys)}
    if given.custodians is None:
        return _file(rotate.create(given.keys, kind, given.project, given.epoch, given.owner))
    if given.out is None:
        raise ConfigError("bad_call")
    holders = custody.custodians(given.custodians)
    names = (given.project, given.epoch, given.owner)
    made, entry = rotate.create_shared(given.keys, kind, *names, given.threshold or 0, holders, given.out)
    return {**_file(made), "shares": _told(entry)}


def _list(given: argparse.Namespace) -> Answer:
    from pseudonymize import rotate  # noqa: PLC0415

    return {"keys": rotate.listing(given.keys)}


def _rotate(given: argparse.Namespace) -> Answer:
    from pseudonymize import custody, rotate  # noqa: PLC0415

    new, old = rotate.rotate(given.keys, custody.kind_of(given.kind), given.owner, given.epoch, given.last_day)
    return {"new": _file(new), "old": _file(old)}


def _destroy(given: argparse.Namespace) -> Answer:
    from pseudonymize import custody, rotate  # noqa: PLC0415

    path, content = rotate.destroy(given.keys, custody.kind_of(given.kind), given.owner, given.epoch, given.reason)
    return {"certificate": path.name, **content}


def _certificate(given: argparse.Namespace) -> Answer:
    from pseudonymize import publish  # noqa: PLC0415

    return publish.verify_certificate(given.certificate, given.public)


def _export(given: argparse.Namespace) -> Answer:
    from pseudonymize import custody, rotate  # noqa: PLC0415

    place = rotate.file_of(given.keys, custody.kind_of(given.kind), given.owner, given.epoch)
    return _told(custody.export(given.keys, place, given.threshold, custody.custodians(given.custodians), given.out))


def _told(entry: Answer) -> Answer:
    return {name: entry[name] for name in ("set", "kind", "epoch", "check", "threshold", "custodians", "returned")}


def _share_files(folder: Path) -> list[Path]:
    """The files of a folder of shares. KeyUnavailable bad_share when there is no such folder."""
    if not folder.is_dir():
        raise KeyUnavailable("bad_share")
    return sorted(folder.iterdir())


def _restore(given: argparse.Namespace) -> Answer:
    from pseudonymize import custody  # noqa: PLC0415

    files = _share_files(given.shares)
    if given.drill:
        key = custody.combine(files)
        return {"kind": key.kind, "epoch": key.epoch, "check": key.tag, "shares": len(files)}
    made, set_ = custody.restore(given.keys, files)
    return {**_file(made), "set": set_, "shares": len(files)}


def _returned(given: argparse.Namespace) -> Answer:
    from pseudonymize import custody  # noqa: PLC0415

    files = _share_files(given.shares) if given.shares else []
    attested = [name for name in (given.attested or "").split(",") if name]
    entry = custody.returned(given.keys, given.set, files, attested)
    return {**_told(entry), "closed": custody.is_closed(entry)}


def _enrol(given: argparse.Namespace) -> Answer:
    from pseudonymize import joint  # noqa: PLC0415

    return {"name": given.name, "sign": joint.enrol(given.keys, given.name, given.project, given.epoch, given.relay)}


def _roster(given: argparse.Namespace) -> Answer:
    from pseudonymize import relay  # noqa: PLC0415

    made = relay.collect(given.relay, given.project, given.epoch)
    return {"parties": made.names, "roster": made.fingerprint}


def _commit(given: argparse.Namespace) -> Answer:
    from pseudonymize import joint  # noqa: PLC0415

    return {"commitment": joint.commit(given.keys, given.relay, given.roster)}


def _seal(given: argparse.Namespace) -> Answer:
    from pseudonymize import joint  # noqa: PLC0415

    return {"sealed": joint.seal_shares(given.keys, given.relay)}


def _combine(given: argparse.Namespace) -> Answer:
    from pseudonymize import joint  # noqa: PLC0415

    return _file(joint.combine(given.keys, given.relay, given.last_day))


def _verify(given: argparse.Namespace) -> Answer:
    from pseudonymize import relay  # noqa: PLC0415

    return relay.verify(given.relay)


def _card(given: argparse.Namespace) -> Answer:
    from pseudonymize import publish  # noqa: PLC0415

    return publish.card(given.keys, given.out)


def _publish(given: argparse.Namespace) -> Answer:
    from pseudonymize import publish  # noqa: PLC0415

    public = publish.publish(given.relay, given.converter, given.linker, given.out)
    return {"suppliers": sorted(public.suppliers), "checks": public.checks}


def _bridge_make(given: argparse.Namespace) -> Answer:
    from pseudonymize import bridge  # noqa: PLC0415
    from pseudonymize.parties import ConverterKeys  # noqa: PLC0415

    made = bridge.make(given.old, given.new, ConverterKeys(given.keys), given.out, given.last_day)
    return {
        "id": made.id,
        "old": made.old.label,
        "new": made.new.label,
        "rows": made.rows,
        "until": made.until.isoformat(),
        "sha256": made.sha256,
    }


def _bridge_use(given: argparse.Namespace) -> Answer:
    from pseudonymize import bridge  # noqa: PLC0415
    from pseudonymize.parties import ConverterKeys  # noqa: PLC0415

    return bridge.use(given.bridge, given.source, ConverterKeys(given.keys), given.out)


def _bridge_expire(given: argparse.Namespace) -> Answer:
    from pseudonymize import bridge  # noqa: PLC0415
    from pseudonymize.parties import ConverterKeys  # noqa: PLC0415

    path, content = bridge.expire(given.bridge, ConverterKeys(given.keys), early=given.early)
    return {"certificate": path.name, **content}


_NAMED = ("keys", "kind", "owner", "epoch")
VERBS: dict[str, tuple[Verb, tuple[str, ...]]] = {
    "keys-store": (_store, ("keys", "kek", "module?", "token?", "pin?")),
    "keys-create": (_create, (*_NAMED, "project", "custodians?", "threshold?", "out?")),
    "keys-list": (_list, ("keys",)),
    "keys-rotate": (_rotate, (*_NAMED, "last-day")),
    "keys-destroy": (_destroy, (*_NAMED, "reason")),
    "keys-certificate": (_certificate, ("certificate", "public")),
    "keys-export-share": (_export, (*_NAMED, "custodians", "threshold", "out")),
    "keys-restore": (_restore, ("keys", "shares", "drill!")),
    "keys-returned": (_returned, ("keys", "set", "shares?", "attested?")),
    "keys-card": (_card, ("keys", "out")),
    "keys-publish": (_publish, ("relay", "converter", "linker", "out")),
    "ceremony-enrol": (_enrol, ("keys", "name", "project", "epoch", "relay")),
    "ceremony-roster": (_roster, ("relay", "project", "epoch")),
    "ceremony-commit": (_commit, ("keys", "relay", "roster")),
    "ceremony-seal": (_seal, ("keys", "relay")),
    "ceremony-combine": (_combine, ("keys", "relay", "last-day?")),
    "ceremony-verify": (_verify, ("relay",)),
    "bridge-make": (_bridge_make, ("old", "new", "keys", "out", "last-day")),
    "bridge-use": (_bridge_use, ("bridge", "source", "keys", "out")),
    "bridge-expire": (_bridge_expire, ("bridge", "keys", "early!")),
}
KINDS: dict[str, Callable[[str], Any]] = {
    **{name: str for name in ("kek", "module", "token", "pin", "kind", "owner", "reason", "set", "attested")},
    **{name: str for name in ("name", "roster")},
    "threshold": int,
    "last-day": dt.date.fromisoformat,
    **{name: Path for name in ("relay", "shares", "custodians")},
}
