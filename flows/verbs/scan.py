"""`koppel scan`: look for canaries and columns of personal numbers in any folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from flows import rooms
from flows.settings import load
from schemas.errors import DisclosureRefused

SHOWN = 20


def scan(
    folder: Path,
    *,
    leaving: bool = False,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
    out: Annotated[Path | None, Parameter(name="--out")] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Look through every file below a folder for canaries; exit code 14 when one is found.

    Parameters
    ----------
    folder
        What to look through: text, archives, Parquet, XLSX, SQLite and everything else as bytes.
    leaving
        By the rules for what leaves: also columns dense with personal numbers, and nothing unreadable.
    config
        Settings of this TTP: adds the canaries' pseudonyms in every domain. Without: their numbers alone.
    out
        Also write every place to this CSV file: file, what, form and domain, never a value.
    """
    answer = rooms.pseudonymize("scan", *_arguments(folder, leaving=leaving, config=config, out=out), "--report")
    bad = sum(len(answer[name]) for name in ("hits", "dense", "opaque"))
    if as_json:
        from flows.cli import _plain  # noqa: PLC0415 - the command's own way of printing JSON

        _plain(answer)
    else:
        _show(answer)
    if bad:
        code = "canary_found" if answer["hits"] else "number_density" if answer["dense"] else "opaque_file"
        raise DisclosureRefused(code, places=bad)


def _arguments(folder: Path, *, leaving: bool, config: Path | None, out: Path | None) -> list[object]:
    found: list[object] = ["--leaving" if leaving else "--folder", folder.resolve()]
    if config is not None:
        settings = load(config)
        found += ["--store", settings.store, "--keys", settings.keys / "converter", "--recipients", settings.recipient]
    if out is not None:
        found += ["--list", out]
    return found


def _show(answer: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{answer['files']:,} files, {answer['bytes']:,} bytes, {answer['columns']:,} columns looked through; "
        f"{answer['sealed']:,} sealed"
    )
    lines = [(hit["file"], "canary", hit["form"], hit["domain"]) for hit in answer["hits"]]
    lines += [(one["file"], "numbers", one["column"], "") for one in answer["dense"]]
    lines += [(one["file"], "opaque", one["kind"], "") for one in answer["opaque"]]
    if not lines:
        console.print("nothing found")
        return
    table = Table("file", "what", "form", "domain", box=None, title_justify="left")
    for line in lines[:SHOWN]:
        table.add_row(*line)
    console.print(table)
    if len(lines) > SHOWN:
        console.print(f"... and {len(lines) - SHOWN:,} more: --out FILE lists them all")
