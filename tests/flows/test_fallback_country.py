"""A small country whose people are partly without a number: from names at the suppliers to links at the TTP.

Precision and recall are those of planted truth; the seed is fixed, so the numbers are the same on every machine.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows import demo, pipeline, work
from flows.settings import Settings
from linkage.plan import Plan
from release import publish
from release.truth_links import Judged, judge
from schemas.common import FALLBACK_KEYS
from schemas.registers import REGISTERS
from synthetic.names import HEADS

SCALE, SEED = 0.006, 3


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("fallback") / "demo"
    settings = demo.prepare(folder, port=4380, fallback=True)
    demo.make_country(folder, scale=SCALE, seed=SEED, names=True)
    demo.suppliers_deliver(settings, folder)
    for register in REGISTERS:
        pipeline.intake(settings, register)
    pipeline.link(settings)
    return settings


@pytest.fixture(scope="module")
def judged(site: Settings) -> Judged:
    assert site.truth is not None
    found = judge(site.run / "linked", site.store, site.truth)
    assert found is not None
    return found


def test_who_has_no_number_is_found_and_nobody_else(judged: Judged) -> None:
    whole = judged.strata[0]
    _, _, rows, findable, linked, correct = whole
    assert rows > 100
    assert correct >= 0.97 * linked
    assert correct >= 0.80 * findable


def test_every_stratum_adds_up(judged: Judged) -> None:
    for stratum in ("geslacht", "leeftijd", "register", "registerpaar"):
        parts = [row for row in judged.strata if row[0] == stratum]
        for place in (2, 3, 4, 5):
            assert sum(row[place] for row in parts) == judged.strata[0][place]  # type: ignore[misc]


def test_the_curve_passes_through_the_plans_threshold(judged: Judged) -> None:
    at_plan = next(row for row in judged.curve if row[0] == Plan().fallback_threshold)
    assert at_plan[1:] == (judged.strata[0][4], judged.strata[0][5], judged.strata[0][3])
    found = [row[1] for row in judged.curve]
    assert found == sorted(found, reverse=True)


def test_link_files_hold_keys_and_payloads_hold_no_name(site: Settings) -> None:
    for register in REGISTERS:
        for folder in (site.store / register).glob("[0-9]*"):
            names = pq.read_schema(folder / "link.parquet").names
            assert (set(FALLBACK_KEYS) <= set(names)) == (register != "crosswalk")
            if register != "crosswalk":
                payload = pq.read_schema(folder / "payload.parquet").names
                assert not {c.name for c in demo.FALLBACK} & set(payload)


def test_no_name_is_left_anywhere_at_the_ttp(site: Settings, tmp_path: Path) -> None:
    """Files, events, journals and the operator's page; extracts lie with their suppliers."""
    planted = (site.store, site.truth) if site.truth else None
    publish.publish_operator(site.run / "linked", tmp_path, run=_run(site), planted=planted)
    words = [head.lower().encode() for head in HEADS if head.isascii() and len(head) >= 7]  # none is a Dutch word here
    for root in (site.home, tmp_path):
        for path in root.rglob("*"):
            if path.is_file() and path.suffix != ".csv":
                text = path.read_bytes().lower()
                assert not any(word in text for word in words), path.name
    page = (tmp_path / "kwaliteit.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 2
    assert "precisie en vangst per stratum" in page


def _run(site: Settings) -> dict[str, object]:
    return json.loads(json.dumps(work.run_manifest(site)))  # type: ignore[no-any-return]


def test_linking_again_gives_the_same_links(site: Settings) -> None:
    assert work.link(site).skipped
