"""The supplier tool: rows are accounted for, identity and payload part, nothing readable is left behind."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import prf, seal
from pseudonymize.deliver import check
from pseudonymize.domain import Domain
from pseudonymize.identify import Rules
from pseudonymize.parties import SupplierKeys
from pseudonymize.report import DeliveryReport, column_of, sentence
from schemas import codes
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable, QualityGate
from schemas.registers import REGISTERS
from tests.pseudonymize.conftest import (
    CROSSWALK_HEAD,
    INJUS_HEAD,
    PLANTED,
    injus_row,
    synthetic_numbers,
    without_canaries,
)

NUMBERS = [number for number, _ in zip(synthetic_numbers(), range(20), strict=False)]


def opened(folder: Path, identity) -> pa.Table:
    with seal.opened(folder, identity) as reader:
        return pa.Table.from_batches(list(reader), schema=reader.schema)


def mixed_rows() -> list[str]:
    """Twelve rows: good, broken, out of scope, repeated, and with unusable identifiers."""
    return [
        injus_row(1, bsn=NUMBERS[0], skn="S1"),
        injus_row(2, bsn=NUMBERS[0].lstrip("0"), skn="S1", skn_soort="VIP"),
        injus_row(3, bsn="000000000", skn="S2"),  # emptied
        injus_row(4, bsn=f"{NUMBERS[1]}.0"),  # emptied, nothing left
        injus_row(5, skn="x" * 33),  # emptied, nothing left
        injus_row(6, bsn=NUMBERS[2], sector="JJI"),  # out of scope
        injus_row(7, bsn=NUMBERS[3], sector="JJI", datum_gebeurtenis="01-02-2020"),  # out of scope
        injus_row(8, bsn=NUMBERS[4], geslacht="Q"),  # broken
        injus_row(9, bsn=NUMBERS[5], datum_gebeurtenis="31-02-2021"),  # broken
        injus_row(1, bsn=NUMBERS[6]),  # repeats the key of the first row
        injus_row(10, bsn=NUMBERS[7]) + ";te;veel",  # broken shape
        injus_row(11),  # no identifier at all: its row stays
    ]


def test_every_row_in_is_accepted_set_aside_or_out_of_scope(world) -> None:
    source = world.extract("a.csv", INJUS_HEAD, mixed_rows())
    out, report = world.deliver(source)
    assert (report.rows_in, report.accepted, report.quarantined, report.out_of_scope) == (12, 6, 4, 2)
    assert report.reasons == {
        "GESLACHT_ONGELDIG": 1,
        "DATUM_GEBEURTENIS_ONGELDIG": 1,
        "DUBBELE_SLEUTEL": 1,
        "AANTAL_KOLOMMEN": 1,
    }
    assert report.emptied == {"BSN_PLAATSHOUDER": 1, "BSN_NIET_NUMERIEK": 1, "SKN_LENGTE": 1}
    assert dict(report.usable) == {"bsn": 2, "skn": 2, "vip": 1}
    assert report.rows_without == 3
    assert sorted(report.aside.items()) == [
        (("JJI_BUITEN_BEREIK", 2020, "BEGIN_DETENTIE"), 1),
        (("JJI_BUITEN_BEREIK", 2021, "BEGIN_DETENTIE"), 1),
    ]
    told = json.loads((out / "manifest.json").read_text())
    assert told["rows"] == {"in": 12, "accepted": 6, "quarantined": 4, "out_of_scope": 2}
    assert told["reasons"] == dict(report.reasons)


def test_a_check_counts_the_same_and_delivers_nothing(world) -> None:
    source = world.extract("a.csv", INJUS_HEAD, mixed_rows())
    before = set(world.home.rglob("*"))
    agreement = world.agreement("injus")
    checked = check(source, agreement.declared, agreement)
    assert set(world.home.rglob("*")) == before
    _, made = world.deliver(source)
    same = {"delivery", "sequence", "manifest_sha256", "quarantine_file", "planted"}
    assert {k: v for k, v in vars(checked).items() if k not in same} == {
        k: v for k, v in vars(made).items() if k not in same
    }
    bare = check(source, agreement.declared, synthetic=True)
    assert bare.as_dict() == checked.as_dict()
    real = check(source, agreement.declared)
    assert real.usable["bsn"] == 0
    assert real.emptied["BSN_SYNTHETISCH"] == 2


def test_the_suppliers_list_names_rows_and_reasons_and_no_value(world) -> None:
    out, report = world.deliver(world.extract("a.csv", INJUS_HEAD, mixed_rows()))
    assert report.quarantine_file == out.with_name("quarantaine-0001.csv")
    lines = report.quarantine_file.read_text().splitlines()
    assert lines[0] == "rij;reden;kolom;gevolg"
    assert sorted(lines[1:], key=lambda line: int(line.split(";")[0])) == [
        "3;BSN_PLAATSHOUDER;bsn;nummer geleegd",
        "4;BSN_NIET_NUMERIEK;bsn;nummer geleegd",
        "5;SKN_LENGTE;skn;nummer geleegd",
        "8;GESLACHT_ONGELDIG;geslacht;rij apart gezet",
        "9;DATUM_GEBEURTENIS_ONGELDIG;datum_gebeurtenis;rij apart gezet",
        "10;DUBBELE_SLEUTEL;;rij apart gezet",
        "11;AANTAL_KOLOMMEN;;rij apart gezet",
    ]
    assert report.quarantine_file.stat().st_mode & 0o077 == 0


def test_the_report_tells_people_what_to_do_without_a_value(world) -> None:
    _, report = world.deliver(world.extract("a.csv", INJUS_HEAD, mixed_rows()))
    text = report.text()
    for part in (
        "12 rijen gelezen",
        "6 rijen goed",
        "BSN_PLAATSHOUDER (1 keer)",
        "opvulnummer",
    ):
        assert part in text
    assert not any(number in text for number in NUMBERS)
    clean = world.deliver(world.injus(), sequence=2)[1].text()
    assert "Wat u kunt doen" not in clean
    assert "verzegeld en getekend" in clean


def test_identity_and_payload_meet_in_row_ids_only_and_in_another_order(world) -> None:
    out, _ = world.deliver(world.injus(400))
    identity = opened(out / "identity.age", world.converter.identity())
    payload = opened(out / "payload.age", world.linker.identity())
    assert set(identity.column_names) & set(payload.column_names) == {"row_id"}
    one, other = identity["row_id"].to_pylist(), payload["row_id"].to_pylist()
    assert one != other
    assert sorted(one) == sorted(other)
    assert len(set(one)) == 400 + PLANTED


def test_the_converter_cannot_open_the_payload_nor_the_linker_the_identity(delivered) -> None:
    world, folder = delivered.world, delivered.folder
    for file, identity in (("payload.age", world.converter), ("identity.age", world.linker)):
        with pytest.raises(DeliveryError, match="unsealing_failed"):
            opened(folder / file, identity.identity())


def test_pre_pseudonyms_are_those_of_the_protocol(world) -> None:
    rows = [injus_row(1, bsn=NUMBERS[0], skn=" S1"), injus_row(2, skn="V1", skn_soort="vip")]
    out, _ = world.deliver(world.extract("a.csv", INJUS_HEAD, rows))
    found = without_canaries(opened(out / "identity.age", world.converter.identity()), out).to_pylist()
    key = world.supplier("justid").pre.secret
    expected = {
        name: prf.pre(key, "koppelpunt-demo", "run-1", kind).one(value)
        for name, kind, value in (
            ("bsn", "NL:BSN-SYN", NUMBERS[0].encode()),
            ("skn", "NL:SKN", b"S1"),
            ("vip", "NL:VIP", b"V1"),
        )
    }
    (first,) = [row for row in found if row["bsn"]]
    (second,) = [row for row in found if row["vip"]]
    assert (first["bsn"], first["skn"], first["vip"]) == (expected["bsn"], expected["skn"], None)
    assert (second["bsn"], second["skn"], second["vip"]) == (None, None, expected["vip"])


def test_record_keys_pair_within_a_register_and_dropped_columns_are_gone(world) -> None:
    rows = [injus_row(i, detentie_id=" D7" if i < 2 else f"D{i}", inrichting_code="PI") for i in range(4)]
    out, _ = world.deliver(world.extract("a.csv", INJUS_HEAD, rows))
    payload = without_canaries(opened(out / "payload.age", world.linker.identity()), out)
    assert {"melding_id", "inrichting_code", "bsn", "skn", "skn_soort"}.isdisjoint(payload.column_names)
    assert payload.schema.field("detentie_id").type == Domain(
        "v1", "koppelpunt-demo", "record:injus.detentie_id", "run-1"
    ).type(16)
    assert len(set(payload["detentie_id"].to_pylist())) == 3
    key = world.supplier("justid").record.secret
    expected = prf.record(key, "koppelpunt-demo", "run-1", "injus.detentie_id").one(b"D7")[:16]
    assert payload["detentie_id"].to_pylist().count(expected) == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_every_format_gives_the_same_pseudonyms(world, suffix: str) -> None:
    rows = [injus_row(i, bsn=NUMBERS[i]).split(";") for i in range(5)]
    source = world.home / f"extract.{suffix}"
    names = INJUS_HEAD.split(";")
    if suffix == "csv":
        world.extract(source.name, INJUS_HEAD, [";".join(row) for row in rows])
    elif suffix == "parquet":
        pq.write_table(pa.table({n: [row[i] for row in rows] for i, n in enumerate(names)}), source)
    else:
        from openpyxl import Workbook

        book = Workbook()
        for row in [names, *rows]:
            book.active.append(row)
        book.save(source)
    out, report = world.deliver(source)
    found = without_canaries(opened(out / "identity.age", world.converter.identity()), out)["bsn"].to_pylist()
    stage = prf.pre(world.supplier("justid").pre.secret, "koppelpunt-demo", "run-1", "NL:BSN-SYN")
    assert set(found) == {stage.one(number.encode()) for number in NUMBERS[:5]}
    assert report.accepted == 5


def test_with_little_memory_the_delivery_is_the_same_and_nothing_lies_in_clear(world) -> None:
    temporary = world.home / "tmp"
    temporary.mkdir()
    spilled: list[bytes] = []

    def look(step: str, *_: object) -> None:
        if step == "verzegelen" and not spilled:
            spilled.extend(path.read_bytes() for path in temporary.rglob("*") if path.is_file())

    out, report = world.deliver(world.injus(300), limit=1, temporary=temporary, progress=look)
    identity = opened(out / "identity.age", world.converter.identity())
    payload = opened(out / "payload.age", world.linker.identity())
    assert report.accepted + PLANTED == identity.num_rows == payload.num_rows == 300 + PLANTED
    assert identity["row_id"].to_pylist() != payload["row_id"].to_pylist()
    clear = b"".join(spilled)
    assert len(clear) > 40_000
    values = [v for name in ("row_id", "bsn", "skn") for v in identity[name].to_pylist() if v]
    assert not any(value in clear for value in values)
    assert b"BEGIN_DETENTIE" not in clear
    assert list(temporary.iterdir()) == []


def test_a_register_without_payload_has_no_payload_file(world) -> None:
    rows = [f"S{i};;{NUMBERS[i]}" for i in range(5)]
    out, report = world.deliver(world.extract("k.csv", CROSSWALK_HEAD, rows), "crosswalk")
    assert sorted(path.name for path in out.iterdir()) == ["identity.age", "manifest.json", "manifest.sig"]
    assert dict(report.usable) == {"bsn": 5, "skn": 5, "vip": 0}
    assert "payload" not in json.loads((out / "manifest.json").read_text())["hashes"]


def test_an_identifier_the_agreement_does_not_name_is_not_used(world) -> None:
    agreement = world.agreement("injus")
    no_vip = Rules(True, frozenset({"NL:BSN-SYN", "NL:SKN"}))
    rows = [injus_row(1, skn="V1", skn_soort="VIP"), injus_row(2, skn="S1"), injus_row(3)]
    source = world.extract("a.csv", INJUS_HEAD, rows)
    object.__setattr__(agreement, "identifier_types", ("NL:BSN-SYN", "NL:SKN"))
    report = check(source, agreement.declared, agreement)
    assert Rules.of(agreement) == Rules(True, no_vip.types, Rules.of(agreement).dropped, agreement.max_persons)
    assert report.emptied == {"VIP_NIET_OVEREENGEKOMEN": 1}
    assert dict(report.usable) == {"bsn": 0, "skn": 1, "vip": 0}
    object.__setattr__(agreement, "columns", {**agreement.columns, "skn": "drop"})
    assert dict(check(source, agreement.declared, agreement).usable) == {"bsn": 0, "skn": 0, "vip": 0}


def test_progress_is_told_in_rows(world) -> None:
    told: list[tuple[str, int, int | None]] = []
    world.deliver(world.injus(), progress=lambda *step: told.append(step))
    assert told == [("lezen", 40, None), *[("verzegelen", 40 + PLANTED, 40 + PLANTED)] * 2]


def test_coverage_travels_in_the_manifest(world) -> None:
    coverage = {"2022H1": {"status": "definitief", "gemeenten": ["0014", "0363"]}}
    out, _ = world.deliver(world.injus(), coverage=coverage)
    assert json.loads((out / "manifest.json").read_text())["coverage"] == coverage
    with pytest.raises(DeliveryError, match="bad_manifest"):
        world.deliver(world.injus(), sequence=2, coverage={"2022": {}})
    assert not (world.home / "inbox" / "injus" / "0002").exists()


def test_the_tool_refuses_before_reading_a_row(world, monkeypatch) -> None:
    monkeypatch.setattr("schemas.reading.batches", lambda *_: pytest.fail("a row was read"))
    source, agreement = world.home / "none.csv", world.agreement("injus")
    early = (dt.date(2018, 1, 1), agreement.period.until)
    with pytest.raises(ConfigError, match="agreement_mismatch"):
        world.deliver(source, period=early)
    own = world.supplier(agreement.supplier)
    other = next(p.name for p in (world.keys / "suppliers").iterdir() if p.name != agreement.supplier)
    world.supplier = lambda _: SupplierKeys(
        own.pre, own.record, SupplierKeys.load(world.keys / "suppliers" / other).sign
    )
    with pytest.raises(ConfigError, match="agreement_mismatch"):
        world.deliver(source)
    world.supplier = lambda _: own
    world.public = type(world.public)(**{**vars(world.public), "checks": {}})
    with pytest.raises(KeyUnavailable, match="key_check"):
        world.deliver(source)
    with pytest.raises(ConfigError, match="agreement_mismatch"):
        world.agreement, declared = (lambda _: agreement), REGISTERS["gmsd"]
        object.__setattr__(agreement, "source", declared.name)
        from pseudonymize.deliver import deliver

        deliver(
            source,
            REGISTERS["injus"],
            agreement,
            own,
            world.public,
            world.home / "o",
            sequence=1,
            period=early,
        )


def test_an_expired_agreement_and_another_epoch_are_refused(world) -> None:
    agreement = world.agreement("injus")
    world.agreement = lambda _: agreement
    object.__setattr__(agreement, "epoch", "run-2")
    with pytest.raises(ConfigError, match="wrong_domain"):
        world.deliver(world.injus())
    object.__setattr__(agreement.valid, "until", dt.date(2021, 1, 1))
    with pytest.raises(ConfigError, match="agreement_expired"):
        world.deliver(world.injus())


def test_a_delivery_appears_whole_or_not_at_all(world, monkeypatch) -> None:
    monkeypatch.setattr("pseudonymize.deliver._sign", lambda *_: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        world.deliver(world.injus())
    assert list((world.home / "inbox" / "injus").iterdir()) == []


def test_a_killed_delivery_can_be_made_again(world) -> None:
    inbox = world.home / "inbox" / "injus"
    (inbox / ".0001.part").mkdir(parents=True)
    (inbox / ".0001.part" / "identity.age").write_bytes(b"half")
    (inbox / "quarantaine-0001.csv").write_text("half")
    (inbox / ".quarantaine-0001.csv.part").write_text("half")
    out, report = world.deliver(world.injus())
    assert report.accepted == 40
    assert sorted(path.name for path in inbox.iterdir()) == ["0001", "quarantaine-0001.csv"]
    assert len(list(out.iterdir())) == 4


def test_an_empty_folder_may_be_filled_and_a_file_may_not(world) -> None:
    inbox = world.home / "inbox" / "injus"
    (inbox / "0001").mkdir(parents=True)
    (inbox / "0002").write_text("x")
    assert world.deliver(world.injus())[1].accepted == 40
    with pytest.raises(ConfigError, match="output_exists"):
        world.deliver(world.injus(), sequence=2)


def test_nothing_is_overwritten(world) -> None:
    world.deliver(world.injus())
    with pytest.raises(ConfigError, match="output_exists"):
        world.deliver(world.injus())
    with pytest.raises(ConfigError, match="output_exists"):
        check(world.injus(), REGISTERS["injus"], quarantine_to=world.home / "injus.csv")


def test_rows_that_do_not_add_up_stop_the_program() -> None:
    report = DeliveryReport("injus", rows_in=3, accepted=2)
    with pytest.raises(QualityGate, match="row_count_mismatch"):
        report.require_balance()
    report.quarantined = 1
    with pytest.raises(QualityGate, match="row_count_mismatch"):
        report.require_balance()
    report.reasons["BSN_LEEG"] = 1
    report.require_balance()


def test_every_reason_has_a_column_and_a_sentence() -> None:
    injus = REGISTERS["injus"]
    assert column_of(injus, "DATUM_MELDING_VOOR_DATUM_GEBEURTENIS") == "datum_melding"
    assert column_of(injus, "DUBBELE_SLEUTEL") == ""
    assert sentence(injus, "GEBOORTEJAAR_BUITEN_BEREIK") == "geboortejaar ligt niet tussen 1900 en 2020."
    assert sentence(injus, "SECTOR_LEEG") == "sector moet gevuld zijn."
    assert "codeboek" in sentence(injus, "SECTOR_ONGELDIG")
    assert sentence(injus, "VIP_TEKENS").startswith("een vip-nummer")
    assert "elfproef" in sentence(injus, "BSN_ELFPROEF")


def test_every_kind_and_reason_of_every_register_fits_the_manifest() -> None:
    from pseudonymize.manifest import Aside

    for register in REGISTERS.values():
        kinds = {"ONBEKEND"}
        if register.kind_column and (name := register.by_name[register.kind_column].codes):
            kinds |= set(codes.load(name).values())
        reasons = {rule.code for rule in (*register.rules, *register.out_of_scope)}
        for reason in reasons or {"X"}:
            for kind in kinds:
                Aside(reason=reason, year=2022, kind=kind, n=1)
    with pytest.raises(ValueError, match="kind"):
        Aside(reason="X", year=2022, kind=NUMBERS[0], n=1)
