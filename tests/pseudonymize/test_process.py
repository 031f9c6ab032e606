"""Each step in its own process: one JSON line out, no other room in memory, and nothing told that was not chosen."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pseudonymize import canary, cli
from pseudonymize.__main__ import ABSENT, Absent, frugal
from tests.pseudonymize.conftest import AGREEMENTS, INJUS_HEAD, injus_row

PLANTED = "999990019"  # RvIG test range: passes the 11-proef, belongs to nobody


def call(*arguments: object) -> tuple[int, dict[str, Any]]:
    code, answer = cli.run([str(argument) for argument in arguments])
    json.dumps(answer)
    return code, answer


def process(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pseudonymize", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False)


def test_a_delivery_goes_through_every_verb(tmp_path: Path) -> None:
    keys, out, agreement = tmp_path / "keys", tmp_path / "0001", AGREEMENTS / "injus.yaml"
    source, ledger = tmp_path / "a.csv", tmp_path / "ledger.json"
    source.write_text("\n".join([INJUS_HEAD, *(injus_row(i, skn=f"S{i}") for i in range(6)), injus_row(6, sector="Q")]))
    coverage = tmp_path / "coverage.json"
    coverage.write_text("{}")
    parties = ("--suppliers", "justid,dji", "--recipients", "onderzoek")
    epochs = ("--project", "koppelpunt-demo", "--pre-epoch", "run-1", "--epoch", "epoch-1")
    code, answer = call("keys", "--home", keys, *parties, *epochs)
    assert (code, answer["suppliers"]) == (0, 2)
    code, answer = call("check", "--source", source, "--register", "injus", "--synthetic")
    assert (code, answer["rows"]["accepted"], answer["manifest_sha256"]) == (0, 6, "")
    code, checked = call("check", "--source", source, "--agreement", agreement, "--quarantine", tmp_path / "q.csv")
    assert checked == answer
    own = ("--keys", keys / "suppliers" / "justid", "--public", keys / "public", "--coverage", coverage)
    code, made = call("deliver", "--source", source, "--agreement", agreement, "--sequence", 1, "--out", out, *own)
    assert (code, made["rows"]["accepted"], made["reasons"]) == (0, 6, {"SECTOR_ONGELDIG": 1})
    check = ("verify", "--delivery", out, "--agreement", agreement, "--public", keys / "public")
    code, found = call(*check, "--ledger", ledger)
    assert (code, found["known"], found["manifest_sha256"]) == (0, False, made["manifest_sha256"])
    code, link = call("convert", "--delivery", out, "--keys", keys / "converter", "--out", tmp_path / "link.parquet")
    opening = ("open", "--delivery", out, "--keys", keys / "linker", "--agreement", agreement)
    assert code == 0
    code, payload = call(*opening, "--out", tmp_path / "payload.parquet")
    assert (code, link["rows"], link["row_set"]) == (0, payload["rows"], payload["row_set"])
    code, refused = call("open", "--delivery", out, "--keys", keys / "linker", "--out", tmp_path / "p2.parquet")
    assert (code, refused["code"]) == (10, "bad_call")  # nothing is opened without an agreement
    code, _ = call("record", "--delivery", out, "--ledger", ledger)
    assert code == 0
    assert call(*check, "--ledger", ledger)[1]["known"] is True
    assert call(*check)[1]["known"] is False
    conversion = ("recipient", "--source", tmp_path / "link.parquet", "--keys", keys / "converter")
    code, refused = call(*conversion, "--recipient", "onderzoek", "--out", tmp_path / "r.parquet")
    assert (code, refused["code"]) == (10, "wrong_domain")  # three link columns: which one is meant?


def test_one_link_column_is_converted(delivered, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    world = delivered.world
    code, _ = call(
        "convert",
        "--delivery",
        delivered.folder,
        "--keys",
        world.keys / "converter",
        "--out",
        tmp_path / "l.parquet",
    )
    assert code == 0
    pq.write_table(pq.read_table(tmp_path / "l.parquet", columns=["row_id", "skn"]), tmp_path / "p.parquet")
    arguments = (
        "--source",
        tmp_path / "p.parquet",
        "--keys",
        world.keys / "converter",
        "--recipient",
        "onderzoek",
    )
    code, answer = call("recipient", *arguments, "--out", tmp_path / "r.parquet")
    assert (code, answer["rows"], answer["key_check"]) == (
        0,
        40 + len(canary.of("injus")),
        world.public.checks["recipient-onderzoek"],
    )


def test_a_process_loads_no_database_no_data_frame_and_no_scheduler(delivered, tmp_path: Path) -> None:
    done = process(
        "convert",
        "--delivery",
        delivered.folder,
        "--keys",
        delivered.world.keys / "converter",
        "--out",
        tmp_path / "l.parquet",
    )
    assert (done.returncode, json.loads(done.stdout)["rows"], done.stderr) == (0, 40 + len(canary.of("injus")), b"")
    script = (
        "import sys, runpy\n"
        "sys.argv = ['pseudonymize', *sys.argv[1:]]\n"
        "try:\n    runpy.run_module('pseudonymize', run_name='__main__')\n"
        "except SystemExit as end:\n    code = end.code\n"
        f"print(code, sorted({set(ABSENT)!r} & set(sys.modules)))\n"
    )
    for verb in (
        ("check", "--source", delivered.world.home / "injus.csv", "--register", "injus"),
        ("convert",),
    ):
        command = [sys.executable, "-c", script, *map(str, verb)]
        found = subprocess.run(command, capture_output=True, check=False).stdout.decode().splitlines()
        assert found[-1] in {"0 []", "10 []"}


def test_a_process_gives_memory_back_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "")
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=lambda *call: asked.append(call)))
    frugal()
    assert sorted(asked) == [(-3, 4 << 20), (-1, 16 << 20)]
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    frugal()  # another C library: as it is
    assert os.environ["ARROW_DEFAULT_MEMORY_POOL"] == "jemalloc"
    assert len(asked) == 2


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_what_must_stay_out_cannot_be_imported(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        Absent().find_spec(f"{name}.core", None)
    assert Absent().find_spec("pyarrow", None) is None


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (PLANTED,),
        ("check", PLANTED),
        ("convert", "--out", PLANTED),
        ("deliver", "--sequence", PLANTED + "x"),
        ("verify", f"--{PLANTED}", "1"),
    ],
)
def test_a_wrong_call_is_not_repeated(arguments: tuple[str, ...]) -> None:
    code, answer = call(*arguments)
    assert (code, answer) == (10, {"code": "bad_call", "facts": {}})


def test_the_answer_is_one_line_and_the_code_that_of_the_branch(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "check", "--source", str(tmp_path / "no.csv"), "--register", "injus"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    assert (end.value.code, json.loads(told.out)["code"], told.err) == (11, "unreadable_file", "")
    assert told.out.count("\n") == 1


def test_an_unforeseen_error_leaves_without_its_text(monkeypatch) -> None:
    def fail(_: object) -> None:
        raise ValueError(f"could not convert {PLANTED}")

    monkeypatch.setitem(cli.VERBS, "record", (fail, cli.VERBS["record"][1]))
    code, answer = call("record", "--delivery", "d", "--ledger", "l")
    assert (code, answer["code"]) == (20, "internal")
    assert (answer["facts"]["step"], answer["facts"]["kind"]) == ("record", "ValueError")
    assert PLANTED not in json.dumps(answer)


@pytest.mark.parametrize("text", ["", "[]", PLANTED, "{"])
def test_bad_coverage_is_refused(delivered, tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    keys, world = delivered.world.keys, delivered.world
    own = ("--keys", keys / "suppliers" / "justid", "--public", keys / "public", "--coverage", path)
    rest = ("--agreement", AGREEMENTS / "injus.yaml", "--sequence", 1, "--out", tmp_path / "o")
    code, answer = call("deliver", "--source", world.home / "injus.csv", *rest, *own)
    assert (code, answer["code"]) == (10, "bad_coverage")
