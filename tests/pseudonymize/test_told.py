"""What a refusal says, to the letter: code and facts of every error of this room's gates.

Mutation testing showed that `match="replay"` also passes for an error that forgot which delivery it is about.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import accept, bsn, convert, domain, keys, manifest, parquet, prf, rotate
from pseudonymize.bsn import Bsn
from pseudonymize.domain import Domain
from pseudonymize.ledger import Ledger
from pseudonymize.secret import Secret
from pseudonymize.split import RowSet, identity_schema
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable, KoppelError

ONE, TWO = "1" * 64, "2" * 64


def told(step: Callable[[], object]) -> tuple[type[KoppelError], str, dict[str, object]]:
    with pytest.raises(KoppelError) as caught:
        step()
    return type(caught.value), caught.value.code, dict(caught.value.facts)


# The ledger ----------------------------------------------------------------------------------------------------


def test_a_replay_and_a_gap_name_the_delivery(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "down" / "ledger.json")
    ledger.record("ifzo", "dji", 1, ONE)
    again = told(lambda: ledger.require_next("ifzo", "dji", 1, TWO))
    assert again == (DeliveryError, "replay", {"register": "ifzo", "sequence": 1})
    same = told(lambda: ledger.require_next("ifzo", "dji", 2, ONE))
    assert same == (DeliveryError, "replay", {"register": "ifzo", "sequence": 2})
    gap = told(lambda: ledger.require_next("ifzo", "dji", 4, TWO))
    assert gap == (DeliveryError, "sequence_gap", {"register": "ifzo", "sequence": 4, "missing": 2})
    waiting = told(lambda: ledger.require_next("ifzo", "dji", 5, TWO, waiting=2))
    assert waiting[2]["missing"] == 4
    ledger.require_next("ifzo", "dji", 4, TWO, waiting=2)


def test_the_ledger_is_a_file_that_people_can_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    Ledger(path).record("ifzo", "dji", 1, ONE)
    Ledger(path).record("gmsd", "cbs", 1, TWO)
    content = {"accepted": {"gmsd": {"cbs": {"1": TWO}}, "ifzo": {"dji": {"1": ONE}}}}
    assert path.read_text(encoding="ascii") == json.dumps(content, indent=1)
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.json"]


def test_what_was_counted_is_added_up_and_survives(tmp_path: Path) -> None:
    """A number recorded without a count weighs as much as the caller says: never nothing by accident."""
    path = tmp_path / "ledger.json"
    for number, count in enumerate((5, None, 0), start=1):
        Ledger(path).record("injus", "justid", number, f"{number}" * 64, count)
    Ledger(path).record("injus", "other", 1, ONE, 50)
    assert json.loads(path.read_text(encoding="ascii"))["counted"] == {
        "injus": {"justid": {"1": 5, "3": 0}, "other": {"1": 50}}
    }
    assert Ledger(path).counted("injus", "justid", unknown=1_000) == 1_005
    assert Ledger(path).counted("injus", "other", unknown=1_000) == 50
    Ledger(path).record("injus", "uncounted", 1, TWO)
    assert Ledger(path).counted("injus", "uncounted", unknown=1_000) == 1_000
    assert Ledger(path).counted("gmsd", "justid", unknown=1_000) == 0
    assert Ledger(path).counted("injus", "nobody", unknown=1_000) == 0


@pytest.mark.parametrize("counted", [{"x": 1}, {"1": -1}, {"1": "3"}, {"1": True}, {"1": 1.0}, {"1": None}])
def test_a_damaged_count_is_an_error_and_never_no_count(tmp_path: Path, counted: dict[str, object]) -> None:
    path = tmp_path / "ledger.json"
    whole = {"accepted": {"ifzo": {"dji": {"1": ONE}}}, "counted": {"ifzo": {"dji": counted}}}
    path.write_text(json.dumps(whole))
    assert told(lambda: Ledger(path)) == (DeliveryError, "damaged_ledger", {})


@pytest.mark.parametrize("entry", [{"x": ONE}, {"1": "short"}, {"\u0661": ONE}, {"1": 3}])
def test_a_damaged_ledger_is_an_error_and_never_an_empty_one(tmp_path: Path, entry: dict[str, object]) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps({"accepted": {"ifzo": {"dji": entry}}}))
    assert told(lambda: Ledger(path)) == (DeliveryError, "damaged_ledger", {})


# A delivery ----------------------------------------------------------------------------------------------------


def agreed(delivered, **changes: object):
    """The verified manifest with some fields changed, against the agreement it was made under."""
    found = accept.read_verified(delivered.folder)
    world = delivered.world
    return lambda: accept._require_agreed(found.model_copy(update=changes), world.agreement("injus"), world.public)


@pytest.mark.parametrize(
    ("changes", "code", "facts"),
    [
        ({"register_name": "gmsd"}, "agreement_mismatch", {"field": "register"}),
        ({"supplier": "dji"}, "agreement_mismatch", {"field": "supplier"}),
        (
            {"agreement": manifest.AgreementRef(id="GLO-X-01", sha256="0" * 64)},
            "agreement_mismatch",
            {"field": "agreement"},
        ),
        (
            {"agreement": manifest.AgreementRef(id="GLO-INJUS-SYN-01", sha256="0" * 64)},
            "agreement_mismatch",
            {"field": "text"},
        ),
        ({"project": "other"}, "agreement_mismatch", {"field": "project"}),
        ({"epoch": "run-9"}, "agreement_mismatch", {"field": "epoch"}),
        ({"key_check": "0" * 16}, "key_check", {"field": "key_check"}),
        ({"identifier_types": ("NL:BSN",)}, "real_refused", {"register": "injus"}),
        (
            {"period": manifest.Period.model_validate({"from": "2018-01-01", "until": "2020-01-01"})},
            "agreement_mismatch",
            {"field": "period"},
        ),
    ],
)
def test_what_differs_from_the_agreement_is_named(delivered, changes, code: str, facts: dict[str, object]) -> None:
    assert told(agreed(delivered, **changes)) == (DeliveryError, code, facts)


def test_an_unchanged_delivery_is_agreed(delivered) -> None:
    agreed(delivered)()


def test_a_period_of_one_day_is_a_period(delivered) -> None:
    agreement = delivered.world.agreement("injus")
    for day in (agreement.period.from_, agreement.period.until):
        agreed(delivered, period=manifest.Period.model_validate({"from": day, "until": day}))()


def test_synthetic_numbers_under_a_real_agreement_name_the_register(delivered) -> None:
    agreement = delivered.world.agreement("injus")
    object.__setattr__(agreement, "synthetic", False)
    object.__setattr__(agreement, "identifier_types", ("NL:BSN", "NL:SKN", "NL:VIP"))
    found = accept.read_verified(delivered.folder)
    refused = told(lambda: accept._require_agreed(found, agreement, delivered.world.public))
    assert refused == (DeliveryError, "synthetic_refused", {"register": "injus"})


def test_more_persons_than_agreed_are_counted_against_the_agreement(delivered) -> None:
    agreement, found = delivered.world.agreement("injus"), accept.read_verified(delivered.folder)
    persons = max(found.identifiers.distinct.values())
    object.__setattr__(agreement, "max_persons", persons)
    accept._require_agreed(found, agreement, delivered.world.public)
    object.__setattr__(agreement, "max_persons", persons - 1)
    refused = told(lambda: accept._require_agreed(found, agreement, delivered.world.public))
    assert refused[:2] == (DeliveryError, "too_many_persons") and refused[2]["register"] == "injus"


def test_what_was_verified_before_is_told_again(delivered, tmp_path: Path) -> None:
    """A resumed run gets the same manifest and hash from the ledger as from the signature, and knows which it was."""
    world, ledger = delivered.world, Ledger(tmp_path / "ledger.json")
    first = accept.verify(delivered.folder, world.agreement("injus"), world.public, ledger)
    ledger.record("injus", "justid", 1, first.sha256)
    again = accept.verify(delivered.folder, world.agreement("injus"), world.public, ledger)
    assert (first.known, again.known) == (False, True)
    assert (again.manifest, again.sha256) == (first.manifest, first.sha256)


def test_a_stray_file_is_counted_and_not_named(delivered, tmp_path: Path) -> None:
    folder = shutil.copytree(delivered.folder, tmp_path / "0001")
    (folder / "naam van een persoon.txt").write_text("")
    (folder / "nog een").write_text("")
    found = accept.read_verified(folder)
    assert told(lambda: accept._require_files(folder, found)) == (DeliveryError, "stray_file", {"files": 2})


@pytest.mark.parametrize(("name", "shown"), [("identity.age", "identity.age"), ("brief.txt", "other")])
def test_a_wrong_hash_names_our_own_files_only(tmp_path: Path, name: str, shown: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    expected = (DeliveryError, "bad_hash", {"file": shown})
    assert told(lambda: accept.require_hash(tmp_path / name, "0" * 64)) == expected
    assert told(lambda: accept.require_hash(tmp_path / name, None)) == expected
    assert told(lambda: accept.require_hash(tmp_path / "weg" / name, "0" * 64)) == expected
    right = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # SHA-256 of the letter x
    accept.require_hash(tmp_path / name, right)
    (tmp_path / "link").symlink_to(tmp_path / name)
    assert told(lambda: accept.require_hash(tmp_path / "link", right))[1] == "bad_hash"


def test_a_file_too_large_to_be_a_manifest_is_not_read_whole(tmp_path: Path) -> None:
    """One byte past the limit is enough to see that it is too large; what is no file is one fault."""
    (tmp_path / "manifest.json").write_bytes(b"x" * 100)
    assert accept._read(tmp_path / "manifest.json", 5) == b"x" * 6
    (tmp_path / "link").symlink_to(tmp_path / "manifest.json")
    for absent in (tmp_path / "none", tmp_path, tmp_path / "link"):
        assert told(lambda path=absent: accept._read(path, 5)) == (DeliveryError, "bad_manifest", {"faults": 1})


def test_the_quota_says_declared_and_read(delivered) -> None:
    found = accept.read_verified(delivered.folder)
    convert.require_quota(found.delivered, found)
    rows = found.delivered + 1
    expected = (DeliveryError, "row_count_mismatch", {"declared": found.delivered, "read": rows})
    assert told(lambda: convert.require_quota(rows, found)) == expected


def test_rows_that_are_missing_at_the_end_are_counted(delivered) -> None:
    found, none = accept.read_verified(delivered.folder), RowSet()
    expected = (DeliveryError, "row_count_mismatch", {"declared": found.delivered, "read": 0})
    assert told(lambda: convert.require_all(none, found)) == expected


def test_an_identity_file_of_another_shape_or_project_says_which(delivered) -> None:
    found, key = accept.read_verified(delivered.folder), delivered.world.converter.link()
    pre = Domain("v1", "koppelpunt-demo", "pre", "run-1")
    good = identity_schema(pre)
    convert._require_identity(good, found, key)
    more = good.append(pa.field("naam", pa.string()))
    shape = (DeliveryError, "bad_schema", {"file": "identity.age"})
    assert told(lambda: convert._require_identity(more, found, key)) == shape
    with_names = found.model_copy(update={"identifier_types": (*found.identifier_types, "NL:FB")})
    assert told(lambda: convert._require_identity(good, with_names, key)) == shape
    convert._require_identity(identity_schema(pre, convert.identity_columns(with_names)), with_names, key)
    other = replace(key, project="other")
    expected = {"expected": "project other", "found": "project koppelpunt-demo"}
    assert told(lambda: convert._require_identity(good, found, other)) == (ConfigError, "wrong_domain", expected)


# Domains -------------------------------------------------------------------------------------------------------

LINK = Domain("v1", "demo", "link", "epoch-1")


def test_a_column_without_a_domain_says_so() -> None:
    schema = pa.schema([pa.field("x", pa.binary(32)), LINK.field("link", 32)])
    assert told(lambda: domain.of_field(schema, "x")) == (ConfigError, "wrong_domain", {"found": "none"})
    assert told(lambda: Domain.parse("v1/demo"))[:2] == (ConfigError, "wrong_domain")
    assert told(lambda: Domain("v1", "Demo", "link", "epoch-1"))[:2] == (ConfigError, "bad_label")
    damaged = pa.schema([pa.field("x", pa.binary(32), metadata={domain.KEY: b"\xff\xfe"})])
    assert told(lambda: domain.of_field(damaged, "x"))[:2] == (ConfigError, "wrong_domain")


def test_a_file_of_another_project_is_told_from_a_file_of_no_link(delivered, tmp_path: Path) -> None:
    path, world = tmp_path / "p.parquet", delivered.world
    table = pa.table([pa.array([b"x" * 32], pa.binary(32))], schema=pa.schema([LINK.field("link", 32)]))
    pq.write_table(table, path)
    found = told(lambda: convert.to_recipient(path, "onderzoek", world.converter, tmp_path / "o.parquet"))
    expected = {"expected": Domain("v1", "koppelpunt-demo", "link", "epoch-1").label, "found": LINK.label}
    assert found == (ConfigError, "wrong_domain", expected)
    label = Domain("v1", "koppelpunt-demo", "link", "epoch-1").label.encode()
    for values in (pa.array(["x"]), pa.array([b"x" * 31], pa.binary()), pa.array([b"x" * 16], pa.binary(16))):
        named = pa.schema([pa.field("link", values.type)], metadata={b"koppel.domain.link": label})
        pq.write_table(pa.table([values], schema=named), path)
        found = told(lambda: convert.to_recipient(path, "onderzoek", world.converter, tmp_path / "o.parquet"))
        assert found == (DeliveryError, "bad_schema", {"column": "link"})


def test_all_rows_of_a_file_in_pieces_are_counted(delivered, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "READ_ROWS", 4)
    label = Domain("v1", "koppelpunt-demo", "link", "epoch-1")
    table = pa.table([pa.array([bytes([n]) * 32 for n in range(9)], pa.binary(32))], names=["link"])
    table = table.cast(pa.schema([pa.field("link", pa.binary(32))], metadata={b"koppel.domain.link": label.label}))
    pq.write_table(table, tmp_path / "p.parquet")
    out, steps = tmp_path / "o.parquet", list[int]()
    done = convert.to_recipient(
        tmp_path / "p.parquet", "onderzoek", delivered.world.converter, out, lambda _, rows, __: steps.append(rows)
    )
    assert steps == [4, 8, 9]
    assert done.rows == pq.read_metadata(out).num_rows == 9
    assert domain.storage(pq.read_table(out)["link"]).type == pa.binary(prf.PSEUDONYM)


# Keys and numbers ----------------------------------------------------------------------------------------------


def test_a_key_says_which_kind_and_never_which_file(delivered, tmp_path: Path) -> None:
    folder = shutil.copytree(delivered.world.keys / "converter", tmp_path / "of-a-person")
    gone = told(lambda: keys.load(tmp_path / "of-nobody" / "link.key", "link"))
    assert gone[:2] == (KeyUnavailable, "key_missing") and "nobody" not in str(gone[2])
    assert told(lambda: keys.load(folder / "link.key", "pre")) == (KeyUnavailable, "key_check", {"kind": "pre"})
    key = delivered.world.converter.link()
    assert told(lambda: key.require_tag("0" * 16)) == (KeyUnavailable, "key_check", {"kind": "link"})
    assert told(lambda: key.require("other", key.epoch)) == (ConfigError, "wrong_domain", {"kind": "link"})
    assert told(lambda: keys.save(folder / "link.key", key)) == (ConfigError, "output_exists", {})
    again = told(lambda: keys.make(folder / "link.key", "link", key.project, key.epoch, "converter"))
    assert again == (ConfigError, "output_exists", {})
    (folder / "link.key").chmod(0o440)
    assert told(lambda: keys.load(folder / "link.key", "link"))[:2] == (KeyUnavailable, "key_open")


def test_a_key_file_is_text_that_people_can_read(delivered) -> None:
    text = (delivered.world.keys / "converter" / "link.key").read_text(encoding="ascii")
    assert text == json.dumps(json.loads(text), indent=1) + "\n"


def test_a_damaged_key_file_of_any_kind_says_that_it_is_a_key(delivered, tmp_path: Path) -> None:
    folder = shutil.copytree(delivered.world.keys / "converter", tmp_path / "copy")
    (folder / "link.key").chmod(0o600)
    (folder / "link.key").write_text("{}", encoding="ascii")
    assert told(lambda: keys.KeyFile.read(folder / "link.key")) == (KeyUnavailable, "key_check", {"kind": "key"})


def test_a_key_file_put_back_after_its_destruction_names_what_was_destroyed(delivered, tmp_path: Path) -> None:
    shutil.copytree(delivered.world.keys, tmp_path / "keys")
    folder = tmp_path / "keys" / "converter"
    kept = (folder / "link.key").read_bytes()
    _, content = rotate.destroy(folder, "link", "converter", "epoch-1", "rotation")
    gone = (KeyUnavailable, "key_destroyed", {"kind": "link", "epoch": "epoch-1", "id": content["id"]})
    assert told(lambda: keys.load(folder / "link.key", "link")) == gone
    (folder / "link.key").write_bytes(kept)
    (folder / "link.key").chmod(0o400)
    assert told(lambda: keys.load(folder / "link.key", "link")) == gone
    with pytest.raises(KeyUnavailable, match="key_missing"):
        keys.load(folder / "never.key", "link")


def test_a_key_set_aside_works_to_the_end_of_its_last_day(delivered, tmp_path: Path, monkeypatch) -> None:
    folder = shutil.copytree(delivered.world.keys / "converter", tmp_path / "converter")
    shutil.copytree(delivered.world.keys / "kek", tmp_path / "kek")
    last = dt.date(2030, 6, 30)
    aside = keys.retire(folder / "link.key", last)
    found = keys.KeyFile.read(aside)
    assert (aside.name, found.last_day()) == ("link@epoch-1.key", last)
    assert keys.KeyFile.read(folder / "link.key").last_day() is None
    monkeypatch.setattr(keys.clock, "today", lambda: last)
    assert found.open(folder).tag == found.check
    monkeypatch.setattr(keys.clock, "today", lambda: last + dt.timedelta(days=1))
    over = (KeyUnavailable, "overlap_over", {"kind": "link", "epoch": "epoch-1"})
    assert told(lambda: found.open(folder)) == over


def test_a_number_shows_itself_masked_and_has_nine_digits() -> None:
    assert repr(Bsn(b"700000003")) == "Bsn(*********)"
    with pytest.raises(TypeError, match=r"^a BSN is never pickled or copied$"):
        Bsn(b"700000003").__reduce_ex__(2)
    with pytest.raises(ValueError, match="zip"):
        bsn.remainder("70000000")


def test_a_name_in_an_error_is_short_and_holds_no_number() -> None:
    assert prf.told("a" * 161) == "a" * 160
    assert prf.told("epoch-20260101") == "epoch-+" and prf.told("epoch-2026010") == "epoch-2026010"


def test_a_wrong_label_is_refused_at_every_stage() -> None:
    key = Secret(bytes(32))
    for step in (
        lambda: prf.pre(key, "Demo", "e", "NL:BSN"),
        lambda: prf.link(key, "demo", "e e"),
        lambda: prf.recipient(key, "demo", "", "e"),
        lambda: prf.record(key, "demo", "e", "column"),
    ):
        assert told(step) == (ConfigError, "bad_label", {})
    with pytest.raises(UnicodeEncodeError):
        prf.pre(key, "demo", "e", "NL:\u00d1")
