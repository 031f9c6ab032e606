"""`koppel keys bridge`: the table from old pseudonyms to new ones, which expires. Here is only the call."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows.verbs.answers import Json
from flows.verbs.recorded import Config, do

app = App(name="bridge", help="Old pseudonym to new one, as long as an overlap lasts.")
LastDay = Annotated[dt.date, Parameter(name="--until", help="Last day of the overlap, as 2026-12-31.")]


@app.command
def make(
    *,
    old: Path,
    new: Path,
    keys: Path,
    until: LastDay,
    out_folder: Annotated[Path, Parameter(name="--out")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a bridge of two conversions of one source, under the old and the new epoch.

    Parameters
    ----------
    old
        Parquet file under the old epoch.
    new
        Parquet file of the same source under the new epoch.
    keys
        The converter's key folder.
    out_folder
        New folder for the bridge.
    """
    files = {"old": old, "new": new, "keys": keys, "out": out_folder}
    do("bridge_made", config, "Bridge", as_json, "bridge-make", last_day=until, **files)


@app.command
def use(
    folder: Path,
    *,
    source: Path,
    keys: Path,
    out_file: Annotated[Path, Parameter(name="--out")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Rewrite the old pseudonyms of a Parquet file as new ones; refused after the last day.

    Parameters
    ----------
    folder
        The bridge.
    source
        Parquet file with columns of old pseudonyms.
    keys
        The converter's key folder.
    out_file
        New Parquet file.
    """
    files = {"bridge": folder, "source": source, "keys": keys, "out": out_file}
    do("bridge_used", config, "Converted", as_json, "bridge-use", **files)


@app.command
def expire(folder: Path, *, keys: Path, early: bool = False, config: Config = None, as_json: Json = False) -> None:
    """Delete a bridge, with a certificate.

    Parameters
    ----------
    folder
        The bridge.
    keys
        The converter's key folder.
    early
        Also before its last day has passed.
    """
    do("bridge_expired", config, "Deleted", as_json, "bridge-expire", bridge=folder, keys=keys, early=early)
