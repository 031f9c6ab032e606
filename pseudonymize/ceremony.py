"""Make the keys of a demonstration in one go, each party's in its own folder.

For a real project the sources make K_S together (joint.py) and each party makes its own keys on its own machine
(docs/keys.md); this function exists because a demonstration has one machine.
"""

from __future__ import annotations

from pathlib import Path

from pseudonymize import keys, signing, store
from pseudonymize.keys import Key, Kind
from pseudonymize.parties import ANY, CONVERTER, PublicKeys, new_age_identity, stem
from pseudonymize.prf import label
from pseudonymize.secret import Secret
from schemas.errors import ConfigError


def create_demo_keys(
    home: Path, suppliers: list[str], recipients: list[str], project: str, epoch: str, *, pre_epoch: str = ""
) -> PublicKeys:
    """Write suppliers/NAME/, converter/, linker/, gate/, audit/, kek/ and public/ under `home`; returns what is public.

    `epoch` is that of the TTP's keys, `pre_epoch` that of the sources' (the same when left out). ConfigError
    output_exists when `home` is not empty, bad_label for a wrong name.
    """
    source_epoch = pre_epoch or epoch
    for name in (*suppliers, *recipients, project, epoch, source_epoch):
        label(name)
    if home.exists() and any(home.iterdir()):
        raise ConfigError("output_exists")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    k_s = Key("", "pre", project, source_epoch, "sources", store.random())
    signers = {name: _supplier(home / "suppliers" / name, name, k_s) for name in suppliers}
    store.create(home / CONVERTER, kek=f"../kek/{CONVERTER}")
    store.create(home / "linker", kek="../kek/linker")
    public = PublicKeys(
        project=project,
        epoch=epoch,
        converter=new_age_identity(home / CONVERTER),
        linker=new_age_identity(home / "linker"),
        suppliers=signers,
        checks={"pre": k_s.tag, **_converter(home / CONVERTER, project, epoch, recipients)},
        certifiers={CONVERTER: public_signer(home / CONVERTER)},
        audit=_audit(home / "audit", project, epoch),
    )
    public.save(home / "public")
    _gate(home, project, epoch)
    return public


def public_signer(folder: Path) -> str:
    """Public half of a party's signing key."""
    return signing.public_half(keys.load(folder / "sign.key", "sign").secret)


def _converter(folder: Path, project: str, epoch: str, recipients: list[str]) -> dict[str, str]:
    """K_T and each K_R; returns the key-check tags by file name."""
    keys.make(folder / "sign.key", "sign", ANY, ANY, CONVERTER)
    wanted: list[tuple[Kind, str]] = [("link", CONVERTER), *(("recipient", name) for name in recipients)]
    return {
        stem(kind, owner): keys.make(folder / f"{stem(kind, owner)}.key", kind, project, epoch, owner).check
        for kind, owner in wanted
    }


def _supplier(folder: Path, name: str, k_s: Key) -> str:
    """Keys of one supplier, with its copy of K_S; returns its public signing key."""
    store.create(folder, kek=f"../../kek/{name}")
    copy = Key(keys.new_id(), "pre", k_s.project, k_s.epoch, k_s.owner, Secret(k_s.secret.reveal()))
    keys.save(folder / "pre.key", copy)
    keys.make(folder / "record.key", "record", k_s.project, k_s.epoch, name)
    keys.make(folder / "sign.key", "sign", k_s.project, k_s.epoch, name)
    return public_signer(folder)


def _audit(folder: Path, project: str, epoch: str) -> str:
    """The TTP's key that signs audit log, receipts and certificates; returns its public half."""
    store.create(folder, kek="../kek/audit")
    keys.make(folder / "audit.key", "audit", project, epoch, "ttp")
    return signing.public_half(keys.load(folder / "audit.key", "audit").secret)


def _gate(home: Path, project: str, epoch: str) -> None:
    """The egress gate's signing key, and its public half as PEM, which stock tools verify with."""
    store.create(home / "gate", kek="../kek/gate")
    keys.make(home / "gate" / "sign.key", "sign", project, epoch, "gate")
    secret = keys.load(home / "gate" / "sign.key", "sign").secret
    (home / "public" / "gate.pem").write_bytes(signing.public_pem(secret))
