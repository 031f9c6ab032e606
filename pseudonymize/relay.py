"""The joint ceremony's public side: files carried by hand through a relay folder, and their verification.

The relay (the TTP) sees commitments, sealed files and key-check tags, never a contribution. Files, NAME being a
supplier: card-NAME.json (its public keys for this ceremony), roster.json (who takes part; everybody compares its
fingerprint by telephone), commit-NAME.json, share-FROM.TO.age, sealed-NAME.json (hashes of its sealed files, and
the commitments it saw with their signatures), tag-NAME.json. `verify` needs these files alone. Decision 11.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage

from pseudonymize import statement
from pseudonymize.prf import encode, label, told
from pseudonymize.statement import Statement
from schemas.errors import ConfigError

CARD = "koppelpunt/card/1"
ROSTER = "koppelpunt/roster/1"
COMMIT = "koppelpunt/commit/1"
SEALED = "koppelpunt/sealed/1"
TAG = "koppelpunt/tag/1"
TRANSCRIPT = "koppelpunt/transcript/1"
MOST = 16  # parties
MAX_SHARE = 16_384
CARD_FIELDS: dict[str, type] = {"format": str, "project": str, "epoch": str, "name": str, "sign": str, "age": str}
COMMIT_FIELDS: dict[str, type] = {"format": str, "roster": str, "commitment": str}
SEALED_FIELDS: dict[str, type] = {"format": str, "roster": str, "commitments": dict, "files": dict}
TAG_FIELDS: dict[str, type] = {"format": str, "roster": str, "commitments": str, "check": str}


@dataclass(frozen=True)
class Roster:
    """Who takes part in making K_S of one project and epoch, with each party's public keys."""

    project: str
    epoch: str
    sign: dict[str, str]
    age: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Parties, in order."""
        return sorted(self.sign)

    def content(self) -> dict[str, Any]:
        """The roster as its file says it."""
        parties = {name: {"sign": self.sign[name], "age": self.age[name]} for name in self.names}
        return {"format": ROSTER, "project": self.project, "epoch": self.epoch, "parties": parties}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the roster, 64 hex digits: what parties read to each other."""
        return hashlib.sha256(statement.canonical(self.content())).hexdigest()

    @classmethod
    def read(cls, relay: Path) -> Roster:
        """Read roster.json. ConfigError bad_roster."""
        path = relay / "roster.json"
        try:
            content = statement.loads(path.read_bytes()[: statement.MAX_BYTES + 1])
            found = cls(
                content["project"],
                content["epoch"],
                {name: one["sign"] for name, one in content["parties"].items()},
                {name: one["age"] for name, one in content["parties"].items()},
            )
            sound = found.content() == content
            found.require_sound()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ConfigError):
            sound = False
        if not sound:
            raise ConfigError("bad_roster")
        return found

    def require_sound(self) -> None:
        """ConfigError bad_roster unless there are 2 to 16 parties with names and keys of the right shape."""
        for text in (self.project, self.epoch, *self.names):
            label(text)
        keys = [*self.sign.values(), *self.age.values()]
        if not 2 <= len(self.sign) <= MOST or len(set(keys)) < len(keys):
            raise ConfigError("bad_roster")
        for name in self.names:
            _require_keys(self.sign[name], self.age[name])


def _require_keys(sign: str, age: str) -> None:
    try:
        sound = len(bytes.fromhex(sign)) == 32 and sign == sign.lower()
        pyrage.x25519.Recipient.from_str(age)
    except (ValueError, TypeError, pyrage.RecipientError):
        sound = False
    if not sound:
        raise ConfigError("bad_roster")


def collect(relay: Path, project: str, epoch: str) -> Roster:
    """Make roster.json of the cards in the folder. ConfigError bad_statement, bad_roster, output_exists."""
    cards = [_card(path, project, epoch) for path in sorted(relay.glob("card-*.json"))]
    made = Roster(
        project,
        epoch,
        {one["name"]: one["sign"] for one in cards},
        {one["name"]: one["age"] for one in cards},
    )
    made.require_sound()
    write(relay / "roster.json", statement.canonical(made.content()) + b"\n")
    return made


def _card(path: Path, project: str, epoch: str) -> dict[str, Any]:
    found = statement.read(path, CARD_FIELDS)
    content = found.content
    _require_format(found, CARD)
    if (content["project"], content["epoch"]) != (project, epoch) or path.name != f"card-{content['name']}.json":
        raise ConfigError("bad_roster")
    if content["name"] != found.signer:
        raise ConfigError("bad_statement")
    found.require_signed(content["sign"])
    return content


def write(path: Path, text: bytes) -> None:
    """A new public file. ConfigError output_exists: what was handed in is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("output_exists") from None


def commitment(roster: str, name: str, contribution: bytes) -> str:
    """Binding and, because a contribution is 32 random bytes, hiding: SHA-256 over length-prefixed fields."""
    fields = (b"koppelpunt/commit/v1", roster.encode("ascii"), name.encode("ascii"), contribution)
    return hashlib.sha256(encode(*fields)).hexdigest()


def _signed(relay: Path, roster: Roster, stage: str, name: str, kind: tuple[str, dict[str, type]]) -> Statement:
    """One party's statement of a stage. ConfigError ceremony_incomplete, bad_statement: both name the party."""
    path = relay / f"{stage}-{name}.json"
    if not path.is_file():
        raise ConfigError("ceremony_incomplete", party=told(name), stage=stage)
    try:
        found = statement.read(path, kind[1])
    except ConfigError:
        raise ConfigError("bad_statement", party=told(name)) from None
    _require_format(found, kind[0])
    if found.signer != name or found.content["roster"] != roster.fingerprint:
        raise ConfigError("bad_statement", party=told(name))
    found.require_signed(roster.sign[name])
    return found


def _require_format(found: Statement, expected: str) -> None:
    if found.content["format"] != expected:
        raise ConfigError("bad_statement", party=told(found.signer))


def commits(relay: Path, roster: Roster) -> dict[str, Statement]:
    """Every party's commitment. ConfigError ceremony_incomplete, bad_statement."""
    return {name: _signed(relay, roster, "commit", name, (COMMIT, COMMIT_FIELDS)) for name in roster.names}


def digest(found: dict[str, Statement]) -> str:
    """SHA-256 over all commitments: what every party must have seen alike."""
    return hashlib.sha256(statement.canonical({name: one.content for name, one in found.items()})).hexdigest()


def sealed(relay: Path, roster: Roster, seen: dict[str, Statement]) -> dict[str, Statement]:
    """Every party's statement of what it sealed and saw; `seen` are the commitments this reader saw.

    ConfigError ceremony_split names a party that signed two commitments; bad_statement one whose statement does
    not hold; ceremony_damaged one whose sealed file is not the one it stated.
    """
    found = {name: _signed(relay, roster, "sealed", name, (SEALED, SEALED_FIELDS)) for name in roster.names}
    for name, one in found.items():
        _require_seen_alike(roster, name, one.content["commitments"], seen)
        if set(one.content["files"]) != set(roster.names) - {name}:
            raise ConfigError("bad_statement", party=told(name))
        for other, expected in one.content["files"].items():
            if file_hash(relay / f"share-{name}.{other}.age") != expected:
                raise ConfigError("ceremony_damaged", party=told(name))
    return found


def _require_seen_alike(roster: Roster, name: str, said: dict[str, Any], seen: dict[str, Statement]) -> None:
    """Two different commitments, both with one party's signature, prove that it cheats; else the teller does."""
    for other in roster.names:
        mine, theirs = seen[other], said.get(other)
        if theirs == {"commitment": mine.content["commitment"], "signature": mine.signature}:
            continue
        try:
            content = {**mine.content, "commitment": theirs["commitment"]}  # type: ignore[index]
            Statement(content, other, theirs["signature"]).require_signed(roster.sign[other])  # type: ignore[index]
        except (ConfigError, KeyError, TypeError):
            raise ConfigError("bad_statement", party=told(name)) from None
        raise ConfigError("ceremony_split", party=told(other))


def file_hash(path: Path) -> str:
    """SHA-256 of a sealed share, or nothing when it is absent, too long or a link."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_SHARE:
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(relay: Path) -> dict[str, Any]:
    """Check a finished ceremony from its public files alone, as the TTP and any auditor do. Returns the outcome.

    Writes transcript.json (a hash of every file), or compares with the one that is there. Raises ConfigError
    bad_roster, bad_statement, ceremony_incomplete, ceremony_split, ceremony_damaged, ceremony_tag (names who
    has another key), ceremony_changed (a file differs from the transcript); stray files are ceremony_stray.
    """
    roster = Roster.read(relay)
    for name in roster.names:
        card = _card(relay / f"card-{name}.json", roster.project, roster.epoch)
        if (card["sign"], card["age"]) != (roster.sign[name], roster.age[name]):
            raise ConfigError("bad_statement", party=told(name))
    seen = commits(relay, roster)
    sealed(relay, roster, seen)
    tags = {name: _signed(relay, roster, "tag", name, (TAG, TAG_FIELDS)) for name in roster.names}
    if wrong := [name for name, one in tags.items() if one.content["commitments"] != digest(seen)]:
        raise ConfigError("bad_statement", party=told(wrong[0]))
    check = _one_tag({name: str(one.content["check"]) for name, one in tags.items()})
    return {
        "project": roster.project,
        "epoch": roster.epoch,
        "parties": roster.names,
        "roster": roster.fingerprint,
        "check": check,
        "transcript": _transcript(relay, roster, check),
    }


def _one_tag(tags: dict[str, str]) -> str:
    """The tag all parties have. ConfigError ceremony_tag names those who differ from the most (all, at a tie)."""
    (first, most), *rest = Counter(tags.values()).most_common()
    if not rest:
        return first
    tied = rest[0][1] == most
    raise ConfigError("ceremony_tag", party=told(",".join(name for name, tag in tags.items() if tied or tag != first)))


def _transcript(relay: Path, roster: Roster, check: str) -> str:
    expected = {
        "roster.json",
        *(f"{stage}-{n}.json" for stage in ("card", "commit", "sealed", "tag") for n in roster.names),
    }
    expected |= {f"share-{a}.{b}.age" for a in roster.names for b in roster.names if a != b}
    path = relay / "transcript.json"
    if stray := {one.name for one in relay.iterdir()} - expected - {path.name}:
        raise ConfigError("ceremony_stray", files=len(stray))
    files = {name: hashlib.sha256((relay / name).read_bytes()).hexdigest() for name in sorted(expected)}
    content = {"format": TRANSCRIPT, "roster": roster.fingerprint, "check": check, "files": files}
    text = statement.canonical(content) + b"\n"
    if not path.exists():
        write(path, text)
    if path.is_symlink() or path.read_bytes() != text:
        raise ConfigError("ceremony_changed")
    return hashlib.sha256(text).hexdigest()
