"""`koppel plan show`: the linkage plan in words, for whoever must agree with it."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

plan_app = App(name="plan", help="The linkage plan: every window, order and choice of the linkage.")


@plan_app.command(name="show")
def show(
    *, as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False
) -> None:
    """Print the linkage plan in plain Dutch, with the hash that stands in the manifest of every run."""
    from linkage.plan import Plan  # noqa: PLC0415 - keeps `koppel check` fast

    plan = Plan()
    if as_json:
        sys.stdout.write(json.dumps(plan.as_dict()) + "\n")
        return
    out = Console(highlight=False, soft_wrap=True)
    for line in plan.in_words():
        out.print(f"- {line}", markup=False)
    out.print(f"sha256 {plan.digest()}")
