"""Conversion: from pre to link to recipient, within the quota, with the right label, and never back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import parquet, prf, seal, signing
from pseudonymize.convert import convert, to_recipient
from pseudonymize.domain import Domain, of_field, storage
from pseudonymize.payload import open_payload
from schemas.errors import ConfigError, DeliveryError, QualityGate
from tests.pseudonymize.conftest import PLANTED

COLUMNS = ("bsn", "skn", "vip")


@pytest.fixture(scope="session")
def store(delivered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """link.parquet and payload.parquet of a good delivery."""
    folder = tmp_path_factory.mktemp("store")
    world = delivered.world
    link = convert(delivered.folder, world.converter, folder / "link.parquet")
    payload = open_payload(delivered.folder, world.linker, folder / "payload.parquet", world.agreement("injus"))
    assert (link.rows, link.text) == (payload.rows, payload.text)
    return folder


def sealed_again(delivered, tmp_path: Path, file: str, change) -> Path:
    """A delivery whose identity or payload was made anew with `change`, and signed again by its supplier."""
    world = delivered.world
    identity, recipient = (
        (world.converter.identity(), world.public.converter)
        if file == "identity"
        else (world.linker.identity(), world.public.linker)
    )
    folder = shutil.copytree(delivered.folder, tmp_path / "changed")
    with seal.opened(folder / f"{file}.age", identity) as reader:
        table = change(pa.Table.from_batches(list(reader), schema=reader.schema))
    (folder / f"{file}.age").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["hashes"][file] = seal.seal(folder / f"{file}.age", recipient, table.schema, [table])
    text = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sig").write_bytes(signing.sign(world.supplier("justid").sign.secret, text))
    return folder


def test_link_pseudonyms_are_those_of_the_protocol(delivered, store: Path) -> None:
    world = delivered.world
    with seal.opened(delivered.folder / "identity.age", world.converter.identity()) as reader:
        pre = pa.Table.from_batches(list(reader))
    link = pq.read_table(store / "link.parquet")
    stage = prf.link(world.converter.link().secret, "koppelpunt-demo", "epoch-1")
    assert link["row_id"].to_pylist() == pre["row_id"].to_pylist()
    for name in COLUMNS:
        assert link[name].to_pylist() == [v and stage.one(v) for v in pre[name].to_pylist()]
        assert of_field(link.schema, name) == Domain("v1", "koppelpunt-demo", "link", "epoch-1")
    assert link["bsn"].null_count == 6
    assert link["vip"].null_count == 40 + PLANTED


def test_a_person_keeps_its_pseudonym_in_the_next_delivery_under_new_row_ids(delivered, store: Path) -> None:
    world = delivered.world
    second, _ = world.deliver(world.injus(name="tweede.csv"), sequence=2)
    convert(second, world.converter, world.home / "second.parquet")
    one, two = pq.read_table(store / "link.parquet"), pq.read_table(world.home / "second.parquet")
    assert set(one["bsn"].to_pylist()) == set(two["bsn"].to_pylist())
    assert set(one["row_id"].to_pylist()).isdisjoint(two["row_id"].to_pylist())


def test_the_payload_holds_the_agreed_columns_and_no_identifier(delivered, store: Path) -> None:
    found = pq.read_schema(store / "payload.parquet")
    agreed = {name for name, action in delivered.world.agreement("injus").columns.items() if action != "drop"}
    assert set(found.names) == {"row_id"} | (agreed - {"bsn", "skn", "skn_soort"})
    assert found.field("datum_gebeurtenis").type == pa.date32()
    assert of_field(found, "detentie_id").name == "record:injus.detentie_id"
    assert parquet.rows_of(store / "payload.parquet") == 40 + PLANTED


def test_progress_is_told_in_rows(delivered, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    world = delivered.world

    def tell(*step: object) -> None:
        told.append(step)  # type: ignore[arg-type]

    convert(delivered.folder, world.converter, tmp_path / "l.parquet", progress=tell)
    open_payload(delivered.folder, world.linker, tmp_path / "p.parquet", world.agreement("injus"), progress=tell)
    persons(tmp_path / "q.parquet", tmp_path / "l.parquet", pa.binary(32), in_file=False)
    to_recipient(tmp_path / "q.parquet", "onderzoek", world.converter, tmp_path / "r.parquet", progress=tell)
    rows = 40 + PLANTED
    assert told == [("omzetten", rows, rows), ("openen", rows, rows), ("ontvanger", 11 + PLANTED, None)]


def test_both_files_are_private(store: Path) -> None:
    assert {path.stat().st_mode & 0o077 for path in store.iterdir()} == {0}


@pytest.mark.parametrize("file", ["identity", "payload"])
@pytest.mark.parametrize(
    "change",
    [
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),  # one row more than the quota
        lambda table: table.slice(1),  # one row fewer
        lambda table: pa.concat_tables([table.slice(1), table.slice(1, 1)]),  # a row twice, another gone
    ],
)
def test_the_quota_is_the_declared_rows_exactly(delivered, tmp_path: Path, file: str, change) -> None:
    folder = sealed_again(delivered, tmp_path, file, change)
    world, out = delivered.world, tmp_path / "out.parquet"
    with pytest.raises(DeliveryError, match="row_count_mismatch"):
        if file == "identity":
            convert(folder, world.converter, out)
        else:
            open_payload(folder, world.linker, out, world.agreement("injus"))
    assert list(tmp_path.glob("*.parquet")) == list(tmp_path.glob(".*.parquet*")) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.append_column("bsn", pa.array(["x"] * (40 + PLANTED))),
        lambda t: t.append_column("naam", pa.array(["x"] * (40 + PLANTED))),
        lambda t: t.drop_columns(["row_id"]),
        lambda t: t.set_column(1, t.schema.names[1], t[t.schema.names[1]].cast(pa.string())),
        lambda t: t.replace_schema_metadata({"k": "v"}),
    ],
)
def test_a_payload_of_another_shape_is_refused(delivered, tmp_path: Path, change) -> None:
    folder = sealed_again(delivered, tmp_path, "payload", change)
    agreement = delivered.world.agreement("injus")
    with pytest.raises(DeliveryError, match="bad_schema"):
        open_payload(folder, delivered.world.linker, tmp_path / "out.parquet", agreement)


def test_a_column_the_agreement_drops_is_refused_though_the_register_has_it(delivered, tmp_path: Path) -> None:
    folder = sealed_again(
        delivered, tmp_path, "payload", lambda t: t.append_column("inrichting_code", pa.array(["x"] * (40 + PLANTED)))
    )
    with pytest.raises(DeliveryError, match="bad_schema"):
        open_payload(folder, delivered.world.linker, tmp_path / "out.parquet", delivered.world.agreement("injus"))


@pytest.mark.parametrize(
    "label", ["v1/koppelpunt-demo/pre/run-9", "v1/other/pre/run-1", "v1/koppelpunt-demo/link/epoch-1"]
)
def test_pre_pseudonyms_of_another_domain_are_refused(delivered, tmp_path: Path, label: str) -> None:
    def relabel(table: pa.Table) -> pa.Table:
        fields = [table.schema.field(0), *(Domain.parse(label).field(name, 32) for name in COLUMNS)]
        return pa.table([storage(column) for column in table.columns], schema=pa.schema(fields))

    folder = sealed_again(delivered, tmp_path, "identity", relabel)
    with pytest.raises(ConfigError, match="wrong_domain") as caught:
        convert(folder, delivered.world.converter, tmp_path / "out.parquet")
    assert caught.value.facts == {"expected": "v1/koppelpunt-demo/pre/run-1", "found": label}  # names both


def test_pre_pseudonyms_without_a_label_are_refused(delivered, tmp_path: Path) -> None:
    def bare(table: pa.Table) -> pa.Table:
        return pa.table(dict(zip(table.column_names, map(storage, table.columns), strict=True)))

    folder = sealed_again(delivered, tmp_path, "identity", bare)
    with pytest.raises((DeliveryError, ConfigError), match=r"bad_schema|wrong_domain"):
        convert(folder, delivered.world.converter, tmp_path / "out.parquet")


def test_a_sealed_file_that_changed_after_verification_is_refused(delivered, tmp_path: Path) -> None:
    folder = shutil.copytree(delivered.folder, tmp_path / "d")
    for file in ("identity.age", "payload.age"):
        with (folder / file).open("ab") as target:
            target.write(b"x")
    with pytest.raises(DeliveryError, match="bad_hash"):
        convert(folder, delivered.world.converter, tmp_path / "l.parquet")
    with pytest.raises(DeliveryError, match="bad_hash"):
        open_payload(folder, delivered.world.linker, tmp_path / "p.parquet", delivered.world.agreement("injus"))


def test_an_existing_file_is_not_overwritten(delivered, store: Path) -> None:
    with pytest.raises(ConfigError, match="output_exists"):
        convert(delivered.folder, delivered.world.converter, store / "link.parquet")


def test_the_key_of_another_project_converts_nothing(delivered, tmp_path: Path) -> None:
    from pseudonymize import keys
    from pseudonymize.ceremony import create_demo_keys
    from pseudonymize.parties import ConverterKeys

    create_demo_keys(tmp_path / "k", [], ["onderzoek"], "other", "epoch-1")
    shutil.rmtree(tmp_path / "k" / "linker")
    world = delivered.world
    (tmp_path / "k" / "converter" / "age.key").unlink()
    keys.save(tmp_path / "k" / "converter" / "age.key", keys.load(world.keys / "converter" / "age.key", "age"))
    foreign = ConverterKeys(tmp_path / "k" / "converter")
    with pytest.raises(ConfigError, match="wrong_domain"):
        convert(delivered.folder, foreign, tmp_path / "l.parquet")


def persons(path: Path, link: Path, kind: pa.DataType, *, in_file: bool) -> list[bytes | None]:
    """A person_link file as linkage makes it: a number and a link pseudonym."""
    table = pq.read_table(link)
    values = [*sorted(set(table["bsn"].to_pylist()) - {None}), None]
    label = of_field(table.schema, "bsn").label.encode()
    field = pa.field("link", kind) if in_file else of_field(table.schema, "bsn").field("link")
    schema = pa.schema(
        [pa.field("person_id", pa.int64()), field],
        metadata={b"koppel.domain.link": label} if in_file else None,
    )
    pq.write_table(pa.table([pa.array(range(len(values))), pa.array(values, kind)], schema=schema), path)
    return values


@pytest.mark.parametrize(("kind", "in_file"), [(pa.binary(32), False), (pa.binary(), True)])
def test_a_recipient_gets_pseudonyms_of_its_own(delivered, store: Path, tmp_path: Path, kind, in_file: bool) -> None:
    links = persons(tmp_path / "p.parquet", store / "link.parquet", kind, in_file=in_file)
    world, made = delivered.world, {}
    for name in ("onderzoek", "gemeente"):
        done = to_recipient(tmp_path / "p.parquet", name, world.converter, tmp_path / f"{name}.parquet")
        assert done.key_check == world.public.checks[f"recipient-{name}"]
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert of_field(table.schema, "link").name == f"recipient:{name}"
        assert table["person_id"].to_pylist() == list(range(len(links)))
        made[name] = table["link"].to_pylist()
        stage = prf.recipient(world.converter.recipient(name).secret, "koppelpunt-demo", name, "epoch-1")
        assert made[name] == [v and stage.one(v) for v in links]
    known = set(links) - {None}
    assert not set(made["onderzoek"][:-1]) & set(made["gemeente"][:-1])
    assert not known & set(made["onderzoek"])
    with pytest.raises(ConfigError, match="wrong_domain"):  # forward only: a recipient's file is no link file
        to_recipient(tmp_path / "onderzoek.parquet", "gemeente", world.converter, tmp_path / "x.parquet")


def test_the_same_input_gives_the_same_bytes(delivered, store: Path, tmp_path: Path) -> None:
    persons(tmp_path / "p.parquet", store / "link.parquet", pa.binary(32), in_file=False)
    for name in ("a", "b"):
        to_recipient(tmp_path / "p.parquet", "onderzoek", delivered.world.converter, tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


LINK = Domain("v1", "koppelpunt-demo", "link", "epoch-1")
OTHER = Domain("v1", "other", "link", "epoch-1")
LATER = Domain("v1", "koppelpunt-demo", "link", "epoch-2")


@pytest.mark.parametrize(
    ("field", "values", "code"),
    [
        (pa.field("link", pa.binary(32)), [bytes(32)], "wrong_domain"),
        (
            OTHER.field("link", 32),
            [bytes(32)],
            r"expected=v1/koppelpunt-demo/.*, found=v1/other/link/epoch-1",
        ),
        (LATER.field("link", 32), [bytes(32)], r"expected=.*/epoch-1, found=v1/koppelpunt-demo/link/epoch-2"),
        (LINK.field("link", 16), [bytes(16)], "bad_schema"),
        (
            pa.field("link", pa.binary()),
            [bytes(5)],
            "bad_schema",
        ),
    ],
)
def test_what_is_no_link_pseudonym_is_not_converted(delivered, tmp_path: Path, field, values, code: str) -> None:
    told = {b"koppel.domain.link": LINK.label.encode()} if code == "bad_schema" else None  # as DuckDB writes it
    plain = pa.array(values, getattr(field.type, "storage_type", field.type))
    pq.write_table(pa.table([plain], schema=pa.schema([field], metadata=told)), tmp_path / "p.parquet")
    with pytest.raises((ConfigError, DeliveryError), match=code):
        to_recipient(tmp_path / "p.parquet", "onderzoek", delivered.world.converter, tmp_path / "o.parquet")
    assert not (tmp_path / "o.parquet").exists()


def test_parquet_that_is_none_or_broken_is_refused_without_its_text(delivered, store: Path, tmp_path: Path) -> None:
    world = delivered.world
    good = (store / "link.parquet").read_bytes()
    for content in (b"", b"999990019", good[:-1]):
        (tmp_path / "p.parquet").write_bytes(content)
        with pytest.raises(DeliveryError, match="unreadable_file") as caught:
            to_recipient(tmp_path / "p.parquet", "onderzoek", world.converter, tmp_path / "o.parquet")
        assert "99999" not in str(caught.value)
    persons(tmp_path / "q.parquet", store / "link.parquet", pa.binary(32), in_file=False)
    spoilt = bytearray((tmp_path / "q.parquet").read_bytes())
    spoilt[8:200] = bytes(192)
    (tmp_path / "q.parquet").write_bytes(spoilt)
    with pytest.raises(DeliveryError, match="unreadable_file"):
        to_recipient(tmp_path / "q.parquet", "onderzoek", world.converter, tmp_path / "o.parquet")


class _Group:
    """A row group that claims what it is told to claim."""

    def __init__(self, rows: int, values: int) -> None:
        self.num_rows = rows
        self._values = values

    def column(self, _: int) -> object:
        return type("Chunk", (), {"num_values": self._values})()


@pytest.mark.parametrize(("footer", "group", "values"), [(9, 10, 10), (9, 9, 10), (10, 9, 9)])
def test_a_parquet_file_that_lies_about_its_rows_is_refused(monkeypatch, footer: int, group: int, values: int) -> None:
    lying = type(
        "Metadata",
        (),
        {
            "num_rows": footer,
            "num_row_groups": 1,
            "num_columns": 1,
            "row_group": lambda *_: _Group(group, values),
        },
    )()
    monkeypatch.setattr(parquet.pq, "read_metadata", lambda _: lying)
    with pytest.raises(QualityGate, match="row_count_mismatch"):
        parquet.rows_of(Path("x.parquet"))


def test_rows_read_must_be_rows_declared(store: Path, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "rows_of", lambda _: 41)
    _, tables = parquet.batches(store / "link.parquet")
    with pytest.raises(QualityGate, match="row_count_mismatch"):
        list(tables)
