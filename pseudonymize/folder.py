"""A folder that appears under its name whole, or not at all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import ConfigError


def require_free(out: Path) -> None:
    """ConfigError output_exists unless there is nothing at `out`, or an empty folder."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError("output_exists")


@contextlib.contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A private folder to fill, which gets its name only when the block ends well. ConfigError output_exists."""
    require_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        yield part
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
