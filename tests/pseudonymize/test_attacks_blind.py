"""The attacker table of docs/threats.md for blind mode and the hybrid: same script, same search, other holdings.

Points of the evaluator's files are searched too: with its key it knows the unblinded point of every number.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pseudonymize.blind_keys import EvaluatorKeys, create_evaluator
from pseudonymize.convert import convert, to_recipient
from pseudonymize.ledger import Ledger
from pseudonymize.population import Population
from schemas.errors import DeliveryError
from tests.pseudonymize.conftest import INJUS_HEAD, PLANTED, World, injus_row
from tests.pseudonymize.redteam import Attacker, space
from tests.pseudonymize.test_attacks import noted, persons
from tests.pseudonymize.test_blind import Country

PERSONS, SIZE = 40, 1_500  # a guess costs two multiplications on the curve
ROGUE, VICTIM = "dji", "justid"


@dataclass(frozen=True)
class Site:
    """Everything there is after one delivery in blind mode or the hybrid, and whose it is."""

    country: Country
    numbers: frozenset[bytes]

    @property
    def hybrid(self) -> bool:
        return self.country.hybrid

    @property
    def home(self) -> Path:
        return self.country.world.home

    def give(self, folder: Path, *who: str) -> Attacker:
        """A folder with exactly what these parties hold."""
        mode = "hybrid" if self.hybrid else "blind"
        inbox = f"{mode}/inbox/injus/0001"
        holdings = {
            "evaluator": ("evaluator", "kek/evaluator", f"{mode}/ask", f"{mode}/answer"),
            "converter": ("keys/converter", "keys/kek/converter", inbox, "link.parquet"),
            "linker": ("keys/linker", "keys/kek/linker", inbox, "link.parquet"),
            "the post": (inbox, f"{mode}/ask", f"{mode}/answer"),
            "recipient": ("onderzoek.parquet",),
            "another source": (f"keys/suppliers/{ROGUE}", f"keys/kek/{ROGUE}"),
        }
        for name in (name for party in who for name in holdings[party]):
            source, target = self.home / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)
        return Attacker(folder, SIZE)


def made(world: World, hybrid: bool) -> Site:
    """Forty people of a part of the space, asked for, delivered and converted."""
    evaluator = world.home / "evaluator"
    create_evaluator(evaluator, "koppelpunt-demo", "run-1")
    country = Country(world, EvaluatorKeys(evaluator), hybrid)
    numbers = random.Random(21).sample(space()[:SIZE], PERSONS)
    rows = [injus_row(i, bsn=n.decode(), skn="") for i, n in enumerate(numbers)]
    source = world.extract("extract.csv", INJUS_HEAD, rows)
    if not hybrid:
        for path in (world.keys / "suppliers").rglob("pre.key"):
            path.unlink()  # the sources share no secret
    folder = country.deliver(source, country.answered(source, country.evaluate(country.ask(source))))
    convert(folder, world.converter, world.home / "link.parquet")
    persons(
        world.home / "link.parquet", world.home / "person_link.parquet", folder, "v1-hybrid" if hybrid else "v1-blind"
    )
    to_recipient(world.home / "person_link.parquet", "onderzoek", world.converter, world.home / "onderzoek.parquet")
    return Site(country, frozenset(numbers))


@pytest.fixture(scope="module", params=[False, True], ids=["blind", "hybrid"])
def site(request: pytest.FixtureRequest) -> Site:
    """The rows that are the same in both."""
    found: Site = request.getfixturevalue("hybrid_site" if request.param else "blind_site")
    return found


@pytest.fixture(scope="module")
def blind_site(make_world: Callable[[], World]) -> Site:
    return made(make_world(), hybrid=False)


@pytest.fixture(scope="module")
def hybrid_site(make_world: Callable[[], World]) -> Site:
    return made(make_world(), hybrid=True)


def test_a_leaked_release_gives_no_number_in_blind_mode(site: Site, tmp_path: Path) -> None:
    attacker = site.give(tmp_path, "recipient")
    assert len(attacker.seen()) == PERSONS
    assert attacker.numbers() == set()


def test_a_rogue_source_gets_nobody_from_the_post_and_a_release(site: Site, tmp_path: Path) -> None:
    """Requests, answers and deliveries are sealed to others; in the hybrid it has K_S, and K_S alone is not enough."""
    attacker = site.give(tmp_path, "another source", "the post", "recipient")
    assert ("pre" in {key.kind for key in attacker.keys}) is site.hybrid
    assert set(attacker.tables) == {"onderzoek"}
    assert attacker.numbers() == set()


PROBES = 30


def test_probing_through_the_evaluator_finds_only_what_was_asked_and_the_quota_bounds_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rogue source with help at the linker: each number asked about tells whether that person is in the data."""
    country, world = site.country, site.country.world
    asked = [*sorted(site.numbers)[:3], *(n for n in space()[:PROBES] if n not in site.numbers)]
    rows = [injus_row(i, bsn=number.decode(), skn="") for i, number in enumerate(asked)]
    source = world.extract("probe.csv", INJUS_HEAD, rows)
    request = country.ask(source, sequence=2)
    with pytest.raises(DeliveryError, match="over_quota"):
        country.evaluate(request, quota=len(asked) - 1)
    known = noted(monkeypatch)
    folder = country.deliver(
        source, country.answered(source, country.evaluate(request, quota=len(asked) + 9)), sequence=2
    )
    convert(folder, world.converter, tmp_path / "probe.parquet")
    links = set(pq.read_table(world.home / "link.parquet")["bsn"].to_pylist())
    for folder in (request, country.files / "answer" / request.name):
        shutil.rmtree(folder)  # the other tests look at what the evaluator was asked by others
    hits = {
        known.get(row["row_id"]) for row in pq.read_table(tmp_path / "probe.parquet").to_pylist() if row["bsn"] in links
    }
    assert {number for number in hits if number in set(asked)} == site.numbers & set(asked)
    assert len(site.numbers & set(asked)) == 3  # and of the other 37 it learns nothing


def request_for(site: Site, numbers: list[bytes], sequence: int) -> Path:
    """A request for these numbers, as the supplier tool makes it."""
    rows = [injus_row(i, bsn=number.decode(), skn="") for i, number in enumerate(numbers)]
    source = site.country.world.extract(f"whole-{len(numbers)}-{sequence}.csv", INJUS_HEAD, rows)
    return site.country.ask(source, sequence=sequence)


def test_asking_for_the_whole_population_is_refused_at_once_and_in_pieces(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The TTP's own people and a source hold K_T, and in the hybrid K_S too; they lack one key, and ask its holder.

    The evaluator sees random points and counts them: those of one request, and those of all requests together.
    """
    whole, third = space()[:SIZE], SIZE // 3
    with pytest.raises(DeliveryError, match="dense_numbers"):
        request_for(site, whole, 1)  # the honest tool refuses an extract that is an enumeration
    monkeypatch.setattr(Population, "require_sparse", lambda self: None)  # so theirs does not look
    ledger, extra = Ledger(tmp_path / "asked.json"), 2 * PLANTED
    limits = {"quota": SIZE // 2, "total": third + extra, "ledger": ledger}
    asked = [(whole, 1), (whole[:third], 1), (whole[third : 2 * third], 2), (whole[2 * third :], 2)]
    outcome = []
    for numbers, sequence in asked:
        request = request_for(site, numbers, sequence)
        try:
            shutil.rmtree(site.country.evaluate(request, **limits))
            outcome.append("answered")
        except DeliveryError as error:
            outcome.append(error.code)
        shutil.rmtree(request)  # the other tests look at what the evaluator was asked by others
        for state in (site.country.files / "state").glob("whole-*"):
            state.unlink()
    assert outcome == ["over_quota", "answered", "over_quota", "over_quota"]
    assert ledger.counted("blind", VICTIM, unknown=0) == third + extra
    held = site.give(tmp_path / "held", "converter", "linker", "another source")
    assert "oprf" not in {key.kind for key in held.keys}
    assert held.numbers() == set()


def test_the_evaluator_gets_nobody_from_what_it_is_asked(site: Site, tmp_path: Path) -> None:
    """It knows the point of every number, and sees points under blinds that it does not have."""
    attacker = site.give(tmp_path, "evaluator")
    assert len(attacker.seen()) >= PERSONS
    assert {key.kind for key in attacker.keys} == {"oprf"}
    assert attacker.numbers() == set()


def test_the_evaluator_and_the_linker_get_nobody_for_lack_of_k_t(site: Site, tmp_path: Path) -> None:
    attacker = site.give(tmp_path, "evaluator", "linker")
    assert attacker.tables["payload"].num_rows >= PERSONS
    assert attacker.numbers() == set()


def test_in_blind_mode_the_whole_ttp_with_a_source_gets_nobody(site: Site, tmp_path: Path) -> None:
    """Where mode A gives everybody. In blind mode a source has no K_S to bring along; in the hybrid it has, and that is
    not enough without the evaluator's key."""
    attacker = site.give(tmp_path, "converter", "linker", "another source")
    kinds = {key.kind for key in attacker.keys}
    assert {"link", "recipient"} <= kinds and ("pre" in kinds) is site.hybrid
    assert attacker.numbers() == set()


def test_the_evaluator_and_the_converter_get_everybody(blind_site: Site, tmp_path: Path) -> None:
    """The limit of blind mode, stated openly, and the proof that this search would find what is there."""
    attacker = blind_site.give(tmp_path, "evaluator", "converter")
    assert attacker.numbers() == blind_site.numbers


def test_in_the_hybrid_they_get_nobody_without_k_s_and_everybody_with_it(hybrid_site: Site, tmp_path: Path) -> None:
    attacker = hybrid_site.give(tmp_path / "two", "evaluator", "converter", "linker")
    assert {"oprf", "link"} <= {key.kind for key in attacker.keys}
    assert attacker.numbers() == set()
    attacker = hybrid_site.give(tmp_path / "three", "evaluator", "converter", "another source")
    assert attacker.numbers() == hybrid_site.numbers


def test_after_the_evaluators_key_is_gone_they_get_nobody(site: Site, tmp_path: Path) -> None:
    site.give(tmp_path, "evaluator", "converter", "linker", "another source")
    (tmp_path / "evaluator" / "oprf.key").chmod(0o600)
    (tmp_path / "evaluator" / "oprf.key").unlink()
    assert Attacker(tmp_path, SIZE).numbers() == set()
