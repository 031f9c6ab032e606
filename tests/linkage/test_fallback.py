"""Given these rows without a number, expect these links: what agrees, what is refused, and what every link says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from linkage import fallback
from linkage import fellegi_sunter as fs
from linkage.delivery import Delivery
from linkage.plan import Plan
from schemas.link_quality import OUTCOMES, PERSON_MEASURES, STRATA
from tests.linkage.build import Row, write_deliveries
from tests.linkage.conftest import Tables, everywhere

Run = Callable[..., Tables]
ANNA: Row = {
    "geboortenaam": "van der Nepveld",
    "voorletters": "A.B.",
    "geboortedatum": "1980-05-12",
    "postcode": "1234 FX",
    "geslacht": "V",
}


def crowd(n: int = 40) -> list[Row]:
    """Wmo clients with numbers and names of their own: what chance agreement is judged by."""
    heads, tails = ("Verzin", "Droom", "Kunst", "Mist", "Schijn", "Wolk", "Proef"), ("stra", "mans", "berg", "ouw")
    names = [f"{a}{b}" for a, b in itertools.product(heads, tails)]
    return [
        gmsd(
            bsn=f"c{i}",
            geboortenaam=names[i % len(names)],
            voorletters="KLMNPRST"[i % 8] + ".",
            geboortedatum=f"{1950 + i % 47}-{1 + i % 12:02d}-{1 + i * 7 % 28:02d}",
            postcode=f"{2000 + i * 13} O{'ABCDEGHJ'[i % 8]}",
            geslacht="MV"[i % 2],
        )
        for i in range(n)
    ]


def gmsd(**more: Any) -> Row:
    return {"verslagperiode": "2021H1", "ingangsdatum": "2021-01-05", **more}


def ifzo(**more: Any) -> Row:
    return {"titel_begin": "2020-01-01", "titel_eind": "2021-01-01", "zorg_begin": "2020-02-01", **more}


def notice(**more: Any) -> Row:
    return {"datum_gebeurtenis": "2020-01-01", "gemeentecode_brp": "0363", **more}


def persons(tables: Tables) -> int:
    return len(tables("persons")) - 40


ERRORS: list[tuple[str, Row]] = [
    ("nothing", {}),
    ("accents and case", {"geboortenaam": "VAN DER NÉPVELD"}),
    ("particle behind", {"geboortenaam": "Nepveld, van der"}),
    ("particle lost", {"geboortenaam": "Nepveld"}),
    ("sound-alike", {"geboortenaam": "van der Nepfeldt"}),
    ("another name", {"geboortenaam": "Kunststra"}),
    ("only the first initial", {"voorletters": "A"}),
    ("initial wrong", {"voorletters": "E."}),
    ("day and month exchanged", {"geboortedatum": "1980-12-05"}),
    ("year of birth off", {"geboortedatum": "1981-05-12"}),
    ("day unknown", {"geboortedatum": "1980-05-00"}),
    ("day and month unknown", {"geboortedatum": "00-00-1980"}),
    ("four digits", {"postcode": "1234"}),
    ("no postcode", {"postcode": None}),
    ("moved", {"postcode": "9876 OA"}),
    ("sex wrong", {"geslacht": "M"}),
]


@pytest.mark.parametrize(("error", "change"), ERRORS, ids=[name for name, _ in ERRORS])
def test_a_client_known_by_name_finds_her_number_despite(run: Run, error: str, change: Row) -> None:
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], gmsd=[*crowd(), gmsd(**{**ANNA, **change})], crosswalk=[])
    assert persons(tables) == 1
    (link,) = [row for row in tables("register_links") if (row["register"], row["other"]) == ("gmsd", "ifzo")]
    assert link["basis"] == "FALLBACK"
    assert 0.95 <= link["probability"] < 1


STRANGERS: list[tuple[str, Row]] = [
    ("same name only", {"geboortedatum": "1955-11-30", "postcode": "9876 OA", "voorletters": "K."}),
    ("same birth date and sex only", {"geboortenaam": "Kunststra", "postcode": "9876 OA", "voorletters": "K."}),
    ("brother: name and postcode", {"geboortedatum": "1983-02-01", "voorletters": "P.", "geslacht": "M"}),
    ("nothing but a name", {"geboortedatum": None, "postcode": None}),
]


@pytest.mark.parametrize(("who", "change"), STRANGERS, ids=[name for name, _ in STRANGERS])
def test_a_stranger_stays_a_stranger(run: Run, who: str, change: Row) -> None:
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], gmsd=[*crowd(), gmsd(**{**ANNA, **change})])
    assert persons(tables) == 2


def test_the_threshold_is_the_plans(run: Run) -> None:
    weak = {**ANNA, "voorletters": "E.", "postcode": None, "geboortenaam": "Nepfeldt"}
    rows: dict[str, Any] = {"ifzo": [ifzo(skn="s", **ANNA)], "gmsd": [*crowd(), gmsd(**weak)]}
    (row,) = run(**rows)("fallback_links")
    assert 0.9 < row["probability"] < 1
    above = replace(Plan(), fallback_threshold=min(row["probability"] + 1e-6, 0.9999999))
    below = replace(Plan(), fallback_threshold=row["probability"] - 1e-6)
    assert run(**rows, plan=above)("fallback_links")[0]["outcome"] != "LINKED"
    assert run(**rows, plan=below)("fallback_links")[0]["outcome"] == "LINKED"


def test_two_people_with_numbers_are_never_joined(run: Run) -> None:
    """The same name, birth date and postcode: numbers go first."""
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], gmsd=[*crowd(), gmsd(bsn="b", **ANNA)])
    assert persons(tables) == 2
    assert tables("fallback_links") == []


def test_one_to_one_a_register_gives_a_person_one_group(run: Run) -> None:
    """Two clients of one register that are not each other cannot both be the same patient: the likelier one is."""
    other = {**ANNA, "voorletters": "E.", "geslacht": "M", "postcode": "1234"}
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], gmsd=[*crowd(), gmsd(**ANNA), gmsd(**other, leveringsvorm="PGB")])
    outcomes = sorted(row["outcome"] for row in tables("fallback_links"))
    assert outcomes in (["LINKED", "TAKEN"], ["LINKED", "LINKED"])  # LINKED twice: the two were found to be one


def test_records_of_two_registers_link_to_one_person(run: Run) -> None:
    hurt = {**ANNA, "geboortedatum": "1981-05-12"}
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], injus=[notice(**ANNA)], gmsd=[*crowd(), gmsd(**hurt)])
    assert persons(tables) == 1
    chances = {row["register"]: row["probability"] for row in tables("fallback_links")}
    assert set(chances) == {"injus", "gmsd"}
    assert all(chance >= 0.95 for chance in chances.values())


def test_a_tie_links_nobody(run: Run) -> None:
    """Two patients who cannot be told apart."""
    tables = run(ifzo=[ifzo(skn="s", **ANNA), ifzo(skn="t", plaatsing_id="p2", **ANNA)], gmsd=[*crowd(), gmsd(**ANNA)])
    (row,) = tables("fallback_links")
    assert row["outcome"] == "TIED"
    assert persons(tables) == 3


def test_rows_of_one_stranger_become_one_person(run: Run) -> None:
    """A foreign detainee whom nobody has a number for: two notices, one person, not linkable by number."""
    end = notice(**ANNA, soort_melding="EINDE_DETENTIE", datum_gebeurtenis="2020-03-01")
    tables = run(injus=[notice(**ANNA), end], gmsd=crowd())
    (person,) = [row for row in tables("persons") if row["in_injus"]]
    assert person["linkable"] is False
    assert {row["outcome"] for row in tables("fallback_links")} == {"GROUPED"}
    (spell,) = tables("detention_spells")
    assert (str(spell["detention_begin"]), str(spell["detention_end"])) == ("2020-01-01", "2020-03-01")
    (link,) = tables("register_links")
    assert (link["register"], link["other"], link["basis"]) == ("injus", "injus", "FALLBACK")


def test_without_the_agreement_they_are_two(run: Run) -> None:
    bare = [{k: v for k, v in row.items() if k not in ANNA} for row in (notice(**ANNA), notice(**ANNA))]
    tables = run(injus=bare, gmsd=[gmsd(bsn="b")])
    assert len([row for row in tables("persons") if row["in_injus"]]) == 2
    for name in ("fallback_links", "fallback_model", "fallback_curve"):
        assert tables(name) == []


def test_a_record_that_is_not_sure_of_itself_links_to_nobody(run: Run) -> None:
    empty = {**dict.fromkeys(ANNA), "geboortenaam": "van der Nepveld", "geboortedatum": "1980", "geslacht": "V"}
    weak = {**empty, "voorletters": "A", "geboortedatum": "1980-00-00", "postcode": "1234"}
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], gmsd=[*crowd(), gmsd(**empty), gmsd(**weak)])
    assert {row["outcome"] for row in tables("fallback_links")} <= {"LINKED", "TOO_LITTLE"}
    assert len(tables("fallback_links")) == 1, "a row without any key is not in the table"


def test_a_key_that_everybody_has_is_no_candidate(run: Run) -> None:
    """A placeholder name and birth date; the plan says from how many people on."""
    filler = {**ANNA, "geboortenaam": "Onbekend", "voorletters": "X", "geboortedatum": "1900-01-01"}
    rows = [ifzo(skn=f"s{i}", plaatsing_id=f"p{i}", **filler) for i in range(6)]
    tables = run(ifzo=rows, gmsd=[*crowd(), gmsd(**filler)], plan=replace(Plan(), fallback_common=5))
    assert [row["outcome"] for row in tables("fallback_links")] == ["NO_CANDIDATE"]


def test_a_replaced_row_takes_no_part(run: Run) -> None:
    tables = run(
        deliveries={("gmsd", 1): [*crowd(), gmsd(**ANNA)], ("gmsd", 2): [gmsd(bsn="z", **ANNA)]},
        coverage={1: everywhere("0363"), 2: {"2021H1": ["0363"]}},
        ifzo=[ifzo(skn="s", **ANNA)],
    )
    assert tables("fallback_links") == []


def test_every_basis_is_told(run: Run) -> None:
    rows: dict[str, Any] = {
        "ifzo": [ifzo(skn="s1"), ifzo(skn="s2"), ifzo(bsn="b3"), ifzo(vip="v4"), ifzo(skn="s5", **ANNA)],
        "injus": [notice(skn="s1"), notice(bsn="b2"), notice(bsn="b3"), notice(vip="v4"), notice(**ANNA)],
        "crosswalk": [{"skn": "s2", "bsn": "b2"}],
        "gmsd": crowd(),
    }
    for number, row in enumerate(rows["ifzo"]):
        row["plaatsing_id"] = f"p{number}"
    found = [row for row in run(**rows)("register_links") if (row["register"], row["other"]) == ("ifzo", "injus")]
    assert sorted(row["basis"] for row in found) == ["BSN", "CROSSWALK", "FALLBACK", "SKN", "VIP"]
    assert all(row["probability"] == 1 for row in found if row["basis"] != "FALLBACK")


def test_merges_conflicts_and_strata_are_counted(run: Run) -> None:
    tables = run(
        ifzo=[ifzo(skn="s", geboortejaar=1980, **ANNA), ifzo(geboortejaar=1950, plaatsing_id="p2")],
        gmsd=[*crowd(), gmsd(geboortejaar=1985, **ANNA)],
        crosswalk=[{"skn": "s", "bsn": "x"}, {"skn": "s", "bsn": "y"}],
    )
    told = {row["measure"]: row["n"] for row in tables("person_quality")}
    assert set(told) == set(PERSON_MEASURES)
    assert (told["persons"], told["unlinkable"], told["by_fallback"], told["merged_bsn"]) == (42, 1, 1, 1)
    assert (told["conflict_birth_year"], told["conflict_sex"]) == (1, 0)
    strata = {(r["register"], r["stratum"], r["value"]): r for r in tables("link_strata") if r["year"] in (2020, 2021)}
    assert {stratum for _, stratum, _ in strata} == set(STRATA)
    unlinked = strata["ifzo", "leeftijd", "60-74"]
    assert (unlinked["persons"], unlinked["unlinkable"], unlinked["matched"]) == (1, 1, 0)
    assert strata["gmsd", "ALLEN", "ALLEN"]["by_fallback"] == 1
    assert strata["gmsd", "geslacht", "V"]["persons"] == 21  # half of the crowd, and Anna


def test_strata_of_a_register_add_up_to_its_persons(run: Run) -> None:
    rows = run(ifzo=[ifzo(skn="s", geslacht="M"), ifzo(), ifzo(skn="t")], gmsd=[*crowd(), gmsd(**ANNA)])("link_strata")
    whole = {(r["register"], r["year"]): r["persons"] for r in rows if r["stratum"] == "ALLEN"}
    for stratum in ("geslacht", "leeftijd"):
        for key, persons_there in whole.items():
            parts = [r for r in rows if (r["register"], r["year"]) == key and r["stratum"] == stratum]
            assert sum(r["persons"] for r in parts) == persons_there


def test_rows_and_content_decide_never_their_order(run: Run) -> None:
    rows: dict[str, Any] = {
        "ifzo": [ifzo(skn="s", **ANNA)],
        "injus": [notice(**ANNA)],
        "gmsd": [*crowd(), gmsd(**{**ANNA, "geboortenaam": "Nepveld"})],
    }
    first, second = run(**rows, seed=1), run(**rows, seed=2)
    for name in ("persons", "register_links", "fallback_model", "fallback_curve", "wmo_arrangements"):
        assert first(name) == second(name)


def test_the_model_is_shown_and_its_own_expectation_with_it(run: Run) -> None:
    tables = run(ifzo=[ifzo(skn="s", **ANNA)], gmsd=[*crowd(), gmsd(**ANNA)])
    model = tables("fallback_model")
    for part in fs.LEVELS:
        for chance in ("m", "u"):
            assert sum(row[chance] for row in model if row["part"] == part) == pytest.approx(1)
    curve = tables("fallback_curve")
    assert [row["threshold"] for row in curve] == sorted(fallback.THRESHOLDS)
    recalls = [row["recall"] for row in curve]
    assert recalls == sorted(recalls, reverse=True)


def test_a_link_file_with_another_width_of_key_is_refused(tmp_path: Path) -> None:
    (made,) = write_deliveries(tmp_path, {"gmsd": [gmsd(**ANNA)]})
    table = pq.read_table(made.link)
    place = table.schema.get_field_index("fb_c")
    pq.write_table(table.set_column(place, "fb_c", table["fb_c"].cast("binary")), made.link)
    with pytest.raises(Exception, match="unreadable_file"):
        Delivery("gmsd", 1, made.folder).require_shape()


# The decision by itself, on records and pairs that are given ------------------------------------------------------


def decided(pairs: list[tuple[int, int, int, float]], records: int = 3, rows: int = 1) -> fallback.Decisions:
    """Records 0.. with one register each; pairs of (record, profile, person or -1, chance)."""
    u, v, person, chance = (np.array(column) for column in zip(*pairs, strict=True))
    given = fallback.Records(np.full(records, rows), np.ones(records, np.int64), np.zeros(records, np.int64))
    found = fallback.Pairs(u, v, person, np.zeros(len(u), np.int64))
    return fallback.decide(given, found, chance.astype(float), np.ones(records), 0.95)


def test_the_surest_goes_first_and_the_other_is_told_so() -> None:
    found = decided([(0, 10, 7, 0.97), (1, 10, 7, 0.99)])
    assert found.person.tolist() == [-1, 7, -1]
    assert found.outcome == ["TAKEN", "LINKED", "NO_CANDIDATE"]


def test_a_group_takes_the_best_of_its_members() -> None:
    found = decided([(0, 1, -1, 0.99), (0, 10, 7, 0.96), (1, 11, 8, 0.98)])
    assert found.person.tolist() == [8, 8, -1]
    assert found.probability.tolist()[:2] == [0.98, 0.98]


def test_below_the_threshold_the_candidate_is_named_and_not_linked() -> None:
    found = decided([(0, 10, 7, 0.94)])
    assert (found.person[0], found.best[0], found.outcome[0]) == (-1, 0.94, "BELOW_THRESHOLD")


def test_outcomes_are_those_that_the_codebook_explains() -> None:
    told = {fallback.LINKED, fallback.GROUPED, fallback.UNSURE, fallback.TIED, fallback.TAKEN, fallback.TOO_LITTLE}
    assert told | {fallback.ALONE} == set(OUTCOMES)
