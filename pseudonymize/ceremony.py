"""Make the keys of a demonstration in one go, each party's in its own folder.

For a real project the sources make K_S together and each party makes its own keys on its own machine
(docs/threats.md); this function exists because a demonstration has one machine.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from pseudonymize import keys, signing
from pseudonymize.keys import KEY_BYTES, Key, Kind
from pseudonymize.parties import PublicKeys, new_age_identity
from pseudonymize.prf import label
from pseudonymize.secret import Secret
from schemas.errors import ConfigError


def create_demo_keys(
    home: Path, suppliers: list[str], recipients: list[str], project: str, epoch: str, *, pre_epoch: str = ""
) -> PublicKeys:
    """Write suppliers/NAME/, converter/, linker/, gate/ and public/ under `home`; returns what is public.

    `epoch` is that of the TTP's keys, `pre_epoch` that of the sources' (the same when left out). ConfigError
    output_exists when `home` is not empty, bad_label for a wrong name.
    """
    source_epoch = pre_epoch or epoch
    for name in (*suppliers, *recipients, project, epoch, source_epoch):
        label(name)
    if home.exists() and any(home.iterdir()):
        raise ConfigError("output_exists")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    k_s = Secret(secrets.token_bytes(KEY_BYTES))
    checks = {"pre": Key("", "pre", project, source_epoch, "sources", k_s).tag}
    signers = {name: _supplier(home / "suppliers" / name, name, k_s, project, source_epoch) for name in suppliers}
    for kind, owner in (("link", "converter"), *(("recipient", name) for name in recipients)):
        made = _new("link" if kind == "link" else "recipient", project, epoch, owner)
        keys.save(home / "converter" / ("link.key" if kind == "link" else f"recipient-{owner}.key"), made)
        checks[kind if kind == "link" else f"recipient-{owner}"] = made.tag
    public = PublicKeys(
        project=project,
        epoch=epoch,
        converter=new_age_identity(home / "converter"),
        linker=new_age_identity(home / "linker"),
        suppliers=signers,
        checks=checks,
    )
    public.save(home / "public")
    _gate(home, project, epoch)
    return public


def _supplier(folder: Path, name: str, k_s: Secret, project: str, epoch: str) -> str:
    """Keys of one supplier; returns its public signing key."""
    sign = _new("sign", project, epoch, name)
    keys.save(folder / "pre.key", Key(secrets.token_hex(4), "pre", project, epoch, "sources", k_s))
    keys.save(folder / "record.key", _new("record", project, epoch, name))
    keys.save(folder / "sign.key", sign)
    return signing.public_half(sign.secret)


def _gate(home: Path, project: str, epoch: str) -> None:
    """The egress gate's signing key, and its public half as PEM, which stock tools verify with."""
    sign = _new("sign", project, epoch, "gate")
    keys.save(home / "gate" / "sign.key", sign)
    (home / "public" / "gate.pem").write_bytes(signing.public_pem(sign.secret))


def _new(kind: Kind, project: str, epoch: str, owner: str) -> Key:
    return Key(secrets.token_hex(4), kind, project, epoch, owner, Secret(secrets.token_bytes(KEY_BYTES)))
