"""The house rules that a linter does not know: sizes, no database where numbers are, nothing of this machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("estimation", "flows", "linkage", "pseudonymize", "release", "schemas", "synthetic")
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def test_there_are_sources_in_every_room() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(ROOMS)
    assert len(SOURCES) > 60


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_short_and_so_are_its_functions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= 40, f"{node.name} has {length} lines"


def test_every_public_function_and_class_says_what_it_does() -> None:
    missing = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                missing.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert missing == []


@pytest.mark.parametrize("room", ["pseudonymize", "pseudonymize.__main__", "pseudonymize.convert", "schemas.reading"])
def test_the_code_that_sees_numbers_runs_without_a_database(room: str) -> None:
    """Not only no import: nothing that is imported imports one either.

    pandas is not in this list: Arrow loads it by itself where it is installed. The processes of the room
    refuse it altogether (pseudonymize/__main__.py), and tests/pseudonymize looks at them.
    """
    code = f"import {room}, sys; sys.exit(bool({{'duckdb', 'prefect'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("room", ["linkage.link", "release.publish", "estimation.estimate"])
def test_the_code_that_has_the_database_runs_without_keys(room: str) -> None:
    code = f"import {room}, sys; sys.exit(bool({{'cryptography', 'pyrage', 'pseudonymize'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_project_names_no_registry_host() -> None:
    hosts = re.compile(r"py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.org|deb" + r"ian\.org")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if name != "uv.lock" and (ROOT / name).is_file():
            assert not hosts.search((ROOT / name).read_text(encoding="utf-8", errors="replace")), name


def test_no_number_in_the_repository_can_be_a_real_person() -> None:
    """Every nine-digit number that passes the 11-proef is from RvIG's test range or a textbook placeholder."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    allowed = re.compile(r"9999\d{5}|(\d)\1{7}0|123456782|0000000\d\d")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in tracked.splitlines():
        if name == "uv.lock" or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for number in re.findall(r"(?<![0-9a-fA-F.])\d{9}(?![0-9a-fA-F])", text):
            passes = sum(int(d) * w for d, w in zip(number, weights, strict=True)) % 11 == 0
            if passes and not allowed.fullmatch(number):
                found.append(name)
    assert found == []


def test_each_command_of_the_readme_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    told = set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"demo", "test", "bench"} <= told <= targets


def test_ci_runs_the_readme_command() -> None:
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().endswith("exec make test")
