"""`koppel audit`: verify the log offline, look at a receipt, countersign one. Needs public keys alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="audit", help="The signed audit log, and the receipts that suppliers hold.")

Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]
Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]
Public = Annotated[Path, Parameter(name="--public", help="Folder with the public keys (public.json).")]


@app.command
def verify(
    log: Path | None = None,
    *,
    public: Path | None = None,
    receipts: Path | None = None,
    certificates: Path | None = None,
    anchor: list[Path] | None = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Check every line, signature and link of an audit log, and the heads in receipts. Exit code 13 for any fault.

    Works on copies, without settings, keys or network, when LOG and --public are named; else the settings say where.

    Parameters
    ----------
    log
        The log (audit.jsonl). Its signed head (audit.head) is read when it lies beside it.
    public
        Folder with the public keys.
    receipts
        Folder with receipts, at any depth: they show a log that was cut off or written anew.
    certificates
        Folder with certificates of deletion: each must be signed and its hash must be in the log.
    anchor
        An anchor that somebody outside kept (`koppel audit anchor`): the log must still hold its line. Repeatable.
    """
    from flows import cli  # noqa: PLC0415 - keeps `koppel check` fast
    from flows.settings import load  # noqa: PLC0415
    from pseudonymize import auditpaths  # noqa: PLC0415

    if log is None or public is None:
        settings = load(config)
        log, public = log or settings.state / "audit.jsonl", public or settings.keys / "public"
        receipts, certificates = receipts or settings.receipts, certificates or settings.home / "certificates"
    report, counts = auditpaths.verify(log, public, receipts, certificates, anchor or ())
    answer = {**report.as_dict(), **counts}
    if not as_json:
        told = ", ".join(f"{fault.kind} at line {fault.line}" for fault in report.faults[:10])
        events = ", ".join(f"{name} {n}" for name, n in sorted(report.counts.items()))
        answer |= {"faults": told or "none", "counts": events}
    cli._show(answer, as_json, "Audit log")
    report.require_sound()


@app.command(name="anchor")
def make_anchor(
    log: Path | None = None,
    *,
    out_file: Annotated[Path, Parameter(name="--out")],
    public: Path | None = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write the signed head of the log as a small file, to leave with somebody outside or to have time-stamped.

    It holds a number, two hashes and a signature. Only a log that verifies is anchored. No private key is needed.

    Parameters
    ----------
    log
        The log (audit.jsonl); its signed head lies beside it. Default: where the settings say.
    out_file
        New file.
    public
        Folder with the public keys. Default: where the settings say.
    """
    from flows import cli  # noqa: PLC0415
    from flows.settings import load  # noqa: PLC0415
    from pseudonymize import auditpaths  # noqa: PLC0415

    if log is None or public is None:
        settings = load(config)
        log, public = log or settings.state / "audit.jsonl", public or settings.keys / "public"
    cli._show(auditpaths.deposit(log, public, out_file), as_json, "Anchor")


@app.command
def receipt(folder: Path, *, public: Public, as_json: Json = False) -> None:
    """Check a receipt's signatures and show what it says.

    Parameters
    ----------
    folder
        The folder with receipt.json and receipt.sig.
    """
    from flows import cli  # noqa: PLC0415
    from pseudonymize import auditpaths  # noqa: PLC0415

    cli._show(auditpaths.show(folder, public), as_json, "Receipt")


@app.command
def countersign(folder: Path, *, keys: Path, public: Public, as_json: Json = False) -> None:
    """Sign the head of the TTP's audit log in a receipt, as its supplier. Send receipt.countersig back, keep the rest.

    Parameters
    ----------
    folder
        The folder with receipt.json and receipt.sig.
    keys
        Your own key folder.
    """
    from flows import cli  # noqa: PLC0415
    from pseudonymize import auditpaths  # noqa: PLC0415

    cli._show(auditpaths.countersign(folder, keys, public), as_json, "Countersigned")
