"""A small world for the tests of this room: keys of every party, agreements, and extracts made of nothing real."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pseudonymize import bsn, canary, private
from pseudonymize.ceremony import create_demo_keys
from pseudonymize.deliver import deliver
from pseudonymize.ledger import Ledger
from pseudonymize.parties import ConverterKeys, LinkerKeys, PublicKeys, SupplierKeys
from pseudonymize.report import DeliveryReport
from schemas import agreement as agreements
from schemas.agreement import Agreement

TO_DISK = private.to_disk
private.to_disk = lambda _: None  # a key file is forced to the disk (24 ms on a busy one); tests make hundreds

AGREEMENTS = Path(agreements.__file__).parent.parent / "synthetic" / "agreements"
INJUS_HEAD = (
    "melding_id;bsn;skn;skn_soort;geboortejaar;geslacht;nationaliteit_groep;soort_melding;sector;detentie_id;"
    "datum_gebeurtenis;datum_melding;gemeentecode_brp;gemeentecode_vestiging;verblijfstitel;inrichting_code;"
    "soort_verlof;reden_einde"
)
PLANTED = len(canary.of("injus"))  # rows of nobody that the supplier tool adds to a delivery of notices
CROSSWALK_HEAD = "skn;skn_soort;bsn"


def synthetic_numbers() -> Iterator[str]:
    """Nine-digit numbers with remainder 5: they can never be a BSN."""
    for number in itertools.count(700_000_000):
        if bsn.remainder(f"{number:09d}") == bsn.SYNTHETIC_REMAINDER:
            yield f"{number:09d}"


def injus_row(number: int, **cells: str) -> str:
    """One good notice as a CSV line; `cells` replaces any of them."""
    row = {name: "" for name in INJUS_HEAD.split(";")}
    row |= {
        "melding_id": f"M{number}",
        "geboortejaar": "1980",
        "geslacht": "M",
        "soort_melding": "BEGIN_DETENTIE",
        "sector": "GW",
        "detentie_id": f"D{number // 2}",
        "datum_gebeurtenis": "05-09-2021",
        "gemeentecode_brp": "0363",
        "verblijfstitel": "PREVENTIEF",
    }
    return ";".join((row | cells).values())


def without_canaries(table: pa.Table, delivery: Path) -> pa.Table:
    """The rows of an extract: those the manifest does not name as planted."""
    planted = json.loads((delivery / "manifest.json").read_text())["canaries"]["row_ids"]
    ids = pa.array([bytes.fromhex(text) for text in planted], pa.binary(16))
    return table.filter(pc.invert(pc.is_in(table["row_id"], value_set=ids)))


@dataclass
class World:
    """Keys of every party under one folder, as the ceremony makes them."""

    home: Path
    public: PublicKeys

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def converter(self) -> ConverterKeys:
        return ConverterKeys(self.keys / "converter")

    @property
    def linker(self) -> LinkerKeys:
        return LinkerKeys(self.keys / "linker")

    def supplier(self, name: str) -> SupplierKeys:
        return SupplierKeys.load(self.keys / "suppliers" / name)

    def agreement(self, register: str) -> Agreement:
        return agreements.load(AGREEMENTS / f"{register}.yaml")

    def ledger(self) -> Ledger:
        return Ledger(self.home / "ledger.json")

    def extract(self, name: str, head: str, rows: list[str]) -> Path:
        path = self.home / name
        path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        return path

    def injus(self, rows: int = 40, name: str = "injus.csv") -> Path:
        """Notices about rows/4 persons, every seventh without a BSN."""
        numbers = list(itertools.islice(synthetic_numbers(), rows // 4 + 1))
        lines = [injus_row(i, bsn=numbers[i // 4] if i % 7 else "", skn=f"S{i // 4:07d}") for i in range(rows)]
        return self.extract(name, INJUS_HEAD, lines)

    def deliver(
        self, source: Path, register: str = "injus", sequence: int = 1, **more: Any
    ) -> tuple[Path, DeliveryReport]:
        """Make a delivery as the supplier of that register."""
        agreement = self.agreement(register)
        out = self.home / "inbox" / register / f"{sequence:04d}"
        period = (agreement.period.from_, agreement.period.until)
        arguments = {"sequence": sequence, "period": period, **more}
        supplier, public = self.supplier(agreement.supplier), self.public
        return out, deliver(source, agreement.declared, agreement, supplier, public, out, **arguments)


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    suppliers = sorted({agreements.load(path).supplier for path in AGREEMENTS.glob("*.yaml")})

    def make() -> World:
        home = tmp_path_factory.mktemp("world")
        public = create_demo_keys(
            home / "keys",
            suppliers,
            ["onderzoek", "gemeente"],
            "koppelpunt-demo",
            "epoch-1",
            pre_epoch="run-1",
        )
        return World(home, public)

    return make


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    """A fresh world."""
    return make_world()


@dataclass
class Delivered:
    """One good delivery, shared by tests that only read it."""

    world: World
    folder: Path
    report: DeliveryReport


@pytest.fixture(scope="session")
def delivered(make_world: Callable[[], World]) -> Delivered:
    """A delivery of 40 notices."""
    world = make_world()
    folder, report = world.deliver(world.injus())
    return Delivered(world, folder, report)


@pytest.fixture
def today() -> dt.date:
    """The day agreements must be valid on."""
    return dt.datetime.now(dt.UTC).date()
