"""Numbers planted in every wrong place, then searched for in everything a run leaves behind.

The planted numbers: RvIG test numbers that appear nowhere else, and every BSN of the synthetic country.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.settings import load
from tests.flows.conftest import Site
from tests.flows.leaks import scan

# RvIG test range; remainder 0 in the real 11-proef, so a scan cannot take them for synthetic ones.
CANARIES = ("999990019", "999994669", "999993653")


def country_numbers(site: Site) -> set[str]:
    """Every BSN of the synthetic country, from the truth."""
    found: set[str] = set()
    for path in (site.folder / "land" / "truth").glob("*.parquet"):
        for name in pq.read_schema(path).names:
            if name.startswith("bsn"):
                found |= {v for v in pq.read_table(path, columns=[name])[name].to_pylist() if v and len(v) == 9}
    assert len(found) > 500
    return found


def test_nothing_of_a_whole_run_holds_a_bsn(finished: Site) -> None:
    """Sealed deliveries, store, linked tables, releases, ledger, journals, event log."""
    assert scan(finished.ttp, country_numbers(finished)) == []


def test_the_scan_would_find_one(finished: Site) -> None:
    """The extracts themselves are full of them: the test above can fail."""
    hits = scan(finished.folder / "land" / "extracts", country_numbers(finished))
    assert {name for name, _ in hits} >= {"ifzo.csv", "injus.csv"}


def spoil(source: Path, folder: Path, place: str) -> Path:
    """An extract with canaries in a place where no number belongs."""
    text = source.read_bytes().decode("utf-8")
    lines = text.splitlines()
    head = lines[0].split(";")
    row = lines[1].split(";")
    canary = CANARIES[0]
    if place == "file name":
        path = folder / f"ifzo {canary}.csv"
        path.write_text(text, encoding="utf-8")
        return path
    if place == "extra column":
        lines = [lines[0] + ";opmerking", *(line + f";{canary}" for line in lines[1:])]
    elif place == "header":
        lines[0] = lines[0] + f";{canary}"
        lines[1:] = [line + ";" for line in lines[1:]]
    elif place == "broken row":
        lines.insert(1, canary + ";" + canary)
    elif place == "not a file of this kind":
        path = folder / "ifzo.parquet"
        path.write_text(canary * 10, encoding="ascii")
        return path
    else:
        lines.append(";".join(canary if name == place else cell for name, cell in zip(head, row, strict=True)))
    path = folder / "ifzo.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


PLACES = (
    *("file name", "extra column", "header", "broken row", "not a file of this kind"),
    *("titel_eind", "geslacht", "zorgtype", "locatie_gemeentecode", "geboortejaar", "plaatsing_id", "skn", "bsn"),
    *("beveiligingsniveau", "zorgaanbieder_agb", "indicatie_id", "plaatsingsbesluitnummer", "reden_einde_zorg"),
)


@pytest.mark.parametrize("place", PLACES)
def test_a_number_in_the_wrong_place_of_an_extract_goes_nowhere(finished: Site, tmp_path: Path, place: str) -> None:
    """Check and deliver: what they print and all they write is searched."""
    work, raw = tmp_path / "work", tmp_path / "raw"
    work.mkdir()
    raw.mkdir()
    source = spoil(finished.folder / "land" / "extracts" / "ifzo.csv", raw, place)
    agreement = str(finished.folder / "agreements" / "ifzo.yaml")
    keys = finished.folder / "keys"
    calls = [
        ("check", str(source), "--register", "ifzo", "--synthetic"),
        (
            *("deliver", str(source), "--agreement", agreement, "--keys", str(keys / "suppliers" / "dji")),
            *("--public", str(keys / "public"), "--sequence", "2", "--out", str(work / "out")),
        ),
    ]
    for number, call in enumerate(calls):
        done = finished.koppel(*call)
        assert done.returncode in {0, 11}, done.stderr
        (work / f"printed-{number}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert scan(work, CANARIES) == []


FAULTS = {
    "gateway": "flows.steps.gateway",
    "verify": "flows.steps.verify",
    "convert": "flows.steps.convert",
    "open": "flows.steps.open_payload",
    "accept": "flows.steps.accept",
    "link": "flows.work.link_deliveries",
    "estimate": "flows.work.estimate",
    "recipient": "flows.work.recipient",
    "export": "flows.work.publish.export_research",
    "release": "flows.work.publish.publish_vng",
    "upkeep": "flows.work.upkeep",
}

SCRIPT = """
import sys, importlib
name = {target!r}
module, _, attribute = name.rpartition(".")
try:
    room = importlib.import_module(module)
except ModuleNotFoundError:
    parent, _, child = module.rpartition(".")
    room = getattr(importlib.import_module(parent), child)
def fail(*a, **k):
    raise ValueError("row 7: bsn {canary} is not a date")
setattr(room, attribute, fail)
from flows.cli import app
from flows.safe import guarded
from schemas.errors import KoppelError
sys.argv = ["koppel", "run", "--json", *{extra!r}]
try:
    guarded(app)(sys.argv[1:])
except KoppelError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_an_exception_with_a_number_in_it_leaves_no_trace(delivered: Site, tmp_path: Path, fault: str) -> None:
    site = delivered.copy(tmp_path / "demo")
    done = site.python(SCRIPT.format(target=FAULTS[fault], canary=CANARIES[0], extra=["--direct"]))
    assert done.returncode == 20, done.stderr
    (site.ttp / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert scan(site.ttp, CANARIES) == []
    assert "ValueError" in done.stderr  # the kind is told, the text is not


def test_prefect_keeps_no_trace_of_it_either(delivered: Site, tmp_path: Path) -> None:
    """A failing flow's exception is what Prefect stores most eagerly: database, events, storage, log."""
    site = delivered.copy(tmp_path / "demo", port=4312)
    done = site.python(SCRIPT.format(target=FAULTS["link"], canary=CANARIES[0], extra=[]))
    assert done.returncode == 20, done.stderr
    (site.ttp / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert (load(site.config).home / "prefect" / "prefect.db").stat().st_size > 100_000
    assert scan(site.ttp, [*CANARIES]) == []
    assert scan(site.ttp, country_numbers(site)) == []
