"""The gate's judge of the researchers' folder: declared tables, one labelled pseudonym column, nothing identifying."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from release import gate, gate_research
from schemas.errors import DisclosureRefused
from schemas.linked import LINKED_TABLES
from schemas.pseudonym import file_key
from tests.release.fixtures import OUTPUT, publish_research, write_linked, write_pseudonyms

LABEL = "v1/koppelpunt-demo/recipient:onderzoek/epoch-1"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release folder with the researchers' tables, made from labelled pseudonyms."""
    base = tmp_path_factory.mktemp("release")
    linked = write_linked(base / "linked")
    path = write_pseudonyms(base)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({file_key("link"): LABEL.encode()}), path)
    publish_research(linked, path, base / "out" / "onderzoek", OUTPUT)
    return base / "out"


def spoiled(release: Path, folder: Path, change: Callable[[Path], object]) -> Path:
    out = shutil.copytree(release, folder / "out")
    change(out / "onderzoek")
    return out


def rewrite(name: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        table = change(pq.read_table(path))
        path.unlink()
        pq.write_table(table, path)

    return apply


def relabel(text: str | None) -> Callable[[pa.Table], pa.Table]:
    def apply(table: pa.Table) -> pa.Table:
        metadata = {gate_research.LABEL: text.encode()} if text else None
        place = table.schema.get_field_index("pseudonym")
        field = pa.field("pseudonym", pa.binary(), metadata=metadata)
        return table.cast(table.schema.set(place, field))

    return apply


def test_tables_that_carry_their_recipients_label_pass(release: Path) -> None:
    assert gate.check_release(release) == sum(path.is_file() for path in release.rglob("*"))
    tables = [path for path in (release / "onderzoek").rglob("*.parquet") if path.is_file()]
    assert len(tables) >= len(LINKED_TABLES)
    for path in tables:
        field = pq.read_schema(path).field("pseudonym")
        assert field.metadata[gate_research.LABEL] == LABEL.encode()


@pytest.mark.parametrize(
    "label",
    [
        None,
        "v1/koppelpunt-demo/link/epoch-1",
        "v1/koppelpunt-demo/pre/run-1",
        "koppelpunt",
        "v1/koppelpunt-demo/recipient:gemeente/epoch-1",  # another recipient's: two labels in one release
    ],
)
def test_a_research_table_without_a_label_does_not_leave(release: Path, tmp_path: Path, label: str | None) -> None:
    out = spoiled(release, tmp_path, rewrite("persons", relabel(label)))
    with pytest.raises(DisclosureRefused, match="label_missing") as caught:
        gate.check_release(out)
    assert caught.value.exit_code == 14


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t.append_column("person_id", pa.nulls(t.num_rows)), "identifier_in_release"),
        (lambda t: t.append_column("bsn", pa.nulls(t.num_rows)), "identifier_in_release"),
        (lambda t: t.append_column("naam", pa.nulls(t.num_rows)), "release_schema"),
        (lambda t: t.drop_columns(["pseudonym"]), "release_schema"),
        (
            lambda t: t.set_column(1, t.column_names[1], pa.array([b"x" * 32] * t.num_rows, pa.binary(32))),
            "identifier_in_release",
        ),
    ],
    ids=["person_id", "bsn", "another column", "no pseudonym", "a second pseudonym"],
)
def test_a_table_of_another_shape_does_not_leave(
    release: Path, tmp_path: Path, change: Callable[[pa.Table], pa.Table], code: str
) -> None:
    with pytest.raises(DisclosureRefused, match=code):
        gate.check_release(spoiled(release, tmp_path, rewrite("persons", change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "extra.md").write_text("x"),
        lambda folder: (folder / "persons.parquet").unlink(),
        lambda folder: (folder / "extra.parquet").write_bytes(b"x"),
        lambda folder: (folder / "README.bat").write_bytes(b"x"),
    ],
)
def test_other_files_than_the_declared_ones_do_not_leave(
    release: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    with pytest.raises(DisclosureRefused, match="release_schema"):
        gate.check_release(spoiled(release, tmp_path, change))


def test_the_operators_pages_hold_no_rows(tmp_path: Path) -> None:
    (tmp_path / "operator").mkdir()
    (tmp_path / "operator" / "kwaliteit.md").write_text("x")
    assert gate.check_release(tmp_path) == 1
    (tmp_path / "operator" / "rijen.csv").write_text("x")
    with pytest.raises(DisclosureRefused, match="release_schema"):
        gate.check_release(tmp_path)
    (tmp_path / "operator" / "rijen.csv").rename(tmp_path / "vng")
    with pytest.raises(DisclosureRefused, match="release_schema"):
        gate.check_release(tmp_path)


def test_a_script_does_not_go_to_vng(tmp_path: Path) -> None:
    (tmp_path / "vng").mkdir()
    (tmp_path / "vng" / "views.sql").write_text("select 1")
    with pytest.raises(DisclosureRefused, match="release_schema"):
        gate.check_release(tmp_path)
