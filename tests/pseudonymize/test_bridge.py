"""A bridge leads from old to new pseudonyms during an overlap; afterwards it is refused and deleted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import bridge, clock, domain, keys, publish, rotate
from pseudonymize.convert import convert, to_recipient
from pseudonymize.parties import ConverterKeys
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable
from schemas.pseudonym import file_key
from tests.pseudonymize.test_keys_rotation import MONTH, encodings, later


@dataclass
class Overlap:
    """A converter in an overlap, and one delivery converted under both epochs."""

    home: Path
    folder: Path
    old: Path
    new: Path

    @property
    def converter(self) -> ConverterKeys:
        return ConverterKeys(self.folder)

    @property
    def out(self) -> Path:
        return self.home / "bridge"

    def make(self) -> bridge.Bridge:
        return bridge.make(self.old, self.new, self.converter, self.out, MONTH)

    def table(self, *, extra: bool = False, column: str = "skn") -> Path:
        """A recipient's file of long ago: one old pseudonym per row, null and (with `extra`) unknown ones too."""
        table = pq.read_table(self.old, columns=[column])
        field = table.schema.field(column)
        values = domain.storage(table[column]).to_pylist() + ([bytes(32)] if extra else [])
        made = pa.array(values, pa.binary(32)).cast(field.type)
        path = self.home / "old-table.parquet"
        pq.write_table(
            pa.table([pa.array(range(len(values))), made], schema=pa.schema([("n", pa.int64()), field])), path
        )
        return path


@pytest.fixture
def overlap(world) -> Overlap:
    delivery = world.deliver(world.injus())[0]
    folder = world.keys / "converter"
    rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    files = []
    for epoch in ("epoch-1", "epoch-2"):
        files.append(world.home / f"{epoch}.parquet")
        convert(delivery, ConverterKeys(folder, epoch), files[-1])
    return Overlap(world.home, folder, *files)


def plain(path: Path, column: str = "skn") -> list[bytes | None]:
    return domain.storage(pq.read_table(path)[column]).to_pylist()


def test_the_bridge_pairs_what_conversion_made_of_one_value(overlap: Overlap) -> None:
    made = overlap.make()
    assert (made.old.epoch, made.new.epoch, made.until) == ("epoch-1", "epoch-2", MONTH)
    expected = {
        pair
        for column in ("bsn", "skn")
        for pair in zip(plain(overlap.old, column), plain(overlap.new, column), strict=True)
        if pair[0]
    }
    assert made.rows == len(expected)
    source, out = overlap.table(), overlap.home / "new-table.parquet"
    done = bridge.use(overlap.out, source, overlap.converter, out)
    old = plain(source)
    assert done == {"rows": len(old), "converted": len(old), "unmatched": 0}
    found = pq.read_table(out)
    assert domain.of_field(found.schema, "skn") == made.new
    pairs = {**dict(expected), None: None}
    assert plain(out) == [pairs[value] for value in old]
    assert found["n"].to_pylist() == [*range(len(old))]


def test_a_link_file_is_led_over_in_every_column_and_equals_a_new_conversion(overlap: Overlap) -> None:
    """How the link files in the store go to the new epoch without the deliveries they were made of."""
    overlap.make()
    done = bridge.use(overlap.out, overlap.old, overlap.converter, overlap.home / "moved.parquet")
    assert done["rows"] == done["converted"]
    assert pq.read_table(overlap.home / "moved.parquet").equals(pq.read_table(overlap.new))


def test_rows_that_the_bridge_does_not_know_are_left_out_and_counted(overlap: Overlap) -> None:
    overlap.make()
    done = bridge.use(overlap.out, overlap.table(extra=True), overlap.converter, overlap.home / "x.parquet")
    assert done["rows"] == done["converted"] + done["unmatched"]
    assert done["unmatched"] == 1
    assert pq.read_table(overlap.home / "x.parquet").num_rows == done["converted"]


def test_a_bridge_between_recipients_pseudonyms(overlap: Overlap) -> None:
    rotate.rotate(overlap.folder, "recipient", "onderzoek", "epoch-2", MONTH)
    files = []
    for epoch, source in (("epoch-1", overlap.old), ("epoch-2", overlap.new)):
        one = overlap.home / f"one-{epoch}.parquet"
        pq.write_table(pq.read_table(source, columns=["row_id", "skn"]), one)
        files.append(overlap.home / f"rec-{epoch}.parquet")
        to_recipient(one, "onderzoek", ConverterKeys(overlap.folder, epoch), files[-1])
    made = bridge.make(*files, overlap.converter, overlap.home / "b", MONTH)
    assert (made.old.name, made.rows) == ("recipient:onderzoek", len(set(plain(files[0])) - {None}))
    bridge.use(overlap.home / "b", files[0], overlap.converter, overlap.home / "x.parquet")
    assert plain(overlap.home / "x.parquet") == plain(files[1])


def test_after_its_last_day_a_bridge_is_refused_and_deleted_with_a_certificate(overlap: Overlap, monkeypatch) -> None:
    made = overlap.make()
    raw = keys.load(overlap.folder / f"bridge-{made.id}.key", "bridge").secret.reveal()
    pseudonyms = [one for one in (*plain(overlap.old), *plain(overlap.new)) if one][:3]
    source = overlap.table()
    later(monkeypatch, 30)
    bridge.use(overlap.out, source, overlap.converter, overlap.home / "last-day.parquet")
    later(monkeypatch, 31)
    for _ in range(2):  # the second time there is nothing left to delete
        with pytest.raises(KeyUnavailable, match="bridge_expired"):
            bridge.use(overlap.out, source, overlap.converter, overlap.home / "late.parquet")
    assert not (overlap.home / "late.parquet").exists()
    assert [path.name for path in overlap.out.iterdir()] == ["bridge.json"]  # says what there was
    certificate = overlap.folder / "certificates" / f"destroyed-{made.id}.json"
    said = publish.verify_certificate(certificate, overlap.folder.parent / "public")
    assert (said["kind"], said["owner"], said["reason"]) == ("bridge", made.id, "expiry")
    for path in overlap.folder.parent.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(form in content for value in (raw, *pseudonyms) for form in encodings(value))


def test_a_bridge_can_be_ended_early_and_not_by_accident(overlap: Overlap) -> None:
    made = overlap.make()
    with pytest.raises(ConfigError, match="bridge_valid"):
        bridge.expire(overlap.out, overlap.converter)
    path, content = bridge.expire(overlap.out, overlap.converter, early=True)
    assert (path.suffix, content["owner"]) == (".json", made.id)
    with pytest.raises(DeliveryError, match="bad_hash"):
        bridge.use(overlap.out, overlap.table(), overlap.converter, overlap.home / "x.parquet")


def test_the_table_is_sealed(overlap: Overlap) -> None:
    overlap.make()
    content = (overlap.out / "bridge.age").read_bytes()
    assert content.startswith(b"age-encryption.org/v1")
    for value in (*plain(overlap.old), *plain(overlap.new)):
        assert value is None or value not in content


@pytest.mark.parametrize("field", ["until", "rows", "old", "new", "sha256", "format"])
def test_a_statement_that_was_changed_is_refused(overlap: Overlap, field: str) -> None:
    """Nobody gives a bridge another last day, or another domain."""
    overlap.make()
    path = overlap.out / "bridge.json"
    whole = json.loads(path.read_text())
    whole["statement"][field] = 7 if field == "rows" else "2099-01-01"
    path.chmod(0o600)
    path.write_text(json.dumps(whole))
    with pytest.raises(ConfigError, match="bad_statement"):
        bridge.read(overlap.out, overlap.converter)


def test_a_statement_of_another_kind_is_no_bridge(overlap: Overlap) -> None:
    from pseudonymize import statement

    overlap.make()
    path = overlap.out / "bridge.json"
    content = json.loads(path.read_text())["statement"] | {"format": "koppelpunt/other/1"}
    path.chmod(0o600)
    path.write_bytes(statement.make(content, "converter", overlap.converter.sign().secret))
    with pytest.raises(ConfigError, match="bad_statement"):
        bridge.read(overlap.out, overlap.converter)


def test_a_changed_or_exchanged_table_is_refused(overlap: Overlap) -> None:
    overlap.make()
    path = overlap.out / "bridge.age"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DeliveryError, match="bad_hash"):
        bridge.use(overlap.out, overlap.table(), overlap.converter, overlap.home / "x.parquet")


def test_a_table_with_other_rows_than_stated_is_refused(overlap: Overlap, monkeypatch) -> None:
    from dataclasses import replace

    made = overlap.make()
    monkeypatch.setattr(bridge, "read", lambda *_: replace(made, rows=made.rows + 1))
    with pytest.raises(DeliveryError, match="row_count_mismatch"):
        bridge.use(overlap.out, overlap.table(), overlap.converter, overlap.home / "x.parquet")


def test_only_the_old_domain_is_led_over(overlap: Overlap) -> None:
    overlap.make()
    new = overlap.home / "one.parquet"
    pq.write_table(pq.read_table(overlap.new, columns=["row_id", "skn"]), new)
    with pytest.raises(ConfigError, match="wrong_domain"):
        bridge.use(overlap.out, new, overlap.converter, overlap.home / "x.parquet")
    with pytest.raises(ConfigError, match="wrong_domain"):
        bridge.use(overlap.out, bare(overlap), overlap.converter, overlap.home / "x.parquet")


def bare(overlap: Overlap) -> Path:
    """A file without any label."""
    path = overlap.home / "bare.parquet"
    pq.write_table(pa.table({"n": [1, 2]}), path)
    return path


def test_the_two_files_must_be_of_one_source(overlap: Overlap, tmp_path: Path) -> None:
    table, out = pq.read_table(overlap.new), overlap.home / "b"
    reordered = table.take(pa.array([*range(1, table.num_rows), 0]))
    cases = {
        "other rows": reordered,
        "fewer rows": table.slice(1),
        "other columns": table.drop_columns(["skn"]),
        "no row ids": table.select(["bsn", "skn"]),
        "no labels": table.select(["row_id"]),
        "other values empty": table.set_column(
            table.schema.get_field_index("bsn"),
            table.schema.field("bsn"),
            pa.nulls(table.num_rows, pa.binary(32)).cast(table.schema.field("bsn").type),
        ),
        "two for one": table.set_column(
            table.schema.get_field_index("skn"), table.schema.field("skn"), reordered["skn"]
        ),
    }
    for name, case in cases.items():
        path, other = tmp_path / f"{name}.parquet", overlap.old
        pq.write_table(case, path)
        if name in {"no row ids", "no labels"}:
            other = tmp_path / "old.parquet"
            pq.write_table(pq.read_table(overlap.old, columns=case.column_names), other)
        with pytest.raises(ConfigError, match="bridge_mismatch"):
            bridge.make(other, path, overlap.converter, out, MONTH)
    assert not out.exists()


def test_the_two_files_must_differ_in_epoch_and_in_nothing_else(overlap: Overlap, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wrong_domain"):
        bridge.make(overlap.old, overlap.old, overlap.converter, overlap.out, MONTH)
    table = pq.read_table(overlap.new)
    one = domain.of_field(table.schema, "skn")
    for change in ({"project": "other"}, {"name": "recipient:x"}):
        other = domain.Domain(**{**vars(one), **change})
        fields = [other.field(f.name) if f.name in {"bsn", "skn"} else f for f in table.schema]
        columns = [domain.storage(c).cast(f.type) for c, f in zip(table.columns, fields, strict=True)]
        pq.write_table(pa.table(columns, schema=pa.schema(fields)), tmp_path / "x.parquet")
        with pytest.raises(ConfigError, match="wrong_domain"):
            bridge.make(overlap.old, tmp_path / "x.parquet", overlap.converter, overlap.out, MONTH)
    mixed = table.set_column(table.schema.get_field_index("skn"), pq.read_schema(overlap.old).field("skn"),
                             pq.read_table(overlap.old)["skn"])  # fmt: skip
    pq.write_table(mixed, tmp_path / "x.parquet")
    with pytest.raises(ConfigError, match="wrong_domain"):
        bridge.make(overlap.old, tmp_path / "x.parquet", overlap.converter, overlap.out, MONTH)


def test_a_pseudonym_of_another_width_is_refused(overlap: Overlap, tmp_path: Path) -> None:
    """A BLOB column labelled by the file, as DuckDB writes it."""
    for name, epoch in (("x", b"e-1"), ("y", b"e-2")):
        label = {file_key("p"): b"v1/demo/link/" + epoch}
        schema = pa.schema([("n", pa.int64()), ("p", pa.binary())], metadata=label)
        pq.write_table(pa.table([[1], [b"short"]], schema=schema), tmp_path / f"{name}.parquet")
    with pytest.raises(DeliveryError, match="bad_schema"):
        bridge.make(tmp_path / "x.parquet", tmp_path / "y.parquet", overlap.converter, overlap.out, MONTH)


def test_a_bridge_lasts_a_year_at_most_and_overwrites_nothing(overlap: Overlap) -> None:
    import datetime as dt

    for days in (-1, 367):
        with pytest.raises(ConfigError, match="bad_overlap"):
            bridge.make(
                overlap.old, overlap.new, overlap.converter, overlap.out, clock.today() + dt.timedelta(days=days)
            )
    overlap.make()
    with pytest.raises(ConfigError, match="output_exists"):
        overlap.make()
