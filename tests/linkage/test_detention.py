"""Detention spells, tbs events and placement requests: given these notices, expect these spells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from tests.linkage.conftest import Tables

Run = Callable[..., Tables]


def begin(day: str, key: str = "d1", **more: Any) -> dict[str, Any]:
    return {"skn": "p", "detentie_id": key, "datum_gebeurtenis": day, **more}


def end(day: str, key: str = "d1", **more: Any) -> dict[str, Any]:
    return {**begin(day, key, **more), "soort_melding": "EINDE_DETENTIE"}


def spells(tables: Tables) -> list[tuple[str | None, str | None]]:
    found = [(r["detention_begin"], r["detention_end"]) for r in tables("detention_spells")]
    return sorted([(b and b.isoformat(), e and e.isoformat()) for b, e in found], key=str)


@pytest.mark.parametrize(
    ("why", "notices", "expected"),
    [
        ("one stay", [begin("2021-01-01"), end("2021-02-01")], [("2021-01-01", "2021-02-01")]),
        ("begin without end stays, open", [begin("2021-01-01")], [("2021-01-01", None)]),
        ("end without begin stays, without a begin", [end("2021-02-01")], [(None, "2021-02-01")]),
        ("two begin notices are one stay", [begin("2021-01-01"), begin("2021-01-20"), end("2021-02-01")],
         [("2021-01-01", "2021-02-01")]),
        ("a begin after the last end leaves it open", [begin("2021-01-01"), end("2021-02-01"), begin("2021-03-01")],
         [("2021-01-01", None)]),
        ("the last of two ends counts", [begin("2021-01-01"), end("2021-01-15"), end("2021-02-01")],
         [("2021-01-01", "2021-02-01")]),
        ("a transfer on the same day", [begin("2021-01-01"), end("2021-02-01"), begin("2021-02-01", "d2"),
         end("2021-03-01", "d2")], [("2021-01-01", "2021-03-01")]),
        ("a transfer with one day between", [begin("2021-01-01"), end("2021-02-01"), begin("2021-02-02", "d2"),
         end("2021-03-01", "d2")], [("2021-01-01", "2021-03-01")]),
        ("two days between is a new detention", [begin("2021-01-01"), end("2021-02-01"), begin("2021-02-03", "d2"),
         end("2021-03-01", "d2")], [("2021-01-01", "2021-02-01"), ("2021-02-03", "2021-03-01")]),
        ("a stay without a begin does not join the one before", [begin("2021-01-01"), end("2021-02-01"),
         end("2021-02-02", "d2")], [("2021-01-01", "2021-02-01"), (None, "2021-02-02")]),
        ("leave is not an end", [begin("2021-01-01"), {**begin("2021-01-10"), "soort_melding": "VERLOF"},
         end("2021-02-01")], [("2021-01-01", "2021-02-01")]),
        ("leave alone is no detention", [{**begin("2021-01-10"), "soort_melding": "VERLOF"}], []),
        ("sectors stay apart", [begin("2021-01-01"), end("2021-02-01"), begin("2021-02-01", "d2", sector="FORZO"),
         end("2021-03-01", "d2", sector="FORZO")], [("2021-01-01", "2021-02-01"), ("2021-02-01", "2021-03-01")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_spells(run: Run, why: str, notices: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    assert spells(run(injus=notices)) == sorted(expected, key=str), why


def test_a_merged_stay_counts_its_parts_and_keeps_the_first_and_last_municipality(run: Run) -> None:
    tables = run(
        injus=[
            begin("2021-01-01", gemeentecode_brp="0363", verblijfstitel="PREVENTIEF"),
            end("2021-02-01", gemeentecode_vestiging="0599"),
            begin("2021-02-02", "d2", gemeentecode_brp="0518"),
            end("2021-03-01", "d2", gemeentecode_vestiging="0344", reden_einde="VI"),
        ]
    )
    (row,) = tables("detention_spells")
    told = ("parts", "gemeente_begin", "gemeente_settlement", "verblijfstitel", "reden_einde")
    assert [row[name] for name in told] == [2, "0363", "0344", "PREVENTIEF", "VI"]


def test_a_notice_under_a_merged_municipality_is_recoded(run: Run) -> None:
    """Boxmeer became Land van Cuijk on 1 January 2022."""
    (row,) = run(injus=[begin("2021-01-01", gemeentecode_brp="0756"), end("2022-02-01")])("detention_spells")
    assert row["gemeente_begin"] == "1982"


def test_a_usable_code_of_the_same_day_goes_before_unknown(run: Run) -> None:
    notices = [begin("2021-01-01", gemeentecode_brp="0000"), begin("2021-01-01", gemeentecode_brp="0363")]
    (row,) = run(injus=notices)("detention_spells")
    assert row["gemeente_begin"] == "0363"


def test_tbs_events_are_never_summed_and_a_repeated_delivery_adds_nothing(run: Run) -> None:
    event = {"skn": "p", "tbs_id": "t", "datum": "2021-05-01"}
    tables = run(
        injus_tbs=[event, event, {**event, "gebeurtenis": "PROEFVERLOF_START"}, {**event, "datum": "2022-05-01"}]
    )
    assert len(tables("tbs_events")) == 3


def test_requests_of_one_indication_are_one_request(run: Run) -> None:
    base = {"skn": "p", "indicatie_id": "i"}
    tables = run(
        reclassering=[
            {**base, "datum_verzoek": "2022-03-01", "soort_plaatsing": "KLINISCH", "arrondissement": "LIMBURG"},
            {**base, "datum_verzoek": "2022-02-01", "soort_plaatsing": "AMBULANT", "datum_indicatie": "2022-01-20"},
            {**base, "indicatie_id": "other", "datum_verzoek": "2022-02-01"},
        ]
    )
    first = next(r for r in tables("placement_requests") if r["requests"] == 2)
    assert (first["first_request"], first["soort_plaatsing"]) == (dt.date(2022, 2, 1), "AMBULANT")
    assert first["arrondissement"] == "ROTTERDAM"
    assert len(tables("placement_requests")) == 2
