"""What is unseen, each correction with its own uncertainty. Every function returns draws (R first).

(a) linkage misses and false links, (b) half-years that a municipality did not deliver, (c) title ends that nobody
wrote down or that are provisional, (d) follow-up that ends before the window, (e) contract rounds. Persons of whom
only the district is known are not here: they enter as a sum (estimation/ends.py).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from estimation.arrays import Bools, Floats, Ints, Rng
from estimation.tables import NEVER, NONE, Linked, Units, half_index
from schemas.errors import ConfigError

KINDS = ("gevoeligheid", "precisie", "voorlopig", "keten", "plaats")
# Without a sample: between 0 and 1 of the use of linkable persons is had by those who cannot be linked; 1 percent of
# links is wrong, of title ends in no chain, of persons placed wrongly; nine in ten provisional ends hold. Weak on
# purpose: a sample of a few hundred replaces them all.
ONE_PERCENT, PROVISIONAL_PRIOR = (99.0, 1.0), (45.0, 5.0)


@dataclass(frozen=True)
class Sample:
    """A clerical review (or planted truth): per kind how many were examined and how many were right.

    gevoeligheid: persons with Wmo after a title end (from dossiers), right = the run saw it; precisie: links of the
    run, right = same person; voorlopig: provisional ends, right = the end held in that half-year; keten: title ends
    (from dossiers, whatever followed), right = the run has a chain with realised care for it, its end known or not;
    plaats: persons counted by the run, right = in the municipality where they lived.
    """

    examined: dict[str, int] = field(default_factory=dict)
    right: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Sample:
        """From a CSV with columns soort, onderzocht, goed. ConfigError bad_clerical when it is not like that."""
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [(row["soort"], int(row["onderzocht"]), int(row["goed"])) for row in csv.DictReader(file)]
        except (OSError, KeyError, ValueError, TypeError):
            raise ConfigError("bad_clerical", reason="unreadable") from None
        if any(kind not in KINDS or not 0 <= good <= seen for kind, seen, good in rows):
            raise ConfigError("bad_clerical", reason="values")
        return cls({kind: seen for kind, seen, _ in rows}, {kind: good for kind, _, good in rows})

    def posterior(self, kind: str, prior: tuple[float, float]) -> tuple[float, float]:
        """Beta parameters: Jeffreys plus the sample where there is one, else the stated prior."""
        if self.examined.get(kind, 0) == 0:
            return prior
        return self.right[kind] + 0.5, self.examined[kind] - self.right[kind] + 0.5


def sensitivity(rng: Rng, units: Units, sample: Sample, count: int) -> Floats:
    """Chance that true use is linked (R).

    With a sample its Beta posterior. Without: persons none of whose registers gives a number that Wmo data use cannot
    be linked; they use w times as much as others, w uniform on [0, 1] (some have no number, and so no Wmo either).
    """
    if sample.examined.get("gevoeligheid", 0):
        return rng.beta(*sample.posterior("gevoeligheid", (1.0, 1.0)), size=count)
    linkable = max(float(units.has_bsn.sum()), 1.0)
    return linkable / (linkable + rng.random(count) * float((~units.has_bsn).sum()))


def known_ends(rng: Rng, linked: Linked, sample: Sample, count: int) -> tuple[Floats, Ints]:
    """(share of title ends that are known R x T, number that are not R x T): unknown, hidden and unregistered ones.

    Unknown ends are found by the end of care, less those of who died or was deported before them, who are no leavers
    (the share that known ends have); an unknown end hides the earlier ones of who came back (`_hidden`); and some ends
    stand in no chain with realised care at all: a share of all ends, from the sample (`keten`).
    """
    gone, stand = linked.departed
    missing = rng.binomial(_unknown(rng, linked, count), rng.beta(stand + 0.5, gone + 0.5, size=(count, 1)))
    counted = np.bincount(linked.units.half, minlength=len(linked.halves)).astype(np.float64)
    missing += _hidden(rng, linked, missing, counted)
    missing += _inside_again(rng, linked, missing, counted)
    registered = rng.beta(*sample.posterior("keten", ONE_PERCENT), size=count)[:, None]
    missing += rng.negative_binomial(counted + missing + 0.5, registered)
    return (counted + 0.5) / (counted + 0.5 + missing), missing


def _unknown(rng: Rng, linked: Linked, count: int) -> Ints:
    """Title ends of chains without a known end (R x T), from how care ends.

    A title without a known end has ended when the care has: about then, as with known ends. Care is not always
    closed in the register either; the chance that it is, is learned from chains whose end is known. So per half-year
    missing ends = closed care of chains without an end / that chance, negative binomial given beta draws of it.
    Learned from the last chain of a person alone: the care of who came back ends with the later one, as it does in a
    chain without an end, which holds all that came after.
    """
    halves, start = len(linked.halves), half_index(linked.halves[0])
    title, care = linked.chain_end - start, linked.chain_care - start
    open_, closed = linked.chain_end < 0, (linked.chain_care >= 0) & (care < halves)
    known = ~open_ & (linked.chain_after == NONE)
    inside = known & (title >= 0) & (title < halves)
    # Half-year of care end, from the one before the period on -> of title end; the last column is outside the period.
    spread = np.full((halves + 1, halves + 1), 1e-3)
    np.fill_diagonal(spread[1:], 1.0)
    spread[0, -1] = 1.0
    ended, both = (which & closed & (care >= -1) for which in (open_, known))
    np.add.at(spread, (care[both] + 1, np.where(inside[both], title[both], halves)), 1.0)
    found = np.bincount(care[ended] + 1, minlength=halves + 1)
    missing = np.zeros((count, halves), np.int64)
    for half in np.nonzero(found)[0]:
        missing += rng.multinomial(int(found[half]), rng.dirichlet(spread[half], size=count))[:, :halves]
    shut = np.bincount(title[inside & closed], minlength=halves).astype(np.float64)
    ends = np.bincount(title[inside], minlength=halves).astype(np.float64)
    chance = rng.beta(shut + 1.0, ends - shut + 0.5, size=(count, halves))
    missing += rng.negative_binomial(missing + 0.5, np.clip(chance, 0.02, 1.0))
    return missing


def _hidden(rng: Rng, linked: Linked, missing: Ints, counted: Floats) -> Ints:
    """Earlier title ends that lie within a chain without an end (R x T): it swallows all that came after them.

    Of known ends a share has another known end of the same person `lag` half-years before; since the earlier one
    must be known to be seen apart, the true share is that over the share of ends that are known.
    """
    halves, start = len(linked.halves), half_index(linked.halves[0])
    end, before = linked.chain_end - start, linked.chain_before - start
    inside = (linked.chain_end >= 0) & (end >= 0) & (end < halves) & (linked.chain_after == NONE)
    pair = inside & (linked.chain_before >= 0) & (before >= 0)
    ends = np.bincount(end[inside], minlength=halves)
    known = counted.sum() / np.maximum(counted.sum() + missing.sum(axis=1), 1.0)
    hidden = np.zeros_like(missing)
    for lag in range(1, halves):
        pairs = int((end[pair] - before[pair] == lag).sum())
        share = rng.gamma(pairs + 1 / halves, size=len(missing)) / max(int(ends[lag:].sum()), 1) / known
        hidden[:, :-lag] += rng.poisson(missing[:, lag:] * share[:, None])
    return hidden


def _inside_again(rng: Rng, linked: Linked, missing: Ints, counted: Floats) -> Ints:
    """Unknown ends of who is in forensic care again at the end of the period (R x T): their one chain has not ended.

    As many per missing end as there are per known end: followed by a chain without an end in the period, care open.
    """
    halves, start = len(linked.halves), half_index(linked.halves[0])
    end, after, care = (part - start for part in (linked.chain_end, linked.chain_after, linked.chain_care))
    again = (linked.chain_after == -1) | (after >= halves)
    again &= (linked.chain_end >= 0) & (end >= 0) & (end < halves) & ((linked.chain_care < 0) | (care >= halves))
    share = rng.gamma(np.bincount(end[again], minlength=halves) + 1 / halves, size=missing.shape)
    return rng.poisson(missing * share / np.maximum(counted, 1.0)).astype(np.int64)


def provisional(rng: Rng, units: Units, halves: int, sample: Sample, count: int) -> Floats:
    """Factor on each half-year's title ends (R x T): provisional ends that do not hold move to the next half-year."""
    holds = rng.beta(*sample.posterior("voorlopig", PROVISIONAL_PRIOR), size=count)[:, None]
    known = np.bincount(units.half, minlength=halves).astype(np.float64)
    loose = np.bincount(units.half[units.provisional], minlength=halves).astype(np.float64)
    moved = loose * (1 - holds)
    arrives = np.concatenate([np.zeros((count, 1)), moved[:, :-1]], axis=1)
    return np.asarray((known - moved + arrives + 0.5) / (known + 0.5), np.float64)


def followed(rng: Rng, linked: Linked, use: Bools, days: int, count: int) -> Floats:
    """Share of the use within the window that follow-up can have shown (R x T): 1 where it is complete.

    Start days after the title end of persons who can be followed throughout, laid over the days of each half-year.
    """
    units, end = linked.units, linked.coverage_end
    full = use & (units.day + days <= end) & (units.offset < NEVER)
    offsets = np.sort(units.offset[full])
    shares = np.ones((count, len(linked.halves)))
    for half in range(len(linked.halves)):
        rest = end - units.day[units.half == half]
        if len(offsets) == 0 or len(rest) == 0 or rest.min() >= days:
            continue
        share = float(np.searchsorted(offsets, rest, side="right").mean() / len(offsets))
        shares[:, half] = rng.beta(share * len(offsets) + 0.5, (1 - share) * len(offsets) + 0.5, size=count)
    return shares


def delivery_class(linked: Linked, days: int) -> Ints:
    """What the Wmo data of a municipality show of a half-year (M x T): 2 all of the window, 1 a part, 0 nothing.

    The window of a title end reaches into the next half-year when it is longer than 90 days, or one day when shorter;
    the last half-year has no next one, which `followed` corrects. It begins 90 days before, so it reaches into the
    half-year before as well, and what was not delivered then but runs on may be missing (decision 130).
    """
    now = linked.delivered.astype(np.int64)
    after = np.concatenate([now[:, 1:], now[:, -1:]], axis=1)
    later = np.concatenate([now[:, 2:], now[:, -1:], now[:, -1:]], axis=1) if now.shape[1] > 1 else after
    before = np.concatenate([now[:, :1], now[:, :-1]], axis=1)
    seen = now + after + (later if days > 184 else after)
    return np.where((seen == 3) & (before > 0), 2, np.where(seen > 0, 1, 0))


def artefact(linked: Linked) -> Bools:
    """Cells whose starts may be a contract round booked as inflow (M x T): the half-year or the next is suspicious."""
    after = np.concatenate([linked.suspicious[:, 1:], np.zeros((len(linked.places), 1), np.bool_)], axis=1)
    return np.asarray(linked.suspicious | after, np.bool_)
