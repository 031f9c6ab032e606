"""An output agreement beside the `outputs` of a register's agreement: one story, or an error that names the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas import research
from schemas.agreement import Release
from schemas.research import ResearchOutput

FILE = Path(__file__).parents[2] / "synthetic" / "agreements" / "outputs" / "onderzoek.yaml"


@pytest.fixture(scope="module")
def output() -> ResearchOutput:
    return research.load(FILE)


def agreed(**more: Any) -> Release:
    return Release(**{"recipients": ("onderzoek",), "domain": "onderzoek", "retention_days": 1, **more})


def test_one_story(output: ResearchOutput) -> None:
    assert output.contradicts(agreed()) is None
    assert output.contradicts(agreed(domain=None, recipients=("vng", "onderzoek"))) is None


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"recipients": ("ministerie",)}, "recipients"),
        ({"domain": "ministerie"}, "domain"),
        ({"geo": "provincie"}, "geo"),  # the folder tells safety regions
        ({"geo": "land"}, "geo"),
        ({"min_cell": 10_000}, "min_cell"),  # more people alike than the folder promises
    ],
)
def test_what_goes_against_a_register(output: ResearchOutput, more: dict[str, Any], field: str) -> None:
    assert output.contradicts(agreed(**more)) == field


def test_a_register_without_research_contradicts_any_folder(output: ResearchOutput) -> None:
    assert output.contradicts(None) == "outputs"


@pytest.mark.parametrize("geo", ["gemeente", "veiligheidsregio"])
def test_coarser_than_agreed_is_no_contradiction(output: ResearchOutput, geo: str) -> None:
    assert output.contradicts(agreed(geo=geo)) is None


def test_a_minimum_counts_only_when_it_refuses(output: ResearchOutput) -> None:
    """k reported and k refused differ: an agreement that asks for a minimum is not met by a report."""
    for below, fault in (("report", "min_cell"), ("refuse", None)):
        anonymity = output.anonymity.model_copy(update={"below": below, "k": 10})
        changed = output.model_copy(update={"anonymity": anonymity})
        assert changed.contradicts(agreed(min_cell=10)) == fault


def test_levels_at_which_places_leave(output: ResearchOutput) -> None:
    assert output.places() == {"veiligheidsregio", "arrondissement"}
    wmo = {**output.columns["wmo_arrangements"], "gemeente_brp": "keep"}
    finer = output.model_copy(update={"columns": {**output.columns, "wmo_arrangements": wmo}})
    assert "gemeente" in finer.places()
    assert finer.contradicts(agreed(geo="veiligheidsregio")) == "geo"
