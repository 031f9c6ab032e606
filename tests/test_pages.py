"""No command in the docs that nobody ran: each fenced one is of a block that a test runs, each other one parses."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from cyclopts.exceptions import CycloptsError

from flows.cli import app
from tests import pages

# Page and kind of block -> the test module that runs every line of it, and the words in which that module names them.
RUN_BY = {
    ("operator.md", "bash"): ("tests.flows.test_operator_page", 'lines("operator.md", "bash")'),
    ("operator.md", "bash root"): ("tests.flows.test_operator_page", 'lines("operator.md", "bash root")'),
    ("operator.md", "bash end"): ("tests.flows.test_operator_page", 'lines("operator.md", "bash end")'),
    ("operator.md", "bash reproduce"): ("tests.flows.test_reproduce", 'lines("operator.md", "bash reproduce")'),
    ("operator.md", "bash release"): ("tests.flows.test_releasing", 'lines("operator.md", "bash release")'),
    ("audit.md", ""): ("tests.flows.test_operator_page", 'lines("audit.md", "")'),
    ("keys.md", "bash"): ("tests.test_keys_runbook", 'commands("bash")'),
    ("keys.md", "bash hsm"): ("tests.test_keys_runbook", 'commands("bash hsm")'),
    ("supplier.md", ""): ("tests.flows.test_supplier_page", '"supplier.md"'),
    ("blind.md", ""): ("tests.flows.test_blind_page", '"blind.md"'),
}
# Not run as they stand, with the reason.
NOT_RUN = {
    ("README.md", ""): "`make demo` and `make test` are what CI itself calls; the rest is what they print",
    ("researcher.md", "console"): "the duckdb program and marimo are the researcher's; the Python beside them is run",
}
COMMANDS = ("koppel", "make", "python", "duckdb", "marimo", "systemctl", "install", "useradd")
INLINE = re.compile(r"`(koppel [^`]+)`")


def fenced() -> list[tuple[str, str, str]]:
    """Page, kind and line of every fenced command."""
    return [
        (block.page, block.kind, line)
        for page in pages.pages()
        for block in pages.blocks(page)
        for line in block.lines
        if line.removeprefix("$ ").split()[0] in COMMANDS
    ]


def test_every_fenced_command_is_run_by_a_test_or_has_a_reason() -> None:
    found = fenced()
    assert len(found) > 80
    assert {(page, kind) for page, kind, _ in found} == {*RUN_BY, *NOT_RUN}
    assert not [line for page, kind, line in found if (page, kind) in NOT_RUN and line.startswith("koppel")]


@pytest.mark.parametrize("where", RUN_BY, ids=" ".join)
def test_the_test_that_runs_a_block_reads_it_from_the_page(where: tuple[str, str]) -> None:
    module, words = RUN_BY[where]
    text = Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8")
    assert words in text and "def test_" in text


def parsed(command: str) -> str | None:
    """What is wrong with a whole command; None when the real parser takes it. LASTDAY stands for a day."""
    try:
        app.parse_args(
            shlex.split(command.replace("LASTDAY", "2030-01-01"), comments=True)[1:],
            print_error=False,
            exit_on_error=False,
        )
    except CycloptsError as error:
        return type(error).__name__
    return None


def test_every_fenced_koppel_command_parses() -> None:
    lines = [line for _, _, line in fenced() if line.startswith("koppel")]
    assert {line: fault for line in lines if (fault := parsed(line)) is not None} == {}


def named(command: str) -> str | None:
    """What is wrong with a command named in a sentence, maybe without its arguments: verb and options must exist."""
    words = shlex.split(command.split(",", maxsplit=1)[0].replace(" ...", ""))[1:]
    verbs, apps, left = app.parse_commands(words)
    if not verbs:
        return "unknown verb"
    if verbs[-1].startswith("--"):  # --version and --help are commands of the library, without options
        return None
    last: Any = apps[-1]
    if last.default_command is None:  # a group: nothing but its verbs
        return f"unknown: {left}" if left else None
    known = {name for argument in last.assemble_argument_collection() for name in argument.names} | {"--help"}
    wrong = [one for one in left if one.startswith("--") and one.partition("=")[0] not in known]
    return f"unknown: {wrong}" if wrong else None


def test_every_command_in_a_sentence_exists() -> None:
    everywhere = [*pages.pages(), *sorted((pages.ROOT / "docs" / "decisions").glob("*.md"))]
    commands = {one for page in everywhere for one in INLINE.findall(page.read_text(encoding="utf-8"))}
    assert len(commands) > 25
    assert {one: fault for one in commands if (fault := named(one)) is not None} == {}


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert parsed("koppel reproduce") == "MissingArgumentError"
    assert parsed("koppel run --fast") is not None
    assert named("koppel rnu --direct") == "unknown verb"
    assert named("koppel run --fast") == "unknown: ['--fast']"
    assert named("koppel keys explode ...") is not None
