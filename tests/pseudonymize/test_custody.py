"""k-of-n custody: k shares restore a key, fewer do not, wrong or mixed ones are refused, and the tag must match."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from shamir_mnemonic import MnemonicError, combine_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from pseudonymize import custody, keys, publish, rotate, store
from pseudonymize.custody import Custodian
from pseudonymize.keys import KeyFile
from pseudonymize.parties import ConverterKeys
from schemas.errors import ConfigError, KeyUnavailable

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "slip39.json").read_text())
NAMES = ("anna", "bram", "cleo", "dirk", "ella")
HOLDERS = [Custodian(name, "") for name in NAMES]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["what"])
def test_published_vectors_of_slip_39(case: dict[str, Any]) -> None:
    try:
        found = combine_mnemonics(case["shares"], VECTORS["passphrase"].encode()).hex()
    except MnemonicError:
        found = ""
    assert found == case["secret"]


class Drill:
    """A converter with K_T, and a 3-of-5 set of shares of it."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder, self.out = home, home / "converter", home / "shares"
        store.create(self.folder, kek="../kek")
        keys.make(self.folder / "sign.key", "sign", "demo", "any", "converter")
        self.made = rotate.create(self.folder, "link", "demo", "e-1", "converter")
        self.entry = custody.export(self.folder, self.folder / "link.key", 3, HOLDERS, self.out)

    def files(self, *names: str) -> list[Path]:
        return [self.out / f"share-{name}.json" for name in names]

    def lose(self) -> None:
        """The machine burns down; the certificates, if any, were kept elsewhere."""
        (self.folder / "link.key").unlink()

    def destroy(self) -> dict[str, Any]:
        return rotate.destroy(self.folder, "link", "converter", "e-1", "end-of-project")[1]

    def change(self, name: str, **changed: Any) -> None:
        (path,) = self.files(name)
        content = json.loads(path.read_text()) | changed
        path.chmod(0o600)
        path.write_text(json.dumps(content))

    def words(self, name: str) -> list[str]:
        return str(json.loads(self.files(name)[0].read_text())["words"]).split()


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    """As the yearly drill finds it."""
    return Drill(tmp_path)


def test_the_restore_drill_every_three_of_five_restore_and_no_two(drill: Drill) -> None:
    raw = ConverterKeys(drill.folder).link().secret.reveal()
    for some in itertools.combinations(NAMES, 3):
        assert custody.combine(drill.files(*some)).secret.reveal() == raw
    for some in itertools.chain(itertools.combinations(NAMES, 2), itertools.combinations(NAMES, 1), [()]):
        with pytest.raises(KeyUnavailable, match="too_few_shares"):
            custody.combine(drill.files(*some))


def test_fewer_shares_than_k_do_not_restore_even_when_they_claim_to_be_enough(drill: Drill) -> None:
    """The count is in the words, not only in our file around them."""
    for name in ("anna", "bram"):
        drill.change(name, threshold=2)
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(drill.files("anna", "bram"))


def test_a_share_tells_nothing_of_the_key(drill: Drill) -> None:
    raw = ConverterKeys(drill.folder).link().secret.reveal()
    for path in (*drill.out.iterdir(), *(drill.folder / "shares").iterdir()):
        assert raw not in path.read_bytes()
        assert raw.hex() not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o400
    assert "words" not in (drill.folder / "shares" / f"{drill.entry['set']}.json").read_text()


def test_a_lost_key_comes_back_in_a_new_home_and_makes_the_same_pseudonyms(drill: Drill, tmp_path: Path) -> None:
    raw = ConverterKeys(drill.folder).link().secret.reveal()
    other = tmp_path / "elsewhere" / "converter"
    store.create(other, kek="../kek")
    found, set_ = custody.restore(other, drill.files("bram", "dirk", "ella"))
    assert (found.check, set_, found.epoch) == (drill.made.check, drill.entry["set"], "e-1")
    assert ConverterKeys(other).link().secret.reveal() == raw
    with pytest.raises(ConfigError, match="key_exists"):
        custody.restore(other, drill.files("bram", "dirk", "ella"))


def test_a_mistyped_word_is_found_and_its_custodian_named(drill: Drill) -> None:
    words = drill.words("cleo")
    for place in (0, 7, len(words) - 1):
        wrong = list(words)
        wrong[place] = WORDLIST[(WORDLIST.index(wrong[place]) + 1) % len(WORDLIST)]
        drill.change("cleo", words=" ".join(wrong))
        with pytest.raises(KeyUnavailable, match=r"bad_share \(custodian=cleo\)") as caught:
            custody.combine(drill.files("anna", "bram", "cleo"))
        assert words[5] not in str(caught.value)


def test_shares_of_another_set_another_key_or_twice_the_same_are_refused(drill: Drill) -> None:
    custody.export(drill.folder, drill.folder / "link.key", 3, HOLDERS, drill.home / "second")
    mixed = [*drill.files("anna", "bram"), drill.home / "second" / "share-cleo.json"]
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(mixed)
    words = json.loads(mixed[2].read_text())["words"]
    drill.change("cleo", words=words)  # the words of the second set under the name of the first
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(drill.files("anna", "bram", "cleo"))
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(drill.files("anna", "bram", "bram"))
    drill.change("cleo", words=" ".join(drill.words("bram")))
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(drill.files("anna", "bram", "cleo"))


def test_a_wrong_share_beyond_k_is_not_overlooked(drill: Drill, tmp_path: Path) -> None:
    """Three good ones would do; a fourth that disagrees stops the work all the same."""
    other = Drill(tmp_path / "other")
    drill.change("dirk", words=" ".join(other.words("dirk")))
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(drill.files("anna", "bram", "cleo", "dirk"))
    assert custody.combine(drill.files("anna", "bram", "cleo", "ella")).tag == drill.made.check


def test_two_sets_that_happen_to_share_an_identifier_are_told_apart(drill: Drill, monkeypatch) -> None:
    """SLIP-39 identifiers have 15 bits: two sets of one key in 32,768 look like one until they are combined."""
    from shamir_mnemonic import shamir

    monkeypatch.setattr(shamir, "_random_identifier", lambda: 7)
    first, second = (shamir.generate_mnemonics(1, [(2, 4)], store.random().reveal())[0] for _ in range(2))
    for name, words in zip(NAMES[:4], (*first[:2], *second[2:]), strict=True):
        drill.change(name, words=words, threshold=2, shares=4)
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.combine(drill.files(*NAMES[:4]))


def test_another_key_under_the_right_label_is_refused_by_its_tag(drill: Drill, tmp_path: Path) -> None:
    other = Drill(tmp_path / "other")
    for name in NAMES:
        drill.change(name, words=" ".join(other.words(name)))
    with pytest.raises(KeyUnavailable, match="key_check"):
        custody.combine(drill.files(*NAMES))
    with pytest.raises(KeyUnavailable, match="key_check"):
        custody.restore(tmp_path / "none", drill.files(*NAMES))


@pytest.mark.parametrize(
    "changed",
    [{"format": "x"}, {"kind": "none"}, {"threshold": "3"}, {"epoch": "E 1"}, {"custodian": "../x"}, {"extra": 1}],
)
def test_a_share_file_is_read_strictly(drill: Drill, changed: dict[str, Any]) -> None:
    drill.change("anna", **changed)
    with pytest.raises(KeyUnavailable, match="bad_share"):
        custody.share(drill.files("anna")[0])


def test_a_share_lying_open_is_refused(drill: Drill) -> None:
    (path,) = drill.files("anna")
    path.chmod(0o444)
    with pytest.raises(KeyUnavailable, match="key_open"):
        custody.share(path)
    path.chmod(0o600)
    path.write_text("[]")
    with pytest.raises(KeyUnavailable, match="bad_share"):
        custody.share(path)


def test_a_share_can_be_sealed_to_its_custodian_who_opens_it_with_the_stock_program(drill: Drill) -> None:
    identities = [pyrage.x25519.Identity.generate() for _ in range(3)]
    holders = [Custodian(n, str(i.to_public())) for n, i in zip(NAMES[:3], identities, strict=True)]
    out, opened = drill.home / "sealed", drill.home / "opened"
    custody.export(drill.folder, drill.folder / "link.key", 2, holders, out)
    assert sorted(path.name for path in out.iterdir()) == [f"share-{n}.age" for n in NAMES[:3]]
    opened.mkdir(0o700)
    for name, identity in list(zip(NAMES, identities, strict=False))[:2]:
        sealed = (out / f"share-{name}.age").read_bytes()
        assert sealed.startswith(b"age-encryption.org/v1\n-> X25519 ")
        (opened / name).write_bytes(pyrage.decrypt(sealed, [identity]))
        (opened / name).chmod(0o400)
    assert custody.combine(opened.iterdir()).tag == drill.made.check


def lines(path: Path, *texts: str) -> Path:
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_the_list_of_custodians(tmp_path: Path) -> None:
    key = str(pyrage.x25519.Identity.generate().to_public())
    path = lines(tmp_path / "c", "# TTP board", "anna", "", f"bram {key}")
    assert custody.custodians(path) == [Custodian("anna", ""), Custodian("bram", key)]


@pytest.mark.parametrize(
    "texts",
    [(), ("anna",), ("anna", "anna"), ("anna", "Bram"), ("anna", "bram age1x"), ("anna", "a b c"), ("anna", "brám")],
)
def test_a_wrong_list_of_custodians_is_refused(tmp_path: Path, texts: Iterable[str]) -> None:
    with pytest.raises(ConfigError, match="bad_custodians"):
        custody.custodians(lines(tmp_path / "c", *texts))
    with pytest.raises(ConfigError, match="bad_custodians"):
        custody.custodians(lines(tmp_path / "c", *(f"n{i}" for i in range(17))))


@pytest.mark.parametrize("threshold", [0, 1, 6])
def test_a_threshold_is_two_at_least_and_all_at_most(drill: Drill, threshold: int) -> None:
    with pytest.raises(ConfigError, match="bad_custodians"):
        custody.export(drill.folder, drill.folder / "link.key", threshold, HOLDERS, drill.home / "t")


def test_shares_overwrite_nothing(drill: Drill) -> None:
    with pytest.raises(ConfigError, match="output_exists"):
        custody.export(drill.folder, drill.folder / "link.key", 3, HOLDERS, drill.out)


# After destruction ----------------------------------------------------------------------------------------------


def test_the_certificate_names_the_sets_that_can_still_rebuild_the_key(drill: Drill) -> None:
    custody.returned(drill.folder, drill.entry["set"], drill.files("anna"), ["bram"])
    second = custody.export(drill.folder, drill.folder / "link.key", 2, HOLDERS[:2], drill.home / "second")
    content = drill.destroy()
    assert sorted(content["outstanding"], key=lambda one: one["threshold"]) == [
        {"set": second["set"], "threshold": 2, "custodians": ["anna", "bram"]},
        {"set": drill.entry["set"], "threshold": 3, "custodians": ["cleo", "dirk", "ella"]},
    ]
    assert not drill.files("anna")[0].exists()


def test_a_destroyed_key_is_restored_only_from_a_set_its_certificate_calls_outstanding(drill: Drill) -> None:
    content = drill.destroy()
    found, _ = custody.restore(drill.folder, drill.files("anna", "bram", "cleo"))
    assert ConverterKeys(drill.folder).link().tag == found.check == content["check"]
    said = drill.folder / "certificates" / f"restored-{content['id']}.json"
    assert json.loads(said.read_text())["statement"]["set"] == drill.entry["set"]
    again = rotate.destroy(drill.folder, "link", "converter", "e-1", "end-of-project")[1]
    assert again["id"] != content["id"]  # and it can be destroyed again
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        ConverterKeys(drill.folder).link()


def test_once_its_sets_are_closed_a_destroyed_key_stays_away(drill: Drill) -> None:
    shutil.copytree(drill.out, drill.home / "copies")  # a custodian who lied
    content = drill.destroy()
    entry = custody.returned(drill.folder, drill.entry["set"], drill.files("anna", "bram"), [])
    assert not custody.is_closed(entry)
    entry = custody.returned(drill.folder, drill.entry["set"], [], ["ella"])
    assert (custody.is_closed(entry), entry["returned"]) == (True, ["anna", "bram", "ella"])
    with pytest.raises(KeyUnavailable, match="too_few_shares"):
        custody.restore(drill.folder, drill.files("cleo", "dirk"))
    copies = [drill.home / "copies" / f"share-{name}.json" for name in NAMES]
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        custody.restore(drill.folder, copies)
    said = drill.folder / "certificates" / f"closed-{content['id']}-{drill.entry['set']}.json"
    assert json.loads(said.read_text())["statement"]["format"] == "koppelpunt/closure/1"
    custody.returned(drill.folder, drill.entry["set"], [], ["dirk"])  # later ones are recorded too


def test_shares_made_and_closed_before_destruction_restore_nothing_after_it(drill: Drill) -> None:
    shutil.copytree(drill.out, drill.home / "copies")
    custody.returned(drill.folder, drill.entry["set"], drill.files("anna", "bram", "cleo"), [])
    assert drill.destroy()["outstanding"] == []
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        custody.restore(drill.folder, [drill.home / "copies" / f"share-{name}.json" for name in NAMES])


def test_a_closed_set_of_a_living_key_needs_no_statement(drill: Drill) -> None:
    custody.returned(drill.folder, drill.entry["set"], [], list(NAMES))
    assert not (drill.folder / "certificates").exists()


def test_what_comes_back_must_be_of_the_set_and_of_its_custodians(drill: Drill, tmp_path: Path) -> None:
    other = Drill(tmp_path / "other")
    with pytest.raises(KeyUnavailable, match="mixed_shares"):
        custody.returned(drill.folder, drill.entry["set"], other.files("anna"), [])
    with pytest.raises(ConfigError, match="bad_custodians"):
        custody.returned(drill.folder, drill.entry["set"], [], ["zoe"])
    with pytest.raises(ConfigError, match="unknown_set"):
        custody.returned(drill.folder, "abcd1234", [], [])
    with pytest.raises(ConfigError, match="bad_label"):
        custody.returned(drill.folder, "../x", [], [])
    assert other.files("anna")[0].exists()


def test_restorations_and_closures_can_be_checked_with_public_keys(drill: Drill) -> None:
    from pseudonymize import signing
    from pseudonymize.parties import PublicKeys

    public = signing.public_half(keys.load(drill.folder / "sign.key", "sign").secret)
    PublicKeys("demo", "e-1", "", "", {}, {}, {"converter": public}).save(drill.home / "public")
    drill.destroy()
    custody.restore(drill.folder, drill.files("anna", "bram", "cleo"))
    for path in (drill.folder / "certificates").iterdir():
        assert publish.verify_certificate(path, drill.home / "public")["check"] == drill.made.check


def test_a_key_is_born_with_its_backup(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    store.create(folder, kek="../kek")
    given = ("demo", "e-1", "onderzoek", 2, HOLDERS[:3], tmp_path / "s")
    made, entry = rotate.create_shared(folder, "recipient", *given)
    assert custody.combine((tmp_path / "s").iterdir()).tag == made.check == entry["check"]
    assert ConverterKeys(folder).recipient("onderzoek").tag == made.check
    with pytest.raises(ConfigError, match="key_exists"):
        rotate.create_shared(folder, "recipient", *given)
    with pytest.raises(ConfigError, match="bad_kind"):
        rotate.create_shared(folder, "pre", *given)
    assert KeyFile.read(folder / "recipient-onderzoek.key").held.store == "file"


def test_kinds_have_names() -> None:
    assert custody.kind_of("link") == "link"
    with pytest.raises(ConfigError, match="bad_kind"):
        custody.kind_of("999990019")
