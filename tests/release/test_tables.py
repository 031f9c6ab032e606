"""`koppel audit-tables`: tables that look safe and are not, alone or together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.cli import app
from release.protect import tables
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


def status(*paths: Path) -> dict[str, str]:
    found = tables.check([tables.read(path) for path in paths])
    return {name: entry["status"] for name, entry in found["results"].items()}


def test_a_pattern_that_leaves_room_passes(tmp_path: Path) -> None:
    assert status(put(tmp_path, "a.csv", SAFE)) == {"a.csv": "pass"}


def test_one_hidden_cell_beside_its_total_is_no_secret(tmp_path: Path) -> None:
    found = tables.check([tables.read(put(tmp_path, "b.csv", ONE_HIDDEN))])
    assert found["status"] == "fail"
    assert found["results"]["b.csv"]["outcome"]["recoverable"] == 1


def test_two_tables_undo_each_other(tmp_path: Path) -> None:
    """Each is safe by itself; the second prints a cell of the first, so that a neighbour comes out."""
    first = put(tmp_path, "a.csv", SAFE)
    text = "leeftijd;geslacht;aantal\n18-34;man;38\n"
    second = put(tmp_path, "b.csv", text)
    assert status(first)["a.csv"] == "pass"
    assert status(second) == {"b.csv": "pass"}
    assert "fail" in status(first, second).values()


@pytest.mark.parametrize(
    ("cell", "verdict"), [("3", "fail"), ("0", "review"), ("95", "pass")], ids=["small", "zero", "large"]
)
def test_shown_numbers_are_judged_too(tmp_path: Path, cell: str, verdict: str) -> None:
    assert status(put(tmp_path, "a.csv", f"g,n\na,{cell}\n")) == {"a.csv": verdict}


def test_nine_tenths_in_one_category_asks_for_a_look(tmp_path: Path) -> None:
    assert status(put(tmp_path, "a.csv", "g,n\na,95\nb,10\ntotal,105\n")) == {"a.csv": "review"}


def test_printed_cells() -> None:
    assert [tables.printed(t) for t in ("12", "1.234", "<10", "<=9", "")] == [
        (12, 12),
        (1234, 1234),
        (0, 9),
        (0, 9),
        (0, float("inf")),
    ]


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
    unsafe, out = put(tmp_path, "b.csv", ONE_HIDDEN), tmp_path / "results.json"
    with pytest.raises(DisclosureRefused, match="unsafe_tables") as caught:
        app(["audit-tables", str(unsafe), "--results", str(out), "--json"], result_action="return_value")
    assert caught.value.exit_code == 14
    assert json.loads(out.read_text(encoding="utf-8")) == json.loads(capsys.readouterr().out)
    app(["audit-tables", str(put(tmp_path, "a.csv", SAFE))], result_action="return_value")
    assert "pass" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="bad_call"):
        app(["audit-tables"], result_action="return_value")
