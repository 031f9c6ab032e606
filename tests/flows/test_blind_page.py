"""docs/blind.md, followed to the letter by three parties in one folder; then the TTP converts what came out.

One log is at hand for all of them, so that each verb can be asked for its events.
"""

from __future__ import annotations

import json
import re
import shutil

import pytest

from flows import rooms
from flows.verbs import blind
from pseudonymize import auditpaths
from pseudonymize.ceremony import create_demo_keys
from schemas.errors import ConfigError
from tests.flows.test_supplier_page import ROOT, Walk, run

PAGE = (ROOT / "docs" / "blind.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]
AGREEMENT = "oefening/agreements/injus.yaml"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("blind")
    create_demo_keys(folder / "huis/keys", [], ["onderzoek"], "koppelpunt-demo", "epoch-1")
    places = {name: f"huis/{name}" for name in ("home", "agreements", "keys", "inbox", "gateway")}
    (folder / "koppel.toml").write_text("".join(f'{name} = "{place}"\n' for name, place in places.items()))
    done = {}
    for line in COMMANDS:
        done[line] = run(folder, line)
        if line.startswith("koppel blind adopt"):
            (folder / "ttp/suppliers/justid/pre.key").unlink()  # the sources share no secret
        if line.startswith("koppel blind answer"):
            shutil.copytree(folder / "state", folder / "kept")
    return Walk(folder, done)


def test_every_command_of_the_page_works(walk: Walk) -> None:
    assert [line.split()[2] for line in COMMANDS if " blind " in line] == [
        *("evaluator", "adopt", "ask", "answer", "deliver")
    ]
    assert {line: (done.returncode, done.stderr) for line, done in walk.done.items() if done.returncode} == {}


def test_the_delivery_is_one_the_ttp_takes_and_converts(walk: Walk) -> None:
    public = ("--public", walk.folder / "public")
    known = rooms.pseudonymize(
        "verify", "--delivery", walk.folder / "0001", "--agreement", walk.folder / AGREEMENT, *public
    )
    told = next(done.stdout for line, done in walk.done.items() if "blind deliver" in line)
    assert f"{known['rows']['in']} rijen gelezen" in told
    link = rooms.pseudonymize(
        *("convert", "--delivery", walk.folder / "0001", "--keys", walk.folder / "ttp/converter"),
        *("--out", walk.folder / "link.parquet"),
    )
    assert link["rows"] == known["rows"]["accepted"] + 3  # and the canaries
    assert json.loads((walk.folder / "0001" / "manifest.json").read_text())["scheme"] == "v1-blind"


def test_progress_is_counts_and_what_is_secret_is_private_and_gone(walk: Walk) -> None:
    told = {line.split()[2]: done.stderr for line, done in walk.done.items() if " blind " in line}
    assert "evaluate" in told["answer"] and "rows" in told["ask"]
    assert not (walk.folder / "state" / "1.key").exists()
    assert (walk.folder / "kept" / "1.key").stat().st_mode & 0o777 == 0o400


def test_every_verb_leaves_an_event_before_and_after_and_no_point(walk: Walk) -> None:
    """In the order of the page, verified with public keys alone; the list of verbs is the program's own."""
    log = walk.folder / "huis/home/state/audit.jsonl"
    events = [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]
    started = next(n for n, event in enumerate(events) if event.get("step") == "evaluator")
    told = [(event["event"], event.get("step", "")) for event in events[started : started + 10]]
    asked = ("evaluator", "blind-adopt", "blind", "evaluate", "deliver-blind")
    done = ("evaluator_made", "evaluator_adopted", "blind_asked", "blind_answered", "blind_delivered")
    assert told == [one for verb, event in zip(asked, done, strict=True) for one in (("key_asked", verb), (event, ""))]
    assert len(asked) == len([name for name in blind.app if not name.startswith("-")])
    request, answer, delivery = events[started + 5], events[started + 7], events[started + 9]
    assert request["items"] == answer["items"] > delivery["sequence"] == request["sequence"] == 1
    assert (delivery["register"], len(delivery["manifest"])) == ("injus", 64)
    assert delivery["rows"] == delivery["accepted"] + delivery["quarantined"] + _out_of_scope(walk)
    report, _ = auditpaths.verify(log, walk.folder / "huis/keys/public")
    assert report.sound


def _out_of_scope(walk: Walk) -> int:
    manifest = json.loads((walk.folder / "0001" / "manifest.json").read_text(encoding="ascii"))
    return int(manifest["rows"]["out_of_scope"])


def test_a_request_asked_twice_is_refused_by_the_ledger(walk: Walk) -> None:
    line = next(line for line in COMMANDS if "blind answer" in line)
    again = run(walk.folder, line.replace("--out answer", "--out answer2"))
    assert (again.returncode, again.stderr.split(" ")[1]) == (11, "replay")
    last = json.loads((walk.folder / "huis/home/state/audit.jsonl").read_text(encoding="ascii").splitlines()[-1])
    assert (last["event"], last["step"], last["code"]) == ("refused", "evaluate", "replay")


def test_in_json_each_is_one_object_and_quiet_is_quiet(walk: Walk) -> None:
    line = next(line for line in COMMANDS if "blind ask" in line)
    other = line.replace("--out request", "--out request2").replace("state/1", "state/2")
    done = run(walk.folder, f"{other} --json --quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)) == {"audited", "elements", "sequence"}


def test_the_hybrid_by_its_switch_and_nothing_is_adopted_twice(walk: Walk) -> None:
    folder = walk.folder
    adopt = next(line for line in COMMANDS if "blind adopt" in line)
    hybrid = run(folder, f"{adopt.replace('--out public', '--out both')} --hybrid --json")
    tags = {
        name: json.loads((folder / name / "public.json").read_text())["checks"]["pre"] for name in ("public", "both")
    }
    answer = json.loads(hybrid.stdout)
    assert answer.pop("audited") > 0
    assert answer == {
        "evaluator": json.loads((folder / "evaluator/public/evaluator.json").read_text())["public"],
        "key_check": tags["both"],
        "mode": "hybrid",
    }
    assert len({*tags.values(), json.loads((folder / "ttp/public/public.json").read_text())["checks"]["pre"]}) == 3
    with pytest.raises(ConfigError, match="output_exists"):
        rooms.pseudonymize(
            *("blind-adopt", "--public", folder / "ttp/public", "--evaluator", folder / "evaluator/public"),
            *("--out", folder / "both"),
        )


def test_a_delivery_in_json_has_no_text(walk: Walk) -> None:
    shutil.copytree(walk.folder / "kept", walk.folder / "state3")
    line = next(line for line in COMMANDS if "blind deliver" in line)
    done = run(
        walk.folder, f"{line.replace('state/1', 'state3/1').replace('--out 0001', '--out 0001b')} --json --quiet"
    )
    assert done.returncode == 0, done.stderr
    assert "text" not in json.loads(done.stdout)
