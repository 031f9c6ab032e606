"""A state that knows its version: brought up when older, refused when newer."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows import lock, resume, status, upgrade
from flows.settings import Settings, load
from schemas.errors import ConfigError
from tests.flows.conftest import Site


@pytest.fixture
def settings(finished: Site, tmp_path: Path) -> Settings:
    """A finished site that may be spoiled."""
    return load(finished.copy(tmp_path / "demo").config)


# The version of the state --------------------------------------------------------------------------------------


def test_a_state_from_before_versions_is_brought_up_once(settings: Settings) -> None:
    (settings.state / "version.json").unlink()
    shutil.rmtree(settings.state / "history")
    assert upgrade.version(settings) == 0
    with lock.held(settings):
        pass
    assert upgrade.version(settings) == upgrade.VERSION == 1
    later = settings.model_copy(update={"period": "2019H1-2024H1"})
    assert status.last_period(later)["ifzo"]["rows"] > 0
    assert upgrade.bring_up(settings) == 0


def test_a_new_state_starts_at_this_version(finished: Site, tmp_path: Path) -> None:
    settings = load(finished.config).model_copy(update={"home": tmp_path})
    with lock.held(settings):
        pass
    assert upgrade.version(settings) == upgrade.VERSION


def test_threads_that_begin_together_bring_a_state_up_once(
    finished: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two registers taken in side by side both take the lock first: they may not write the version at one time."""
    settings = load(finished.config).model_copy(update={"home": tmp_path})
    begun: list[int] = []

    def slow(_: Settings) -> int:
        begun.append(1)
        time.sleep(0.05)
        return 0

    monkeypatch.setattr(upgrade, "bring_up", slow)
    all_in = threading.Barrier(4)

    def work() -> None:
        with lock.held(settings):
            all_in.wait(10)

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(work) for _ in range(4)]:
            one.result()
    assert len(begun) == 1


def test_a_state_that_cannot_be_brought_up_leaves_no_lock(settings: Settings) -> None:
    (settings.state / "version.json").write_text("{")
    with pytest.raises(ConfigError, match="bad_state"), lock.held(settings):
        raise AssertionError
    (settings.state / "version.json").unlink()
    with lock.held(settings):
        assert upgrade.version(settings) == 1


def test_a_newer_state_is_refused_and_not_touched(settings: Settings) -> None:
    path = settings.state / "version.json"
    path.write_text('{"version": 99}')
    before = resume.hashes(settings.home)
    with pytest.raises(ConfigError, match=r"state_newer \(found=99, expected=1"), lock.held(settings):
        raise AssertionError
    now = resume.hashes(settings.home)
    assert {name for name in now if now[name] != before.get(name)} <= {"state/lock"}


@pytest.mark.parametrize("text", ["{", "[]", '{"version": "x"}', '{"version": -1}'])
def test_a_damaged_version_is_told(settings: Settings, text: str) -> None:
    (settings.state / "version.json").write_text(text)
    with pytest.raises(ConfigError, match="bad_state"):
        upgrade.version(settings)
