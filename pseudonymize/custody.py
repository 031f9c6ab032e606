"""k-of-n custody of a key's backup with SLIP-39 shares (Shamir over GF(256), checksummed words). Decision 12.

One share per custodian: a JSON file, or sealed with age to the custodian's own recipient. `shares/SET.json` in
the party's folder records who got one, never a share. A key comes back only when k shares of one set agree and
its key-check tag matches. A set is closed, and can rebuild nothing, once fewer than k of its shares are left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from pseudonymize import certificates, clock, keys, statement
from pseudonymize.certificates import CLOSURE, RESTORATION
from pseudonymize.keys import Key, KeyFile, Kind
from pseudonymize.prf import label, told
from pseudonymize.private import erase, own_folder, read_private, replace_private, write_private
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, KeyUnavailable

FORMAT = "koppelpunt/share/1"
REGISTER = "shares"
MOST = 16  # SLIP-39 allows no more shares in a group
_FIELDS: dict[str, type] = {
    **{name: str for name in ("format", "set", "kind", "project", "epoch", "owner", "check", "custodian", "words")},
    **{name: int for name in ("threshold", "shares")},
}
_SAME = ("set", "kind", "project", "epoch", "owner", "check", "threshold", "shares")


@dataclass(frozen=True)
class Custodian:
    """Who keeps a share; `recipient` is the age recipient it is sealed to, or empty."""

    name: str
    recipient: str


def custodians(path: Path) -> list[Custodian]:
    """Read a list: one `NAME` or `NAME age1...` a line. ConfigError bad_custodians."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        parts = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        found = [Custodian(label(one[0]).decode(), one[1] if len(one) == 2 else "") for one in parts if len(one) < 3]
        sound = len(found) == len(parts) and len({one.name for one in found}) == len(found)
        for one in found:
            if one.recipient:
                pyrage.x25519.Recipient.from_str(one.recipient)
    except (OSError, ValueError, ConfigError, pyrage.RecipientError):
        sound, found = False, []
    if not sound or not 1 < len(found) <= MOST:
        raise ConfigError("bad_custodians")
    return found


def export(folder: Path, place: Path, threshold: int, holders: list[Custodian], out: Path) -> dict[str, Any]:
    """Split the backup of one key over its custodians; one file each under `out`. Returns the set's register entry.

    ConfigError bad_custodians unless 2 <= k <= n, output_exists; KeyUnavailable key_not_extractable for a key
    that lives in a device (make it with custodians, or use the device's own backup).
    """
    return split(folder, keys.load(place, KeyFile.read(place).kind), threshold, holders, out)


def split(folder: Path, key: Key, threshold: int, holders: list[Custodian], out: Path) -> dict[str, Any]:
    """As `export`, for a key in memory: how a key that goes into a device gets its backup."""
    if not 2 <= threshold <= len(holders):
        raise ConfigError("bad_custodians")
    if out.exists() and any(out.iterdir()):
        raise ConfigError("output_exists")
    words = generate_mnemonics(1, [(threshold, len(holders))], key.secret.reveal())[0]
    same = {
        "set": keys.new_id(),
        "kind": key.kind,
        **{name: getattr(key, name) for name in ("project", "epoch", "owner")},
        "check": key.tag,
        "threshold": threshold,
        "shares": len(holders),
    }
    entry = {**same, "at": clock.now().isoformat(), "custodians": [one.name for one in holders], "returned": []}
    write_private(folder / REGISTER / f"{same['set']}.json", _json(entry))  # first: no share without its record
    own_folder(out)
    for holder, one in zip(holders, words, strict=True):
        text = _json({"format": FORMAT, **same, "custodian": holder.name, "words": one})
        if holder.recipient:
            sealed = pyrage.encrypt(text, [pyrage.x25519.Recipient.from_str(holder.recipient)])
            write_private(out / f"share-{holder.name}.age", sealed)
        else:
            write_private(out / f"share-{holder.name}.json", text)
    return entry


def share(path: Path) -> dict[str, Any]:
    """Read one opened share file. KeyUnavailable bad_share with its custodian where that can be read."""
    try:
        found = statement.loads(read_private(path))
        sound = found.keys() == _FIELDS.keys() and all(type(found[name]) is kind for name, kind in _FIELDS.items())
        sound = sound and found["format"] == FORMAT and found["kind"] in keys.KINDS
        for name in ("project", "epoch", "owner", "custodian", "set", "check"):
            label(found[name])
    except (ValueError, TypeError, KeyError, AttributeError, ConfigError):
        sound = False
    if not sound:
        raise KeyUnavailable("bad_share")
    return found


def combine(files: Iterable[Path]) -> Key:
    """The key that at least k shares of one set hold; every share given must agree.

    KeyUnavailable mixed_shares, too_few_shares, bad_share (names the custodian); key_check for a wrong key.
    """
    found = [share(path) for path in files]
    if len({tuple(one[name] for name in _SAME) for one in found}) > 1 or _twice(found):
        raise KeyUnavailable("mixed_shares")
    threshold = found[0]["threshold"] if found else 2
    if len(found) < threshold:
        raise KeyUnavailable("too_few_shares", given=len(found), needed=threshold)
    for one in found:
        _checked(one)
    first = found[0]
    secret = _agreed([one["words"] for one in found], threshold)
    key = Key(keys.new_id(), first["kind"], first["project"], first["epoch"], first["owner"], secret)
    key.require_tag(first["check"])
    return key


def _twice(found: list[dict[str, Any]]) -> bool:
    return len({one["custodian"] for one in found}) < len(found)


def _checked(one: dict[str, Any]) -> None:
    """The words' own checksum: a mistyped share is found, and its custodian named, before anything is combined."""
    from shamir_mnemonic.share import Share  # noqa: PLC0415

    try:
        Share.from_mnemonic(one["words"])
    except MnemonicError:
        raise KeyUnavailable("bad_share", custodian=told(one["custodian"])) from None


def _agreed(words: list[str], threshold: int) -> Secret:
    """Combine every share at least once: a share of another set, or beyond k, may not go unseen."""
    made = []
    for start in range(0, len(words), threshold):
        some = [words[(start + place) % len(words)] for place in range(threshold)]
        try:
            made.append(Secret(combine_mnemonics(some)))
        except MnemonicError:
            raise KeyUnavailable("mixed_shares") from None
    if any(one != made[0] for one in made):
        raise KeyUnavailable("mixed_shares")
    return made[0]


def restore(folder: Path, files: list[Path]) -> tuple[KeyFile, str]:
    """Put a key back from its shares; returns its file and the set it came from.

    KeyUnavailable as `combine`; key_destroyed when it was destroyed and no certificate names this set as
    outstanding. ConfigError key_exists when a key of that name is in place. Restoring a destroyed key writes a
    signed statement beside its certificate.
    """
    from pseudonymize.parties import stem  # noqa: PLC0415 - parties knows custody's callers

    key, found = combine(files), share(files[0])
    name = stem(key.kind, key.owner)
    place = folder / f"{name}.key"
    if place.exists():
        raise ConfigError("key_exists", kind=key.kind)
    ended = [content for _, content in certificates.destroyed(folder) if content["check"] == key.tag]
    if any(found["set"] not in {one["set"] for one in content["outstanding"]} for content in ended):
        raise KeyUnavailable("key_destroyed", kind=key.kind, epoch=told(key.epoch))
    if ended and is_closed(_entry(folder, found["set"])):
        raise KeyUnavailable("key_destroyed", kind=key.kind, epoch=told(key.epoch))
    for content in ended:
        _state(folder, "restored", content, found["set"])
    return keys.save(place, key), found["set"]


def _state(folder: Path, what: str, certificate: dict[str, Any], set_: str) -> None:
    """Sign, beside a certificate, that its key was restored, or that one of its share sets is closed."""
    place = folder / certificates.FOLDER / certificates.later_name(what, certificate["id"], set_)
    if place.exists():
        return
    signer = keys.load(folder / "sign.key", "sign")
    content = {
        "format": RESTORATION if what == "restored" else CLOSURE,
        **{name: certificate[name] for name in ("id", "check")},
        "set": set_,
        "at": clock.now().isoformat(),
    }
    write_private(place, statement.make(content, signer.owner, signer.secret))


def returned(folder: Path, set_: str, files: list[Path], attested: list[str]) -> dict[str, Any]:
    """Erase shares that came back, and record custodians who attest that theirs is destroyed.

    Closing a set (fewer than k left) after its key was destroyed writes a signed closure. KeyUnavailable
    mixed_shares, bad_share; ConfigError unknown_set, bad_custodians.
    """
    entry = _entry(folder, set_)
    found = [share(path) for path in files]
    if any(one["set"] != set_ for one in found):
        raise KeyUnavailable("mixed_shares")
    names = [*(one["custodian"] for one in found), *attested]
    if set(names) - set(entry["custodians"]):
        raise ConfigError("bad_custodians")
    for path in files:
        erase(path)
    entry["returned"] = sorted({*entry["returned"], *names})
    replace_private(folder / REGISTER / f"{set_}.json", _json(entry))
    if is_closed(entry):
        for _, content in certificates.destroyed(folder):
            if content["check"] == entry["check"]:
                _state(folder, "closed", content, set_)
    return entry


def is_closed(entry: dict[str, Any]) -> bool:
    """True when fewer than k shares of the set are left."""
    return len(entry["custodians"]) - len(entry["returned"]) < int(entry["threshold"])


def outstanding(folder: Path, check: str) -> list[dict[str, Any]]:
    """Share sets that can still rebuild the key of this tag, as a certificate names them."""
    entries = [_entry(folder, path.stem) for path in sorted((folder / REGISTER).glob("*.json"))]
    return [
        {
            "set": entry["set"],
            "threshold": entry["threshold"],
            "custodians": [name for name in entry["custodians"] if name not in entry["returned"]],
        }
        for entry in entries
        if entry["check"] == check and not is_closed(entry)
    ]


def _entry(folder: Path, set_: str) -> dict[str, Any]:
    try:
        return statement.loads(read_private(folder / REGISTER / f"{label(set_).decode()}.json"))
    except (KeyUnavailable, ValueError, TypeError):
        raise ConfigError("unknown_set") from None


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode("ascii")


def kind_of(text: str) -> Kind:
    """A kind of key by its name. ConfigError bad_kind."""
    for one in keys.KINDS:
        if one == text:
            return text  # type: ignore[return-value]
    raise ConfigError("bad_kind")
