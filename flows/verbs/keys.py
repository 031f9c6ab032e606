"""`koppel keys`: the life of keys. Every verb runs in a process of `pseudonymize`; here is only the call."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows.verbs import bridge
from flows.verbs.answers import Json, ask
from flows.verbs.recorded import Config, do

app = App(name="keys", help="Key stores of suppliers, converter and linker: make, rotate, back up, destroy.")
ceremony = App(name="ceremony", help="Suppliers make K_S together, by files carried by hand; nobody else has it.")
app.command(ceremony)
app.command(bridge.app)

Folder = Annotated[Path, Parameter(help="The party's own key folder.")]
Kind = Annotated[str, Parameter(name="--kind", help="link, recipient, record, sign or age; see docs/keys.md.")]
Owner = Annotated[str, Parameter(name="--owner", help="Whose key: converter, a recipient, or a supplier.")]
Epoch = Annotated[str, Parameter(name="--epoch", help="Name of the key epoch.")]
Project = Annotated[str, Parameter(name="--project", help="Name of the project.")]
LastDay = Annotated[dt.date, Parameter(name="--until", help="Last day of the overlap, as 2026-12-31.")]
Relay = Annotated[Path, Parameter(name="--relay", help="Folder with the ceremony's public files.")]


@app.command
def init(
    home: Path,
    *,
    project: str,
    epoch: str,
    suppliers: str,
    recipients: str = "onderzoek",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Create keys for every party of a demonstration on one machine, each in a folder of its own.

    Parameters
    ----------
    home
        New folder; for a real project each party makes its own keys (docs/keys.md).
    project
        Name of the project.
    epoch
        Name of the key epoch.
    suppliers
        Names, separated by commas.
    recipients
        Names, separated by commas.
    """
    options = {"home": home, "project": project, "epoch": epoch, "suppliers": suppliers, "recipients": recipients}
    do("keys_created", config, "Keys", as_json, "keys", **options)


@app.command
def store(
    keys: Folder,
    *,
    kek: str,
    module: str | None = None,
    token: str | None = None,
    pin: str | None = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Set up a party's key folder: where its key-encryption key (KEK) lies, and its PKCS#11 device if it has one.

    Parameters
    ----------
    kek
        Folder for the KEK, relative to the key folder and not inside it; or `credential:NAME` (systemd).
    module
        Path of the device's PKCS#11 module; without it keys are wrapped files.
    token
        Label of the token in the device.
    pin
        File with the token's PIN, relative to the key folder; or `credential:NAME`.
    """
    where = {"kek": kek, "module": module, "token": token, "pin": pin}
    do("key_store_made", config, "Store", as_json, "keys-store", keys=keys, **where)


@app.command
def create(
    keys: Folder,
    *,
    kind: Kind,
    owner: Owner = "any",
    epoch: Epoch = "any",
    project: Project = "any",
    custodians: Path | None = None,
    threshold: int | None = None,
    out_folder: Annotated[Path | None, Parameter(name="--out")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a new random key in this party's store; with custodians, its backup is split over them at once.

    Parameters
    ----------
    custodians
        List of custodians, one `NAME` or `NAME age1...` a line.
    threshold
        How many custodians are needed to restore.
    out_folder
        New folder for the shares, one file per custodian.
    """
    named = {"kind": kind, "owner": owner, "epoch": epoch, "project": project}
    backup = {"custodians": custodians, "threshold": threshold, "out": out_folder}
    do("key_created", config, "Made", as_json, "keys-create", keys=keys, **named, **backup)


@app.command(name="list")
def list_keys(keys: Folder, *, as_json: Json = False) -> None:
    """List a party's keys by id, what they are for, key-check tag and state. No key is opened."""
    ask("Keys", as_json, "keys-list", keys=keys)


@app.command
def rotate(
    keys: Folder,
    *,
    kind: Kind,
    owner: Owner,
    epoch: Epoch,
    until: LastDay,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a new key of a new epoch; the old one stays usable, by its epoch's name, until the overlap ends."""
    do(
        "key_rotated",
        config,
        "Rotated",
        as_json,
        "keys-rotate",
        keys=keys,
        kind=kind,
        owner=owner,
        epoch=epoch,
        last_day=until,
    )


@app.command
def destroy(
    keys: Folder, *, kind: Kind, owner: Owner, epoch: Epoch, reason: str, config: Config = None, as_json: Json = False
) -> None:
    """Destroy a key for good and write a signed certificate, which names the share sets still outstanding.

    Parameters
    ----------
    reason
        end-of-project, end-of-period, rotation, compromise, expiry or ceremony.
    """
    do(
        "key_destroyed",
        config,
        "Destroyed",
        as_json,
        "keys-destroy",
        keys=keys,
        kind=kind,
        owner=owner,
        epoch=epoch,
        reason=reason,
    )


@app.command
def certificate(file: Path, *, public: Path, as_json: Json = False) -> None:
    """Verify a destruction certificate, restoration or closure offline, with public keys alone.

    Parameters
    ----------
    file
        The certificate.
    public
        Folder with public.json.
    """
    ask("Certificate", as_json, "keys-certificate", certificate=file, public=public)


@app.command
def export_share(
    keys: Folder,
    *,
    kind: Kind,
    owner: Owner,
    epoch: Epoch,
    custodians: Path,
    threshold: int,
    out_folder: Annotated[Path, Parameter(name="--out")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Split the backup of a key over custodians (SLIP-39): so many of them restore it, fewer learn nothing.

    Parameters
    ----------
    custodians
        List of custodians, one `NAME` or `NAME age1...` a line; a share is sealed to the age recipient.
    threshold
        How many custodians are needed to restore.
    out_folder
        New folder for the shares, one file per custodian.
    """
    named = {"kind": kind, "owner": owner, "epoch": epoch}
    backup = {"custodians": custodians, "threshold": threshold, "out": out_folder}
    do("key_shared", config, "Shares", as_json, "keys-export-share", keys=keys, **named, **backup)


@app.command
def restore(keys: Folder, *, shares: Path, drill: bool = False, config: Config = None, as_json: Json = False) -> None:
    """Restore a key from its custodians' shares; its key-check tag must match.

    Parameters
    ----------
    shares
        Folder with the opened share files (0400 in 0700), and nothing else.
    drill
        Only show that these shares restore the key; nothing is written.
    """
    event = "key_restore_drilled" if drill else "key_restored"
    do(event, config, "Restored", as_json, "keys-restore", keys=keys, shares=shares, drill=drill)


@app.command
def returned(
    keys: Folder,
    *,
    share_set: Annotated[str, Parameter(name="--set")],
    shares: Path | None = None,
    attested: str | None = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Erase shares that custodians brought back, and record who attests that theirs is destroyed.

    Parameters
    ----------
    share_set
        Id of the set, as the certificate names it.
    shares
        Folder with share files; they are erased.
    attested
        Custodians who signed that their share is destroyed, separated by commas.
    """
    do(
        "shares_returned",
        config,
        "Shares",
        as_json,
        "keys-returned",
        keys=keys,
        set=share_set,
        shares=shares,
        attested=attested,
    )


@app.command
def card(
    keys: Folder,
    *,
    out_file: Annotated[Path, Parameter(name="--out")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write the public card of the converter or the linker, signed.

    Parameters
    ----------
    out_file
        New file.
    """
    do("key_card_signed", config, "Card", as_json, "keys-card", keys=keys, out=out_file)


@app.command
def publish(
    relay: Relay,
    *,
    converter: Path,
    linker: Path,
    out_folder: Annotated[Path, Parameter(name="--out")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make public.json of a verified ceremony and two cards.

    Parameters
    ----------
    converter
        Card of the converter.
    linker
        Card of the linker.
    out_folder
        Folder for public.json.
    """
    cards = {"converter": converter, "linker": linker}
    do("keys_published", config, "Public", as_json, "keys-publish", relay=relay, out=out_folder, **cards)


@ceremony.command
def enrol(
    keys: Folder,
    *,
    name: str,
    project: Project,
    epoch: Epoch,
    relay: Relay,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Step 1, each supplier: make this ceremony's keys and a public card.

    Parameters
    ----------
    name
        Name of the supplier.
    """
    named = {"name": name, "project": project, "epoch": epoch}
    do("ceremony_enrolled", config, "Enrolled", as_json, "ceremony-enrol", keys=keys, relay=relay, **named)


@ceremony.command
def roster(relay: Relay, *, project: Project, epoch: Epoch, as_json: Json = False) -> None:
    """Step 2, the relay: make the list of parties; all compare its fingerprint by telephone."""
    ask("Roster", as_json, "ceremony-roster", relay=relay, project=project, epoch=epoch)


@ceremony.command
def commit(
    keys: Folder,
    *,
    relay: Relay,
    agreed: Annotated[str, Parameter(name="--roster")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Step 3, each supplier: draw a contribution and commit to it.

    Parameters
    ----------
    agreed
        Fingerprint of the roster, as the parties read it to each other.
    """
    do("ceremony_committed", config, "Committed", as_json, "ceremony-commit", keys=keys, relay=relay, roster=agreed)


@ceremony.command
def seal(keys: Folder, *, relay: Relay, config: Config = None, as_json: Json = False) -> None:
    """Step 4, each supplier, when all have committed: seal the contribution to every other supplier."""
    do("ceremony_sealed", config, "Sealed", as_json, "ceremony-seal", keys=keys, relay=relay)


@ceremony.command
def combine(
    keys: Folder, *, relay: Relay, until: LastDay | None = None, config: Config = None, as_json: Json = False
) -> None:
    """Step 5, each supplier: check the others against their commitments and make K_S; then compare tags."""
    do("ceremony_combined", config, "K_S", as_json, "ceremony-combine", keys=keys, relay=relay, last_day=until)


@ceremony.command
def verify(relay: Relay, *, as_json: Json = False) -> None:
    """Step 6, the TTP and any auditor: verify the whole ceremony from its public files alone."""
    ask("Verified", as_json, "ceremony-verify", relay=relay)
