"""What is declared once: municipalities over time, code lists, agreements, DDL, codebook, errors."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from schemas import agreement, codebook, codes, ddl, gemeente, reference
from schemas.column import Column, Kind, Role
from schemas.errors import ADVICE, ConfigError, KoppelError, QualityGate, UnsafeFact
from schemas.linked import LINKED_TABLES
from schemas.register import OutColumn, OutTable, Register
from schemas.registers import REGISTERS, register
from schemas.target_group import RUN_TABLES

ROOT = Path(__file__).parents[2]
AGREEMENTS = ROOT / "synthetic" / "agreements"


@pytest.mark.parametrize(
    ("year", "count"), [(2019, 355), (2020, 355), (2021, 352), (2022, 345), (2023, 342), (2026, 342)]
)
def test_the_number_of_municipalities_on_1_january(year: int, count: int) -> None:
    assert len(gemeente.gemeenten(year)) == count


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0370", "0439"),  # Beemster -> Purmerend, 2022
        ("0457", "0363"),  # Weesp -> Amsterdam, 24 March 2022
        ("0788", "0824"),  # Haaren, split in 2021 over four; its largest part went to Oisterwijk
        ("0053", "1966"),  # Winsum, split in 2019: 88 percent to Het Hogeland
        ("0501", "1992"),  # Brielle -> Voorne aan Zee, 2023
        ("0000", "0000"),
        ("1999", "1999"),
    ],
)
def test_old_codes_become_codes_of_2023(old: str, new: str) -> None:
    merged = {m.old: m.new for m in gemeente.mergers() if m.main}
    assert gemeente.recode_table()[old] == new
    assert old in gemeente.SPECIAL or merged[old] == new


def test_every_code_ever_used_is_recoded_to_a_municipality_of_2023() -> None:
    today = {g.code for g in gemeente.gemeenten()} | set(gemeente.SPECIAL)
    assert set(gemeente.recode_table().values()) == today


def test_a_merger_of_later_date_does_not_count_yet() -> None:
    assert gemeente.recode_table(2022)["0501"] == "0501"


def test_every_safety_region_lies_in_one_arrondissement() -> None:
    seen: dict[str, set[str]] = {}
    for place in gemeente.gemeenten():
        seen.setdefault(place.veiligheidsregio_code, set()).add(place.arrondissement_code)
    assert len(seen) == 25
    assert all(len(found) == 1 for found in seen.values())


def test_probation_knows_ten_arrondissementen_and_the_courts_eleven() -> None:
    courts = {place.arrondissement_code for place in gemeente.gemeenten()}
    assert len(courts) == 11
    assert len(codes.load("arrondissement_3ro").values()) == 10
    named = {code for group in codes.load("arrondissement_3ro").groups().values() for code in group.split("+")}
    assert named == courts


def test_every_column_finds_its_code_list_and_every_code_its_source() -> None:
    for declared in REGISTERS.values():
        for column in declared.columns:
            if column.codes:
                assert codes.load(column.codes).codes
                assert all(code.bron and code.omschrijving for code in codes.load(column.codes).codes)


def test_wmo_groups_follow_cbs() -> None:
    groups = codes.load("productcategorie").groups()
    assert {c for c, g in groups.items() if g == "THUIS"} == {"02", "03", "04", "06", "07", "09"}
    assert {c for c, g in groups.items() if g == "OPVANG"} == {"15", "16", "17", "18"}
    assert codes.load("productcategorie").group("10") == "OVERIG"


def test_the_published_figures_are_carried_along() -> None:
    assert len(reference.national()) == 213
    assert len(reference.derived()) == 45
    assert len(reference.injus_notices()) == 1372
    assert len(reference.wmo_flows()) == 1644


def test_the_codebook_is_current() -> None:
    """Stale? Run `koppel codebook --write docs`."""
    folder = ROOT / "docs" / "codebook"
    for name, text in codebook.pages().items():
        assert (folder / name).read_text(encoding="utf-8") == text, name


def test_ddl_gives_a_column_per_declaration_and_never_a_hugeint() -> None:
    made = [ddl.create_payload(r) for r in REGISTERS.values()]
    made += [ddl.create_out(t) for t in (*LINKED_TABLES.values(), *RUN_TABLES.values())]
    assert all("hugeint" not in text for text in made)
    assert "  row_id blob not null" in made[0]
    assert ddl.comments(LINKED_TABLES["persons"])[0].startswith("comment on view persons is '")


def test_a_payload_holds_no_identifier() -> None:
    for declared in REGISTERS.values():
        names = ddl.payload_schema(declared).names
        assert not {"bsn", "skn", "skn_soort"} & set(names)
    kept = ddl.payload_schema(REGISTERS["injus"], ("sector",))
    assert kept.names == ["row_id", "sector"]
    assert ddl.identity_schema().names == ["row_id", "bsn", "skn", "vip"]


# Agreements ----------------------------------------------------------------------------------------------------


def text_of(change: dict[str, object]) -> str:
    content = yaml.safe_load((AGREEMENTS / "injus.yaml").read_text(encoding="utf-8"))
    return yaml.safe_dump({**content, **change})


def test_there_is_one_agreement_for_each_register() -> None:
    found = agreement.folder(AGREEMENTS)
    assert set(found) == set(REGISTERS)
    assert all(a.synthetic and a.declared.name == name for name, a in found.items())
    assert found["injus"].action("bsn") == "pseudonymise"
    found["injus"].require_valid(dt.date(2026, 11, 24))


@pytest.mark.parametrize(
    "change",
    [
        {"source": "kadaster"},
        {"columns": {"bsn": "pseudonymise"}},
        {"identifier_types": ["NL:BSN", "NL:SKN"]},
        {"identifier_types": ["NL:PASPOORT"]},
        {"surprise": 1},
        {"supplier": "Just ID"},
    ],
)
def test_a_contradicting_agreement_is_refused_before_any_row_is_read(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text_of(change), encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreement.load(path)


@pytest.mark.parametrize(
    ("column", "action"), [("bsn", "keep"), ("melding_id", "keep"), ("sector", "pseudonymise"), ("nieuw", "keep")]
)
def test_what_identifies_is_never_kept_and_the_rest_never_pseudonymised(
    tmp_path: Path, column: str, action: str
) -> None:
    content = yaml.safe_load((AGREEMENTS / "injus.yaml").read_text(encoding="utf-8"))
    content["columns"][column] = action
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreement.load(path)


def test_an_expired_agreement_or_dpia_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text_of({"dpia": {"ref": "D", "valid_until": "2026-01-01"}}), encoding="utf-8")
    with pytest.raises(ConfigError, match="agreement_expired"):
        agreement.load(path).require_valid(dt.date(2026, 1, 2))


def test_no_agreement_no_yaml_and_two_about_one_register_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown_agreement"):
        agreement.load(tmp_path / "none.yaml")
    (tmp_path / "a.yaml").write_text("- {", encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreement.load(tmp_path / "a.yaml")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(text_of({}), encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_agreement"):
        agreement.folder(tmp_path)


# Declarations prove themselves ---------------------------------------------------------------------------------

BSN = Column("bsn", Kind.TEXT, Role.IDENTIFIER, "nummer")


def make(**change: object) -> Register:
    base = {"name": "x", "title": "", "holder": "", "legal_basis": "", "grain": "", "source": "", "columns": (BSN,)}
    return Register(**{**base, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"columns": (BSN, BSN)}, {"unique": ("y",)}, {"date_column": "y"}, {"columns": ()}])
def test_a_register_that_contradicts_itself_cannot_be_imported(change: dict[str, object]) -> None:
    assert make().identifiers == ("bsn",)
    with pytest.raises(ValueError, match="register x"):
        make(**change)


def test_a_code_column_names_its_list() -> None:
    with pytest.raises(ValueError, match="CODE column"):
        Column("a", Kind.CODE, Role.MEASURE, "")


def test_an_output_that_contradicts_itself_cannot_be_imported() -> None:
    column = OutColumn("a", pa.int64(), Role.MEASURE, "")
    assert OutTable("t", "", "", (column,), key=("a",)).arrow_schema().names == ["a"]
    with pytest.raises(ValueError, match="declared twice"):
        OutTable("t", "", "", (column, column))
    with pytest.raises(ValueError, match="unknown columns"):
        OutTable("t", "", "", (column,), key=("b",))


def test_an_unknown_register_lists_the_known_ones() -> None:
    assert register("ifzo").name == "ifzo"
    with pytest.raises(ConfigError) as caught:
        register("kadaster")
    assert "gmsd" in str(caught.value.facts["known"])


# Errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["999990019", "bsn 99999001", 'a"b', "x" * 200, 1.5, None, b"k", "naam\n"])
def test_an_error_cannot_carry_data(value: object) -> None:
    with pytest.raises(UnsafeFact) as caught:
        QualityGate("row_count_mismatch", what=value)
    assert str(value) not in str(caught.value)


def test_an_error_says_what_happened_and_what_to_do() -> None:
    error = QualityGate("row_count_mismatch", register="injus", rows_in=3, rows_out=2)
    assert str(error).startswith("row_count_mismatch (register=injus, rows_in=3, rows_out=2): rows in and")
    assert error.exit_code == 13


def test_every_branch_has_its_exit_code() -> None:
    found = {kind.__name__: kind.exit_code for kind in KoppelError.__subclasses__()}
    assert found == {
        "ConfigError": 10,
        "DeliveryError": 11,
        "KeyUnavailable": 12,
        "QualityGate": 13,
        "DisclosureRefused": 14,
        "MachineError": 15,
        "Internal": 20,
    }
    assert all(ADVICE.values())
