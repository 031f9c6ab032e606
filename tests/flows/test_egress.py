"""The egress gate on a real release: what it lets pass is signed, and a leak anywhere in the TTP stops it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from flows import egress
from flows.settings import Settings, load
from linkage.link import link as link_deliveries
from linkage.plan import Plan
from pseudonymize import canary
from pseudonymize.parties import ConverterKeys
from schemas.errors import DisclosureRefused, KoppelError, QualityGate
from tests.flows.conftest import Site


@pytest.fixture(scope="module")
def settings(finished: Site, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A finished site of which the tests of this module may spoil copies of the release."""
    return load(finished.copy(tmp_path_factory.mktemp("egress") / "demo").config)


def unsigned(settings: Settings, folder: Path) -> Path:
    """The release as it stands before the gate."""
    return shutil.copytree(settings.out, folder / "release.part", ignore=shutil.ignore_patterns("SHA256SUMS*"))


def test_an_unspoiled_release_passes(settings: Settings, tmp_path: Path) -> None:
    """Otherwise the refusals below would show nothing."""
    out = unsigned(settings, tmp_path)
    assert egress.passed(settings, out)["signed"] == 2
    assert (out / "vng" / "SHA256SUMS.sig").read_bytes() == (settings.out / "vng" / "SHA256SUMS.sig").read_bytes()


def links_of(settings: Settings) -> list[bytes]:
    identity = ConverterKeys(settings.keys / "converter").identity()
    found = canary.expected(settings.store, identity)
    return [bytes.fromhex(value) for one in found for row in one.canaries for value in row["link"].values()]


def test_what_passed_the_gate_is_signed_and_anyone_can_check_it(settings: Settings) -> None:
    public = load_pem_public_key((settings.keys / "public" / "gate.pem").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    for reader in ("vng", "onderzoek"):
        sums = (settings.out / reader / "SHA256SUMS").read_bytes()
        public.verify((settings.out / reader / "SHA256SUMS.sig").read_bytes(), sums)
        with pytest.raises(InvalidSignature):
            public.verify((settings.out / reader / "SHA256SUMS.sig").read_bytes(), sums + b"x")
        listed = {line.split("  ")[1] for line in sums.decode().splitlines()}
        inside = settings.out / reader
        held = {str(p.relative_to(inside)) for p in inside.rglob("*") if p.is_file()} - {"SHA256SUMS", "SHA256SUMS.sig"}
        assert listed == held
    assert not (settings.out / "operator" / "SHA256SUMS").exists()  # stays inside


def test_canaries_went_in_and_came_out_nowhere(settings: Settings) -> None:
    """They are in the converter's files, in no table of the linker and in nothing released."""
    links = set(links_of(settings))
    in_store = set()
    for path in settings.store.glob("*/*/link.parquet"):
        in_store |= set(pq.read_table(path)["bsn"].to_pylist()) | set(pq.read_table(path)["skn"].to_pylist())
    assert links <= in_store
    persons = pq.read_table(settings.run / "linked" / "person_link.parquet")["link"].to_pylist()
    assert links.isdisjoint(persons)
    looked = egress.scan(settings)
    assert looked["files"] > 50 and looked["sealed"] > 10


LEAKS: dict[str, Callable[[Settings, Path], Path]] = {
    "link pseudonym in a page": lambda s, out: put(out / "vng/doelgroep.html", links_of(s)[0].hex().encode()),
    "link pseudonym in the audit log": lambda s, _: put(s.state / "audit.jsonl", links_of(s)[0].hex().encode()),
    "number in prefect's storage": lambda s, _: put(s.home / "prefect" / "x", canary.of("gmsd")[1].bsn_syn.encode()),
    "link pseudonym among the linked tables": lambda s, _: table(s.run / "linked" / "x.parquet", links_of(s)),
}


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(data)
    return path


def table(path: Path, values: list[bytes]) -> Path:
    pq.write_table(pa.table({"x": pa.array(values, pa.binary(32))}), path)
    return path


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_anywhere_stops_the_release(settings: Settings, tmp_path: Path, leak: str) -> None:
    out = unsigned(settings, tmp_path)
    before = (settings.state / "audit.jsonl").read_bytes()
    spoiled = LEAKS[leak](settings, out)
    try:
        with pytest.raises(DisclosureRefused) as caught:
            egress.passed(settings, out)
    finally:
        if not spoiled.is_relative_to(out):
            spoiled.unlink()
        (settings.state / "audit.jsonl").write_bytes(before)
    assert (caught.value.code, caught.value.exit_code) == ("canary_found", 14)
    assert not any(link.hex() in str(caught.value) for link in links_of(settings))


# The store and the inbox are looked at while linking (egress.Early) --------------------------------------------------


@pytest.mark.parametrize("place", ["store", "inbox"])
def test_what_was_found_early_stops_the_release(settings: Settings, tmp_path: Path, place: str) -> None:
    """Also when it has gone since: what was linked was made beside it."""
    number = canary.of("gmsd")[1].bsn_syn.encode()
    spoiled = put(getattr(settings, place) / "x.txt", number)
    with egress.Early() as early:
        early.begin(settings)
        wait(early._scans)
        spoiled.unlink()
        with pytest.raises(DisclosureRefused, match="canary_found"):
            egress.at_home(settings, unsigned(settings, tmp_path), early)


def test_what_was_looked_at_early_is_not_looked_at_again_and_the_rest_is(settings: Settings, tmp_path: Path) -> None:
    number, out = canary.of("gmsd")[1].bsn_syn.encode(), unsigned(settings, tmp_path)
    with egress.Early() as early:
        early.begin(settings)
        wait(early._scans)
        both = [one.result()["files"] for one in early._scans]
        late = put(settings.inbox / "x.txt", number)  # of the next run, whose scan finds it
        try:
            rest = egress.at_home(settings, out, early)["files"]
            with pytest.raises(DisclosureRefused, match="canary_found"):
                egress.at_home(settings, out)
        finally:
            late.unlink()
        assert min(both) > 0
        assert rest + sum(both) == egress.at_home(settings, out)["files"]
        other = put(settings.home / "prefect" / "x", number)
        try:
            with pytest.raises(DisclosureRefused, match="canary_found"):
                egress.at_home(settings, out, early)
        finally:
            other.unlink()


# A part of the release that is complete is scanned while the others are made (egress.Leaving) -------------------------


def test_parts_are_looked_at_once_and_together_they_are_the_whole(settings: Settings, tmp_path: Path) -> None:
    out = unsigned(settings, tmp_path)
    whole = egress.Leaving(settings, out).columns()
    parted = egress.Leaving(settings, out)
    parted.begin(out / "onderzoek")
    assert parted.columns() == whole > 0


@pytest.mark.parametrize("place", ["onderzoek", "vng"])
def test_a_leak_in_a_part_or_in_the_rest_stops_the_release(settings: Settings, tmp_path: Path, place: str) -> None:
    out = unsigned(settings, tmp_path)
    put(out / place / "README.md", canary.of("gmsd")[1].bsn_syn.encode())
    leaving = egress.Leaving(settings, out)
    leaving.begin(out / "onderzoek")
    with pytest.raises(DisclosureRefused, match="canary_found"):
        leaving.columns()


@pytest.mark.parametrize(
    "change",
    [
        lambda part: (part / "late.csv").write_text("a"),
        lambda part: (part / "README.md").unlink(),
        lambda part: put(part / "README.md", b"x"),
        lambda part: (part / "README.md").replace(part / "LEESMIJ.md"),
    ],
    ids=["added", "removed", "written", "renamed"],
)
def test_a_part_that_changed_after_its_scan_does_not_leave(
    settings: Settings, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    """What was looked at is no longer what would be signed."""
    out = unsigned(settings, tmp_path)
    leaving = egress.Leaving(settings, out)
    leaving.begin(out / "onderzoek")
    change(out / "onderzoek")
    with pytest.raises(QualityGate, match="outputs_changed"):
        egress.passed(settings, out, judge=lambda _: 0, leaving=leaving)
    assert not list(out.glob("*/SHA256SUMS"))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda out: (out / "vng" / "extra.exe").write_bytes(b"x"), "release_schema"),
        (lambda out: (out / "los.csv").write_text("a"), "release_schema"),
        (lambda out: (out / "nieuw").mkdir(), "release_schema"),
        (lambda out: (out / "vng" / "to").symlink_to("/etc/hosts"), "release_schema"),
        (lambda out: (out / "operator" / "rows.parquet").write_bytes(b"PAR1"), "release_schema"),
    ],
)
def test_what_nobody_judges_does_not_leave(
    settings: Settings, tmp_path: Path, spoil: Callable[[Path], object], code: str
) -> None:
    out = unsigned(settings, tmp_path)
    spoil(out)
    with pytest.raises(DisclosureRefused, match=code):
        egress.passed(settings, out)


def test_a_canary_that_slips_into_the_counts_stops_the_linkage(settings: Settings, tmp_path: Path) -> None:
    """A manifest in the store that names fewer canaries than came: staged rows exceed accepted ones."""
    from flows import work

    store = shutil.copytree(settings.store, tmp_path / "store")
    path = store / "ifzo" / "0001" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["canaries"]["row_ids"].pop()
    path.write_text(json.dumps(manifest))
    deliveries = [
        type(d)(d.register, d.sequence, store / d.register / d.folder.name) for d in work.deliveries(settings)
    ]
    (tmp_path / "out").mkdir()
    with pytest.raises(QualityGate, match="rows_lost"):
        link_deliveries(deliveries, tmp_path / "out", plan=Plan(), work=tmp_path / "scratch")


def test_the_operator_scans_a_folder(finished: Site, tmp_path: Path) -> None:
    (tmp_path / "ok.txt").write_text("niets")
    config = ("--config", str(finished.config))
    clean = finished.koppel("scan", str(tmp_path), *config, "--json")
    assert clean.returncode == 0, clean.stderr
    assert json.loads(clean.stdout)["hits"] == []
    (tmp_path / "log.txt").write_text(f"fout bij {canary.of('ifzo')[1].bsn}")
    found = finished.koppel("scan", str(tmp_path), "--leaving", "--out", str(tmp_path / "plaatsen.csv"))
    assert found.returncode == 14
    assert "log.txt" in found.stdout and "canary_found" in found.stderr
    assert canary.of("ifzo")[1].bsn not in found.stdout + found.stderr + (tmp_path / "plaatsen.csv").read_text()


def test_without_the_converters_key_there_is_no_release(settings: Settings, tmp_path: Path) -> None:
    """No key, no needles, no scan: the gate stops, it never waves through."""
    out = unsigned(settings, tmp_path)
    bare = settings.model_copy(update={"keys": tmp_path / "nothing"})
    with pytest.raises(KoppelError, match="key_missing"):
        egress.passed(bare, out)
