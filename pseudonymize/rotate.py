"""The life of a key: made, listed, rotated with an overlap, destroyed with a signed certificate."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from pseudonymize import certificates, clock, custody, keys, statement, store
from pseudonymize.certificates import DESTRUCTION
from pseudonymize.custody import Custodian
from pseudonymize.keys import Key, KeyFile, Kind
from pseudonymize.parties import stem
from pseudonymize.prf import label, told
from pseudonymize.private import erase, own_folder, write_private
from pseudonymize.store import Store
from schemas.errors import ConfigError, KeyUnavailable

REASONS = ("end-of-project", "end-of-period", "rotation", "compromise", "expiry", "ceremony")
MADE: tuple[Kind, ...] = ("link", "recipient", "record", "sign")
LONGEST_OVERLAP = dt.timedelta(days=366)


def create(folder: Path, kind: Kind, project: str, epoch: str, owner: str) -> KeyFile:
    """A new random key in this party's store. ConfigError bad_kind, key_exists, bad_label; KeyUnavailable.

    K_S is made by its sources together (joint.py), never by one command; an epoch that was used comes not again.
    """
    if kind not in MADE:
        raise ConfigError("bad_kind", kind=kind)
    place = folder / f"{stem(kind, owner)}.key"
    if place.exists():
        raise ConfigError("key_exists", kind=kind)
    _require_new_epoch(folder, kind, owner, project, epoch)
    return keys.make(place, kind, project, epoch, owner)


def create_shared(  # noqa: PLR0917 - as `create`, and the backup
    folder: Path, kind: Kind, project: str, epoch: str, owner: str, threshold: int, holders: list[Custodian], out: Path
) -> tuple[KeyFile, dict[str, Any]]:
    """As `create`, with a backup split over custodians at birth: the one moment a key for a device is outside it.

    Returns the key file and the set's register entry. ConfigError bad_custodians, output_exists.
    """
    place = folder / f"{stem(kind, owner)}.key"
    if kind not in MADE:
        raise ConfigError("bad_kind", kind=kind)
    if place.exists():
        raise ConfigError("key_exists", kind=kind)
    _require_new_epoch(folder, kind, owner, project, epoch)
    key = Key(keys.new_id(), kind, project, epoch, owner, store.random())
    entry = custody.split(folder, key, threshold, holders, out)
    return keys.save(place, key), entry


def listing(folder: Path) -> list[dict[str, Any]]:
    """Every key of a party: what it is for, its id and key-check tag, and its state. No key is opened.

    KeyUnavailable store_missing for a folder that is no party's.
    """
    if not (folder / store.FILE).exists():
        raise KeyUnavailable("store_missing")
    found = [_row(KeyFile.read(path)) for path in sorted(folder.glob("*.key"))]
    gone = [
        {
            **{name: content[name] for name in ("id", "kind", "owner", "project", "epoch", "check", "store")},
            "state": "destroyed",
            "until": "",
        }
        for _, content in certificates.destroyed(folder)
    ]
    return [row for row in found if row["id"] not in {one["id"] for one in gone}] + gone


def _row(found: KeyFile) -> dict[str, Any]:
    last = found.last_day()
    state = "in use" if last is None else "overlap" if clock.today() <= last else "overlap over"
    names = ("id", "kind", "owner", "project", "epoch", "check", "until")
    return {**{name: getattr(found, name) for name in names}, "store": found.held.store, "state": state}


def rotate(folder: Path, kind: Kind, owner: str, epoch: str, until: dt.date) -> tuple[KeyFile, KeyFile]:
    """A new random key of a new epoch in use; the old one stays usable, by name, to the end of `until`.

    Returns (new, old). ConfigError bad_overlap when `until` is past or more than a year away, epoch_used.
    Killed half-way it leaves the old key in use, and running it again finishes.
    """
    if kind not in MADE:
        raise ConfigError("bad_kind", kind=kind)
    place = folder / f"{stem(kind, owner)}.key"
    old = KeyFile.read(place, kind)
    _require_new_epoch(folder, kind, owner, old.project, epoch)
    fresh = place.with_name(f"{place.stem}.fresh")
    erase(fresh)
    made = keys.make(fresh, kind, old.project, epoch, old.owner)
    aside = set_aside(place, until)
    fresh.replace(place)
    return made, aside


def set_aside(place: Path, until: dt.date) -> KeyFile:
    """Copy the key in use to its place in the overlap. ConfigError bad_overlap."""
    if not clock.today() <= until <= clock.today() + LONGEST_OVERLAP:
        raise ConfigError("bad_overlap")
    return KeyFile.read(keys.retire(place, until))


def _require_new_epoch(folder: Path, kind: str, owner: str, project: str, epoch: str) -> None:
    """One key per (kind, owner, project, epoch), for ever: else one label would stand for two keys."""
    label(epoch)
    used = {(row["kind"], row["owner"], row["project"], row["epoch"]) for row in listing(folder)}
    if (kind, owner, project, epoch) in used:
        raise ConfigError("epoch_used", kind=kind, epoch=told(epoch))


def destroy(folder: Path, kind: Kind, owner: str, epoch: str, reason: str) -> tuple[Path, dict[str, Any]]:
    """End a key for good; returns its signed certificate and what it states.

    The certificate names the share sets that can still rebuild the key. Every other key is wrapped anew and the
    old KEK erased, so no copy of the destroyed key's file can be opened either. Killed half-way, run it again.
    ConfigError bad_reason; KeyUnavailable key_missing, key_destroyed.
    """
    if reason not in REASONS:
        raise ConfigError("bad_reason")
    name = stem(kind, owner)
    pending = _pending(folder, kind, owner, epoch)
    if pending is None:
        place = file_of(folder, kind, owner, epoch)
        signer = keys.load(folder / "sign.key", "sign")
        pending = _certify(folder, place, reason, signer)
    content = certificates.read(pending).content
    _end(
        folder, [folder / f"{stem}.key" for stem in dict.fromkeys((content["file"], name, f"{name}@{epoch}"))], content
    )
    keys.renew_keks(folder)
    done = pending.with_suffix(".json")
    pending.replace(done)
    return done, content


def file_of(folder: Path, kind: Kind, owner: str, epoch: str) -> Path:
    """The file of a key of this epoch, in use or in its overlap. KeyUnavailable key_missing, key_destroyed."""
    name = stem(kind, owner)
    for place in (folder / f"{name}@{label(epoch).decode()}.key", folder / f"{name}.key"):
        if place.exists() and KeyFile.read(place, kind).epoch == epoch:
            return place
    certificates.require_not_destroyed(folder, kind, f"{name}@{epoch}")
    raise KeyUnavailable("key_missing", kind=kind, epoch=told(epoch))


def _pending(folder: Path, kind: str, owner: str, epoch: str) -> Path | None:
    for path in (folder / certificates.FOLDER).glob("destroyed-*.pending"):
        content = certificates.read(path).content
        if (content["kind"], content["owner"], content["epoch"]) == (kind, owner, epoch):
            return path
    return None


def _certify(folder: Path, place: Path, reason: str, signer: Key) -> Path:
    """Write the certificate, still pending: from here on the key is refused."""
    found = KeyFile.read(place)
    wrapping = "device" if found.held.store == "hsm" else "kept" if Store.of(folder).files.credential else "erased"
    content = {
        "format": DESTRUCTION,
        **{name: getattr(found, name) for name in ("id", "kind", "project", "epoch", "owner", "check")},
        "file": place.stem,
        "store": found.held.store,
        "wrapping_key": wrapping,
        "reason": reason,
        "at": clock.now().isoformat(),
        "outstanding": custody.outstanding(folder, found.check),
    }
    own_folder(folder / certificates.FOLDER)
    path = folder / certificates.FOLDER / f"destroyed-{found.id}.pending"
    write_private(path, statement.make(content, signer.owner, signer.secret))
    return path


def _end(folder: Path, places: list[Path], content: dict[str, Any]) -> None:
    """Erase every file of this key, and the key in its device."""
    for place in places:
        if place.exists() and (found := KeyFile.read(place)).check == content["check"]:
            Store.of(folder).holding(found.held).erase(found.held)
            erase(place)


def forget(folder: Path, places: list[Path]) -> None:
    """End keys that served a ceremony only, without a certificate; their KEK goes too."""
    for place in places:
        erase(place)
    keys.renew_keks(folder)
