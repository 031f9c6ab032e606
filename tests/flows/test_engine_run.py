"""`koppel run --engine sail` on the small country: the same linked tables, and the step is really done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import resume, settings, work
from schemas.errors import ConfigError
from tests.flows.conftest import Site


@pytest.fixture(autouse=True)
def _file_again() -> object:
    yield
    settings.give()


def test_linked_by_sail_is_linked_by_duckdb(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    before = resume.hashes(settings.load(site.config).run / "linked")
    settings.give(engine="sail")
    done = work.link(settings.load(site.config))
    assert not done.skipped
    assert resume.hashes(settings.load(site.config).run / "linked") == before
    assert work.link(settings.load(site.config)).skipped
    assert not (settings.load(site.config).run / "scratch").exists()


def test_the_command_line_goes_before_the_file(finished: Site) -> None:
    assert settings.load(finished.config).engine == "duckdb"
    settings.give(engine="spark", engine_url=None)
    assert settings.load(finished.config).engine == "spark"
    settings.give()
    assert settings.load(finished.config).engine == "duckdb"


def test_a_cluster_without_a_shared_folder_stops_before_a_row_is_read(finished: Site, tmp_path: Path) -> None:
    site = finished.copy(tmp_path / "demo")
    settings.give(engine="sail", engine_url="sc://cluster:15002")
    with pytest.raises(ConfigError, match="engine_folder"):
        work.link(settings.load(site.config))
