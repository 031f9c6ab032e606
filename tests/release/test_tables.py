"""`koppel audit-tables`: tables that look safe and are not, alone, together, or beside what others published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.cli import app
from release.protect import checking, printed, tables
from release.protect.checking import Checked
from release.protect.tables import Table
from schemas.errors import ConfigError, DisclosureRefused

SAFE = """leeftijd;geslacht;aantal
18-34;man;x
18-34;vrouw;x
18-34;totaal;40
35+;man;x
35+;vrouw;x
35+;totaal;60
totaal;man;50
totaal;vrouw;50
totaal;totaal;100
"""
ONE_HIDDEN = """sexe,n
man,<10
vrouw,91
totaal,95
"""


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def checked(*paths: Path, known: tuple[Table, ...] = ()) -> Checked:
    return checking.check([tables.read(path) for path in paths], known)


def status(*paths: Path) -> dict[str, str]:
    return {one.table.name: one.status for one in checked(*paths).findings}


def test_a_pattern_that_leaves_room_passes(tmp_path: Path) -> None:
    assert status(put(tmp_path, "a.csv", SAFE)) == {"a.csv": "pass"}


def test_one_hidden_cell_beside_its_total_is_no_secret(tmp_path: Path) -> None:
    found = checked(put(tmp_path, "b.csv", ONE_HIDDEN))
    assert found.status == "fail"
    assert found.findings[0].counts["recoverable"] == 1
    assert found.findings[0].summary == "fail; recoverable: 1 cells; group: 1 cells"


def test_two_tables_undo_each_other(tmp_path: Path) -> None:
    """Each is safe by itself; the second prints a cell of the first, so that a neighbour comes out."""
    first = put(tmp_path, "a.csv", SAFE)
    text = "leeftijd;geslacht;aantal\n18-34;man;38\n"
    second = put(tmp_path, "b.csv", text)
    assert status(first)["a.csv"] == "pass"
    assert status(second) == {"b.csv": "pass"}
    assert status(first, second) == {"a.csv": "fail", "b.csv": "pass"}, "what is undone is what the first hides"


@pytest.mark.parametrize(
    ("cell", "verdict"), [("3", "fail"), ("0", "review"), ("95", "pass")], ids=["small", "zero", "large"]
)
def test_shown_numbers_are_judged_too(tmp_path: Path, cell: str, verdict: str) -> None:
    assert status(put(tmp_path, "a.csv", f"g,n\na,{cell}\n")) == {"a.csv": verdict}


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [("10,9", "fail"), ("25,10", "pass"), ("25,16", "fail"), ("50,50", "pass"), ("9,0", "fail"), ("40,", "pass")],
)
def test_persons_that_one_source_knows_already_do_not_count(tmp_path: Path, cell: str, verdict: str) -> None:
    """Of 10 persons a provider of care knows 9: it sees the tenth. Who knows all of them has nothing to learn."""
    path = put(tmp_path, "a.csv", f"g,n,grootste_bron\na,{cell}\n")
    assert status(path) == {"a.csv": verdict}
    assert tables.read(path).lines == [["g", "n"], ["a", cell.partition(",")[0]]], "it is not to leave"


@pytest.mark.parametrize("cell", ["10,11", "10,x", "10,2.5"])
def test_a_source_that_cannot_be_is_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(ConfigError, match="bad_table"):
        tables.read(put(tmp_path, "a.csv", f"g,n,grootste_bron\na,{cell}\n"))


def test_nine_tenths_in_one_category_asks_for_a_look(tmp_path: Path) -> None:
    assert status(put(tmp_path, "a.csv", "g,n\na,95\nb,10\ntotal,105\n")) == {"a.csv": "review"}


def test_printed_cells() -> None:
    assert [printed.count(text) for text in ("12", "1.234", "<10", "<=9", "", "x", "\u00d7", ".")] == [
        (12, 12),
        (1234, 1234),
        (0, 9),
        (0, 9),
        *[(0, float("inf"))] * 4,
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("10-19", "number"), ("ca. 40", "number"), ("-3", "number"), ("3,5", "contributions"), ("0.5", "contributions")],
)
def test_a_cell_that_says_more_than_is_understood_is_no_hidden_cell(tmp_path: Path, text: str, kind: str) -> None:
    """An attacker reads "10-19". And a fraction is no count: a magnitude comes with its contributions."""
    with pytest.raises(ConfigError, match="bad_table") as caught:
        tables.read(put(tmp_path, "a.csv", f'g;n\na;"{text}"\n'))
    assert caught.value.facts == {"kind": kind, "line": 2}


@pytest.mark.parametrize("text", ["a\n", "a,n\nx,1\nx,2\n", "a,n\nx\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="bad_table"):
        tables.read(put(tmp_path, "a.csv", text))


def test_sums_that_do_not_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        status(put(tmp_path, "a.csv", "g,n\na,50\nb,20\ntotal,80\n"))
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        status(put(tmp_path, "b.csv", "g,n\na,50\n"), put(tmp_path, "c.csv", "g,n\na,51\n"))
    with pytest.raises(ConfigError, match="bad_table"):
        tables.read(put(tmp_path, "a.csv", "g,n\na,1\n"), count="aantal")
    with pytest.raises(ConfigError, match="bad_table"):
        tables.read(tmp_path / "nowhere.csv")


def test_the_command_writes_results_and_fails_on_an_unsafe_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unsafe, out = put(tmp_path, "b.csv", ONE_HIDDEN), tmp_path / "results"
    with pytest.raises(DisclosureRefused, match="unsafe_tables") as caught:
        app(["audit-tables", str(unsafe), "--results", str(out), "--json"], result_action="return_value")
    assert caught.value.exit_code == 14
    assert json.loads((out / "results.json").read_text(encoding="utf-8")) == json.loads(capsys.readouterr().out)
    app(["audit-tables", str(put(tmp_path, "a.csv", SAFE))], result_action="return_value")
    assert "pass" in capsys.readouterr().out
    for call in ([], [str(unsafe), "--known-base", "0"], [str(unsafe), "--threshold", "0"]):
        with pytest.raises(ConfigError, match="bad_call"):
            app(["audit-tables", *call], result_action="return_value")


# What others published of the same persons. Their "." is hidden, their numbers may be rounded.
STATLINE = """leeftijd;geslacht;aantal
18-34;man;{}
18-34;vrouw;.
"""


def theirs(folder: Path, cell: str, base: int = 1) -> tuple[Table]:
    table = tables.read(put(folder, "statline.csv", STATLINE.format(cell)), known=True)
    return (tables.rounded(table, base) if base > 1 else table,)


def test_an_exact_number_that_others_published_undoes_a_pattern(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", SAFE)
    assert checked(path).status == "pass"
    found = checked(path, known=theirs(tmp_path, "38")).findings
    assert [one.table.name for one in found] == ["a.csv"], "theirs are known, not judged"
    assert found[0].counts["recoverable"] == 1  # the women are 2; the 12 and 48 that come out too may be known


def test_a_rounded_number_undoes_it_when_it_leaves_less_than_the_width(tmp_path: Path) -> None:
    """Multiples of 5: 40 means 38 to 42, which leaves the women of 18-34 with 0 to 2. Multiples of 20 leave room."""
    path = put(tmp_path, "a.csv", SAFE)
    assert checked(path, known=theirs(tmp_path, "40", 5)).status == "fail"
    assert checked(path, known=theirs(tmp_path, "20", 20)).status == "pass"  # 10 to 30


def test_what_was_hidden_by_others_and_comes_out_through_these_is_ours(tmp_path: Path) -> None:
    """Their men of 18-34 are hidden beside a total; this table prints the women, and so gives their cell away."""
    known = tables.read(put(tmp_path, "s.csv", "g,n\nman,.\nvrouw,.\ntotaal,45\n"), known=True)
    mine = put(tmp_path, "a.csv", "g,n\nvrouw,42\n")
    assert checked(mine).status == "pass"
    found = checked(mine, known=(known,)).findings[0]
    assert (found.status, found.counts["elsewhere"]) == ("fail", 1)
    alone = tables.read(put(tmp_path, "t.csv", "g,n\nman,.\nvrouw,42\ntotaal,45\n"), known=True)
    assert checked(mine, known=(alone,)).status == "pass", "they gave it away themselves"


def test_what_contradicts_others_is_refused(tmp_path: Path) -> None:
    """18-34 are 40 in the one and 45 at least in the other: these are not the same persons, or one is wrong."""
    path = put(tmp_path, "a.csv", SAFE)
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        checked(path, known=theirs(tmp_path, "45"))
    other = tables.read(put(tmp_path, "s.csv", "leeftijd,geslacht,n\ntotaal,man,60\n"), known=True)
    with pytest.raises(DisclosureRefused, match="tables_disagree"):
        checked(path, known=(tables.rounded(other, 5),))


def test_the_command_takes_them_too(tmp_path: Path) -> None:
    known = put(tmp_path, "statline.csv", STATLINE.format("40"))
    call = ["audit-tables", str(put(tmp_path, "a.csv", SAFE)), "--known", str(known)]
    with pytest.raises(DisclosureRefused, match="unsafe_tables"):
        app([*call, "--known-base", "5"], result_action="return_value")
    app(call[:2], result_action="return_value")
