"""`make fuzz`: the parsers of tests/fuzz/test_parsers.py under a fuzzer that follows coverage (Atheris, libFuzzer).

`python -m tests.fuzz.guided csv --seconds 60`: begins with the seed and the kept corpus, and stops at the first input
that breaks the property, which it leaves in the folder `--found`. Keep such an input as tests/corpus/<parser>-<what>:
every `make test` judges it from then on. Not part of `make test`: it ends when time does.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

atheris = importlib.import_module("atheris")  # of the dependency group `fuzz`; it has no types
with atheris.instrument_imports(include=["schemas", "pseudonymize", "flows"]):
    from tests.fuzz import test_parsers

LARGEST = 1 << 16  # bytes of an input


def main() -> None:
    """Fuzz one parser for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parser", choices=sorted(test_parsers.PARSERS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"))
    given = parser.parse_args()
    given.found.mkdir(exist_ok=True)
    seed, parse = test_parsers.PARSERS[given.parser]
    with tempfile.TemporaryDirectory(prefix="koppel-fuzz-") as name:
        work, corpus = Path(name, "work"), Path(name, "corpus")
        work.mkdir()
        corpus.mkdir()
        (corpus / "seed").write_bytes(seed())
        for kept in test_parsers.CORPUS.glob(f"{given.parser}-*"):
            (corpus / kept.name).write_bytes(kept.read_bytes())
        options = [f"-max_total_time={given.seconds}", f"-max_len={LARGEST}", "-timeout=20", "-rss_limit_mb=1500"]
        options += [f"-artifact_prefix={given.found}/{given.parser}-", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: test_parsers.judged(parse, data, work))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
