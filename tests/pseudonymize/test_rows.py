"""Given a table of any register's types, coding its rows and reading them back gives the table; or coding says no."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymize import rows as coding
from pseudonymize.columns import fixed_size
from pseudonymize.domain import Domain
from pseudonymize.rows import Coder, drawn
from pseudonymize.shuffle import Shuffle
from schemas.pseudonym import storage

LABELLED = Domain("v1", "demo", "pre", "run-1").type()
SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.binary(16), nullable=False),
        pa.field("pre", LABELLED),
        pa.field("text", pa.string()),
        pa.field("other", pa.string()),
        pa.field("number", pa.int32()),
        pa.field("day", pa.date32()),
        pa.field("yes", pa.bool_()),
    ]
)
ROW = st.tuples(
    st.binary(min_size=16, max_size=16),
    st.none() | st.binary(min_size=32, max_size=32),
    st.none() | st.text(max_size=5),
    st.none() | st.sampled_from(["", "a"]),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.dates(dt.date(1, 1, 1)),
    st.none() | st.booleans(),
)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    """The rows as a table, cut out of a larger one so that nothing begins at offset 0."""
    columns = [pa.array([row[i] for row in rows[:1] + rows], _plain(f.type)) for i, f in enumerate(SCHEMA)]
    return pa.table(columns, schema=SCHEMA).slice(1)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


@given(st.lists(st.lists(ROW, min_size=1, max_size=6), min_size=1, max_size=3))
@settings(max_examples=100)
def test_rows_come_back_as_they_were_in_any_order_asked(tables: list[list[tuple[object, ...]]]) -> None:
    """Several tables share one list of words; a column that is empty may be left out."""
    coder = Coder(SCHEMA)
    made = [(table, coder.coded(table)) for table in map(table_of, tables)]
    for table, coded in made:
        assert coded is not None
        order = np.arange(table.num_rows)[::-1]
        assert coder.table(coded[0], drawn(coded[1], order)).equals(table.take(pa.array(order)))
    few = table_of(tables[0]).select(["row_id", "number"])
    coded = coder.coded(few)
    assert coded is not None
    back = coder.table(*coded)
    assert back.schema == SCHEMA
    assert back.select(["row_id", "number"]).equals(few)
    assert back["text"].null_count == few.num_rows


def test_a_type_that_no_register_has_is_not_coded() -> None:
    """Floats, lists, decimals: the rows travel as Arrow."""
    schema = pa.schema([pa.field("x", pa.float64())])
    assert Coder(schema).coded(pa.table({"x": [1.5]}, schema=schema)) is None


@pytest.mark.parametrize("limit", ["MOST_WORDS", "MOST_TEXT"])
def test_rows_with_too_much_different_text_go_on_as_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """What was coded before and what was not are one file again, each row once."""
    monkeypatch.setattr(coding, limit, 100)
    schema = pa.schema([pa.field("n", pa.int32()), pa.field("text", pa.string())])
    with Shuffle(schema, limit=1, folder=tmp_path) as shuffle:
        for start in (0, 0, 300, 600):
            numbers = range(start, start + 300)
            few = ["ab" if start == 0 else f"word {n}" for n in numbers]
            shuffle.add(pa.table([pa.array(numbers, pa.int32()), few], schema=schema))
        found = pa.concat_tables(shuffle.tables()).to_pylist()
    wanted = [{"n": n, "text": "ab" if n < 300 else f"word {n}"} for n in [*range(300), *range(900)]]
    assert sorted(found, key=lambda row: row["n"]) == sorted(wanted, key=lambda row: row["n"])
    assert coding.Coder(schema).coded(pa.table([pa.array([1], pa.int32()), ["x" * 101]], schema=schema)) is None or (
        limit == "MOST_WORDS"
    )


@pytest.mark.parametrize("limit", [1, 1 << 20], ids=["spilled", "in memory"])
def test_nothing_travels_below_an_empty_cell(tmp_path: Path, limit: int) -> None:
    """An identifier that is refused was hashed with the others: its bytes must not go along under the null."""
    width, rows = 32, 2_000
    raw = b"\xab" * width * rows
    valid = np.arange(rows) % 2 == 0
    below = fixed_size(raw, width, valid)
    day = pa.Array.from_buffers(pa.date32(), rows, [below.buffers()[0], pa.py_buffer(b"\xab" * 4 * rows)], -1)
    schema = pa.schema([pa.field("pre", LABELLED), pa.field("day", pa.date32())])
    table = pa.table([pa.ExtensionArray.from_storage(LABELLED, below), day], schema=schema)
    with Shuffle(schema, limit=limit, folder=tmp_path) as shuffle:
        shuffle.add(table)
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, schema) as writer:
            for some in shuffle.tables():
                writer.write_table(some)
    for batch in pa.ipc.open_stream(out.getvalue()):
        for column, cell in zip(map(storage, batch.columns), (width, 4), strict=True):
            cells = np.frombuffer(column.buffers()[1], np.uint8)[: cell * len(column)].reshape(-1, cell)
            empty = ~np.asarray(column.is_valid())
            assert empty.any() and not cells[empty].any()
            assert (cells[~empty] == 0xAB).all()
