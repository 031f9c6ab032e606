"""Rows of a table as bytes of one width: to draw them apart and put them in order is then to copy whole rows.

Text becomes the number of its value in a list that is held in memory, so this is for columns that repeat few values;
where there are more, or larger ones, `coded` gives None and the rows travel as Arrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize.columns import fixed_size
from schemas.distinct import flat
from schemas.pseudonym import storage

Coded = npt.NDArray[Any]  # one structured value per row
MOST_WORDS = 1 << 16  # per column: a number of two bytes
MOST_TEXT = 4 << 20  # bytes of one batch's or one column's distinct values
MOST_COLUMNS = 64  # bits of the field that says which cells are filled
_FILLED = "filled"


class Words:
    """The distinct values of a text column, numbered in the order they came."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._size = 0

    def numbered(self, values: pa.Array) -> npt.NDArray[np.uint16] | None:
        """The number of every cell (0 where it is empty), or None when there are too many different ones."""
        encoded = values.dictionary_encode()
        if len(encoded.dictionary) > MOST_WORDS or encoded.dictionary.nbytes > MOST_TEXT:
            return None
        texts = encoded.dictionary.to_pylist()
        new = [text for text in texts if text not in self._numbers]
        self._size += sum(map(len, new))
        if len(self._numbers) + len(new) > MOST_WORDS or self._size > MOST_TEXT:
            return None
        for text in new:
            self._numbers[text] = len(self._numbers)
        known = np.array([*(self._numbers[text] for text in texts), 0], np.uint16)
        cells: npt.NDArray[np.uint16] = known[np.asarray(pc.fill_null(encoded.indices, len(texts)))]
        return cells

    def array(self) -> pa.Array:
        """All values so far, by their numbers."""
        return pa.array(self._numbers, pa.string())


@dataclass(frozen=True)
class Layout:
    """Which columns a coded row holds, and its bytes."""

    fields: tuple[pa.Field, ...]
    kind: np.dtype[Any]


class Coder:
    """Codes tables of one schema and reads them back; holds the words of their text."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._words = {field.name: Words() for field in schema if pa.types.is_string(field.type)}
        self._off = len(schema) > MOST_COLUMNS or None in map(_width, schema.types)

    def coded(self, table: pa.Table) -> tuple[Layout, Coded] | None:
        """The rows of a table with some columns of the schema; None, from then on always, when text does not fit."""
        if self._off:
            return None
        layout = _layout([self._schema.field(name) for name in table.column_names])
        rows, filled = np.empty(table.num_rows, layout.kind), np.zeros(table.num_rows, layout.kind[_FILLED])
        for place, field in enumerate(layout.fields):
            values = flat(table[field.name])
            cells = self._words[field.name].numbered(values) if field.name in self._words else _cells(values)
            if cells is None:
                self._off = True
                return None
            rows[field.name] = cells
            filled |= _valid(values) * filled.dtype.type(1 << place)
        rows[_FILLED] = filled
        return layout, rows

    def table(self, layout: Layout, rows: Coded) -> pa.Table:
        """The table of these rows, with every column of the schema; those they do not hold are empty."""
        found = {
            field.name: self._column(
                field, rows[field.name], rows[_FILLED] & layout.kind[_FILLED].type(1 << place) != 0
            )
            for place, field in enumerate(layout.fields)
        }
        full = [found[f.name] if f.name in found else pa.nulls(len(rows), f.type) for f in self._schema]
        return pa.table(full, schema=self._schema)

    def _column(self, field: pa.Field, cells: Coded, filled: npt.NDArray[np.bool_]) -> pa.Array:
        valid = None if filled.all() else filled
        if field.name in self._words:
            return self._words[field.name].array().take(pa.array(cells, mask=None if valid is None else ~valid))
        if pa.types.is_boolean(field.type):
            return pa.array(cells.astype("V1").view(bool), mask=None if valid is None else ~valid)
        raw = fixed_size(cells.tobytes(), cells.dtype.itemsize, valid)
        if isinstance(field.type, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(field.type, raw)
        return raw if raw.type == field.type else raw.view(field.type)


def _layout(fields: list[pa.Field]) -> Layout:
    kinds = [(field.name, "u2" if pa.types.is_string(field.type) else f"V{_width(field.type)}") for field in fields]
    size = next(size for size in (1, 2, 4, 8) if len(fields) <= 8 * size)
    return Layout(tuple(fields), np.dtype([(_FILLED, f"u{size}"), *kinds]))


def _cells(values: pa.Array) -> Coded:
    """The bytes of every cell; zeros for an empty one, below which the hash of a refused number may still lie."""
    plain, width = storage(values), _width(values.type)
    if pa.types.is_boolean(plain.type):
        return np.asarray(pc.fill_null(plain, False).to_numpy(zero_copy_only=False)).view("V1")
    cells: Coded = np.frombuffer(plain.buffers()[1], f"V{width}")[plain.offset : plain.offset + len(plain)]
    if plain.null_count:
        cells = cells.copy()
        cells[~np.asarray(plain.is_valid())] = np.zeros((), cells.dtype)
    return cells


def _valid(values: pa.Array) -> npt.NDArray[np.bool_] | np.bool_:
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), bool) if values.null_count else np.bool_(True)


def drawn(rows: Coded, places: npt.NDArray[np.intp]) -> Coded:
    """The rows at these places: copied whole, which numpy does for rows without a structure."""
    return rows.view(f"V{rows.dtype.itemsize}").take(places).view(rows.dtype)


def _width(kind: pa.DataType) -> int | None:
    """Bytes of a cell; None for types that no register has."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    if pa.types.is_string(kind):
        return 2
    if pa.types.is_boolean(kind):
        return 1
    return kind.bit_width // 8 if pa.types.is_integer(kind) or pa.types.is_date(kind) else None
