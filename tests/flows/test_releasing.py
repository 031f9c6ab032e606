"""`koppel release`: from a signed specification to a folder that was attacked as it lies on disk, or to nothing."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from flows import releasing
from flows.settings import Settings, load
from release import making
from release.deliver import read
from release.protect import chain
from release.protect import spec as specification
from schemas.errors import ConfigError, DeliveryError, DisclosureRefused
from tests.flows.conftest import Site
from tests.pages import ROOT, lines

HALF = "2023H1"
COPY, SIGN, MAKE, CHECK, LIST = (shlex.split(line, comments=True) for line in lines("operator.md", "bash release"))


@pytest.fixture(scope="module")
def site(finished: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A finished run with a signed specification of one half-year, as the operator's page says."""
    made = finished.copy(tmp_path_factory.mktemp("release") / "demo")
    assert COPY[0] == "cp" and (ROOT / COPY[1]) == specification.DEFAULT
    text = specification.DEFAULT.read_text(encoding="utf-8").replace("halves: []", f"halves: [{HALF}]")
    (made.folder / COPY[2]).write_text(text, encoding="utf-8")
    assert made.koppel(*SIGN[1:]).returncode == 0
    return made


@pytest.fixture(scope="module")
def settings(site: Site) -> Settings:
    return load(site.config)


@pytest.fixture(scope="module")
def released(site: Site, settings: Settings) -> Path:
    """The release itself, by the command."""
    done = site.koppel(*MAKE[1:], "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["release"] == "2024-1" and told["cells"] > 3000
    return settings.home / "releases" / "2024-1"


def test_a_release_is_a_folder_per_audience_with_its_specification(released: Path) -> None:
    assert {path.name for path in released.iterdir()} == {"vng", "operator", "specification.yaml"}
    names = {path.name for path in (released / "vng").iterdir()}
    assert names == {
        *("doelgroep.html", "doelgroep.xlsx", "doelgroep.sdmx.csv", "doelgroep.structure.xml", "csv-metadata.json"),
        *("doelgroep_per_gemeente.csv", "doelgroep_per_gemeente.parquet", "doelgroep_per_regio.csv"),
        *("doelgroep_per_regio.parquet", "schattingen.csv", "schattingen.parquet"),
        *("release.json", "SHA256SUMS", "SHA256SUMS.sig"),
    }


def test_it_no_longer_calls_itself_a_demonstration(released: Path) -> None:
    for path in released.rglob("*"):
        if path.suffix in {".html", ".csv", ".json", ".xml"}:
            text = path.read_text(encoding="utf-8").lower()
            assert "niet voor publicatie" not in text and "demo," not in text
    page = (released / "vng" / "doelgroep.html").read_text(encoding="utf-8")
    assert "alle personen zijn verzonnen" in page  # the data are synthetic, and that is told


def test_the_operator_gets_a_page_of_quality_and_reconciliation_that_does_not_leave(released: Path) -> None:
    assert {path.name for path in (released / "operator").iterdir()} == {"kwaliteit.html", "kwaliteit.md"}
    page = (released / "operator" / "kwaliteit.html").read_text(encoding="utf-8")
    assert "Intern" in page and all(title in page for title in ("Trechter", "Gedrukte cijfers naast de telling"))
    assert "operator" not in (released / "vng" / "SHA256SUMS").read_text(encoding="ascii")


def test_every_number_that_is_shown_is_rounded_and_ten_or_more(released: Path) -> None:
    counts = read.folder(released / "vng")
    assert {cell[2] for cell in counts} == {HALF}
    assert all(count is None or (count >= 10 and count % 5 == 0) for count in counts.values())


def test_the_evidence_counts_reasons_and_holds_no_value(released: Path) -> None:
    told = json.loads((released / "vng" / "release.json").read_text(encoding="utf-8"))
    assert told["edition"] == "rounded" and set(told["solvers"]) == {"highspy", "scipy", "numpy"}
    assert set(told["protection"]["reasons"]) >= {"denominator", "small", "zero", "group", "secondary"}
    audit = told["protection"]["audit"]
    assert audit["narrowest_part_of_rule"] >= 1 and audit["cells_attacked"] > 0
    assert sum(told["cells"].values()) == 3152 and told["protection"]["rules"]["threshold"] == 10


def test_it_can_be_checked_again_and_listed(site: Site, released: Path) -> None:
    assert CHECK[-1] == released.name
    done = site.koppel(*CHECK[1:], "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 16
    listed = site.koppel(*LIST[1:], "--json")
    (entry,) = json.loads(listed.stdout)
    assert (entry["release"], entry["audience"], entry["base"], entry["number"]) == ("2024-1", "vng", 5, 1)
    assert "2024-1" in site.koppel("release", "list").stdout


def test_a_name_is_used_once(site: Site, released: Path) -> None:
    done = site.koppel("release", "make", "uitgave.yaml", "--name", released.name)
    assert (done.returncode, "output_exists" in done.stderr) == (10, True)


def test_a_file_that_was_touched_after_signing_is_found(settings: Settings, released: Path) -> None:
    path = released / "vng" / "doelgroep_per_regio.csv"
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\r\n")
        with pytest.raises(DisclosureRefused, match="outputs_changed"):
            releasing.check(settings, released.name)
    finally:
        path.write_bytes(before)


def test_nothing_is_made_from_an_unsigned_or_changed_specification(settings: Settings, site: Site) -> None:
    text = (site.folder / "uitgave.yaml").read_bytes()
    other = site.folder / "other.yaml"
    other.write_bytes(text)
    with pytest.raises(DeliveryError, match="bad_signature"):
        releasing.make(settings, other, "tweede")
    shutil.copy(site.folder / "uitgave.yaml.sig", site.folder / "other.yaml.sig")
    other.write_bytes(text.replace(b"threshold: 10", b"threshold: 3"))
    with pytest.raises(DeliveryError, match="bad_signature"):
        releasing.make(settings, other, "tweede")
    with pytest.raises(ConfigError, match="bad_spec"):
        releasing.make(settings, site.folder / "nowhere.yaml", "tweede")
    with pytest.raises(ConfigError, match="bad_call"):
        releasing.make(settings, site.folder / "uitgave.yaml", "../outside")
    assert not (settings.home / "releases" / "tweede").exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [(("deliver: false", "deliver: true"), "recipients"), (("base: 5", "base: 3"), "round")],
    ids=["exact counts, to nobody in the agreement", "another rounding"],
)
def test_what_the_agreements_do_not_allow_is_not_made(
    settings: Settings, site: Site, change: tuple[str, str], field: str
) -> None:
    text = (site.folder / "uitgave.yaml").read_text(encoding="utf-8")
    path = site.folder / "wide.yaml"
    path.write_text(text.replace(*change), encoding="utf-8")
    releasing.sign(path, settings.keys / "gate")
    with pytest.raises(ConfigError, match=rf"output_not_agreed .*field={field}"):
        releasing.make(settings, path, "tweede")


def test_one_unsafe_cell_stops_the_release_and_leaves_nothing(
    settings: Settings, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "attack", lambda release, said, estimates: 1)
    with pytest.raises(DisclosureRefused, match="unsafe_tables") as caught:
        releasing.make(settings, site.folder / "uitgave.yaml", "tweede")
    assert caught.value.exit_code == 14
    assert not (settings.home / "releases" / "tweede").exists()
    assert all(entry["release"] != "tweede" for entry in releasing.entries(settings))


def test_a_ledger_of_which_the_end_was_cut_off_is_refused(settings: Settings, released: Path) -> None:
    """A chain that is whole but too short: the audit log signed for an entry that is not in it any more."""
    folder = releasing.ledger_of(settings)
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    try:
        for path in kept:
            path.unlink()
        assert chain.lines(folder) == []
        with pytest.raises(DisclosureRefused, match="damaged_release_ledger"):
            releasing.entries(settings)
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def test_an_unknown_release_is_said_to_be_unknown(settings: Settings) -> None:
    for name in ("nergens", "../eerste", "demo-1"):
        with pytest.raises(ConfigError, match="unknown_release"):
            releasing.check(settings, name)


def test_after_new_data_the_attack_cannot_be_repeated_and_it_says_so(
    settings: Settings, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasing, "_vintage", lambda linked: "another")
    with pytest.raises(ConfigError, match="other_vintage"):
        releasing.check(settings, released.name)
