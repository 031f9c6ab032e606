"""A number planted in every wrong place comes out nowhere: not in errors, reports, lists, manifests or files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudonymize import cli
from pseudonymize.deliver import check
from schemas import codes
from tests.pseudonymize.conftest import AGREEMENTS, INJUS_HEAD, World, injus_row

PLANTED = "999990019"  # RvIG test range: passes the 11-proef, belongs to nobody
FORMS = (
    PLANTED.encode(),
    PLANTED.encode("utf-16-le"),
    int(PLANTED).to_bytes(4, "little"),
    int(PLANTED).to_bytes(4, "big"),
    PLANTED.encode().hex().encode(),
)


def csv(head: str, *rows: str) -> Callable[[Path], None]:
    return lambda path: path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8") and None


def parquet(**columns: list[object]) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table(columns), path)


GOOD = [injus_row(i, skn=f"S{i}") for i in range(3)]
PLACES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "the right column": ("a.csv", csv(INJUS_HEAD, *GOOD, injus_row(4, bsn=PLANTED))),
    "the wrong number column": (
        "a.csv",
        csv(INJUS_HEAD, *GOOD, injus_row(4, skn=PLANTED, detentie_id=PLANTED)),
    ),
    "an unusable form": ("a.csv", csv(INJUS_HEAD, *GOOD, injus_row(4, bsn=f"{PLANTED}.0"))),
    "an extra column": ("a.csv", csv(f"{INJUS_HEAD};burgerservice", *[f"{row};{PLANTED}" for row in GOOD])),
    "the header": ("a.csv", csv(f"{INJUS_HEAD};{PLANTED}", *[f"{row};1" for row in GOOD])),
    "a broken row": ("a.csv", csv(INJUS_HEAD, *GOOD, f"{PLANTED};{PLANTED}")),
    "a code column": ("a.csv", csv(INJUS_HEAD, *GOOD, injus_row(4, soort_melding=PLANTED))),
    "a date column": ("a.csv", csv(INJUS_HEAD, *GOOD, injus_row(4, datum_gebeurtenis=PLANTED))),
    "a year column": ("a.csv", csv(INJUS_HEAD, *GOOD, injus_row(4, geboortejaar=PLANTED))),
    "a municipality column": ("a.csv", csv(INJUS_HEAD, *GOOD, injus_row(4, gemeentecode_brp=PLANTED))),
    "a dropped column": (
        "a.csv",
        csv(INJUS_HEAD, *GOOD, injus_row(4, melding_id=PLANTED, inrichting_code=PLANTED)),
    ),
    "the kind of an out-of-scope row": (
        "a.csv",
        csv(INJUS_HEAD, *GOOD, injus_row(4, sector="JJI", soort_melding=PLANTED, datum_gebeurtenis=PLANTED)),
    ),
    "the file name": (f"{PLANTED}.csv", csv(INJUS_HEAD, *GOOD)),
    "the name of a broken file": (f"{PLANTED}.parquet", csv(INJUS_HEAD, *GOOD)),
    "a file of no format": (f"{PLANTED}.bin", csv(INJUS_HEAD)),
    "a parquet of other columns": ("a.parquet", parquet(bsn=[int(PLANTED)], x=[PLANTED])),
    "a parquet of numbers": ("a.parquet", parquet(bsn=[float(PLANTED)])),
    "a workbook that is none": ("a.xlsx", csv(PLANTED, PLANTED)),
}


def told(world: World, source: Path) -> tuple[int, bytes]:
    """Everything the supplier tool says and leaves behind about an extract, in one heap of bytes."""
    keys, out = world.keys, world.home / "inbox" / "0001"
    arguments = ("--source", source, "--agreement", AGREEMENTS / "injus.yaml", "--sequence", 1, "--out", out)
    own = ("--keys", keys / "suppliers" / "justid", "--public", keys / "public")
    code, answer = cli.run([str(part) for part in ("deliver", *arguments, *own)])
    heap = [json.dumps(answer).encode()]
    heap += [path.read_bytes() + path.name.encode() for path in (world.home / "inbox").rglob("*") if path.is_file()]
    return code, b"\n".join(heap)


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_number_is_never_repeated(world: World, place: str) -> None:
    name, write = PLACES[place]
    write(world.home / name)
    code, heap = told(world, world.home / name)
    assert code in {0, 11}
    assert not any(form in heap for form in FORMS)
    if code == 0:
        seen = payload(world)
        assert not any(form in seen for form in FORMS)


@pytest.mark.parametrize("text", [PLANTED, f"zie {PLANTED[:3]}.{PLANTED[3:6]}.{PLANTED[6:]}", f"bsn: {PLANTED}."])
def test_a_number_in_free_text_sets_the_row_aside(world: World, text: str) -> None:
    agreement = world.agreement("reclassering")
    names = [column.name for column in agreement.declared.columns]
    cells = dict.fromkeys(names, "") | {
        "verzoek_id": "V1",
        "organisatie": codes.load("reclasseringsorganisatie").values()[0],
        "fase": codes.load("fase").values()[0],
        "indicatie_id": "I1",
        "datum_verzoek": "2021-03-01",
        "indicerende_instantie": codes.load("indicerende_instantie").values()[0],
        "soort_plaatsing": codes.load("soort_plaatsing").values()[0],
        "arrondissement": codes.load("arrondissement_3ro").values()[0],
    }
    rows = [
        ";".join((cells | {"verzoek_id": f"V{i}", "uitkomst_verzoek": t}).values())
        for i, t in enumerate([text, "1234"])
    ]
    report = check(world.extract("r.csv", ";".join(names), rows), agreement.declared, agreement)
    assert report.reasons == {"UITKOMST_VERZOEK_BEVAT_NUMMER": 1}
    assert report.accepted == 1
    assert "lang getal" in report.text()
    assert "quarantaine" not in report.text()  # a check without a list does not point at one


def payload(world: World) -> bytes:
    """What the linker gets to see, as text: every value of every column."""
    out = world.home / "payload.parquet"
    inbox = world.home / "inbox" / "0001"
    keys, agreement = str(world.keys / "linker"), str(AGREEMENTS / "injus.yaml")
    code, _ = cli.run(["open", "--delivery", str(inbox), "--keys", keys, "--agreement", agreement, "--out", str(out)])
    assert code == 0
    return repr(pq.read_table(out).to_pylist()).encode()


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [PLANTED]}), path, compression="none")
    assert any(form in path.read_bytes() for form in FORMS)
