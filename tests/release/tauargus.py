"""tau-ARGUS (pytauargus) on a system of ours: its audit's intervals, and the cheapest pattern that its OPT finds.

Both take the JJ format, in which a table is what it is here: cells, and relations that sum to nothing. Apart from the
solver library, which both bundle for themselves, nothing is shared. The audit knows fractions, so its intervals are
those of LPs. Costs must be whole numbers: on others its OPT does not end. Format: the manual of tau-ARGUS, JJ files.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pytauargus import HiTaSCtrl
from pytauargus._tauargus import audit_jj

from release.protect.system import Flags, Floats, System

CEILING = 1_000  # above any cell of these tables, moved by what any protection asks


@dataclass(frozen=True)
class Table:
    """A system with true values; `folder` for the files."""

    folder: Path
    system: System
    values: Floats

    def intervals(self, hidden: Flags) -> tuple[Floats, Floats]:
        """Least and most of every cell when these are hidden; what is shown is what it is."""
        low, high = self.values.copy(), self.values.copy()
        none = np.zeros(len(self.values))
        for row in audit_jj(str(self._jj(hidden, self.values, (none, none)))):
            low[row["cell"]], high[row["cell"]] = row["min"], row["max"]
        return low, high

    def optimum(self, primary: Flags, cost: Floats, need: tuple[Floats, Floats]) -> Flags:
        """The cheapest pattern in which every primary cell can be `need` lower and higher, in fractions."""
        source, target = self._jj(primary, cost, need), self.folder / "pattern"
        if (code := HiTaSCtrl().full_jj(in_file_jj=str(source), out_file=str(target), max_time=5)) != 0:
            raise AssertionError(f"tau-ARGUS found no optimum: {code}")
        extra = [int(line) for line in target.read_text(encoding="ascii").split()]
        return np.asarray(primary | np.isin(np.arange(self.system.cells), extra))

    def _jj(self, primary: Flags, cost: Floats, need: tuple[Floats, Floats]) -> Path:
        lines = ["0", str(self.system.cells)]
        for cell, value in enumerate(self.values):
            asked = (need[0][cell], need[1][cell], 0)
            told = (value, max(int(cost[cell]), 1), "u" if primary[cell] else "s", 0, CEILING, *asked)
            lines.append(" ".join(str(one) for one in (cell, *told)))
        matrix = self.system.matrix
        lines.append(str(matrix.shape[0]))
        for start, stop in itertools.pairwise(matrix.indptr):
            terms = [
                f"{c} ({int(v)})" for c, v in zip(matrix.indices[start:stop], matrix.data[start:stop], strict=True)
            ]
            lines.append(f"0 {len(terms)} : {' '.join(terms)}")
        path = self.folder / "table.jj"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return path
