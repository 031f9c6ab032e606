"""Canaries: agreed numbers of nobody, in every delivery, known in every domain to the converter alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyrage
import pytest

from pseudonymize import bsn, canary, needles, prf, seal, signing
from pseudonymize.accept import read_verified, verify
from pseudonymize.convert import convert
from pseudonymize.deliver import check
from pseudonymize.domain import Domain
from pseudonymize.identify import Rules
from schemas.errors import DeliveryError
from schemas.registers import REGISTERS
from synthetic import serial
from tests.pseudonymize.conftest import AGREEMENTS, INJUS_HEAD, PLANTED, World, injus_row

REAL = [one.bsn for one in canary.listed()]
MADE = [one.bsn_syn for one in canary.listed()]


@pytest.fixture(scope="module")
def store(delivered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store after one delivery was converted."""
    folder = tmp_path_factory.mktemp("store")
    convert(delivered.folder, delivered.world.converter, folder / "injus" / "0001" / "link.parquet")
    return folder


# The list ------------------------------------------------------------------------------------------------------


def test_no_canary_can_be_a_person() -> None:
    assert all(number.startswith("9999") and len(number) == 9 for number in REAL + MADE)
    assert {bsn.remainder(number) for number in REAL} == {0}
    assert {bsn.remainder(number) for number in MADE} == {bsn.SYNTHETIC_REMAINDER}
    assert len({*REAL, *MADE}) == 2 * len(REAL)
    assert len({one.skn for one in canary.listed()}) == len(REAL)


def test_every_register_has_two_of_its_own_and_the_common_one() -> None:
    counts = Counter(one.register for one in canary.listed())
    assert counts == {canary.EVERY: 1, **dict.fromkeys(REGISTERS, 2)}
    for name in REGISTERS:
        assert [one.register for one in canary.of(name)] == [canary.EVERY, name, name]


def test_the_synthetic_country_gives_out_none_of_them() -> None:
    """Its numbers end below the range, whatever the seed."""
    assert int(min(MADE)) > (serial._LOW + serial._PRIME) * 10


@pytest.mark.parametrize("number", [*REAL[:2], *MADE[:2]])
def test_a_canary_in_an_extract_is_refused_as_a_placeholder(world: World, number: str) -> None:
    rows = [injus_row(1, bsn=number), injus_row(2, bsn="700000003")]
    for synthetic in (True, False):
        report = check(world.extract("a.csv", INJUS_HEAD, rows), REGISTERS["injus"], synthetic=synthetic)
        assert report.emptied["BSN_PLAATSHOUDER"] == 1


def test_a_canary_shows_no_number() -> None:
    assert not any(number in repr(canary.listed()) for number in REAL)


# In a delivery -------------------------------------------------------------------------------------------------


def test_the_manifest_counts_them_apart_from_the_rows(delivered) -> None:
    manifest = read_verified(delivered.folder)
    assert (manifest.rows.in_, manifest.rows.accepted) == (40, 40)
    assert (manifest.canaries.rows, manifest.delivered) == (PLANTED, 40 + PLANTED)
    assert manifest.canaries.listed == canary.list_tag()
    assert manifest.identifiers.rows_without == 0
    assert delivered.report.accepted == 40


def test_nobody_on_the_way_can_tell_a_canary_by_its_shape(delivered) -> None:
    """In the identity file a canary is a row like others; only the manifest says which."""
    with seal.opened(delivered.folder / "identity.age", delivered.world.converter.identity()) as reader:
        table = pa.Table.from_batches(list(reader))
    planted = set(read_verified(delivered.folder).canaries.row_ids)
    places = [i for i, row_id in enumerate(table["row_id"].to_pylist()) if row_id.hex() in planted]
    assert len(places) == PLANTED
    rows = table.take(pa.array(places))
    assert rows["bsn"].null_count == rows["skn"].null_count == 0
    assert rows["vip"].null_count == PLANTED


def test_only_agreed_types_of_number_are_planted() -> None:
    rules = Rules(True, frozenset({bsn.SYNTHETIC}))
    table, found = canary.rows(REGISTERS["gmsd"], rules)
    assert found["bsn"].values.to_pylist() == [one.bsn_syn.encode() for one in canary.of("gmsd")]
    assert found["skn"].values.null_count == found["vip"].values.null_count == table.num_rows
    real = canary.rows(REGISTERS["gmsd"], Rules(False, frozenset({bsn.REAL})))[1]["bsn"]
    assert real.values.to_pylist() == [one.bsn.encode() for one in canary.of("gmsd")]


def resigned(delivered, tmp_path: Path, **canaries: object) -> Path:
    """The same delivery, its manifest saying something else about the canaries; signed by its supplier."""
    folder = shutil.copytree(delivered.folder, tmp_path / "0001")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["canaries"] |= canaries
    text = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sig").write_bytes(signing.sign(delivered.world.supplier("justid").sign.secret, text))
    return folder


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"listed": "0" * 16}, "canaries_missing"),
        ({"rows": 1, "row_ids": ["0" * 32]}, "canaries_missing"),
        ({"rows": 2}, "bad_manifest"),
        ({"row_ids": ["0" * 32] * PLANTED}, "bad_manifest"),
        ({"rows": 0, "row_ids": []}, "bad_manifest"),
    ],
)
def test_a_delivery_without_the_agreed_canaries_is_refused(delivered, tmp_path: Path, change, code: str) -> None:
    folder, world = resigned(delivered, tmp_path, **change), delivered.world
    with pytest.raises(DeliveryError, match=code):
        verify(folder, world.agreement("injus"), world.public)


def test_a_declared_canary_must_have_come(delivered, tmp_path: Path) -> None:
    ids = [f"{number:032x}" for number in range(PLANTED)]
    folder = resigned(delivered, tmp_path, row_ids=ids)
    with pytest.raises(DeliveryError, match="canaries_missing"):
        convert(folder, delivered.world.converter, tmp_path / "link.parquet")
    assert not (tmp_path / "link.parquet").exists()


# What they look like -------------------------------------------------------------------------------------------


def test_the_converter_knows_them_as_the_protocol_makes_them(delivered, store: Path) -> None:
    """Expected pseudonyms, computed here from the numbers under every party's keys: what no party could do alone."""
    world = delivered.world
    (found,) = canary.expected(store, world.converter.identity())
    pre = prf.pre(world.supplier("justid").pre.secret, "koppelpunt-demo", "run-1", bsn.SYNTHETIC)
    link = prf.link(world.converter.link().secret, "koppelpunt-demo", "epoch-1")
    for one, row in zip(canary.of("injus"), found.canaries, strict=True):
        assert row["pre"]["bsn"] == pre.one(one.bsn_syn.encode()).hex()
        assert row["link"]["bsn"] == link.one(pre.one(one.bsn_syn.encode())).hex()
    assert found.domains == {
        "pre": Domain("v1", "koppelpunt-demo", "pre", "run-1").label,
        "link": Domain("v1", "koppelpunt-demo", "link", "epoch-1").label,
    }
    links = pq.read_table(store / "injus" / "0001" / "link.parquet")["bsn"].to_pylist()
    assert {bytes.fromhex(row["link"]["bsn"]) for row in found.canaries} <= set(links)


def test_needles_are_every_canary_in_every_domain(delivered, store: Path) -> None:
    world = delivered.world
    wanted = needles.of_canaries(store, world.converter, ["onderzoek", "gemeente"])
    per_domain = Counter(needle.domain for needle in wanted)
    labels = [f"v1/koppelpunt-demo/{name}" for name in ("pre/run-1", "link/epoch-1")]
    labels += [f"v1/koppelpunt-demo/recipient:{name}/epoch-1" for name in ("onderzoek", "gemeente")]
    assert per_domain == {needles.NUMBER: 3 * len(REAL), **dict.fromkeys(labels, 2 * PLANTED)}
    stage = prf.recipient(world.converter.recipient("gemeente").secret, "koppelpunt-demo", "gemeente", "epoch-1")
    (found,) = canary.expected(store, world.converter.identity())
    expected = stage.one(bytes.fromhex(found.canaries[0]["link"]["bsn"]))
    assert expected in {needle.value for needle in wanted if needle.domain == labels[3]}


def test_what_they_look_like_is_sealed_and_private(delivered, store: Path) -> None:
    path = store / "injus" / "0001" / canary.FILE
    assert path.read_bytes().startswith(b"age-encryption.org/v1")
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(DeliveryError, match="canaries_missing"):
        canary.expected(store, delivered.world.linker.identity())


def test_a_delivery_without_its_file_is_noticed(delivered, store: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(store, tmp_path / "store")
    (copy / "injus" / "0002").mkdir()
    with pytest.raises(DeliveryError, match="canaries_missing"):
        canary.expected(copy, delivered.world.converter.identity())


@pytest.mark.parametrize(("label", "refused"), [("run-1", True), ("run-2", False)])
def test_the_common_canary_looks_the_same_in_all_deliveries_of_an_epoch(
    delivered, store: Path, tmp_path: Path, label: str, refused: bool
) -> None:
    """A supplier with another K_S, or that writes numbers another way, is seen before anything is released."""
    copy, identity = shutil.copytree(store, tmp_path / "store"), delivered.world.converter.identity()
    (found,) = canary.expected(store, identity)
    found.canaries[0]["pre"]["bsn"] = "00" * 32
    found.domains["pre"] = f"v1/koppelpunt-demo/pre/{label}"
    own = pyrage.x25519.Identity.from_str(identity.reveal().decode())
    (copy / "injus" / "0002").mkdir()
    content = json.dumps(vars(found)).encode()
    (copy / "injus" / "0002" / canary.FILE).write_bytes(pyrage.encrypt(content, [own.to_public()]))
    if refused:
        with pytest.raises(DeliveryError, match="canary_mismatch"):
            canary.expected(copy, identity)
    else:
        assert len(canary.expected(copy, identity)) == 2


def test_the_payload_of_a_canary_is_empty(delivered) -> None:
    with seal.opened(delivered.folder / "payload.age", delivered.world.linker.identity()) as reader:
        table = pa.Table.from_batches(list(reader))
    planted = [bytes.fromhex(text) for text in read_verified(delivered.folder).canaries.row_ids]
    rows = table.filter(pc.is_in(table["row_id"], value_set=pa.array(planted, pa.binary(16)))).drop_columns(["row_id"])
    assert rows.num_rows == PLANTED
    assert all(column.null_count == PLANTED for column in rows.columns)


def test_agreements_of_the_demonstration_are_those_of_the_list() -> None:
    assert {path.stem for path in AGREEMENTS.glob("*.yaml")} == set(REGISTERS)
