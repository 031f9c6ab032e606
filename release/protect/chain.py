"""The chain of the release ledger: one line per file, each with the hash of the line before; only ever added to.

A line that was changed, left out or put in between breaks every later hash. What a chain cannot show by itself is that
its end was cut off: so its head stands in the signed audit log too, and `require_head` asks for that one.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from schemas.errors import DisclosureRefused

NAME = "chain.jsonl"
START = "0" * 64


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every entry, checked. DisclosureRefused damaged_release_ledger when the chain or a file of it is not whole."""
    path, last = folder / NAME, START
    found: list[dict[str, Any]] = []
    for text in path.read_text(encoding="ascii").splitlines() if path.is_file() else []:
        entry = _entry(text)
        if entry.get("previous") != last or entry.get("number") != len(found) + 1 or entry["hash"] != _hash(entry):
            raise DisclosureRefused("damaged_release_ledger")
        _require_file(folder, entry)
        last = entry["hash"]
        found.append(entry)
    if {file.name for file in folder.glob("*.parquet")} != {entry["file"] for entry in found}:
        raise DisclosureRefused("damaged_release_ledger")
    return found


def append(folder: Path, data: bytes, facts: dict[str, str | int]) -> Path:
    """Add a file and its entry. The name holds the hash; the same content twice is one entry.

    The chain is written first: a ledger that knows of a file which is not there yet finishes it (`_require_file`), one
    with a file that it does not know is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    before, digest = lines(folder), hashlib.sha256(data).hexdigest()
    path = folder / f"{facts['release']}.{facts['audience']}.{digest[:16]}.parquet"
    if any(entry["file"] == path.name for entry in before):
        return path
    entry: dict[str, Any] = {**facts, "file": path.name, "sha256": digest, "number": len(before) + 1}
    entry["previous"] = before[-1]["hash"] if before else START
    entry["hash"] = _hash(entry)
    waiting = path.with_suffix(".part")
    _write(waiting, data)
    text = "".join(json.dumps(one, sort_keys=True) + "\n" for one in (*before, entry))
    _write(folder / f"{NAME}.new", text.encode("ascii"))
    (folder / f"{NAME}.new").replace(folder / NAME)
    waiting.replace(path)
    return path


def head(folder: Path) -> str:
    """Hash of the last entry; zeros for an empty ledger."""
    found = lines(folder)
    return str(found[-1]["hash"]) if found else START


def require_head(folder: Path, told: str) -> None:
    """DisclosureRefused damaged_release_ledger unless the chain still holds the entry that was signed for."""
    if told != START and told not in {entry["hash"] for entry in lines(folder)}:
        raise DisclosureRefused("damaged_release_ledger")


def _entry(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise DisclosureRefused("damaged_release_ledger") from None
    if not isinstance(found, dict) or not {"hash", "file", "sha256"} <= found.keys():
        raise DisclosureRefused("damaged_release_ledger")
    return found


def _hash(entry: dict[str, Any]) -> str:
    body = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _require_file(folder: Path, entry: dict[str, Any]) -> None:
    """The file of an entry, with the bytes it was recorded with; one that was stopped before its end is finished."""
    path = folder / str(entry["file"])
    if path.name != entry["file"]:
        raise DisclosureRefused("damaged_release_ledger")
    waiting = path.with_suffix(".part")
    if not path.is_file() and waiting.is_file():
        waiting.replace(path)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        raise DisclosureRefused("damaged_release_ledger")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
