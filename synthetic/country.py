"""`make`: a whole country in a folder. Extracts as the holders deliver them, and the truth apart.

A country larger than 1 is made of blocks of at most one Netherlands, each with its own draws and numbers, so
memory stays that of one block.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthetic import careers as care
from synthetic import (
    detention,
    export_gmsd,
    export_ifzo,
    export_justice,
    people,
    requests,
    tbs,
    truth,
    wmo,
    wmo_targets,
)
from synthetic import names as naming
from synthetic.careers import CODE_WEIGHTS, Careers
from synthetic.defects import Defects, NameDefects
from synthetic.detention import Spells
from synthetic.people import People
from synthetic.rand import Bools, Ints, Streams, choose, some
from synthetic.requests import Requests
from synthetic.wmo import Wmo
from synthetic.write import Extract, Rows, length

FILES = ("injus", "injus_tbs", "reclassering", "ifzo", "gmsd_1", "gmsd_2", "crosswalk")
DUTCH = ("injus", "injus_tbs", "gmsd_1", "gmsd_2")  # holders that write 31-12-2022
WINDOWS = ("injus",)
DEATHS = 0.008
MARK = "SYNTHETISCH: alles in deze map is verzonnen; geen enkel nummer kan van een echt mens zijn.\n"


@dataclass
class Report:
    """What was made: rows per extract and people."""

    extracts: dict[str, int]
    persons: int = 0

    @property
    def rows(self) -> int:
        """Rows of all extracts."""
        return sum(self.extracts.values())


@dataclass
class Block:
    """One Netherlands, or a part of one."""

    spells: Spells
    careers: Careers
    wmo: Wmo
    requests: Requests
    request_person: Ints
    events: tbs.Events
    died: Bools
    people: People


def make(
    out: Path,
    *,
    scale: float = 1.0,
    seed: int = 1,
    defects: Defects | None = None,
    names: NameDefects | None = None,
) -> Report:
    """Write `out/extracts` and `out/truth`. Same scale, seed and defects: same bytes. ValueError for scale <= 0.

    With `names` the extracts also hold names, birth dates and postcodes, and some people are without a number.
    """
    if not 0 < scale < math.inf:
        raise ValueError("scale is a positive number")
    planted = defects or Defects()
    report = Report(dict.fromkeys(FILES, 0))
    extracts = out / "extracts"
    extracts.mkdir(parents=True)
    (extracts / "SYNTHETISCH.txt").write_text(MARK, encoding="utf-8")
    habits = export_gmsd.Habits.of(seed, planted)
    with _files(extracts) as files, _truth(out / "truth") as kept:
        for block, size in enumerate(_sizes(scale)):
            streams = Streams(seed, block)
            _add(files, kept, streams, size, (planted, habits), report, names)
    _sidecars(extracts, Streams(seed, 0), scale, habits)
    about = {"synthetic": True, "scale": scale, "seed": seed}
    (out / "country.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    report.extracts = {name: file.rows for name, file in files.items()}
    return report


def _sizes(scale: float) -> list[float]:
    whole = int(scale)
    rest = round(scale - whole, 9)
    return [1.0] * whole + ([rest] if rest else [])


@contextmanager
def _files(folder: Path) -> Iterator[dict[str, Extract]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                Extract(folder, name, dutch=name in DUTCH, encoding="cp1252" if name in WINDOWS else "utf-8")
            )
            for name in FILES
        }


@contextmanager
def _truth(folder: Path) -> Iterator[truth.Truth]:
    kept = truth.Truth(folder)
    try:
        yield kept
    finally:
        kept.close()


def build(streams: Streams, scale: float, defects: Defects) -> Block:
    """The people of one block and what happened to them; no rows yet."""
    spells = detention.make(streams, scale, defects)
    careers = care.make(streams, scale, defects)
    count = people.enter(streams, careers, spells)
    arrangements = wmo.make(streams, scale, careers, defects)
    asked = requests.make(streams, scale, careers, defects)
    events, count = tbs.make(streams, scale, careers, spells, count)
    person = np.where(asked.slot_chain >= 0, careers.person[asked.slot_chain], -1)
    fresh = person < 0
    person[fresh] = count + np.arange(int(fresh.sum()))
    forensic = count + int(fresh.sum())
    count = people.number(arrangements, careers, forensic)
    people.move(streams, arrangements, defects.centrumgemeente)
    followed = np.isin(np.arange(careers.chains), np.concatenate((arrangements.chain, careers.earlier)))
    died = some(streams("deaths"), careers.chains, DEATHS) & ~followed
    folk = people.make(streams, defects, count, forensic, arrangements, (careers, asked, person))
    return Block(spells, careers, arrangements, asked, person, events, died, folk)


def _add(
    files: dict[str, Extract],
    kept: truth.Truth,
    streams: Streams,
    scale: float,
    how: tuple[Defects, export_gmsd.Habits],
    report: Report,
    names: NameDefects | None,
) -> None:
    block = build(streams, scale, how[0])
    named = None if names is None else naming.Names.of(streams, block.people, names)
    first, report.persons = report.persons, report.persons + len(block.people)
    for name, rows, person in _exports(streams, scale, block, how):
        if length(rows):
            if named is not None and names is not None and name != "crosswalk":
                rows = naming.add(streams, name.rstrip("_12"), rows, person, named, names)  # noqa: PLW2901
            files[name].add(rows)
            kept.rows(name, person, first)
    kept.add("persons", truth.persons(block.people, first))
    kept.add("detentions", truth.detentions(block.spells, first))
    kept.add("arrangements", truth.arrangements(block.wmo, first))
    kept.add("title_ends", truth.title_ends(block.careers, block.wmo, block.died, first))


def _exports(
    streams: Streams, scale: float, block: Block, how: tuple[Defects, export_gmsd.Habits]
) -> Iterator[tuple[str, Rows, Ints]]:
    defects = how[0]
    tag = "" if streams.block == 0 else f"{streams.block:x}-"
    folk, careers, asked = block.people, block.careers, block.requests
    yield ("injus", *export_justice.injus(streams("rows-injus"), folk, block.spells, defects, scale, tag))
    yield ("injus_tbs", *export_justice.tbs(streams("rows-tbs"), folk, block.events, defects, tag))
    title = _titles(streams, block)
    rows = export_justice.reclassering(streams("rows-3ro"), folk, asked, block.request_person, title, defects, tag)
    yield ("reclassering", *rows)
    unplaced = np.nonzero(asked.slot_chain < 0)[0]
    first_request = np.full(len(asked.slot_year), np.iinfo(np.int64).max)
    np.minimum.at(first_request, asked.slot, asked.day)
    never = (block.request_person[unplaced], first_request[unplaced])
    yield ("ifzo", *export_ifzo.make(streams("rows-ifzo"), folk, careers, block.died, never, defects, tag))
    yield from _gmsd(streams, scale, block, how)
    yield ("crosswalk", *export_justice.crosswalk(folk))


def _titles(streams: Streams, block: Block) -> Ints:
    """Title code per 3RO slot: that of the chain, else a draw."""
    chain = block.requests.slot_chain
    head = np.nonzero(np.diff(block.careers.title_chain, prepend=-1))[0]
    drawn = choose(streams("titles-3ro"), CODE_WEIGHTS, len(chain))
    return np.where(chain >= 0, block.careers.title_code[head[np.maximum(chain, 0)]], drawn)


def _gmsd(
    streams: Streams, scale: float, block: Block, how: tuple[Defects, export_gmsd.Habits]
) -> Iterator[tuple[str, Rows, Ints]]:
    defects, habits = how
    tag = "" if streams.block == 0 else f"{streams.block:x}-"
    number = export_gmsd.numbers(streams("numbers"), block.wmo, defects)
    flows = wmo_targets.flows(streams, scale)
    found = export_gmsd.records(streams("records"), block.wmo, flows, habits, defects)
    rows, person = export_gmsd.make(streams("rows-gmsd"), block.people, block.wmo, found, number, habits, defects, tag)
    for name, part in zip(
        ("gmsd_1", "gmsd_2"),
        export_gmsd.versions(streams("versions"), rows, person, found, habits, defects),
        strict=True,
    ):
        yield (name, *part)


def _sidecars(folder: Path, streams: Streams, scale: float, habits: export_gmsd.Habits) -> None:
    flows = wmo_targets.flows(streams, min(scale, 1.0))
    for number in (1, 2):
        told = export_gmsd.coverage(flows, habits, number)
        path = folder / f"gmsd_{number}.coverage.json"
        path.write_text(json.dumps(told, indent=1), encoding="utf-8")
