"""`make bench-engines`: the linked tables by Spark on Java, in local mode, against DuckDB: one hash over the sorted rows.

Runs in an environment of its own, since the whole of pyspark and the light client are one package. Exit code 1 when a
hash differs; CPU is not compared, for Java's start is most of it at this size.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from rich.console import Console

from linkage.engines.session import Engine
from linkage.link import link
from linkage.plan import Plan
from tests.linkage.build import hash_of, write_deliveries
from tests.linkage.countries import Country, countries

EXAMPLES = 3
console = Console(highlight=False)
differing: list[int] = []


@seed(20261)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(countries())
def compare(country: Country) -> None:
    """One random country by both."""
    with tempfile.TemporaryDirectory() as folder:
        home, hashes, made = Path(folder), [], []
        for key, rows in country.rows.items():
            covered, status = (
                (country.coverage, country.status[int(key[1])]) if key[0] == "gmsd" else (None, "definitief")
            )
            made += write_deliveries(home / "in", {key: rows}, covered, status=status)
        for name, engine in (("duckdb", None), ("spark", Engine("spark"))):
            (home / name).mkdir()
            began = time.monotonic()
            link(made, home / name, plan=Plan(), work=home / "work", engine=engine)
            hashes.append(hash_of(home / name))
            console.print(
                f"{name:<8}{sum(map(len, country.rows.values())):>5} rows {time.monotonic() - began:>8.1f} s  {hashes[-1][:16]}"
            )
        differing.extend([1] if len(set(hashes)) > 1 else [])


if __name__ == "__main__":
    compare()
    console.print("the same" if not differing else f"{len(differing)} countries differ")
    sys.exit(bool(differing))
