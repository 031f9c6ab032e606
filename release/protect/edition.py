"""The fully protected table, exact or rounded: joint suppression of all linked tables, audited as they lie on disk.

What `koppel release make` publishes; `koppel run` shows a demonstration (release/disclosure.py). Two editions of one
cube. `exact`: counts of 10 and up, with primary and joint secondary suppression. `rounded`: made from the exact edition
and never from the true counts, additive multiples of 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from release.protect import design, spec, told, yielding
from release.protect.evidence import Evidence
from release.protect.ledger import Ledger
from release.protect.period import Period
from release.protect.periods import Layout, periods
from release.protect.primary import Reason
from release.protect.rounding import Key, round_table
from release.protect.system import Flags
from schemas.errors import ConfigError, DisclosureRefused
from schemas.target_group import DOELGROEP, MATEN, TARGET_GROUP

THRESHOLD = 10
BASE = 5
HIDDEN = "\u00d7"
LEGEND = (
    "Getallen zijn exact. Een verborgen cel kan minder dan 10 zijn, maar ook meer: sommige cellen zijn verborgen omdat "
    "een andere cel er anders uit te berekenen is"
)
WORKERS = 2
EXACT, ROUNDED = "exact", "rounded"


@dataclass(frozen=True)
class Protected:
    """A table with the DOELGROEP schema: shown or hidden counts, and no place for a true one that is hidden."""

    table: pa.Table
    edition: str = EXACT
    threshold: int = THRESHOLD
    base: int = BASE

    def __post_init__(self) -> None:
        if not self.table.schema.equals(DOELGROEP.arrow_schema()):
            raise DisclosureRefused("release_schema")
        shown = pc.drop_null(self.table["aantal"].combine_chunks()).to_numpy(zero_copy_only=False)
        step = self.base if self.edition == ROUNDED else 1
        if ((shown < self.threshold) | (shown % step != 0)).any():
            raise DisclosureRefused("small_count_shown")

    @property
    def hidden(self) -> int:
        """Number of hidden cells."""
        return int(self.table["aantal"].null_count)


@dataclass(frozen=True)
class Outcome:
    """A protected table with what only the TTP may see: how it came about, and certificates for the audit.

    periods and points hold true values: they stay in memory, for the audit of the files.
    """

    protected: Protected
    log: dict[str, Any]
    layout: Layout
    periods: list[Period] = field(repr=False)
    points: list[design.Points] = field(repr=False)


def protect(target_group: pa.Table) -> Protected:
    """The exact edition for VNG. Input: TARGET_GROUP schema; DisclosureRefused otherwise."""
    return protect_all(target_group).protected


def protect_all(target_group: pa.Table, rules: spec.Spec | None = None, ledger: Ledger | None = None) -> Outcome:
    """Rules 0 to 7 of the design on every half-year, with what earlier releases showed as the attacker's knowledge."""
    if not target_group.schema.equals(TARGET_GROUP.arrow_schema()):
        raise DisclosureRefused("release_schema")
    rules = rules or spec.load()
    target_group = of_halves(target_group, rules)
    layout, made = periods(target_group, rules, rules.basis)
    if ledger is not None:
        made = ledger.apply(made, layout, rules)
    with ThreadPoolExecutor(WORKERS) as pool:  # the solver works outside the interpreter's lock
        designs = list(pool.map(design.protect, made))
    hidden = np.array([found.hidden for found in designs])
    protected = Protected(_table(target_group, layout, hidden), EXACT, rules.basis.threshold)
    return Outcome(protected, _log(made, designs, rules), layout, made, [found.points for found in designs])


def of_halves(target_group: pa.Table, rules: spec.Spec) -> pa.Table:
    """The half-years that the specification publishes. ConfigError bad_spec for one that was not linked."""
    if not rules.halves:
        return target_group
    if not set(rules.halves) <= set(target_group["halfjaar"].to_pylist()):
        raise ConfigError("bad_spec", faults=1)
    return target_group.filter(pc.is_in(target_group["halfjaar"], pa.array(rules.halves)))


def _table(target_group: pa.Table, layout: Layout, hidden: Flags) -> pa.Table:
    mask = hidden[layout.place]
    counts = pa.array(target_group["aantal"].to_numpy(), pa.int64(), mask=mask)
    return shown_table(target_group, counts)


def shown_table(source: pa.Table, counts: pa.Array) -> pa.Table:
    """The DOELGROEP table with these counts (null = hidden) on the rows of `source`."""
    text = [HIDDEN if n is None else str(n) for n in counts.to_pylist()]
    columns = {
        **{name: source[name] for name in ("niveau", "code", "naam", "halfjaar", "maat", "gmsd_geleverd")},
        "omschrijving": pa.array([MATEN[m] for m in source["maat"].to_pylist()], pa.string()),
        "aantal": counts,
        "weergave": pa.array(text, pa.string()),
    }
    return pa.table([columns[name] for name in DOELGROEP.names], schema=DOELGROEP.arrow_schema())


def _log(made: list[Period], designs: list[design.Design], rules: spec.Spec) -> dict[str, Any]:
    """Counts per reason, without values: goes into release.json."""
    many = len(rules.measures)
    reasons = np.array([period.judged.reason[:, :many] for period in made])
    hidden = np.array([found.hidden for found in designs])
    counted = {reason.name.lower(): int((reasons == reason).sum()) for reason in Reason if reason != Reason.SHOWN}
    counted["secondary"] = int((hidden & (reasons == Reason.SHOWN)).sum())
    return {
        "specification": rules.digest,
        "rules": rules.basis.model_dump(),
        "reasons": counted,
        "shown": int((~hidden).sum()),
        "hidden": int(hidden.sum()),
        "audit": sum((found.evidence for found in designs), Evidence()).told(),
    }


def audit_counts(outcome: Outcome, counts: pa.Array, estimates: pa.Table | None = None) -> int:
    """Unsafe cells if these counts (null = hidden, rows as in the protected table) were printed, beside the estimates.

    DisclosureRefused changed_count when a shown count is not the true one.
    """
    given = counts.to_numpy(zero_copy_only=False).astype(np.float64)
    cube = np.full((len(outcome.layout.halves), len(outcome.layout.areas), len(MATEN)), np.nan)
    cube[outcome.layout.place] = given
    hidden = np.isnan(cube)
    true = np.array([period.values[:, : cube.shape[2]] for period in outcome.periods])
    if (cube[~hidden] != true[~hidden]).any():
        raise DisclosureRefused("changed_count")
    periods_now = outcome.periods
    if estimates is not None:
        periods_now = told.known(estimates, outcome.layout, outcome.periods, list(hidden))
    jobs = zip(periods_now, hidden, outcome.points, strict=True)
    return sum(design.audit(period, pattern, points) for period, pattern, points in jobs)


def safe_estimates(outcome: Outcome, estimates: pa.Table) -> pa.Table:
    """Estimates (SCHATTINGEN) as they may leave beside the protected table: some coarser, some without numbers."""
    counts = outcome.protected.table["aantal"].to_numpy(zero_copy_only=False).astype(np.float64)
    cube = np.full((len(outcome.layout.halves), len(outcome.layout.areas), len(MATEN)), np.nan)
    cube[outcome.layout.place] = counts
    return yielding.without_leaks(estimates, outcome.layout, outcome.periods, list(np.isnan(cube)), outcome.points)


def open_edition(
    protected: Protected,
    rules: spec.Spec | None = None,
    audience: str = "vng",
    before: Mapping[Key, int] | None = None,
) -> Protected:
    """A rounded edition, from the exact one alone: who has both learns nothing more."""
    rules = rules or spec.load()
    given = rules.audiences[audience]
    counts = round_table(protected.table, rules, given, before)
    return Protected(shown_table(protected.table, counts), ROUNDED, given.threshold, given.base)


def editions(outcome: Outcome, rules: spec.Spec, ledger: Ledger | None = None) -> dict[str, Protected]:
    """The edition of every audience that gets files."""
    before = {} if ledger is None else ledger.rounded
    return {
        name: outcome.protected if given.edition == EXACT else open_edition(outcome.protected, rules, name, before)
        for name, given in rules.delivered.items()
    }
