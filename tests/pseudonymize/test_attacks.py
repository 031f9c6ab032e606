"""The attacker table of docs/threats.md, row by row, played with that party's own files on a reduced space.

Each test says what the attacker gets and what it does not get. Mode A (split HMAC). The same rows for another mode go
through the same fixture: a mode is a way to make `world`'s delivery and store, so add it to MODES below and to `ttp`.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pseudonymize import split
from pseudonymize.convert import convert, to_recipient
from pseudonymize.domain import Domain
from pseudonymize.payload import open_payload
from schemas.errors import DeliveryError, KeyUnavailable, KoppelError
from tests.pseudonymize.conftest import INJUS_HEAD, World, injus_row
from tests.pseudonymize.redteam import SPACE, Attacker, space

MODES = ("A",)
PERSONS = 300
RECIPIENTS = ("onderzoek", "gemeente")
ROGUE, VICTIM = "dji", "justid"


@dataclass(frozen=True)
class Ttp:
    """Everything there is after one run: whose it is is decided by `give`."""

    world: World
    store: Path
    delivery: Path
    numbers: frozenset[bytes]


@pytest.fixture(scope="module", params=MODES)
def ttp(make_world: Callable[[], World], request: pytest.FixtureRequest) -> Ttp:
    """Three hundred people of the space, delivered by the victim, linked, and converted for two recipients."""
    world = make_world()
    numbers = random.Random(20).sample(space(), PERSONS)
    rows = [injus_row(i, bsn=n.decode(), skn="") for i, n in enumerate(numbers)]
    delivery, _ = world.deliver(world.extract("extract.csv", INJUS_HEAD, rows))
    store = world.home / "store"
    store.mkdir()
    convert(delivery, world.converter, store / "link.parquet")
    open_payload(delivery, world.linker, store / "payload.parquet", world.agreement("injus"))
    persons(store / "link.parquet", store / "person_link.parquet", delivery)
    for name in RECIPIENTS:
        to_recipient(store / "person_link.parquet", name, world.converter, store / f"{name}.parquet")
    return Ttp(world, store, delivery, frozenset(numbers))


def persons(source: Path, target: Path, delivery: Path, scheme: str = "v1") -> None:
    """One row per person, as linkage writes it: canaries left out."""
    from tests.pseudonymize.conftest import without_canaries

    links = without_canaries(pq.read_table(source), delivery)["bsn"].drop_null().combine_chunks()
    schema = pa.schema(
        [("person_id", pa.int64()), Domain(scheme, "koppelpunt-demo", "link", "epoch-1").field("link", 32)]
    )
    pq.write_table(pa.table([pa.array(range(len(links))), links], schema=schema), target)


HOLDINGS: dict[str, tuple[str, ...]] = {
    "recipient onderzoek": ("store/onderzoek.parquet",),
    "recipient gemeente": ("store/gemeente.parquet",),
    "another source": (f"keys/suppliers/{ROGUE}", f"keys/kek/{ROGUE}"),
    "the source itself": (f"keys/suppliers/{VICTIM}", f"keys/kek/{VICTIM}"),
    "the post": ("inbox/injus/0001",),
    "converter": (
        *(
            "keys/converter",
            "keys/kek/converter",
            "inbox/injus/0001",
            "store/link.parquet",
            "store/person_link.parquet",
        ),
        *("store/onderzoek.parquet", "store/gemeente.parquet"),
    ),
    "linker": ("keys/linker", "keys/kek/linker", "inbox/injus/0001", "store/link.parquet", "store/payload.parquet"),
}


def give(ttp: Ttp, folder: Path, *parties: str) -> Attacker:
    """A folder with exactly what these parties hold."""
    for party in parties:
        for name in HOLDINGS[party]:
            source, target = ttp.world.home / name, folder / name
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    return Attacker(folder)


# The attack works: without these the zeros below would mean nothing --------------------------------------------


def test_the_attack_gets_everybody_from_a_plain_hash(ttp: Ttp, tmp_path: Path) -> None:
    """The design we left: SHA-256 of the number, or with a salt that suppliers know."""
    for salt in (b"", b"koppelpunt-demo"):
        hashes = [hashlib.sha256(salt + number).digest() for number in sorted(ttp.numbers)]
        pq.write_table(pa.table({"person": pa.array(hashes, pa.binary(32))}), tmp_path / "release.parquet")
        assert Attacker(tmp_path).numbers() == ttp.numbers


def test_the_space_is_searched_whole(ttp: Ttp) -> None:
    assert len(set(space())) == SPACE
    assert ttp.numbers < set(space())


# Row 1: a leaked release file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["recipient onderzoek", "recipient gemeente"])
def test_a_leaked_release_gives_no_number(ttp: Ttp, tmp_path: Path, who: str) -> None:
    attacker = give(ttp, tmp_path, who)
    assert len(attacker.seen()) == PERSONS
    assert attacker.numbers() == set()


def test_two_recipients_together_cannot_join_their_files(ttp: Ttp, tmp_path: Path) -> None:
    attacker = give(ttp, tmp_path, "recipient onderzoek", "recipient gemeente")
    assert attacker.joined("onderzoek", "gemeente") == 0
    assert attacker.numbers() == set()


# Row 2: one rogue source and its own copy of K_S ---------------------------------------------------------------


def test_a_rogue_source_gets_nothing_about_others_without_their_sealed_files(ttp: Ttp, tmp_path: Path) -> None:
    """It can compute anybody's pre-pseudonym, but sees none: deliveries are sealed, releases are two keys away."""
    attacker = give(ttp, tmp_path, "another source", "the post", "recipient onderzoek")
    assert {key.kind for key in attacker.keys} == {"pre", "record", "sign"}
    assert set(attacker.tables) == {"onderzoek"}  # identity.age and payload.age stay shut
    assert attacker.numbers() == set()


def test_what_it_would_get_if_an_identity_file_were_not_sealed(ttp: Ttp, tmp_path: Path) -> None:
    """Everybody. That is why pre-pseudonyms exist in clear in the converter's memory only."""
    attacker = give(ttp, tmp_path / "a", "converter")
    pq.write_table(attacker.tables["identity"], tmp_path / "identity.parquet")
    attacker = give(ttp, tmp_path, "another source")
    assert attacker.numbers() == ttp.numbers


def test_a_source_cannot_forge_the_delivery_of_another(ttp: Ttp, tmp_path: Path) -> None:
    from pseudonymize import accept, signing

    forged = shutil.copytree(ttp.delivery, tmp_path / "0001")
    own = ttp.world.supplier(ROGUE).sign.secret
    (forged / "manifest.sig").write_bytes(signing.sign(own, (forged / "manifest.json").read_bytes()))
    with pytest.raises(DeliveryError, match="bad_signature"):
        accept.verify(forged, ttp.world.agreement("injus"), ttp.world.public)


# Row 3: the converter's insider, with its keys and every file it handles ---------------------------------------


def test_the_converter_gets_no_number_because_it_lacks_k_s(ttp: Ttp, tmp_path: Path) -> None:
    attacker = give(ttp, tmp_path, "converter")
    assert {key.kind for key in attacker.keys} - {"sign"} == {"link", "recipient"}
    assert "identity" in attacker.tables  # it opens what is sealed for it, and that is row ids and pre-pseudonyms
    assert attacker.numbers() == set()


def test_the_converter_can_follow_a_pseudonym_through_every_domain(ttp: Ttp, tmp_path: Path) -> None:
    """A weak point that stays: whoever holds K_T and K_R and two recipients' files can join them. No number yet."""
    attacker = give(ttp, tmp_path, "converter")
    assert attacker.joined("identity", "onderzoek") >= PERSONS
    assert attacker.joined("person_link", "gemeente") >= PERSONS


def test_the_converter_sees_no_attribute(ttp: Ttp, tmp_path: Path) -> None:
    attacker = give(ttp, tmp_path, "converter")
    assert "payload" not in attacker.tables
    columns = {name for table in attacker.tables.values() for name in table.column_names}
    assert columns == {"row_id", "bsn", "skn", "vip", "person_id", "link"}


# Row 4: converter and linker together --------------------------------------------------------------------------


def test_the_whole_ttp_together_gets_no_number(ttp: Ttp, tmp_path: Path) -> None:
    """It gets what lies in the TTP: attributes of pseudonymous people. Without K_S nobody of them has a number."""
    attacker = give(ttp, tmp_path, "converter", "linker")
    assert attacker.tables["payload"]["geboortejaar"].null_count < PERSONS
    assert attacker.numbers() == set()


def test_the_linker_alone_has_no_key_that_makes_a_pseudonym(ttp: Ttp, tmp_path: Path) -> None:
    attacker = give(ttp, tmp_path, "linker")
    assert attacker.keys == []
    assert "identity" not in attacker.tables
    assert attacker.numbers() == set()


# Row 5: the TTP together with one source -----------------------------------------------------------------------


def test_the_ttp_with_one_source_gets_everybody(ttp: Ttp, tmp_path: Path) -> None:
    """The limit of mode A, stated openly: K_S and K_T in one pair of hands."""
    assert give(ttp, tmp_path, "converter", "another source").numbers() == ttp.numbers


def test_after_k_s_is_erased_even_they_get_nobody(ttp: Ttp, tmp_path: Path) -> None:
    give(ttp, tmp_path, "converter", "linker", "another source")
    for path in tmp_path.rglob("pre.key"):
        path.chmod(0o600)
        path.unlink()
    assert Attacker(tmp_path).numbers() == set()


# Row 6: a rogue source with help inside the linker: probing with chosen numbers --------------------------------

PROBES = 40


def probe(ttp: Ttp, monkeypatch: pytest.MonkeyPatch, count: int, sequence: int) -> tuple[Path, dict[bytes, bytes]]:
    """The victim's own tool turned against others: chosen numbers, and a note of which row id each got."""
    known = noted(monkeypatch)
    rows = [injus_row(i, bsn=n.decode()) for i, n in enumerate(space()[:count])]
    source = ttp.world.extract(f"probe-{sequence}.csv", INJUS_HEAD, rows)
    return ttp.world.deliver(source, sequence=sequence)[0], known


def noted(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bytes]:
    """From now on, the number behind each row id that the tool in the attacker's hands makes."""
    known: dict[bytes, bytes] = {}
    real = split.Splitter.split

    def noting(self: split.Splitter, table: pa.Table, found: dict[str, split.Canonical]) -> split.Parts:
        parts = real(self, table, found)
        known.update(zip(parts.identity["row_id"].to_pylist(), found["bsn"].values.to_pylist(), strict=True))
        return parts

    monkeypatch.setattr(split.Splitter, "split", noting)
    return known


def test_probing_finds_only_the_numbers_that_were_paid_for(
    ttp: Ttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the linker's help every probe tells whether that person is in the data: bounded by the signed quota."""
    folder, known = probe(ttp, monkeypatch, PROBES, 2)
    convert(folder, ttp.world.converter, tmp_path / "probe.parquet")
    probes = pq.read_table(tmp_path / "probe.parquet")
    number_of = {row["bsn"]: known[row["row_id"]] for row in probes.to_pylist() if row["row_id"] in known}
    links = set(pq.read_table(ttp.store / "link.parquet")["bsn"].to_pylist())
    found = {number for link, number in number_of.items() if link in links}
    assert found - set(_canaries()) == ttp.numbers & set(space()[:PROBES])
    assert len(found) <= PROBES + len(_canaries())


def _canaries() -> list[bytes]:
    from pseudonymize import canary

    return [one.bsn_syn.encode() for one in canary.of("injus")]


def test_more_probes_than_the_manifest_declares_are_refused(
    ttp: Ttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The identity file holds more rows than the signed count: conversion stops and leaves nothing."""
    from tests.pseudonymize.test_convert import sealed_again

    @dataclass(frozen=True)
    class Small:
        world: World
        folder: Path

    folder, _ = probe(ttp, monkeypatch, PROBES, 3)
    swollen = sealed_again(
        Small(ttp.world, folder), tmp_path, "identity", lambda table: pa.concat_tables([table, table])
    )
    with pytest.raises(DeliveryError, match="row_count_mismatch"):
        convert(swollen, ttp.world.converter, tmp_path / "probe.parquet")
    assert not (tmp_path / "probe.parquet").exists()


def test_the_same_probe_twice_is_refused(ttp: Ttp, monkeypatch: pytest.MonkeyPatch) -> None:
    from pseudonymize.accept import verify
    from pseudonymize.seal import file_hash

    folder, _ = probe(ttp, monkeypatch, 5, 4)
    ledger, digest = ttp.world.ledger(), file_hash(folder / "manifest.json")
    for sequence in range(1, 4):
        ledger.record("injus", VICTIM, sequence, f"{sequence:064x}")
    ledger.record("injus", VICTIM, 4, digest)
    again = verify(folder, ttp.world.agreement("injus"), ttp.world.public, ttp.world.ledger())
    assert again.known  # nothing is converted again
    with pytest.raises(DeliveryError, match="replay"):
        ledger.require_next("injus", VICTIM, 5, digest)


# Row 7: anyone, after the keys were destroyed ------------------------------------------------------------------


def test_after_destruction_nobody_gets_anything_and_every_path_is_closed(ttp: Ttp, tmp_path: Path) -> None:
    everybody = ("converter", "linker", "another source", "the source itself")
    assert give(ttp, tmp_path, *everybody).numbers() == ttp.numbers  # all of them together, before
    destroyed = [path for path in tmp_path.rglob("*.key") if path.name != "age.key"]
    for path in destroyed:
        path.chmod(0o600)
        path.unlink()
    attacker = Attacker(tmp_path)
    assert attacker.keys == []
    assert attacker.numbers() == set()
    assert len(pc.unique(attacker.tables["payload"]["geboortejaar"])) > 0  # what stays: inference from attributes
    assert _refused(lambda: convert(tmp_path / "inbox/injus/0001", _converter(tmp_path), tmp_path / "x.parquet"))
    for name in RECIPIENTS:
        source = tmp_path / "store" / "person_link.parquet"
        assert _refused(lambda: to_recipient(source, name, _converter(tmp_path), tmp_path / "y.parquet"))  # noqa: B023


def _converter(folder: Path):
    from pseudonymize.parties import ConverterKeys

    return ConverterKeys(folder / "keys" / "converter")


def _refused(step: Callable[[], object]) -> bool:
    with pytest.raises(KoppelError) as caught:
        step()
    return isinstance(caught.value, KeyUnavailable)
