"""The folder of `koppel audit-tables --results` opens where output checkers open it: in ACRO and the SACRO viewer.

Neither can be installed beside us (ACRO pins an old pandas), so what they demand stands here, from their source:
`load_records` of acro/record.py (ACRO 1.0.2) and `ACROOutputs` of sacro/models.py with sacro/versioning.py and
assets/src/scripts/_table-builder.js (SACRO viewer 0.2.1). Both were run on such a folder (docs/decisions/0126).
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.cli import app
from release.protect import acro
from schemas.errors import ConfigError, DisclosureRefused

COUNTS = """leeftijd;aantal;geslacht
18-34, thuis;3;man
18-34, thuis;x;vrouw
18-34, thuis;11;totaal
35+;0;totaal
"""
HOURS = """gemeente;grootste;tweede;bijdragers;uren
A;700;20;14;800,5
B;90;80;25;710,25
"""
# The keys of one record, and what the loader makes of each.
RECORD = {
    "uid": str,
    "status": str,
    "type": str,
    "properties": dict,
    "files": list,
    "outcome": dict,
    "command": str,
    "summary": str,
    "timestamp": str,
    "comments": list,
    "exception": str,
    "fair": dict,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Both tables, of which both fail."""
    for name, text in (("personen.csv", COUNTS), ("uren.csv", HOURS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    out = tmp_path / "voor de controleur"
    with pytest.raises(DisclosureRefused, match="unsafe_tables"):
        call = [str(tmp_path / "personen.csv"), "--count", "aantal", "--results", str(out)]
        app(["audit-tables", *call], result_action="return_value")
    hours = tmp_path / "uren"
    with pytest.raises(DisclosureRefused, match="unsafe_tables"):
        app(["audit-tables", str(tmp_path / "uren.csv"), "--results", str(hours)], result_action="return_value")
    return tmp_path


def results(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "results.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["voor de controleur", "uren"])
def test_the_loader_of_acro_reads_it(folder: Path, name: str) -> None:
    """Every key of a record, an outcome that is a table, one sdc per file, and CSVs that pandas parses."""
    data = results(folder / name)
    assert data["version"] == acro.VERSION == "1.0.2"
    for key, record in data["results"].items():
        assert {field: type(record[field]) for field in RECORD} == RECORD and set(record) == set(RECORD)
        assert record["uid"] == key
        outcome = pd.DataFrame.from_dict(record["outcome"])
        (file,) = record["files"]
        table = pd.read_csv(folder / name / file["name"])
        assert len(outcome) == len(table) and list(outcome.columns) == [outcome.columns[0]]
        assert outcome.columns[0] in table.columns
        assert dt.datetime.fromisoformat(record["timestamp"]).tzinfo is not None


def test_the_viewer_reads_it(folder: Path) -> None:
    """One JSON with version and results in the folder (config.json is no second one), files and their checksums."""
    for name in ("voor de controleur", "uren"):
        made = folder / name
        valid = [
            path.name
            for path in made.glob("*.json")
            if {"version", "results"} <= set(json.loads(path.read_text(encoding="utf-8")))
        ]
        assert valid == ["results.json"]
        data = results(made)
        major, minor, *_ = data["version"].split(".")
        assert (major, minor) >= ("0", "4")  # the viewer compares the words
        for record in data["results"].values():
            assert record["status"] in {"pass", "review", "fail"}
            assert record["summary"].split("; ")[0] == record["status"], "shown as the status"
            assert record["properties"]["method"] and record["files"]
        for path in (path for path in made.iterdir() if path.is_file()):
            said = (made / "checksums" / f"{path.name}.txt").read_text(encoding="utf-8")
            assert said == hashlib.sha256(path.read_bytes()).hexdigest()


def marked(made: Path) -> dict[str, list[str]]:
    """The cells that the viewer marks, as it finds them: line x + 1 of the body, cell y + 2 of the line (from 1)."""
    (record,) = results(made)["results"].values()
    (file,) = record["files"]
    body = list(csv.reader((made / file["name"]).read_text(encoding="utf-8").splitlines()))[1:]
    cells = file["sdc"]["cells"].items()
    return {rule: [body[x][y + 2 - 1] for x, y in places] for rule, places in cells if places}


def test_the_marks_stand_on_the_cells_at_fault(folder: Path) -> None:
    assert marked(folder / "voor de controleur") == {"threshold": ["3"], "recoverable": ["x"], "zeros": ["0"]}
    assert marked(folder / "uren") == {"nk-rule": ["800,5"]}


def test_numbers_of_rules_and_of_marks_are_one(folder: Path) -> None:
    for name in ("voor de controleur", "uren"):
        for record in results(folder / name)["results"].values():
            sdc = record["files"][0]["sdc"]
            assert all(len(places) == sdc["summary"][rule] for rule, places in sdc["cells"].items())
            told = [words for column in record["outcome"].values() for words in column.values() if words != "ok"]
            assert sum(words.count("; ") for words in told) == sum(map(len, sdc["cells"].values()))


def test_contributions_do_not_leave(folder: Path) -> None:
    """What the checker releases is the copy, and that has no largest contribution in it; nor has results.json."""
    made = folder / "uren"
    assert (made / "uren.csv").read_text(encoding="utf-8") == 'gemeente,uren\nA,"800,5"\nB,"710,25"\n'
    for path in (path for path in made.iterdir() if path.is_file()):
        assert "700" not in (text := path.read_text(encoding="utf-8")) and "grootste" not in text


def test_the_limits_that_were_used_are_beside_it(folder: Path) -> None:
    told = json.loads((folder / "uren" / "config.json").read_text(encoding="utf-8"))
    assert (told["safe_threshold"], told["safe_nk_n"], told["safe_nk_k"], told["safe_pratio_p"]) == (10, 2, 0.85, 0.1)


def test_a_folder_with_something_in_it_or_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    paths = [tmp_path / "t.csv", tmp_path / "a" / "t.csv"]
    for path in paths:
        path.write_text("g,n\na,40\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="bad_table"):
        app(["audit-tables", *map(str, paths), "--results", str(tmp_path / "out")], result_action="return_value")
    with pytest.raises(ConfigError, match="output_exists"):
        app(["audit-tables", str(paths[0]), "--results", str(tmp_path / "a")], result_action="return_value")


def test_a_copy_that_says_something_else_is_not_left_standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("g,n\na,40\nb,50\n", encoding="utf-8")
    whole = csv.writer

    class Lossy:
        """Forgets the last line."""

        def __init__(self, *given: Any, **how: Any) -> None:
            self.writer = whole(*given, **how)

        def writerows(self, rows: list[list[str]]) -> None:
            self.writer.writerows(rows[:-1])

    monkeypatch.setattr(acro.csv, "writer", Lossy)
    with pytest.raises(DisclosureRefused, match="changed_count"):
        app(["audit-tables", str(path), "--results", str(tmp_path / "out")], result_action="return_value")
