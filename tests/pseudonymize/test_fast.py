"""The lanes kernel: equal to the reference on published facts, on every length, on anything; else it is not used."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymize import fast, lanes, prf
from pseudonymize.columns import pseudonyms
from pseudonymize.fast import Lanes, Switch
from pseudonymize.secret import Secret

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
WYCHEPROOF = json.loads((VECTORS / "wycheproof_hmac_sha256.json").read_text())
RFC4231 = json.loads((VECTORS / "rfc4231.json").read_text())["cases"]
KEY = Secret(bytes(range(32)))


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Switch:
    """A process that has not decided yet, with a cache of its own."""
    monkeypatch.setattr(fast, "switch", Switch())
    monkeypatch.setenv("KOPPEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KOPPEL_FAST", "0")
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", ""))
    return fast.switch


@pytest.fixture
def on(switch: Switch) -> Switch:
    assert fast.ready(1)
    return switch


def by_lanes(key: bytes, message: bytes, prefix: bytes = b"") -> bytes:
    return Lanes(lanes, Secret(key), prefix).batch(message, len(message))


# Published facts -----------------------------------------------------------------------------------------------


def test_the_constants_are_those_of_fips_180_4() -> None:
    assert [hex(n) for n in (lanes.K[0], lanes.K[63], lanes.START[0], lanes.START[7])] == [
        "0x428a2f98",
        "0xc67178f2",
        "0x6a09e667",
        "0x5be0cd19",
    ]


@pytest.mark.parametrize("case", RFC4231, ids=lambda case: f"case {case['case']}")
def test_rfc_4231(case: dict[str, str]) -> None:
    key, data, tag = (bytes.fromhex(case[name]) for name in ("key", "data", "tag"))
    assert by_lanes(key, data)[: len(tag)] == tag


@pytest.mark.parametrize("case", WYCHEPROOF["valid"], ids=lambda case: f"{case[0]}")
def test_wycheproof(case: list[str]) -> None:
    key, message, tag = (bytes.fromhex(text) for text in case[1:])
    assert prf.Prf(Secret(key)).raw(message) == tag
    if message:  # an empty message is left to the reference
        assert by_lanes(key, message) == tag


@pytest.mark.parametrize("case", WYCHEPROOF["modified"], ids=lambda case: f"{case[0]}")
def test_wycheproof_tags_that_were_changed(case: list[str]) -> None:
    key, message, tag = (bytes.fromhex(text) for text in case[1:])
    assert prf.Prf(Secret(key)).raw(message) != tag
    assert not message or by_lanes(key, message) != tag


# Equal to the reference ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1, 41, 55, 56, 63, 64, 65, 127, 128])
def test_every_message_length_from_0_to_119(before: int) -> None:
    """From one byte; 0 is the reference's. 33 values: a full group of lanes and one that is not."""
    prefix = bytes(number % 251 for number in range(before))
    for width in range(1, 120):
        values = hashlib.shake_256(bytes([before, width])).digest(33 * width)
        wanted = [hmac.digest(KEY.reveal(), prefix + values[i * width : (i + 1) * width], "sha256") for i in range(33)]
        assert Lanes(lanes, KEY, prefix).batch(values, width) == b"".join(wanted), width


@given(
    st.binary(min_size=1, max_size=140),
    st.binary(max_size=200),
    st.binary(max_size=70),
    st.integers(1, 140),
    st.integers(0, 100),
    st.integers(0, 2**32),
)
@settings(max_examples=150)
def test_anything_at_all(  # noqa: PLR0917
    key: bytes, prefix: bytes, constant: bytes, width: int, count: int, seed: int
) -> None:
    values = np.random.default_rng(seed).bytes(count * width)
    parts = [values[i * width : (i + 1) * width] for i in range(count)]
    made = Lanes(lanes, Secret(key), prefix).batch(values, width, constant)
    assert made == b"".join(hmac.digest(key, prefix + constant + part, "sha256") for part in parts)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 2 * fast.SHARE - 1, 2 * fast.SHARE, 2 * fast.SHARE + 5])
def test_both_cores_and_full_or_partial_groups_of_lanes(count: int) -> None:
    stage = prf.link(KEY, "demo", "epoch-1")
    values = hashlib.shake_256(b"x").digest(32 * count)
    made = Lanes(lanes, KEY, prf.encode(b"ttp/link/v1", b"demo", b"epoch-1")).batch(values, 32, (32).to_bytes(4, "big"))
    assert made == stage.reference(values, 32)


@pytest.mark.parametrize("size", [32, 16])
def test_a_column_is_the_same_with_the_kernel(on: Switch, size: int) -> None:
    stage = prf.record(KEY, "demo", "run-1", "injus.detentie_id")
    texts = pa.array([None, "", "a", "bb", "a", "c" * 40, "\u00e9"])
    assert pseudonyms(stage, texts, size).to_pylist() == [
        None if text is None else stage.one(text.encode())[:size] for text in texts.to_pylist()
    ]
    assert fast.state()["checked"] > 0
    assert stage.fixed(b"", 9) == b""


@pytest.mark.parametrize("texts", [["a1", "b2", "a1"], ["", ""], ["a", "bcd"], []])
def test_a_column_without_empty_cells_is_the_same_too(on: Switch, texts: list[str]) -> None:
    """With the kernel on, equal values are computed again: cheaper than finding them."""
    stage = prf.record(KEY, "demo", "run-1", "injus.detentie_id")
    whole = pa.array(["before", *texts], pa.string())
    assert fast.running()
    assert pseudonyms(stage, whole[1:]).to_pylist() == [stage.one(text.encode()) for text in texts]


def test_what_is_expected_counts_so_the_first_batch_already_has_the_kernel(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOPPEL_FAST", "100")
    fast.expect(98)
    assert not fast.ready(1) and not fast.running()
    assert fast.ready(1) and fast.running()


def test_the_known_answers_of_the_protocol_come_from_the_kernel_too(on: Switch) -> None:
    told = json.loads((VECTORS / "protocol_v1.json").read_text())
    keys = {name: Secret(bytes.fromhex(text)) for name, text in told["keys"].items()}
    pre = prf.pre(keys["pre"], "demo", "run-1", "NL:BSN").fixed(b"123456782", 9)
    link = prf.link(keys["link"], "demo", "epoch-1").fixed(pre, 32)
    out = prf.recipient(keys["recipient"], "demo", "gemeente", "epoch-1").fixed(link, 32)
    assert [one.hex() for one in (pre, link, out)] == [told["pre"], told["link"], told["recipient_pseudonym"]]
    assert fast.state() == {"kernel": "on", "reason": "", "checked": 3}


def test_what_the_kernel_made_is_what_is_given(on: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not made a second time by the reference, which would be as right and twelve times slower."""
    stage = prf.link(KEY, "demo", "epoch-1")
    expected = stage.reference(bytes(64), 32)
    monkeypatch.setattr(prf.Prf, "reference", lambda *_: pytest.fail("the reference made them again"))
    assert stage.fixed(bytes(64), 32) == expected


# When it is used, and when it is not ---------------------------------------------------------------------------


def test_it_waits_until_loading_pays(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KOPPEL_FAST")
    assert not fast.ready(fast.THRESHOLD - 1)
    assert fast.state()["kernel"] == "waiting"
    assert fast.ready(1)
    assert fast.state()["kernel"] == "on"


def test_a_batch_asks_with_its_number_of_values_and_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the threshold the kernel is not touched, though it be there."""
    asked: list[object] = []
    monkeypatch.setattr(fast, "ready", asked.append)
    monkeypatch.setattr(prf.Prf, "_by_lanes", lambda *_: pytest.fail("not asked for"))
    stage = prf.link(KEY, "demo", "epoch-1")
    assert stage.fixed(bytes(64), 32) == stage.one(bytes(32)) * 2
    assert [(type(count), count) for count in asked] == [(int, 2)]


def test_the_operator_can_switch_it_off(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOPPEL_FAST", "off")
    assert not fast.ready(10**9)
    assert fast.state() == {"kernel": "off", "reason": "switched_off", "checked": 0}


def test_without_numba_the_reference_works_and_says_so(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "_load", lambda _: (_ for _ in ()).throw(ImportError))
    stage = prf.link(KEY, "demo", "epoch-1")
    assert stage.fixed(bytes(64), 32) == stage.reference(bytes(64), 32)
    assert fast.state() == {"kernel": "off", "reason": "not_installed", "checked": 0}


def test_the_room_imports_without_numba() -> None:
    code = "import sys; sys.modules['numba'] = None; import pseudonymize.deliver, pseudonymize.convert"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


class Broken(SimpleNamespace):
    """The kernel with a fault: what a wrong compiler or a wrong machine would be."""

    def __init__(self, fault: Any) -> None:
        super().__init__(START=lanes.START, N=lanes.N, absorbed=lanes.absorbed)
        self.fault = fault

    def hmac_batch(self, *arguments: Any) -> None:
        lanes.hmac_batch(*arguments)
        self.fault(arguments[-1], arguments[5])


def one_bit(out: np.ndarray, width: int) -> None:
    out[2] ^= 1


FAULTS = {
    "always": one_bit,
    "at 64 bytes only": lambda out, width: one_bit(out, width) if width == 64 else None,
    "at 119 bytes only": lambda out, width: one_bit(out, width) if width == 119 else None,
    "at 28 bytes, where a vector is": lambda out, width: one_bit(out, width) if width == 28 else None,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_kernel_that_fails_its_test_is_never_used(
    switch: Switch, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setattr(fast, "_load", lambda _: Broken(fault))
    stage = prf.link(KEY, "demo", "epoch-1")
    assert stage.fixed(bytes(64), 32) == stage.reference(bytes(64), 32)
    assert fast.state() == {"kernel": "off", "reason": "self_test_failed", "checked": 0}


def test_a_kernel_that_goes_wrong_later_is_caught_by_the_sample(on: Switch) -> None:
    """Every batch is sampled at random; with every value wrong, one is enough. The batch is done again."""
    stage = prf.link(KEY, "demo", "epoch-1")
    assert stage.fixed(bytes(64), 32) == stage.reference(bytes(64), 32)
    checked = fast.state()["checked"]

    def all_wrong(out: np.ndarray, width: int) -> None:
        out ^= 1

    stage._lanes._kernel = Broken(all_wrong)  # type: ignore[union-attr]
    assert stage.fixed(bytes(64), 32) == stage.reference(bytes(64), 32)
    assert fast.state() == {"kernel": "off", "reason": "sample_differed", "checked": checked}
    assert not fast.ready(10**9)


def test_one_value_in_ten_thousand_is_checked_and_at_least_one(on: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = prf.link(KEY, "demo", "epoch-1")
    stage.fixed(bytes(32 * 5), 32)
    assert fast.state()["checked"] == 1
    stage.fixed(bytes(9 * 30_000), 9)
    assert fast.state()["checked"] == 4


def test_a_sampled_fault_is_found_with_the_chance_told(on: Switch) -> None:
    """`agreed` looks at places drawn at random, not always the same: a fault anywhere is found sooner or later."""
    stage = prf.link(KEY, "demo", "epoch-1")
    values = bytes(range(64))
    made = bytearray(stage.reference(values, 32))
    made[40] ^= 1  # the second of two values
    found = {fast.agreed(bytes(made), values, 32, stage.one) for _ in range(64)}
    assert found == {True, False}


@pytest.mark.parametrize("fault", ["others may write", "a link", "a file", "no home"])
def test_compiled_code_is_kept_in_a_private_folder_or_nowhere(
    switch: Switch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    place = tmp_path / "kept"
    if fault == "others may write":
        place.mkdir()
        place.chmod(0o777)
    elif fault == "a link":
        (tmp_path / "own").mkdir()
        place.symlink_to(tmp_path / "own")
    elif fault == "a file":
        place.write_text("")
    monkeypatch.setenv("KOPPEL_CACHE", str(place) if fault != "no home" else "/proc/none/kept")
    assert not fast.ready(10)
    assert fast.state()["reason"] == "no_private_cache"


def test_the_default_place_is_the_home_folder(switch: Switch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KOPPEL_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = fast._private_folder()
    assert folder == tmp_path / ".cache" / "koppelpunt" / "lanes"
    assert folder.stat().st_mode & 0o077 == 0


def test_two_threads_load_it_once(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []

    def load(_: Path) -> Any:
        loaded.append(1)
        return lanes

    monkeypatch.setattr(fast, "_load", load)
    threads = [threading.Thread(target=fast.ready, args=(10,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == [1]


# Keys stay where they are --------------------------------------------------------------------------------------


def test_neither_stage_nor_kernel_can_be_shown_pickled_or_copied() -> None:
    stage, kernel = prf.link(KEY, "demo", "epoch-1"), Lanes(lanes, KEY)
    for one in (stage, kernel):
        assert KEY.reveal().hex() not in repr(one) + str(one)
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=r"^a key is never pickled or copied$"):
                attempt(one)


SECRET_KEY = bytes(range(7, 71))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh cache, filled by a process that worked with SECRET_KEY."""
    folder = tmp_path_factory.mktemp("lanes")
    folder.chmod(0o700)
    code = (
        "from pseudonymize import fast, prf; from pseudonymize.secret import Secret\n"
        "stage = prf.Prf(Secret(bytes(range(7, 71))), b'prefix')\n"
        "assert stage.fixed(bytes(90), 9) == stage.reference(bytes(90), 9)\n"
        "assert fast.state()['kernel'] == 'on', fast.state()\n"
    )
    env = {**os.environ, "KOPPEL_CACHE": str(folder), "KOPPEL_FAST": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return folder


def states(key: bytes) -> Iterator[bytes]:
    """Key, pads, and the chaining values after the pads: each is as good as the key."""
    yield key
    for pad in (0x36, 0x5C):
        block = bytes(byte ^ pad for byte in key)
        yield block
        state = lanes.absorbed(lanes.START, block)
        yield state.tobytes()
        yield state.astype(">u4").tobytes()


def test_no_key_pad_or_state_is_in_what_the_compiler_keeps(compiled: Path) -> None:
    files = [path for path in compiled.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".nbc" for path in files) >= 6
    kept = b"".join(path.read_bytes() for path in files)
    assert b"hmac_batch" in kept  # the search looks where the code is
    for needle in states(SECRET_KEY):
        assert needle not in kept and needle.hex().encode() not in kept and needle[:16] not in kept
    assert all(path.stat().st_mode & 0o022 == 0 for path in files)


def test_what_is_kept_is_the_same_for_every_key(compiled: Path) -> None:
    """Another process with another key compiles nothing and changes nothing."""
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in compiled.rglob("*") if path.is_file()}
    code = (
        "from pseudonymize import fast, prf; from pseudonymize.secret import Secret\n"
        "assert prf.Prf(Secret(b'other' * 9)).fixed(bytes(90), 9) and fast.state()['kernel'] == 'on'\n"
    )
    env = {**os.environ, "KOPPEL_CACHE": str(compiled), "KOPPEL_FAST": "0"}
    assert subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, check=False).returncode == 0
    after = {path: hashlib.sha256(path.read_bytes()).digest() for path in compiled.rglob("*") if path.is_file()}
    assert before == after


def test_no_statement_hashes_an_identifier() -> None:
    """Bound keys show in query plans, so HMAC never happens in SQL; this room, which has the keys, has no SQL."""
    statements = sorted(ROOT.glob("*/sql/*.sql"))
    assert len(statements) > 20
    for path in statements:
        text = path.read_text(encoding="utf-8").lower()
        assert "hmac" not in text and "sha256" not in text and "md5" not in text, path.name
    assert not list((ROOT / "pseudonymize").rglob("*.sql"))
