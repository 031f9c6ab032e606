"""Countries of a simulation study, made once and kept: stopped at any moment, it goes on where it was.

`<kept>/countries-<scale>/<seed>/` is a linked country with its truth, `<kept>/scores-<scale>-<draws>/<seed>.npz` its
cells. Each says by which code it was made; what other code made is made anew.
"""

from __future__ import annotations

import ctypes
import json
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from flows.resume import code_hash
from tests.bench import cells, world

MAKERS, ESTIMATORS = ("synthetic", "linkage"), ("estimation",)
_OPEN, _PDEATHSIG = ExitStack(), 1


@dataclass(frozen=True)
class Study:
    """Where countries are kept, how large they are, with how many draws they are estimated.

    `as_linked`: take countries that stand there, whichever code linked them (work on the estimator alone).
    """

    kept: Path
    scale: float
    draws: int
    as_linked: bool = False

    def country(self, seed: int) -> Path:
        """Folder of a linked country."""
        return self.kept / f"countries-{self.scale:g}" / str(seed)

    def scores(self, seed: int) -> Path:
        """File of its cells."""
        return self.kept / f"scores-{self.scale:g}-{self.draws}" / f"{seed}.npz"

    def run(self, seed: int) -> float:
        """Make and score one country, as far as it is not there; seconds it took."""
        began = time.monotonic()
        if not self.linked(seed):
            world.make(self.country(seed), self.scale, seed, {"code": code_hash(MAKERS)})
        if not self.scored(seed):
            self.scores(seed).parent.mkdir(parents=True, exist_ok=True)
            part = self.scores(seed).with_suffix(".part.npz")
            np.savez_compressed(part, code=np.array(self._code(seed)), **world.score(self.country(seed), self.draws))  # type: ignore[arg-type]
            part.rename(self.scores(seed))
        return time.monotonic() - began

    def linked(self, seed: int) -> bool:
        """Whether the country stands there as this code would make it."""
        path = self.country(seed) / "about.json"
        return path.is_file() and (self.as_linked or self._made_by(seed) == code_hash(MAKERS))

    def scored(self, seed: int) -> bool:
        """Whether its cells are those of this code."""
        if not self.linked(seed) or not self.scores(seed).is_file():
            return False
        with np.load(self.scores(seed)) as file:
            return str(file["code"]) == self._code(seed)

    def read(self, seeds: Sequence[int]) -> dict[str, np.ndarray]:
        """The cells of all countries; `country` numbers them."""
        files = [dict(np.load(self.scores(seed))) for seed in seeds]
        names = [name for name in files[0] if name not in {"code", "seconds", "made"}]
        found = {name: np.concatenate([file[name] for file in files]) for name in names}
        for kind in ("", "ahead_"):
            lengths = [len(file[f"{kind}true"]) for file in files]
            found[f"{kind}country"] = np.repeat(np.arange(len(files)), lengths)
        for name in ("seconds", "made"):
            found[name] = np.array([float(file[name]) for file in files])
        return found

    def _made_by(self, seed: int) -> str:
        return str(json.loads((self.country(seed) / "about.json").read_text(encoding="utf-8")).get("code"))

    def _code(self, seed: int) -> str:
        cells_code = Path(cells.__file__).read_bytes()
        return f"{self._made_by(seed)} {code_hash(ESTIMATORS)} {len(cells_code)} {sum(cells_code)}"


def run(study: Study, seeds: Sequence[int], jobs: int, say: Callable[[str], None]) -> None:
    """Make and score what is missing, `jobs` at a time; a line per finished country, with the time that is left."""
    waiting = [seed for seed in seeds if not study.scored(seed)]
    say(f"{len(seeds) - len(waiting)} of {len(seeds)} countries stand in {study.kept}")
    began = time.monotonic()
    with ProcessPoolExecutor(jobs, initializer=_start) as pool:
        futures = {pool.submit(study.run, seed): seed for seed in waiting}
        for number, future in enumerate(as_completed(futures), start=1):
            took, past = future.result(), time.monotonic() - began
            left = past / number * (len(waiting) - number) / 60
            say(f"country {number}/{len(waiting)} (seed {futures[future]}) {took:5.0f} s, {left:5.1f} min left")


def _start() -> None:
    """In each worker: one BLAS thread, and an end when the study is ended."""
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)
    _OPEN.enter_context(threadpool_limits(1, "blas"))
