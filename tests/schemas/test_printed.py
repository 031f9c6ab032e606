"""What the report prints of a municipality as it is today: counts within their rounding, hidden ones, sums of parts."""

from __future__ import annotations

import pytest

from schemas import printed, reference
from schemas.printed import ELSEWHERE, FLOWS, IN_PART, NOTICES, UNREADABLE, Interval, Printed
from schemas.reference import Row


def flow(municipality: str, inflow: str, outflow: str, *, year: str = "2021", status: str = "exact") -> list[Row]:
    """The two printed figures of a municipality and year; an empty text is an empty cell."""
    same = {"municipality": municipality, "year": year, "provision": "support_at_home", "status": status}
    return [{**same, "flow": "inflow", "count": inflow}, {**same, "flow": "outflow", "count": outflow}]


def notice(municipality: str, begin: str, *, year: str = "2022") -> list[Row]:
    same = {"municipality": municipality, "year": year, "status": "exact"}
    return [{**same, "notice": "begin_detention", "count": begin}]


def inflow(rows: list[Row], municipality: str) -> Printed:
    """What is told of the inflow of the row that is printed under that name."""
    found = printed.today(rows, FLOWS)
    return next(one for one in found if one.row["municipality"] == municipality and one.row["flow"] == "inflow")


def test_a_count_is_rounded_to_five_and_a_notice_is_not() -> None:
    assert inflow(flow("Rotterdam", "700", "625"), "Rotterdam").count == Interval(698, 702)
    (told,) = printed.today(notice("Rotterdam", "700"), NOTICES)
    assert told.count == Interval(700, 700)
    assert (told.count.middle, told.count.half) == (700, 0)


def test_an_empty_cell_beside_a_printed_one_is_below_ten() -> None:
    assert inflow(flow("Westland", "", "10"), "Westland").count == Interval(0, 9)


def test_two_empty_cells_are_nothing_that_can_be_judged() -> None:
    told = inflow(flow("Westland", "", ""), "Westland")
    assert (told.count, told.why) == (None, UNREADABLE)


def test_another_year_does_not_make_an_empty_cell_a_hidden_one() -> None:
    rows = [*flow("Westland", "", ""), *flow("Westland", "20", "10", year="2022")]
    assert inflow(rows, "Westland").why == UNREADABLE


def test_an_empty_notice_is_not_a_hidden_one_for_notices_are_printed_from_one_on() -> None:
    rows = [*notice("Waterland", ""), *({**row, "notice": "end_detention"} for row in notice("Waterland", "3"))]
    assert next(iter(printed.today(rows, NOTICES))).why == UNREADABLE


@pytest.mark.parametrize("status", ["uncertain"])
def test_a_reading_without_proof_is_not_judged(status: str) -> None:
    assert inflow(flow("Westland", "20", "10", status=status), "Westland").why == UNREADABLE


def test_a_municipality_that_took_another_in_is_the_sum_of_both() -> None:
    """Beemster went to Purmerend on 1 January 2022: in 2021 there were two, in 2022 one."""
    rows = [*flow("Purmerend", "700", "625"), *flow("Beemster", "60", "150")]
    told = inflow(rows, "Purmerend")
    assert told.count == Interval(698 + 58, 702 + 62)
    assert (told.municipality, told.parts, told.why) == ("Purmerend", ("Beemster", "Purmerend"), "")
    later = inflow(flow("Purmerend", "845", "665", year="2022"), "Purmerend")
    assert (later.count, later.parts) == (Interval(843, 847), ())


def test_the_parts_themselves_are_counted_at_the_successor() -> None:
    told = inflow([*flow("Purmerend", "700", "625"), *flow("Beemster", "60", "150")], "Beemster")
    assert (told.municipality, told.count, told.why) == ("Beemster", None, ELSEWHERE)


def test_a_new_municipality_is_the_sum_of_old_ones_though_its_own_cell_is_empty() -> None:
    rows = [*flow("Dijk en Waard", "", ""), *flow("Heerhugowaard", "1025", "325"), *flow("Langedijk", "375", "95")]
    told = inflow(rows, "Dijk en Waard")
    assert told.count == Interval(1396, 1404)
    assert told.parts == ("Heerhugowaard", "Langedijk")


def test_a_hidden_part_adds_what_it_can_be() -> None:
    rows = [*flow("Maashorst", "", ""), *flow("Uden", "400", "975"), *flow("Landerd", "", "220")]
    assert inflow(rows, "Maashorst").count == Interval(398, 402 + 9)


def test_a_part_that_delivered_nothing_leaves_the_whole_open() -> None:
    """Boxmeer and Sint Anthonis did not deliver in 2021; what lives there was counted later, with Land van Cuijk."""
    rows = flow("Land van Cuijk", "", "")
    for name, count in (("Cuijk", "220"), ("Grave", "65"), ("Mill en Sint Hubert", "50")):
        rows += flow(name, count, count)
    assert inflow([*rows, *flow("Boxmeer", "", ""), *flow("Sint Anthonis", "", "")], "Land van Cuijk").why == IN_PART
    assert inflow(rows, "Land van Cuijk").why == IN_PART  # not in the table at all


def test_notices_of_merged_municipalities_add_up_without_rounding() -> None:
    rows = notice("Voorne aan Zee", "")
    for name, count in (("Brielle", "4"), ("Hellevoetsluis", "30"), ("Westvoorne", "6")):
        rows += notice(name, count)
    assert next(iter(printed.today(rows, NOTICES))).count == Interval(40, 40)


def test_a_name_that_nothing_knows_is_not_judged() -> None:
    assert inflow(flow("Nergenshuizen", "20", "10"), "Nergenshuizen").why == ELSEWHERE


def test_the_classification_can_be_that_of_another_year() -> None:
    """In the classification of 2022 Brielle is still itself."""
    told = next(iter(printed.today(flow("Brielle", "165", "75"), FLOWS, year=2022)))
    assert (told.municipality, told.count) == ("Brielle", Interval(163, 167))


def test_of_the_printed_tables_every_row_is_there_once_and_nearly_all_can_be_judged() -> None:
    for rows, table, least in ((reference.injus_notices(), NOTICES, 0.98), (reference.wmo_flows(), FLOWS, 0.86)):
        told = list(printed.today(rows, table))
        assert [one.row for one in told] == list(rows)
        assert sum(not one.why for one in told) >= least * len(rows)
        assert all((one.count is None) == bool(one.why) for one in told)
