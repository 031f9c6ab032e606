"""The guard: whatever a step raises leaves it as a data-free error (prefect.md, "What Prefect keeps")."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from schemas.errors import Internal, KoppelError
from schemas.machine import refusal

P = ParamSpec("P")
T = TypeVar("T")


def guarded(step: Callable[P, T]) -> Callable[P, T]:
    """Let KoppelError through; turn any other exception into MachineError or Internal(step, kind, incident), chain cut.

    The original's text and traceback are dropped on purpose: DuckDB, Arrow and pandas quote cell values.
    """

    @functools.wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return step(*args, **kwargs)
        except KoppelError as error:
            found: KoppelError = error
        except Exception as error:  # noqa: BLE001 - this is the one place that must catch everything
            name = getattr(step, "__name__", "koppel")
            found = refusal(error, name) or Internal(
                "internal", step=name, kind=type(error).__name__, incident=secrets.token_hex(3)
            )
        found.__cause__ = found.__context__ = None
        raise found from None

    return run
