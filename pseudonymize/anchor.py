"""An anchor: the signed head of the audit log as a small file, to leave with somebody outside the TTP.

It holds a number, two hashes and a signature, so it tells nothing about anybody. Whoever keeps one (a notary, an
auditor, a time-stamping authority under RFC 3161) can show later that the log had that line then: a log that was cut
off or written anew since does not hold it. docs/audit.md says what each of them adds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pseudonymize import audit, auditverify
from pseudonymize.audit import Head
from pseudonymize.seal import file_hash
from schemas.errors import ConfigError, QualityGate

FORMAT = "koppelpunt/audit-anchor/1"


def make(log: Path, public: str, out: Path) -> dict[str, Any]:
    """Write the anchor of a log; returns its line, hash and the SHA-256 to have time-stamped. No private key is used.

    The head was signed with its line; only a log that verifies up to it is anchored. ConfigError output_exists;
    QualityGate audit_broken.
    """
    auditverify.verify(log, public).require_sound()
    told = audit.read_head(log, public)
    if told is None:  # nothing was ever logged
        raise QualityGate("audit_broken", kind="missing", line=0)
    content = {"format": FORMAT, "head": json.loads(audit.head_file(log).read_bytes()), "key": audit.key_id(public)}
    _write(out, audit.canonical(content) + b"\n")
    return {"line": told.n, "hash": told.hash, "sha256": file_hash(out)}


def _write(out: Path, text: bytes) -> None:
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)  # nothing in it is secret
    except FileExistsError:
        raise ConfigError("output_exists") from None
    with os.fdopen(handle, "wb") as file:
        file.write(text)


def read(path: Path, public: str) -> Head | None:
    """The head in an anchor; None when it is none, or when this key did not sign it."""
    try:
        content = json.loads(path.read_bytes()[: audit.MAX_LINE])
        known = set(content) == {"format", "head", "key"} and content["format"] == FORMAT
        return audit.signed_head(content["head"], public) if known else None
    except (OSError, ValueError, TypeError):
        return None
