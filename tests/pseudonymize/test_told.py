"""What a refusal says, to the letter: code and facts of every error of this room's gates.

Mutation testing showed that `match="replay"` also passes for an error that forgot which delivery it is about.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import accept, bsn, convert, domain, keys, manifest, prf
from pseudonymize.bsn import Bsn
from pseudonymize.domain import Domain
from pseudonymize.ledger import Ledger
from pseudonymize.secret import Secret
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


def test_the_quota_says_declared_and_read(delivered) -> None:
    found = accept.read_verified(delivered.folder)
    convert.require_quota(found.delivered, found)
    rows = found.delivered + 1
    expected = (DeliveryError, "row_count_mismatch", {"declared": found.delivered, "read": rows})
    assert told(lambda: convert.require_quota(rows, found)) == expected


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
    text = pa.schema([pa.field("link", pa.string(), metadata={domain.KEY: label})])
    pq.write_table(pa.table([pa.array(["x"])], schema=text), path)
    found = told(lambda: convert.to_recipient(path, "onderzoek", world.converter, tmp_path / "o.parquet"))
    assert found[1] in {"bad_schema", "wrong_domain"}
    narrow = pa.schema([pa.field("link", pa.binary(), metadata={domain.KEY: label})])
    pq.write_table(pa.table([pa.array([b"x" * 31], pa.binary())], schema=narrow), path)
    found = told(lambda: convert.to_recipient(path, "onderzoek", world.converter, tmp_path / "o.parquet"))
    assert found[1] in {"bad_schema", "wrong_domain"}


# Keys and numbers ----------------------------------------------------------------------------------------------


def test_a_key_says_which_kind_and_never_which_file(delivered, tmp_path: Path) -> None:
    folder = shutil.copytree(delivered.world.keys / "converter", tmp_path / "of-a-person")
    gone = told(lambda: keys.load(tmp_path / "of-nobody" / "link.key", "link"))
    assert gone[:2] == (KeyUnavailable, "key_missing") and "nobody" not in str(gone[2])
    assert told(lambda: keys.load(folder / "link.key", "pre")) == (KeyUnavailable, "key_check", {"kind": "pre"})
    key = delivered.world.converter.link()
    assert told(lambda: key.require_tag("0" * 16)) == (KeyUnavailable, "key_check", {"kind": "link"})
    assert told(lambda: key.require("other", key.epoch))[:2] == (ConfigError, "wrong_domain")
    assert told(lambda: keys.save(folder / "link.key", key))[:2] == (ConfigError, "output_exists")
    (folder / "link.key").chmod(0o440)
    assert told(lambda: keys.load(folder / "link.key", "link"))[:2] == (KeyUnavailable, "key_open")


def test_a_number_shows_itself_masked_and_has_nine_digits() -> None:
    assert repr(Bsn(b"700000003")) == "Bsn(*********)"
    with pytest.raises(TypeError, match=r"^a BSN is never pickled or copied$"):
        Bsn(b"700000003").__reduce_ex__(2)
    with pytest.raises(ValueError, match="zip"):
        bsn.remainder("70000000")


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
