"""docs/operator.md and docs/audit.md, followed to the letter: a site from its first release to the end of its keys.

`koppel` runs in this process; what it starts are the real processes. Only installing, in a mount namespace whose /etc
is a copy, needs root.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flows import governance, resume
from flows import settings as room
from flows.cli import app
from flows.settings import ENV, Settings, load
from pseudonymize import keys
from schemas.errors import KeyUnavailable
from tests import pages
from tests.flows.conftest import FIRST_RUN, Site

YEARS_LATER = governance.today() + dt.timedelta(days=4000)


@dataclass
class Walk:
    """A site, and what every line printed."""

    site: Site
    capture: pytest.CaptureFixture[str]
    said: list[tuple[str, int, str]] = field(default_factory=list)

    def follow(self, lines: list[str]) -> dict[str, int]:
        """Run the lines in the site's folder; what did not end with 0."""
        for line in lines:
            program, *arguments = shlex.split(line, comments=True)
            assert program == "koppel", line
            with pytest.raises(SystemExit) as end:
                app(arguments)
            self.said.append((line, int(end.value.code or 0), self.capture.readouterr().out))
        return {line: code for line, code, _ in self.said if code}

    def told(self, start: str) -> str:
        """What the last line that starts so printed."""
        return [out for line, _, out in self.said if line.startswith(start)][-1]


@pytest.fixture
def walk(
    finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Walk]:
    site = finished.copy(tmp_path / "demo")
    monkeypatch.chdir(site.folder)
    monkeypatch.setenv(ENV, str(site.config))
    yield Walk(site, capsys)
    room.give()


def test_from_the_first_release_to_a_restore(walk: Walk) -> None:
    """The first run is that of `finished`, made by the very line of the page; the one after a restore is made here."""
    settings = load(walk.site.config)
    before = resume.hashes(settings.out)
    lines = pages.lines("operator.md", "bash")
    assert lines.pop(2) == f"koppel {FIRST_RUN}"
    assert walk.follow(lines) == {}
    assert resume.hashes(settings.out) == before
    assert "nothing found" in walk.told("koppel scan")
    assert "next: nothing is due" in walk.told("koppel status")
    assert json.loads(walk.told("koppel access --json"))["sound"] is True
    assert json.loads(walk.told("koppel status --json"))["due"] is False
    assert (walk.site.folder / "status.html").read_text().startswith("<!doctype html>")
    assert (walk.site.folder / "koppel.prom").read_text().endswith("# EOF\n")


def test_the_audit_page_with_copies_of_what_somebody_holds(walk: Walk) -> None:
    settings, folder = load(walk.site.config), walk.site.folder
    for name in ("audit.jsonl", "audit.head"):
        shutil.copyfile(settings.state / name, folder / name)
    shutil.copytree(settings.keys / "public", folder / "public")
    shutil.copytree(settings.receipts, folder / "receipts")
    (folder / "certificates").mkdir()
    assert walk.follow(pages.lines("audit.md", "")) == {}
    assert "faults" in walk.told("koppel audit verify audit.jsonl")
    assert list(folder.glob("anchor-*.json"))


def test_the_end_of_a_project_leaves_certificates_and_no_key(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(walk.site.config)
    monkeypatch.setattr(governance, "today", lambda: YEARS_LATER)
    assert walk.follow(pages.lines("operator.md", "bash end")) == {}
    held = [*settings.store.glob("*/*"), *settings.inbox.glob("*/[0-9]*"), *settings.run.glob("*")]
    assert held == [] and not (settings.out / "onderzoek").exists()
    assert list((settings.home / "certificates").glob("certificate-*.json"))
    assert walk.told("koppel keys list").count("destroyed") == 2
    for owner, kind in (("converter", "link"), ("suppliers/justid", "pre")):
        assert list((settings.keys / owner / "certificates").glob("destroyed-*.json"))
        with pytest.raises(KeyUnavailable, match="key_destroyed"):
            keys.load(settings.keys / owner / f"{kind}.key", kind)


# Installing ----------------------------------------------------------------------------------------------------

# Everything real, on a layer over /etc and empty /srv and /opt that only this process sees.
INSTALL = """
set -eu
for place in etc srv opt; do mkdir -p "$WORK/$place/upper" "$WORK/$place/work" "$WORK/empty"; done
mount -t tmpfs tmpfs "$WORK/etc"; mkdir "$WORK/etc/upper" "$WORK/etc/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$WORK/etc/upper,workdir=$WORK/etc/work" overlay /etc
mount -t tmpfs tmpfs /srv; mount -t tmpfs tmpfs /opt
mkdir -p /opt/koppel/.venv/bin; cp -r "$PROJECT/deploy" /opt/koppel/
printf '#!/bin/sh\\n' > /opt/koppel/.venv/bin/koppel; chmod 755 /opt/koppel/.venv/bin/koppel
umask 077
export SYSTEMD_OFFLINE=1
"""
SHOW = """
stat -c '%n %a %U %G' /etc/koppel /etc/koppel/* /srv/koppel /srv/koppel/*
grep -c '^operator:[0-9a-f]\\{48\\}$' /etc/koppel/prefect-auth
cd /etc/systemd/system
ls multi-user.target.wants/koppel.service timers.target.wants/koppel-metrics.timer
systemd-analyze verify --man=no --recursive-errors=no koppel.service koppel-metrics.timer 2>&1 | grep koppel \\
  || echo sound
"""
NEEDED = ("unshare", "useradd", "systemctl", "systemd-analyze")


@pytest.mark.skipif(os.getuid() != 0 or not all(map(shutil.which, NEEDED)), reason="needs root, useradd and systemd")
def test_the_installation_makes_what_the_units_and_settings_expect(tmp_path: Path) -> None:
    script = "\n".join([INSTALL, *pages.lines("operator.md", "bash root"), SHOW])
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script],
        env={**os.environ, "WORK": str(tmp_path), "PROJECT": str(pages.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modes = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.count(" ") == 3}
    settings: Settings = load(pages.ROOT / "deploy" / "koppel.toml")
    for place in (settings.home, settings.keys, settings.inbox, settings.gateway):
        assert modes[str(place)] == ["700", "koppel", "koppel"]
    assert modes["/etc/koppel/prefect-auth"] == ["400", "root", "root"]
    assert modes["/etc/koppel/koppel.toml"] == ["640", "root", "koppel"]
    assert modes[str(settings.agreements)] == ["750", "root", "koppel"]
    assert modes["/srv/koppel/metrics"] == ["750", "koppel", "koppel"]
    *_, password, one, two, verdict = done.stdout.splitlines()
    assert (password, one[-14:], two[-20:], verdict) == ("1", "koppel.service", "koppel-metrics.timer", "sound")
    assert not Path("/etc/koppel").exists() and not Path("/srv/koppel").exists()
