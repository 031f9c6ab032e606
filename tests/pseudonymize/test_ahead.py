"""Two stages at the same time: same items, same order, same errors, bounded, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudonymize.ahead import ahead
from schemas.errors import DeliveryError


@given(st.lists(st.one_of(st.none(), st.integers()), max_size=30), st.integers(1, 4))
def test_the_same_items_in_the_same_order(items: list[int | None], depth: int) -> None:
    assert list(ahead(iter(items), depth)) == items


def test_an_error_comes_where_it_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise DeliveryError("bad_schema", file="x")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(DeliveryError, match="bad_schema"):
        next(found)


def test_no_more_is_made_than_fits_and_leaving_early_ends_thread_and_iterator() -> None:
    made: list[int] = []
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    before = threading.active_count()
    found = ahead(items(), depth=2)
    assert next(found) == 0
    time.sleep(0.2)
    assert len(made) <= 4  # one taken, two waiting, one in hand
    found.close()  # type: ignore[attr-defined]
    assert closed.is_set()
    assert threading.active_count() == before


def test_work_is_done_in_another_thread() -> None:
    names = list(ahead(threading.current_thread().name for _ in range(2)))
    assert names == ["ahead", "ahead"]
