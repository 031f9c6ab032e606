"""The cells of one row: the measures that are printed and the left-overs that anyone can subtract.

Everything here is the same for every area: the columns of a row, the relations between them, and the primary rules
applied to each partition of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from release.protect import primary
from release.protect.primary import Reason, first_reason
from release.protect.spec import Partition, Rules, Spec
from release.protect.system import Flags, Floats, Ints
from schemas.errors import DisclosureRefused


@dataclass(frozen=True)
class Template:
    """Variables of a row (measures first, then implied ones) and its relations as (total, parts) of positions."""

    names: tuple[str, ...]
    measures: int
    relations: tuple[tuple[int, tuple[int, ...]], ...]

    @classmethod
    def of(cls, spec: Spec) -> Template:
        """The template of a specification."""
        names = (*spec.measures, *spec.implied)
        at = {name: place for place, name in enumerate(names)}
        made = tuple((at[p.total], tuple(at[part] for part in p.parts)) for p in spec.partitions)
        return cls(names, len(spec.measures), made)

    def fill(self, printed: Floats) -> Floats:
        """Rows x measures to rows x variables: what is left over is computed as an outsider would.

        DisclosureRefused tables_disagree when a left-over cannot be computed or two ways to it disagree.
        """
        values = np.full((len(printed), len(self.names)), np.nan)
        values[:, : self.measures] = printed
        for _ in range(len(self.names)):
            for total, parts in self.relations:
                known = ~np.isnan(values[:1]).ravel() if len(values) else np.ones(len(self.names), dtype=bool)
                unknown = [part for part in parts if not known[part]]
                if known[total] and len(unknown) == 1:
                    rest = [part for part in parts if part != unknown[0]]
                    values[:, unknown[0]] = values[:, total] - values[:, rest].sum(axis=1)
        if np.isnan(values).any() or self.broken(values):
            raise DisclosureRefused("tables_disagree")
        return values

    def broken(self, values: Floats) -> int:
        """Rows x relations that do not hold."""
        return sum(
            int((values[:, total] != values[:, list(parts)].sum(axis=1)).sum()) for total, parts in self.relations
        )


@dataclass(frozen=True)
class Judged:
    """Per row and variable: why it may not be derived (Reason), and whether that is a goal for the attack."""

    reason: Ints
    target: Flags


def judge(template: Template, spec: Spec, rules: Rules, values: Floats, special: Flags) -> Judged:
    """The primary rules in their order. `values`: rows x variables; `special`: rows that are no municipality or region.

    A cell below the threshold is hidden in any case; it is a goal unless it is a zero that says nothing of anybody:
    of a plain part, of an empty partition, or of an empty special row.
    """
    reason = np.zeros(values.shape, dtype=np.int64)
    at = {name: place for place, name in enumerate(template.names)}
    people = values[:, at[spec.population]]
    whole_row = primary.small_denominator(people, rules.threshold)[:, None] & np.ones(values.shape, dtype=bool)
    reason = first_reason(reason, whole_row, Reason.DENOMINATOR)
    reason = first_reason(reason, primary.small(values, rules.threshold), Reason.SMALL)
    plain = {name for partition in spec.partitions for name in partition.plain}
    for partition in spec.partitions:
        reason = _partition(reason, partition, rules, values, at)
    target = reason != Reason.SHOWN
    free = np.array([name in plain for name in template.names])
    target &= ~((values == 0) & (free | special[:, None]))
    return Judged(first_reason(reason, values == 0, Reason.ZERO), target)


def _partition(reason: Ints, partition: Partition, rules: Rules, values: Floats, at: dict[str, int]) -> Ints:
    """Zeros and group disclosure among the parts that are an attribute of persons."""
    columns = [at[name] for name in partition.parts if name not in partition.plain]
    if not partition.sensitive or len(columns) < 2:
        return reason
    parts = values[:, columns]
    inhabited = parts.sum(axis=1, keepdims=True) > 0
    zero, group = np.zeros(values.shape, dtype=bool), np.zeros(values.shape, dtype=bool)
    zero[:, columns] = primary.hidden_zero(parts, rules.threshold) & inhabited
    group[:, columns] = primary.group_disclosed(parts, rules.group_share)
    return first_reason(first_reason(reason, zero, Reason.ZERO), group, Reason.GROUP)
