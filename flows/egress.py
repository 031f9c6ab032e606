"""The egress gate: what a release folder must pass before it gets its name. It can only pass or stop.

release.gate judges shape and counts and sees no identifier; the scan runs as a process of `pseudonymize` with the
converter's keys, because it must know what canaries look like in every domain, and answers counts and places.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flows import rooms
from flows.settings import Settings
from release import gate


def passed(
    settings: Settings,
    out: Path,
    home: Future[dict[str, Any]] | None = None,
    judge: Callable[[Path], int] | None = None,
) -> dict[str, int]:
    """Judge a complete release folder and sign it; returns what was looked at. DisclosureRefused when it stops.

    Order: schema, labels and small counts of every file; canaries and density of numbers in what leaves, canaries in
    everything else the TTP holds; then checksums, signed. Any refusal leaves the folder without its final name.
    `home` is the scan of what the TTP holds, when it was begun earlier (`at_home`); `judge` fits the kind of folder.
    """
    with ThreadPoolExecutor(2) as pool:
        staying = home or pool.submit(at_home, settings, out)
        looking = pool.submit(rooms.pseudonymize, "scan", "--leaving", out, *_needles(settings))
        files = (judge or gate.check_release)(out)
        looked = looking.result()
        staying.result()
    gate.write_sums(out)
    signed = rooms.pseudonymize("sign", "--folder", out, "--keys", settings.keys / "gate")
    return {"files": files, "columns": int(looked["columns"]), "signed": int(signed["signed"])}


def at_home(settings: Settings, out: Path) -> dict[str, Any]:
    """Scan everything the TTP holds but the release folder `out`: some seconds, best begun before that is written."""
    return rooms.pseudonymize("scan", "--folder", settings.home, "--skip", out, *_needles(settings))


def scan(settings: Settings, *, leaving: Path | None = None, more: tuple[object, ...] = ()) -> dict[str, Any]:
    """Scan the TTP's home, and `leaving` by the stricter rules, for this TTP's canaries. Errors as the scan's."""
    stricter = ("--leaving", leaving) if leaving else ()
    return rooms.pseudonymize("scan", "--folder", settings.home, *_needles(settings), *stricter, *more)


def _needles(settings: Settings) -> tuple[object, ...]:
    """Where the scan finds what canaries look like: it runs with the converter's keys."""
    keys = ("--store", settings.store, "--keys", settings.keys / "converter")
    return (*keys, "--recipients", settings.recipient)
