"""The joint ceremony's private side: a source helps make K_S, and nobody else ever has it. Decision 11.

enrol -> (roster, by the relay) -> commit -> seal -> combine. Every party commits to 32 random bytes before it
sees another's, seals them to each other party, and checks what it gets against the commitments. K_S is HKDF-
SHA-256 over all contributions, bound to project, epoch and commitments. Contributions and the age identity that
opened them are erased at the end, so the sealed files at the relay can rebuild nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pyrage
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pseudonymize import keys, relay, rotate, seal, signing, statement, store
from pseudonymize.keys import Key, KeyFile
from pseudonymize.parties import age_pair
from pseudonymize.prf import encode, label, told
from pseudonymize.private import read_private, replace_private
from pseudonymize.relay import Roster
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable

CONTRIBUTION = "koppelpunt/contribution/1"
OWNER = "sources"
_FIELDS: dict[str, type] = {"format": str, "roster": str, "to": str, "contribution": str}
_AGE, _OWN, _STATE = "ceremony-age.key", "contribution.key", "ceremony.json"


def enrol(folder: Path, name: str, project: str, epoch: str, out: Path) -> str:
    """Make this party's keys for the ceremony and its card; returns the public signing key.

    The signing key is made when there is none. ConfigError output_exists when a ceremony is under way.
    """
    for text in (name, project, epoch):
        label(text)
    if not (folder / "sign.key").exists():
        keys.make(folder / "sign.key", "sign", project, epoch, name)
    sign = keys.load(folder / "sign.key", "sign")
    if sign.owner != name:
        raise ConfigError("bad_label")
    identity, recipient = age_pair()
    keys.save(folder / _AGE, Key(keys.new_id(), "age", project, epoch, name, identity))
    public = signing.public_half(sign.secret)
    card = {
        "format": relay.CARD,
        "project": project,
        "epoch": epoch,
        "name": name,
        "sign": public,
        "age": recipient,
    }
    relay.write(out / f"card-{name}.json", statement.make(card, name, sign.secret))
    return public


def commit(folder: Path, out: Path, fingerprint: str) -> str:
    """Draw this party's contribution and commit to it; returns the commitment.

    `fingerprint` is the roster's as the parties read it to each other: ConfigError ceremony_roster when the file
    is another, or this party is not in it with its own keys.
    """
    roster, sign = Roster.read(out), keys.load(folder / "sign.key", "sign")
    identity = keys.load(folder / _AGE, "age")
    recipient = str(pyrage.x25519.Identity.from_str(identity.secret.reveal().decode("ascii")).to_public())
    own = (roster.sign.get(sign.owner), roster.age.get(sign.owner))
    if fingerprint != roster.fingerprint or own != (signing.public_half(sign.secret), recipient):
        raise ConfigError("ceremony_roster")
    contribution = Key(keys.new_id(), "contribution", roster.project, roster.epoch, sign.owner, store.random())
    keys.save(folder / _OWN, contribution)
    _remember(folder, {"roster": roster.fingerprint, "commitments": ""})
    made = relay.commitment(roster.fingerprint, sign.owner, contribution.secret.reveal())
    content = {"format": relay.COMMIT, "roster": roster.fingerprint, "commitment": made}
    relay.write(out / f"commit-{sign.owner}.json", statement.make(content, sign.owner, sign.secret))
    return made


def seal_shares(folder: Path, out: Path) -> int:
    """Seal this party's contribution to every other; returns to how many. Only when all have committed.

    ConfigError ceremony_incomplete, bad_statement (both name the party), ceremony_roster, ceremony_order.
    """
    roster, sign = _roster(folder, out), keys.load(folder / "sign.key", "sign")
    own, seen = keys.load(folder / _OWN, "contribution"), relay.commits(out, roster)
    mine = relay.commitment(roster.fingerprint, sign.owner, own.secret.reveal())
    if seen[sign.owner].content["commitment"] != mine:
        raise ConfigError("ceremony_changed")
    _remember(folder, {"roster": roster.fingerprint, "commitments": relay.digest(seen)})
    others = [name for name in roster.names if name != sign.owner]
    files = {}
    for name in others:
        content = {
            "format": CONTRIBUTION,
            "roster": roster.fingerprint,
            "to": name,
            "contribution": own.secret.reveal().hex(),
        }
        text = statement.make(content, sign.owner, sign.secret)
        sealed = pyrage.encrypt(text, [pyrage.x25519.Recipient.from_str(roster.age[name])])
        relay.write(out / f"share-{sign.owner}.{name}.age", sealed)
        files[name] = hashlib.sha256(sealed).hexdigest()
    told = {n: {"commitment": one.content["commitment"], "signature": one.signature} for n, one in seen.items()}
    whole = {"format": relay.SEALED, "roster": roster.fingerprint, "commitments": told, "files": files}
    relay.write(out / f"sealed-{sign.owner}.json", statement.make(whole, sign.owner, sign.secret))
    return len(others)


def combine(folder: Path, out: Path, until: dt.date | None = None) -> KeyFile:
    """Check every contribution against its commitment, make K_S and state its key-check tag.

    A K_S of an earlier epoch stays usable to the end of `until`. ConfigError ceremony_cheat, ceremony_damaged,
    ceremony_split, bad_statement and ceremony_incomplete name the party; ceremony_changed when commitments are
    no longer those this party sealed under.
    """
    roster, sign = _roster(folder, out), keys.load(folder / "sign.key", "sign")
    seen = relay.commits(out, roster)
    if _state(folder)["commitments"] != relay.digest(seen):
        raise ConfigError("ceremony_changed")
    relay.sealed(out, roster, seen)
    own = keys.load(folder / _OWN, "contribution").secret
    identity = keys.load(folder / _AGE, "age").secret
    parts = {sign.owner: own}
    for name in roster.names:
        if name != sign.owner:
            parts[name] = _opened(out, roster, name, sign.owner, identity)
        made = relay.commitment(roster.fingerprint, name, parts[name].reveal())
        if made != seen[name].content["commitment"]:
            raise ConfigError("ceremony_cheat", party=told(name))
    key = Key(keys.new_id(), "pre", roster.project, roster.epoch, OWNER, derive(roster, relay.digest(seen), parts))
    found = _install(folder, key, until)
    content = {
        "format": relay.TAG,
        "roster": roster.fingerprint,
        "commitments": relay.digest(seen),
        "check": key.tag,
    }
    relay.write(out / f"tag-{sign.owner}.json", statement.make(content, sign.owner, sign.secret))
    rotate.forget(folder, [folder / _OWN, folder / _AGE, folder / _STATE])
    return found


def derive(roster: Roster, commitments: str, parts: dict[str, Secret]) -> Secret:
    """K_S: HKDF-SHA-256, input the contributions in order of name, salt the commitments, info project and epoch."""
    info = encode(b"koppelpunt/k_s/v1", roster.project.encode("ascii"), roster.epoch.encode("ascii"))
    hkdf = HKDF(SHA256(), keys.KEY_BYTES, salt=bytes.fromhex(commitments), info=info)
    return Secret(hkdf.derive(encode(*(parts[name].reveal() for name in roster.names))))


def _opened(out: Path, roster: Roster, name: str, own: str, identity: Secret) -> Secret:
    """Another party's contribution. ConfigError ceremony_damaged when it is not a statement of that party to us."""
    path = out / f"share-{name}.{own}.age"
    try:
        seal.require_small_header(path)
        text = pyrage.decrypt(path.read_bytes(), [pyrage.x25519.Identity.from_str(identity.reveal().decode("ascii"))])
        found = statement.parse(text, _FIELDS)
        found.require_signed(roster.sign[name])
        said = (found.signer, found.content["format"], found.content["roster"], found.content["to"])
        sound = said == (name, CONTRIBUTION, roster.fingerprint, own)
        value = bytes.fromhex(found.content["contribution"])
    except (ConfigError, DeliveryError, pyrage.DecryptError, ValueError):
        raise ConfigError("ceremony_damaged", party=told(name)) from None
    if not sound or len(value) != keys.KEY_BYTES:
        raise ConfigError("ceremony_damaged", party=told(name))
    return Secret(value)


def _install(folder: Path, key: Key, until: dt.date | None) -> KeyFile:
    """K_S in its place; an earlier epoch's is set aside first."""
    place = folder / "pre.key"
    if not place.exists():
        return keys.save(place, key)
    old = KeyFile.read(place, "pre")
    if old.check == key.tag:  # killed after this step: go on where it stopped
        return old
    if until is None:
        raise ConfigError("bad_overlap")
    rotate.set_aside(place, until)
    fresh = place.with_name("pre.fresh")
    fresh.unlink(missing_ok=True)
    made = keys.save(fresh, key)
    fresh.replace(place)
    return made


def _roster(folder: Path, out: Path) -> Roster:
    """The roster this party committed under. ConfigError ceremony_roster when the file is another now."""
    found = Roster.read(out)
    if _state(folder)["roster"] != found.fingerprint:
        raise ConfigError("ceremony_roster")
    return found


def _remember(folder: Path, state: dict[str, str]) -> None:
    replace_private(folder / _STATE, json.dumps(state).encode("ascii"))


def _state(folder: Path) -> dict[str, Any]:
    try:
        return statement.loads(read_private(folder / _STATE))
    except KeyUnavailable:
        raise ConfigError("ceremony_order") from None
