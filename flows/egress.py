"""The egress gate: what a release folder must pass before it gets its name. It can only pass or stop.

release.gate judges shape and counts and sees no identifier; the scan runs as a process of `pseudonymize` with the
converter's keys, because it must know what canaries look like in every domain, and answers counts and places.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from flows import rooms
from flows.settings import Settings
from release import gate
from schemas.errors import QualityGate

_Stand = list[tuple[Path, int, int, int]]


def passed(
    settings: Settings,
    out: Path,
    home: Future[dict[str, Any]] | None = None,
    judge: Callable[[Path], int] | None = None,
    leaving: Leaving | None = None,
) -> dict[str, int]:
    """Judge a complete release folder and sign it; returns what was looked at. DisclosureRefused when it stops.

    Order: schema, labels and small counts of every file; canaries and density of numbers in what leaves, canaries in
    everything else the TTP holds; then checksums, signed. Any refusal leaves the folder without its final name.
    `home` is the scan of what the TTP holds, when it was begun earlier (`at_home`); `judge` fits the kind of folder;
    `leaving` is the scan of what leaves, when parts of it were complete earlier. QualityGate outputs_changed.
    """
    with ThreadPoolExecutor(2) as pool:
        staying = home or pool.submit(at_home, settings, out)
        looking = pool.submit((leaving or Leaving(settings, out)).columns)
        files = (judge or gate.check_release)(out)
        columns = looking.result()
        staying.result()
    gate.write_sums(out)
    signed = rooms.pseudonymize("sign", "--folder", out, "--keys", settings.keys / "gate")
    return {"files": files, "columns": columns, "signed": int(signed["signed"])}


class Leaving:
    """The stricter scan of a release folder, begun with the parts of it that are complete while others are made."""

    def __init__(self, settings: Settings, out: Path) -> None:
        self.settings, self.out = settings, out
        self._pool = ThreadPoolExecutor(1)
        self._parts: list[tuple[Path, _Stand, Future[int]]] = []

    def begin(self, part: Path) -> None:
        """Scan a folder inside the release folder; nothing may be written there any more."""
        self._parts.append((part, _stand(part), self._pool.submit(self._scan, part)))

    def columns(self) -> int:
        """Scan the rest and wait for all; columns looked at. DisclosureRefused; QualityGate outputs_changed."""
        skipped = [argument for part, *_ in self._parts for argument in ("--skip", part)]
        found = self._scan(self.out, *skipped) + sum(scan.result() for *_, scan in self._parts)
        self._pool.shutdown()
        if any(_stand(part) != before for part, before, _ in self._parts):
            raise QualityGate("outputs_changed", step="release")
        return found

    def _scan(self, folder: Path, *more: object) -> int:
        return int(rooms.pseudonymize("scan", "--leaving", folder, *_needles(self.settings), *more)["columns"])


def _stand(folder: Path) -> _Stand:
    """What a file system can tell of every file: a scanned part must still be what it was when the gate closes."""
    found = ((path, path.lstat()) for path in sorted(folder.rglob("*")))
    return [(path, about.st_ino, about.st_size, about.st_mtime_ns) for path, about in found]


class Early:
    """The scan of what was accepted, begun while linking leaves a processor half idle; a run has one, or none.

    The lock is held from before `begin` until the release has its name, so nothing of ours changes what was looked at;
    what suppliers lay in the inbox meanwhile is no part of this run, and of the next one's scan.
    """

    def __init__(self) -> None:
        self.looked: tuple[Path, ...] = ()
        self._pool = ThreadPoolExecutor(1)
        self._scans: list[Future[dict[str, Any]]] = []

    def begin(self, settings: Settings) -> None:
        """Scan the store, then the inbox."""
        folders = (settings.store, settings.inbox)
        self.looked = tuple(one for one in folders if one.is_dir() and one.is_relative_to(settings.home))
        for one in self.looked:
            look = ("scan", "--folder", one, "--seen", settings.home, *_needles(settings))
            self._scans.append(self._pool.submit(rooms.pseudonymize, *look))

    def require_clean(self) -> None:
        """DisclosureRefused when a canary was found in what was looked at."""
        for one in self._scans:
            one.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def at_home(settings: Settings, out: Path, early: Early | None = None) -> dict[str, Any]:
    """Scan everything the TTP holds but the release folder `out`: some seconds, best begun before that is written."""
    looked = early.looked if early else ()
    skipped = [argument for one in (out, *looked) for argument in ("--skip", one)]
    seen = [argument for one in looked for argument in ("--seen", one)]
    found = rooms.pseudonymize("scan", "--folder", settings.home, *skipped, *seen, *_needles(settings))
    if early:
        early.require_clean()
    return found


def scan(settings: Settings, *, leaving: Path | None = None, more: tuple[object, ...] = ()) -> dict[str, Any]:
    """Scan the TTP's home, and `leaving` by the stricter rules, for this TTP's canaries. Errors as the scan's."""
    stricter = ("--leaving", leaving) if leaving else ()
    return rooms.pseudonymize("scan", "--folder", settings.home, *_needles(settings), *stricter, *more)


def _needles(settings: Settings) -> tuple[object, ...]:
    """Where the scan finds what canaries look like: it runs with the converter's keys."""
    keys = ("--store", settings.store, "--keys", settings.keys / "converter")
    return (*keys, "--recipients", settings.recipient)
