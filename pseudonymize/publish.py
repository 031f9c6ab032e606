"""What becomes public: the cards of the TTP's own parties, and public.json made of cards and a verified ceremony."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyrage

from pseudonymize import certificates, keys, relay, signing, statement
from pseudonymize.keys import KeyFile
from pseudonymize.parties import ANY, PublicKeys, age_identity
from pseudonymize.prf import told
from pseudonymize.relay import Roster
from pseudonymize.statement import Statement
from schemas.errors import ConfigError

PARTY = "koppelpunt/party/1"
_FIELDS: dict[str, type] = {
    **{name: str for name in ("format", "name", "project", "epoch", "sign", "age")},
    "checks": dict,
}


def card(folder: Path, out: Path) -> dict[str, Any]:
    """Write a party's card: its public halves and the tags of its HMAC keys, signed. Returns what it says."""
    sign = keys.load(folder / "sign.key", "sign")
    identity = pyrage.x25519.Identity.from_str(age_identity(folder).reveal().decode("ascii"))
    found = {path.stem: KeyFile.read(path) for path in sorted(folder.glob("*.key")) if "@" not in path.stem}
    link = found.get("link")
    content = {
        "format": PARTY,
        "name": sign.owner,
        "project": link.project if link else ANY,
        "epoch": link.epoch if link else ANY,
        "sign": signing.public_half(sign.secret),
        "age": str(identity.to_public()),
        "checks": {name: one.check for name, one in found.items() if one.kind in {"link", "recipient"}},
    }
    relay.write(out, statement.make(content, sign.owner, sign.secret))
    return content


def publish(relayed: Path, converter: Path, linker: Path, out: Path) -> PublicKeys:
    """public.json of a verified ceremony and two cards. ConfigError as relay.verify, bad_statement, wrong_domain."""
    outcome, roster = relay.verify(relayed), Roster.read(relayed)
    one, other = _card(converter), _card(linker)
    if one["project"] != outcome["project"]:
        raise ConfigError("wrong_domain", kind="link")
    made = PublicKeys(
        project=one["project"],
        epoch=one["epoch"],
        converter=one["age"],
        linker=other["age"],
        suppliers=roster.sign,
        checks={"pre": outcome["check"], **one["checks"]},
        certifiers={one["name"]: one["sign"], other["name"]: other["sign"]},
    )
    if (out / "public.json").exists():
        raise ConfigError("output_exists")
    made.save(out)
    return made


def _card(path: Path) -> dict[str, Any]:
    found = statement.read(path, _FIELDS)
    if found.content["format"] != PARTY or found.content["name"] != found.signer:
        raise ConfigError("bad_statement")
    found.require_signed(found.content["sign"])
    return found.content


def verify_certificate(path: Path, public: Path) -> dict[str, Any]:
    """A destruction certificate, restoration or closure, checked offline against public.json; returns what it says.

    ConfigError bad_statement when it is damaged, or its signer is unknown or did not sign it.
    """
    found, known = _any(path), PublicKeys.load(public)
    signer = {**known.suppliers, **known.certifiers}.get(found.signer)
    if signer is None:
        raise ConfigError("bad_statement", party=told(found.signer))
    found.require_signed(signer)
    return {"signer": found.signer, **found.content}


def _any(path: Path) -> Statement:
    for fields in (certificates.DESTRUCTION_FIELDS, certificates.LATER_FIELDS):
        try:
            return statement.read(path, fields)
        except ConfigError:
            continue
    raise ConfigError("bad_statement")
