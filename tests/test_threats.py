"""docs/threats.md names a test for each claim that a test shows: the test must exist, and the picture be readable."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")


def names_of_all_tests() -> set[str]:
    return set().union(*(names_in(path) for path in (ROOT / "tests").rglob("test_*.py")))


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_the_page_names_exists() -> None:
    named = set(re.findall(r"\[(test_[a-z_0-9]+)\]", PAGE))
    assert len(named) > 40
    assert named - names_of_all_tests() == set()


def test_every_row_of_the_attacker_table_names_its_test() -> None:
    table = PAGE.split("| attacker holds |")[1].split("\n\n")[0]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(rows) == 7
    assert all("[test_" in row for row in rows)


def test_the_rows_of_blind_mode_name_their_tests_where_they_were_played() -> None:
    table = PAGE.split("| attacker has |")[1].split("\n\n")[0]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    named = set(re.findall(r"\[(test_[a-z_0-9]+)\]", table))
    played = names_in(ROOT / "tests" / "pseudonymize" / "test_attacks_blind.py")
    assert len(rows) == 10
    assert named == played  # no attack is left untold, and none is told that was not played
    assert "not played" not in table


def test_the_page_covers_what_it_must() -> None:
    for word in ("EDPB", "ENISA", "BIO2", "NEN 7524", "five conditions", "Post-quantum", "Weak points"):
        assert word in PAGE, word


def test_the_pictures_can_be_read_without_seeing_them() -> None:
    for name in ("threats.svg", "dataflow.svg"):
        root = ElementTree.parse(ROOT / "docs" / name).getroot()  # noqa: S314 - our own file
        texts = {child.tag.rpartition("}")[2]: child.text for child in root if child.text}
        assert len(texts["title"]) > 10 and len(texts["desc"]) > 80
