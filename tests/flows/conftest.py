"""One small synthetic country for all tests of the whole pipeline: made once, delivered once, run in copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows import demo
from flows.settings import ENV, load

SCALE, SEED = 0.01, 7
FIRST_RUN = "run --direct"  # as docs/operator.md writes it
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """A demo folder: land/, keys/, agreements/, ttp/ and koppel.toml."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "koppel.toml"

    @property
    def ttp(self) -> Path:
        return self.folder / "ttp"

    def copy(self, target: Path, port: int = 4299) -> Site:
        """The same deliveries for another run."""
        shutil.copytree(self.folder, target)
        text = (target / "koppel.toml").read_text(encoding="utf-8")
        (target / "koppel.toml").write_text(text.replace("4299", str(port)), encoding="utf-8")
        return Site(target)

    def koppel(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command as a user types it."""
        command = [str(Path(sys.executable).parent / "koppel"), *arguments]
        environment = {**os.environ, ENV: str(self.config)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=self.folder)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """A script in a process of its own, with this site's settings."""
        environment = {**os.environ, ENV: str(self.config)}
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=self.folder
        )


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Suppliers have delivered (3RO raw, at the gateway); the TTP has done nothing yet."""
    folder = tmp_path_factory.mktemp("site") / "demo"
    settings = demo.prepare(folder, port=4299)
    with (folder / "koppel.toml").open("a", encoding="utf-8") as file:
        file.write("draws = 100\n")  # the fewest: these tests are about the pipeline, not about intervals
    demo.make_country(folder, scale=SCALE, seed=SEED)
    demo.suppliers_deliver(settings, folder)
    return Site(folder)


@pytest.fixture(scope="session")
def finished(delivered: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The same, after `koppel run --direct`."""
    site = delivered.copy(tmp_path_factory.mktemp("direct") / "demo")
    done = site.koppel(*FIRST_RUN.split(), "--json")
    assert done.returncode == 0, done.stderr
    assert load(site.config).out.is_dir()
    return site
