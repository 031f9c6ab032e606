"""Given any text, the bytes of a date say what the patterns say; given a tidy column, cleaning changes nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.column import Column, Kind, Role
from schemas.dates import by_bytes, by_patterns, dates
from schemas.parsing import _clean, parse

ALMOST = st.from_regex(r"[0-9/:]{2}[-/0][0-9T ]{2}[-/0][0-9٣]{4}|[0-9:]{4}[-/][0-9]{2}[-/][0-9]{2}", fullmatch=True)
TEXTS = st.lists(st.one_of(st.none(), ALMOST, ALMOST.map(lambda text: text + " 00:00:00"), st.text(max_size=12)))


@given(TEXTS)
@settings(max_examples=200)
def test_bytes_and_patterns_agree_on_every_cell_that_bytes_can_read(texts: list[str | None]) -> None:
    """What is left for the patterns is read by them alone; what is not, both read alike."""
    array = pa.array([None, None, *texts], pa.string()).slice(2)
    found, read = by_bytes(array)
    for one, other in zip(found, by_patterns(array), strict=True):
        assert np.array_equal(one[read], other[read])
        assert not one[~read].any()


@given(st.lists(st.dates(dt.date(1, 1, 1)), min_size=1))
@settings(max_examples=50)
def test_every_day_is_read_in_both_notations_by_its_bytes(days: list[dt.date]) -> None:
    """Nothing of ten characters is left for the patterns."""
    for form in ("{0:%d-%m}-{0.year:04d}", "{0:%d/%m}/{0.year:04d}", "{0.year:04d}-{0:%m-%d}"):
        array = pa.array([form.format(day) for day in days])
        assert by_bytes(array)[1].all()
        value, bad = dates(pa.chunked_array([array]))
        assert value.to_pylist() == days
        assert not any(bad.to_pylist())


def test_a_day_that_no_calendar_has_is_bad_and_an_empty_cell_is_not() -> None:
    """The same for both notations and for a time behind it."""
    texts = [
        "2023-02-29",
        "29-02-2023",
        "2024-02-29",
        "0000-01-01",
        "00-01-2020",
        None,
        "2024-02-29T00:00:00",
        "1-2-2024",
    ]
    value, bad = dates(pa.chunked_array([texts], pa.string()))
    assert bad.to_pylist() == [True, True, False, True, True, False, False, False]
    leap, one = dt.date(2024, 2, 29), dt.date(2024, 2, 1)
    assert value.to_pylist() == [None, None, leap, None, None, None, leap, one]


@given(st.lists(st.one_of(st.none(), st.text(alphabet=" \tab\u00a0é", max_size=4))))
@settings(max_examples=200)
def test_free_text_is_cleaned_or_needs_no_cleaning(texts: list[str | None]) -> None:
    """Leaving a tidy column as it is gives what cleaning gives."""
    column = Column("tekst", Kind.TEXT, Role.ATTRIBUTE, "Vrije tekst.")
    text = pa.chunked_array([pa.array([" ", *texts], pa.string()).slice(1)])
    assert parse(column, text)[0].to_pylist() == _clean(column, text).to_pylist()
