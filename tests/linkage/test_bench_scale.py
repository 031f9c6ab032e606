"""What `make bench-scale` says of what it measured: growth, what is judged, and peers that needed more memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench import scale, scale_page, scale_steps

SMALL, MIDDLE, LARGE = 1_125_000, 4_500_000, 18_000_000


def measured(cpu: float, **statements: float) -> dict[str, dict[str, Any]]:
    """Every step takes `cpu`, and the linkage these statements."""
    one = {"cpu": cpu, "wall": cpu, "rss": 1e6, "spill": 0, "answer": [1]}
    found: dict[str, dict[str, Any]] = {step: dict(one) for step in scale_steps.MEASURED}
    return {**found, "linked": {**one, "answer": statements}, "files": {"wmo": 0.7, "wmo32": 1.0}}


def t5(found: dict[int, dict[str, Any]], of: str = "statement") -> scale_page.Line:
    return next(line for line in scale_page.targets(found) if line[0] == "T5" and of in line[1])


def test_every_factor_between_fourfold_sizes_is_judged() -> None:
    """The largest decides, wherever it is; sizes that are no fourfold of another have no factor."""
    found = {SMALL: measured(1, joins=1), MIDDLE: measured(4, joins=5.3), LARGE: measured(16, joins=20)}
    assert t5(found)[2:] == ("1 above it; most 5.3, linked: joins", False)
    found[MIDDLE] = measured(4, joins=5.2)
    found[1_800_000] = measured(99, joins=99)
    assert t5(found)[2:] == ("0 above it; most 5.2, linked: joins", True)


def test_a_factor_is_judged_by_what_the_larger_takes_however_little_the_smaller_did() -> None:
    """Steps below 0.2 CPU seconds are the start of a query: their factor is told in brackets."""
    found = {SMALL: measured(1, starts=0.01, grows=0.01), MIDDLE: measured(4, starts=0.19, grows=0.2)}
    assert t5(found)[2:] == ("1 above it; most 20.0, linked: grows", False)
    text = scale_page.page(found)
    assert "| linked: grows | 0.01 | 0.20 | **20.0** | NOT HELD |" in text
    assert "linked: starts" not in text


def test_parts_of_the_linkage_are_judged_by_themselves() -> None:
    """What statements of one part take is added up: one may grow more where the others grow less."""
    found = {SMALL: measured(1, titles=1, events=3), MIDDLE: measured(4, titles=6, events=12)}
    assert t5(found)[2:] == ("1 above it; most 6.0, linked: titles", False)
    assert t5(found, "part of")[2:] == ("0 above it; most 4.5, linked, trajectories and events", True)
    found[MIDDLE] = measured(4, titles=6, events=16)
    assert t5(found, "part of")[3] is False


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(("list_keys", "persons"), ("components", "persons"), ("stage_gmsd", "staging"), ("titles", "trajectories")),
        *(("strata_counts", "counts"), ("inflow_starts", "indicators"), ("write persons", "tables written")),
    ],
)
def test_every_statement_is_of_a_part(name: str, part: str) -> None:
    assert scale_steps.part_of(name).startswith(part)


def test_of_rounds_each_statement_has_its_least() -> None:
    """Another process on the machine only adds, and seldom to one statement in every round."""
    rounds = [
        {"cpu": 3.0, "rss": 1, "answer": {"a": 1.0, "b": 2.0}},
        {"cpu": 2.5, "rss": 2, "answer": {"a": 1.5, "b": 1.0}},
    ]
    assert scale_page.least(rounds) == {"cpu": 2.5, "rss": 2, "answer": {"a": 1.0, "b": 1.0}}
    assert scale_page.least([{"cpu": 2, "answer": [5]}, {"cpu": 1, "answer": [5]}])["cpu"] == 1


@pytest.mark.parametrize(("enough", "told"), [("1GB", None), ("4GB", "4GB"), ("8GB", "8GB")])
def test_a_peer_that_runs_out_of_memory_gets_more_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: str, told: str | None
) -> None:
    limits = {"splink_pairs": "1GB", "splink_pairs_4GB": "4GB", "splink_pairs_8GB": "8GB"}

    def run(step: str, *_: object) -> dict[str, Any]:
        if int(limits[step][0]) < int(enough[0]):
            return {"failed": "Out of Memory Error: could not allocate"}
        return {"cpu": 30.0, "rss": 1e6, "answer": [1]}

    monkeypatch.setattr(scale, "measured", run)
    peer = scale.beside("splink_pairs", tmp_path, 1)
    assert peer.get("memory") == told
    text = scale_page.page({LARGE: {**measured(3), "splink_pairs": peer}})
    assert ("| 10.0 (given" if told else "| 10.0 |") in text and (
        told is None or f"given {told}; out of memory in 1GB" in text
    )


def test_a_peer_that_fails_otherwise_gets_no_second_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "measured", lambda *_: {"failed": "ValueError: no such column"})
    assert scale.beside("splink_pairs", tmp_path, 1) == {"failed": "ValueError: no such column"}


def test_another_answer_of_a_peer_is_seen() -> None:
    found = {LARGE: measured(1)}
    assert scale_page.unequal(found) == []
    found[LARGE]["splink_pairs"]["answer"] = [2]
    assert scale_page.unequal(found) == ["splink_pairs at 18,000,000"]


def test_at_a_size_without_peers_what_is_held_against_one_is_not_judged() -> None:
    found = {step: one for step, one in measured(1).items() if step not in scale_page.OTHERS}
    judged = {line[0]: line[3] for line in scale_page.targets({MIDDLE: found}) if "file" not in line[1]}
    assert judged == dict.fromkeys(("T4", "T6", "T7", "T9"))
