"""Rotation with an overlap, and destruction: afterwards nothing on disk rebuilds the key and every path is shut."""

from __future__ import annotations

import base64
import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import keywrap

from pseudonymize import certificates, clock, custody, keys, publish, rotate, statement, store
from pseudonymize.convert import convert, to_recipient
from pseudonymize.custody import Custodian
from pseudonymize.deliver import deliver
from pseudonymize.keys import KeyFile
from pseudonymize.parties import ConverterKeys, SupplierKeys
from schemas.errors import ConfigError, KeyUnavailable

TODAY = clock.today()
MONTH = TODAY + dt.timedelta(days=30)


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Move the clock."""
    day = TODAY + dt.timedelta(days=days)
    monkeypatch.setattr(clock, "today", lambda: day)


def folder_of(world) -> Path:
    return Path(world.keys / "converter")


def states(folder: Path, kind: str) -> dict[str, str]:
    return {row["epoch"]: row["state"] for row in rotate.listing(folder) if row["kind"] == kind}


# Making and listing ---------------------------------------------------------------------------------------------


def test_a_list_tells_ids_and_tags_and_opens_no_key(world) -> None:
    shutil.rmtree(world.keys / "kek")
    rows = rotate.listing(folder_of(world))
    assert {row["kind"] for row in rows} == {"age", "link", "recipient", "sign"}
    assert {row["state"] for row in rows} == {"in use"}
    assert {row["check"] for row in rows if row["kind"] == "link"} == {world.public.checks["link"]}
    assert {*rows[0]} == {"id", "kind", "owner", "project", "epoch", "check", "until", "store", "state"}


def test_a_key_is_made_once_per_epoch_for_ever(world) -> None:
    folder = folder_of(world)
    with pytest.raises(ConfigError, match="key_exists"):
        rotate.create(folder, "link", "koppelpunt-demo", "epoch-9", "converter")
    with pytest.raises(ConfigError, match="bad_kind"):
        rotate.create(folder, "pre", "koppelpunt-demo", "epoch-9", "sources")  # K_S is nobody's alone to make
    with pytest.raises(ConfigError, match="bad_label"):
        rotate.create(folder, "recipient", "koppelpunt-demo", "Epoch 9", "zorg")
    rotate.destroy(folder, "link", "converter", "epoch-1", "end-of-period")
    with pytest.raises(ConfigError, match="epoch_used"):
        rotate.create(folder, "link", "koppelpunt-demo", "epoch-1", "converter")
    assert rotate.create(folder, "link", "koppelpunt-demo", "epoch-2", "converter").epoch == "epoch-2"
    with pytest.raises(ConfigError, match="output_exists"):
        keys.make(folder / "link.key", "link", "demo", "e", "converter")
    with pytest.raises(ConfigError, match="output_exists"):
        keys.save(folder / "link.key", keys.load(folder / "link.key", "link"))


# Rotation -------------------------------------------------------------------------------------------------------


def test_in_the_overlap_both_pseudonyms_are_made_and_after_it_only_the_new(delivered_copy, monkeypatch) -> None:
    world, delivery = delivered_copy
    folder, out = folder_of(world), world.home
    before = convert(delivery, world.converter, out / "before.parquet")
    new, old = rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    assert (new.epoch, old.epoch, old.until) == ("epoch-2", "epoch-1", MONTH.isoformat())
    assert states(folder, "link") == {"epoch-1": "overlap", "epoch-2": "in use"}
    rows = {
        epoch: convert(delivery, ConverterKeys(folder, epoch), out / f"{epoch}.parquet")
        for epoch in ("epoch-1", "epoch-2")
    }
    assert {one.text for one in rows.values()} == {before.text}
    assert link_column(out / "epoch-1.parquet") == link_column(out / "before.parquet")
    assert not set(link_column(out / "epoch-1.parquet")) & set(link_column(out / "epoch-2.parquet"))
    later(monkeypatch, 30)
    convert(delivery, ConverterKeys(folder, "epoch-1"), out / "last-day.parquet")
    later(monkeypatch, 31)
    assert states(folder, "link") == {"epoch-1": "overlap over", "epoch-2": "in use"}
    with pytest.raises(KeyUnavailable, match="overlap_over"):
        convert(delivery, ConverterKeys(folder, "epoch-1"), out / "late.parquet")
    assert not (out / "late.parquet").exists()
    convert(delivery, ConverterKeys(folder), out / "new.parquet")
    assert link_column(out / "new.parquet") == link_column(out / "epoch-2.parquet")


def link_column(path: Path) -> list[bytes]:
    import pyarrow.parquet as pq

    return [one for one in pq.read_table(path)["skn"].to_pylist() if one]


@pytest.fixture
def delivered_copy(world) -> tuple[object, Path]:
    """A world of its own with one delivery."""
    return world, world.deliver(world.injus())[0]


@pytest.mark.parametrize("days", [-1, 367])
def test_an_overlap_ends_within_a_year_and_not_in_the_past(world, days: int) -> None:
    folder = folder_of(world)
    with pytest.raises(ConfigError, match="bad_overlap"):
        rotate.rotate(folder, "link", "converter", "epoch-2", clock.today() + dt.timedelta(days=days))
    assert states(folder, "link") == {"epoch-1": "in use"}


def test_an_epoch_named_after_a_day_fits_in_an_error(world) -> None:
    """Eight digits could be a BSN, so an error shows them as a plus."""
    folder = folder_of(world)
    rotate.rotate(folder, "link", "converter", "20260101", MONTH)
    with pytest.raises(ConfigError, match=r"epoch_used \(kind=link, epoch=\+\)"):
        rotate.rotate(folder, "link", "converter", "20260101", MONTH)
    rotate.destroy(folder, "link", "converter", "20260101", "rotation")
    with pytest.raises(KeyUnavailable, match=r"key_destroyed \(kind=link, epoch=\+"):
        world.converter.link()


def test_rotation_refuses_a_used_epoch_a_missing_key_and_k_s(world) -> None:
    folder = folder_of(world)
    with pytest.raises(ConfigError, match="epoch_used"):
        rotate.rotate(folder, "link", "converter", "epoch-1", MONTH)
    with pytest.raises(KeyUnavailable, match="key_missing"):
        rotate.rotate(folder, "recipient", "nobody", "epoch-2", MONTH)
    with pytest.raises(ConfigError, match="bad_kind"):
        rotate.rotate(world.keys / "suppliers" / "justid", "pre", "sources", "run-2", MONTH)
    with pytest.raises(KeyUnavailable, match="key_missing"):
        ConverterKeys(folder, "epoch-7").link()


def test_a_rotation_killed_half_way_leaves_the_old_key_in_use_and_can_be_finished(world, monkeypatch) -> None:
    folder = folder_of(world)
    tag = world.converter.link().tag

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    real = rotate.set_aside
    with monkeypatch.context() as patched:
        patched.setattr(rotate, "set_aside", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    assert world.converter.link().tag == tag
    with monkeypatch.context() as patched:
        patched.setattr(rotate, "set_aside", lambda *given: (real(*given), killed()))
        with pytest.raises(KeyboardInterrupt):
            rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    assert world.converter.link().tag == tag
    new, _ = rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    assert world.converter.link().tag == new.check != tag


def test_a_supplier_keeps_delivering_under_an_old_agreement_during_the_overlap(world) -> None:
    folder = world.keys / "suppliers" / "justid"
    old = SupplierKeys.load(folder)
    for kind in ("record", "sign"):
        rotate.rotate(folder, kind, "justid", "run-2", MONTH)
    assert SupplierKeys.load(folder, "run-1").sign.tag == old.sign.tag
    assert SupplierKeys.load(folder, "run-1").pre.tag == old.pre.tag
    assert SupplierKeys.load(folder).sign.tag != old.sign.tag
    agreement = world.agreement("injus")
    period = (agreement.period.from_, agreement.period.until)
    arguments = (world.injus(), agreement.declared, agreement, SupplierKeys.load(folder, "run-1"), world.public)
    assert deliver(*arguments, world.home / "d", sequence=1, period=period).accepted == 40


# Destruction ----------------------------------------------------------------------------------------------------


def test_a_destroyed_key_shuts_every_path_that_needs_it(delivered_copy) -> None:
    world, delivery = delivered_copy
    folder = folder_of(world)
    convert(delivery, world.converter, world.home / "link.parquet")
    for kind, owner in (("link", "converter"), ("recipient", "onderzoek")):
        rotate.destroy(folder, kind, owner, "epoch-1", "end-of-project")
    attempts = {
        "convert": lambda: convert(delivery, world.converter, world.home / "x.parquet"),
        "convert by epoch": lambda: convert(delivery, ConverterKeys(folder, "epoch-1"), world.home / "x.parquet"),
        "recipient": lambda: to_recipient(
            one_link_column(world.home), "onderzoek", world.converter, world.home / "x.parquet"
        ),
        "export": lambda: custody.export(folder, folder / "link.key", 2, HOLDERS, world.home / "s"),
        "rotate": lambda: rotate.rotate(folder, "link", "converter", "epoch-2", MONTH),
        "destroy again": lambda: rotate.destroy(folder, "link", "converter", "epoch-1", "rotation"),
    }
    for name, attempt in attempts.items():
        with pytest.raises(KeyUnavailable, match=r"key_(destroyed|missing)") as caught:
            attempt()
        assert name in {"export", "rotate"} or caught.value.code == "key_destroyed", name
        assert caught.value.exit_code == 12
    assert not (world.home / "x.parquet").exists()
    assert not [path for path in world.home.rglob("*.part*") if path.is_file()]
    world.converter.recipient("gemeente")  # the others live on
    supplier = world.keys / "suppliers" / "justid"
    rotate.destroy(supplier, "pre", "sources", "run-1", "end-of-period")
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        SupplierKeys.load(supplier)


HOLDERS = [Custodian("anna", ""), Custodian("bram", ""), Custodian("cleo", "")]


def one_link_column(home: Path) -> Path:
    import pyarrow.parquet as pq

    out = home / "one.parquet"
    pq.write_table(pq.read_table(home / "link.parquet", columns=["row_id", "skn"]), out)
    return out


def test_nothing_left_on_disk_rebuilds_a_destroyed_key(world) -> None:
    """Every file under the home is searched; every KEK left is tried on every wrapped form there ever was."""
    folder = folder_of(world)
    rotate.rotate(folder, "link", "converter", "epoch-2", MONTH)
    old, raw = KeyFile.read(folder / "link@epoch-1.key"), ConverterKeys(folder, "epoch-1").link().secret.reveal()
    backup = (folder / "link@epoch-1.key").read_bytes()  # a tape nobody remembered
    wrapped = {bytes.fromhex(old.held.secret)}
    # A party's other keys are wrapped under the same KEK: they are what must survive.
    survivors = {path.name: KeyFile.read(path).check for path in folder.glob("*.key") if "@" not in path.name}
    rotate.destroy(folder, "link", "converter", "epoch-1", "rotation")
    assert {p.name: keys.load(p, KeyFile.read(p).kind).tag for p in folder.glob("*.key")} == survivors
    left = [path for path in world.home.rglob("*") if path.is_file()]
    for path in left:
        content = path.read_bytes()
        for form in (*encodings(raw), *(one for value in wrapped for one in encodings(value))):
            assert form not in content, path.name
    keks = [bytes.fromhex(path.read_text()) for path in left if path.suffix == ".kek"]
    assert keks
    for kek in keks:
        with pytest.raises(keywrap.InvalidUnwrap):
            keywrap.aes_key_unwrap_with_padding(kek, *wrapped)
    (folder / "link@epoch-1.key").write_bytes(backup)  # put back by hand: refused by certificate, and by KEK
    (folder / "link@epoch-1.key").chmod(0o400)
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        ConverterKeys(folder, "epoch-1").link()
    shutil.rmtree(folder / "certificates")
    with pytest.raises(KeyUnavailable, match="kek_missing"):
        ConverterKeys(folder, "epoch-1").link()


def encodings(value: bytes) -> Iterator[bytes]:
    """Raw, hex in both cases, base64 at each of its three alignments, reversed, and as UTF-16."""
    yield from (value, value[::-1], value.hex().encode(), value.hex().upper().encode(), value.hex().encode("utf-16-le"))
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + value)[4:-4]
        yield base64.urlsafe_b64encode(bytes(shift) + value)[4:-4]


def test_the_certificate_says_what_ended_and_anybody_can_check_it(world) -> None:
    folder = folder_of(world)
    tag = world.converter.link().tag
    path, content = rotate.destroy(folder, "link", "converter", "epoch-1", "end-of-project")
    found = publish.verify_certificate(path, world.keys / "public")
    assert found == {"signer": "converter", **content}
    assert (content["check"], content["store"], content["wrapping_key"]) == (tag, "file", "erased")
    assert (content["kind"], content["epoch"], content["reason"]) == ("link", "epoch-1", "end-of-project")
    assert content["outstanding"] == []
    assert dt.datetime.fromisoformat(content["at"]).tzinfo is not None
    assert states(folder, "link") == {"epoch-1": "destroyed"}
    supplier = world.keys / "suppliers" / "justid"
    path, _ = rotate.destroy(supplier, "pre", "sources", "run-1", "end-of-period")
    assert publish.verify_certificate(path, world.keys / "public")["signer"] == "justid"


@pytest.mark.parametrize("change", ["statement", "signature", "signer", "unknown", "extra", "twice", "format", "empty"])
def test_a_changed_certificate_is_refused(world, tmp_path: Path, change: str) -> None:
    path, _ = rotate.destroy(folder_of(world), "link", "converter", "epoch-1", "compromise")
    whole = json.loads(path.read_text())
    if change == "statement":
        whole["statement"]["reason"] = "rotation"
    elif change == "signature":
        whole["signature"] = whole["signature"][::-1]
    elif change in {"signer", "unknown"}:
        whole["signer"] = "justid" if change == "signer" else "nobody"
    elif change == "extra":
        whole["statement"]["note"] = "x"
    elif change == "format":
        whole["statement"]["outstanding"] = [1.5]
    text = json.dumps(whole)
    text = text[:-1] + ', "signer": "converter"}' if change == "twice" else "" if change == "empty" else text
    other = tmp_path / "c.json"
    other.write_text(text)
    with pytest.raises(ConfigError, match="bad_statement"):
        publish.verify_certificate(other, world.keys / "public")


def test_a_statement_is_a_file_of_its_own_and_not_too_long(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "x")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "link"):
        with pytest.raises(ConfigError, match="bad_statement"):
            certificates.read(path)
    (tmp_path / "long").write_text(" " * (statement.MAX_BYTES + 1))
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "list").write_text("[]")
    for name in ("long", "deep", "list"):
        with pytest.raises(ConfigError, match="bad_statement"):
            certificates.read(tmp_path / name)


def test_a_destruction_killed_half_way_refuses_the_key_and_can_be_finished(world, monkeypatch) -> None:
    folder = folder_of(world)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("_end", "renew"):
        with monkeypatch.context() as patched:
            if step == "_end":
                patched.setattr(rotate, "_end", killed)
            else:
                patched.setattr(keys, "renew_keks", killed)
            with pytest.raises(KeyboardInterrupt):
                rotate.destroy(folder, "link", "converter", "epoch-1", "compromise")
        with pytest.raises(KeyUnavailable, match="key_destroyed"):
            world.converter.link()
        assert states(folder, "link") == {"epoch-1": "destroyed"}
    path, _ = rotate.destroy(folder, "link", "converter", "epoch-1", "compromise")
    assert path.suffix == ".json"
    assert [*folder.glob("certificates/*")] == [path]
    assert len([*(world.keys / "kek" / "converter").iterdir()]) == 1
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        rotate.destroy(folder, "link", "converter", "epoch-1", "compromise")


def test_renewing_keks_killed_half_way_loses_no_key(world, monkeypatch) -> None:
    folder = folder_of(world)
    tags = {path.name: KeyFile.read(path).check for path in folder.glob("*.key")}
    done = []

    def once(path: Path, text: bytes) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(path)
        real(path, text)

    real = keys.replace_private
    with monkeypatch.context() as patched:
        patched.setattr(keys, "replace_private", once)
        with pytest.raises(KeyboardInterrupt):
            keys.renew_keks(folder)
    assert len([*(world.keys / "kek" / "converter").iterdir()]) == 2
    assert {p.name: keys.load(p, KeyFile.read(p).kind).tag for p in folder.glob("*.key")} == tags
    assert keys.renew_keks(folder)
    assert len([*(world.keys / "kek" / "converter").iterdir()]) == 1
    assert {p.name: keys.load(p, KeyFile.read(p).kind).tag for p in folder.glob("*.key")} == tags


def test_under_a_credential_the_certificate_says_that_the_wrapping_key_is_kept(tmp_path, monkeypatch) -> None:
    (tmp_path / "c").mkdir(0o700)
    (tmp_path / "c" / "kek").write_bytes(bytes(range(32)))
    (tmp_path / "c" / "kek").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "c"))
    folder = tmp_path / "converter"
    store.create(folder, kek="credential:kek")
    keys.make(folder / "sign.key", "sign", "demo", "any", "converter")
    rotate.create(folder, "link", "demo", "e-1", "converter")
    _, content = rotate.destroy(folder, "link", "converter", "e-1", "rotation")
    assert content["wrapping_key"] == "kept"
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        ConverterKeys(folder).link()


def test_a_reason_is_one_of_the_list_and_an_epoch_must_be_there(world) -> None:
    with pytest.raises(ConfigError, match="bad_reason"):
        rotate.destroy(folder_of(world), "link", "converter", "epoch-1", "because")
    with pytest.raises(KeyUnavailable, match="key_missing"):
        rotate.destroy(folder_of(world), "link", "converter", "epoch-9", "rotation")
    assert states(folder_of(world), "link") == {"epoch-1": "in use"}


def test_a_party_can_end_its_own_signing_key_last(world) -> None:
    folder = folder_of(world)
    path, _ = rotate.destroy(folder, "sign", "converter", "any", "end-of-project")
    assert publish.verify_certificate(path, world.keys / "public")["kind"] == "sign"
    with pytest.raises(KeyUnavailable, match="key_destroyed"):
        rotate.destroy(folder, "link", "converter", "epoch-1", "end-of-project")
