"""SoftHSM2 for tests and benchmarks: where its module is, and a fresh token in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "5391-synthetic"


@dataclass(frozen=True)
class SoftToken:
    """A token ready for use: module, label, and the file with its PIN."""

    module: str
    label: str
    pin: Path


def module() -> str | None:
    """Path of the PKCS#11 module, or None where SoftHSM2 is not installed."""
    return next((place for place in PLACES if Path(place).is_file()), None)


def configure(folder: Path) -> None:
    """Let SoftHSM2 keep its tokens under `folder`; before the module is loaded, once per process."""
    (folder / "tokens").mkdir(parents=True, exist_ok=True)
    lines = (f"directories.tokendir = {folder / 'tokens'}", "objectstore.backend = file", "log.level = ERROR")
    (folder / "softhsm2.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")


def token(folder: Path, label: str) -> SoftToken:
    """A fresh token, and its PIN in a private file."""
    found = module()
    assert found is not None
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "0000-synthetic"]
    subprocess.run(command, check=True, capture_output=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    pin = folder / f"{label}.pin"
    pin.write_text(PIN + "\n", encoding="ascii")
    pin.chmod(0o400)
    return SoftToken(found, label, pin)
