"""`koppel demo`: a synthetic Netherlands, its suppliers, the TTP and the readers, in one folder.

Suppliers deliver sealed files with the supplier tool; one register (3RO) comes as a raw extract through the
gateway. Then the real flows run on an embedded Prefect server.
"""

from __future__ import annotations

import math
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from flows import rooms, steps
from flows.report import current
from flows.settings import Settings, load
from schemas.common import FALLBACK, FALLBACK_TYPE
from schemas.errors import ConfigError
from schemas.registers import REGISTERS
from synthetic import country
from synthetic.defects import NameDefects

AGREEMENTS = Path(country.__file__).parent / "agreements"
RAW = "reclassering"
MARK = ".koppel-demo"
COUNTRIES_PER_GB = 4  # what linking needs grows with the people: docs/performance.md
FALLBACK_COLUMNS = tuple(column.name for column in FALLBACK)


def prepare(out: Path, *, port: int, scale: float = 1.0, fallback: bool = False) -> Settings:
    """An empty demo folder with settings, agreements and keys. ConfigError output_exists for a folder not ours.

    `fallback`: the agreements let suppliers make keys of names, birth dates and postcodes.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / MARK).is_file():
            raise ConfigError("output_exists")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    (out / MARK).write_text("SYNTHETISCH: alles in deze map is verzonnen.\n", encoding="utf-8")
    shutil.copytree(AGREEMENTS, out / "agreements", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    if fallback:
        _allow_fallback(out / "agreements")
    (out / "koppel.toml").write_text(_toml(port, scale), encoding="utf-8")
    settings = load(out / "koppel.toml")
    suppliers = {steps.agreement_of(settings, register)[0].supplier for register in REGISTERS}
    rooms.pseudonymize(
        "keys",
        "--home",
        settings.keys,
        "--project",
        "koppelpunt-demo",
        "--pre-epoch",
        "run-1",
        "--epoch",
        "epoch-1",
        "--suppliers",
        ",".join(sorted(suppliers)),
        "--recipients",
        settings.recipient,
    )
    steps.log(settings).event("keys_created", who="custodian", why="ceremony", suppliers=len(suppliers))
    return settings


def _toml(port: int, scale: float) -> str:
    paths = {"home": "ttp", "agreements": "agreements", "keys": "keys", "inbox": "ttp/inbox"}
    paths |= {"gateway": "ttp/gateway", "truth": "land/truth"}
    lines = ["# Settings of the demo; docs/operator.md explains each.", *(f'{k} = "{v}"' for k, v in paths.items())]
    memory = [] if scale <= COUNTRIES_PER_GB else [f'memory_limit = "{math.ceil(scale / COUNTRIES_PER_GB)}GB"']
    return "\n".join([*lines, f"prefect_port = {port}", *memory]) + "\n"


def _allow_fallback(folder: Path) -> None:
    """Agreements of registers with the columns for fallback keys, as the parties would change them."""
    for file in folder.glob("*.yaml"):
        text = file.read_text(encoding="utf-8").rstrip() + "\n"
        if set(FALLBACK_COLUMNS) <= set(REGISTERS[file.stem].by_name):
            text = text.replace("identifier_types: [", f"identifier_types: [{FALLBACK_TYPE}, ")
            text += "".join(f"  {name}: pseudonymise\n" for name in FALLBACK_COLUMNS)
        file.write_text(text, encoding="utf-8")


def make_country(out: Path, *, scale: float, seed: int, names: bool = False) -> None:
    """The four registers and the crosswalk as their holders would export them, and the truth apart."""
    with current().doing("synthetic country") as counts:
        # In a process of its own, for its memory: what the country took would stay with the run to its end.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            report = pool.submit(
                country.make, out / "land", scale=scale, seed=seed, names=NameDefects() if names else None
            ).result()
        counts["rows"] = report.rows
        counts["persons"] = report.persons


def suppliers_deliver(settings: Settings, out: Path) -> None:
    """Each supplier runs its tool on its own extract, two at a time; the raw one is laid at the gateway."""
    extracts = out / "land" / "extracts"
    jobs = []
    for register in REGISTERS:
        for number, source in enumerate(sorted(extracts.glob(f"{register}.csv")) or _numbered(extracts, register), 1):
            jobs.append((register, number, source))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: _deliver(settings, *job), sorted(jobs, key=lambda job: -job[2].stat().st_size)))


def _numbered(extracts: Path, register: str) -> list[Path]:
    return sorted(extracts.glob(f"{register}_[0-9].csv"))


def _deliver(settings: Settings, register: str, number: int, source: Path) -> None:
    agreement, file = steps.agreement_of(settings, register)
    if agreement.gateway:
        folder = settings.gateway / register
        folder.mkdir(parents=True, mode=0o700)
        source.rename(folder / source.name)
        return
    with current().doing(f"deliver {register} {number}") as counts:
        answer = steps.deliver(
            settings, source, register=register, agreement=file, supplier=agreement.supplier, sequence=number
        )
        counts["rows"] = int(answer["rows"]["in"])
        counts["quarantined"] = int(answer["rows"]["quarantined"])


def summary(out: Path) -> dict[str, str]:
    """Where to look now: reader -> path."""
    return {
        "VNG": str(out / "ttp/releases/demo-1/vng/doelgroep.html"),
        "onderzoeker": str(out / "ttp/releases/demo-1/onderzoek/README.md"),
        "operator": str(out / "ttp/releases/demo-1/operator/kwaliteit.html"),
        "truth": str(out / "ttp/releases/demo-1/operator/truth.md"),
    }
