"""What `make bench-incremental` reads of a run: the CPU of every kind of step, also in the processes it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench import incremental
from tests.bench.incremental import FIRST, Round

RUN = """
import json, subprocess, sys, time

def tell(**told):
    print(json.dumps(told), file=sys.stderr, flush=True)
    time.sleep(0.5)  # until it is read: the step after this one takes longer in a real run

def burn(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass

burn(0.3)
tell(progress="intake gmsd 1", step="intake", rows=5)
tell(step="intake gmsd 1", seconds=9.0, rows=7)
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.5: pass"])
tell(step="link", seconds=9.0)
print("a line that is no step", file=sys.stderr)
"""


def test_cpu_of_a_step_is_what_the_run_and_its_processes_took_until_it_was_told() -> None:
    with subprocess.Popen([sys.executable, "-c", RUN], text=True, stderr=subprocess.PIPE) as run:
        found = list(incremental._told(run))
    assert [told["step"] for told, _ in found] == ["intake gmsd 1", "link"]
    assert found[0][1] >= 0.25 and found[1][1] >= 0.45  # proc(5) counts in ticks of a hundredth


def test_the_page_gives_shares_of_everything_and_what_adding_took_of_it() -> None:
    steps = {FIRST: 40.0, "export": 20.0, "upkeep": 0.0}
    whole = Round(80, 90, steps, 5, 1000)
    added = Round(60, 70, {**steps, FIRST: 10.0}, 1, 100)
    runs = {"before the half-year": added, "the half-year added": added, "everything from nothing": whole}
    text = incremental.page(runs, 1.0, same=True)
    assert "| taking in and linking | 10.0 | 10.0 | 40.0 | 0.50 | 0.25 |" in text
    assert "| upkeep | 0.0 | 0.0 | 0.0 | 0.00 |  |" in text
    assert "took 0.25 of the CPU of taking in and linking everything" in text


@pytest.mark.parametrize(("same", "told"), [(True, "**the same bytes**"), (False, "**NOT the same bytes**")])
def test_the_page_says_whether_bytes_are_the_same(same: bool, told: str) -> None:
    one = Round(1, 1, {FIRST: 1.0}, 1, 1)
    names = ("before the half-year", "the half-year added", "everything from nothing")
    assert told in incremental.page(dict.fromkeys(names, one), 1.0, same=same)
