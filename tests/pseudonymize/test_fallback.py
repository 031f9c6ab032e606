"""Fallback keys: what they forgive, what they hold, and that names go no further than the supplier's own machine."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from linkage import fellegi_sunter
from pseudonymize import fallback, prf
from pseudonymize.commands import check
from pseudonymize.convert import convert
from pseudonymize.payload import open_payload
from pseudonymize.secret import Secret
from schemas import agreement as agreements
from schemas.agreement import Agreement
from schemas.common import FALLBACK, FALLBACK_KEYS
from schemas.errors import ConfigError, DeliveryError
from schemas.registers import REGISTERS
from tests.pseudonymize.conftest import AGREEMENTS, INJUS_HEAD, World, injus_row

COLUMNS = tuple(column.name for column in FALLBACK)
# Four digits of a postcode, not four of a hexadecimal hash: those stand between others of their kind.
POSTCODE = rb"(?<![0-9a-z])1234(?![0-9a-f]{8})"
HEAD = f"{INJUS_HEAD};{';'.join(COLUMNS)}"
ANNA = {
    "geboortenaam": "van der Nepveld",
    "voorletters": "A.B.",
    "geboortedatum": "1980-05-12",
    "postcode": "1234 FX",
    "geslacht": "V",
}


def keys(**change: str | None) -> dict[str, str | None]:
    """The canonical text of every key of Anna, with cells changed."""
    row = {**ANNA, **change}
    made = fallback.derive(pa.table({name: pa.array([row[name]], pa.string()) for name in row})).keys
    return {name: values[0].as_py() for name, values in made.items()}


def same(**change: str | None) -> str:
    """Letters of the keys that still agree with Anna's."""
    told, other = keys(), keys(**change)
    return "".join(name[-1] for name in FALLBACK_KEYS if other[name] is not None and told[name] == other[name])


@pytest.mark.parametrize(
    ("change", "agree"),
    [
        ({"geboortenaam": "NÉPVELD"}, "abcdefg"),
        ({"geboortenaam": "Nepveld, v.d."}, "abcdefg"),
        ({"geboortenaam": "Nepvelt"}, "bcdefg"),
        ({"geboortenaam": "Kunststra"}, "d"),
        ({"geboortenaam": None}, "d"),
        ({"voorletters": "Anna Bea"}, "abcdefg"),
        ({"voorletters": "B.A."}, "eg"),
        ({"geboortedatum": "12-05-1980"}, "abcdefg"),
        ({"geboortedatum": "1980-12-05"}, "bcfg"),
        ({"geboortedatum": "1981-05-12"}, "c"),
        ({"geboortedatum": "1980-05-00"}, "f"),
        ({"geboortedatum": "1980-00-00"}, "f"),
        ({"geboortedatum": "19800512"}, "abcdefg"),
        ({"postcode": "1234fx"}, "abcdefg"),
        ({"postcode": "1234"}, "abcefg"),
        ({"postcode": None}, "abg"),
        ({"postcode": "9876 OA"}, "abg"),
        ({"geslacht": "M"}, "ce"),
        ({"geslacht": "O"}, "ce"),
    ],
)
def test_what_an_error_leaves_standing(change: dict[str, str | None], agree: str) -> None:
    assert same(**change) == agree


def test_the_linker_believes_of_each_key_what_it_is_made_of() -> None:
    """The parts and levels of the model in linkage are those of the recipes here."""
    needs = {
        "name": ("name", {"same"}),
        "sound": ("name", {"sound", "same"}),
        "initial": ("initial", {"same"}),
        "date": ("date", {"same"}),
        "sorted": ("date", {"exchanged", "same"}),
        "day": ("date", {"day", "exchanged", "same"}),
        "year": ("date", {"year", "exchanged", "same"}),
        "four": ("postcode", {"four", "six"}),
        "six": ("postcode", {"six"}),
        "sex": ("sex", {"same"}),
    }
    assert {k: dict(needs[part] for part in recipe) for k, recipe in fallback.RECIPES.items()} == fellegi_sunter.KEYS
    assert tuple(fallback.RECIPES) == tuple(fellegi_sunter.KEYS) == FALLBACK_KEYS


def test_the_texts_themselves() -> None:
    """Known answers: the recipe is part of the protocol, for other implementations to compare with."""
    assert keys() == {
        "fb_a": "NEPVELD|A|19800512|V",
        "fb_b": "NPFLT|A|19800512|V",
        "fb_c": "NPFLT|A|0512|1234",
        "fb_d": "A|19800512|V|1234FX",
        "fb_e": "NPFLT|19800512|1234",
        "fb_f": "NPFLT|A|1980|V|1234",
        "fb_g": "NPFLT|19800512|V",
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nepdijck", "Nepdijk"),
        ("Wolkhuijzen", "Wolkhuizen"),
        ("Mistmeijer", "Mistmeyer"),
        ("Verzinschoten", "Verzinsoten"),
        ("Kunstström", "Kunststrom"),
        ("Philipsverzin", "Filipsverzin"),
        ("Nepthal", "Neptal"),
    ],
)
def test_spellings_of_one_sound(one: str, other: str) -> None:
    assert fallback.sound_of(one) == fallback.sound_of(other)


@pytest.mark.parametrize("text", ["", " ", "123", "-", "'", "日本"])
def test_no_letters_is_no_name(text: str) -> None:
    assert fallback.name_of(text) is None
    assert fallback.sound_of(text) is None
    assert fallback.initial_of(text) is None


def test_a_name_that_is_all_particles_is_still_a_name() -> None:
    assert fallback.name_of("van der") == "VANDER"
    assert fallback.sound_of("Hoe") is not None
    assert fallback.sound_of("H") is None


@pytest.mark.parametrize("text", ["1980-13-40", "1980-31-31", "80-05-12", "12 mei 1980", "2150-01-01", "1980-02-30"])
def test_a_day_that_is_none(text: str) -> None:
    assert fallback.date_of(text, "date") is None


@pytest.mark.parametrize(("text", "four", "six"), [("1234AB", "1234", "1234AB"), ("1234", "1234", None)])
def test_postcodes(text: str, four: str, six: str | None) -> None:
    assert (fallback.postcode_of(text, 4), fallback.postcode_of(text, 6)) == (four, six)
    assert fallback.postcode_of(f"0{text[1:]}", 4) is None
    assert fallback.postcode_of("12345", 4) is None


@given(st.text(max_size=30), st.text(max_size=10), st.text(max_size=12), st.text(max_size=8))
def test_any_text_gives_keys_or_none_and_never_an_error(name: str, first: str, day: str, code: str) -> None:
    made = keys(geboortenaam=name, voorletters=first, geboortedatum=day, postcode=code)
    for value in made.values():
        assert value is None or value.replace("|", "").isascii()


@given(st.lists(st.text("AB|", max_size=3), min_size=4, max_size=4), st.lists(st.text("AB|", max_size=3), min_size=4))
def test_parts_never_run_into_each_other(one: list[str], other: list[str]) -> None:
    """What stands between the bars holds none, so equal keys are equal parts."""
    for text in (*one, *other):
        found = fallback.name_of(text)
        assert found is None or "|" not in found


def test_each_key_has_a_type_of_its_own_in_the_chain() -> None:
    """The same text as another key gives another pseudonym."""
    secret = Secret(bytes(range(32)))
    made = {prf.pre(secret, "demo", "run-1", kind).one(b"NPFLT|19800512|V") for kind in fallback.TYPES.values()}
    assert len(made) == len(FALLBACK_KEYS)
    assert set(fallback.TYPES.values()) == {f"NL:FB-{letter}" for letter in "ABCDEFG"}


# Under an agreement ---------------------------------------------------------------------------------------------


def allowed(world: World, register: str = "injus") -> Agreement:
    """The agreement with fallback keys, in the world's folder."""
    content = yaml.safe_load((AGREEMENTS / f"{register}.yaml").read_text(encoding="utf-8"))
    content["identifier_types"].append("NL:FB")
    content["columns"] |= dict.fromkeys(COLUMNS, "pseudonymise")
    path = world.home / "with-fallback.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return agreements.load(path)


def rows() -> list[str]:
    people = [
        ("van der Nepveld", "A.B.", "1980-05-12", "1234 FX"),
        ("Nepveld", "A", "1980-12-05", "1234"),
        ("", "", "onbekend", "12"),
        ("Verzinstra", "K", "1970-00-00", ""),
    ]
    return [f"{injus_row(i, geslacht='V')};{';'.join(person)}" for i, person in enumerate(people)]


def delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    agreement = allowed(world)
    monkeypatch.setattr(World, "agreement", lambda self, register: agreement)
    out, report = world.deliver(world.extract("a.csv", HEAD, rows()))
    assert report.accepted == 4
    return out


def test_keys_travel_with_the_numbers_and_nothing_with_the_content(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = delivered(world, monkeypatch)
    convert(out, world.converter, tmp_path / "link.parquet")
    open_payload(out, world.linker, tmp_path / "payload.parquet", allowed(world))
    link, payload = pq.read_table(tmp_path / "link.parquet"), pq.read_table(tmp_path / "payload.parquet")
    assert link.column_names == ["row_id", "bsn", "skn", "vip", *FALLBACK_KEYS]
    assert not set(COLUMNS) & set(payload.column_names)
    filled = sorted(
        tuple(row[name] is not None for name in FALLBACK_KEYS) for row in link.to_pylist() if row["bsn"] is None
    )
    assert filled == sorted([(True,) * 7, (True, True, True, False, True, True, True), (False,) * 7, (False,) * 7])
    shared = {name: len({v for v in link[name].to_pylist() if v}) for name in FALLBACK_KEYS}
    assert shared == {"fb_a": 2, "fb_b": 1, "fb_c": 1, "fb_d": 1, "fb_e": 2, "fb_f": 1, "fb_g": 1}
    for name, other in itertools.combinations(FALLBACK_KEYS, 2):
        assert not set(link[name].drop_null().to_pylist()) & set(link[other].drop_null().to_pylist())


def test_nothing_readable_is_left_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name, birth date or postcode in any file but the extract itself, and none in the report."""
    out = delivered(world, monkeypatch)
    extract = world.home / "a.csv"
    for path in world.home.rglob("*"):
        if path.is_file() and path != extract:
            text = path.read_bytes().lower()
            for word in (rb"nepveld", rb"verzinstra", rb"1980-05", rb"19800512", POSTCODE, rb"npflt"):
                assert not re.search(word, text) or path.suffix in {".age", ".key"}, path.name
    told = json.loads((out / "manifest.json").read_text())
    assert told["identifiers"]["usable"] == {"bsn": 0, "skn": 0, "vip": 0, "fallback": 2}
    assert told["identifiers"]["emptied"] == {"GEBOORTEDATUM_ONLEESBAAR": 1, "POSTCODE_ONLEESBAAR": 1}
    assert told["identifier_types"][-1] == "NL:FB"


def test_without_the_agreement_such_a_column_is_refused(world: World) -> None:
    with pytest.raises(DeliveryError, match="unlisted_column"):
        world.deliver(world.extract("a.csv", HEAD, rows()))


def test_a_bare_check_reads_them_and_says_what_it_cannot(world: World) -> None:
    report = check(world.extract("a.csv", HEAD, rows()), "injus", None, True, None)
    assert report.emptied["GEBOORTEDATUM_ONLEESBAAR"] == 1
    assert "geboortedatum is niet te lezen" in report.text()
    assert "onbekend" not in report.text()


@pytest.mark.parametrize("change", ["type alone", "columns alone", "one dropped", "kept"])
def test_type_and_columns_go_together(world: World, change: str) -> None:
    content = yaml.safe_load((AGREEMENTS / "injus.yaml").read_text(encoding="utf-8"))
    if change != "columns alone":
        content["identifier_types"].append("NL:FB")
    if change != "type alone":
        content["columns"] |= dict.fromkeys(COLUMNS, "pseudonymise")
    if change in {"one dropped", "kept"}:
        content["columns"]["postcode"] = "drop" if change == "one dropped" else "keep"
    path = world.home / "bad.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreements.load(path)


def test_every_register_of_rows_may_have_them_and_the_crosswalk_never() -> None:
    for name, register in REGISTERS.items():
        assert (set(COLUMNS) <= set(register.by_name)) == (name != "crosswalk")
        assert not set(COLUMNS) & {column.name for column in register.payload_columns}
