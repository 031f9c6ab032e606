"""Roles of the TTP as accounts of the operating system: whose each folder is, what each may run, and whether it is so.

With `accounts` in the settings, each role's folders belong to its account and are closed to every other (0700).
Without, one account runs all roles, and its keys are closed to others all the same. Checked at every start.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.settings import RoleName, Settings
from schemas import agreement as agreements
from schemas.errors import ConfigError, KeyUnavailable


@dataclass(frozen=True)
class Role:
    """What a role may run (verbs of `python -m pseudonymize`, or steps of ours), its keys, and its data."""

    name: RoleName
    runs: tuple[str, ...]
    keys: tuple[str, ...]
    data: tuple[str, ...]


ROLES = (
    Role("gateway", ("deliver",), (), ("gateway",)),  # keys: those of the suppliers it delivers for
    Role("converter", ("convert", "recipient", "scan"), ("converter",), ()),
    Role("linker", ("open", "link", "estimate", "export"), ("linker",), ("runs",)),
    Role("releaser", ("publish", "sign", "sign-file"), ("gate",), ("releases",)),
    Role("auditor", ("verify", "record", "certify", "audit-serve"), ("audit",), ("state",)),
)
NAMES = tuple(role.name for role in ROLES)


@dataclass(frozen=True)
class Finding:
    """A folder that is not as it should be: `owner` or `mode`."""

    role: str
    folder: str
    fault: str


def folders(settings: Settings, role: Role) -> list[tuple[str, Path]]:
    """The role's own folders, by a name that can be told: keys, their wrapping keys, data."""
    owned = [*role.keys, *(_suppliers(settings) if role.name == "gateway" else ())]
    found = []
    for party in owned:
        base = settings.keys / "suppliers" if role.name == "gateway" else settings.keys
        found += [(f"keys of {party}", base / party), (f"wrapping key of {party}", settings.keys / "kek" / party)]
    places = {"gateway": settings.gateway, "runs": settings.home / "runs", "state": settings.state}
    places["releases"] = settings.home / "releases"
    return found + [(name, places[name]) for name in role.data]


def _suppliers(settings: Settings) -> list[str]:
    """Suppliers whose raw extracts this TTP's gateway delivers."""
    known = agreements.folder(settings.agreements).values() if settings.agreements.is_dir() else ()
    return sorted({one.supplier for one in known if one.gateway})


def findings(settings: Settings) -> Iterator[Finding]:
    """Every folder that exists and is not its role's alone. ConfigError unknown_account for a name nobody has."""
    owners = {role: uid_of(settings, role) for role in ROLES}
    for role, owner in owners.items():
        for name, path in folders(settings, role):
            if not path.is_dir():
                continue
            told = path.lstat()
            if stat.S_ISLNK(told.st_mode) or told.st_uid != owner:
                yield Finding(role.name, name, "owner")
            elif _closed(settings, name) and told.st_mode & 0o077:
                yield Finding(role.name, name, "mode")


def _closed(settings: Settings, name: str) -> bool:
    """Keys always; data once roles have accounts of their own (before that, `home` as a whole is one account's)."""
    return bool(settings.accounts) or "key" in name


def uid_of(settings: Settings, role: Role) -> int:
    """The account's number; this process's own when roles are not apart. A number stands for itself."""
    account = settings.accounts.get(role.name)
    if account is None:
        return os.geteuid()
    if account.isdigit():
        return int(account)
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError:
        raise ConfigError("unknown_account", role=role.name) from None


def require(settings: Settings) -> None:
    """KeyUnavailable access_open for the first folder that others own or can enter; asked at every start."""
    for found in findings(settings):
        raise KeyUnavailable("access_open", role=found.role, folder=found.folder, kind=found.fault)


def apply(settings: Settings) -> int:
    """Give every role its folders, and close them; for root. Returns how many. MachineError when not allowed."""
    done = 0
    for way in (settings.home, settings.keys, settings.keys / "suppliers", settings.keys / "kek"):
        if settings.accounts and way.is_dir():
            way.chmod(0o711)  # to walk through, not to look around in
    for role in ROLES:
        owner = uid_of(settings, role)
        for _, path in folders(settings, role):
            if path.is_dir() and not path.is_symlink():
                for each in (path, *path.rglob("*")):
                    if not each.is_symlink():
                        os.chown(each, owner, -1)
                path.chmod(0o700)
                done += 1
    return done
